"""plan_spot: how much of a pool may be spot, from whole availability traces and not from averages.

Spot is lost in runs and in several zones at once, so every past window, with all its zones, is a
scenario. A lost zone's share of the capacity is missing until the on-demand replacement has
started; then on-demand carries it until spot is back. The loss is proportional to the spot share,
so the largest share that keeps the promise is the promise over the windows' loss at full share,
at the quantile that the confidence asks for (with the conformal correction for few windows). Spread
and over-provisioning as in SkyServe (arXiv:2411.01438), where averages alone would buy all spot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.purchase.scenarios import Array

OVER_PROVISION = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Spot capacity above the share that it is to serve."""
PROMISE_MARGIN = 0.5
"""Part of the promise that lost spot may use up in the past. A choice flatters itself and outages drift;
demand that nobody foresaw needs its part, too."""
LEAST_GAIN = 0.002
"""Of the pool's cost: what another zone must save to be worth having."""
WINDOW_HOURS = 24


@dataclass(frozen=True)
class SpotPlan:
    """How much of a pool may be spot, and where."""

    share: float
    """Of the pool's capacity."""
    zones: tuple[str, ...]
    over_provision: float
    """Spot capacity beyond the share, 0.25 for a quarter more."""
    expected_saving: float
    """Share of the pool's on-demand cost, at the mean of the windows."""
    loss: float
    """Share of the pool's demand that is lost in the binding window."""
    binding: pd.Timestamp | None
    """Start of the window that sets the share; None where the share is not limited, or no spot pays."""
    reason: str


def plan_spot(
    available: pd.DataFrame,
    *,
    on_demand_usd: float,
    spot_usd: float,
    cold_start_minutes: float,
    max_shortfall: float,
    confidence: float = 0.95,
    most: float = 1.0,
) -> SpotPlan:
    """The spot share, zones and over-provision that save most and keep the promise.

    Args:
        available: a regular UTC index and a column a zone, 1 where spot could be had, NaN where it
            was not watched (left out together with its whole row).
        on_demand_usd: of a unit for an hour.
        spot_usd: the same as spot.
        cold_start_minutes: from the wish for a replacement to its first answer.
        max_shortfall: share of a day's demand that may be lost.
        confidence: share of the days in which that holds.
        most: cap on the share from elsewhere, such as `spot_share` in the stack file.

    Raises:
        ValueError: fewer whole windows than the confidence needs, or no regular step.
    """
    step = _step(available)
    rows = available.dropna()
    up = (rows.to_numpy(float) > 0).astype(float)
    window = int(pd.Timedelta(hours=WINDOW_HOURS) / step)
    windows = len(up) // window
    least = int(np.ceil(confidence / (1 - confidence)))
    if windows < least:
        raise ValueError(
            f"{windows} days of spot availability; {confidence:.0%} confidence needs {least} or more"
        )
    if spot_usd >= on_demand_usd:
        return SpotPlan(0.0, (), 0.0, 0.0, 0.0, None, "spot is not cheaper than on-demand")
    up = up[-windows * window :]
    starts = rows.index[-windows * window :: window]
    lag = max(1, int(np.ceil(pd.Timedelta(minutes=cold_start_minutes) / step)))
    live = _held(up, lag)

    terms = _Terms(live, lag, window, spot_usd / on_demand_usd, max_shortfall, confidence, most)
    chosen: list[int] = []
    best = _Choice(0.0, 0.0, 0.0, 0.0, -1)
    while len(chosen) < live.shape[1]:
        tried = [
            (terms.choice([*chosen, zone], over), -zone)
            for zone in range(live.shape[1])
            if zone not in chosen
            for over in OVER_PROVISION
        ]
        found, zone = max(tried, key=lambda pair: (pair[0].saving, pair[1]))
        if found.saving < best.saving + LEAST_GAIN:
            break
        best, chosen = found, [*chosen, -zone]
    return _told(best, [str(rows.columns[zone]) for zone in chosen], starts)


@dataclass(frozen=True)
class _Choice:
    share: float
    over: float
    saving: float
    loss: float
    binding: int


@dataclass(frozen=True)
class _Terms:
    """What every choice of zones is judged by."""

    live: Array
    """[step, zone] 1 where a machine of the zone serves."""
    lag: int
    window: int
    price: float
    """Of spot, on-demand is 1."""
    max_shortfall: float
    confidence: float
    most: float

    def choice(self, zones: Sequence[int], over: float) -> _Choice:
        """The largest share that keeps the promise in these zones, and what it saves."""
        served = (1 + over) * self.live[:, list(zones)].mean(axis=1)
        missing = np.maximum(1 - served, 0.0)
        # A replacement serves once the need for it has lasted a cold start.
        replaced = _least_of_last(missing, self.lag)
        lost = (missing - replaced).reshape(-1, self.window).mean(axis=1)
        rank = int(np.ceil((len(lost) + 1) * self.confidence)) - 1
        binding = int(np.argsort(lost, kind="stable")[rank])
        promise = PROMISE_MARGIN * self.max_shortfall
        share = min(self.most, promise / float(lost[binding])) if lost[binding] > 0 else self.most
        saving = share * (1 - self.price * float(served.mean()) - float(replaced.mean()))
        limited = share < self.most
        return _Choice(
            share, over, saving, share * float(lost[binding]), binding if limited else -1
        )


def _told(best: _Choice, zones: list[str], starts: pd.Index) -> SpotPlan:
    if best.saving <= 0:
        reason = "no spot: its zones are lost too often for it to pay"
        return SpotPlan(0.0, (), 0.0, 0.0, 0.0, None, reason)
    binding = None if best.binding < 0 else pd.Timestamp(starts[best.binding])
    spread = f"over {len(zones)} zones" if len(zones) > 1 else "in one zone"
    if binding is None:
        reason = f"{best.share:.0%} {spread}: as much as may be spot"
    else:
        reason = (
            f"{best.share:.0%} {spread}: a day such as {binding:%Y-%m-%d} loses "
            f"{best.loss:.2%} of the demand while it is replaced"
        )
    return SpotPlan(best.share, tuple(zones), best.over, best.saving, best.loss, binding, reason)


def _step(available: pd.DataFrame) -> pd.Timedelta:
    index = available.index
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2:
        raise ValueError("spot availability needs a DatetimeIndex with two rows or more")
    steps = index[1:] - index[:-1]
    if (steps != steps[0]).any() or steps[0] <= pd.Timedelta(0):
        raise ValueError("spot availability is not at a regular step, in order; resample it")
    return pd.Timedelta(steps[0])


def _held(up: Array, lag: int) -> Array:
    """[step, zone] up for a whole cold start: a machine that was asked for then serves by now."""
    return np.column_stack([_least_of_last(zone, lag) for zone in up.T])


def _least_of_last(values: Array, lag: int) -> Array:
    """[step] the least of a step and the `lag` before it."""
    padded = np.concatenate([np.full(lag, values[0]), values])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, lag + 1).min(axis=1))
