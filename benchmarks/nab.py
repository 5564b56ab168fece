"""The anomaly detector on the Numenta Anomaly Benchmark, beside the charts in use.

    python benchmarks/nab.py [NAB]

NAB is a folder or tar of the Numenta Anomaly Benchmark with `data/`, `labels/combined_windows.json` and
`config/profiles.json`; without one, the part in ../shared/data is read: 17 AWS CloudWatch and 11 artificial
streams of the 58. Scoring as published (Lavin and Ahmad, arXiv:1510.03336): the first 15 % of a stream (at
most 750 rows) is for learning; each labelled window counts once, by how early its first alarm comes; an
alarm outside costs 0.11 (standard) or 0.22 (low FP) of a window, a missed window 1 or 2 (low FN); 0 is
the detector that never speaks, 100 the perfect one. Published rows are of all 58 streams with the threshold
tuned on them; ours is fixed beforehand.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.alarm_rules import RIVALS, Score, ours  # noqa: E402
from forecasting.anomalies.detector import SENSITIVE, episodes  # noqa: E402

TRACES = ROOT.parent / "shared" / "data"
PUBLISHED = {
    "ARTime": (74.9, 65.1, 80.4),
    "Numenta HTM": (70.5, 62.6, 75.2),
    "CAD OSE": (69.9, 67.0, 73.2),
    "Random cut forest": (51.7, None, None),
}
THRESHOLDS = (0.06, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14, 0.16, 0.2, 0.25)
PROFILES = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")


@dataclass(frozen=True)
class Stream:
    """One labelled stream: windows are (first row, last row)."""

    group: str
    name: str
    values: np.ndarray
    windows: tuple[tuple[int, int], ...]
    steps_a_day: int | None
    row: np.ndarray
    """The place of each value on the regular grid of the stream's step: gaps are missing rows."""

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
            (int((times == first).argmax()), int((times == last).argmax())) for first, last in ends
        )
        steps = np.diff(times) / np.timedelta64(1, "D")
        step = float(np.median(steps))
        row = np.cumsum([0, *np.maximum(np.round(steps / step), 1)]).astype(int)
        day = round(1 / step) if step <= 0.5 else None
        group, name = key.split("/")
        streams.append(Stream(group, name, rows["value"].to_numpy(float), windows, day, row))
    return streams, {name: profiles[name]["CostMatrix"] for name in PROFILES}


def files(source: Path) -> dict[str, bytes]:
    """All files of NAB's folder, or of a tar of it."""
    if source.is_dir():
        wanted = [*source.glob("data/*/*.csv"), *source.glob("[cl]*/*.json")]
        return {str(path.relative_to(source)): path.read_bytes() for path in wanted}
    content = {}
    with tarfile.open(source) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                content[member.name.removeprefix("./")] = file.read()
    return content


def earliness(position: np.ndarray) -> np.ndarray:
    """NAB's sigmoid: 1 long before the end of a window (position -1), 0 at its end, -1 long after."""
    return np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3.0))) - 1)


def scored(stream: Stream, score: Score) -> np.ndarray:
    """[value] the scores, with a missing value where the stream has none."""
    regular = np.full(stream.row[-1] + 1, np.nan)
    regular[stream.row] = stream.values
    scores: np.ndarray = score(regular, stream.steps_a_day)[stream.row]
    return scores


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
        scores = {stream.name: scored(stream, score) for stream in streams}
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
    scores_at = {}
    for threshold in THRESHOLDS:
        at = {s.name: tally_at(s, kept[s.name], threshold / SENSITIVE) for s in streams}
        scores_at[threshold] = at
        print(f" {threshold}: {total(streams, at, '').score(costs['standard']):.1f}", end="")
    print("\nthe threshold chosen on others:", end="")
    for chosen_on, scored_on in (("realAWS", "artificial"), ("artificial", "realAWS")):
        best = max(THRESHOLDS, key=lambda t: points(streams, scores_at[t], chosen_on, costs))
        figure = points(streams, scores_at[best], scored_on, costs)
        print(f" on {chosen_on} ({best}), scored on {scored_on}: {figure:.1f};", end="")
    left_out = Tally()
    for stream in streams:
        others = [other for other in streams if other is not stream]
        best = max(THRESHOLDS, key=lambda t: points(others, scores_at[t], "", costs))
        left_out += scores_at[best][stream.name]
    print(f" each stream left out: {left_out.score(costs['standard']):.1f}")


def points(
    streams: Sequence[Stream],
    tallies: Mapping[str, Tally],
    prefix: str,
    costs: Mapping[str, Mapping[str, float]],
) -> float:
    """The standard score of a group; 0 where it has no windows."""
    told = total(streams, tallies, prefix)
    return told.score(costs["standard"]) if told.windows else 0.0


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("nab", nargs="?", type=Path, metavar="NAB")
    chosen = parser.parse_args()
    source = chosen.nab or TRACES / "nab_aws_artificial.tar.gz"
    if not source.exists():
        sys.exit(f"{source}: not there; name a folder or tar of the Numenta Anomaly Benchmark")
    streams, costs = read(files(source))
    print_nab(streams, costs)


if __name__ == "__main__":
    main()
