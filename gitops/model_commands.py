"""`fairweather model show | diff | verify | rollback-target`: the registry in `models/`, asked from a terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, date, datetime
from pathlib import Path

from gitops import show as terminal
from gitops.errors import Refusal
from governance import registry


def show(options: Namespace) -> None:
    """Print what one version is, by default the newest."""
    root = registry_of(options)
    print(registry.card(root, registry.load(root, options.name, options.version), today()))


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
