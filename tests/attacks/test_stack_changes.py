"""What is tried with the stack file, the models and their evidence, on the committed program and embedded clouds."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops import engine
from gitops.engine import Outcome
from tests.attacks.engine import Project
from tests.checkouts import PROGRAM, copied

pytestmark = pytest.mark.slow

APPS, CAPACITY = "fairweather:apps", "fairweather:capacity"
Bag = dict[str, Any]


@dataclass(frozen=True)
class Checkout:
    """A copy of the program whose development stack, models and evidence a test changes."""

    program: Project

    @property
    def file(self) -> Path:
        return self.program.folder / "stacks" / "Pulumi.dev.yaml"

    def stack(self, *changes: tuple[str, Any]) -> None:
        """Set values at paths such as `fairweather:apps/camera/owner`."""
        document = yaml.safe_load(self.file.read_text())
        for path, value in changes:
            put(document["config"], path, value)
        self.file.write_text(yaml.safe_dump(document, sort_keys=False))

    def model(self, name: str, *changes: tuple[str, Any]) -> None:
        [file] = (self.program.folder / "models" / name).glob("*.yaml")
        document = yaml.safe_load(file.read_text())
        for path, value in changes:
            put(document, path, value)
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def evidence(self, name: str, change: Callable[[Bag], None], *, hashed: bool = True) -> None:
        """Edit the fairness evidence by hand; with `hashed` the model's file is told its new hash."""
        [file] = (self.program.folder / "models" / name / "evidence").glob("*-fairness.json")
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))
        if hashed:
            digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
            [model] = (self.program.folder / "models" / name).glob("*.yaml")
            kinds = [one["kind"] for one in yaml.safe_load(model.read_text())["evidence"]]
            self.model(name, (f"evidence/{kinds.index('fairness')}/sha256", digest))

    def preview(self) -> Outcome:
        pack = self.program.folder / engine.PACK
        return self.program.run("preview", pack=pack)


def put(found: Any, path: str, value: Any) -> None:
    *steps, last = path.split("/")
    for step in steps:
        found = found[int(step) if isinstance(found, list) else step]
    found[last] = value


@pytest.fixture(scope="module")
def env(sandbox: Path, engine_path: str) -> dict[str, str]:
    own = {**os.environ, **engine.environment(sandbox), "FAIRWEATHER_PYTHON": sys.executable}
    return {**own, "PATH": engine_path, "PULUMI_DEBUG_COMMANDS": "true"}


