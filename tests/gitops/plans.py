"""A plan by hand, for what is done with plans: a given app gets a given ceiling."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

import stacks
from forecasting.capacity.hindsight import hindsight
from forecasting.capacity.planner import Plan, ServicePlan, Status
from forecasting.telemetry.demand import Demand
from gitops import planning
from gitops.checkout import stack_file
from gitops.planning import Planned

END = datetime(2026, 11, 24, tzinfo=UTC)


def demand() -> Demand:
    hours = pd.date_range(end=END, periods=2, freq="h")
    columns = pd.MultiIndex.from_tuples([("camera", "aws:us-east-1")], names=("app", "location"))
    frame = pd.DataFrame(np.ones((2, 1)), hours, columns)
    return Demand(frame, frame, (), hours[0].to_pydatetime(), END, "build/demand.csv", False)


class Planner:
    """Stands where `planning.make` stands; `ceilings` is what it would plan, app -> replicas."""

    def __init__(self, **ceilings: int) -> None:
        self.ceilings = ceilings
        self.asked: list[dict] = []

    def make(self, root: Path, name: str, *, holds=None, **asked) -> Planned:
        self.asked.append(asked)
        file = stack_file(root, name)
        stack = planning.held(stacks.load(file), holds or {})
        services = tuple(self.service(stack, app, place) for app, place in stack.services())
        plan = Plan(END, (END, END), services, "by hand")
        diff = stacks.write_capacity(file, plan.capacity(), dry_run=True)
        return Planned(name, file, stack, demand(), plan, "2026-11", diff)

    def service(self, stack: stacks.Stack, app: str, place: str) -> ServicePlan:
        before, hold = stack.capacity[app][place], stack.apps[app].hold
        ceiling = self.ceilings.get(app, before.ceiling)
        status: Status = "unchanged"
        after, reason = before, before.reason
        if hold is not None and hold.until >= datetime.now(UTC).date():
            status, reason = "held", f"held until {hold.until}: {hold.reason}"
        elif ceiling != before.ceiling:
            status, reason = "changed", f"planned {ceiling}"
            after = before.model_copy(update={"ceiling": ceiling, "reason": reason})
        nothing = pd.Series(dtype=float)
        return ServicePlan(
            app=app,
            location=place,
            before=before,
            after=after,
            status=status,
            reason=reason,
            peak_rps=100.0,
            forecast=pd.DataFrame(),
            history=nothing,
            replay=(),
            hindsight=hindsight(nothing, (), 0),
            spoken=None,
            usd_month_before=1000.0,
            usd_month_after=900.0 if status == "changed" else 1000.0,
            findings=(),
        )
