"""A person's revert of the planner's commit is a hold: what they took back is not proposed again.

The revert is told by what it does, not by its words: an app stands again exactly as it stood before
the planner's commit. `git revert`, the forge's button and a squashed pull request all count alike,
and undoing the revert ends the hold. So does a `hold` of the app's own, which always goes first:
one whose last day has passed frees the app at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from gitops.evidence import CAPACITY_SHA256
from gitops.git import GitError, git
from stacks import ContractError
from stacks.nodes import compose, find, plain
from stacks.records import Hold

HOLD_DAYS = 14
MOST_VERSIONS = 40
"""Of a stack file that are read; a revert of something older is an edit like any other."""


@dataclass(frozen=True)
class Version:
    """One state of a stack file on the base branch."""

    commit: str
    at: datetime
    ours: bool
    """Whether the planner made it."""
    capacity: Mapping[str, Any]
    """App -> what stood for it, as plain values."""


def holds(versions: Sequence[Version]) -> dict[str, Hold]:
    """The apps that stand as they do because a person undid the planner; oldest version first.

    Each hold lasts HOLD_DAYS from its revert; whether that has passed is for the reader to see.
    """
    undone: dict[str, Any] = {}
    """App -> what the planner's latest change of it replaced."""
    found: dict[str, Hold] = {}
    for before, version in pairwise(versions):
        for app in {*before.capacity, *version.capacity}:
            old, new = before.capacity.get(app), version.capacity.get(app)
            if old == new:
                continue
            found.pop(app, None)
            if version.ours:
                undone[app] = old
            elif app in undone and undone[app] == new:
                found[app] = hold(version)
    return found


def hold(revert: Version) -> Hold:
    until = (revert.at + timedelta(days=HOLD_DAYS)).date()
    return Hold(reason=f"commit {revert.commit[:7]} took the planner's change back", until=until)


def on_branch(root: Path, base: str, file: Path, now: datetime) -> dict[str, Hold]:
    """The holds by revert that count now for `file` (relative to `root`) on the branch `base`."""
    log = list(logged(root, base, file))
    recent = [entry for entry in log if entry.at > now - timedelta(days=HOLD_DAYS + 1)]
    if all(entry.ours for entry in recent):  # the usual case costs one `git log`
        return {}
    found = holds([read(root, entry, file) for entry in reversed(log)])
    return {app: held for app, held in found.items() if held.until >= now.date()}


@dataclass(frozen=True)
class Logged:
    """A commit on the base branch that touched the file; a merge stands for what it brought."""

    commit: str
    at: datetime
    ours: bool


def logged(root: Path, base: str, file: Path) -> Iterator[Logged]:
    """The latest commits on `base` itself, newest first."""
    fields = "--format=%H%x1f%P%x1f%cI%x1f%B%x1e"
    first = ("--first-parent", f"--max-count={MOST_VERSIONS}")
    for record in git(root, "log", *first, fields, base, "--", str(file)).split("\x1e"):
        if not record.strip():
            continue
        commit, parents, at, text = record.strip().split("\x1f")
        if " " in parents:
            mainline, merged = parents.split(" ", 1)
            text += git(root, "log", "--format=%B", *merged.split(), f"^{mainline}")
        yield Logged(commit, datetime.fromisoformat(at), CAPACITY_SHA256 in text)


def read(root: Path, entry: Logged, file: Path) -> Version:
    """The capacity in the file at one commit; empty where there was no such file or no YAML."""
    try:
        text = git(root, "show", f"{entry.commit}:{file.as_posix()}")
        node = find(compose(text, str(file)).root, ("config", "fairweather:capacity"))
        capacity = plain(node) if node is not None else None
    except (ContractError, GitError):
        capacity = None
    known = capacity if isinstance(capacity, dict) else {}
    return Version(entry.commit, entry.at, entry.ours, known)
