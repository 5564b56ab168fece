"""`fairweather evidence`: from prediction logs to evidence, its verdict, and live monitoring."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops import show
from gitops.errors import Refusal
from stacks.errors import shown

STATES = {"alarm": "[red]alarm[/red]", "clear": "[green]clear[/green]", "open": "open"}
JUDGE = Path("policypacks") / "guardrails" / "judge.py"
Verdict = dict[str, Any]


def fairness(options: Namespace) -> int:
    """Count a version's predictions by slice; show the gate's verdict; write the evidence if asked."""
    from governance import binding, prediction_logs, registry, tables

    model = registry.load(options.root / "models", options.name, options.version)
    window = binding.Window(options.start, options.end)
    with show.working(f"counting the predictions of {model.name} {model.version}"):
        made = prediction_logs.evidence(
            tables.Table.open(options.logs), model,
            attributes=options.attributes.split(","), window=window, population=options.population,
            created=datetime.now(UTC).date(), valid_days=options.valid_days,
            hit_metric=options.metric, intersections=options.intersections,
        )  # fmt: skip
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    found = verdicts(options.root, text, sensitive=model.sensitive_domain)
    told(found)
    for attribute, count in made["rows_without_attribute"].items():
        show.console.print(
            f"[yellow]{count:,} of {made['rows']:,} rows do not say {attribute}[/yellow]"
        )
    if options.page:
        write_page(options.page, made, found)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
        print(f"{shown(options.output)} written")
    else:
        print("nothing written; --output FILE keeps the evidence, for `fairweather model add`")
    return 0


def judge(options: Namespace) -> int:
    """What the gate says of an evidence file; exit 1 where it would block."""
    try:
        text = options.file.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{shown(options.file)}: {error.strerror}; name an evidence file") from None
    found = verdicts(options.root, text, sensitive=options.sensitive, place=shown(options.file))
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        told(found)
    if options.page:
        write_page(options.page, json.loads(text), found)
    return 0 if all(one["verdict"] == "pass" for one in found) else 1


def watch(options: Namespace) -> int:
    """Live monitoring: what the logs show of each gap after every hour; exit 1 on an alarm."""
    from governance import monitoring, registry, tables

    model = registry.load(options.root / "models", options.name, options.version)
    with show.working(f"watching {model.name} {model.version}"):
        found = monitoring.watched(
            tables.Table.open(options.logs), model,
            attributes=options.attributes.split(","), tolerance=options.tolerance,
            confidence=options.confidence, hit_metric=options.metric,
        )  # fmt: skip
    if options.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    else:
        rows = [
            (
                STATES[one.state],
                one.metric, one.attribute, f"{one.low:.1%}", f"{one.high:.1%}",
                f"{one.worse} against {one.better}", f"{one.looks:,}",
                f"{one.since:%Y-%m-%d %H:%M}" if one.since else "–",
            )
            for one in found
        ]  # fmt: skip
        columns = (
            "",
            "metric",
            "by",
            "gap at least",
            "at most",
            "widest as seen",
            "hours",
            "since",
        )
        show.console.print(show.table(columns, rows, right=("gap at least", "at most", "hours")))
        show.console.print(
            f"[dim]tolerance {options.tolerance:.1%}; with {options.confidence:.0%} confidence none of this is "
            "wrong, however often one looks[/dim]"
        )
    return 1 if any(one.state == "alarm" for one in found) else 0


def drift(options: Namespace) -> int:
    """How far inputs and scores have moved, in all and by slice; exit 1 on an alarm."""
    from governance import drift as drifting
    from governance import registry, tables

    model = registry.load(options.root / "models", options.name, options.version)
    with show.working(f"comparing {model.name} {model.version} with its reference"):
        found = drifting.drifted(
            tables.Table.open(options.reference), tables.Table.open(options.logs), model,
            columns=options.columns.split(","), tolerance=options.tolerance,
            attributes=options.attributes.split(",") if options.attributes else (),
            confidence=options.confidence,
        )  # fmt: skip
    if options.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    else:
        rows = [
            (
                STATES[one.state], one.column, one.slice, f"{one.low:.1%}", f"{one.high:.1%}",
                f"{one.stability_index:.3f}", one.most_moved, f"{one.rows:,}",
            )
            for one in found
        ]  # fmt: skip
        numbers = ("moved at least", "at most", "PSI", "rows")
        columns = ("", "column", "slice", *numbers[:3], "most moved", "rows")
        show.console.print(show.table(columns, rows, right=numbers))
        show.console.print(
            f"[dim]moved: total variation distance, {options.tolerance:.0%} is allowed; with {options.confidence:.0%} "
            "confidence none of this is wrong, however often one looks[/dim]"
        )
    return 1 if any(one.state == "alarm" for one in found) else 0


def verdicts(
    root: Path, text: str, *, sensitive: bool, place: str = "the evidence"
) -> Sequence[Verdict]:
    """The gate's own verdicts: the pack is a program of its own, and is asked as one."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        asked = [sys.executable, str(root / JUDGE), file.name, "--json"]
        done = subprocess.run(
            [*asked, *(["--sensitive"] if sensitive else [])],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not done.stdout:
            raise Refusal(done.stderr.strip().replace(file.name, place) or "the gate said nothing")
    return list(json.loads(done.stdout))


def told(found: Sequence[Verdict]) -> None:
    """A line a comparison."""
    from rich.text import Text

    styles = {"pass": "green", "fail": "red", "insufficient": "yellow"}
    for one in found:
        verdict = Text(f"{one['verdict']:13}", style=styles[one["verdict"]])
        show.console.print(verdict + Text(one["text"]), soft_wrap=True)


def write_page(file: Path, evidence: dict[str, Any], found: Sequence[Verdict]) -> None:
    """The evidence as a page with a plot a comparison, that opens offline."""
    from gitops.pages import fairness as fairness_page

    file.write_text(fairness_page.page(evidence, found), encoding="utf-8")
    print(f"{shown(file)} written")
