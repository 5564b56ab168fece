"""`fairweather detect`: what is unusual in load, latency and errors, since when, and what moved together."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

import stacks
from gitops import planning, show
from gitops.checkout import stack_file

if TYPE_CHECKING:
    from forecasting.anomalies.streams import Anomaly, Beside, Kind, Stream, Watched
    from stacks.records import Source

MEASURED = "0.4 to 1 a stream-month on steady demand, more where it is bursty"
"""False alarms at the steady threshold; benchmarks/incidents.py measures them."""
MOST_CLOSED = 5


def detect(options: Namespace) -> int:
    """Show open anomalies; `--check` exits 1 when there is one."""
    from forecasting.anomalies.detector import SENSITIVE, STEADY
    from forecasting.anomalies.streams import watch

    threshold = SENSITIVE if options.sensitive else STEADY
    with show.working("looking at every stream"):
        read, notes = from_stack(options) if options.file is None else from_file(options.file)
        watched = watch(read, threshold)
    if options.report:
        from gitops.pages.anomalies import page

        options.report.write_text(page(watched, options.stack or options.file.name, notes), "utf-8")
    if options.json:
        print(json.dumps(to_dict(watched, threshold, notes), indent=1))
    else:
        tell(watched, notes, sensitive=options.sensitive)
    return 1 if options.check and still_open(watched) else 0


def from_stack(options: Namespace) -> tuple[list[Stream], list[str]]:
    """The streams that the stack's telemetry names, and what there is to say about them."""
    from forecasting.anomalies.sources import LAYOUTS, read_kind, streams_of

    stack = stacks.load(stack_file(options.root, options.stack))
    named = stack.telemetry
    own = planning.own_source(stack, options.demand) if options.demand else named.demand
    sources: dict[Kind, str | Path | Source | None] = {
        "load": own,
        "latency": given(options.latency) or named.latency,
        "errors": given(options.errors) or named.errors,
    }
    streams: list[Stream] = []
    notes = []
    for kind, layout in LAYOUTS.items():
        source = sources[kind]
        if source is None:
            notes.append(
                f"{kind} is not watched: name {layout.key} in the stack file, or give --{kind}"
            )
            continue
        delivered = read_kind(
            kind,
            source,
            window_days=named.window_days,
            at=planning.moment(options.at),
            root=options.root,
        )
        streams += streams_of(kind, delivered)
        label = "synthetic " if delivered.synthetic else ""
        notes.append(f"{label}{kind} to {delivered.end:%Y-%m-%d %H:%M} UTC from {delivered.source}")
        notes += [str(f) for f in delivered.findings if f.kind in ("gaps", "stale", "clock")]
    return streams, list(dict.fromkeys(notes))  # what is missing in one source often is in all


def given(file: str | None) -> Path | None:
    """A file relative to where the user stands."""
    return None if file is None else Path(file).absolute()


def from_file(path: Path) -> tuple[list[Stream], list[str]]:
    from forecasting.anomalies.sources import read_file

    streams = read_file(path)
    ends = max(stream.values.index[-1] for stream in streams)
    return streams, [f"values to {ends:%Y-%m-%d %H:%M} UTC from {path}"]


def still_open(watched: Sequence[Watched]) -> list[Anomaly]:
    """Anomalies that go on, the most unusual first."""
    found = [anomaly for one in watched for anomaly in one.anomalies if anomaly.open]
    return sorted(found, key=lambda anomaly: -anomaly.times_threshold)


def tell(watched: Sequence[Watched], notes: Sequence[str], *, sensitive: bool) -> None:
    """What is open, what was, and how often this speaks."""
    for note in notes:
        show.console.print(f"[dim]{escape(note)}[/dim]", soft_wrap=True)
    found = still_open(watched)
    short = sum(one.too_short for one in watched)
    able = len(watched) - short
    if found:
        show.console.print(f"[bold red]{len(found)} open[/bold red] in {able} streams")
        rows = [row(anomaly) for anomaly in found]
        show.console.print(show.table(COLUMNS, rows, right=NUMBERS))
    elif able:
        show.console.print(f"[bold green]nothing unusual[/bold green] in {able} streams")
    if short:
        told = "1 stream is" if short == 1 else f"{short} streams are"
        show.console.print(f"[yellow]{told} too short to say anything: no all-clear[/yellow]")
    closed = [anomaly for one in watched for anomaly in one.anomalies if not anomaly.open]
    for anomaly in sorted(closed, key=lambda a: a.since, reverse=True)[:MOST_CLOSED]:
        span = f"{anomaly.since:%d %b %H:%M} to {anomaly.last:%d %b %H:%M}"
        where = f"{anomaly.kind} of {anomaly.app} at {anomaly.location}"
        show.console.print(f"[dim]over: {escape(where)}, {span}[/dim]")
    if len(closed) > MOST_CLOSED:
        show.console.print(
            f"[dim]… and {len(closed) - MOST_CLOSED} more; --json has them all[/dim]"
        )
    rates = [rate for one in watched if (rate := one.alarms_a_month) is not None]
    if rates:
        mean = f"{sum(rates) / len(rates):.1f} alarms a stream-month so far"
        expected = "" if sensitive else f"; expect {MEASURED}"
        show.console.print(f"[dim]{mean}{expected}[/dim]", soft_wrap=True)


NUMBERS = ("how unusual", "value", "usual then")
COLUMNS = ("what", "app", "location", "since (UTC)", *NUMBERS, "at the same time")


def row(anomaly: Anomaly) -> tuple[str, ...]:
    return (
        anomaly.kind,
        anomaly.app,
        escape(anomaly.location),
        f"{anomaly.since:%Y-%m-%d %H:%M}",
        f"{anomaly.times_threshold:.1f} x threshold",
        figure(anomaly.kind, anomaly.value),
        "–" if anomaly.usual is None else figure(anomaly.kind, anomaly.usual),
        ", ".join(moved(other) for other in anomaly.moved_too) or "nothing else",
    )


def moved(other: Beside) -> str:
    value, normal = figure(other.kind, other.value), figure(other.kind, other.usual)
    return f"{other.kind} {value} (usually {normal})"


def figure(kind: Kind, value: float) -> str:
    """A value with the unit of its stream."""
    if kind == "errors":
        return f"{value:.2%}"
    return f"{value:.4g}" + {"load": " rps", "latency": " ms"}.get(kind, "")


def to_dict(watched: Sequence[Watched], threshold: float, notes: Sequence[str]) -> dict[str, Any]:
    """For machines: every stream and all that was found in it."""
    return {
        "threshold": threshold,
        "notes": list(notes),
        "streams": [
            {
                "kind": one.stream.kind,
                "app": one.stream.app,
                "location": one.stream.location,
                "too_short": one.too_short,
                "alarms_a_month": one.alarms_a_month,
                "anomalies": [
                    {
                        "since": anomaly.since.isoformat(),
                        "last": anomaly.last.isoformat(),
                        "open": anomaly.open,
                        "times_threshold": round(anomaly.times_threshold, 3),
                        "value": anomaly.value,
                        "usual": anomaly.usual,
                        "moved_too": [asdict(other) for other in anomaly.moved_too],
                    }
                    for anomaly in one.anomalies
                ],
            }
            for one in watched
        ],
    }
