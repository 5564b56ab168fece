"""The size of a group over a week, from the cron lines of its scheduled actions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MINUTES_A_DAY, MINUTES_A_WEEK = 1440, 10_080


@dataclass(frozen=True)
class Range:
    """A least, an expected and a greatest amount: machines, or USD a month."""

    low: float
    expected: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Each of the three, multiplied."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)

    @property
    def is_sound(self) -> bool:
        """In order, finite and not below zero."""
        return 0 <= self.low <= self.expected <= self.high < math.inf

    @classmethod
    def ordered(cls, low: float, expected: float, high: float) -> Range:
        """The expected amount, held between the other two."""
        high = max(low, high)
        return cls(low, min(max(low, expected), high), high)


NOTHING = Range(0.0, 0.0, 0.0)


def over_a_week(moves: Iterable[tuple[str, float]]) -> Range | None:
    """Least, mean and greatest size of a group that is set to a size at each (cron line, size).

    None where there is no line, or one that is not `minute hour * * weekdays` in plain numbers.
    """
    moments: dict[int, float] = {}
    for cron, size in moves:
        found = minutes(cron)
        if found is None:
            return None
        moments.update(dict.fromkeys(found, size))
    if not moments:
        return None
    order = sorted(moments)
    lasting = [
        after - before
        for before, after in zip(order, [*order[1:], order[0] + MINUTES_A_WEEK], strict=True)
    ]
    mean = sum(moments[at] * span for at, span in zip(order, lasting, strict=True)) / MINUTES_A_WEEK
    return Range.ordered(min(moments.values()), mean, max(moments.values()))


def minutes(cron: str) -> Sequence[int] | None:
    """The moments of a cron line in minutes from Sunday 00:00.

    Both `30 6 * * 1,2` and Application Auto Scaling's `cron(30 6 ? * 2,3 *)`, whose Sunday is 1.
    """
    aws = cron.startswith("cron(") and cron.endswith(")")
    parts = (cron[5:-1] if aws else cron).split()
    if len(parts) != (6 if aws else 5) or parts[2] not in {"*", "?"} or parts[3] != "*":
        return None
    if not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    minute, hour = int(parts[0]), int(parts[1])
    days = weekdays(parts[4], first=1 if aws else 0)
    if days is None or minute > 59 or hour > 23:
        return None
    return [day * MINUTES_A_DAY + hour * 60 + minute for day in days]


def weekdays(text: str, first: int) -> list[int] | None:
    """`1-5`, `0,6` or `*` as days from Sunday; `first` is what the dialect calls Sunday."""
    if text in {"*", "?"}:
        return list(range(7))
    found: set[int] = set()
    for part in text.split(","):
        ends = part.split("-")
        if not all(end.isdigit() for end in ends) or len(ends) > 2:
            return None
        found.update((day - first) % 7 for day in range(int(ends[0]), int(ends[-1]) + 1))
    return sorted(found) or None
