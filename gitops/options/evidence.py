"""Evidence: how it is made and judged."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from gitops.options.shared import Commands, command, json_option


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
        of_a_version(made)
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
    bound(fairness)
    fairness.add_argument(
        "--intersections", action="store_true", help="also every combination of two attributes"
    )
    judge = action(
        "judge", "What the gate says of an evidence file; exit 1 where it would block.",
        "fairweather evidence judge models/scene-caption/evidence/2.3.1-fairness.json --page build/fairness.html",
    )  # fmt: skip
    judge.add_argument("file", type=Path, metavar="FILE")
    judge.add_argument("--sensitive", action="store_true", help="of a sensitive domain")
    json_option(judge)
    for made in (fairness, judge):
        made.add_argument(
            "--page", type=Path, metavar="HTML", help="also a page with plots that opens offline"
        )
    drift = action(
        "drift", "How far inputs and scores have moved since the version was accepted, by slice; exit 1 on an alarm.",
        "fairweather evidence drift skin-check --reference build/september.parquet --logs build/live.parquet "
        "--columns prediction --attributes skin_tone",
    )  # fmt: skip
    of_a_version(drift)
    drift.add_argument("--reference", type=Path, nargs="+", required=True, metavar="FILE")
    drift.add_argument("--logs", type=Path, nargs="+", required=True, metavar="FILE")
    drift.add_argument("--columns", required=True, metavar="A,B", help="inputs and scores")
    drift.add_argument("--attributes", default="", metavar="A,B", help="columns with slices")
    drift.add_argument(
        "--tolerance", type=float, default=0.1,
        help="largest total variation distance that is allowed, 0 to 1 (default: 0.1)",
    )  # fmt: skip
    drift.add_argument(
        "--confidence", type=float, default=0.95, help="of all looks together (default: 0.95)"
    )
    json_option(drift)
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
    json_option(watch)
    measured_actions(actions)


def of_a_version(made: argparse.ArgumentParser) -> None:
    made.add_argument("name", metavar="NAME", help="a folder in models/")
    made.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")


def bound(made: argparse.ArgumentParser) -> None:
    """What binds evidence to the data that it was made from."""
    made.add_argument("--from", dest="start", type=date.fromisoformat, required=True, metavar="DAY")
    made.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="DAY")
    made.add_argument(
        "--population", required=True, metavar="TEXT", help="whom the data stands for, in words"
    )
    made.add_argument(
        "--valid-days", type=int, default=90, metavar="N", help="until it expires (default: 90)"
    )
    made.add_argument("--output", type=Path, metavar="FILE", help="where to keep the evidence")


def measured_actions(actions: Commands) -> None:
    """Explanations and anonymity; and what holds for evidence from anywhere."""

    def action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return command(actions, name, f"commands.evidence:{name}", summary, example, stack=False)

    explain = action(
        "explain", "Measure what a model's answers hang on, and whether that is faithful and stable.",
        "fairweather evidence explain skin-check --data build/lesions.npz --target see_a_doctor "
        "--segment 8x8 --model examples.evidence.synthetic:score --from 2026-09-01 --to 2026-09-30 "
        "--population 'all patients'",
    )  # fmt: skip
    of_a_version(explain)
    explain.add_argument(
        "--data", type=Path, required=True, metavar="FILE",
        help="rows that the model was not trained on: a table (.parquet, .csv) or arrays [sample, ...] (.npz)",
    )  # fmt: skip
    explain.add_argument(
        "--target", required=True, metavar="NAME",
        help="the column or array with what is right: numbers, or two values of any kind",
    )  # fmt: skip
    explain.add_argument(
        "--features",
        metavar="A,B",
        help="columns or the array to give the model (default: the rest)",
    )
    explain.add_argument(
        "--model", required=True, metavar="MODULE:FUNCTION|FILE.joblib",
        help="a function from rows to a score each, or a scikit-learn estimator; reading a .joblib runs the code "
        "that is in it, so only open your own",
    )  # fmt: skip
    explain.add_argument(
        "--method", choices=("permutation", "occlusion"), default="permutation",
        help="take a feature from other rows, or its typical value (default: permutation)",
    )  # fmt: skip
    explain.add_argument(
        "--segment", type=sizes, default=(), metavar="8x8",
        help="size of a patch of an image or a stretch of sound, along the axes after the first; for arrays",
    )  # fmt: skip
    explain.add_argument("--seed", type=int, default=7, help="same seed, same figures (default: 7)")
    bound(explain)

    privacy = action(
        "privacy", "Count how far the people in a dataset are alike: k-anonymity and l-diversity.",
        "fairweather evidence privacy skin-check --dataset dermatology-consented=build/patients.parquet "
        "--quasi-identifiers age_band,gender,region --sensitive condition --from 2026-09-01 --to 2026-09-30 "
        "--population 'all patients' --output build/privacy.json",
    )  # fmt: skip
    of_a_version(privacy)
    privacy.add_argument(
        "--dataset", nargs="+", action="append", required=True, metavar="NAME=FILE",
        help="a dataset of the version and its Parquet or CSV files, a row a person; may be repeated",
    )  # fmt: skip
    privacy.add_argument(
        "--quasi-identifiers", required=True, metavar="A,B",
        help="columns that somebody outside could know, such as birth year and area",
    )  # fmt: skip
    privacy.add_argument(
        "--sensitive", metavar="COLUMN", help="a column that nobody outside should be able to tell"
    )
    bound(privacy)

    check = action(
        "check", "Whether explanation or privacy evidence of any tool is in the schema and of its version.",
        "fairweather evidence check models/skin-check/evidence/1.4.3-explanation.json",
    )  # fmt: skip
    check.add_argument("file", type=Path, metavar="FILE")
    sign = action(
        "sign", "Sign evidence, so that one changed byte blocks it.",
        "fairweather evidence sign build/privacy.json --key private.pem --name governance-1 "
        "--output build/privacy.json",
    )  # fmt: skip
    sign.add_argument("file", type=Path, metavar="FILE")
    sign.add_argument(
        "--key", type=Path, required=True, metavar="PEM", help="a private key, as `keygen` makes it"
    )
    sign.add_argument("--output", type=Path, metavar="FILE", help="where to keep it; may be FILE")
    keygen = action(
        "keygen", "Make a private key, and print its public half for trusted_keys.yaml.",
        "fairweather evidence keygen --name governance-1 --output private.pem",
    )  # fmt: skip
    keygen.add_argument(
        "--output", type=Path, required=True, metavar="PEM", help="a new file for the private key"
    )
    for made in (sign, keygen):
        made.add_argument(
            "--name", required=True, metavar="KEY", help="of the key in trusted_keys.yaml"
        )


def sizes(text: str) -> tuple[int, ...]:
    """`8x8` -> (8, 8)."""
    parts = text.split("x")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is no size such as 8x8 or 1600")
    return tuple(map(int, parts))
