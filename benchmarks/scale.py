"""How long planning a large portfolio takes, end to end: on one core, on two, on Dask; and that the plan is the same.

    python benchmarks/scale.py [--services 100 1000] [--days 28] [--ways 1 2 dask loop]

Each service has four weeks of demand in 10-minute steps. Planned is all that `fairweather plan` plans: forecasts for
fourteen past days and the coming week, replay of every choice, floor, ceiling, target and reason. "loop" is what a
program does that treats each service by itself: the same model fitted and planned one by one, timed on the first ten.
Each way runs in a process of its own; "cpu s" are of that process and its workers, starting them included: steadier
than wall time on a busy machine. MB are the largest at any time, of that process and of its largest worker.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import stacks  # noqa: E402
from benchmarks.told import told  # noqa: E402
from forecasting.capacity.planner import Plan, plan  # noqa: E402
from forecasting.parallel import Workers, workers  # noqa: E402
from forecasting.telemetry.demand import Demand, services  # noqa: E402

END = pd.Timestamp("2026-03-30", tz="UTC")
STEPS_A_DAY = 144
LOCATION = "aws:us-east-1"
LOOPED = 10


def portfolio(count: int, days: int) -> tuple[stacks.Stack, Demand]:
    """`count` copies of one app of prod, each with days and weekends of its own."""
    prod = stacks.load(ROOT / "stacks" / "Pulumi.prod.yaml")
    app = prod.apps["camera"].model_copy(update={"regions": (LOCATION,), "edge": ()})
    stands = {LOCATION: prod.capacity["camera"][LOCATION]}
    names = [f"app-{i:05d}" for i in range(count)]
    stack = prod.model_copy(
        update={"apps": dict.fromkeys(names, app), "capacity": dict.fromkeys(names, stands)}
    )
    random = np.random.default_rng(1)
    times = pd.date_range(end=END, periods=STEPS_A_DAY * days + 1, freq="10min")[:-1]
    columns = pd.MultiIndex.from_product([names, [LOCATION]], names=["app", "location"])
    rps = np.empty((len(times), count), order="F")
    hour, weekend = times.hour + times.minute / 60, times.day_of_week >= 5
    for i in range(count):
        distance = np.abs((hour - random.uniform(8, 20) + 12) % 24 - 12)
        day = 0.3 + 0.7 * np.exp(-0.5 * (distance / random.uniform(2, 4)) ** 2)
        day = day * np.where(weekend, random.uniform(0.5, 1.2), 1)
        rps[:, i] = random.uniform(50, 500) * day * random.lognormal(0, 0.05, len(times))
    fine = pd.DataFrame(rps, times, columns)
    start, end = times[0].to_pydatetime(), END.to_pydatetime()
    return stack, Demand(fine.resample("h").max(), fine, (), start, end, "made", synthetic=True)


def one_dollar(_app: str, _location: str) -> float:
    return 1.0


def looped(stack: stacks.Stack, demand: Demand) -> Plan:
    """The first services one by one, each as if it were alone."""
    parts = []
    for app, location in stack.services()[:LOOPED]:
        alone = stack.model_copy(update={"apps": {app: stack.apps[app]}})
        column = [services(demand.hourly).index((app, location))]
        its = replace(
            demand, hourly=demand.hourly.iloc[:, column], fine=demand.fine.iloc[:, column]
        )
        parts.append(plan(alone, its, one_dollar))
    return replace(parts[0], services=tuple(one for part in parts for one in part.services))


def measured(count: int, days: int, way: str) -> dict[str, float | str]:
    """One way in this process: seconds for `count` services, MB, and a digest of the plan."""
    stack, demand = portfolio(count, days)
    before = time.process_time()
    with ExitStack() as kept:
        crew: Workers | None = None
        if way == "dask":
            from distributed import LocalCluster

            cluster = kept.enter_context(
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=2, threads_per_worker=1, dashboard_address=":0"
                )
            )
            crew = kept.enter_context(workers(cluster.scheduler_address))
        elif way != "loop":
            crew = kept.enter_context(workers(int(way)))
        began = time.perf_counter()
        made = (
            looped(stack, demand)
            if way == "loop"
            else plan(stack, demand, one_dollar, workers=crew)
        )
        seconds = time.perf_counter() - began
    digest = hashlib.sha256()
    for service in made.services:
        digest.update(repr((service.after, service.reason, service.replay)).encode())
        digest.update(service.forecast.to_numpy().tobytes())
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used) - before
    own, largest = (one.ru_maxrss / 1024 for one in used)
    each, scaled = seconds / len(made.services), count / len(made.services)
    return {"seconds": each * count, "cpu": cpu * scaled, "each_ms": 1000 * each, "own_mb": own, "worker_mb": largest,
            "plan": digest.hexdigest()[:12]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, nargs="+", default=[100, 1000], metavar="COUNT")
    parser.add_argument("--days", type=int, default=28, help="of demand (default: 28)")
    parser.add_argument("--ways", nargs="+", default=["1", "2", "dask", "loop"],
                        help="processes, dask (two workers) or loop (default: 1 2 dask loop)")  # fmt: skip
    parser.add_argument("--this", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.this:
        print(json.dumps(measured(chosen.services[0], chosen.days, chosen.ways[0])))
        return
    print(told("scale.py", f"plans from {chosen.days} days in 10-minute steps"))
    print(
        f"{'services':>8}  {'way':<17}{'s':>8}{'cpu s':>8}{'ms each':>9}{'MB':>7}{'MB a worker':>13}  plan"
    )
    for count in chosen.services:
        for way in chosen.ways:
            command = [sys.executable, __file__, "--this", "--services", str(count)]
            done = subprocess.run(
                [*command, "--days", str(chosen.days), "--ways", way],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                print(f"{count:>8}  {way:<17}failed: {done.stderr.strip().splitlines()[-1:]}")
                continue
            row = json.loads(done.stdout)
            name = {"1": "this process", "dask": "Dask, 2 workers", "loop": "loop, of the first 10"}
            worker = "-" if way in {"1", "loop"} else f"{row['worker_mb']:.0f}"
            print(f"{count:>8}  {name.get(way, f'{way} processes'):<17}{row['seconds']:>8.1f}{row['cpu']:>8.1f}"
                  f"{row['each_ms']:>9.1f}{row['own_mb']:>7.0f}{worker:>13}  "
                  f"{'-' if way == 'loop' else row['plan']}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
