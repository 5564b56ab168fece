"""The report of a plan: one HTML page that opens offline, forecast against capacity per service."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitops import evidence
from gitops.pages import chart, typical
from gitops.pages.template import filled

if TYPE_CHECKING:
    from forecasting.capacity.planner import ServicePlan
    from forecasting.capacity.replay import Replayed
    from gitops.planning import Planned
    from stacks import App, Capacity

PAST_DAYS = 14
LOWEST, HIGHEST = 0.5, 0.99
COVERED = (0.5, 0.95, 0.99)
MOST_MISSES = 3
MOST_SPEAKERS = 4


def page(planned: Planned) -> str:
    """The whole page as text."""
    demand = planned.demand
    return filled(
        "plan",
        portfolio=planned.stack.portfolio.name,
        stack=planned.name,
        at=f"{planned.plan.at:%d %b %Y %H:%M} UTC",
        window=f"of {demand.days:.0f} days, {demand.start:%d %b} to {demand.end:%d %b %Y}",
        synthetic=demand.synthetic,
        tiles=tiles(planned),
        rows=[row(service, planned) for service in planned.plan.services],
        findings=[str(finding) for finding in demand.findings],
        evidence=evidence.trailers(planned),
        again=evidence.again(planned),
    )


def tiles(planned: Planned) -> list[dict[str, str]]:
    """The figures at the top."""
    before, after = evidence.cost(planned)
    services = planned.plan.services
    changed = sum(service.status in ("changed", "new") for service in services)
    stayed = [service for service in services if service.status in ("kept", "held")]
    told = []
    if before is not None and after is not None:
        tone = "good" if after <= before else "bad"
        share = f"{(after - before) / before:+.0%}" if before else "new"
        note = f"from ${before:,.0f} to ${after:,.0f}"
        told.append({"label": "capacity cost a month", "value": share, "note": note, "tone": tone})
    told.append(tile("services", f"{changed} of {len(services)}", "change in this plan"))
    told.append(tile("left alone", f"{len(stayed)}", "kept or held; the reason is below"))
    missing = evidence.unpriced(planned)
    if missing:
        told.append(tile("without a price", f"{len(missing)}", "not in the cost above"))
    return told


def tile(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note, "tone": ""}


def row(service: ServicePlan, planned: Planned) -> dict[str, Any]:
    """What the template shows of one service."""
    app = planned.stack.apps[service.app]
    before, after = service.before, service.after
    standing = after or before
    return {
        "anchor": f"{service.app}-{service.location}".replace(":", "-"),
        "app": service.app,
        "location": service.location,
        "status": service.status,
        "peak": "no data" if service.peak_rps is None else f"{service.peak_rps:,.0f}",
        "floor_before": evidence.span(before) if before else "–",
        "floor_after": evidence.span(after) if after else "–",
        "ceiling": standing.ceiling if standing else "–",
        "cost_before": dollars(service.usd_month_before),
        "cost_after": dollars(service.usd_month_after),
        "reason": service.reason,
        "serving": serving(app),
        "chart": picture(service, app),
        "days": typical.days(service, app),
        "wrong": wrong(service),
        "spoken": spoken(service),
        "replay": [replay_row(policy) for policy in service.replay],
        "findings": [str(finding) for finding in service.findings],
    }


def serving(app: App) -> str:
    per_replica = f"{app.serving.rps_per_replica:g} rps a replica"
    if app.serving.target == "gpu":
        return f"{app.serving.gpu.upper()}, {per_replica}, {app.serving.cold_start_minutes:g} min cold start"
    return f"serverless, {per_replica}"


def dollars(amount: float | None) -> str:
    return "no price" if amount is None else f"{amount:,.0f}"


def replay_row(policy: Replayed) -> dict[str, Any]:
    return {
        "name": policy.name,
        "ours": policy.ours,
        "replica_hours": f"{policy.replica_hours:,.0f}",
        "usd": dollars(policy.usd),
        "shortfall": f"{policy.shortfall:.2%}",
        "peak": f"{policy.peak:.0f}",
        "tone": "",
    }


def wrong(service: ServicePlan) -> dict[str, Any] | None:
    """How often demand stayed below the forecasts of the days before, and the worst hours."""
    seen = service.hindsight
    covered = {level: seen.covered(level) for level in COVERED}
    if any(share is None for share in covered.values()):
        return None
    return {
        "days": len(seen.hours) // 24,
        "covered": [f"{share:.1%} below the {level:.0%} line" for level, share in covered.items()],
        "misses": [
            f"{miss.at:%a %d %b %H:%M}: {miss.asked_rps:,.0f} rps came, {miss.expected_rps:,.0f} at "
            f"{HIGHEST:.0%} was expected"
            for miss in seen.misses(HIGHEST, MOST_MISSES)
        ],
    }


def spoken(service: ServicePlan) -> dict[str, str] | None:
    """Whose word the forecast is, and what speaks against it."""
    if service.spoken is None:
        return None
    heaviest = service.spoken.experts[:MOST_SPEAKERS]
    return {
        "who": ", ".join(f"{name} {weight:.0%}" for name, weight in heaviest),
        "warnings": "; ".join(service.spoken.warnings),
    }


def picture(service: ServicePlan, app: App) -> Any:
    """Demand of the last days and the forecast, in requests a second, with the capacity in steps."""
    from markupsafe import Markup

    history, forecast = service.history.iloc[-PAST_DAYS * 24 :], service.forecast
    if history.empty:
        return Markup('<p class="soft">no telemetry</p>')
    past, ahead = len(history), len(forecast)
    start = history.index[0].to_pydatetime()
    times = [start + timedelta(hours=hour) for hour in range(past + ahead)]
    gap = [math.nan] * past
    lines = [
        chart.Line("demand", [*map(float, history), *[math.nan] * ahead], "demand"),
    ]
    bands = []
    told = service.hindsight.hours.reindex(history.index)
    dots = told["demand"].where(told["demand"] > told[HIGHEST])
    marks = chart.Dots("above the 99 % forecast of the day before", dots.tolist(), "miss")
    if told[LOWEST].notna().any():
        low, high = (told[level].tolist() for level in (LOWEST, HIGHEST))
        bands.append(chart.Band("forecast of the day before, 50 to 99 %", low, high, "told"))
    if ahead:
        low, high = (forecast[level].tolist() for level in (LOWEST, HIGHEST))
        lines.append(chart.Line("forecast, median", [*gap, *low], "median"))
        bands.append(chart.Band("forecast, 50 to 99 %", [*gap, *low], [*gap, *high], "fan"))
    per_replica = app.serving.rps_per_replica
    for label, capacity, style in (
        ("floor that stood", service.before, "old"),
        ("floor planned", service.after, "floor"),
    ):
        if capacity is not None:
            lines.append(chart.Line(label, steps(capacity, times, per_replica), style, steps=True))
    if service.after is not None:
        ceiling = [service.after.ceiling * per_replica] * len(times)
        lines.append(chart.Line("ceiling", ceiling, "ceiling"))
    return Markup(  # noqa: S704  (chart.py escapes what it is given)
        chart.time_chart(start, lines, bands, marks, now_index=past, unit="rps")
    )


def steps(capacity: Capacity, times: Sequence[datetime], per_replica: float) -> list[float]:
    """The floor at each hour, in requests a second."""
    floor = capacity.floor
    return [
        (floor.weekend if at.weekday() >= 5 else floor.weekday)[at.hour] * per_replica
        for at in times
    ]
