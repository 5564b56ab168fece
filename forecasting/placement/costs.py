"""What each promise costs: the placement solved again without it, or with a little more or less of it.

A placement moves in steps, so each figure is a solution of its own, exact for the question asked. Beside it stands the
dual of the relaxation that may take parts of options: the price of a little more, where steps do not count. Moves are
free in all of them, so that a figure is of the promise and not of what happens to stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forecasting.placement.model import (
    TOLERANCE,
    Limit,
    Program,
    Solution,
    candidates,
    relax,
    solve,
    with_limit,
    with_reach,
)

STEP_MS = 50.0
"""How much tighter and looser the network's part is tried."""


@dataclass(frozen=True)
class Price:
    """What one change of one promise costs."""

    app: str
    """'' for what the apps share."""
    promise: str
    change: str
    usd: float | None
    """A month more than now, below zero a saving; None: then nothing fits."""
    dual_usd: float | None
    """A month, saved by one more `unit` in the relaxation, never below zero; None: it has no unit."""
    unit: str


def prices(program: Program) -> tuple[Price, ...]:
    """A price for each change of each promise, apps first; () where no placement keeps them all."""
    now = solve(program, moving=False) if program.options else None
    relaxed = relax(program)
    if now is None or relaxed is None:
        return ()
    found = []
    for index, limit in enumerate(program.limits):
        unit, size = _unit(limit)
        for promise, change, asked in _changes(program, index, limit):
            then = now if _same(program, asked, now) else solve(asked, moving=False)
            usd = None if then is None else round(then.usd - now.usd, 2) + 0.0
            dual = round(float(relaxed.prices[index]) * size, 4) if unit else None
            found.append(Price(limit.app, promise, change, usd, dual, unit))
    return tuple(found)


def _same(program: Program, asked: Program, now: Solution) -> bool:
    """Whether the best stays the best, as far as can be told without solving again."""
    most = zip(asked.most[asked.shared], program.most[program.shared], strict=True)
    before, after = (candidates(one, moving=False) for one in (program, asked))
    if np.array_equal(before, after) and all(new == old for new, old in most):
        return True  # nothing that could be chosen has changed
    # The best of many is the best of fewer, where it is among them.
    harder = (asked.of - program.of).min() >= -TOLERANCE and (asked.most <= program.most).all()
    return bool(harder and (asked.of @ now.x <= asked.most + TOLERANCE).all())


def _unit(limit: Limit) -> tuple[str, float]:
    match limit.kind:
        case "latency":
            return "1 % of its users", 0.01
        case "app budget" | "budget":
            return "dollar of budget", 1.0
        case "quota":
            return "GPU", 1.0
    return "", 0.0


def _changes(program: Program, index: int, limit: Limit) -> Iterator[tuple[str, str, Program]]:
    """(promise, what is changed, the program with that change)."""
    match limit.kind:
        case "latency":
            terms = next(one for one in program.problem.apps if one.name == limit.app)
            promise = f"{-limit.most:.0%} of users within {terms.network_p95_ms:g} ms"
            for step in (-STEP_MS, STEP_MS):
                if terms.network_p95_ms + step > 0:
                    change = f"{abs(step):g} ms {'tighter' if step < 0 else 'looser'}"
                    yield promise, change, with_reach(program, index, terms.network_p95_ms + step)
        case "residency":
            if any(way.barred for way in program.options[program.first[limit.app]]):
                yield "data lives where it may", "anywhere", with_limit(program, index, math.inf)
        case "app budget" | "budget":
            yield f"${limit.most:,.0f} a month", "no budget", with_limit(program, index, math.inf)
        case "places":
            fewer = with_limit(program, index, limit.most + 1)
            yield f"{-limit.most:.0f} places", "one fewer", fewer
        case "stays":
            yield "it stays where it is", "it may move", with_limit(program, index, math.inf)
        case "quota":
            location, gpu = limit.place
            more = with_limit(program, index, limit.most + 1)
            yield f"{limit.most:.0f} x {gpu} at {location}", "one more", more
