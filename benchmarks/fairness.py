"""How often the fairness gate is wrong, by simulation, beside the four-fifths rule on point estimates.

    python benchmarks/fairness.py [--draws 2000] [--json FILE]

Each row draws models with the stated true rates and asks the pack's own verdict, with the thresholds that stand in
`policypacks/guardrails/thresholds.yaml`. The rule beside it is the four-fifths rule (29 CFR 1607.4 D) on the rates as
seen: blocked when the lowest is below 0.8 of the highest. For a metric with a difference, it is the difference as seen.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "policypacks" / "guardrails"
sys.path[:0] = [str(ROOT), str(PACK)]

SEED = 20261125
DAYS = 90


@dataclass(frozen=True)
class Row:
    """Shares of the drawn models."""

    case: str
    metric: str
    slices: int
    n_each: int
    blocked: float
    """The gap is shown to be beyond the tolerance."""
    passed: float
    undecided: float
    rule_blocked: float | None
    """By the rule on rates as seen."""


def pack(module: str) -> Any:
    """A module of the policy pack, which is a program of its own and names its modules so."""
    return importlib.import_module(module)


def measure(case: str, metric: str, rates: list[float], n: int, draws: int) -> Row:
    """`draws` models with these true rates, judged by the pack and by the rule."""
    fairness, settings, intervals = pack("fairness"), pack("settings"), pack("intervals")
    policy = settings.thresholds(PACK / "thresholds.yaml").fairness
    tolerance = policy.tolerances[metric]
    rng = np.random.default_rng([SEED, n, len(rates), int(1e6 * sum(rates))])
    counts = rng.binomial(n, rates, size=(draws, len(rates)))
    found = {"fail": 0, "pass": 0, "insufficient": 0}
    for row in counts:
        slices = {f"s{at}": intervals.Rate(int(k), n) for at, k in enumerate(row)}
        item = fairness.Comparison("image", "age", metric, slices)
        found[fairness.judged([item], policy, sensitive=False)[0].verdict] += 1
    seen = counts / n
    if tolerance.min_ratio is not None:
        by_rule = seen.min(1) < tolerance.min_ratio * seen.max(1)
    else:
        by_rule = seen.max(1) - seen.min(1) > (tolerance.max_difference or 0.0)
    return Row(
        case, metric, len(rates), n, found["fail"] / draws, found["pass"] / draws,
        found["insufficient"] / draws, float(by_rule.mean()),
    )  # fmt: skip


def requirement(metric: str, rate: float, slices: int) -> int:
    """The number of samples of each slice that the gate's own message asks for."""
    fairness, settings = pack("fairness"), pack("settings")
    policy = settings.thresholds(PACK / "thresholds.yaml").fairness
    z = pack("intervals").critical(policy.confidence, slices * (slices - 1) // 2)
    return int(fairness.requirement(rate, slices, policy.tolerances[metric], z))


def gate(draws: int) -> list[Row]:
    rows = []
    for slices, n, rate in ((8, 300, 0.3), (2, 300, 0.3), (3, 2000, 0.3)):
        rows.append(measure("no gap", "selection_rate", [rate] * slices, n, draws))
    for slices in (2, 4):
        rates = [0.9] * slices
        n = requirement("true_positive_rate", 0.9, slices)
        rows.append(measure("no gap, n as required", "true_positive_rate", rates, n, draws))
    for n in (300, 3000, 30000):
        rates = [0.4, 0.32]
        rows.append(measure("gap on the tolerance", "selection_rate", rates, n, draws))
    rows.append(measure("gap on the tolerance", "true_positive_rate", [0.9, 0.85], 3000, draws))
    for slices in (2, 4):
        rates = [0.9] * (slices - 1) + [0.8]
        n = requirement("true_positive_rate", 0.9, slices)
        rows.append(
            measure("twice the tolerance, n as required", "true_positive_rate", rates, n, draws)
        )
        rates = [0.4] * (slices - 1) + [0.24]
        n = requirement("selection_rate", 0.4, slices)
        rows.append(
            measure("twice the tolerance, n as required", "selection_rate", rates, n, draws)
        )
    return rows  # fmt: skip


def peeking(draws: int) -> list[dict[str, Any]]:
    """Looking every hour for 90 days at three slices of 20 requests an hour, at a true rate of 0.9.

    Beside it: a test at 95 % of the difference as seen, anew at each look.
    """
    from governance.sequences import watch

    rng = np.random.default_rng(SEED)
    told = []
    for case, rates in (
        ("no gap", (0.9, 0.9, 0.9)),
        ("gap on the tolerance", (0.9, 0.9, 0.85)),
        ("twice the tolerance", (0.9, 0.9, 0.8)),
    ):
        alarmed = cleared = fixed = 0
        for _ in range(draws):
            n = np.full((24 * DAYS, 3), 20).cumsum(0)
            k = rng.binomial(20, rates, size=(24 * DAYS, 3)).cumsum(0)
            seen = watch(k, n, tolerance=0.05)
            alarmed += bool(seen.alarm.any())
            cleared += bool(seen.clear.any())
            p = k / n
            gap = p.max(1) - p.min(1)
            error = np.sqrt((p * (1 - p) / n).sum(1) * 2 / 3)
            fixed += bool((gap - 1.96 * error > 0.05).any())
        told.append(
            {
                "case": case,
                "alarmed": alarmed / draws,
                "cleared": cleared / draws,
                "fixed_95_alarmed": fixed / draws,
            }
        )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2000, help="models a row (default: 2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also every figure for machines")
    options = parser.parse_args()
    rows = gate(options.draws)
    print(f"{'':36}{'metric':20}slices  n each  blocked  passed  undecided  rule blocks")
    for row in rows:
        rule = "–" if row.rule_blocked is None else f"{row.rule_blocked:.1%}"
        print(
            f"{row.case:36}{row.metric:20}{row.slices:6}{row.n_each:8,}{row.blocked:9.1%}"
            f"{row.passed:8.1%}{row.undecided:11.1%}{rule:>13}"
        )
    looks = peeking(max(options.draws // 10, 20))
    print(
        f"\nlooking every hour for {DAYS} days{'':10}alarmed  cleared  a 95 % test at each look alarms"
    )
    for look in looks:
        print(
            f"{look['case']:38}{look['alarmed']:9.1%}{look['cleared']:9.1%}{look['fixed_95_alarmed']:30.1%}"
        )
    if options.json:
        told = {"gate": [asdict(row) for row in rows], "peeking": looks}
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
