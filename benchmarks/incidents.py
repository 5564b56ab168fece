"""How rarely there is a false alarm on real demand, and how soon an incident is found, beside the charts in use.

    python benchmarks/incidents.py [--quick]

Two kinds of demand from ../shared/data: steady (Shaved Ice, hourly VM demand; M4, hourly series of all kinds)
and bursty (ServeGen, LLM clients; NASA, web requests; 10-minute steps). First the alarms on the traces as
they are, after a week. Then incidents of half a day are put into them, at three times; one counts as found
where an alarm comes that would not have come without it. Errors are seeded: about 0.3 % of requests fail.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.alarm_rules import RIVALS, Score, ours  # noqa: E402
from forecasting.anomalies.detector import STEADY, Episode, episodes  # noqa: E402

TRACES = ROOT.parent / "shared" / "data"
STEADY_TRACES = ("Shaved Ice", "M4 hourly")
ERROR_BURST = "error burst"
Trace = tuple[str, np.ndarray, int]
"""(name, [step, series], steps a day)"""


def demand_traces() -> Iterator[Trace]:
    """Real demand."""
    rows = pd.read_csv(TRACES / "shavedice_regions1-3_to2022.csv.gz", parse_dates=["USAGE_HOUR"])
    table = rows.pivot_table(
        index="USAGE_HOUR", columns=["REGION_NUM", "INSTANCE_TYPE"], values="NORM_USAGE"
    )
    table = table.asfreq("h").fillna(0.0).iloc[-84 * 24 :]
    yield "Shaved Ice", table.loc[:, (table > 20).mean() > 0.9].to_numpy(), 24
    rows = pd.read_csv(TRACES / "m4_hourly_even.csv.gz")
    series = [group.to_numpy(float) for _, group in rows.groupby("series_id")["value"]]
    length = min(map(len, series))
    yield "M4 hourly", np.stack([one[-length:] for one in series], axis=1), 24
    rows = pd.read_csv(TRACES / "servegen_mid_small_days0-9.csv.gz")
    rows["name"] = rows["model"] + "/" + rows["client"].astype(str)
    table = rows.pivot(index="t", columns="name", values="rate")
    table = table.reindex(range(0, 10 * 86400, 600)).fillna(0.0)
    yield "ServeGen clients", table.loc[:, (table > 0).mean() > 0.9].to_numpy(), 144
    rows = pd.read_csv(TRACES / "nasa_http_1995_first27days.csv.gz")
    minutes = rows["requests"].to_numpy(float)
    yield "NASA", minutes.reshape(-1, 10).mean(axis=1)[:, None], 144


INCIDENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "load x 2": lambda stretch: 2 * stretch,
    "drop to 0": lambda stretch: 0 * stretch,
    "creep to x 2": lambda stretch: stretch * np.linspace(1, 2, len(stretch)),
}
"""What half a day of demand becomes."""


def errors_of(random: np.random.Generator, length: int) -> np.ndarray:
    """A share of failed requests: mostly a few in a thousand, in bursts more."""
    return np.minimum(random.gamma(1.5, 0.002, length), 1.0)


def incidents_found(score: Score, values: np.ndarray, steps_a_day: int, change: str) -> list[float]:
    """Steps until an alarm that would not have come without the incident, at three times; inf for none."""
    steps = []
    length = steps_a_day // 2
    before = score(values, steps_a_day)
    for offset in (0.4, 1.1, 1.7):
        start = int(len(values) - (2.6 - offset) * steps_a_day)
        changed = values.copy()
        stretch = changed[start : start + length]
        changed[start : start + length] = (
            stretch + 0.05 if change == ERROR_BURST else INCIDENTS[change](stretch)
        )
        news = (score(changed, steps_a_day) >= 1) & (before < 1)
        alarms = np.flatnonzero(news[start : start + length])
        steps.append(float(alarms[0]) if len(alarms) else np.inf)
    return steps


def row(name: str, cells: Iterable[str]) -> None:
    print(f"{name:32s}" + "".join(f"{cell:>23s}" for cell in cells))


def told(scores: np.ndarray, steps_a_day: int) -> list[Episode]:
    """Alarms after a week, one for each that lasts or comes again within three hours."""
    return episodes(scores, 1.0, warm_up=7 * steps_a_day, quiet_rows=steps_a_day // 8)


def print_alarms(rules: Mapping[str, Score], traces: Sequence[Trace], most: int) -> None:
    print("alarms a stream-month on demand as it is")
    row("", (name for name, _, _ in traces))
    for rule, score in rules.items():
        rates = []
        for _, table, day in traces:
            columns = table.T[:most]
            alarms = sum(len(told(score(c, day), day)) for c in columns)
            rates.append(30 * alarms / (len(columns) * (len(table) / day - 7)))
        row(rule, (f"{rate:.2f}" for rate in rates))


def print_found(rules: Mapping[str, Score], traces: Sequence[Trace], most: int) -> None:
    print("\nincidents found while they last, and the median steps until the alarm")
    cases = [(kind, steady) for kind in INCIDENTS for steady in (True, False)]
    random = np.random.default_rng(7)
    errors = [(errors_of(random, 144 * 14), 144) for _ in range(most)]
    streams = {
        steady: [
            (c, day)
            for name, table, day in traces
            if (name in STEADY_TRACES) == steady
            for c in table.T[:most]
            if c.any()
        ]
        for steady in (True, False)
    }
    row("", [f"{kind}, {'steady' if s else 'bursty'}" for kind, s in cases] + [ERROR_BURST])
    for rule, score in rules.items():
        cells = [cell(score, streams[steady], kind) for kind, steady in cases]
        row(rule, [*cells, cell(score, errors, ERROR_BURST)])


def cell(score: Score, streams: Sequence[tuple[np.ndarray, int]], kind: str) -> str:
    steps = [s for values, day in streams for s in incidents_found(score, values, day, kind)]
    seen = [s for s in steps if np.isfinite(s)]
    return f"{len(seen) / len(steps):.0%} in " + (f"{np.median(seen):.0f}" if seen else "–")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer series")
    chosen = parser.parse_args()
    if not TRACES.exists():
        sys.exit(f"no traces in {TRACES}: nothing to measure on")
    traces = list(demand_traces())
    rules = {f"this detector, threshold {STEADY}": ours(STEADY, 64), **RIVALS}
    print_alarms(rules, traces, 8 if chosen.quick else 40)
    print_found(rules, traces, 4 if chosen.quick else 15)


if __name__ == "__main__":
    main()
