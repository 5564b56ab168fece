"""plan_commitment: how much more to commit to now, when more can be bought next month.

Commitments of a term are a newsvendor problem: a unit pays when it is used for more than the share
committed / on-demand price of the term (Shaved Ice, ICPE 2025; Wang, Li and Liang, ICAC 2013). But what
is not bought now can still be bought next month, so a unit is bought only if what it saves in the
coming month outweighs what it loses, over the rest of the term, in those scenarios in which a month's wait would
have shown that it is not worth it (the bad news principle: Bernanke, "Irreversibility,
uncertainty, and cyclical investment", QJE 1983; Dixit and Pindyck, "Investment under Uncertainty", 1994).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.purchase.scenarios import HOURS_A_MONTH, Array, Outlook, known, outlook

Running = tuple[pd.Timestamp, pd.Timestamp, float]
"""Start, end (exclusive) and amount of a commitment."""

LEAST_DAYS = 60
"""Of history; with less, no more than what was always in use is certain."""
RETIRED_A_YEAR = 0.04
"""Chance that a pool is given up altogether (a machine type replaced), which no trend announces."""
MONTHS_A_YEAR = 12
HALVINGS = 40


@dataclass(frozen=True)
class Advice:
    """How much more to commit to now, and from what it follows."""

    amount: float
    """In units of the pool's demand."""
    running: Array
    """[month] what is committed already, at the middle of each month of the term."""
    coming: Outlook
    days: float
    """Measured history."""
    certain_only: bool
    """The history is too short: no more than the lowest demand so far is committed."""


def plan_commitment(
    history: pd.Series[float],
    on_demand_price: float = 1.0,
    committed_price: float = 0.63,
    term_hours: float = 8760,
    active: Sequence[Running] = (),
) -> float:
    """How much more of one fungible pool to commit to now: never negative, never above the peak.

    Args:
        history: hourly demand up to now, UTC; NaN is missing.
        on_demand_price: of a unit for an hour.
        committed_price: of a unit for an hour, paid whether it is used or not.
        term_hours: of a commitment bought now.
        active: running commitments as (start, end, amount), UTC, end exclusive.

    Raises:
        ValueError: the history cannot be used or a price is not above zero.
    """
    return advise(history, on_demand_price, committed_price, term_hours, active).amount


def advise(
    history: pd.Series[float],
    on_demand_price: float = 1.0,
    committed_price: float = 0.63,
    term_hours: float = 8760,
    active: Sequence[Running] = (),
) -> Advice:
    """`plan_commitment` with what it followed from."""
    if not (on_demand_price > 0 and committed_price > 0 and term_hours > 0):
        raise ValueError("prices and term must be above zero")
    measured = known(history)
    months = max(1, round(term_hours / HOURS_A_MONTH))
    coming = outlook(history, months)
    running = running_by_month(active, history.index[-1] + pd.Timedelta("1h"), months)
    ratio = committed_price / on_demand_price
    days = len(measured) / 24
    most = float(measured.max()) - running[0]
    if days < LEAST_DAYS:
        most = float(measured.min()) - running[0]
    amount = largest_worth_it(coming, running, ratio, most) if ratio < 1 else 0.0
    return Advice(amount, running, coming, days, certain_only=days < LEAST_DAYS)


def running_by_month(active: Sequence[Running], now: pd.Timestamp, months: int) -> Array:
    """[month] amount that is committed already at the middle of each month from `now` on."""
    running = np.zeros(months)
    for month in range(months):
        at = now + pd.Timedelta(hours=HOURS_A_MONTH * (month + 0.5))
        running[month] = sum(amount for start, end, amount in active if start <= at < end)
    return running


def largest_worth_it(coming: Outlook, running: Array, ratio: float, most: float) -> float:
    """The largest amount, up to `most`, whose last unit is worth committing to now, by bisection."""
    if most <= 0 or worth(coming, running, ratio, 0.0) < 0:
        return 0.0
    if worth(coming, running, ratio, most) >= 0:
        return most
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(coming, running, ratio, middle) >= 0 else (low, middle)
    return low


def worth(coming: Outlook, running: Array, ratio: float, amount: float) -> float:
    """Worth of the unit at `amount` above what runs, bought now and not next month.

    In months of on-demand price; it falls with `amount`. Next month's buyer sees which scenario has
    come and leaves out the unit where it does not pay: only those scenarios speak against it.
    """
    thresholds = np.broadcast_to(running + amount, coming.growth.shape)
    saved = coming.used(thresholds) - ratio
    regretted = np.minimum(saved[:, 1:].sum(axis=1), 0.0)
    retired = RETIRED_A_YEAR / MONTHS_A_YEAR * ratio * (coming.growth.shape[1] - 1)
    return float((saved[:, 0] + regretted).mean() - retired)


def newsvendor(demand: Array, running: Array, ratio: float) -> float:
    """The one amount, bought once for the whole term, that costs least in expectation.

    Args:
        demand: [scenario, month, bin] as `Outlook.demand` gives it.
        running: [month] what is committed already.
        ratio: committed / on-demand price.
    """
    above = np.sort((demand - running[:, None]).ravel())
    # The smallest amount that is exceeded in no more than `ratio` of the hours.
    place = int(np.ceil((1 - ratio) * len(above) - 1e-9)) - 1
    return max(0.0, float(above[max(place, 0)])) if ratio < 1 else 0.0


def saved(coming: Outlook, running: Array, amount: float, ratio: float) -> Array:
    """[scenario] what a commitment of `amount` saves over its term against on-demand hours.

    In hours of on-demand price, as `amount` is in units; negative where it goes unused too often.
    """
    served = np.clip(coming.demand() - running[:, None], 0.0, amount).mean(axis=2).sum(axis=1)
    return np.asarray(HOURS_A_MONTH * (served - ratio * amount * len(running)))


def saved_at(coming: Outlook, running: Array, amount: float, ratio: float, level: float) -> float:
    """`saved` if demand is from now on `level` times what it was in the last four weeks."""
    fixed = Outlook(coming.hours, np.full((1, len(running)), level))
    return float(saved(fixed, running, amount, ratio)[0])
