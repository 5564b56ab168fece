"""The evidence that goes with a plan: commit trailers, the pull request's text, and JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gitops.git import PASSWORD

if TYPE_CHECKING:
    from forecasting.capacity.contest import Contest, Verdict
    from forecasting.capacity.planner import ServicePlan
    from forecasting.capacity.replay import Replayed
    from gitops.planning import Planned
    from stacks import Stack

MINUTES = "%Y-%m-%dT%H:%MZ"
CAPACITY_SHA256 = "Fairweather-Capacity-Sha256"
"""The trailer by which a commit of the planner's is known."""


def subject(planned: Planned) -> str:
    """The first line of the commit: what changes for whom, and by how much."""
    changed = [service for service in planned.plan.services if service.status in ("changed", "new")]
    apps = list(dict.fromkeys(service.app for service in changed))
    names = ", ".join(apps[:3]) + (f" and {len(apps) - 3} more" if len(apps) > 3 else "")
    before, after = cost(planned)
    share = f" ({(after - before) / before:+.0%} cost)" if before and after is not None else ""
    return f"chore({planned.name}): right-size {names or 'nothing'}{share}"


def body(planned: Planned) -> str:
    """One line a service that changes or that the planner left alone for a reason; the replay."""
    lines = [line(service) for service in planned.plan.services if service.status != "unchanged"]
    held = replay_contest(planned)
    if held.total:
        lines += ["", f"{together(held)}:"]
        for row in held.total:
            lines.append(
                f"  {row.name:15}{row.replica_hours:>10,.0f} replica-hours "
                f"{row.shortfall:>7.2%} dropped  peak {row.peak:,}"
            )
    return "\n".join(lines)


def together(held: Contest) -> str:
    """`Replay, 9 services together: -31% cost at 0.2% shortfall (wins 7 of 9)`."""
    count = len(held.verdicts) - len(held.left_out)
    assert held.verdict is not None
    return (
        f"Replay, {count} {'service' if count == 1 else 'services together'}: "
        f"{held.verdict.reason} (wins {held.won} of {count})"
    )


def replay_contest(planned: Planned) -> Contest:
    """What all services of the plan together would have cost and dropped."""
    from forecasting.capacity.contest import contest

    services = {(one.app, one.location): one.replay for one in planned.plan.services}
    return contest(services, promises(planned.stack))


def promises(stack: Stack) -> dict[tuple[str, str], float]:
    return {service: stack.apps[service[0]].slo.max_shortfall for service in stack.services()}


def line(service: ServicePlan) -> str:
    return f"{service.app} {service.location}: {moved(service)} {service.reason}"


def moved(service: ServicePlan) -> str:
    """`floor 8 -> 2-6, ceiling 12 -> 9;`, or nothing where nothing moves."""
    before, after = service.before, service.after
    if after is None or before == after:
        return f"{service.status};"
    floors = becomes(None if before is None else span(before), span(after))
    ceilings = becomes(None if before is None else str(before.ceiling), str(after.ceiling))
    return f"floor {floors}, ceiling {ceilings};"


def becomes(before: str | None, after: str) -> str:
    return after if before in (None, after) else f"{before} -> {after}"


def span(capacity: Any) -> str:
    """`2-6`: the least and the most of the floor; one number where it does not move."""
    least, peak = capacity.floor.least, capacity.floor.peak
    return f"{least}" if least == peak else f"{least}-{peak}"


def cost(planned: Planned) -> tuple[float | None, float | None]:
    """USD a month before and after, over the services that have a price on both sides.

    None where no service has one; `unpriced` names those that are left out.
    """
    pairs = [
        (service.usd_month_before, service.usd_month_after)
        for service in planned.plan.services
        if service.usd_month_before is not None and service.usd_month_after is not None
    ]
    if not pairs:
        return None, None
    return sum(before for before, _ in pairs), sum(after for _, after in pairs)


def unpriced(planned: Planned) -> list[str]:
    """Services without a price: named, never counted as zero."""
    return [
        f"{service.app} {service.location}"
        for service in planned.plan.services
        if service.after is not None and service.usd_month_after is None
    ]


def trailers(planned: Planned) -> dict[str, str]:
    """From what, by what and with which effect the numbers were made; enough to make them again."""
    demand, (before, after) = planned.demand, cost(planned)
    told = {
        "Fairweather-Stack": planned.name,
        "Fairweather-Planned-At": planned.plan.at.strftime(MINUTES),
        "Fairweather-Model": planned.plan.model,
        "Fairweather-Data-Source": public(demand.source),
        "Fairweather-Data-Window": f"{demand.start:{MINUTES}}/{demand.end:{MINUTES}}",
        "Fairweather-Data-Sha256": demand.sha256,
        "Fairweather-Prices": planned.prices,
        CAPACITY_SHA256: capacity_sha256(planned),
    }
    if demand.synthetic:
        told["Fairweather-Synthetic"] = "true"
    if before is not None and after is not None:
        told["Fairweather-Cost-Before"] = f"{before:.0f} USD/month"
        told["Fairweather-Cost-After"] = f"{after:.0f} USD/month"
    missing = unpriced(planned)
    if missing:
        told["Fairweather-Unpriced"] = ", ".join(missing)
    return told


def public(source: str) -> str:
    """Without the user and password that an address may carry: pull requests are read by many."""
    return PASSWORD.sub("", source)


