"""Every way to place one app, each with its cost and what it does to the promises.

Names lead each user to the place with the shortest way, so the places alone decide who is served where: no routing is
left to choose, and the replicas of every hour are counted whole. That makes the options of an app a list, and the
placement of all apps a choice of one from each list (Dantzig-Wolfe columns, all of them written out).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from forecasting.placement.problem import AppTerms, Choice, regions_of
from forecasting.placement.tables import Array
from stacks.records import parent_region

MOST_LOCATIONS = 3
"""Of one app, unless more stand or are asked for."""


@dataclass(frozen=True)
class Option:
    """One way to place one app."""

    app: str
    choice: Choice
    usd: float
    """A month: replicas, and a cluster of the app's own."""
    within: float
    """Share of the requests whose way is within the network's part of the SLO."""
    gpus: tuple[int, ...]
    """GPUs at the busiest hour, for each location of the choice."""
    barred: int
    """Locations where the data may not live."""
    moved: bool
    """Is another than what stands."""
    served: tuple[tuple[int, ...], ...]
    """Which areas each location serves, by index."""


def options(terms: AppTerms) -> list[Option]:
    """What stands first, then every other set of places that all serve somebody, on each GPU."""
    costs = _Costs(terms)
    ways = [terms.now, *(choice for choice in _choices(terms) if choice != _sorted(terms.now))]
    made = [costs.option(choice) for choice in ways]
    return [one for one in made if _is_distinct(one, terms)]


def loads(terms: AppTerms, areas: tuple[int, ...]) -> tuple[Array, Array]:
    """[hour of the week] typical and busiest rps of some of the areas together."""
    chosen = list(areas)
    return terms.typical_rps[:, chosen].sum(1), terms.busiest_rps[:, chosen].sum(1)


def replicas(load: Array, rps_per_replica: float) -> Array:
    """Whole replicas for each load; one is always there."""
    return np.maximum(np.ceil(load / rps_per_replica - 1e-9), 1.0)


def within(
    terms: AppTerms, choice: Choice, served: tuple[tuple[int, ...], ...], ms: float
) -> float:
    """Share of the requests whose way to where they are served takes at most `ms`."""
    share = terms.typical_rps.sum(0) / terms.typical_rps.sum()
    return float(
        sum(
            share[area]
            for place, areas in zip(choice.locations, served, strict=True)
            for area in areas
            if terms.network_ms[terms.areas[area], place] <= ms
        )
    )


def _sorted(choice: Choice) -> Choice:
    return Choice(tuple(sorted(choice.locations)), choice.gpu)


def _choices(terms: AppTerms) -> Iterator[Choice]:
    most = max(MOST_LOCATIONS, terms.min_locations)
    for gpu in terms.rps_per_replica:
        places = sorted(place for place, kind in terms.replica_usd if kind == gpu)
        for count in range(1, most + 1):
            for chosen in combinations(places, count):
                # A Local Zone hangs on its region.
                if all(parent_region(place) in chosen for place in chosen):
                    yield Choice(chosen, gpu)


def _is_distinct(option: Option, terms: AppTerms) -> bool:
    """A place that serves nobody is there for the loss of another, for its Local Zone, or because it stands."""
    places = option.choice.locations
    idle = {place for place, areas in zip(places, option.served, strict=True) if not areas}
    homes = {parent_region(place) for place in places if parent_region(place) != place}
    return not option.moved or len(places) <= terms.min_locations or not idle - homes


class _Costs:
    """Cost and reach of sets of places; what one place costs for some areas is worked out once."""

    def __init__(self, terms: AppTerms) -> None:
        self.terms = terms
        self.known: dict[tuple[str, str, tuple[int, ...]], tuple[float, int]] = {}

    def option(self, choice: Choice) -> Option:
        terms = self.terms
        served: list[list[int]] = [[] for _ in choice.locations]
        for index, area in enumerate(terms.areas):
            ways = [terms.network_ms[area, place] for place in choice.locations]
            served[int(np.argmin(ways))].append(index)
        areas = tuple(map(tuple, served))
        priced = [
            self._at(place, choice.gpu, some)
            for place, some in zip(choice.locations, areas, strict=True)
        ]
        own = sum(terms.cluster_usd.get(region, 0.0) for region in regions_of(choice.locations))
        return Option(
            app=terms.name,
            choice=choice,
            usd=sum(usd for usd, _ in priced) + own,
            within=within(terms, choice, areas, terms.network_p95_ms),
            gpus=tuple(peak * terms.gpus_per_replica for _, peak in priced),
            barred=sum(place in terms.barred for place in choice.locations),
            moved=choice != terms.now,
            served=areas,
        )

    def _at(self, place: str, gpu: str, areas: tuple[int, ...]) -> tuple[float, int]:
        """(USD a month, replicas at the busiest hour)."""
        key = (place, gpu, areas)
        if key not in self.known:
            typical, busiest = loads(self.terms, areas)
            each = self.terms.rps_per_replica[gpu]
            mean = float(replicas(typical, each).mean())
            peak = int(replicas(busiest, each).max())
            self.known[key] = (mean * self.terms.replica_usd[place, gpu], peak)
        return self.known[key]
