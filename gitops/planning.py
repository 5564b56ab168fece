"""From demand to the numbers in the stack file; nothing here tells or asks anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import stacks
from gitops.checkout import stack_file
from gitops.errors import Refusal
from stacks.records import Hold, Source, UsageSource

if TYPE_CHECKING:
    from forecasting.capacity.planner import Plan
    from forecasting.parallel import Workers
    from forecasting.sizing.containers import Advice
    from forecasting.telemetry import Demand, Finding


@dataclass(frozen=True)
class Planned:
    """One plan for one stack file, and what it was made from."""

    name: str
    file: Path
    stack: stacks.Stack
    demand: Demand
    plan: Plan
    prices: str
    """The edition of the price book."""
    diff: str
    """What writing the plan would change in the file; '' for nothing."""

    def write(self) -> None:
        """Rewrite the capacity in the stack file."""
        stacks.write_capacity(self.file, self.plan.capacity())


def moment(text: str | None) -> datetime | None:
    """A time as people type it, in UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--at {text}: not a time; write it as 2026-11-24T06:00") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def read_demand(
    root: Path, stack: stacks.Stack, given: str | None, at: datetime | None, days: int | None = None
) -> Demand:
    """The stack's demand from `given` or, without it, from where the stack file says."""
    from forecasting import telemetry

    source = stack.telemetry.demand if given is None else own_source(stack, given)
    return telemetry.read(source, window_days=days or stack.telemetry.window_days, at=at, root=root)


def own_source(stack: stacks.Stack, given: str) -> str | Path | Source:
    """A file relative to where the user stands, or another Prometheus for the stack's query."""
    if not given.startswith(("http://", "https://")):
        return Path(given).absolute()
    query = stack.telemetry.demand.query
    if query is None:
        raise Refusal(f"--demand {given}: the stack file has no query under telemetry; add one")
    return Source(url=given, query=query)


def make(
    root: Path,
    name: str,
    *,
    demand: str | None = None,
    at: datetime | None = None,
    prices: Path | None = None,
    data: Path | None = None,
    holds: Mapping[str, Hold] | None = None,
    workers: Workers | None = None,
) -> Planned:
    """Plan one stack; nothing is written.

    Args:
        root: the checkout with the stack file.
        name: of the stack.
        demand: a file or an address instead of the stack file's own.
        at: the time of planning; None is now, or the end of a file's data.
        prices: the user's own price list.
        data: the folder that the stack file's paths are relative to, if it is not `root`.
        holds: apps that are held though they have no `hold` of their own.
        workers: who forecasts and replays, from `crew`; None is this process.
    """
    from finops.unit_price import unit_prices
    from forecasting.capacity import planner
    from policypacks.guardrails.pricing.book import PriceBook

    file = stack_file(root, name)
    stack = stacks.load(file)
    stack = held(stack, holds or {})
    measured = read_demand(data or root, stack, demand, at)
    book = PriceBook.load(prices)
    plan = planner.plan(stack, measured, unit_prices(stack, book), at=at, workers=workers)
    plan = with_findings(plan, refuted_claims(data or root, stack, at))
    plan = with_requests(plan, stack, data or root, at)
    diff = stacks.write_capacity(file, plan.capacity(), dry_run=True)
    return Planned(name, file, stack, measured, plan, book.edition, diff)


def refuted_claims(root: Path, stack: stacks.Stack, at: datetime | None) -> tuple[Finding, ...]:
    """What serving telemetry says against the claims of the stack file.

    The plan stands on the claims and not on this telemetry: where it cannot be read, that is said.
    """
    from forecasting.sizing.claims import claims
    from forecasting.telemetry import Finding, TelemetryError
    from forecasting.telemetry.samples import SERVING, read_samples

    telemetry = stack.telemetry
    if telemetry.serving is None:
        return ()
    try:
        samples = read_samples(
            telemetry.serving, SERVING, window_days=telemetry.window_days, at=at, root=root
        )
    except TelemetryError as error:
        return (Finding("no telemetry", f"rps_per_replica is not checked: {error}"),)
    return claims(stack, samples)


def with_requests(plan: Plan, stack: stacks.Stack, root: Path, at: datetime | None) -> Plan:
    """The plan with CPU and memory as measured; without usage telemetry with those that stand."""
    from forecasting.telemetry import Finding, TelemetryError

    advised: dict[tuple[str, str], Advice] = {}
    try:
        advised = advised_requests(root, stack, stack.telemetry.usage, at)
    except TelemetryError as error:
        detail = f"requests are kept as they stand: {error}"
        plan = with_findings(plan, (Finding("no telemetry", detail),))
    services = []
    for service in plan.services:
        before, after = service.before, service.after
        advice = advised.get((service.app, service.location))
        if after is not None and advice and advice.changed and service.status != "held":
            after = after.model_copy(update={"requests": advice.requests})
            status = "changed" if service.status in ("unchanged", "kept") else service.status
            reason = f"requests: {advice.reason}; {service.reason}"
            service = replace(service, after=after, status=status, reason=reason)  # noqa: PLW2901
        elif after is not None and before is not None and before.requests is not None:
            after = after.model_copy(update={"requests": before.requests})
            service = replace(service, after=after)  # noqa: PLW2901
        services.append(service)
    return replace(plan, services=tuple(services))


def advised_requests(
    root: Path, stack: stacks.Stack, source: UsageSource | None, at: datetime | None
) -> dict[tuple[str, str], Advice]:
    """By app and location, for the services that have usage telemetry; TelemetryError as read."""
    from forecasting.sizing.containers import advise
    from forecasting.telemetry.samples import USAGE, read_samples, usage_of

    if source is None:
        return {}
    samples = read_samples(source, USAGE, window_days=stack.telemetry.window_days, at=at, root=root)
    found = {}
    for app, location in stack.services():
        usage = usage_of(samples, app, location)
        capacity = stack.capacity.get(app, {}).get(location)
        if len(usage):
            found[app, location] = advise(
                usage,
                stack.apps[app],
                location,
                capacity.requests if capacity else None,
                least_days=stack.portfolio.limits.min_history_days,
            )
    return found


def with_findings(plan: Plan, found: tuple[Finding, ...]) -> Plan:
    """The plan with more findings, each at the service that it is about."""
    services = tuple(
        replace(
            service,
            findings=service.findings
            + tuple(f for f in found if (f.app, f.location) == (service.app, service.location)),
        )
        for service in plan.services
    )
    of_source = tuple(finding for finding in found if finding.app is None)
    return replace(plan, services=services, findings=plan.findings + of_source)


def held(stack: stacks.Stack, holds: Mapping[str, Hold]) -> stacks.Stack:
    """The stack with these holds; an app's own goes first, also one that is over."""
    apps = {
        name: app if app.hold or name not in holds else app.model_copy(update={"hold": holds[name]})
        for name, app in stack.apps.items()
    }
    return stack.model_copy(update={"apps": apps})
