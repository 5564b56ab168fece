"""`fairweather propose`: a plan as a commit on a branch, with its evidence, and its pull request.

The commit is made in a work tree of its own, on top of the base branch: what the user has checked
out, and has not committed, stays as it is.
"""

from __future__ import annotations

import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops import evidence, planning
from gitops.forge import Forge
from gitops.git import commit, git, message
from gitops.planning import Planned

BRANCH = "fairweather/{stack}"


@dataclass(frozen=True)
class Proposal:
    """A commit on a branch, or, where nothing is to change, none."""

    planned: Planned
    branch: str
    commit: str | None


def propose(options: Namespace) -> int:
    """Plan on top of the base branch and commit; with `--push` also open the pull request."""
    base = options.base
    if options.push:
        git(options.root, "fetch", "--quiet", options.remote, base)
        base = f"{options.remote}/{base}"
    made = make(
        options.root,
        options.stack,
        base,
        demand=options.demand,
        at=options.at,
        prices=options.prices,
    )
    if made.commit is None:
        print(f"{options.stack}: the stack file is what would be planned; nothing to propose")
        return 0
    print(f"{made.branch}: {made.commit[:12]} {evidence.subject(made.planned)}")
    if not options.push:
        print(f"not pushed; `git push {options.remote} {made.branch}`, or propose with --push")
        return 0
    # The branch is the planner's own: each proposal replaces the one before.
    git(options.root, "push", "--quiet", "--force", options.remote, f"{made.branch}:{made.branch}")
    forge = Forge.from_environment()
    if forge is None:
        print(
            f"{made.branch} pushed; no pull request: GITHUB_REPOSITORY and GITHUB_TOKEN are not set"
        )
        return 0
    title, text = evidence.subject(made.planned), evidence.markdown(made.planned)
    print(forge.open_or_update(made.branch, options.base, title, text))
    return 0


def make(
    root: Path,
    stack: str,
    base: str,
    *,
    demand: str | None = None,
    at: str | None = None,
    prices: Path | None = None,
) -> Proposal:
    """Plan `stack` as it stands on `base` and commit the new capacity on its branch."""
    branch = BRANCH.format(stack=stack)
    with work_tree(root, base) as tree:
        planned = planning.make(tree, stack, demand=demand, at=planning.moment(at), prices=prices)
        if not planned.diff:
            return Proposal(planned, branch, None)
        planned.write()
        made = commit(tree, [planned.file], commit_message(planned))
        git(tree, "branch", "--force", branch, made)
    return Proposal(planned, branch, made)


def commit_message(planned: Planned) -> str:
    return message(evidence.subject(planned), evidence.body(planned), evidence.trailers(planned))


@contextmanager
def work_tree(root: Path, base: str) -> Iterator[Path]:
    """A checkout of `base` of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fairweather-"))
    tree = folder / "tree"
    try:
        git(root, "worktree", "add", "--quiet", "--detach", str(tree), base)
        yield tree
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        git(root, "worktree", "prune")
