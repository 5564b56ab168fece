"""The same pieces of work in this process, in several, or on a cluster, with the same results.

Work is cut by what it is about, never by who does it, and each piece runs with one thread for linear
algebra: how many workers there are decides when a result comes, not what it is. A worker that is lost
costs time only: its piece is done again elsewhere.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import pkgutil
import platform
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Item = TypeVar("Item")
Result = TypeVar("Result")
Told = Callable[[str, int, int], None]
"""(what, done, of how many): progress."""

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("forecasting", "stacks")
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn")
GIVEN = 2
"""Pieces handed over for each worker: none waits for work, and few are in memory."""
MOST_LOSSES = 3
"""How often one map may lose its local workers, and one piece its Dask worker."""
CONNECT_SECONDS = 10


class WorkersError(RuntimeError):
    """Workers that cannot be reached or used: one line that says what to do."""


class Workers(Protocol):
    """Where pieces of work are done."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, what: str, total: int
    ) -> list[Result]:
        """`function` of each of `total` items, in their order.

        `function` stands in a module (or is a `partial` of one that does), so that other processes
        find it. Items are drawn when their turn comes.
        """
        ...


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Here:
    """In this process, one after the other."""

    told: Told = silent

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, what: str, total: int
    ) -> list[Result]:
        results: list[Result] = []
        self.told(what, 0, total)
        with threadpool_limits(1):
            for item in items:
                results.append(function(item))
                self.told(what, len(results), total)
        return results


class On:
    """On an executor of `concurrent.futures`; one that breaks is made again.

    Args:
        made: gives the executor. One for Ray or another cluster goes in here as well.
        count: its workers.
        told: is told of progress.
        same_as: `built()` of the caller, where the workers may run other code than that.
    """

    def __init__(
        self,
        made: Callable[[], Executor],
        count: int,
        told: Told = silent,
        same_as: tuple[str, ...] | None = None,
    ) -> None:
        self._made, self._count, self._told, self._same_as = made, count, told, same_as
        self._executor = made()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, what: str, total: int
    ) -> list[Result]:
        """As `Workers.map`.

        Raises:
            WorkersError: workers are lost again and again, or run other code.
        """
        work = partial(_worked, function, self._same_as)
        results: dict[int, Result] = {}
        given: dict[Future[Any], tuple[int, Item]] = {}
        coming, again = enumerate(items), list[tuple[int, Item]]()
        losses = 0
        self._told(what, 0, total)
        while len(results) < total:
            try:
                while len(given) < GIVEN * self._count:
                    if not again and (piece := next(coming, None)) is not None:
                        again.append(piece)
                    if not again:
                        break
                    future = self._executor.submit(work, again[-1][1])
                    given[future] = again.pop()
                for done in wait(given, return_when=FIRST_COMPLETED).done:
                    results[given[done][0]] = done.result()
                    del given[done]
                    self._told(what, len(results), total)
            except BrokenExecutor as broken:
                losses += 1
                if losses > MOST_LOSSES:
                    raise WorkersError(
                        f"{what}: workers were lost {losses} times; with too little memory for "
                        f"{self._count}, take fewer"
                    ) from broken
                again.extend(given.values())
                given.clear()
                self.close()
                self._executor = self._made()
        return [results[i] for i in range(total)]

    def close(self) -> None:
        """Let the workers go."""
        self._executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def workers(where: int | str, told: Told = silent) -> Iterator[Workers]:
    """Workers for the length of a `with`: as many processes here, or those of a Dask scheduler.

    Raises:
        WorkersError: no scheduler answers, or it has no workers.
    """
    if where == 1:
        yield Here(told)
    elif isinstance(where, int):
        spawn = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
        on = On(partial(ProcessPoolExecutor, where, spawn), where, told)
        try:
            yield on
        finally:
            on.close()
    else:
        with _dask(where, told) as on:
            yield on


@contextmanager
def _dask(address: str, told: Told) -> Iterator[On]:
    import dask
    from distributed import Client
    from distributed.scheduler import KilledWorker

    settings = {
        # A piece carries its own telemetry: data scattered beforehand would die with its worker.
        "distributed.admin.large-graph-warning-threshold": "1GiB",
        "distributed.scheduler.allowed-failures": MOST_LOSSES,
    }
    with dask.config.set(settings):
        _reach(address)
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
        with client:
            count = sum(client.nthreads().values())  # type: ignore[no-untyped-call]
            if not count:
                raise WorkersError(
                    f"{address}: the scheduler has no workers; start some in a checkout: "
                    f"PYTHONPATH=. .venv/bin/dask worker {address}"
                )
            try:
                # A worker that cannot import a piece would be asked for it for ever.
                client.run(pkgutil.resolve_name, f"{__name__}:GIVEN")
                yield On(partial(client.get_executor, pure=False), count, told, built())
            except KilledWorker as killed:
                raise WorkersError(f"{address}: {killed}") from killed
            except (ModuleNotFoundError, RuntimeError) as error:
                if isinstance(error, WorkersError) or not _unknown_code(error):
                    raise
                raise WorkersError(
                    f"{address}: scheduler and workers need this code; start each in a checkout, "
                    "with PYTHONPATH=. in front of .venv/bin/dask scheduler and worker"
                ) from error
            except CancelledError as gone:
                raise WorkersError(f"{address}: the Dask scheduler went away; run again") from gone


def _unknown_code(error: Exception) -> bool:
    """Whether a process of the cluster could not import what it was to run."""
    return isinstance(error, ModuleNotFoundError) or "deserialization" in str(error)


def _reach(address: str) -> None:
    """Quicker, and clearer where it fails, than the client's own attempts."""
    try:
        place = urlsplit(address)
        socket.create_connection((place.hostname, place.port or 0), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"{address}: no Dask scheduler answers there ({error}); start one in a checkout: "
            "PYTHONPATH=. .venv/bin/dask scheduler"
        ) from error


def _worked(
    function: Callable[[Item], Result], same_as: tuple[str, ...] | None, item: Item
) -> Result:
    """In a worker: the piece, with one thread, unless the code is not the caller's."""
    if same_as is not None and built() != same_as:
        others = ", ".join(f"{b}, not {a}" for a, b in zip(same_as, built(), strict=True) if a != b)
        raise WorkersError(
            f"a worker on {platform.node()} runs {others}: results would differ; bring it up to date"
        )
    threadpool_limits(1)
    return function(item)


@cache
def built() -> tuple[str, ...]:
    """What results depend on besides the data: sources, Python, libraries."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    libraries = (f"{name} {version(name)}" for name in LIBRARIES)
    python = f"Python {platform.python_version()}"
    return f"sources {digest.hexdigest()[:12]}", python, *libraries
