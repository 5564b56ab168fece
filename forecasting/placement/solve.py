"""Where each app should run, why, and which promises clash where not all can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecasting.placement.model import (
    PROMISED_SHARE,
    Limit,
    Program,
    Solution,
    given_way,
    program,
    soften,
    solve,
)
from forecasting.placement.options import Option
from forecasting.placement.problem import AppTerms, Problem


@dataclass(frozen=True)
class Clash:
    """One promise that cannot be kept together with the others."""

    app: str
    """'' for what the apps share."""
    text: str
    """One line: the promise, and by how much it must give way."""

    def __str__(self) -> str:
        return f"{self.app or 'all apps'}: {self.text}"


@dataclass(frozen=True)
class Placed:
    """One app: what stands, what is proposed, and why."""

    terms: AppTerms
    now: Option
    then: Option
    reason: str


@dataclass(frozen=True)
class Placement:
    """Where all apps should run."""

    apps: tuple[Placed, ...]
    usd_now: float
    """A month: replicas on demand and clusters, of the apps judged."""
    usd_then: float
    clashes: tuple[Clash, ...]
    """Empty where every promise is kept; else those of the placement that breaks them least."""
    program: Program
    """Its limits have given way where promises clash."""

    @property
    def problem(self) -> Problem:
        return self.program.problem

    @property
    def moved(self) -> tuple[Placed, ...]:
        return tuple(placed for placed in self.apps if placed.then.moved)


def place(problem: Problem) -> Placement:
    """The cheapest placement that keeps every promise, moving only what is worth it.

    The same problem gives the same placement. Where no placement keeps all promises, the one that
    breaks them least, with each broken promise named.
    """
    made = program(problem)
    if not made.options:
        return Placement((), 0.0, 0.0, (), made)
    found = solve(made)
    clashes: tuple[Clash, ...] = ()
    if found is None:
        found = soften(made)
        clashes = tuple(
            Clash(limit.app, _clash(limit, excess, made))
            for limit, excess in zip(made.limits, found.excess, strict=True)
            if excess
        )
        made = given_way(made, found.excess)
    then, best = chosen(made, found), chosen(made, solve(made, moving=False) or found)
    standing = {name: made.options[some.start] for name, some in made.first.items()}
    usd_now = cost_of(made, standing)
    placed = tuple(
        Placed(
            terms,
            standing[terms.name],
            then[terms.name],
            _reason(made, terms, standing, then, best),
        )
        for terms in problem.apps
    )
    return Placement(placed, usd_now, found.usd, clashes, made)


def chosen(made: Program, found: Solution) -> dict[str, Option]:
    """The option that each app takes."""
    return {
        name: made.options[some.start + int(np.argmax(found.x[some]))]
        for name, some in made.first.items()
    }


def cost_of(made: Program, taken: Mapping[str, Option]) -> float:
    """USD a month of one option an app, with the clusters that they need."""
    x = np.zeros(len(made.usd))
    for name, some in made.first.items():
        x[some.start + made.options[some].index(taken[name])] = 1.0
    count = len(made.options)
    needed = made.needs[:, :count] @ x[:count] > 0
    for column in np.unique(made.needs[needed][:, count:].tocoo().col):
        x[count + column] = 1.0
    return float(made.usd @ x)


def broken(terms: AppTerms, way: Option) -> list[str]:
    """What an option breaks of the app's own promises."""
    found = []
    if way.within < PROMISED_SHARE - 1e-9:
        found.append(
            f"{way.within:.0%} of its users are within {terms.network_p95_ms:g} ms, "
            f"{PROMISED_SHARE:.0%} are promised"
        )
    if way.barred:
        places = [place for place in way.choice.locations if place in terms.barred]
        found.append(f"its data may not live at {', '.join(places)}")
    if way.usd > terms.budget_usd:
        found.append(f"${way.usd:,.0f} is above its budget of ${terms.budget_usd:,.0f}")
    if len(way.choice.locations) < terms.min_locations:
        found.append(f"{len(way.choice.locations)} of at least {terms.min_locations} places")
    return found


def _reason(
    made: Program,
    terms: AppTerms,
    standing: Mapping[str, Option],
    then: Mapping[str, Option],
    best: Mapping[str, Option],
) -> str:
    name = terms.name
    saves = _saving(made, then, name, standing[name])
    faults = broken(terms, standing[name])
    if then[name].moved:
        what = f"saves ${saves:,.0f} a month" if saves >= 0 else f"costs ${-saves:,.0f} more"
        if faults:
            return f"now {'; '.join(faults)}; {what}"
        return what if saves > 0 else f"makes room for others; {what}"
    if terms.stays:
        return f"stays: {terms.stays}"
    if faults:
        return "; ".join(faults)
    saves = _saving(made, best, name, standing[name]) if best[name].moved else 0.0
    if saves < 1:
        return "what stands is the cheapest that keeps the promises"
    least = max(made.moving[made.first[name]])
    would = f"{best[name].choice} would save ${saves:,.0f} a month"
    return f"stays: {would}, a move is worth ${least:,.0f}"


def _saving(made: Program, taken: Mapping[str, Option], name: str, now: Option) -> float:
    """What the app's move saves, the others as they are taken: clusters it opens or leaves count."""
    return cost_of(made, {**taken, name: now}) - cost_of(made, taken)


def _clash(limit: Limit, excess: float, made: Program) -> str:
    terms = next((one for one in made.problem.apps if one.name == limit.app), None)
    match limit.kind:
        case "quota":
            location, gpu = limit.place
            text = f"{excess:.0f} x {gpu} above the {limit.most:.0f} left at {location}"
            remedy = "ask the cloud for more, or give apps other candidates"
        case "budget":
            text = f"${excess:,.0f} a month above the ${limit.most:,.0f} left of the portfolio's budget"
            remedy = "raise it, or loosen an SLO"
        case "app budget":
            text = f"${excess:,.0f} a month above its budget of ${limit.most:,.0f}"
            remedy = "raise it, loosen the SLO, or add candidates"
        case "latency":
            assert terms is not None
            kept = f"{-limit.most - excess:.0%} of its users within {terms.network_p95_ms:g} ms"
            text = f"{kept}, not {-limit.most:.0%}"
            remedy = "add candidates near them, or allow the network more"
        case "residency":
            text = f"{excess:.0f} of its places where its data may not live"
            remedy = "add candidates where it may"
        case "places":
            text = f"{-limit.most - excess:.0f} places, not {-limit.most:.0f}"
            remedy = "add candidates"
        case "stays":
            assert terms is not None
            text = f"it would have to move, and {terms.stays}"
            remedy = "allow the move, or loosen what it breaks where it stands"
    return f"{text}; {remedy}"
