"""From a floor by hour to what keeps it: cron lines for groups of nodes, cron triggers for KEDA.

Hours are UTC. A week has 168 hours from Monday 00:00, and moments are minutes from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stacks.records import HOURS_A_WEEK, Floor

MINUTES_A_DAY, MINUTES_A_WEEK = 1440, 10_080


@dataclass(frozen=True)
class Step:
    """From this moment of every week on, `size` is needed."""

    moment: int
    size: int


@dataclass(frozen=True)
class Change:
    """One line of a schedule: at these times of every week, be `size`."""

    recurrence: str
    """Cron, UTC."""
    size: int


@dataclass(frozen=True)
class Window:
    """A KEDA cron trigger: at least `size` between each start and the end that follows it."""

    start: str
    end: str
    size: int


def week(floor: Floor) -> tuple[int, ...]:
    """The floor of each hour of the week, in replicas."""
    return floor.weekday * 5 + floor.weekend * 2


def nodes(floor: Floor, replicas_per_node: int) -> tuple[int, ...]:
    """The floor of each hour of the week, in whole nodes."""
    return tuple(math.ceil(replicas / replicas_per_node) for replicas in week(floor))


def steps(sizes: Sequence[int], lead_minutes: float) -> tuple[Step, ...]:
    """The least that is, at every minute, what the next `lead_minutes` will need.

    A rise comes so early that what takes `lead_minutes` to start is there when its hour begins; a
    fall comes on the hour. `sizes` has one entry for each hour of the week. Constant sizes give
    one step, at Monday 00:00.
    """
    lead = math.ceil(lead_minutes)
    moments = sorted(
        {
            (hour * 60 - early) % MINUTES_A_WEEK
            for hour in range(HOURS_A_WEEK)
            for early in (0, lead)
        }
    )
    needed = [Step(moment, _ahead(sizes, moment, lead)) for moment in moments]
    changed = [now for before, now in pairwise([needed[-1], *needed]) if now.size != before.size]
    return tuple(changed or [Step(0, needed[0].size)])


def changes(steps: Sequence[Step]) -> tuple[Change, ...]:
    """The fewest cron lines that make these steps: same time of day and same size share one."""
    if len(steps) == 1:  # every day, so that a new constant holds within a day
        return (Change("0 0 * * *", steps[0].size),)
    lines: dict[tuple[int, int], list[int]] = {}
    for step in steps:
        lines.setdefault((step.moment % MINUTES_A_DAY, step.size), []).append(step.moment)
    return tuple(Change(_cron(moments), size) for (_, size), moments in sorted(lines.items()))


def windows(steps: Sequence[Step]) -> tuple[Window, ...]:
    """Triggers of which the highest active one is what the steps say; the least needs none.

    One trigger a level, "at least 5 from 7:00 to 20:00", so a longer day changes one line.
    """
    found = []
    for level in sorted({step.size for step in steps})[1:]:
        above = [(step.moment, step.size >= level) for step in steps]
        edges = [now for before, now in pairwise([above[-1], *above]) if now[1] != before[1]]
        alike: dict[tuple[int, int], list[int]] = {}
        for (moment, rises), (after, _) in pairwise([*edges, edges[0]]):
            if rises:
                minutes = (after - moment) % MINUTES_A_WEEK
                alike.setdefault((moment % MINUTES_A_DAY, minutes), []).append(moment)
        for (_, minutes), starts in sorted(alike.items()):
            ends = [(start + minutes) % MINUTES_A_WEEK for start in starts]
            found.append(Window(_cron(starts), _cron(ends), level))
    return tuple(found)


def slug(recurrence: str) -> str:
    """A cron line as part of a name: `54 6 * * 1,2` -> `0654-12`, `0 0 * * *` -> `0000`."""
    minute, hour, _, _, days = recurrence.split(" ")
    return f"{hour:0>2}{minute:0>2}" + ("" if days == "*" else f"-{days.replace(',', '')}")


def _ahead(sizes: Sequence[int], moment: int, lead: int) -> int:
    """The most that any hour between `moment` and `moment + lead` needs."""
    last = (moment + lead) // 60
    return max(sizes[hour % HOURS_A_WEEK] for hour in range(moment // 60, last + 1))


def _cron(moments: Iterable[int]) -> str:
    """`minute hour * * days` for moments of one time of day; cron's Sunday is 0."""
    moments = list(moments)
    days = sorted((moment // MINUTES_A_DAY + 1) % 7 for moment in moments)
    minute = moments[0] % MINUTES_A_DAY
    named = "*" if len(days) == 7 else ",".join(map(str, days))
    return f"{minute % 60} {minute // 60} * * {named}"
