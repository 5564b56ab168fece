"""Evidence: how it is made and judged."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from gitops.options.shared import Commands, command


def add(commands: Commands) -> None:
    evidence_actions(command(
        commands, "evidence", "commands.fairness:judge",
        "Make evidence from logs, judge it as the gate does, watch what is deployed.",
        "fairweather evidence judge models/scene-caption/evidence/2.3.1-fairness.json", stack=False,
    ))  # fmt: skip


def evidence_actions(evidence: argparse.ArgumentParser) -> None:
    """How evidence is made and judged."""
    actions = evidence.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return command(actions, name, f"commands.fairness:{name}", summary, example, stack=False)

    def logged(made: argparse.ArgumentParser) -> None:
        made.add_argument("name", metavar="NAME", help="a folder in models/")
        made.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")
        made.add_argument(
            "--logs", type=Path, nargs="+", required=True, metavar="FILE",
            help="Parquet or CSV with time, model, version, digest, the attributes, and prediction (and label), "
            "words and word_errors, or hit",
        )  # fmt: skip
        made.add_argument(
            "--attributes", required=True, metavar="A,B", help="columns with the slices"
        )
        made.add_argument(
            "--metric", metavar="NAME", help="what a column `hit` counts, such as recall_at_10"
        )

    fairness = action(
        "fairness", "Count predictions by slice, as evidence that is bound to the version's digest.",
        "fairweather evidence fairness skin-check --logs build/september.parquet --attributes skin_tone,gender "
        "--from 2026-09-01 --to 2026-09-30 --population 'all patients of September' --output build/fairness.json",
    )  # fmt: skip
    logged(fairness)
    fairness.add_argument(
        "--from", dest="start", type=date.fromisoformat, required=True, metavar="DAY"
    )
    fairness.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="DAY")
    fairness.add_argument(
        "--population", required=True, metavar="TEXT", help="whom the log stands for, in words"
    )
    fairness.add_argument(
        "--intersections", action="store_true", help="also every combination of two attributes"
    )
    fairness.add_argument(
        "--valid-days", type=int, default=90, metavar="N", help="until it expires (default: 90)"
    )
    fairness.add_argument("--output", type=Path, metavar="FILE", help="where to keep the evidence")
    judge = action(
        "judge", "What the gate says of an evidence file; exit 1 where it would block.",
        "fairweather evidence judge models/scene-caption/evidence/2.3.1-fairness.json --page build/fairness.html",
    )  # fmt: skip
    judge.add_argument("file", type=Path, metavar="FILE")
    judge.add_argument("--sensitive", action="store_true", help="of a sensitive domain")
    judge.add_argument("--json", action="store_true", help="for machines")
    for made in (fairness, judge):
        made.add_argument(
            "--page", type=Path, metavar="HTML", help="also a page with plots that opens offline"
        )
    watch = action(
        "watch", "What live logs show of each gap, true at every hour at once; exit 1 on an alarm.",
        "fairweather evidence watch skin-check --logs build/live.parquet --attributes skin_tone --tolerance 0.05",
    )  # fmt: skip
    logged(watch)
    watch.add_argument(
        "--tolerance", type=float, default=0.05, help="largest gap that is allowed (default: 0.05)"
    )
    watch.add_argument(
        "--confidence", type=float, default=0.95, help="of all hours together (default: 0.95)"
    )
    watch.add_argument("--json", action="store_true", help="for machines")
