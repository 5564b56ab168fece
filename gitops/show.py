"""What people see in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gitops.engine import Line, Outcome

PIPED_WIDTH = 120
console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False, soft_wrap=False)
VERBS = {"create": "to create", "update": "to update", "delete": "to delete", "replace": "to replace", "same": "same"}
DONE = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "same": "same"}


def table(columns: Iterable[str], rows: Iterable[Iterable[str]], *, right: Iterable[str] = ()) -> Table:
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
    told = [f"{count} {words.get(op, op)}" for op, count in outcome.changes.items() if count and op != "same"]
    same = outcome.changes.get("same", 0)
    return ", ".join(told + ([f"{same} unchanged"] if same else [])) or "no changes"


def outcome(result: Outcome, verb: str) -> None:
    """The summary of a preview or an update: changes, verdict, reasons."""
    console.print(f"[bold]{verb}[/bold]: {changes(result, DONE if verb == 'up' else VERBS)}  [dim]{result.seconds:.1f} s[/dim]")
    for error in result.errors:
        console.print(Text(f"error: {error}", style="red"))
    verdict(result)
    for warning in result.warnings:
        console.print(Text(f"note: {warning.splitlines()[0]}", style="dim"))


def verdict(result: Outcome) -> None:
    """The gate's word, blocking rules first."""
    blocking = [finding for finding in result.findings if finding.blocks]
    advice = [finding for finding in result.findings if not finding.blocks]
    if blocking:
        rules = len({finding.rule for finding in blocking})
        console.print(f"[bold red]gate: blocked[/bold red] by {rules} {'rule' if rules == 1 else 'rules'}")
    elif not result.errors:
        console.print(f"[bold green]gate: passed[/bold green]" + (f", {len(advice)} notes" if advice else ""))
    for finding in blocking:
        console.print(Text.assemble(("  ✗ ", "red"), (finding.rule, "bold"), f"  {finding.resource}"))
        console.print(Text("    " + finding.text.replace("\n", "\n    ")))
    for finding in advice:
        console.print(Text.assemble("  · ", (finding.rule, "dim bold"), (f"  {finding.text}", "dim")))


def ticker() -> Line:
    """One line on standard error that always tells the latest step."""
    steps = 0

    def tell(line: str) -> None:
        nonlocal steps
        steps += 1
        sys.stderr.write(f"\r\x1b[K{steps:4d}  {line[:90]}")
        sys.stderr.flush()

    return tell


def heading(number: int, text: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {escape(text)}", align="left", style="cyan")


def dollars(amount: float) -> str:
    """`$1,234`; cents only where they matter."""
    return f"${amount:,.2f}" if 0 < abs(amount) < 10 else f"${amount:,.0f}"
