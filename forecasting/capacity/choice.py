"""Which choice a service's recorded days speak for: cost, unserved demand and a promise at stake.

For each service the choice is the one of least expected cost: capacity, plus what unserved demand
costs (the newsvendor's balance), plus what a broken promise costs times the probability that the
coming week breaks it. A promise that is cheap to keep is kept with near certainty, and one that
would cost more than it is worth is left to the newsvendor, without a margin set by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

BROKEN_PROMISE = 2.0
"""Cost of a week above the allowed shortfall, in units of what serving the week's demand without
any spare capacity costs; it stands for the credit that a broken service level is worth."""
PROMISED_DAYS = 7
OWN_DAYS, LIKENESS_DAYS = 10.0, 2.0
"""Days of its own with which a service's record counts as much as what all services say of a
choice; and with which it tells how much worse or better off than the others it is."""
LIKE = 3e-4
"""Shortfalls are compared between services in logarithms, and this much is none."""
LEAST = 3e-5
"""No choice is thought to drop less: the record is short."""
FIRST_JUDGED_DAY = 2
DEARER = (1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 5, 7, 10)
"""How much dearer unserved demand is taken to be, until past choices would have kept the promise
on the whole."""


@dataclass(frozen=True)
class Record:
    """What each choice would have meant on past days, in units of demand."""

    cost: Array
    """[day, service, choice] capacity."""
    unserved: Array
    """[day, service, choice]"""
    asked: Array
    """[day, service] demand."""

    def until(self, day: int) -> Record:
        return Record(self.cost[:day], self.unserved[:day], self.asked[:day])


@dataclass(frozen=True)
class _Outlook:
    """What the record lets expect, [service, choice]; cost and shortfall in shares of demand."""

    cost: Array
    shortfall: Array
    broken: Array
    """Probability that a week breaks the promise."""

    def best(self, unserved_cost: float) -> NDArray[np.intp]:
        total = self.cost + unserved_cost * self.shortfall + BROKEN_PROMISE * self.broken
        return np.asarray(total.argmin(-1))


def choose(record: Record, max_shortfall: float, unserved_cost: float) -> NDArray[np.intp]:
    """The choice of each service for the day after the record; arguments as for `choices`."""
    return np.asarray(choices(record, max_shortfall, unserved_cost)[-1])


def choices(record: Record, max_shortfall: float, unserved_cost: float) -> NDArray[np.intp]:
    """[day, service]: the choice that each day and those before it speak for.

    Choosing by the past flatters. So it is also seen how the choices made on past days fared on the
    days after them, and unserved demand is taken to be as much dearer as it takes for these,
    together, to have dropped no more than the promise.

    Args:
        record: one past day or more.
        max_shortfall: share of each service's demand that may lie above its capacity.
        unserved_cost: of a unit of demand not served, in units of capacity.
    """
    days = len(record.asked)
    outlooks = [_expected(record.until(day), max_shortfall) for day in range(1, days + 1)]
    # What each day would be chosen at each price, and what that dropped on the day after.
    chosen = np.array(
        [[outlook.best(dear * unserved_cost) for outlook in outlooks] for dear in DEARER]
    )
    after = chosen[:, FIRST_JUDGED_DAY - 1 : -1]
    unserved = record.unserved[None, FIRST_JUDGED_DAY:]
    dropped = np.take_along_axis(unserved, after[..., None], -1)[..., 0].cumsum(1)
    shares = _shares(dropped, record.asked[FIRST_JUDGED_DAY:].cumsum(0)).mean(-1)
    result = chosen[0].copy()
    for day in range(FIRST_JUDGED_DAY, days):
        kept = shares[:, day - FIRST_JUDGED_DAY] <= max_shortfall
        result[day] = chosen[kept.argmax() if kept.any() else -1, day]
    return np.asarray(result)


def _shares(part: Array, whole: Array) -> Array:
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _expected(record: Record, max_shortfall: float) -> _Outlook:
    """A service's own record, blended with that of all services seen from its own likeness.

    The shortfall of a week is taken to be lognormal around its expectation.
    """
    days = len(record.asked)
    daily = record.asked.mean(0)[:, None]
    cost, shares = _shares(record.cost.mean(0), daily), _shares(record.unserved, daily)
    mean, variance = shares.mean(0), shares.var(0, ddof=min(1, days - 1))
    busy = record.asked.any(0)
    if not busy.any():
        return _Outlook(record.cost.mean(0), mean, np.zeros_like(mean))
    pool = mean[busy].mean(0)
    relative = variance[busy].mean(0) / np.maximum((mean[busy] ** 2).mean(0), LEAST**2)
    trust = days / (days + LIKENESS_DAYS)
    likeness = np.exp(trust * np.log((mean + LIKE) / (pool + LIKE)).mean(-1, keepdims=True))
    own = days / (days + OWN_DAYS)
    expected = own * mean + (1 - own) * likeness * pool + LEAST
    variance = own * variance + (1 - own) * relative * expected**2
    week = np.log1p(variance / expected**2 * (1 / PROMISED_DAYS + 1 / days))
    promise = np.log(max(max_shortfall, LEAST))
    spread = np.maximum(np.sqrt(week), 1e-9)
    broken = ndtr((np.log(expected) - week / 2 - promise) / spread)
    return _Outlook(cost, expected, np.asarray(broken))
