"""Load, latency and errors of a portfolio: what is unusual now, since when, and what else moved then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from forecasting.anomalies.detector import (
    STEADY,
    WARM_UP,
    Detector,
    Episode,
    episodes,
)

Kind = Literal["load", "latency", "errors", "value"]
LEAST_RANGE: Mapping[Kind, float] = {"load": 0.0, "latency": 0.0, "errors": 0.05, "value": 0.0}
"""Errors are often none at all for weeks: differences are held against at least 5 points."""
DAY = pd.Timedelta(days=1)
USUAL_DAYS = 7
OPEN = pd.Timedelta(hours=3)
"""An anomaly is open while its last alarming row is at most so old; after that, the next is another one."""
MOVED = 1.5
"""A stream of the same service moved too where it is off its usual value by this factor."""


@dataclass(frozen=True)
class Stream:
    """One regular series of one service."""

    kind: Kind
    app: str
    location: str
    values: pd.Series[float]
    """By time, UTC, on a regular step; NaN where nothing was delivered."""

    @property
    def step(self) -> pd.Timedelta:
        if len(self.values) < 2:
            return DAY  # one value: any step will do
        return pd.Timedelta(self.values.index[1] - self.values.index[0])


@dataclass(frozen=True)
class Beside:
    """Another stream of the service at the same time."""

    kind: Kind
    value: float
    usual: float


@dataclass(frozen=True)
class Anomaly:
    """One unusual episode of one stream."""

    kind: Kind
    app: str
    location: str
    since: datetime
    """When the alarm came."""
    last: datetime
    """The last row that alarmed."""
    open: bool
    """Whether it goes on at the end of the data."""
    times_threshold: float
    """The highest score, in thresholds."""
    peak: datetime
    """When that was."""
    value: float
    """Then, in the stream's own unit."""
    usual: float | None
    """The median of the same time on the days before; None on a first day."""
    moved_too: tuple[Beside, ...] = ()
    """Other streams of the service that were off their usual value then, alarming or not."""


@dataclass(frozen=True)
class Watched:
    """One stream, its scores and its anomalies, oldest first."""

    stream: Stream
    scores: np.ndarray
    anomalies: tuple[Anomaly, ...]
    too_short: bool
    """There is not enough of it for any alarm; that is no all-clear."""

    @property
    def alarms_a_month(self) -> float | None:
        """As many as there were in this stream since its warm-up; None where there was no time for any."""
        rows = len(self.scores) - warm_up_rows(self.stream)
        return None if rows <= 0 else len(self.anomalies) * 30 * DAY / (rows * self.stream.step)


def watch(streams: Sequence[Stream], threshold: float = STEADY) -> tuple[Watched, ...]:
    """Look at each stream on its own, and then at what moved together.

    The first week, or as much as a detector needs on coarser steps, is for learning.
    """
    alone = [_watch(stream, threshold) for stream in streams]
    services: dict[tuple[str, str], list[Stream]] = defaultdict(list)
    for stream in streams:
        services[stream.app, stream.location].append(stream)
    return tuple(
        replace(
            one,
            anomalies=tuple(
                replace(a, moved_too=tuple(_moved(services[a.app, a.location], a)))
                for a in one.anomalies
            ),
        )
        for one in alone
    )


def warm_up_rows(stream: Stream) -> int:
    """Rows without alarms: what the detector needs, and at least a week."""
    return max(WARM_UP, int(7 * DAY / stream.step))


def _watch(stream: Stream, threshold: float) -> Watched:
    steps_a_day = round(DAY / stream.step)
    detector = Detector(
        steps_a_day if steps_a_day > 1 else None,
        threshold=threshold,
        least_range=LEAST_RANGE[stream.kind],
    )
    scores = detector.scores(stream.values)
    quiet = max(1, int(OPEN / stream.step))
    found = episodes(scores, threshold, warm_up=warm_up_rows(stream), quiet_rows=quiet)
    anomalies = tuple(_anomaly(stream, scores, episode, threshold) for episode in found)
    known = int(stream.values.notna().sum())
    return Watched(stream, scores, anomalies, too_short=known <= warm_up_rows(stream))


def _anomaly(stream: Stream, scores: np.ndarray, episode: Episode, threshold: float) -> Anomaly:
    times = stream.values.index
    peak = episode.start + int(np.nanargmax(scores[episode.start : episode.last + 1]))
    return Anomaly(
        kind=stream.kind,
        app=stream.app,
        location=stream.location,
        since=times[episode.start].to_pydatetime(),
        last=times[episode.last].to_pydatetime(),
        open=times[-1] - times[episode.last] <= OPEN,
        times_threshold=episode.peak / threshold,
        peak=times[peak].to_pydatetime(),
        value=float(stream.values.iloc[peak]),
        usual=usual(stream, peak),
    )


def usual(stream: Stream, row: int) -> float | None:
    """The median of the same time on the days before `row`; None where there is none."""
    day = round(DAY / stream.step)
    before = stream.values.iloc[[row - k * day for k in range(1, USUAL_DAYS + 1) if row >= k * day]]
    return float(before.median()) if before.notna().any() else None


def _moved(streams: Sequence[Stream], anomaly: Anomaly) -> Iterator[Beside]:
    """What else of the service was off by a factor when the anomaly was at its height."""
    for stream in streams:
        row = int(stream.values.index.searchsorted(pd.Timestamp(anomaly.peak), side="right")) - 1
        if stream.kind == anomaly.kind or row < 0:
            continue
        value, normal = float(stream.values.iloc[row]), usual(stream, row)
        if normal is not None and (value > MOVED * normal or value < normal / MOVED):
            yield Beside(stream.kind, value, normal)
