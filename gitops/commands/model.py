"""`fairweather model`: the registry in `models/`, asked from a terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, date, datetime
from pathlib import Path

from gitops import show as terminal
from gitops.errors import Refusal
from gitops.options.models import MODEL_FACTS
from governance import registry
from stacks.errors import shown

PERSONAL = {"personal": True, "not-personal": False}


def show(options: Namespace) -> None:
    """Print what one version is, by default the newest."""
    root = registry_of(options)
    print(registry.card(root, registry.load(root, options.name, options.version), today()))


def add(options: Namespace) -> None:
    """Draft a version and show its file; write it if asked and nothing is wrong with it."""
    from governance import adding

    root = registry_of(options)
    facts = {key: getattr(options, key) for key in (*MODEL_FACTS, "sensitive_domain")}
    facts["datasets"] = [dataset(text) for text in options.dataset] if options.dataset else None
    made = adding.draft(
        root, options.name, options.version, facts,
        evidence=dict(kind_and_file(text) for text in options.evidence),
        weights=options.weights, after=options.after, day=today(),
    )  # fmt: skip
    print(made.text, end="")
    for problem in made.problems:
        print(f"problem: {problem}", file=sys.stderr)
    if not options.write:
        print("\nnothing written; --write puts it in the registry", file=sys.stderr)
        return
    if made.problems:
        raise Refusal("nothing written: mend the problems above first")
    print(f"\n{shown(adding.write(root, made))} written", file=sys.stderr)


def dataset(text: str) -> dict[str, str | bool]:
    """`NAME,LICENCE,personal|not-personal`."""
    parts = text.split(",")
    if len(parts) != 3 or parts[2] not in PERSONAL:
        raise Refusal(f"--dataset {text}: give NAME,LICENCE,personal or NAME,LICENCE,not-personal")
    return {"name": parts[0], "licence": parts[1], "personal_data": PERSONAL[parts[2]]}


def kind_and_file(text: str) -> tuple[str, Path]:
    kind, equals, file = text.partition("=")
    if not equals or not file:
        raise Refusal(f"--evidence {text}: give KIND=FILE, such as fairness=build/fairness.json")
    return kind, Path(file)


def export(options: Namespace) -> None:
    """Print or write the bill of materials or the model card of one version."""
    from governance import bom

    root = registry_of(options)
    model = registry.load(root, options.name, options.version)
    text = (bom.as_json if options.format == "cyclonedx" else bom.card)(root, model)
    if options.output is None:
        print(text, end="")
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(f"{shown(options.output)} written", file=sys.stderr)


def diff(options: Namespace) -> None:
    """Print what differs between two versions."""
    root = registry_of(options)
    before, after = (registry.load(root, options.name, v) for v in (options.before, options.after))
    found = registry.changes(root, before, after)
    if not found:
        print(f"{options.name} {options.before} and {options.after} say the same")
        return
    lines = []
    for change in found:
        told = (("-", change.before), ("+", change.after))
        lines += [f"{sign} {change.key}: {value}" for sign, value in told if value is not None]
    terminal.diff("\n".join(lines))


def verify(options: Namespace) -> None:
    """Say that all evidence holds; Refusal with a line a problem where it does not."""
    root = registry_of(options)
    names = [options.name] if options.name else registry.models(root)
    problems = list(registry.registry_problems(root, names, today()))
    if problems:
        raise Refusal("\n".join(problems))
    count = sum(len(registry.versions(root, name)) for name in names)
    print(f"verified: {counted(count, 'version')} of {counted(len(names), 'model')}")


def rollback_target(options: Namespace) -> None:
    """Print the version alone, for scripts; what was passed over goes to standard error."""
    target = registry.rollback_target(registry_of(options), options.name, options.version, today())
    for line in target.passed_over:
        print(f"passed over: {line}", file=sys.stderr)
    print(target.version)


def registry_of(options: Namespace) -> Path:
    root: Path = options.root
    return root / "models"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def today() -> date:
    """The day by which evidence expires, UTC, as in the gate."""
    return datetime.now(UTC).date()
