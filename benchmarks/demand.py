"""What a day-ahead plan costs and drops on hourly demand, beside the rules that today's tools use.

    python benchmarks/demand.py [FILE] [--days 7]

FILE is a table `time, app, location, rps` as `fairweather plan --demand` takes it; without one, the
Shaved Ice trace (hourly VM demand of a data warehouse) is read from ../shared/data, where it is there.
Each day of the last DAYS is planned at midnight from what was known before; capacity is held against
what came. Each series of each window counts alike. Columns: capacity bought / demand; share of the demand above the
capacity; regret, the cost above perfect foresight when an unserved hour costs 20 bought ones (so that
the 95 % quantile is the right plan); share of hours within the capacity.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting import DemandForecaster, telemetry  # noqa: E402

TRACES = ROOT.parent / "shared" / "data"
UNSERVED_COST = 20
HOURS, WEEK = 24, 168
WINDOW_DAYS, WINDOW_STEP_DAYS = 42, 60
USED = 20
"""A machine type is in real use where it exceeds this in nearly every hour."""
Plan = Callable[[pd.DataFrame], np.ndarray]


def ours(past: pd.DataFrame) -> np.ndarray:
    return (
        DemandForecaster((0.5, 0.95))
        .fit(past)
        .predict(HOURS)
        .xs(0.95, axis=1, level="level")
        .to_numpy()
    )


def held(values: np.ndarray) -> np.ndarray:
    """The same capacity all day."""
    return np.repeat(values[None], HOURS, axis=0)


def on_filled(rule: Plan) -> Plan:
    """A rule that is spared the gaps: what is missing is as it was before."""
    return lambda past: rule(past.ffill().bfill())


RULES: dict[str, Plan] = {
    "7-day maximum": lambda past: held(past.iloc[-WEEK:].max().to_numpy()),
    "P95 of 7 days (KRR, CPU)": lambda past: held(past.iloc[-WEEK:].quantile(0.95).to_numpy()),
    "P90 of 8 days + 15 % (VPA)": lambda past: held(
        1.15 * past.iloc[-192:].quantile(0.9).to_numpy()
    ),
    "yesterday + 30 %": lambda past: 1.3 * past.iloc[-HOURS:].to_numpy(),
    "last week + 30 %": lambda past: 1.3 * past.iloc[-WEEK : -WEEK + HOURS].to_numpy(),
    "hour-of-day maximum of 7 days": lambda past: (
        past.iloc[-WEEK:].to_numpy().reshape(7, HOURS, -1).max(0)
    ),
}


def shaved_ice() -> list[pd.DataFrame]:
    """Six weeks every two months: each region, and each machine type that is in real use."""
    found = sorted(TRACES.glob("shavedice*.csv.gz"))
    if not found:
        sys.exit(f"no trace in {TRACES}; name a FILE of demand")
    rows = pd.read_csv(found[0], parse_dates=["USAGE_HOUR"])
    table = rows.pivot_table(
        index="USAGE_HOUR", columns=["REGION_NUM", "INSTANCE_TYPE"], values="NORM_USAGE"
    )
    table = table.asfreq("h").fillna(0.0)
    table.index = pd.DatetimeIndex(table.index).tz_localize("UTC")
    length = WINDOW_DAYS * HOURS
    return [
        in_use(table.iloc[start : start + length])
        for start in range(0, len(table) - length + 1, WINDOW_STEP_DAYS * HOURS)
    ]


def in_use(table: pd.DataFrame) -> pd.DataFrame:
    """Regions, and the types that are needed in nearly every hour of the window."""
    regions = table.T.groupby(level="REGION_NUM").sum().T
    series = pd.concat([regions, table.loc[:, (table > USED).mean() > 0.98]], axis=1)
    return series.set_axis([str(name) for name in series.columns], axis=1)


def score(
    plan: Plan, windows: Sequence[pd.DataFrame], days: int
) -> tuple[float, float, float, float]:
    """(cost ratio, shortfall, regret, coverage) over the last `days` of each window, a plan a day."""
    wanted, bought = [], []
    for demand in windows:
        scale = demand.mean().to_numpy()
        for origin in range(len(demand) - days * HOURS, len(demand), HOURS):
            bought.append((plan(demand.iloc[:origin]) / scale).ravel())
            wanted.append((demand.iloc[origin : origin + HOURS].to_numpy() / scale).ravel())
    need, capacity = np.concatenate(wanted), np.concatenate(bought)
    known = np.isfinite(need)
    need, capacity = need[known], capacity[known]
    unserved = np.maximum(need - capacity, 0).sum()
    regret = (capacity.sum() + UNSERVED_COST * unserved) / need.sum() - 1
    within = float((need <= capacity).mean())
    return capacity.sum() / need.sum(), unserved / need.sum(), regret, within


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
    parser.add_argument("--days", type=int, default=7, help="how many days to plan (default: 7)")
    chosen = parser.parse_args()
    if chosen.file is None:
        windows = shaved_ice()
    else:
        demand = telemetry.read(
            chosen.file.absolute(), window_days=WINDOW_DAYS, at=None, root=ROOT
        ).hourly
        windows = [demand.set_axis([" ".join(map(str, name)) for name in demand.columns], axis=1)]
    count = sum(window.shape[1] for window in windows)
    days = len(windows[0]) // HOURS
    print(
        f"{count} series of {days} days, the last {chosen.days} planned, in {len(windows)} windows"
    )
    print(f"{'':32s} {'bought':>7s} {'dropped':>8s} {'regret':>7s} {'within':>7s} {'seconds':>8s}")
    for name, rule in {"this forecast, q95": ours, **RULES}.items():
        plan = rule if rule is ours else on_filled(rule)
        started = time.perf_counter()
        cost, short, regret, within = score(plan, windows, chosen.days)
        seconds = time.perf_counter() - started
        print(f"{name:32s} {cost:7.2f} {short:8.2%} {regret:7.1%} {within:7.1%} {seconds:8.2f}")


if __name__ == "__main__":
    main()
