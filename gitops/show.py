"""What people see in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gitops import evidence

if TYPE_CHECKING:
    from finops.stack_cost import Budgets
    from forecasting.capacity.contest import Contest, Verdict
    from forecasting.capacity.planner import ServicePlan
    from forecasting.capacity.replay import Replayed
    from forecasting.telemetry import Demand, Finding
    from forecasting.telemetry.samples import Samples
    from gitops.engine import Line, Outcome
    from gitops.planning import Planned
    from policypacks.guardrails.pricing.resources import Estimate
    from policypacks.guardrails.pricing.week import Range
    from stacks import Stack

PIPED_WIDTH = 140
MOST_FINDINGS = MOST_NOTES = 5
console = Console(
    width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, soft_wrap=False
)
READING = (
    "q90 floor: replicas that always run, enough for 90 % of each hour as forecast; target: how busy "
    "the autoscaler keeps replicas above it;\nreplay: what planning so on each past day would have "
    "cost beside what stands, and the share of demand that would have found no replica (shortfall)"
)
VERBS = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "replace": "to replace",
    "same": "same",
}
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "same": "same",
}


def table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], *, right: Iterable[str] = ()
) -> Table:
    """A plain table; the columns named in `right` hold numbers."""
    numbers = set(right)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def changes(outcome: Outcome, words: dict[str, str] = VERBS) -> str:
    """`212 to create, 3 to update`."""
    told = [
        f"{count} {words.get(op, op)}"
        for op, count in outcome.changes.items()
        if count and op != "same"
    ]
    same = outcome.changes.get("same", 0)
    return ", ".join(told + ([f"{same} unchanged"] if same else [])) or "no changes"


def outcome(result: Outcome, verb: str, *, brief: bool = False) -> None:
    """What a preview or an update did: changes, verdict, reasons; `brief` leaves out notes."""
    summary(result, verb)
    verdict(result, brief=brief)
    if not brief:
        notes(result.warnings)


def summary(result: Outcome, verb: str) -> None:
    """What changes, how long it took, and what failed."""
    told = changes(result, DONE if verb == "up" else VERBS)
    console.print(f"[bold]{verb}[/bold]: {told}  [dim]{result.seconds:.1f} s[/dim]")
    for error in result.errors:
        console.print(Text(f"error: {error}", style="red"))


def notes(warnings: Sequence[str]) -> None:
    """The first line of the first warnings, and how many more there are."""
    for warning in warnings[:MOST_NOTES]:
        console.print(Text(f"note: {warning.splitlines()[0]}", style="dim"))
    if len(warnings) > MOST_NOTES:
        more = len(warnings) - MOST_NOTES
        console.print(f"[dim]note: … and {more} more; --json has them all[/dim]")


def verdict(result: Outcome, *, brief: bool = False) -> None:
    """The gate's word, blocking rules first."""
    blocking = [finding for finding in result.findings if finding.blocks]
    advice = [finding for finding in result.findings if not finding.blocks]
    if blocking:
        rules = len({finding.rule for finding in blocking})
        console.print(
            f"[bold red]gate: blocked[/bold red] by {rules} {'rule' if rules == 1 else 'rules'}"
        )
    elif not result.errors:
        console.print(
            "[bold green]gate: passed[/bold green]"
            + (f", {notes_of(len(advice))}" if advice else "")
        )
    for finding in blocking:
        console.print(
            Text.assemble(("  ✗ ", "red"), (finding.rule, "bold"), f"  {finding.resource}")
        )
        console.print(Text("    " + finding.text.replace("\n", "\n    ")))
    for finding in () if brief else advice:
        console.print(
            Text.assemble("  · ", (finding.rule, "dim bold"), (f"  {finding.text}", "dim"))
        )


def notes_of(count: int) -> str:
    return "1 note" if count == 1 else f"{count} notes"


