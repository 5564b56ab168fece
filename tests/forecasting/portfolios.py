"""Small portfolios to place, and the same answer by trying everything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from forecasting.placement import AppTerms, Choice, Problem
from stacks.records import PlannerLimits

PLACES = ("aws:us-east-1", "aws:eu-west-1", "gcp:us-central1")
AREAS = ("us-east", "us-west", "eu-central")
GPUS = ("l4", "t4")
Ways = dict[str, Choice]


def app(name: str = "camera", **given) -> AppTerms:
    """An app in two places' reach: L4 at $100 a replica, four hours of demand, users in the east."""
    values = {
        "areas": ("us-east",),
        "typical_rps": np.array([[10.0], [20.0], [30.0], [20.0]]),
        "rps_per_replica": {"l4": 10.0},
        "replica_usd": {(place, "l4"): 100.0 for place in PLACES[:2]},
        "network_ms": {("us-east", PLACES[0]): 60.0, ("us-east", PLACES[1]): 160.0},
        "network_p95_ms": 100.0,
        "budget_usd": 10_000.0,
        "now": Choice(PLACES[:1], "l4"),
        **given,
    }
    return AppTerms(name=name, **{"busiest_rps": values["typical_rps"], **values})


def portfolio(*apps: AppTerms, **given) -> Problem:
    """Apps whose clusters cost $50 a month and whose moves are free, unless something else is said."""
    clusters = dict.fromkeys(PLACES, 50.0)
    free = PlannerLimits(min_move_share=0, min_move_usd=0)
    return Problem(apps, **{"cluster_usd": clusters, "limits": free, **given})


def some_portfolio(seed: int) -> Problem:
    """Two or three apps over three places and two GPUs, with limits that bind now and then."""
    random = np.random.default_rng(seed)
    apps = []
    for number in range(random.integers(2, 4)):
        areas = AREAS[: random.integers(1, 4)]
        typical = random.integers(1, 40, (3, len(areas))).astype(float)
        usd = {(p, g): float(random.integers(3, 12) * 10) for p in PLACES for g in GPUS}
        if random.random() < 0.4:
            del usd[PLACES[2], "t4"]
        apps.append(
            app(
                f"app-{number}",
                areas=areas,
                typical_rps=typical,
                busiest_rps=typical * random.choice([1.0, 1.5]),
                rps_per_replica={"l4": 10.0, "t4": float(random.integers(4, 9))},
                replica_usd=usd,
                network_ms={
                    (a, p): float(random.integers(5, 20) * 10) for a in areas for p in PLACES
                },
                network_p95_ms=float(random.choice([120.0, 150.0, 200.0, 200.0])),
                budget_usd=float(random.choice([600.0, 1500.0, 5000.0])),
                now=Choice((str(random.choice(PLACES[:2])),), "l4"),
                barred=frozenset(PLACES[1:2]) if random.random() < 0.3 else frozenset(),
                min_locations=int(random.choice([1, 1, 2])),
                stays="held" if random.random() < 0.1 else "",
                shares_cluster=bool(random.random() < 0.8),
            )
        )
    quotas = {(p, "l4"): int(random.integers(4, 18)) for p in PLACES if random.random() < 0.6}
    return portfolio(
        *apps,
        quotas=quotas,
        budget_usd=float(random.choice([2000.0, 10_000.0])),
        limits=PlannerLimits(min_move_share=float(random.choice([0, 0.1])), min_move_usd=20),
        open_anyway=frozenset(PLACES[:1]) if random.random() < 0.2 else frozenset(),
    )


def by_trying_everything(problem: Problem) -> float:
    """Least cost and what the moves must save together, over every set of places and GPU of every app."""
    lists = [[way for way in every_choice(t) if not broken_by(t, way)] for t in problem.apps]
    names = [terms.name for terms in problem.apps]
    best = math.inf
    for taken in product(*lists):
        ways = dict(zip(names, taken, strict=True))
        cost = usd(problem, ways) + moving(problem, ways)
        if cost < best and not broken_together(problem, ways):
            best = cost
    return best


def every_choice(terms: AppTerms) -> Iterator[Choice]:
    for gpu in terms.rps_per_replica:
        places = sorted(place for place, kind in terms.replica_usd if kind == gpu)
        for count in range(1, len(places) + 1):
            yield from (Choice(some, gpu) for some in combinations(places, count))


def broken(problem: Problem, ways: Ways) -> list[str]:
    """Every promise that these choices break, counted from the records alone."""
    own = [f"{t.name} {kind}" for t in problem.apps for kind in broken_by(t, ways[t.name])]
    return own + broken_together(problem, ways)


def broken_by(terms: AppTerms, way: Choice) -> list[str]:
    near = {area: nearest(terms, area, way.locations) for area in terms.areas}
    heard = {a: terms.typical_rps[:, i].sum() for i, a in enumerate(terms.areas)}
    reached = sum(
        heard[a] for a, p in near.items() if terms.network_ms[a, p] <= terms.network_p95_ms
    )
    wrong = {
        "latency": reached / sum(heard.values()) < 0.95 - 1e-9,
        "residency": bool(terms.barred & set(way.locations)),
        "places": len(way.locations) < terms.min_locations,
        "stays": bool(terms.stays) and way != terms.now,
        "app budget": app_usd(terms, way) > terms.budget_usd + 1e-6,
    }
    return [kind for kind, is_wrong in wrong.items() if is_wrong]


def broken_together(problem: Problem, ways: Ways) -> list[str]:
    found = [
        f"quota {place}"
        for (place, gpu), most in problem.quotas.items()
        if sum(gpus(terms, ways[terms.name], place, gpu) for terms in problem.apps) > most
    ]
    if problem.budget_usd is not None and usd(problem, ways) > problem.budget_usd + 1e-6:
        found.append("budget")
    return found


def nearest(terms: AppTerms, area: str, places: tuple[str, ...]) -> str:
    """The first of equals."""
    ways = [terms.network_ms[area, place] for place in places]
    return places[ways.index(min(ways))]


def loads(terms: AppTerms, way: Choice, place: str, rps: np.ndarray) -> list[float]:
    """[hour] of what this place serves: the areas that are nearest to it, the first of equals."""
    mine = [i for i, area in enumerate(terms.areas) if nearest(terms, area, way.locations) == place]
    return [sum(hour[i] for i in mine) for hour in rps]


def app_usd(terms: AppTerms, way: Choice) -> float:
    total = 0.0
    for place in way.locations:
        hours = loads(terms, way, place, terms.typical_rps)
        counts = [max(1, math.ceil(load / terms.rps_per_replica[way.gpu])) for load in hours]
        total += sum(counts) / len(counts) * terms.replica_usd[place, way.gpu]
    return total


def gpus(terms: AppTerms, way: Choice, place: str, gpu: str) -> int:
    if gpu != way.gpu or place not in way.locations:
        return 0
    busiest = max(loads(terms, way, place, terms.busiest_rps))
    return max(1, math.ceil(busiest / terms.rps_per_replica[gpu]))


def usd(problem: Problem, ways: Ways) -> float:
    shared = {p for t in problem.apps if t.shares_cluster for p in ways[t.name].locations}
    clusters = sum(problem.cluster_usd[place] for place in shared - problem.open_anyway)
    return clusters + sum(app_usd(terms, ways[terms.name]) for terms in problem.apps)


def moving(problem: Problem, ways: Ways) -> float:
    limits = problem.limits
    return sum(
        max(limits.min_move_share * app_usd(terms, terms.now), limits.min_move_usd)
        for terms in problem.apps
        if ways[terms.name] != terms.now
    )
