"""What placing a portfolio costs and takes, beside what people do by hand.

    python benchmarks/placement.py [--apps 40] [--seed 7]

A made-up portfolio: apps of one to five user areas, a daily cycle by each area's own clock, three GPUs, ten places at
the built-in book's prices, quotas that bind. Rows: this placement; each area at its nearest place, on the GPU that the
app has; the one cheapest place for each app. Columns: USD a month, with clusters; apps that keep less than 95 % of
their users within the network's part of their SLO; places over quota.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.placement import AppTerms, Choice, Problem, place, prices  # noqa: E402
from forecasting.placement.latency import AREAS, network_ms  # noqa: E402
from forecasting.placement.model import PROMISED_SHARE, Program  # noqa: E402
from forecasting.placement.options import Option  # noqa: E402
from forecasting.placement.solve import cost_of  # noqa: E402
from policypacks.guardrails.pricing.book import PriceBook  # noqa: E402
from stacks.machines import gpu_machine  # noqa: E402
from stacks.records import PlannerLimits  # noqa: E402

PLACES = (
    "aws:us-east-1", "aws:us-east-2", "aws:us-west-2", "aws:eu-west-1", "aws:eu-central-1",
    "gcp:us-central1", "gcp:europe-west4", "gcp:europe-west1", "gcp:us-east4", "gcp:europe-west3",
)  # fmt: skip
OWN_GPU, GPUS = "l4", {"t4": 8.0, "l4": 18.0, "a10g": 19.0}
"""Requests a second that one serves; each app is 20 % faster or slower."""
AREAS_OF_USERS = (
    "us-east",
    "us-central",
    "us-west",
    "canada",
    "uk",
    "eu-west",
    "eu-central",
    "eu-south",
)
HOURS_A_MONTH, CLUSTER_USD = 730, 310.0
Taken = Mapping[str, Option]


def portfolio(count: int, seed: int) -> Problem:
    """Apps with habits of their own, and quotas at four fifths of what the nearest places would take."""
    random = np.random.default_rng(seed)
    book = PriceBook.load()
    usd = {
        (where, gpu): hourly * HOURS_A_MONTH
        for where in PLACES
        for gpu in GPUS
        if (hourly := replica_hour(book, where, gpu)) is not None
    }
    apps = tuple(one_app(f"app-{n:02d}", usd, random) for n in range(count))
    clusters = dict.fromkeys(PLACES, CLUSTER_USD)
    free = PlannerLimits(min_move_share=0, min_move_usd=0)
    return Problem(apps, cluster_usd=clusters, limits=free)


def replica_hour(book: PriceBook, where: str, gpu: str) -> float | None:
    try:
        machine = gpu_machine(where, gpu)
    except LookupError:
        return None
    return book.hourly(machine.name, where, machine.accelerator, machine.gpus)


def one_app(
    name: str, usd: Mapping[tuple[str, str], float], random: np.random.Generator
) -> AppTerms:
    count = int(random.integers(1, 6))
    areas = tuple(map(str, random.choice(AREAS_OF_USERS, count, replace=False)))
    local = np.arange(168)[:, None] + np.array([AREAS[area][1] / 15 for area in areas])
    cycle = 1 + 0.7 * np.sin((local - 12) * 2 * np.pi / 24)
    typical = cycle * random.dirichlet(np.ones(count)) * random.lognormal(4.5, 1)
    nearby = network_ms(areas, PLACES)
    priced = tuple(where for where in PLACES if (where, OWN_GPU) in usd)
    return AppTerms(
        name=name,
        areas=areas,
        typical_rps=typical,
        busiest_rps=typical * 1.4,
        rps_per_replica={gpu: rps * random.uniform(0.8, 1.2) * 0.7 for gpu, rps in GPUS.items()},
        replica_usd=usd,
        network_ms=nearby,
        network_p95_ms=float(random.choice([110, 150, 200])),
        budget_usd=1e6,
        now=Choice((min(priced, key=lambda where: nearby[areas[0], where]),), OWN_GPU),
    )


def nearest(program: Program) -> Taken:
    """Each area at the nearest place that sells the app's GPU."""
    taken = {}
    for terms in program.problem.apps:
        sold = [where for where, gpu in terms.replica_usd if gpu == OWN_GPU]
        places = {min(sold, key=lambda p, a=a, t=terms: t.network_ms[a, p]) for a in terms.areas}  # type: ignore[misc]
        mine = program.options[program.first[terms.name]]
        fitting = [o for o in mine if o.choice.gpu == OWN_GPU and set(o.choice.locations) <= places]
        taken[terms.name] = max(
            fitting, key=lambda option: (option.within, len(option.choice.locations))
        )
    return taken


def cheapest(program: Program) -> Taken:
    """One place for each app, wherever its users are."""
    taken = {}
    for name, some in program.first.items():
        single = [option for option in program.options[some] if len(option.choice.locations) == 1]
        taken[name] = min(single, key=lambda option: option.usd)
    return taken


def row(name: str, program: Program, taken: Taken, seconds: str = "") -> str:
    outside = sum(option.within < PROMISED_SHARE for option in taken.values())
    used: Counter[tuple[str, str]] = Counter()
    for option in taken.values():
        for where, count in zip(option.choice.locations, option.gpus, strict=True):
            used[where, option.choice.gpu] += count
    over = sum(used[where] > most for where, most in program.problem.quotas.items())
    usd = cost_of(program, taken)
    return f"{name:34s} {usd:10,.0f} {outside:9d} {over:11d} {seconds:>8s}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--apps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    free = place(portfolio(chosen.apps, chosen.seed))
    used: Counter[tuple[str, str]] = Counter()
    for placed in free.apps:
        for where, count in zip(placed.then.choice.locations, placed.then.gpus, strict=True):
            used[where, placed.then.choice.gpu] += count
    binding = {where: count * 4 // 5 for where, count in used.items()}
    problem = replace(free.problem, quotas=binding)
    started = time.perf_counter()
    found = place(problem)
    took = time.perf_counter() - started
    started = time.perf_counter()
    asked = prices(found.program)
    priced = time.perf_counter() - started
    program = found.program
    print(
        f"{chosen.apps} apps, {len(PLACES)} places, {len(program.options):,} options, {len(binding)} quotas"
    )
    print(f"{'':34s} {'USD':>10s} {'over SLO':>9s} {'over quota':>11s} {'seconds':>8s}")
    ours = {placed.terms.name: placed.then for placed in found.apps}
    print(row("this placement", program, ours, f"{took:.1f}"))
    print(row("nearest places, own GPU", program, nearest(program)))
    print(row("cheapest place of each app", program, cheapest(program)))
    for clash in found.clashes:
        print(f"clash {clash}")
    print(f"{len(asked)} what-if questions in {priced:.1f} s")


if __name__ == "__main__":
    main()
