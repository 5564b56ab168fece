"""Attempts on the gate: each is a few resources as plain data, declared by a program of the real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitops.engine import Finding, Outcome, record

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policypacks" / "guardrails"
VENV = Path(sys.executable).parent.parent
RUN_SECONDS = 180
Bag = dict[str, Any]
UNKNOWN = {"$": "unknown"}
"""Stands for a value that only the deployment tells: the ARN of a key that the program makes."""

PROGRAM = """
import json, pulumi

cases = json.load(open("cases.json"))

class Told(pulumi.ComponentResource):
    def __init__(self, kind, name, facts, opts):
        super().__init__(kind, name, facts, opts)
        self.register_outputs(facts)


class Custom(pulumi.CustomResource):
    arn: pulumi.Output[str]


def value(given):
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, dict):
        return given
    if "$" not in given:
        return {key: value(item) for key, item in given.items()}
    match given["$"]:
        case "unknown":
            return made[given.get("of", "the-key")].arn
        case "secret":
            return pulumi.Output.secret(given["value"])
        case "of another stack":
            return pulumi.StackReference("organization/elsewhere/dev").get_output("value")


def options(given):
    opts = {key: made[name] for key, name in given.items() if key in ("parent", "provider")}
    aliases = [pulumi.Alias(name=name) for name in given.get("aliases", ())]
    protect = given.get("protect")
    return pulumi.ResourceOptions(**opts, aliases=aliases, protect=protect)


def transform(args):
    kept = {k: v for k, v in args.props.items() if k != "tags"}
    return pulumi.ResourceTransformResult(kept, args.opts) if args.name.startswith("untag") else None


pulumi.runtime.register_resource_transform(transform)
made = {}
for one in cases:
    name, kind, opts = one["name"], one["type"], options(one["options"])
    props = value(one["props"])
    if kind.startswith("fairweather:"):
        made[name] = Told(kind, name, props, opts)
    elif kind.startswith("pulumi:providers:"):
        made[name] = pulumi.ProviderResource(kind.split(":")[-1], name, props, opts)
    else:
        made[name] = Custom(kind, name, {**props, "arn": None}, opts)"""


@dataclass(frozen=True)
class Declared:
    """One resource of a program."""

    type: str
    props: Mapping[str, Any]
    suffix: str = ""
    """After the name of its case."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attack:
    """What is tried, and the rule that has to stop it."""

    name: str
    rule: str
    resources: tuple[Declared, ...]
    says: str = ""
    """A part of the message; what is said of the whole stack is told apart by it."""

    def stopped_by(self, findings: Sequence[Finding]) -> list[Finding]:
        return [
            one
            for one in findings
            if one.blocks
            and one.rule == self.rule
            and self.says in one.message
            and (named(one.urn, self.name) or self.name in one.text)
        ]


@dataclass(frozen=True)
class Legitimate:
    """What has to pass."""

    name: str
    resources: tuple[Declared, ...]


def named(urn: str, case: str) -> bool:
    """Whether a finding is about a resource of a case."""
    name = urn.rsplit("::", maxsplit=1)[-1]
    return name == case or name.startswith(f"{case}--")


@dataclass(frozen=True)
class Project:
    """A program in a folder of its own, with a stack on the embedded clouds."""

    folder: Path
    env: Mapping[str, str]

    def run(self, verb: str, *options: str, pack: Path = PACK) -> Outcome:
        """Preview or up, with the pack. What the engine said, as the command line reads it."""
        from pulumi import automation

        log = self.folder / "events.jsonl"
        log.write_text("")
        done = self.pulumi(verb, *options, "--policy-pack", str(pack), "--event-log", str(log))
        outcome = Outcome()
        for line in log.read_text().splitlines():
            record(outcome, automation.EngineEvent.from_json(json.loads(line)), None)
        if done.returncode and not outcome.failed:
            outcome.errors.append(done.stdout + done.stderr)
        return outcome

    def pulumi(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("pulumi", *command, "--stack", "dev", "--non-interactive", "--color", "never"),
            cwd=self.folder,
            env=dict(self.env),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )

    def declare(self, cases: Sequence[Attack | Legitimate], shared: Sequence[Bag] = ()) -> None:
        """The program declares the resources of all cases, below what they share."""
        found = [*shared, *(item for case in cases for item in _states(case))]
        (self.folder / "cases.json").write_text(json.dumps(found))


def _states(case: Attack | Legitimate) -> list[Bag]:
    return [
        state(one.type, case.name + (f"--{one.suffix}" if one.suffix else ""), one.props, one.options)
        for one in case.resources
    ]  # fmt: skip


def state(
    kind: str, name: str, props: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> Bag:
    """A resource as the program reads it; Kubernetes objects are named as their types are."""
    told = dict(props)
    if kind.startswith("kubernetes:"):
        version, _, word = kind.removeprefix("kubernetes:").rpartition(":")
        told = {"apiVersion": version.removeprefix("core/"), "kind": word, **told}
    return {"type": kind, "name": name, "props": told, "options": dict(options or {})}


def project(folder: Path, env: Mapping[str, str]) -> Project:
    """An empty project with its stack."""
    folder.mkdir()
    runtime = f"{{name: python, options: {{toolchain: pip, virtualenv: {VENV}}}}}"
    (folder / "Pulumi.yaml").write_text(f"name: attacks\nruntime: {runtime}\n")
    settings = {"aws:region": "us-east-1", "gcp:project": "attacks-1"}
    (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": settings}))
    (folder / "__main__.py").write_text(PROGRAM)
    made = Project(folder, env)
    done = made.pulumi("stack", "init")
    assert done.returncode == 0, done.stderr
    return made
