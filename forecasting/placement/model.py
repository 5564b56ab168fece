"""The placement of all apps as a mixed-integer program, solved by HiGHS.

One binary for each option of each app, one for each shared cluster. Rows: each app takes one option; promises of each
app (users within reach, residency, places, a budget, staying where it must); a cluster stands where an app needs it;
quotas and the portfolio's budget over all apps. Each row but the first kind may be softened: its slack says by how much
the promises clash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from forecasting.placement.highs import milp
from forecasting.placement.options import Option, options, within
from forecasting.placement.problem import AppTerms, Problem, regions_of
from forecasting.placement.tables import Array

PROMISED_SHARE = 0.95
"""Of an app's requests within reach: the SLO is one of the 95th percentile."""
TOLERANCE = 1e-6
Kind = Literal["latency", "residency", "places", "stays", "app budget", "quota", "budget"]
GIVES_WAY: Mapping[Kind, float] = {
    "residency": 100.0, "stays": 10.0, "places": 10.0, "latency": 1.0, "quota": 1.0, "app budget": 1.0, "budget": 1.0,
}  # fmt: skip
"""How hard a promise is to break, for one part in one of what it promises; law goes before money."""


@dataclass(frozen=True)
class Limit:
    """One promise as a row: sum of `of` over what is chosen <= `most`."""

    kind: Kind
    app: str
    """'' for what the apps share."""
    place: tuple[str, str]
    """(location, GPU) of a quota."""
    most: float


@dataclass(frozen=True)
class Program:
    """Minimise `usd + moving` over x >= 0, one option an app; `of` [limit, variable] <= `most`."""

    problem: Problem
    options: tuple[Option, ...]
    first: Mapping[str, slice]
    """Which options are an app's."""
    regions: tuple[str, ...]
    """Of the shared clusters, whose variables follow those of the options."""
    usd: Array
    moving: Array
    """What an option must save before it is taken."""
    limits: tuple[Limit, ...]
    of: csr_array
    needs: csr_array
    """[app and region, variable] <= 0: no app without its cluster."""
    one: csr_array
    """[app, variable] = 1."""

    @property
    def most(self) -> Array:
        return np.array([limit.most for limit in self.limits])

    @property
    def shared(self) -> list[int]:
        """The limits over all apps together."""
        return [index for index, limit in enumerate(self.limits) if not limit.app]


@dataclass(frozen=True)
class Solution:
    """What HiGHS found."""

    x: Array
    usd: float
    """A month, without what moving is charged."""
    excess: Array
    """[limit] by how much each is broken."""
    prices: Array
    """[limit] USD a month that one more of the limit saves, >= 0; empty for whole choices."""


def program(problem: Problem) -> Program:
    """All options of all apps, and the rows that hold them together."""
    by_app = {terms.name: options(terms) for terms in problem.apps}
    ways = tuple(option for found in by_app.values() for option in found)
    ends = np.cumsum([len(found) for found in by_app.values()])
    first = {
        name: slice(int(end) - len(found), int(end))
        for (name, found), end in zip(by_app.items(), ends, strict=True)
    }
    terms = {one.name: one for one in problem.apps}
    regions = tuple(
        sorted(
            {
                r
                for way in ways
                if terms[way.app].shares_cluster
                for r in regions_of(way.choice.locations)
            }
        )
    )
    clusters = [0.0 if r in problem.open_anyway else problem.cluster_usd[r] for r in regions]
    threshold = {name: _threshold(by_app[name][0], problem) for name in by_app}
    columns = len(ways) + len(regions)
    limits, cells = _limits(problem, ways, first)
    if problem.budget_usd is not None:
        limits.append(Limit("budget", "", ("", ""), problem.budget_usd))
        cells += [(len(limits) - 1, j, way.usd) for j, way in enumerate(ways)]
        cells += [(len(limits) - 1, len(ways) + j, usd) for j, usd in enumerate(clusters)]
    needs = _needs(ways, terms, regions)
    return Program(
        problem=problem,
        options=ways,
        first=first,
        regions=regions,
        usd=np.array([*(way.usd for way in ways), *clusters]),
        moving=np.array([*(threshold[way.app] * way.moved for way in ways), *(0.0 for _ in regions)]),
        limits=tuple(limits),
        of=_matrix(cells, len(limits), columns),
        needs=_matrix(needs, 1 + max((row for row, _, _ in needs), default=-1), columns),
        one=_matrix(
            [(i, j, 1.0) for i, some in enumerate(first.values()) for j in range(some.start, some.stop)],
            len(first), columns,
        ),
    )  # fmt: skip


