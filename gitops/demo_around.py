"""The demo's tour around the loop: the commands as a person would type them, and the first lines they say."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitops import show

SLICES = ("lighter", "medium", "darker")
VERDICTS = {
    "true_positive_rate": (9_100, 9_080, 9_060, 10_000),
    "false_negative_rate": (900, 920, 1_900, 10_000),
    "selection_rate": (42, 41, 38, 100),
}
"""Metric -> counts of three slices and their size: one passes, one fails, one is too few."""


@dataclass(frozen=True)
class Stop:
    """One command of the tour."""

    title: str
    arguments: tuple[str, ...]
    lines: int
    """How much of what it says is shown."""


def tour(stack: str, at: datetime, folder: Path) -> tuple[Stop, ...]:
    """The commands, in the order in which a person meets their questions.

    Args:
        stack: of the demo.
        at: the end of its synthetic telemetry.
        folder: where pages are put.
    """
    build, now = Path("build"), f"{at:%Y-%m-%dT%H:%M}"
    demand = ("--demand", str(build / f"demand-{stack}.csv.gz"), "--at", now)
    billing = str(build / f"billing-{stack}.parquet")
    return (
        Stop(
            "what one replica serves inside its SLO, learned from telemetry, against what the stack file claims",
            ("sizing", stack, "--at", now), 9,
        ),
        Stop(
            "an incident that was planted in the telemetry, found",
            (
                "detect", stack, *demand, "--errors", str(build / f"errors-{stack}.csv.gz"),
                "--report", str(folder / "anomalies.html"),
            ), 9,
        ),
        Stop(
            "where the month will end",
            ("spend", stack, "--billing", billing, "--report", str(folder / "spend.html")), 8,
        ),
        Stop("what to commit to for a year", ("commitments", stack, *demand), 9),
        Stop(
            "where apps would be best placed",
            ("place", stack, *demand, "--report", str(folder / "placement.html")), 8,
        ),
        Stop(
            "three fairness verdicts, one of each kind",
            ("evidence", "judge", str(build / "verdicts.json"), "--page", str(folder / "fairness.html")), 3,
        ),
        Stop("a model version as a bill of materials", ("model", "export", "skin-check"), 6),
    )  # fmt: skip


def prepare(clone: Path, stack: str, at: datetime) -> None:
    """Synthetic telemetry with an incident, synthetic billing, and evidence with one verdict of each kind."""
    build = clone / "build"
    build.mkdir(exist_ok=True)
    now = f"{at:%Y-%m-%dT%H:%M}"
    demand = f"build/demand-{stack}.csv.gz"
    run(clone, "telemetry", stack, "--synthesize", demand, "--incident", "--at", now)
    run(clone, "spend", stack, "--synthesize", f"build/billing-{stack}.parquet", "--at", now)
    (build / "verdicts.json").write_text(json.dumps(verdicts(clone)), encoding="utf-8")


def verdicts(clone: Path) -> dict[str, object]:
    """The evidence of a real version with counts made up for the page."""
    file = next((clone / "models" / "skin-check" / "evidence").glob("*-fairness.json"))
    told = json.loads(file.read_text(encoding="utf-8"))
    compared = [
        {
            "modality": "image",
            "attribute": "skin_tone",
            "metric": metric,
            "slices": [
                {"slice": name, "k": k, "n": n} for name, k in zip(SLICES, counts, strict=True)
            ],
        }
        for metric, (*counts, n) in VERDICTS.items()
    ]
    return {**told, "population": "made up for the demo", "comparisons": compared}


def run(clone: Path, *arguments: str) -> str:
    """What the command says, wherever it says it; its exit code is for scripts, and many are findings."""
    done = subprocess.run(
        [clone / "fairweather", *arguments],
        cwd=clone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def show_around(clone: Path, stack: str, at: datetime, folder: Path) -> None:
    """Each stop: what it is about, the command, and the beginning of what it says."""
    with show.working("making telemetry with an incident, and billing"):
        prepare(clone, stack, at)
    for stop in tour(stack, at, folder):
        text = run(clone, *stop.arguments)
        told = text.splitlines()
        show.console.print(f"\n[bold]{stop.title}[/bold]")
        typed = " ".join(stop.arguments).replace(f"{folder}/", "")
        show.console.print(f"[dim]$ fairweather {typed}[/dim]", soft_wrap=True, markup=True)
        for line in told[: stop.lines]:
            show.console.print(line, markup=False, soft_wrap=True)
        if len(told) > stop.lines:
            show.console.print(f"[dim]… {len(told) - stop.lines} more lines[/dim]")
