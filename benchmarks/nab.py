"""How soon anomalies are found and how rarely there is a false alarm, beside the charts in use.

    python benchmarks/nab.py [NAB] [--quick]

NAB is a folder or tar of the Numenta Anomaly Benchmark with `data/`, `labels/combined_windows.json` and
`config/profiles.json`; without one, the part in ../shared/data is read: 17 AWS CloudWatch and 11 artificial
streams of the 58. Scoring as published (Lavin and Ahmad, arXiv:1510.03336): the first 15 % of a stream (at
most 750 rows) is for learning; each labelled window counts once, by how early its first alarm comes; an
alarm outside costs 0.11 (standard) or 0.22 (low FP) of a window, a missed window 1 or 2 (low FN); 0 is
the detector that never speaks, 100 the perfect one. Published rows are of all 58 streams with the threshold
tuned on them; ours is fixed beforehand.

Then, on demand (Shaved Ice, M4, ServeGen, NASA) at the threshold that wakes people: alarms on the traces as
they are, and incidents put into them: share found within a day, and how many steps it took.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.anomalies.detector import (  # noqa: E402
    SENSITIVE,
    STEADY,
    Detector,
    episodes,
)

TRACES = ROOT.parent / "shared" / "data"
PUBLISHED = {
    "ARTime": (74.9, 65.1, 80.4),
    "Numenta HTM": (70.5, 62.6, 75.2),
    "CAD OSE": (69.9, 67.0, 73.2),
    "Random cut forest": (51.7, None, None),
}
PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
Score = Callable[[np.ndarray, int | None], np.ndarray]
"""(values, rows of a day) -> scores; 1 and more is an alarm."""


@dataclass(frozen=True)
class Stream:
    """One labelled stream: windows are (first row, last row)."""

    group: str
    name: str
    values: np.ndarray
    windows: tuple[tuple[int, int], ...]
    steps_a_day: int | None

    @property
    def probation(self) -> int:
        return min(int(0.15 * len(self.values)), 750)


@dataclass(frozen=True)
class Tally:
    """What NAB's score is made of, over some streams."""

    windows: int = 0
    found: float = 0.0
    """Sum over the windows found of how early, 0 to 1."""
    missed: int = 0
    false: float = 0.0
    """Sum of the false alarms, each 1 or less where it comes soon after a window."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.windows + other.windows,
            self.found + other.found,
            self.missed + other.missed,
            self.false + other.false,
        )

    def score(self, costs: Mapping[str, float]) -> float:
        """0 for the detector that never speaks, 100 for the perfect one."""
        null, perfect = -self.windows * costs["fnWeight"], self.windows * costs["tpWeight"]
        raw = self.found * costs["tpWeight"] - self.missed * costs["fnWeight"]
        return 100 * (raw - self.false * costs["fpWeight"] - null) / (perfect - null)


def read(content: Mapping[str, bytes]) -> tuple[list[Stream], dict[str, dict[str, float]]]:
    """The streams and the costs of each profile, by the names of the files inside NAB's folder."""
    profiles = json.loads(content["config/profiles.json"])
    streams = []
    for key, labels in json.loads(content["labels/combined_windows.json"]).items():
        if f"data/{key}" not in content:
            continue
        rows = pd.read_csv(io.BytesIO(content[f"data/{key}"]), parse_dates=["timestamp"])
        times = rows["timestamp"].to_numpy()
        ends = [pd.to_datetime(window).to_numpy() for window in labels]
        windows = tuple(
            (int((times == first).argmax()), int(np.flatnonzero(times == last)[-1]))
            for first, last in ends
        )
        step = np.median(np.diff(times)) / np.timedelta64(1, "D")
        group, name = key.split("/")
        streams.append(
            Stream(group, name, rows["value"].to_numpy(float), windows, round(1 / step) or None)
        )
    return streams, {name: profiles[name]["CostMatrix"] for name in PROFILES}


def files(source: Path) -> dict[str, bytes]:
    """All files of NAB's folder, or of a tar of it."""
    if source.is_dir():
        wanted = [*source.glob("data/*/*.csv"), *source.glob("[cl]*/*.json")]
        return {str(path.relative_to(source)): path.read_bytes() for path in wanted}
    with tarfile.open(source) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {
            member.name.removeprefix("./"): tar.extractfile(member).read() for member in members
        }  # type: ignore[union-attr]


