"""Other stacks than the examples: fewer clouds, and wishes that cannot be met."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

Config = dict[str, Any]
Change = Callable[[Config], object]
Changed = Callable[[str, Change], CompletedProcess[str]]
pytestmark = pytest.mark.slow
APPS, CAPACITY = "fairweather:apps", "fairweather:capacity"


def keep(config: Config, *names: str) -> None:
    """Keep only these apps."""
    for part in (APPS, CAPACITY):
        config[part] = {name: config[part][name] for name in names}


def providers(done: CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)["providers"]
    return found


def test_a_stack_without_google_never_imports_its_provider(changed: Changed) -> None:
    def only_aws(config: Config) -> None:
        keep(config, "photos", "health", "moderation")
        del config["fairweather:portfolio"]["gcp"]

    assert providers(changed("dev", only_aws)) == ["pulumi_aws", "pulumi_kubernetes"]


def test_a_stack_without_aws_never_imports_its_provider(changed: Changed) -> None:
    def only_google(config: Config) -> None:
        keep(config, "translate")
        del config["fairweather:portfolio"]["aws"]

    assert providers(changed("dev", only_google)) == ["pulumi_gcp", "pulumi_kubernetes"]


def test_a_stack_of_functions_needs_no_cluster(changed: Changed) -> None:
    def functions(config: Config) -> None:
        keep(config, "moderation")

    assert providers(changed("dev", functions)) == ["pulumi_aws"]


def cdn(config: Config, app: str) -> None:
    config[APPS][app]["edge"] = ["cdn"]


def no_certificate(config: Config) -> None:
    del config["fairweather:portfolio"]["aws"]["certificate_arns"]


def no_zone(config: Config) -> None:
    del config["fairweather:portfolio"]["aws"]["hosted_zone"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            no_certificate,
            "apps.camera.edge: cdn: the CDN speaks TLS to its origin; "
            "add aws:us-east-1 under portfolio.aws.certificate_arns",
        ),
        (no_zone, "apps.camera.edge: cdn: the CDN needs the app's name"),
        (
            lambda config: cdn(config, "moderation"),
            "apps.moderation.edge: cdn: callers of a function sign for it",
        ),
        (
            lambda config: config[CAPACITY].pop("voice"),
            "voice has no planned capacity at aws:us-east-1; run `fairweather plan dev --write`",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_clear_line(
    changed: Changed, change: Change, said: str
) -> None:
    done = changed("dev", change)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("RunError: ")
    assert said in done.stderr.splitlines()[-1]
