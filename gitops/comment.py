"""What a pull request shows: Markdown, the verdict first, found again by a hidden marker."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from gitops import show
from gitops.engine import Finding, Outcome
from gitops.forge import shortened

MOST_STEPS = 40
MOST_FINDINGS = 40
MOST_CHARACTERS = 2_000
"""Of one error or finding; the job's log has all of it."""


def marker(stack: str) -> str:
    """The comment of this stack is edited, not repeated: this line finds it."""
    return f"<!-- fairweather preview {stack} -->"


def markdown(stack: str, outcome: Outcome) -> str:
    """The comment for one preview, at most what a forge takes."""
    blocking = [finding for finding in outcome.findings if finding.blocks]
    advice = [finding for finding in outcome.findings if not finding.blocks]
    parts = [marker(stack), verdict(stack, outcome, blocking)]
    parts += [fenced(clipped(error)) for error in outcome.errors[:MOST_FINDINGS]]
    parts += listed(blocking)
    if advice:
        parts.append(folded("Notes of the gate", "\n".join(listed(advice))))
    if outcome.steps:
        parts.append(folded(show.changes(outcome), steps(outcome.steps)))
    return shortened("\n\n".join(parts) + "\n")


def verdict(stack: str, outcome: Outcome, blocking: Sequence[Finding]) -> str:
    if blocking:
        rules = ", ".join(sorted({f"`{finding.rule}`" for finding in blocking}))
        return f"❌ **{stack}**: blocked by {rules}"
    if outcome.errors:
        return f"❌ **{stack}**: the preview failed"
    return f"✅ **{stack}**: {show.changes(outcome)}; the gate passes"


def listed(findings: Sequence[Finding]) -> list[str]:
    lines = [told(finding) for finding in findings[:MOST_FINDINGS]]
    more = len(findings) - MOST_FINDINGS
    return [*lines, f"… and {more} more"] if more > 0 else lines


def told(finding: Finding) -> str:
    text = html.escape(clipped(finding.text), quote=False).replace("\n", "<br>")
    return f"- **{finding.rule}** · {finding.resource}<br>{text}"


def steps(taken: Sequence[tuple[str, str]]) -> str:
    """A row for each (operation, urn)."""
    rows = "\n".join(
        f"| {op} | `{urn.split('::')[-2].split('$')[-1]}` | {urn.split('::')[-1]} |"
        for op, urn in taken[:MOST_STEPS]
    )
    more = len(taken) - MOST_STEPS
    rest = f"\n\n… and {more} more" if more > 0 else ""
    return f"| | type | name |\n|---|---|---|\n{rows}{rest}"


def folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def fenced(text: str) -> str:
    """As it is, whatever it holds: the fence is longer than any inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def clipped(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"