def earliness(position: np.ndarray) -> np.ndarray:
    """NAB's sigmoid: 1 long before the end of a window (position -1), 0 at its end, -1 long after."""
    return np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3.0))) - 1)


def tally(stream: Stream, alarms: Sequence[int]) -> Tally:
    """What alarms at these rows are worth."""
    rows = np.array([row for row in alarms if row >= stream.probation], dtype=int)
    outside = np.ones(len(rows), dtype=bool)
    false = np.ones(len(rows))
    found, missed = 0.0, 0
    for first, last in stream.windows:
        width = last - first + 1
        inside = (rows >= first) & (rows <= last)
        outside &= ~inside
        if inside.any():
            best = -(last - rows[inside].min() + 1) / width
            found += float(earliness(np.array(best)) / earliness(np.array(-1.0)))
        else:
            missed += 1
        after = rows > last
        false[after] = -earliness((rows[after] - last) / max(width - 1, 1))
    return Tally(len(stream.windows), found, missed, float(false[outside].sum()))


def ours(threshold: float, learned_after: int) -> Score:
    def scores(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
        detector = Detector(steps_a_day, threshold=threshold, learned_after=learned_after)
        return detector.scores(values) / threshold

    return scores


def three_sigma(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """Outside mean ± 3 sigma of the last day."""
    past = pd.Series(values).shift().rolling(steps_a_day or 288, min_periods=12)
    return over(np.abs(values - past.mean()), 3 * past.std())


def median_deviation(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """Outside median ± 5 MAD (x 1.4826) of the last day."""
    length = steps_a_day or 288
    series = pd.Series(values)
    middle = series.shift().rolling(length, min_periods=12).median()
    spread = (series - middle).abs().shift().rolling(length, min_periods=12).median()
    return over((series - middle).abs(), 5 * 1.4826 * spread)


def ewma_chart(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """EWMA control chart: weight 0.2, limits 3 sigma of the last week (NIST handbook 6.3.2.4)."""
    past = pd.Series(values).shift().rolling(7 * (steps_a_day or 288), min_periods=12)
    smooth = pd.Series(values).ewm(alpha=0.2, adjust=False).mean()
    return over((smooth - past.mean()).abs(), 3 * past.std() * np.sqrt(0.2 / 1.8))


def over(distance: pd.Series[float], limit: pd.Series[float]) -> np.ndarray:
    """Distance in limits; nothing is an alarm where the limit is unknown or nothing differs."""
    shares = np.where(distance > 0, distance / np.maximum(limit, 1e-12), 0.0)
    return np.where(np.isfinite(limit), shares, 0.0)


RIVALS: dict[str, Score] = {
    "mean ± 3 sigma, 1 day": three_sigma,
    "median ± 5 MAD, 1 day": median_deviation,
    "EWMA chart, 1 week": ewma_chart,
}


def print_nab(streams: Sequence[Stream], costs: Mapping[str, Mapping[str, float]]) -> None:
    """Scores by group, the rivals, the published rows, and what other thresholds would have given."""
    groups = {"AWS": "realAWS", "artificial": "artificial", "all here": ""}
    print(f"\n{len(streams)} streams, {sum(len(stream.windows) for stream in streams)} windows")
    print(f"{'NAB score':44s} {'standard':>9s} {'low FP':>7s} {'low FN':>7s}")

    def row(name: str, told: Tally) -> None:
        if told.windows:
            print(f"{name:44s}" + "".join(f" {told.score(costs[p]):7.1f} " for p in PROFILES))

    rows = {f"this detector, threshold {SENSITIVE}": ours(SENSITIVE, 1)}
    scores = {}
    for name, score in (rows | RIVALS).items():
        scores = {stream.name: score(stream.values, stream.steps_a_day) for stream in streams}
        tallies = {stream.name: tally_at(stream, scores[stream.name], 1.0) for stream in streams}
        if name in rows:
            kept = scores
            for group, prefix in groups.items():
                row(f"{name}, {group}", total(streams, tallies, prefix))
            row("  perfect", total(streams, {s.name: perfect(s) for s in streams}, ""))
            row("  never speaks", total(streams, {s.name: tally(s, ()) for s in streams}, ""))
        else:
            row(name, total(streams, tallies, ""))
    for name, told in PUBLISHED.items():
        figures = "".join(f" {'' if f is None else f:>7} " for f in told)
        print(f"{'published, 58 streams, tuned: ' + name:44s}{figures}")
    print("other thresholds, standard profile:", end="")
    for threshold in (0.06, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14, 0.16, 0.2, 0.25):
        at = {s.name: tally_at(s, kept[s.name], threshold / SENSITIVE) for s in streams}
        print(f" {threshold}: {total(streams, at, '').score(costs['standard']):.1f}", end="")
    print()


def tally_at(stream: Stream, scores: np.ndarray, threshold: float) -> Tally:
    found = episodes(scores, threshold, warm_up=stream.probation)
    return tally(stream, [episode.start for episode in found])


def perfect(stream: Stream) -> Tally:
    """An alarm in the first row of each window."""
    return tally(stream, [first for first, _ in stream.windows])


def total(streams: Sequence[Stream], tallies: Mapping[str, Tally], prefix: str) -> Tally:
    return sum(
        (tallies[stream.name] for stream in streams if stream.group.startswith(prefix)), Tally()
    )


def demand_traces() -> Iterator[tuple[str, np.ndarray, int]]:
    """(name, [step, series], steps a day) of real demand."""
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
    """Steps until the alarm for incidents put at three times of the last two days; inf where none came."""
    steps = []
    length = steps_a_day // 2
    for offset in (0.4, 1.1, 1.7):
        start = int(len(values) - (2.6 - offset) * steps_a_day)
        changed = values.copy()
        stretch = changed[start : start + length]
        changed[start : start + length] = (
            stretch + 0.05 if change == "error burst" else INCIDENTS[change](stretch)
        )
        alarms = np.flatnonzero(score(changed, steps_a_day)[start : start + length] >= 1)
        steps.append(float(alarms[0]) if len(alarms) else np.inf)
    return steps


def print_demand(most: int) -> None:
    """Alarms on real demand as it is, and what became of incidents put into it."""
    rules = {f"this detector, threshold {STEADY}": ours(STEADY, 64), **RIVALS}
    print("\nalarms a stream-month on demand as it is, after a week")
    traces = list(demand_traces())
    print(f"{'':34s}" + "".join(f"{name:>18s}" for name, _, _ in traces))
    for rule, score in rules.items():
        told = []
        for _, table, day in traces:
            columns = table.T[:most]
            alarms = sum(len(episodes(score(c, day), 1.0, warm_up=7 * day)) for c in columns)
            told.append(30 * alarms / (len(columns) * (len(table) / day - 7)))
        print(f"{rule:34s}" + "".join(f"{rate:18.2f}" for rate in told))
    kinds = (*INCIDENTS, "error burst")
    print("\nincidents of half a day in the same demand, and 5 points in errors of about 0.3 %:")
    print("found while they last, and the median steps until the alarm")
    print(f"{'':34s}" + "".join(f"{kind:>18s}" for kind in kinds))
    random = np.random.default_rng(7)
    noise = [(errors_of(random, 144 * 14), 144) for _ in range(most // 2)]
    demand = [(c, day) for _, table, day in traces for c in table.T[: most // 4] if c.any()]
    for rule, score in rules.items():
        cells = []
        for kind in kinds:
            base = noise if kind == "error burst" else demand
            steps = [s for values, day in base for s in incidents_found(score, values, day, kind)]
            seen = [s for s in steps if np.isfinite(s)]
            middle = f"{np.median(seen):.0f}" if seen else "–"
            cells.append(f"{len(seen) / len(steps):.0%} in {middle}")
        print(f"{rule:34s}" + "".join(f"{cell:>18s}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nab", nargs="?", type=Path, metavar="NAB")
    parser.add_argument("--quick", action="store_true", help="fewer series of demand")
    chosen = parser.parse_args()
    source = chosen.nab or TRACES / "nab_aws_artificial.tar.gz"
    if not source.exists():
        sys.exit(f"{source}: not there; name a folder or tar of the Numenta Anomaly Benchmark")
    streams, costs = read(files(source))
    started = time.perf_counter()
    print_nab(streams, costs)
    print(f"{time.perf_counter() - started:.0f} s")
    if TRACES.exists():
        print_demand(8 if chosen.quick else 40)
    else:
        print(f"REAL DEMAND NOT MEASURED: no traces in {TRACES}")


if __name__ == "__main__":
    main()
