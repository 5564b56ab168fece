"""Who works on a plan, as `--workers` names them, with progress for whoever watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from forecasting.parallel import Told, Workers

LONG = 20
"""Pieces of work that are worth a line where nobody watches."""


@contextmanager
def crew(where: int | str) -> Iterator[Workers]:
    """So many processes on this machine, or the workers of a Dask scheduler.

    Raises:
        WorkersError: no scheduler answers, or it has no workers.
    """
    from forecasting.parallel import workers

    with progress() as told, workers(where, told) as found:
        yield found


@contextmanager
def progress() -> Iterator[Told]:
    """A bar on standard error where a person looks, and one line a stage of long work elsewhere."""
    if not sys.stderr.isatty():
        yield announced
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with bar:
        stage = bar.add_task("reading telemetry", total=None)
        yield lambda what, done, total: bar.update(
            stage, description=what, completed=done, total=total
        )


def announced(what: str, done: int, total: int) -> None:
    """A line as a long stage begins."""
    if done == 0 and total >= LONG:
        print(f"{what}: {total} pieces of work", file=sys.stderr, flush=True)