def capacity_sha256(planned: Planned) -> str:
    """Of the planned capacity in a canonical form: the same plan has the same digest."""
    capacity = {
        app: {place: item.model_dump(mode="json") for place, item in places.items()}
        for app, places in planned.plan.capacity().items()
    }
    text = json.dumps(capacity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def again(planned: Planned) -> str:
    """The command that makes the same plan."""
    source = planned.stack.telemetry.demand
    stated = planned.demand.source in (source.path, source.url)
    given = "" if stated else f" --demand {public(planned.demand.source)}"
    return f"fairweather plan {planned.name}{given} --at {planned.plan.at:{MINUTES}}"


def markdown(planned: Planned) -> str:
    """The text of a pull request: the effect first, a row a service, then the evidence."""
    before, after = cost(planned)
    parts = []
    if before is not None and after is not None:
        share = f", **{(after - before) / before:+.0%}**" if before else ""
        parts.append(f"Capacity cost **${before:,.0f} → ${after:,.0f} a month**{share}.")
    if planned.demand.synthetic:
        parts.append("⚠ Planned from **synthetic** demand.")
    head = "| app | location | peak demand | floor | ceiling | USD a month | why |\n|---|---|--:|--:|--:|--:|---|"
    rows = [row(service) for service in planned.plan.services if service.status != "unchanged"]
    same = sum(service.status == "unchanged" for service in planned.plan.services)
    parts.append("\n".join([head, *rows]))
    if same:
        parts.append(f"{same} more services stay as they are.")
    missing = unpriced(planned)
    if missing:
        parts.append(f"Without a price, so not in the sum: {', '.join(missing)}.")
    if (held := replay_contest(planned)).total:
        head = "| rule | replica-hours | demand dropped | peak replicas |\n|---|--:|--:|--:|"
        rules = [
            f"| {row.name} | {row.replica_hours:,.0f} | {row.shortfall:.2%} | {row.peak:,} |"
            for row in held.total
        ]
        parts.append("\n".join([f"{together(held)}.", "", head, *rules]))
    evidence = "\n".join(f"| {key} | `{value}` |" for key, value in trailers(planned).items())
    parts.append(
        "<details><summary>Evidence</summary>\n\n| | |\n|---|---|\n"
        f"{evidence}\n\nThe same inputs give the same numbers: `{again(planned)}`\n</details>"
    )
    return "\n\n".join(parts) + "\n"


def row(service: ServicePlan) -> str:
    floors, ceilings = bounds(service)
    usd = arrow(
        *(
            None if x is None else f"${x:,.0f}"
            for x in (service.usd_month_before, service.usd_month_after)
        )
    )
    peak = "no data" if service.peak_rps is None else f"{service.peak_rps:,.0f} rps"
    return f"| {service.app} | {service.location} | {peak} | {floors} | {ceilings} | {usd} | {cell(service.reason)} |"


def cell(text: str) -> str:
    """Text that stays inside its cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def bounds(service: ServicePlan) -> tuple[str, str]:
    """Floor and ceiling before and after, as `8 → 2-6` and `12 → 9`."""
    pair = (service.before, service.after)
    floors = [span(capacity) if capacity else None for capacity in pair]
    ceilings = [str(capacity.ceiling) if capacity else None for capacity in pair]
    return arrow(*floors), arrow(*ceilings)


def arrow(before: str | None, after: str | None) -> str:
    """`8 → 2-6`; one value where both are the same, a dash where there is none."""
    if before == after:
        return after or "–"
    return f"{before or '–'} → {after or '–'}"


def to_dict(planned: Planned) -> dict[str, Any]:
    """For `--json`: every number, missing ones as null."""
    before, after = cost(planned)
    return {
        "stack": planned.name,
        "file": str(planned.file),
        "stale": bool(planned.diff),
        "evidence": trailers(planned),
        "usd_month_before": before,
        "usd_month_after": after,
        "unpriced": unpriced(planned),
        "telemetry": [str(finding) for finding in planned.demand.findings],
        "replay": of_contest(replay_contest(planned)),
        "services": [of_service(service) for service in planned.plan.services],
        "diff": planned.diff,
    }


def of_contest(held: Contest) -> dict[str, Any]:
    """For `--json`: the portfolio's rows and verdict, and each service's verdict."""
    return {
        "total": replayed(held.total),
        "verdict": of_verdict(held.verdict),
        "won": held.won,
        "left_out": [" ".join(service) for service in held.left_out],
        "unpriced": [" ".join(service) for service in held.unpriced],
        "verdicts": {" ".join(service): of_verdict(one) for service, one in held.verdicts.items()},
    }


def of_verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    return None if verdict is None else {"won": verdict.won, "reason": verdict.reason}


def of_service(service: ServicePlan) -> dict[str, Any]:
    return {
        "app": service.app,
        "location": service.location,
        "status": service.status,
        "reason": service.reason,
        "peak_rps": service.peak_rps,
        "before": service.before and service.before.model_dump(mode="json"),
        "after": service.after and service.after.model_dump(mode="json"),
        "usd_month_before": service.usd_month_before,
        "usd_month_after": service.usd_month_after,
        "spoken": spoken(service),
        "replay": replayed(service.replay),
        "findings": [str(finding) for finding in service.findings],
    }


def spoken(service: ServicePlan) -> dict[str, Any] | None:
    """Whose word the forecast is, how it has held, and what speaks against it; null without telemetry."""
    if service.spoken is None:
        return None
    levels = map(float, service.hindsight.hours.columns[1:])  # the first is what was asked for
    return {
        "experts": dict(service.spoken.experts),
        "coverage": {f"{level:g}": service.hindsight.covered(level) for level in levels},
        "warnings": list(service.spoken.warnings),
    }


def replayed(rows: Iterable[Replayed]) -> list[Mapping[str, Any]]:
    import dataclasses

    return [dataclasses.asdict(row) for row in rows]
