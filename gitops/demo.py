"""`fairweather demo`: the whole loop on this machine, told step by step.

Works in a throw-away clone with embedded clouds, a Pulumi home and a file backend of its own: the
user's checkout, home, login and credentials are neither read nor changed.
"""

from __future__ import annotations

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import stacks
from gitops import bad_changes, demo_around, engine, proposing, readback, show
from gitops.checkout import stack_file
from gitops.engine import Engine
from gitops.git import git, is_dirty
from gitops.pages import plan as report
from gitops.planning import Planned
from gitops.proposing import Proposal
from sandbox import lifecycle
from tools.locate import locate

DIFF_LINES = 34
SEED = 7
SYNTHETIC_END = datetime(2026, 11, 23, tzinfo=UTC)
"""Demand is made up to here, so that two demos say the same."""


def demo(options: Namespace) -> int:
    """Run the loop once; 0 when everything went as it should."""
    started = time.monotonic()
    engine.forget_the_users_clouds()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="fairweather-demo-"))).absolute()
    clone = cloned(options.root, folder)
    show.console.print(f"[dim]working in {folder}; nothing of yours is touched[/dim]")
    home = folder / "sandbox"
    with embedded_clouds(home, keep=options.keep):
        proposal = propose(options, folder, clone)
        merge(clone, proposal)
        deployed = deploy(clone, options.stack)
        if deployed:
            look(clone, options.stack, home)
            stopped = refuse(clone, options.stack)
    show.heading(9, "Around the loop: capacity measured, incidents, money, places, evidence")
    demo_around.show_around(clone, options.stack, SYNTHETIC_END, folder)
    write_report(folder, proposal.planned)
    took = time.monotonic() - started
    show.heading(10, "The pages")
    for page in sorted(folder.glob("*.html")):
        show.console.print(str(page), markup=False, soft_wrap=True)
    show.console.print("[dim]they open offline, in any browser; report.html is the plan's[/dim]")
    show.console.print(f"\nThe whole loop took {took:.0f} s. Everything of it is in {folder}")
    if options.keep:
        show.console.print(
            f"The embedded clouds still run; `fairweather sandbox stop --home {home}`"
        )
    return 0 if deployed and stopped else 1


def cloned(root: Path, folder: Path) -> Path:
    """A clone of the last commit, without a way back: nothing can be pushed from it."""
    clone = folder / "checkout"
    folder.mkdir(parents=True, exist_ok=True)
    git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(clone))
    git(clone, "remote", "remove", "origin")
    git(clone, "checkout", "--quiet", "-B", "main")
    # The engine looks for the virtual environment that Pulumi.yaml names.
    (clone / ".venv").symlink_to(root / ".venv")
    if is_dirty(root):
        show.console.print("[yellow]your uncommitted changes are not part of this demo[/yellow]")
    return clone


@contextmanager
def embedded_clouds(home: Path, *, keep: bool) -> Iterator[None]:
    """The sandbox; it ends with the block and, should this process be killed, with the process."""
    before = time.monotonic()
    owner = None if keep else os.getpid()
    quiet = lambda _: None  # noqa: E731  (one line of our own says it all)
    lifecycle.start(home, locate().kubernetes_binaries, progress=quiet, owner=owner)
    seconds = time.monotonic() - before
    show.console.print(
        f"[dim]embedded clouds are up after {seconds:.1f} s: AWS by moto, a real API server for each "
        "cluster, a recording Google Cloud[/dim]"
    )
    try:
        os.environ.update(engine.environment(home))
        yield
    finally:
        if not keep:
            lifecycle.stop(home)


def propose(options: Namespace, folder: Path, clone: Path) -> Proposal:
    """Steps 1 to 3: from telemetry to the diff; the commit is made, and told by `merge`."""
    file = stack_file(clone, options.stack)
    stack = stacks.load(file)
    portfolio = stack.portfolio
    show.heading(1, "The portfolio and its telemetry")
    regions = ", ".join(stack.regions())
    show.console.print(
        f"[bold]{portfolio.name}[/bold] ({portfolio.environment}): {len(stack.apps)} apps, "
        f"{len(stack.services())} services in {regions}; budget {show.dollars(portfolio.budget.monthly_usd)} a month"
    )
    demand = options.demand and str(Path(options.demand).absolute())
    if demand is None:
        demand = str(folder / f"demand-{options.stack}.csv.gz")
        from forecasting.telemetry import synthetic
        from forecasting.telemetry.synthetic_serving import serving_of

        frame = synthetic.generate(
            stack, days=stack.telemetry.window_days, end=SYNTHETIC_END, seed=SEED
        )
        synthetic.write(frame, Path(demand))
        serving = stack.telemetry.serving
        if serving is not None and serving.path is not None:
            synthetic.write(serving_of(stack, frame), clone / serving.path, "serving telemetry")
    with show.working("forecasting and replaying"):
        made = proposing.make(clone, options.stack, "main", demand=demand, at=options.at)
    planned = made.planned
    show.telemetry(planned.demand, stack)
    show.heading(2, "The plan: demand becomes capacity")
    show.plan(planned)
    show.heading(3, "The diff: only the numbers that the planner owns")
    show.diff(planned.diff.replace(str(planned.file), str(file.relative_to(clone))), DIFF_LINES)
    return made


def merge(clone: Path, proposal: Proposal) -> None:
    """Step 4: the commit; in real life a person merges its pull request."""
    show.heading(4, "The commit, with its evidence as trailers")
    if proposal.commit is None:
        show.console.print("the stack file is what would be planned; nothing to commit")
        return
    git(clone, "merge", "--quiet", "--ff-only", proposal.branch)
    text = git(clone, "log", "-1", "--format=%h %s%n%n%(trailers:only,unfold)")
    show.console.print(text, markup=False, soft_wrap=True)


def deploy(clone: Path, stack: str) -> bool:
    """Steps 5 and 6: the gate judges, the engine deploys."""
    selected = Engine(clone, stack, throw_away=True)
    show.heading(5, "pulumi preview, with the gate")
    with show.working("previewing"):
        preview = selected.preview()
    show.outcome(preview, "preview")
    if preview.failed:
        return False
    show.heading(6, "pulumi up")
    with show.working("deploying"):
        done = selected.up()
    show.outcome(done, "up", brief=True)
    return not done.failed


def look(clone: Path, stack: str, home: Path) -> None:
    """Step 7: not what the engine says, but what the clouds say."""
    show.heading(7, "What really exists, asked of the clouds themselves")
    contract = stacks.load(stack_file(clone, stack))
    for line in readback.lines(contract, lifecycle.clusters(home), lifecycle.recorded(home)):
        show.console.print(line)


def refuse(clone: Path, stack: str) -> bool:
    """Step 8: changes that must not pass; True when each was stopped by the rule meant."""
    show.heading(8, "Four bad changes, each stopped by the gate")
    for change in bad_changes.ALL:
        change.make(clone, stack)
    with show.working("previewing a branch with four bad changes"):
        outcome = Engine(clone, stack, throw_away=True).preview()
    git(clone, "checkout", "--quiet", "--", ".")
    git(clone, "clean", "--quiet", "-fd", "models")
    show.summary(outcome, "preview")
    stopped = [show.stopped(change.title, change.rule, outcome) for change in bad_changes.ALL]
    return all(stopped)


def write_report(folder: Path, planned: Planned) -> None:
    (folder / "report.html").write_text(report.page(planned), encoding="utf-8")