def _threshold(now: Option, problem: Problem) -> float:
    limits = problem.limits
    return max(limits.min_move_share * now.usd, limits.min_move_usd)


Cell = tuple[int, int, float]


def _limits(
    problem: Problem, ways: Sequence[Option], first: Mapping[str, slice]
) -> tuple[list[Limit], list[Cell]]:
    limits: list[Limit] = []
    cells: list[Cell] = []
    for terms in problem.apps:
        for kind, most in _promises(terms):
            some = first[terms.name]
            amounts = (_amount(kind, way) for way in ways[some])
            cells += [(len(limits), some.start + j, amount) for j, amount in enumerate(amounts)]
            limits.append(Limit(kind, terms.name, ("", ""), most))
    rows = {place: len(limits) + i for i, place in enumerate(problem.quotas)}
    limits += [Limit("quota", "", place, float(most)) for place, most in problem.quotas.items()]
    for j, way in enumerate(ways):
        for place, gpus in zip(way.choice.locations, way.gpus, strict=True):
            if (row := rows.get((place, way.choice.gpu))) is not None:
                cells.append((row, j, float(gpus)))
    return limits, cells


def _promises(terms: AppTerms) -> list[tuple[Kind, float]]:
    found: list[tuple[Kind, float]] = [
        ("latency", -PROMISED_SHARE),
        ("residency", 0.0),
        ("app budget", terms.budget_usd),
    ]
    if terms.min_locations > 1:
        found.append(("places", -float(terms.min_locations)))
    if terms.stays:
        found.append(("stays", 0.0))
    return found


def _amount(kind: Kind, way: Option) -> float:
    """What an option adds to a promise that must not be exceeded."""
    match kind:
        case "latency":
            return -way.within
        case "residency":
            return float(way.barred)
        case "places":
            return -float(len(way.choice.locations))
        case "stays":
            return float(way.moved)
    return way.usd


def _needs(
    ways: Sequence[Option], terms: Mapping[str, AppTerms], regions: Sequence[str]
) -> list[Cell]:
    """For each app and region: the options there, less the cluster."""
    rows: dict[tuple[str, str], int] = {}
    cells: list[Cell] = []
    for j, way in enumerate(ways):
        if not terms[way.app].shares_cluster:
            continue
        for region in regions_of(way.choice.locations):
            if (way.app, region) not in rows:
                rows[way.app, region] = len(rows)
                cells.append((rows[way.app, region], len(ways) + regions.index(region), -1.0))
            cells.append((rows[way.app, region], j, 1.0))
    return cells


def _matrix(cells: Sequence[Cell], rows: int, columns: int) -> csr_array:
    i, j, value = (list(part) for part in zip(*cells, strict=True)) if cells else ([], [], [])
    return coo_array((np.array(value, float), (i, j)), shape=(rows, columns)).tocsr()


def with_limit(program: Program, index: int, most: float) -> Program:
    """The same with another limit, infinity for none."""
    limits = list(program.limits)
    limits[index] = replace(limits[index], most=most)
    return replace(program, limits=tuple(limits))


def given_way(program: Program, excess: Array) -> Program:
    """The same with each limit as far out as it is broken."""
    pairs = zip(program.limits, excess, strict=True)
    limits = tuple(replace(limit, most=limit.most + float(by)) for limit, by in pairs)
    return replace(program, limits=limits)


def with_reach(program: Program, index: int, ms: float) -> Program:
    """The same with another network's part for the app of a latency limit."""
    name = program.limits[index].app
    terms = next(one for one in program.problem.apps if one.name == name)
    some = program.first[name]
    more = [
        (index, some.start + j, way.within - within(terms, way.choice, way.served, ms))
        for j, way in enumerate(program.options[some])
    ]
    return replace(program, of=(program.of + _matrix(more, *program.of.shape)).tocsr())


def solve(program: Program, *, moving: bool = True) -> Solution | None:
    """The cheapest placement that keeps every promise; None where there is none.

    Args:
        program: from `program`.
        moving: whether a move must be worth it, as `limits.min_move_share` and `min_move_usd` say.
    """
    cost = program.usd + program.moving * moving
    shared = [index for index in program.shared if np.isfinite(program.limits[index].most)]
    worth = candidates(program, moving=moving)
    # Tolerances are absolute: in parts of the limit a millionth of a choice is no GPU.
    scale = 1 / np.maximum(np.abs(program.most[shared]), 1.0)
    found = milp(
        cost[worth],
        integrality=np.ones(len(worth)),
        bounds=Bounds(0.0, 1.0),
        constraints=_rows(
            (program.one[:, worth], 1.0, 1.0),
            (program.needs[:, worth], -np.inf, 0.0),
            (scale[:, None] * program.of[shared][:, worth], -np.inf, scale * program.most[shared]),
        ),
    )
    if found.x is None:
        return None
    x = np.zeros(len(cost))
    x[worth] = found.x.round()
    return _solution(program, x)


