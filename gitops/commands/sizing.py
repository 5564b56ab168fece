"""`fairweather sizing`: what replicas serve and need, measured, beside what the stack file says."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

import stacks
from gitops import evidence, planning, show
from gitops.checkout import stack_file
from gitops.errors import Refusal
from stacks.records import ServingSource, UsageSource

if TYPE_CHECKING:
    from forecasting.sizing.claims import Verdict
    from forecasting.sizing.containers import Advice

STYLES = {"holds": "green", "too high": "bold red", "too low": "yellow", "too little known": "dim"}


def sizing(options: Namespace) -> int:
    """Show a verdict for each service; `--check` exits 1 when a claim is too high."""
    stack = stacks.load(stack_file(options.root, options.stack))
    telemetry = stack.telemetry
    serving, usage = telemetry.serving, telemetry.usage
    if options.serving is not None:
        serving = ServingSource(path=str(Path(options.serving).absolute()))
    if options.usage is not None:
        usage = UsageSource(path=str(Path(options.usage).absolute()))
    if serving is None and usage is None:
        where = f"fairweather:telemetry of {options.stack} names neither serving nor usage"
        raise Refusal(f"{where}; add one there, or give --serving FILE or --usage FILE")
    at = planning.moment(options.at)
    verdicts = claims(stack, serving, options, at) if serving is not None else ()
    advised = planning.advised_requests(options.root, stack, usage, at)
    if options.json:
        told = {
            "claims": [to_dict(verdict) for verdict in verdicts],
            "requests": {" ".join(key): of_advice(advice) for key, advice in advised.items()},
        }
        print(json.dumps(told, indent=1))
    elif advised:
        tell_requests(stack, advised)
    return 1 if options.check and any(v.word == "too high" for v in verdicts) else 0


def claims(
    stack: stacks.Stack, source: ServingSource, options: Namespace, at: datetime | None
) -> tuple[Verdict, ...]:
    """What each claim is worth; shown as a table unless it is for machines."""
    from forecasting.sizing.claims import judge
    from forecasting.telemetry.samples import SERVING, read_samples

    with show.working(f"learning what replicas of {options.stack} serve"):
        samples = read_samples(
            source, SERVING, window_days=stack.telemetry.window_days, at=at, root=options.root
        )
        verdicts = judge(stack, samples)
    if not options.json:
        show.samples(samples, "serving telemetry")
        tell(verdicts)
    return verdicts


def tell_requests(stack: stacks.Stack, advised: Mapping[tuple[str, str], Advice]) -> None:
    """A row for each service: CPU, memory and its limit, before and after, and why."""
    rows = []
    for (app, location), advice in advised.items():
        capacity = stack.capacity.get(app, {}).get(location)
        written = stack.apps[app].serving.resources.as_requests()
        before = (capacity.requests if capacity else None) or written
        after = advice.requests or before
        moved = [
            evidence.arrow(f"{getattr(before, name):g}", f"{getattr(after, name):g}")
            for name in ("cpu", "memory_gib", "memory_limit_gib")
        ]
        rows.append((app, location, *moved, escape(advice.reason)))
    numbers = ("CPU", "memory GiB", "limit GiB")
    show.console.print(show.table(("app", "location", *numbers, "why"), rows, right=numbers))


def of_advice(advice: Advice) -> dict[str, Any]:
    requests = advice.requests and advice.requests.model_dump(mode="json", exclude_none=True)
    return {"changed": advice.changed, "requests": requests, "reason": advice.reason}


def tell(verdicts: tuple[Verdict, ...]) -> None:
    """A row for each service: the claim, what was measured, and the verdict."""
    numbers = ("claimed rps", "measured", "safe", "seen to")
    rows = [
        (
            verdict.app,
            verdict.location,
            f"{verdict.claimed_rps:g}",
            *figures(verdict),
            f"[{STYLES[verdict.word]}]{verdict.word}[/]",
            escape(verdict.detail),
        )
        for verdict in verdicts
    ]
    show.console.print(
        show.table(("app", "location", *numbers, "the claim", "why"), rows, right=numbers)
    )


def figures(verdict: Verdict) -> tuple[str, str, str]:
    """Estimate, safe load and highest load seen, in rps."""
    measured = verdict.measured
    if measured is None:
        return "–", "–", "–"
    least = "" if measured.driven_to_its_limit else "≥ "
    return f"{least}{measured.estimate:.4g}", f"{measured.low:.4g}", f"{measured.seen:.4g}"


def to_dict(verdict: Verdict) -> dict[str, Any]:
    """For machines; the curve as two lists."""
    told = asdict(verdict)
    if told["measured"] is not None:
        loads, latencies = told["measured"].pop("latency_p95_ms")
        told["measured"]["curve"] = {
            "rps": [round(float(x), 4) for x in loads],
            "latency_p95_ms": [round(float(y), 2) for y in latencies],
        }
    return told
