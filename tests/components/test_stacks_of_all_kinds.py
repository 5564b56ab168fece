"""Other stacks than the examples: fewer clouds, and wishes that cannot be met."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow
APPS, CAPACITY = "fairweather:apps", "fairweather:capacity"


def keep(config, *names, regions=None):
    """Keep only these apps, in these regions where some are given."""
    for part in (APPS, CAPACITY):
        config[part] = {name: config[part][name] for name in names}
    for name in names:
        if regions is not None:
            config[APPS][name]["regions"] = regions
            config[APPS][name].pop("edge", None)
            places = config[CAPACITY][name]
            config[CAPACITY][name] = {p: c for p, c in places.items() if p in regions}


def providers(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["providers"]


def test_a_stack_without_google_never_imports_its_provider(changed):
    def only_aws(config):
        keep(config, "photos", "health", "moderation")
        del config["fairweather:portfolio"]["gcp"]

    assert providers(changed("dev", only_aws)) == ["pulumi_aws", "pulumi_kubernetes"]


def test_a_stack_without_aws_never_imports_its_provider(changed):
    def only_google(config):
        keep(config, "translate")
        del config["fairweather:portfolio"]["aws"]

    assert providers(changed("dev", only_google)) == ["pulumi_gcp", "pulumi_kubernetes"]


def test_a_stack_of_functions_needs_no_cluster(changed):
    def functions(config):
        keep(config, "moderation")

    assert providers(changed("dev", functions)) == ["pulumi_aws"]


def cdn(config, app):
    config[APPS][app]["edge"] = ["cdn"]


def no_certificate(config):
    del config["fairweather:portfolio"]["aws"]["certificate_arns"]


def no_zone(config):
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
def test_a_wish_that_cannot_be_met_is_one_clear_line(changed, change, said):
    done = changed("dev", change)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("RunError: ")
    assert said in done.stderr.splitlines()[-1]
