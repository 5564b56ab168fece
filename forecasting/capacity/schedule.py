"""Floors as steps: few changes a day, never below what is needed, the fewest replica-hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EXCESS_PRICE = 1e4
"""Of a replica-hour above `most`: only where the number of changes leaves no other way."""

DAY_SHARES = np.array([5, 2]) / 7
"""Of weekdays and weekends."""


def stepped(
    need: Array, max_changes: int, most: Array | None = None, change_cost: float = 0.0
) -> Array:
    """The cheapest row above `need` with at most `max_changes` changes, by dynamic programming.

    Args:
        need: [..., hour] replicas needed in each hour.
        max_changes: how often the value may change from one hour to the next within the row.
        most: [..., hour] above which a row goes only if there is no other.
        change_cost: of a change, in replica-hours: one that saves less is not made.

    Returns:
        [..., hour], piecewise constant. Among rows of equal cost the one with fewer changes.
    """
    hours = need.shape[-1]
    rows = need.reshape(-1, hours)
    count = len(rows)
    limit = np.full_like(rows, np.inf) if most is None else most.reshape(-1, hours)
    # cost[:, i, j]: hours i to j (excluded) at the largest need among them.
    height = np.full((count, hours, hours + 1), np.inf)
    cost = np.full((count, hours, hours + 1), np.inf)
    for i in range(hours):
        highest = np.maximum.accumulate(rows[:, i:], axis=1)
        lowest_limit = np.minimum.accumulate(limit[:, i:], axis=1)
        length = np.arange(1, hours - i + 1)
        height[:, i, i + 1 :] = highest
        excess = np.maximum(highest - lowest_limit, 0)
        cost[:, i, i + 1 :] = length * (highest + EXCESS_PRICE * excess)
    best = cost[:, 0, 1:]  # [row, end - 1] with one segment
    choices: list[NDArray[np.intp]] = []
    layers = [best]
    for _ in range(min(max_changes, hours - 1)):
        # A further segment i..j after the best way to i.
        ways = np.full((count, hours, hours), np.inf)
        ways[:, 1:] = layers[-1][:, :-1, None] + cost[:, 1:, 1:]
        choice = ways.argmin(1)
        choices.append(choice)
        layers.append(np.take_along_axis(ways, choice[:, None], axis=1)[:, 0])
    totals = np.stack([layer[:, -1] for layer in layers])  # [changes, row]
    changes = (totals + change_cost * np.arange(len(totals))[:, None]).argmin(0)
    result = np.empty_like(rows)
    for row in range(count):
        end, left = hours, int(changes[row])
        while left:
            begin = int(choices[left - 1][row, end - 1])
            result[row, begin:end] = height[row, begin, end]
            end, left = begin, left - 1
        result[row, :end] = height[row, 0, end]
    return result.reshape(need.shape)


def weekly(
    need: Array, max_changes: int, most: Array | None = None, change_cost: float = 0.0
) -> Array:
    """`stepped` for weekdays and weekends, or one row for both where that costs no more.

    Two rows cost the replica-hours of five days and two, their changes, and two changes a week from
    one to the other.

    Args:
        need: [..., weekday or weekend, hour] replicas needed.
        max_changes: within each row.
        most: as `need`; one row for both never goes above it.
        change_cost: of a change, in replica-hours.
    """
    apart = stepped(need, max_changes, most, change_cost)
    both = stepped(need.max(-2, keepdims=True), max_changes, change_cost=change_cost)
    both = np.broadcast_to(both, need.shape)
    dearer = _daily(both, change_cost) > _daily(apart, change_cost) + change_cost * 2 / 7
    if most is not None:
        dearer |= (both > most).any((-2, -1))
    return np.where(dearer[..., None, None], apart, both)


def _daily(rows: Array, change_cost: float) -> Array:
    """[...] replica-hours and cost of changes of a mean day."""
    hours = rows.sum(-1) + change_cost * (np.diff(rows) != 0).sum(-1)
    return np.asarray(hours @ DAY_SHARES)


def changes(row: Array) -> int:
    """How often a row changes within the day."""
    return int((np.diff(row) != 0).sum())