def ticker() -> Line:
    """One line on standard error that always tells the latest step."""
    steps = 0

    def tell(line: str) -> None:
        nonlocal steps
        steps += 1
        sys.stderr.write(f"\r\x1b[K{steps:4d}  {line[:90]}")
        sys.stderr.flush()

    return tell


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what takes its time, while it does, where a person is looking."""
    if not sys.stdout.isatty():
        yield
        return
    with console.status(f"{what} …"):
        yield


def stopped(title: str, rule: str, result: Outcome) -> bool:
    """Whether the rule that is meant blocked; in one line why, as the gate said it."""
    found = [finding for finding in result.findings if finding.blocks and finding.rule == rule]
    if not found:
        console.print(f"[bold red]not stopped[/bold red]: {title}; {rule} did not block")
        verdict(result)
        return False
    console.print(f"[bold green]stopped[/bold green]: [bold]{title}[/bold]")
    console.print(
        Text.assemble(("  ✗ ", "red"), (rule, "bold"), f"  {found[0].text}"), soft_wrap=True
    )
    return True


def heading(number: int, text: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {escape(text)}", align="left", style="cyan")


def dollars(amount: float) -> str:
    """`$1,234`; cents only where they matter."""
    return f"${amount:,.2f}" if 0 < abs(amount) < 10 else f"${amount:,.0f}"


def telemetry(demand: Demand, stack: Stack, *, every: bool = False) -> None:
    """What the plan is made from, and what is wrong with it."""
    label = "synthetic demand" if demand.synthetic else "demand"
    console.print(
        f"[bold]{label}[/bold] of {len(stack.services())} services, {demand.days:.0f} days to "
        f"{demand.end:%Y-%m-%d %H:%M} UTC  [dim]{escape(demand.source)}[/dim]"
    )
    most = len(demand.findings) if every else MOST_FINDINGS
    for finding in demand.findings[:most]:
        console.print(Text(f"  ! {finding}", style="yellow"))
    if len(demand.findings) > most:
        more = len(demand.findings) - most
        console.print(f"  [dim]… and {more} more; `fairweather telemetry STACK` lists them[/dim]")


def samples(measured: Samples, what: str) -> None:
    """What sizing is learned from, and what is wrong with it."""
    label = f"synthetic {what}" if measured.synthetic else what
    days = (measured.end - measured.start).total_seconds() / 86400
    console.print(
        f"[bold]{label}[/bold], {days:.0f} days to {measured.end:%Y-%m-%d %H:%M} UTC  "
        f"[dim]{escape(measured.source)}[/dim]"
    )
    for finding in measured.findings:
        console.print(Text(f"  ! {finding}", style="yellow"))


def plan(planned: Planned) -> None:
    """A row for each app and location: demand, capacity and cost before and after, and why."""
    rows = [plan_row(service) for service in planned.plan.services]
    numbers = ("peak rps", "floor", "ceiling", "USD a month")
    console.print(table(("app", "location", *numbers, "why"), rows, right=numbers))
    console.print(f"[dim]{READING}[/dim]")
    before, after = evidence.cost(planned)
    if before is not None and after is not None:
        share = f" ({(after - before) / before:+.0%})" if before else ""
        console.print(
            f"capacity cost a month: {dollars(before)} → [bold]{dollars(after)}{share}[/bold]"
        )
    for finding in claims(planned):
        console.print(Text(f"  ! {finding}", style="yellow"))
    missing = evidence.unpriced(planned)
    if missing:
        console.print(
            f"[yellow]without a price, so not in the sum: {escape(', '.join(missing))}[/yellow]"
        )


def claims(planned: Planned) -> list[Finding]:
    """What measurement says against the claims that the plan rests on, and what was not read."""
    of_services = [f for s in planned.plan.services for f in s.findings if f.kind == "claim"]
    told = planned.demand.findings
    return [f for f in planned.plan.findings if f.app is None and f not in told] + of_services


def plan_row(service: ServicePlan) -> tuple[str, ...]:
    usd = (service.usd_month_before, service.usd_month_after)
    return (
        service.app,
        service.location,
        "no data" if service.peak_rps is None else f"{service.peak_rps:,.0f}",
        *evidence.bounds(service),
        evidence.arrow(*(None if amount is None else f"{amount:,.0f}" for amount in usd)),
        # The time of the data stands above the table.
        escape(service.reason.split(", on data to ")[0]),
    )


def diff(text: str, most_lines: int | None = None) -> None:
    """A unified diff in its colours; at most so many lines of it."""
    lines = text.splitlines()
    for line in lines[:most_lines]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)
    if most_lines is not None and len(lines) > most_lines:
        console.print(f"[dim]… {len(lines) - most_lines} more lines[/dim]")


def costs(estimate: Estimate, budgets: Budgets) -> None:
    """USD a month by app beside its budget; what has no price is named, never zero."""
    numbers = ("low", "expected", "high", "budget")
    rows = [
        (app, *amounts(cost, budgets.apps_usd.get(app))) for app, cost in estimate.by_app().items()
    ]
    rows.append(("[bold]all[/bold]", *amounts(estimate.total(), budgets.portfolio_usd)))
    console.print(table(("USD a month", *numbers), rows, right=numbers))
    console.print(
        f"[dim]price book {estimate.edition}; low at the floor, high at the ceiling[/dim]"
    )
    missing = estimate.unpriced()
    if missing:
        told = ", ".join(f"{count} x {kind}" for kind, count in missing.items())
        console.print(f"[yellow]without a price, so not in the sums:[/yellow] {escape(told)}")


def amounts(cost: Range, budget: float | None) -> tuple[str, ...]:
    """Low, expected, high and the budget; the expected cost is red above the budget."""
    expected = f"{cost.expected:,.0f}"
    if budget is not None and cost.expected > budget:
        expected = f"[red]{expected}[/red]"
    return (
        f"{cost.low:,.0f}",
        expected,
        f"{cost.high:,.0f}",
        "–" if budget is None else f"{budget:,.0f}",
    )


def contest(held: Contest, days: int) -> None:
    """The portfolio's replay first: a row a rule, and whether this plan won."""
    if not held.total:
        return
    count = len(held.verdicts) - len(held.left_out)
    console.print(
        f"[bold]all together[/bold]  [dim]{count} services, the last {days} days; each day planned "
        "from the data before it[/dim]"
    )
    console.print(rules(held.total))
    assert held.verdict is not None
    console.print(judged(held.verdict) + f"; it wins at {held.won} of {count} services")
    for what, services in (
        ("not in the sums, without a replay or a capacity that stands", held.left_out),
        ("without a price, so not in the USD", held.unpriced),
    ):
        if services:
            names = ", ".join(" ".join(service) for service in services)
            console.print(f"[yellow]{what}: {escape(names)}[/yellow]")


