"""Floors by hour become cron lines: held against a clock that runs through the week."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.schedule import (
    MINUTES_A_DAY,
    MINUTES_A_WEEK,
    Change,
    Window,
    changes,
    nodes,
    slug,
    steps,
    week,
    windows,
)
from stacks.records import Floor

HOURS = st.lists(st.integers(0, 9), min_size=24, max_size=24).map(tuple)
FLOORS = st.builds(Floor, weekday=HOURS, weekend=HOURS)
LEADS = st.floats(0, 60)
FLAT = Floor(weekday=(3,) * 24, weekend=(3,) * 24)
OFFICE = Floor(weekday=(2,) * 7 + (5,) * 13 + (2,) * 4, weekend=(2,) * 24)


def moments(cron: str) -> list[int]:
    """The minutes of the week, from Monday 00:00, at which a cron line fires."""
    minute, hour, _, _, days = cron.split(" ")
    weekdays = range(7) if days == "*" else [(int(day) - 1) % 7 for day in days.split(",")]
    return sorted(day * MINUTES_A_DAY + int(hour) * 60 + int(minute) for day in weekdays)


def needed(floor: Floor, minute: int, lead: float) -> int:
    """The definition: the most that any minute from now to the end of the lead asks for."""
    hours = week(floor)
    ahead = range(minute, minute + int(-(-lead // 1)) + 1)
    return max(hours[m // 60 % 168] for m in ahead)


def by_changes(lines: tuple[Change, ...], minute: int) -> int:
    """The size after the last line that fired."""
    fired = [(at, line.size) for line in lines for at in moments(line.recurrence)]
    return max(fired, key=lambda one: one[0] - (MINUTES_A_WEEK if one[0] > minute else 0))[1]


def active(window: Window, minute: int) -> bool:
    """As KEDA decides: inside when the next end comes before the next start."""

    def wait(cron: str) -> int:
        return min((at - minute - 1) % MINUTES_A_WEEK for at in moments(cron))

    return wait(window.end) < wait(window.start)


@given(FLOORS, LEADS, st.integers(0, MINUTES_A_WEEK - 1))
def test_scheduled_sizes_are_what_the_next_minutes_need(
    floor: Floor, lead: float, minute: int
) -> None:
    lines = changes(steps(week(floor), lead))
    assert by_changes(lines, minute) == needed(floor, minute, lead)


@given(FLOORS, LEADS, st.integers(0, MINUTES_A_WEEK - 1))
def test_the_highest_active_trigger_is_what_the_next_minutes_need(
    floor: Floor, lead: float, minute: int
) -> None:
    found = steps(week(floor), lead)
    sizes = [window.size for window in windows(found) if active(window, minute)]
    assert max([min(step.size for step in found), *sizes]) == needed(floor, minute, lead)


@given(FLOORS, LEADS)
def test_no_two_lines_of_a_schedule_share_a_name(floor: Floor, lead: float) -> None:
    names = [slug(line.recurrence) for line in changes(steps(week(floor), lead))]
    assert len(names) == len(set(names))


def test_a_constant_floor_is_said_every_day() -> None:
    assert changes(steps(week(FLAT), 6)) == (Change("0 0 * * *", 3),)
    assert windows(steps(week(FLAT), 6)) == ()


def test_a_rise_comes_early_by_the_lead_and_a_fall_on_the_hour() -> None:
    assert changes(steps(week(OFFICE), 6)) == (
        Change("54 6 * * 1,2,3,4,5", 5),
        Change("0 20 * * 1,2,3,4,5", 2),
    )
    assert windows(steps(week(OFFICE), 6)) == (
        Window("54 6 * * 1,2,3,4,5", "0 20 * * 1,2,3,4,5", 5),
    )


def test_a_rise_at_midnight_begins_the_day_before() -> None:
    early = Floor(weekday=(4,) * 2 + (1,) * 22, weekend=(1,) * 24)
    [window] = windows(steps(week(early), 10))
    assert window.start == "50 23 * * 0,1,2,3,4"  # from Sunday to Thursday
    assert window.end == "0 2 * * 1,2,3,4,5"


@pytest.mark.parametrize(("per_node", "expected"), [(1, 5), (2, 3), (4, 2), (8, 1)])
def test_nodes_are_whole(per_node: int, expected: int) -> None:
    assert max(nodes(OFFICE, per_node)) == expected
