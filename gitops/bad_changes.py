"""Changes that a person might make by mistake and the gate has to stop, for the demo."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import stacks

UNTAGGED = """
import pulumi_aws

pulumi_aws.s3.Bucket("scratch")
"""
TIMES = 12
HURT = 0.7
"""What is left of the true positive rate of the last slice."""


@dataclass(frozen=True)
class BadChange:
    """What somebody did, how it is done to a checkout, and the rule that has to notice."""

    title: str
    rule: str
    make: Callable[[Path, str], None]


def over_budget(checkout: Path, stack: str) -> None:
    """Ask for many times the capacity of the first GPU app, in its first location."""
    file = checkout / "stacks" / f"Pulumi.{stack}.yaml"
    contract = stacks.load(file)
    app = next(name for name, app in contract.apps.items() if app.serving.target == "gpu")
    place = contract.apps[app].locations[0]
    capacity = {name: dict(places) for name, places in contract.capacity.items()}
    before = capacity[app][place]
    floor = before.floor
    more = stacks.Floor(
        weekday=tuple(TIMES * max(n, 1) for n in floor.weekday),
        weekend=tuple(TIMES * max(n, 1) for n in floor.weekend),
    )
    capacity[app][place] = before.model_copy(
        update={
            "floor": more,
            "ceiling": more.peak,
            "expected_replicas": round(more.mean, 2),
            "reason": "somebody typed a digit too many",
        }
    )
    stacks.write_capacity(file, capacity)


def untagged(checkout: Path, _stack: str) -> None:
    """An ordinary bucket beside the components, without tags."""
    with (checkout / "__main__.py").open("a") as program:
        program.write(UNTAGGED)


def unfair(checkout: Path, stack: str) -> None:
    """Release a version of the first app's model that finds far fewer true cases in one slice."""
    file = checkout / "stacks" / f"Pulumi.{stack}.yaml"
    contract = stacks.load(file)
    app = next(iter(contract.apps.values()))
    old = stacks.load_model(checkout / "models", app.model)
    major, minor, _ = old.version.split(".")
    version = f"{major}.{int(minor) + 1}.0"
    digest = f"sha256:{hashlib.sha256(version.encode()).hexdigest()}"
    folder = checkout / "models" / old.name
    text = (folder / f"{old.version}.yaml").read_text()
    text = text.replace(old.version, version).replace(old.digest, digest)
    for item in old.evidence:
        measured = {
            **json.loads((folder / item.path).read_text()),
            "version": version,
            "digest": digest,
        }
        if item.kind == "fairness":
            worst = measured["comparisons"][0]["slices"][-1]
            worst["k"] = int(worst["k"] * HURT)
        written = json.dumps(measured, indent=1) + "\n"
        (folder / item.path.replace(old.version, version)).write_text(written)
        text = text.replace(item.sha256, f"sha256:{hashlib.sha256(written.encode()).hexdigest()}")
    (folder / f"{version}.yaml").write_text(text)
    pattern = rf"(name: {re.escape(old.name)}, version: ){re.escape(old.version)}\b"
    file.write_text(re.sub(pattern, rf"\g<1>{version}", file.read_text()))


def astray(checkout: Path, stack: str) -> None:
    """Say that the last app's users' data is sensitive, where it runs in a place that may hold no such data."""
    file = checkout / "stacks" / f"Pulumi.{stack}.yaml"
    app = list(stacks.load(file).apps)[-1]
    stacks.write_keys(file, {("config", "fairweather:apps", app, "data_class"): "sensitive"})


ALL = (
    BadChange("a floor twelve times too large", "app-cost-within-budget", over_budget),
    BadChange("a bucket without tags", "tags-are-complete", untagged),
    BadChange("a model that fails one group of people", "fairness-is-shown", unfair),
    BadChange("sensitive data where it may not be", "data-stays-where-it-may", astray),
)
