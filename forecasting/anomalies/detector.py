"""How unlike its own past a stream is, value by value, with nothing known beforehand.

A handful of features is taken of the stream: its level over 1, 4, 16 and 64 values, its roughness (mean
absolute step) over 16 and 64, and, where the length of a day is known, by what factor it is off the usual
value of this time of day, over 1 and 16. Each feature remembers the values that it had. How new a feature's value
is, is its distance to the nearest one remembered, as a share of the range remembered: also a value *between*
known ones is new, and repeating an old extreme is not. The score is the sum over the features, so that
several small surprises count as much as a large one, and no single scale decides.

Novelty as distance to the nearest neighbour is conformal k-NN anomaly detection (Burnaev and Ishimtsev,
arXiv:1608.04585) with one neighbour and the feature's range as the yardstick; a tolerance that is a share of
the range seen so far is what HTM's spatial anomalies use (Ahmad et al., Neurocomputing 262, 2017, section 4).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np

LEVELS, ROUGHNESS, SEASONAL = (1, 4, 16, 64), (16, 64), (1, 16)
"""Over how many values each kind of feature is averaged: a ladder, so that no length has to be right."""
MEMORY = 8192
"""Values that a feature remembers: four weeks of 5-minute steps."""
WARM_UP = 144
"""Values that a feature has to have seen before it is asked."""
PROFILE_DAYS = 7
"""The usual value of a time of day is the median of so many days: a week has one of each."""
SMALL = 0.1
"""Share of a stream's mean size below which differences from the usual value are small."""
ROUNDING = 1e-9
"""Differences below this share of the values themselves are rounding."""

STEADY, SENSITIVE = 0.25, 0.1
"""Thresholds, fixed beforehand, in shares of the ranges seen so far, summed over the features. STEADY is for
streams that wake people: at most one false alarm a stream-month on steady demand (measured by
benchmarks/incidents.py). SENSITIVE is for where a missed incident costs ten times a false alarm, as in NAB."""


class Memory:
    """The last values of one feature, in the order of time and in the order of size."""

    def __init__(self, warm_up: int, least_range: float) -> None:
        self._warm_up, self._least_range = warm_up, least_range
        self._in_time: deque[float] = deque()
        self._sorted = array("d")

    def novelty(self, value: float) -> float:
        """Distance to the nearest value remembered, in shares of the range remembered."""
        known = self._sorted
        if len(known) < self._warm_up:
            return 0.0
        above = bisect_left(known, value)
        distance = min(
            value - known[above - 1] if above else math.inf,
            known[above] - value if above < len(known) else math.inf,
        )
        rounding = ROUNDING * max(abs(value), abs(known[0]), abs(known[-1]))
        if distance <= rounding:
            return 0.0
        span = max(known[-1] - known[0], self._least_range)
        return distance / span if span > rounding else 1.0

    def remember(self, value: float) -> None:
        """Add a value; the oldest one goes where there is no room."""
        if len(self._in_time) == MEMORY:
            del self._sorted[bisect_left(self._sorted, self._in_time.popleft())]
        self._in_time.append(value)
        self._sorted.insert(bisect_left(self._sorted, value), value)


