"""From a floor by hour to the actions that keep it: cron lines for groups of nodes, cron triggers for KEDA.

Hours are UTC. A week is 168 hours from Monday 00:00.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from stacks.records import HOURS_A_WEEK, Floor

MINUTES_A_DAY, MINUTES_A_WEEK = 1440, 10_080
WEEKDAYS = ((0, 1, 2, 3, 4), (5, 6))
"""Monday is 0, in two kinds of day."""


@dataclass(frozen=True)
class Change:
    """From this moment of every week on, the size is `size`."""

    recurrence: str
    """Cron, UTC."""
    size: int
    minutes: tuple[int, ...]
    """The moments, in minutes from Monday 00:00."""


@dataclass(frozen=True)
class Window:
    """A KEDA cron trigger: `replicas` between two moments of the days named."""

    start: str
    end: str
    replicas: int
    hours: tuple[int, ...]
    """The hours of the week it covers, from Monday 00:00."""


def week(floor: Floor) -> tuple[int, ...]:
    """The floor of each hour of the week, from Monday 00:00 UTC."""
    return floor.weekday * 5 + floor.weekend * 2


def nodes(floor: Floor, replicas_per_node: int) -> tuple[int, ...]:
    """The floor in whole nodes, by hour of the week."""
    return tuple(math.ceil(replicas / replicas_per_node) for replicas in week(floor))


def changes(sizes: tuple[int, ...], lead_minutes: float) -> tuple[Change, ...]:
    """The fewest cron lines that keep, at every minute, what the next `lead_minutes` will need.

    So a rise comes early enough for nodes to be ready when its hour begins, and a fall comes on the hour. `sizes` has
    one entry for each hour of the week; moments of the same time of day and size share a line; constant sizes need none.
    """
    lead = math.ceil(lead_minutes)
    moments = sorted({(hour * 60 - early) % MINUTES_A_WEEK for hour in range(HOURS_A_WEEK) for early in (0, lead)})
    needed = {moment: ahead(sizes, moment, lead) for moment in moments}
    lines: dict[tuple[int, int], list[int]] = {}
    for before, moment in zip([moments[-1], *moments], moments, strict=False):
        if needed[moment] != needed[before]:
            lines.setdefault((moment % MINUTES_A_DAY, needed[moment]), []).append(moment)
    return tuple(
        Change(cron(minute, [moment // MINUTES_A_DAY for moment in found]), size, tuple(found))
        for (minute, size), found in sorted(lines.items())
    )


def ahead(sizes: tuple[int, ...], moment: int, lead_minutes: int) -> int:
    """The most that any hour between `moment` and `moment + lead_minutes` needs."""
    return max(sizes[hour % HOURS_A_WEEK] for hour in range(moment // 60, (moment + lead_minutes) // 60 + 1))


def cron(minute_of_day: int, weekdays: list[int]) -> str:
    """`minute hour * * days`, with cron's Sunday = 0."""
    days = ",".join(str(day) for day in sorted((day + 1) % 7 for day in weekdays))
    return f"{minute_of_day % 60} {minute_of_day // 60} * * {'*' if len(weekdays) == 7 else days}"


def windows(floor: Floor) -> tuple[Window, ...]:
    """KEDA triggers whose highest active one is the floor; hours at the least floor need none (minReplicaCount)."""
    found = []
    days = (("1-5", floor.weekday, WEEKDAYS[0]), ("0,6", floor.weekend, WEEKDAYS[1]))
    for cron_days, hourly, weekdays in days:
        for replicas, run in groupby(range(24), key=lambda hour: hourly[hour]):
            hours = list(run)
            if replicas > floor.least:
                found.append(
                    Window(
                        f"0 {hours[0]} * * {cron_days}",
                        # Cron has no 24:00; the autoscaler's scale-down window bridges the minute to midnight.
                        f"0 {hours[-1] + 1} * * {cron_days}" if hours[-1] < 23 else f"59 23 * * {cron_days}",
                        replicas,
                        tuple(day * 24 + hour for day in weekdays for hour in hours),
                    )
                )
    return tuple(found)
