"""What a pull request shows: Markdown, the verdict first, found again by a hidden marker."""

from __future__ import annotations

from gitops import show
from gitops.engine import Finding, Outcome
from gitops.forge import shortened

MOST_STEPS = 40


def marker(stack: str) -> str:
    """The comment of this stack is edited, not repeated: this line finds it."""
    return f"<!-- fairweather preview {stack} -->"


def markdown(stack: str, outcome: Outcome) -> str:
    """The comment for one preview, at most what a forge takes."""
    blocking = [finding for finding in outcome.findings if finding.blocks]
    advice = [finding for finding in outcome.findings if not finding.blocks]
    if outcome.errors:
        head = f"❌ **{stack}**: the preview failed"
    elif blocking:
        head = f"❌ **{stack}**: blocked by {', '.join(sorted({f'`{f.rule}`' for f in blocking}))}"
    else:
        head = f"✅ **{stack}**: {show.changes(outcome)}; the gate passes"
    parts = [marker(stack), head]
    parts += [f"```\n{error}\n```" for error in outcome.errors]
    parts += [told(finding) for finding in blocking]
    if advice:
        parts.append(
            "<details><summary>Notes of the gate</summary>\n\n"
            + "\n".join(map(told, advice))
            + "\n</details>"
        )
    if outcome.steps:
        rows = "\n".join(
            f"| {op} | `{urn.split('::')[-2].split('$')[-1]}` | {urn.split('::')[-1]} |"
            for op, urn in outcome.steps[:MOST_STEPS]
        )
        more = len(outcome.steps) - MOST_STEPS
        rest = f"\n\n… and {more} more" if more > 0 else ""
        parts.append(
            f"<details><summary>{show.changes(outcome)}</summary>\n\n"
            f"| | type | name |\n|---|---|---|\n{rows}{rest}\n</details>"
        )
    return shortened("\n\n".join(parts) + "\n")


def told(finding: Finding) -> str:
    text = finding.text.replace("\n", "<br>")
    return f"- **{finding.rule}** · {finding.resource}<br>{text}"