@pytest.fixture(scope="module")
def check_out(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]
) -> Callable[[], Checkout]:
    def make() -> Checkout:
        folder = copied(tmp_path_factory.mktemp("checkout"), *PROGRAM)
        (folder / "state").mkdir()
        backend = {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
        made = Checkout(Project(folder, {**env, **backend}))
        before = made.file.read_bytes()
        assert made.program.pulumi("stack", "init").returncode == 0
        made.file.write_bytes(before)  # `stack init` reformats it
        return made

    return make


def week(replicas: float) -> Bag:
    return {"weekday": [replicas] * 24, "weekend": [replicas] * 24}


def swapped(content: Bag) -> None:
    """The rates of all slices of each comparison, handed to the next one, and the worst made much worse."""
    for comparison in content["comparisons"]:
        slices = comparison["slices"]
        names = [one["slice"] for one in slices]
        for one, name in zip(slices, [*names[1:], names[0]], strict=True):
            one["slice"] = name
        slices[0]["k"] = slices[0]["n"] // 2


@pytest.fixture(scope="module")
def changed(check_out: Callable[[], Checkout]) -> Outcome:
    """One preview of many changes, each to an app of its own or to what is told apart."""
    made = check_out()
    made.stack(
        (f"{CAPACITY}/camera/aws:us-east-1/floor", week(30)),
        (f"{CAPACITY}/camera/aws:us-east-1/ceiling", 41),
        (f"{CAPACITY}/camera/aws:us-east-1/expected_replicas", 30),
        (f"{APPS}/photos/budget/monthly_usd", 1),
        (f"{APPS}/voice/data_class", "sensitive"),
        (f"{APPS}/translate/owner", "TBD"),
        (f"{APPS}/search/owner", ""),
        ("fairweather:portfolio/budget/monthly_usd", 2_000),
        ("fairweather:portfolio/tags/expires", "2020-01-01"),
    )
    made.evidence("moderation", swapped)
    made.evidence("assistant", lambda content: content.update(expires="2026-11-01"))
    made.evidence("embeddings", lambda content: content.update(created="2035-01-01"))
    made.evidence("translate", lambda content: content.update(version="3.0.3"))
    made.model("skin-check", ("datasets/0/name", "Dermatology-Consented"))
    made.model("skin-check", ("training_pipeline", "notebooks/train.ipynb"))
    return made.preview()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("app-cost-within-budget", "camera is expected to cost"),
        ("app-cost-within-budget", "photos is expected to cost"),
        ("portfolio-cost-within-budget", "everything together"),
        ("gpus-within-quota", "camera can reach"),
        ("data-stays-where-it-may", "holds sensitive data"),
        ("owner-is-named", "translate"),
        ("owner-is-named", "search"),
        ("experiments-expire", "expired on 2020-01-01"),
        ("fairness-is-shown", "model moderation 5.2.0"),
        ("fairness-evidence-holds", "model assistant 1.2.0: its fairness evidence expired"),
        ("fairness-evidence-holds", "model embeddings 2.0.0: its fairness evidence was made on 2035"),
        ("fairness-evidence-holds", "is for the version '3.0.3', deployed is '3.0.4'"),
        ("datasets-are-approved", "Dermatology-Consented, which is not approved"),
        ("pipelines-are-approved", "notebooks/train.ipynb"),
    ],
)  # fmt: skip
def test_a_change_that_the_contract_allows_is_stopped_by_its_rule(
    changed: Outcome, rule: str, said: str
) -> None:
    messages = [one.text for one in changed.findings if one.blocks and one.rule == rule]
    assert any(said in message for message in messages), (messages, changed.errors)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{APPS}/camera/budget/monthly_usd", -1, "monthly_usd"),
        # These the engine itself does not take.
        (f"{APPS}/camera/budget/monthly_usd", float("nan"), "unsupported value: NaN"),
        (f"{APPS}/camera/budget/monthly_usd", float("inf"), "unsupported value: +Inf"),
        ("fairweather:portfolio/budget/monthly_usd", "1e999", "monthly_usd"),
        (f"{APPS}/camera/regions", ["AWS:US-EAST-1"], "regions"),
        (f"{APPS}/camera/data_class", "Personal", "data_class"),
        (f"{APPS}/camera/model/version", "2.3.1 ", "version"),
        (f"{APPS}/camera/model/name", "../skin-check", "model"),
        (f"{APPS}/camera/waiver", "all", "waiver"),
        (f"{CAPACITY}/camera/aws:us-east-1/ceiling", 1, "ceiling"),
        (f"{CAPACITY}/camera/aws:us-east-1/ceiling", 1e30, "ceiling"),
        (f"{CAPACITY}/camera/aws:us-east-1/floor", week(-4), "floor"),
    ],
)
def test_a_stack_file_that_breaks_the_contract_is_refused_by_file_and_key(
    refusals: Checkout, path: str, value: Any, said: str
) -> None:
    before = refusals.file.read_bytes()
    refusals.stack((path, value))
    outcome = refusals.preview()
    refusals.file.write_bytes(before)
    assert outcome.errors, f"{path} = {value} was taken"
    assert said in "\n".join(outcome.errors)
    assert not [step for step in outcome.steps if "fairweather:index" in step[1]]


@pytest.fixture(scope="module")
def refusals(check_out: Callable[[], Checkout]) -> Checkout:
    return check_out()


def test_changes_as_people_make_them_pass(refusals: Checkout) -> None:
    before = refusals.file.read_bytes()
    refusals.stack(
        (f"{CAPACITY}/camera/aws:us-east-1/floor", {**week(4), "weekday": [4] * 20 + [5] * 4}),
        (f"{CAPACITY}/voice/aws:us-east-1/ceiling", 4),
        (f"{APPS}/photos/budget/monthly_usd", 5_000),
        (f"{APPS}/photos/owner", "imaging-team"),
        (f"{APPS}/health/serving/autoscaler", "keda"),
        (f"{APPS}/search/data_class", "personal"),
        (f"{APPS}/moderation/slo/latency_p95_ms", 300),
        ("fairweather:portfolio/budget/monthly_usd", 32_000),
        ("fairweather:portfolio/tags/expires", "2035-06-30"),
    )
    refusals.evidence("photo-enhance", lambda content: content.update(expires="2035-10-20"))
    outcome = refusals.preview()
    refusals.file.write_bytes(before)
    assert [one for one in outcome.findings if one.blocks] == []
    assert outcome.errors == []


def test_evidence_edited_by_hand_is_refused_by_its_hash(refusals: Checkout) -> None:
    refusals.evidence("scene-caption", lambda content: content.update(expires="2037-01-01"), hashed=False)  # fmt: skip
    assert "2.3.1-fairness.json" in "\n".join(refusals.preview().errors)