class Detector:
    """Scores one stream online: bounded memory, some tens of microseconds a value.

    Args:
        steps_a_day: rows of a day, where the stream has a daily cycle to compare with; else None.
        threshold: scores from here on are alarms; see `STEADY` and `SENSITIVE`.
        learned_after: alarming rows become part of what is known once there are so many. 1 learns
            everything at once, so that only the first of a kind is new; more keeps a short outage
            from making the next one look normal.
        least_range: what a difference is at least measured by, in units of the stream, so that a stream
            that was constant so far does not raise an alarm over nothing.
    """

    def __init__(
        self,
        steps_a_day: int | None = None,
        *,
        threshold: float = STEADY,
        learned_after: int = 64,
        least_range: float = 0.0,
    ) -> None:
        if steps_a_day is not None and steps_a_day < 2:
            raise ValueError(f"steps_a_day is {steps_a_day}; give at least 2, or None for no cycle")
        self._least_range = least_range
        self.threshold, self.learned_after = threshold, learned_after
        self._values: deque[float] = deque(maxlen=max(LEVELS))
        self._steps: deque[float] = deque(maxlen=max(ROUGHNESS))
        self._residuals: deque[float] = deque(maxlen=max(SEASONAL))
        self._season = Season(steps_a_day) if steps_a_day else None
        self._size = 0.0
        self._known = 0
        self._steady = [Memory(WARM_UP, least_range) for _ in LEVELS + ROUGHNESS]
        # The first day's profile is a single day: two more are looked at before anything is new. Factors
        # are measured by at least e where a least range asks for calm.
        warm_up = max(WARM_UP, 2 * (steps_a_day or 0))
        self._seasonal = [Memory(warm_up, float(least_range > 0)) for _ in SEASONAL]
        self._held_back: list[Seen] = []

    def update(self, value: float) -> float:
        """The score of the next row: 0 for nothing new, NaN where the value is missing (NaN)."""
        usual = self._season.advance(value) if self._season else None
        if math.isnan(value):
            return math.nan
        if math.isinf(value):
            raise ValueError("a value is infinite; take it as missing (NaN)")
        seen = self._features(value, usual)
        score = sum(memory.novelty(feature) for memory, feature in seen)
        if score < self.threshold:
            learn(seen)
        else:
            self._held_back.append(seen)
        if len(self._held_back) >= self.learned_after:
            for held in self._held_back:
                learn(held)
            self._held_back.clear()
        return score

    def scores(self, values: Iterable[float]) -> np.ndarray:
        """[row] the scores of the next rows, as `update` gives them one by one."""
        return np.array([self.update(float(value)) for value in values])

    def _features(self, value: float, usual: float | None) -> Seen:
        self._steps.append(abs(value - self._values[-1]) if self._values else 0.0)
        self._values.append(value)
        self._size += abs(value)
        self._known += 1
        features = means(self._values, LEVELS) + means(self._steps, ROUGHNESS)
        seen = list(zip(self._steady, features, strict=True))
        if usual is not None:
            # What is usual varies by a factor over the day, and so does what is unusual: on a log scale
            # that runs straight through zero, and counts nothing below a tenth of the mean size.
            unit = max(SMALL * self._size / self._known, self._least_range) or 1.0
            self._residuals.append(math.asinh(value / unit) - math.asinh(usual / unit))
            if len(self._residuals) == max(SEASONAL):
                seen += zip(self._seasonal, means(self._residuals, SEASONAL), strict=True)
        return seen


class Season:
    """The usual value of each time of day."""

    def __init__(self, steps_a_day: int) -> None:
        self._days: list[deque[float]] = [deque(maxlen=PROFILE_DAYS) for _ in range(steps_a_day)]
        self._row = 0

    def advance(self, value: float) -> float | None:
        """What is usual at this row, before its value is known; None where nothing is."""
        days = self._days[self._row % len(self._days)]
        self._row += 1
        usual = median(days) if days else None
        if not math.isnan(value):
            days.append(value)
        return usual


Seen = list[tuple[Memory, float]]
"""The features of one row, each with the memory of its kind."""


def means(values: deque[float], lengths: tuple[int, ...]) -> list[float]:
    """The means of the last values; summed anew each time, so that rounding cannot build up."""
    newest = list(values)
    return [sum(newest[-length:]) / min(length, len(newest)) for length in lengths]


def learn(seen: Seen) -> None:
    for memory, feature in seen:
        memory.remember(feature)


@dataclass(frozen=True)
class Episode:
    """An unusual stretch: rows from the first alarming one to the last, and the highest score among them."""

    start: int
    last: int
    peak: float


QUIET_SHARE = 0.05
"""Where nothing else is said, an episode is over after a quiet stretch of this share of the rows seen so far,
at most of those remembered."""


def episodes(
    scores: np.ndarray, threshold: float, *, warm_up: int = WARM_UP, quiet_rows: int | None = None
) -> list[Episode]:
    """Alarms, one an episode: each begins at a score at or above the threshold and is told at that row.

    Causal: the rows up to any row decide whether an episode is open there. Nothing is an alarm in the first
    `warm_up` rows. `quiet_rows` without a score like that end an episode.
    """
    found: list[Episode] = []
    for row in map(int, np.flatnonzero(scores >= threshold)):
        if row < warm_up:
            continue
        score = float(scores[row])
        quiet = QUIET_SHARE * min(row, MEMORY) if quiet_rows is None else quiet_rows
        if found and row - found[-1].last <= quiet:
            before = found.pop()
            found.append(Episode(before.start, row, max(before.peak, score)))
        else:
            found.append(Episode(row, row, score))
    return found