def candidates(program: Program, *, moving: bool = True) -> NDArray[np.intp]:
    """The variables that matter: clusters, and options that keep their app's own promises and that no other beats.

    Options are taken whole, so one that breaks a promise by itself is none. One is beaten by another that costs no
    more and takes no more of anything shared: of a quota, a budget, a cluster.
    """
    cost = program.usd + program.moving * moving
    keeps = np.ones(len(program.options), bool)
    for index, limit in enumerate(program.limits):
        if limit.app:
            some = program.first[limit.app]
            keeps[some] &= program.of[[index]].toarray()[0, some] <= limit.most + TOLERANCE
    taken = vstack([program.of[program.shared], program.needs]).tocsc()
    found: list[int] = []
    for some in program.first.values():
        able = some.start + np.flatnonzero(keeps[some])
        able = able[np.argsort(cost[able], kind="stable")]
        of_app = taken[:, able].toarray()
        best: list[int] = []
        for j in range(len(able)):
            if not (of_app[:, best] <= of_app[:, [j]]).all(0).any():
                best.append(j)
        found += sorted(able[best].tolist())
    return np.array([*found, *range(len(program.options), len(cost))], dtype=np.intp)


def _rows(*rows: tuple[Any, Any, Any]) -> list[LinearConstraint]:
    """Those with anything in them, which is all that HiGHS takes."""
    return [LinearConstraint(of, low, high) for of, low, high in rows if of.shape[0]]


def soften(program: Program) -> Solution:
    """The placement that breaks the promises least, by `GIVES_WAY`, and the cheapest of those."""
    count = len(program.usd)
    rows = len(program.limits)
    scale = np.array([max(abs(limit.most), 1.0) for limit in program.limits])
    weight = np.array([GIVES_WAY[limit.kind] for limit in program.limits]) / scale
    zeros = csr_array((program.one.shape[0], rows)), csr_array((program.needs.shape[0], rows))
    constraints = _rows(
        (hstack([program.one, zeros[0]]), 1.0, 1.0),
        (hstack([program.needs, zeros[1]]), -np.inf, 0.0),
        (hstack([program.of, -eye_array(rows)]), -np.inf, program.most),
    )
    whole = np.concatenate([np.ones(count), np.zeros(rows)])
    bounds = Bounds(0.0, np.concatenate([np.ones(count), np.full(rows, np.inf)]))
    broken = np.concatenate([np.zeros(count), weight])
    least = milp(broken, integrality=whole, bounds=bounds, constraints=constraints)
    cap = LinearConstraint(broken[None, :], -np.inf, least.fun * (1 + 1e-6) + TOLERANCE)
    cost = np.concatenate([program.usd + program.moving, np.zeros(rows)])
    cheapest = milp(cost, integrality=whole, bounds=bounds, constraints=[*constraints, cap])
    return _solution(program, (least if cheapest.x is None else cheapest).x[:count].round())


def relax(program: Program) -> Solution | None:
    """The same with parts of options allowed: its duals are what one more of each limit saves."""
    upper = vstack([program.needs, program.of]).tocsr()
    finite = np.concatenate([np.full(program.needs.shape[0], True), np.isfinite(program.most)])
    bound = np.concatenate([np.zeros(program.needs.shape[0]), program.most])
    found = linprog(
        program.usd,
        A_ub=upper[finite],
        b_ub=bound[finite],
        A_eq=program.one,
        b_eq=np.ones(program.one.shape[0]),
        bounds=(0.0, 1.0),
        method="highs",
    )
    if found.x is None:
        return None
    prices = np.zeros(len(finite))
    prices[finite] = -found.ineqlin.marginals
    return replace(
        _solution(program, found.x), prices=np.maximum(prices[program.needs.shape[0] :], 0.0)
    )


def _solution(program: Program, x: Array) -> Solution:
    excess = np.maximum(program.of @ x - program.most, 0.0)
    excess[excess < TOLERANCE] = 0.0
    return Solution(x, float(program.usd @ x), excess, np.empty(0))
