"""A placement as the lines of the stack file that say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from forecasting.capacity.schedule import stepped
from forecasting.placement.options import loads, replicas
from forecasting.placement.solve import Placed, Placement
from forecasting.placement.tables import Array
from stacks.records import (
    HOURS_A_WEEK,
    Capacity,
    Floor,
    PlannerLimits,
    Stack,
    is_local_zone,
)

REASON = "first capacity after a move, by `fairweather place`; the planner goes on from telemetry"
Edits = dict[tuple[str, ...], Any]
WORKDAY_HOURS = HOURS_A_WEEK * 5 // 7


def proposed(stack: Stack, placement: Placement) -> Stack:
    """The stack with every move made, and a first capacity wherever a moved app runs.

    Raises pydantic.ValidationError if it would break the contract, which is a fault of ours.
    """
    values = stack.model_dump(mode="json", exclude_none=True)
    for placed in placement.moved:
        app = values["apps"][placed.terms.name]
        places = placed.then.choice.locations
        app["regions"] = [place for place in places if not is_local_zone(place)]
        zones = [place for place in places if is_local_zone(place)]
        app["edge"] = zones + [place for place in app["edge"] if place == "cdn"]
        _change_gpu(app, placed.now.choice.gpu, placed.then.choice.gpu)
        values["capacity"][placed.terms.name] = {
            place: capacity.model_dump(mode="json", exclude_none=True)
            for place, capacity in first_capacity(placed, stack.portfolio.limits).items()
        }
    return Stack.model_validate(values)


def _change_gpu(app: dict[str, Any], before: str, after: str) -> None:
    """The claim of the GPU that leaves takes the place of the one that comes."""
    if before == after:
        return
    claims = app["placement"]["rps_per_replica"]
    claims[before] = app["serving"]["rps_per_replica"]
    app["serving"].update(gpu=after, rps_per_replica=claims.pop(after))


def first_capacity(placed: Placed, limits: PlannerLimits) -> dict[str, Capacity]:
    """Floors for the typical hour and a ceiling for the busiest, by location."""
    terms, then = placed.terms, placed.then
    each = terms.rps_per_replica[then.choice.gpu]
    made = {}
    for place, areas in zip(then.choice.locations, then.served, strict=True):
        typical, busiest = loads(terms, areas)
        needed = replicas(typical, each)
        days = (needed[:WORKDAY_HOURS].reshape(5, 24), needed[WORKDAY_HOURS:].reshape(2, 24))
        need = np.array([day.max(0) for day in days])
        floor = stepped(need, limits.max_changes_a_day)
        made[place] = Capacity(
            floor=Floor(weekday=_whole(floor[0]), weekend=_whole(floor[1])),
            ceiling=int(max(replicas(busiest, each).max(), floor.max())),
            target_utilisation=terms.utilisation,
            expected_replicas=round(float(needed.mean()), 2),
            reason=REASON,
        )
    return made


def _whole(row: Array) -> tuple[int, ...]:
    return tuple(int(value) for value in row)


def edits(before: Stack, after: Stack) -> Edits:
    """The keys of the stack file that change from one to the other, for `stacks.write_keys`."""
    old, new = (
        before.model_dump(mode="json", exclude_none=True),
        after.model_dump(mode="json", exclude_none=True),
    )
    found: Edits = {}
    for name in new["apps"]:
        at = ("config", "fairweather:apps", name)
        for keys in (("regions",), ("edge",), ("serving", "gpu"), ("serving", "rps_per_replica")):
            _edit(found, at, keys, old["apps"][name], new["apps"][name])
        _edit(found, at, ("placement", "rps_per_replica"), old["apps"][name], new["apps"][name])
        capacity = new["capacity"].get(name)
        if capacity != old["capacity"].get(name):
            found["config", "fairweather:capacity", name] = capacity
    return found


def _edit(
    found: Edits,
    at: tuple[str, ...],
    keys: Sequence[str],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    was, becomes = (_at(values, keys) for values in (old, new))
    if was != becomes:
        found[(*at, *keys)] = becomes or None


def _at(values: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        values = (values or {}).get(key)
    return values