def judged(verdict: Verdict) -> str:
    word = (
        "[green]this plan wins[/green]" if verdict.won else "[yellow]what stands is kept[/yellow]"
    )
    return f"{word}: {escape(verdict.reason)}"


def rules(rows: Sequence[Replayed]) -> Table:
    """What each rule would have cost and dropped."""
    numbers = ("replica-hours", "USD", "demand dropped", "peak replicas")
    cells = [
        (
            f"[bold]{row.name}[/bold]" if row.ours else row.name,
            f"{row.replica_hours:,.0f}",
            "no price" if row.usd is None else f"{row.usd:,.0f}",
            f"{row.shortfall:.2%}",
            f"{row.peak:,.0f}",
        )
        for row in rows
    ]
    return table(("rule", *numbers), cells, right=numbers)


def replays(
    services: Mapping[tuple[str, str], Sequence[Replayed]], held: Contest, days: int
) -> None:
    """A table a service: what each rule would have cost and dropped, and whether this plan won."""
    for (app, location), rows in services.items():
        console.print(f"\n[bold]{app}[/bold] {location}  [dim]the last {days} days[/dim]")
        if not rows:
            console.print("  [yellow]not enough telemetry to replay[/yellow]")
            continue
        console.print(rules(rows))
        if (verdict := held.verdicts[app, location]) is not None:
            console.print(judged(verdict))
