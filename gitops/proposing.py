"""`fairweather propose`: a plan as a commit on a branch, with its evidence, and its pull request.

The commit is made in a work tree of its own, on top of the base branch: what the user has checked
out, and has not committed, stays as it is. The branch is the planner's own, and each proposal
replaces the one before; what people put on it is never overwritten.
"""

from __future__ import annotations

import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitops import evidence, planning, reverts
from gitops.checkout import stack_path
from gitops.crew import crew
from gitops.errors import Refusal
from gitops.forge import Forge
from gitops.git import by_others, commit, fetch, git, message, tip
from gitops.planning import Planned

if TYPE_CHECKING:
    from forecasting.parallel import Workers

BRANCH = "fairweather/{stack}"
FOOT = """
Merge to deploy, close to leave things as they are. The planner leaves an app alone while the app has a `hold`,
and for {days} days after a person reverts one of its commits.
"""


@dataclass(frozen=True)
class Proposal:
    """A commit on a branch, or, where nothing is to change, none."""

    planned: Planned
    branch: str
    commit: str | None


def propose(options: Namespace) -> int:
    """Plan on top of the base branch and commit; with `--push` also open the pull request."""
    return pushed(options) if options.push else local(options)


def local(options: Namespace) -> int:
    """A commit on the branch here, for a person to look at and push."""
    with crew(options.workers) as workers:
        made = make(
            options.root,
            options.stack,
            options.base,
            demand=options.demand,
            at=options.at,
            prices=options.prices,
            workers=workers,
        )
    tell(made)
    if made.commit is not None:
        print(f"not pushed; `git push {options.remote} {made.branch}`, or propose with --push")
    return 0


def pushed(options: Namespace) -> int:
    """The branch and its one pull request at the remote: made, brought up to date, or closed."""
    root, remote, branch = options.root, options.remote, BRANCH.format(stack=options.stack)
    refuse_shallow(root)
    base, before = fetch(root, remote, options.base), tip(root, branch, remote)
    forge = Forge.from_environment()
    known = forge.latest(branch, options.base) if forge else None
    if known is None or known.state != "merged" or known.commit != before:
        refuse_others_work(root, base, branch, before)
    with crew(options.workers) as workers:
        made = committed(
            root,
            options.stack,
            base,
            demand=options.demand,
            at=options.at,
            prices=options.prices,
            workers=workers,
        )
    tell(made)
    if made.commit is None:
        if forge and known and known.state == "open":
            forge.close(known.number)
            print(f"{known.url} closed: what it proposes is no longer asked for")
        return 0
    if before is not None and says_the_same(root, base, before, made):
        if known and known.commit == before and known.state != "merged":
            print(f"{known.url} proposes just this, and is {known.state}")
            return 0
    else:
        push(root, remote, made, before)
    if forge is None:
        print(f"{branch} pushed; no pull request: GITHUB_REPOSITORY and GITHUB_TOKEN are not set")
        return 0
    text = evidence.markdown(made.planned) + FOOT.format(days=reverts.HOLD_DAYS)
    opened = forge.open_or_update(branch, options.base, evidence.subject(made.planned), text)
    print(opened.url)
    if options.preview:
        forge.start(options.preview, branch, {"pull_request": str(opened.number)})
    return 0


def make(
    root: Path,
    stack: str,
    base: str,
    *,
    demand: str | None = None,
    at: str | None = None,
    prices: Path | None = None,
    workers: Workers | None = None,
) -> Proposal:
    """Plan `stack` as it stands on `base` and commit the new capacity on its branch here."""
    branch = BRANCH.format(stack=stack)
    refuse_others_work(root, base, branch, tip(root, branch))
    made = committed(root, stack, base, demand=demand, at=at, prices=prices, workers=workers)
    if made.commit is not None:
        git(root, "branch", "--force", branch, made.commit)
    return made


def committed(
    root: Path,
    stack: str,
    base: str,
    *,
    demand: str | None = None,
    at: str | None = None,
    prices: Path | None = None,
    workers: Workers | None = None,
) -> Proposal:
    """The plan as a commit on top of `base` that no branch knows yet."""
    moment = planning.moment(at)
    with work_tree(root, base) as tree:
        now = moment or datetime.now(UTC)
        holds = reverts.on_branch(root, base, stack_path(stack), now)
        # Telemetry that is a file lies in the user's checkout, and need not be in Git.
        planned = planning.make(
            tree,
            stack,
            demand=demand,
            at=moment,
            prices=prices,
            data=root,
            holds=holds,
            workers=workers,
        )
        made = None
        if planned.diff:
            planned.write()
            made = commit(tree, [planned.file], commit_message(planned))
    return Proposal(planned, BRANCH.format(stack=stack), made)


def commit_message(planned: Planned) -> str:
    return message(evidence.subject(planned), evidence.body(planned), evidence.trailers(planned))


def tell(made: Proposal) -> None:
    """What was committed, and which apps people hold back."""
    for service in made.planned.plan.services:
        if service.status == "held":
            print(f"{service.app} {service.location}: {service.reason}")
    if made.commit is None:
        name = made.planned.name
        print(f"{name}: the stack file is what would be planned; nothing to propose")
    else:
        print(f"{made.branch}: {made.commit[:12]} {evidence.subject(made.planned)}")


def refuse_others_work(root: Path, base: str, branch: str, at: str | None) -> None:
    """Raise Refusal where people's commits would be lost with the branch."""
    theirs = by_others(root, base, at) if at else []
    if theirs:
        what = f"{branch} holds commit {theirs[0]}, which is not the planner's"
        raise Refusal(f"{what}; merge it, or delete the branch, and propose again")


def refuse_shallow(root: Path) -> None:
    """Raise Refusal where history is cut off: reverts and people's commits would go unseen."""
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise Refusal(
            f"{root} is a shallow clone, which hides reverts; run `git fetch --unshallow`, "
            "or check out with `fetch-depth: 0`"
        )


def says_the_same(root: Path, base: str, before: str, made: Proposal) -> bool:
    """Whether the branch already asks for these numbers, on a base with the same stack file."""
    file = stack_path(made.planned.name).as_posix()
    fork = git(root, "merge-base", base, before)

    def content(commit_id: str | None) -> str:
        return git(root, "ls-tree", str(commit_id), "--", file)

    return content(before) == content(made.commit) and content(fork) == content(base)


def push(root: Path, remote: str, made: Proposal, before: str | None) -> None:
    """Put the commit on its branch at the remote, unless somebody moved that meanwhile."""
    head = f"refs/heads/{made.branch}"
    lease = f"--force-with-lease={head}:{before or ''}"
    git(root, "push", "--quiet", lease, remote, f"{made.commit}:{head}")


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
