"""What the gate would say of fairness evidence, without an engine: for who measures, before anything is deployed.

python policypacks/guardrails/judge.py evidence.json [--sensitive] [--json]

Exit 0: every comparison passes; 1: one fails or is undecided, or the evidence cannot be read; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import fairness
import settings
from intervals import critical, wilson

HERE = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, metavar="EVIDENCE")
    parser.add_argument("--sensitive", action="store_true", help="of a sensitive domain")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    try:
        told = verdicts(json.loads(options.file.read_text("utf-8")), sensitive=options.sensitive)
    except OSError as error:
        print(f"{options.file}: cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    except (ValueError, settings.SettingsError) as error:
        print(f"{options.file}: {error}; measure it again", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(told, indent=1))
    else:
        for one in told:
            print(f"{one['verdict']:13}{one['text']}")
    return 0 if all(one["verdict"] == "pass" for one in told) else 1


def verdicts(evidence: Any, *, sensitive: bool) -> list[dict[str, Any]]:
    """Each comparison with its verdict, its limit, and its slices with the intervals that were used.

    Raises:
        fairness.EvidenceError: the evidence says nothing.
    """
    if not isinstance(evidence, dict):
        raise fairness.EvidenceError("is no JSON object")
    policy = settings.thresholds(HERE / "thresholds.yaml").fairness
    found = fairness.comparisons(evidence)
    z = critical(policy.confidence, sum(item.pairs for item in found))
    told = []
    for item, judgement in zip(
        found, fairness.judged(found, policy, sensitive=sensitive), strict=True
    ):
        tolerance = fairness.tolerance_of(item, policy, sensitive=sensitive)
        slices = {
            name: dict(zip(("low", "high"), wilson(rate, z), strict=True))
            | {"k": rate.k, "n": rate.n, "rate": rate.value}
            for name, rate in item.slices.items()
        }
        told.append(
            {
                "modality": item.modality,
                "attribute": item.attribute,
                "metric": item.metric,
                "verdict": judgement.verdict,
                "text": judgement.text,
                "max_difference": tolerance and tolerance.max_difference,
                "lower_is_better": item.metric in fairness.LOWER_IS_BETTER,
                "min_ratio": tolerance and tolerance.min_ratio,
                "slices": slices,
            }
        )
    return told


if __name__ == "__main__":
    sys.exit(main())
