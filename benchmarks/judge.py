"""What the judge beside this project says of `forecasting`, in one table.

    python benchmarks/judge.py [--judge ../shared/judge] [--quick]

Runs each program of the judge as it is, from the project's root, and puts its figures beside each other: the best of
the rules in use, the judge's reference implementation, and this project. Where the judge is absent, so is the table.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.told import told  # noqa: E402

Row = dict[str, str | float | None]
PROJECT, REFERENCE = "PROJECT", "reference (the floor to beat)"
NO_RULES = (PROJECT, REFERENCE, "oracle", "seasonal naive", "plan only, reference", "all on demand")
PROMISE_PCT = 1.0
RUNS = {
    "demand": ("demand.py",),
    "hybrid": ("hybrid.py",),
    "hybrid 20 min": ("hybrid.py", "--reaction-minutes", "20"),
    "purchase": ("purchase.py",),
    "spend": ("spend.py",),
    "attack": ("demand.py", "--attack"),
    "scale": ("demand.py", "--scale", "10000"),
}


@dataclass(frozen=True)
class Figure:
    """A line of the table: some columns of one run, told together."""

    name: str
    run: str
    text: str
    """How the columns are told."""
    of_set: str = ""
    rank: Callable[[Row], float] | None = None
    """What is least for the best rule; None where no rule gives the figure."""


def least(column: str) -> Callable[[Row], float]:
    """The rule with the least of a column."""
    return lambda row: number(row, column)


def cheapest_in_promise(row: Row) -> float:
    """Cost, where the promise is kept."""
    kept = number(row, "shortfall_pct") <= PROMISE_PCT
    return number(row, "cost") if kept else math.inf


def number(row: Row, column: str) -> float:
    value = row.get(column)
    return float(value) if isinstance(value, int | float) else math.inf


def figures() -> list[Figure]:
    sets = {"shavedice": "Shaved Ice", "dlrm": "DLRM services", "m4": "M4 hourly"}
    sets |= {"servegen": "ServeGen clients", "nasa": "NASA"}
    regret = least("regret20_pct")
    found = [
        Figure(f"{name}: regret at 20 : 1", "demand", "{regret20_pct:.1f} %", start, regret)
        for start, name in sets.items()
    ]
    found += [
        Figure(f"{name}: coverage of q95, q99", "demand", "{cov95_pct:.1f}, {cov99_pct:.1f} %", s)
        for s, name in sets.items()
    ]
    hybrid = "{cost:.2f} at {shortfall_pct:.2f} %, {series_within_pct:.0f} %"
    names = {"hybrid": "10 min", "hybrid 20 min": "20 min"}
    found += [
        Figure(f"hybrid, {name} to react: cost at shortfall, services within 1 %", run, hybrid,
               rank=cheapest_in_promise)
        for run, name in names.items()
    ]  # fmt: skip
    found += [
        Figure(f"commitments above hindsight: {kind}", "purchase", f"{{{kind}_pct:.2f}} %",
               rank=least(f"{kind}_pct"))
        for kind in ("growing", "reversed", "retired")
    ]  # fmt: skip
    found += [
        Figure(f"month-end spend error on day {day}", "spend", f"{{mape_day{day}_pct:.2f}} %",
               rank=least(f"mape_day{day}_pct"))
        for day in (1, 5, 10, 20)
    ]  # fmt: skip
    return [
        *found,
        Figure("its 90 % interval: coverage, width", "spend", "{cover90_pct:.1f}, {width90_pct:.1f} %"),
        Figure("+20 % spend spikes found, false alarms a series-month", "spend",
               "{found+20%_pct:.0f} % at {false_a_month:.2f}",
               rank=lambda row: -number(row, "found+20%_pct") if "false_a_month" in row else math.inf),
        Figure("10,000 series: fit and 24 hours of four quantiles", "scale",
               "{total_s:.1f} s, {peak_rss_mb:.0f} MB"),
    ]  # fmt: skip


def run(judge: Path, arguments: Sequence[str], quick: bool) -> list[Row]:
    """The rows of one program; an empty list, and why on standard error, if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, str(judge / arguments[0]), *arguments[1:], "--json", str(file)]
        done = subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not file.is_file():
            print(
                f"{' '.join(arguments)}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr
            )
            return []
        return list(json.loads(file.read_text())["rows"])


def line(figure: Figure, rows: Sequence[Row]) -> list[str]:
    """Rules, reference and project of one figure, "-" for what there is not."""
    rows = [row for row in rows if str(row.get("set", "")).startswith(figure.of_set)]
    rules = [row for row in rows if not str(row.get("policy")).startswith(NO_RULES)]
    best = min(rules, key=figure.rank, default=None) if figure.rank else None
    named = {str(row.get("policy", row.get("forecaster"))): row for row in rows}
    return [
        figure.name,
        *(cell(figure, row) for row in (best, named.get(REFERENCE), named.get(PROJECT))),
    ]


def cell(figure: Figure, row: Row | None) -> str:
    if row is None:
        return "-"
    if row.get("error"):
        return f"FAILED: {row['error']}"
    try:
        return figure.text.format(**row)
    except (KeyError, TypeError, ValueError):  # this policy has no such figure
        return "-"


def attacks(rows: Sequence[Row]) -> list[str]:
    """How many of the hostile inputs each stands."""
    cells = ["-"]
    for name in (REFERENCE, PROJECT):
        results = [row["result"] for row in rows if row["forecaster"] == name]
        cells.append(f"{results.count('pass')} of {len(results)}" if results else "-")
    return ["hostile inputs passed", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--judge", type=Path, default=ROOT.parent / "shared" / "judge", metavar="FOLDER"
    )
    parser.add_argument("--quick", action="store_true", help="part of the data; not comparable")
    chosen = parser.parse_args()
    if not (chosen.judge / "demand.py").is_file():
        print("NOT MEASURED: there is no judge beside this project; name one with --judge FOLDER")
        return
    print(told("judge.py", "the judge's rows, as they are" + " (quick)" * chosen.quick))
    rows = {}
    for name, arguments in RUNS.items():
        print(f"running {' '.join(arguments)}", file=sys.stderr, flush=True)
        rows[name] = run(chosen.judge, arguments, chosen.quick)
    lines = [["", "best rule", "reference", "this project"]]
    lines += [line(figure, rows[figure.run]) for figure in figures()]
    lines.append(attacks(rows["attack"]))
    widths = [max(len(cells[i]) for cells in lines) for i in range(4)]
    for first, *others in lines:
        cells = [
            first.ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True)),
        ]
        print("  ".join(cells))


if __name__ == "__main__":
    main()
