"""`fairweather sizing`: what replicas serve and need, measured, beside what the stack file says."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

import stacks
from gitops import planning, show
from gitops.checkout import stack_file
from gitops.errors import Refusal
from stacks.records import ServingSource

if TYPE_CHECKING:
    from forecasting.sizing.claims import Verdict

STYLES = {"holds": "green", "too high": "bold red", "too low": "yellow", "too little known": "dim"}


def sizing(options: Namespace) -> int:
    """Show a verdict for each service; `--check` exits 1 when a claim is too high."""
    from forecasting.sizing.claims import judge
    from forecasting.telemetry.samples import SERVING, read_samples

    stack = stacks.load(stack_file(options.root, options.stack))
    source = stack.telemetry.serving
    if options.serving is not None:
        source = ServingSource(path=str(Path(options.serving).absolute()))
    if source is None:
        where = f"fairweather:telemetry of {options.stack} names no serving telemetry"
        raise Refusal(f"{where}; add `serving` there, or give --serving FILE")
    with show.working(f"learning what replicas of {options.stack} serve"):
        samples = read_samples(
            source,
            SERVING,
            window_days=stack.telemetry.window_days,
            at=planning.moment(options.at),
            root=options.root,
        )
        verdicts = judge(stack, samples)
    if options.json:
        print(json.dumps([to_dict(verdict) for verdict in verdicts], indent=1))
    else:
        show.samples(samples, "serving telemetry")
        tell(verdicts)
    return 1 if options.check and any(v.word == "too high" for v in verdicts) else 0


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
