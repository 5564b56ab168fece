"""`fairweather spend`: the running month against its budgets, and days that cost too much."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.text import Text

import stacks
from gitops import show
from gitops.checkout import stack_file
from gitops.errors import Refusal
from gitops.planning import moment
from stacks.errors import shown

if TYPE_CHECKING:
    from finops.billing import Billing
    from finops.month import Month

SYNTHETIC_DAYS = 120
PARTS = ("*.parquet", "*.csv", "*.csv.gz")
MOST_ANOMALIES = 8


def spend(options: Namespace) -> int:
    """Tell the month by app, team or model; `--check` exits 1 where somebody should look."""
    from finops import allocation, billing, month

    stack = stacks.load(stack_file(options.root, options.stack))
    at = moment(options.at)
    if options.synthesize:
        return synthesize(stack, options.synthesize, at, options.seed)
    files = billing_files(options, stack)
    with show.working(f"summing {len(files)} billing files"):
        read = billing.read(files, at=at, lag_hours=options.lag_hours)
        rows = allocation.allocate(read.daily, stack, options.shared_by)
        months = month.months(read, rows, stack, options.by)
    if options.report:
        from gitops.pages.spend import page

        told = page(options.stack, options.by, read, months, row)
        options.report.write_text(told, encoding="utf-8")
    if options.json:
        print(json.dumps(to_dict(options, read, months), indent=1))
    else:
        tell(options, read, months)
    if not options.check:
        return 0
    problems = list(alarms(months, options.overrun_probability))
    for problem in problems:
        print(problem, file=sys.stderr if options.json else sys.stdout)
    return 1 if problems else 0


def billing_files(options: Namespace, stack: stacks.Stack) -> list[Path]:
    """What `--billing` names, or the stack file's telemetry.spend; a folder stands for its parts."""
    given: list[Path] = [path.absolute() for path in options.billing or ()]
    source = stack.telemetry.spend
    if not given and source is None:
        raise Refusal(
            f"the stack {options.stack} has no telemetry.spend; give --billing FILE, add its path "
            f"to the stack file, or try `fairweather spend {options.stack} --synthesize FILE`"
        )
    if not given and source is not None:
        if source.path is None:
            raise Refusal(
                "telemetry.spend.url: billing is read from files; export it and give its path"
            )
        given = [options.root / source.path]
    files: list[Path] = []
    for path in given:
        parts = (
            sorted({part for form in PARTS for part in path.glob(form)})
            if path.is_dir()
            else [path]
        )
        if not parts:
            raise Refusal(f"{shown(path)}: has no {', '.join(PARTS)} in it; name the export")
        files += parts
    return files


def synthesize(stack: stacks.Stack, path: Path, at: datetime | None, seed: int) -> int:
    """Write billing to try things with."""
    from finops import synthetic_billing
    from finops.unit_price import unit_prices
    from policypacks.guardrails.pricing.book import PriceBook

    prices = unit_prices(stack, PriceBook.load(None))
    end = at or datetime.now(UTC)
    table = synthetic_billing.generate(stack, prices, days=SYNTHETIC_DAYS, end=end, seed=seed)
    synthetic_billing.write(table, path)
    print(f"{path}: {len(table):,} rows of synthetic billing (FOCUS columns), seed {seed}")
    return 0


def tell(options: Namespace, read: Billing, months: Sequence[Month]) -> None:
    """Tables for people."""
    whole = months[0]
    label = "synthetic billing" if read.synthetic else "billing"
    show.console.print(
        f"[bold]{label}[/bold] of {whole.month:%B %Y} to {whole.spent_until:%d %b}, "
        f"{whole.history_days} days of history, USD  [dim]{escape(', '.join(read.files))}[/dim]"
    )
    for finding in read.findings:
        show.console.print(Text(f"  ! {finding}", style="yellow"))
    numbers = ("spent", "month end", "90 %", "budget", "burn", "overrun")
    show.console.print(
        show.table(
            (options.by, *numbers, "runs out"), [row(line) for line in months], right=numbers
        )
    )
    show.console.print("[dim]burn: share of the budget used over share of the month gone[/dim]")
    notes: dict[str, list[str]] = {}
    for line in months:
        notes.setdefault(line.note, []).append(line.name)
    for note, names in notes.items():
        if note:
            who = "every line" if len(names) == len(months) else ", ".join(names)
            show.console.print(Text(f"  {who}: {note}", style="dim"))
    told = [(line.name, anomaly) for line in months for anomaly in line.anomalies]
    if told:
        show.console.print("\n[bold]days that cost more than they should[/bold], last 30 days")
        found = sorted(told, key=lambda one: (one[1].day, one[1].score), reverse=True)
        rows = [
            (name, f"{a.day:%a %d %b}", f"{a.expected_usd:,.0f}", f"{a.actual_usd:,.0f}",
             f"{a.actual_usd / a.expected_usd - 1:+.0%}", a.moved)
            for name, a in found[:MOST_ANOMALIES]
        ]  # fmt: skip
        columns = (options.by, "day", "expected", "actual", "above", "what moved most")
        show.console.print(show.table(columns, rows, right=("expected", "actual", "above")))
        if len(found) > MOST_ANOMALIES:
            show.console.print(
                f"[dim]… and {len(found) - MOST_ANOMALIES} more; --json has them all[/dim]"
            )


def row(line: Month) -> tuple[str, ...]:
    """One line of the table; what is not known is a dash, what is likely too much is red."""
    total, probability = line.forecast, line.overrun_probability
    overrun = "–" if probability is None else share(probability)
    if probability is not None and probability > 0.5:
        overrun = f"[red]{overrun}[/red]"
    return (
        f"[bold]{line.name}[/bold]" if line.name == "all" else escape(line.name),
        f"{line.spent_usd:,.0f}" if line.month_gone else "–",
        "–" if total is None else f"{total.mean:,.0f}",
        "–" if total is None else f"{total.low:,.0f} to {total.high:,.0f}",
        "–" if line.budget_usd is None else f"{line.budget_usd:,.0f}",
        "–" if line.burn is None else f"{line.burn:.2f}",
        overrun,
        "–" if line.runs_out is None else f"{line.runs_out:%d %b}",
    )


def share(probability: float) -> str:
    """Never 0 % or 100 % of what is only likely; 100 % is spent already."""
    if probability < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < probability < 1 else f"{probability:.0%}".replace("%", " %")


def alarms(months: Sequence[Month], probability: float) -> list[str]:
    """What `--check` fails for, one line each."""
    found = []
    for line in months:
        likely = line.overrun_probability
        if likely is not None and likely > probability and line.forecast is not None:
            when = f", on {line.runs_out:%d %b}" if line.runs_out else ""
            found.append(
                f"{line.name}: {share(likely)} likely above its budget of {line.budget_usd:,.0f} USD"
                f"{when}; month end {line.forecast.mean:,.0f} USD"
            )
        found += [
            f"{line.name}: {a.day:%d %b} cost {a.actual_usd:,.0f} USD, {a.expected_usd:,.0f} expected; {a.moved}"
            for a in line.anomalies
            if a.open
        ]
    return found


def to_dict(options: Namespace, read: Billing, months: Sequence[Month]) -> dict[str, Any]:
    """For `--json`: USD."""
    return {
        "stack": options.stack, "by": options.by, "shared_by": options.shared_by, "currency": "USD",
        "month": f"{months[0].month:%Y-%m}", "complete_until": f"{read.complete_until:%Y-%m-%d}",
        "synthetic": read.synthetic, "files": list(read.files), "findings": list(read.findings),
        "lines": [line_dict(line) for line in months],
    }  # fmt: skip


def line_dict(line: Month) -> dict[str, Any]:
    total = line.forecast
    return {
        "name": line.name,
        "spent": round(line.spent_usd, 2),
        "month_end": None if total is None else {
            "mean": round(total.mean, 2), "low": round(total.low, 2), "high": round(total.high, 2),
        },
        "budget": line.budget_usd,
        "burn": rounded(line.burn),
        "overrun_probability": rounded(line.overrun_probability),
        "runs_out": line.runs_out and line.runs_out.isoformat(),
        "history_days": line.history_days,
        "note": line.note,
        "anomalies": [
            {"day": a.day.isoformat(), "score": round(a.score, 2), "expected": round(a.expected_usd, 2),
             "actual": round(a.actual_usd, 2), "moved": a.moved, "open": a.open}
            for a in line.anomalies
        ],
    }  # fmt: skip


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
