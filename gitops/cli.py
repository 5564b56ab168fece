"""The command line: what each command is called, takes and exits with.

Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage. Commands import what they need when they run, so
that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from datetime import date
from pathlib import Path

MODEL_FACTS = {
    "modality": "image, audio, text, tabular or multimodal",
    "image": "the serving container by digest, registry/name@sha256:...",
    "artifact": "address of the weights",
    "digest": "sha256:... of the weights, where --weights is not given",
    "intended_use": "what it is for, in a sentence",
    "licence": "SPDX identifier, such as Apache-2.0",
    "training_pipeline": "what trained it",
    "inference_pipeline": "what turns a request into an answer, if more than the image",
    "rollback_to": "the version to roll back to (default: that of --after)",
}
"""Keys of a version's file that `model add` takes as options."""
ROOT = Path(__file__).resolve().parent.parent
ABOUT = "Keeps GPU, edge and serverless capacity of mobile AI apps right-sized, inside budget and fair, through Git."


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    module, function = options.run.split(":")
    # What users can mend is one line; anything else is a fault of ours and keeps its traceback.
    from gitops.errors import Refusal, in_one_line

    try:
        return int(getattr(importlib.import_module(f"gitops.{module}"), function)(options) or 0)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except Exception as error:
        line = in_one_line(error)
        if line is None:
            raise
        print(line, file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="fairweather",
        description=ABOUT,
        epilog="Start here: `fairweather demo` runs the whole loop on this machine and touches nothing of yours.",
    )
    top.add_argument(
        "--root", type=Path, default=ROOT, help="the checkout to work on (default: this one)"
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: str, summary: str, example: str, *, stack: bool = True
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        if stack:
            made.add_argument(
                "stack", metavar="STACK", help="a stack file in stacks/, such as dev or prod"
            )
        return made

    plan = command(
        "plan", "plan_commands:plan", "Forecast demand and show the capacity it asks for; writes nothing by itself.",
        "fairweather plan dev --demand build/demand-dev.csv.gz",
    )  # fmt: skip
    demand_options(plan)
    what = plan.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="rewrite the capacity in the stack file")
    what.add_argument(
        "--check",
        action="store_true",
        help="exit 1 when the stack file is not what would be planned",
    )
    plan.add_argument("--json", action="store_true", help="the whole plan for machines")
    plan.add_argument(
        "--report", type=Path, metavar="HTML", help="also write a page that opens offline"
    )

    propose = command(
        "propose", "proposing:propose", "Plan, commit with evidence on a branch, and open a pull request.",
        "fairweather propose prod --push",
    )  # fmt: skip
    demand_options(propose)
    propose.add_argument(
        "--push", action="store_true", help="push the branch and open or update its pull request"
    )
    propose.add_argument("--remote", default="origin", help="where to push (default: origin)")
    propose.add_argument("--base", default="main", help="branch to propose against (default: main)")
    propose.add_argument(
        "--preview", metavar="WORKFLOW",
        help="also start this workflow on the branch: what Actions' own token pushes starts none",
    )  # fmt: skip

    preview = command(
        "preview", "deploying:preview", "Show what `pulumi up` would change and what the gate says.",
        "fairweather preview dev --sandbox",
    )  # fmt: skip
    preview.add_argument(
        "--comment", type=Path, metavar="FILE", help="also write a pull request comment (Markdown)"
    )
    preview.add_argument(
        "--post", type=int, metavar="NUMBER",
        help="also write the comment on this pull request, or edit the one that is there",
    )  # fmt: skip
    preview.add_argument(
        "--policy-report", type=Path, metavar="FILE", action="append", default=[],
        help="also write what the gate said, by suffix as .json, .sarif, .xml (JUnit), .md or .txt; may be repeated",
    )  # fmt: skip
    up = command(
        "up", "deploying:up", "Deploy through the gate.", "fairweather up dev --sandbox",
    )  # fmt: skip
    cost = command(
        "cost", "deploying:cost", "What the stack's resources cost a month: low, expected and high, by app.",
        "fairweather cost prod --sandbox",
    )  # fmt: skip
    for made in (preview, up, cost):
        sandbox_option(made)
        made.add_argument("--json", action="store_true", help="for machines")
    for made in (preview, up):
        made.add_argument("--refresh", action="store_true", help="first look at what really exists")
    cost.add_argument(
        "--prices", type=Path, metavar="CSV", help="your own prices, on top of the built-in book"
    )

    commitments = command(
        "commitments", "purchase_commands:commitments",
        "What to commit to for a year, pool by pool, and what it loses if demand falls; buys nothing.",
        "fairweather commitments prod --demand build/demand-prod.csv.gz --active commitments.csv",
    )  # fmt: skip
    commitment_options(commitments)

    replay = command(
        "replay", "plan_commands:replay", "What this plan and the rules in use would have cost and dropped.",
        "fairweather replay dev --days 28",
    )  # fmt: skip
    demand_options(replay)
    replay.add_argument(
        "--days", type=int, default=28, help="how much of the past to replay (default: 28)"
    )
    replay.add_argument("--json", action="store_true", help="for machines")

    placement_options(command(
        "place", "placement_commands:place", "Where apps should run, on which GPU, and what each promise costs.",
        "fairweather place prod --demand build/demand-prod.csv.gz --network rtt.csv",
    ))  # fmt: skip

    for made in (plan, propose, replay):
        workers_option(made)

    telemetry = command(
        "telemetry", "plan_commands:telemetry", "Read the telemetry of a stack and say what is wrong with it.",
        "fairweather telemetry dev --synthesize build/demand-dev.csv.gz",
    )  # fmt: skip
    demand_options(telemetry)
    telemetry.add_argument(
        "--synthesize", type=Path, metavar="FILE", help="write synthetic demand to try things with"
    )
    telemetry.add_argument(
        "--seed", type=int, default=7, help="of the synthetic demand (default: 7)"
    )
    telemetry.add_argument(
        "--incident", action="store_true",
        help="with --synthesize: let one service fail at the end, for `fairweather detect` to find",
    )  # fmt: skip

    sizing_options(command(
        "sizing", "sizing_commands:sizing", "What a replica serves inside the SLO, measured, beside what is claimed.",
        "fairweather sizing dev --serving build/serving-dev.csv.gz",
    ))  # fmt: skip

    spend_options(command(
        "spend", "spend_commands:spend", "The running month against its budgets, and days that cost too much.",
        "fairweather spend dev --by team --billing build/billing-dev.parquet",
    ))  # fmt: skip

    detect_options(command(
        "detect", "detect_commands:detect", "What is unusual in load, latency and errors, and since when.",
        "fairweather detect dev --errors build/errors-dev.csv.gz", stack=False,
    ))  # fmt: skip

    model_actions(command(
        "model", "model_commands:show", "Ask the model registry: versions, their evidence, where to roll back to.",
        "fairweather model verify", stack=False,
    ))  # fmt: skip

    evidence_actions(command(
        "evidence", "fairness_commands:judge", "Make evidence from logs, judge it as the gate does, watch what is deployed.",
        "fairweather evidence judge models/scene-caption/evidence/2.3.1-fairness.json", stack=False,
    ))  # fmt: skip

    box = command(
        "sandbox", "sandboxing:sandbox", "The embedded clouds that the real engine can deploy to.",
        'fairweather sandbox start && eval "$(fairweather sandbox env)" && pulumi preview -s dev', stack=False,
    )  # fmt: skip
    box.add_argument("action", choices=("start", "status", "env", "stop"))
    box.add_argument(
        "--home", type=Path, default=None, help="where it keeps its state (default: .sandbox)"
    )
    box.add_argument("--json", action="store_true", help="status for machines")

    demo = command(
        "demo", "demo:demo", "The whole loop on this machine, in a throw-away clone; nothing of yours is touched.",
        "fairweather demo --demand my-demand.csv.gz", stack=False,
    )  # fmt: skip
    demo.add_argument("--stack", default="dev", help="example stack to run (default: dev)")
    demo.add_argument(
        "--demand",
        metavar="FILE",
        help="demand to plan from (default: synthetic, made for the demo)",
    )
    demo.add_argument(
        "--at", metavar="TIME", help="plan as of this time (default: the end of the demand)"
    )
    demo.add_argument(
        "--keep", action="store_true", help="leave the embedded clouds running afterwards"
    )
    demo.add_argument(
        "--folder", type=Path, help="where to put the clone (default: a new temporary folder)"
    )
    return top


def evidence_actions(evidence: argparse.ArgumentParser) -> None:
    """How evidence is made and judged."""
    actions = evidence.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        made = actions.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=f"fairness_commands:{name}")
        return made

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


def model_actions(model: argparse.ArgumentParser) -> None:
    """What can be asked of the registry, each with the model that it is about."""
    actions = model.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: str, summary: str, example: str) -> argparse.ArgumentParser:
        made = actions.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=f"model_commands:{run}")
        return made

    show = action(
        "show", "show", "What a version is, what its evidence says, and what is wrong with it.",
        "fairweather model show scene-caption",
    )  # fmt: skip
    show.add_argument("name", metavar="NAME", help="a folder in models/")
    show.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")
    add = action(
        "add", "add", "Draft the next version, check it, and show its file; --write puts it in the registry.",
        "fairweather model add scene-caption 2.4.0 --after 2.3.1 --weights build/model.safetensors "
        "--artifact s3://lumen-models/scene-caption/2.4.0/model.safetensors --evidence fairness=build/fairness.json",
    )  # fmt: skip
    add.add_argument("name", metavar="NAME", help="a folder in models/; a new one is made")
    add.add_argument("version", metavar="VERSION", help="three numbers, such as 2.4.0")
    add.add_argument(
        "--after", metavar="VERSION",
        help="take over from this version what is not said here, and roll back to it",
    )  # fmt: skip
    for key, text in MODEL_FACTS.items():
        add.add_argument(f"--{key.replace('_', '-')}", dest=key, metavar="TEXT", help=text)
    add.add_argument(
        "--sensitive-domain", action=argparse.BooleanOptionalAction, default=None,
        help="whether a wrong answer can hurt people: health, credit, hiring, policing",
    )  # fmt: skip
    add.add_argument(
        "--dataset", action="append", metavar="NAME,LICENCE,personal|not-personal",
        help="what it was trained on; may be repeated",
    )  # fmt: skip
    add.add_argument(
        "--weights", type=Path, metavar="FILE", help="the weights, to take their digest from"
    )
    add.add_argument(
        "--evidence", action="append", default=[], metavar="KIND=FILE",
        help="fairness, explanation or privacy evidence, copied into the registry; may be repeated",
    )  # fmt: skip
    add.add_argument("--write", action="store_true", help="put it in the registry")
    export = action(
        "export", "export", "A version as a bill of materials (CycloneDX 1.6 ML-BOM) or as a model card.",
        "fairweather model export scene-caption --format cyclonedx --output build/scene-caption.cdx.json",
    )  # fmt: skip
    export.add_argument("name", metavar="NAME", help="a folder in models/")
    export.add_argument("version", metavar="VERSION", nargs="?", help="default: the newest")
    export.add_argument(
        "--format", choices=("cyclonedx", "card"), default="cyclonedx", help="default: cyclonedx"
    )
    export.add_argument("--output", type=Path, metavar="FILE", help="default: print it")
    diff = action(
        "diff", "diff", "What differs between two versions: their files, and the rates in their evidence.",
        "fairweather model diff scene-caption 2.3.0 2.3.1",
    )  # fmt: skip
    diff.add_argument("name", metavar="NAME", help="a folder in models/")
    diff.add_argument("before", metavar="V1")
    diff.add_argument("after", metavar="V2")
    verify = action(
        "verify", "verify", "Check that evidence is unchanged, of its version and in date; a line a problem.",
        "fairweather model verify scene-caption",
    )  # fmt: skip
    verify.add_argument("name", metavar="NAME", nargs="?", help="default: every model")
    target = action(
        "rollback-target", "rollback_target", "The first version along rollback_to whose evidence holds.",
        "fairweather model rollback-target scene-caption 2.3.1",
    )  # fmt: skip
    target.add_argument("name", metavar="NAME", help="a folder in models/")
    target.add_argument("version", metavar="VERSION", help="the version to leave")


def sizing_options(sizing: argparse.ArgumentParser) -> None:
    sizing.add_argument(
        "--serving", metavar="FILE", help="instead of the source in fairweather:telemetry"
    )
    sizing.add_argument(
        "--usage",
        metavar="FILE",
        help="CPU and memory of containers, instead of the stack's source",
    )
    sizing.add_argument("--at", metavar="TIME", help="as of this time, UTC (default: now)")
    sizing.add_argument("--check", action="store_true", help="exit 1 when a claim is too high")
    sizing.add_argument("--json", action="store_true", help="for machines")


def demand_options(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--demand", metavar="FILE|URL", help="instead of the source in fairweather:telemetry"
    )
    made.add_argument("--at", metavar="TIME", help="plan as of this time, UTC (default: now)")
    made.add_argument(
        "--prices", type=Path, metavar="CSV", help="your own prices, on top of the built-in book"
    )


def placement_options(place: argparse.ArgumentParser) -> None:
    demand_options(place)
    place.add_argument(
        "--users", type=Path, metavar="CSV",
        help="where users are, as app,area,share and perhaps hour (UTC), instead of `users` in the stack file",
    )  # fmt: skip
    place.add_argument(
        "--network", type=Path, metavar="CSV",
        help="measured network times, as area,location,network_ms (there and back, p95), on top of the estimates",
    )  # fmt: skip
    place.add_argument(
        "--write",
        action="store_true",
        help="make the moves in the stack file, for people to review",
    )
    place.add_argument("--json", action="store_true", help="for machines")
    place.add_argument(
        "--report", type=Path, metavar="HTML", help="also write a page that opens offline"
    )


def commitment_options(made: argparse.ArgumentParser) -> None:
    demand_options(made)
    made.add_argument(
        "--active", type=Path, metavar="CSV",
        help="commitments that run already: pool,start,end,usd_hour (default: none)",
    )  # fmt: skip
    made.add_argument(
        "--availability", type=Path, metavar="CSV",
        help="recorded spot availability: time,pool,zone,available; without it spot is not advised",
    )  # fmt: skip
    made.add_argument(
        "--discount", type=float, metavar="SHARE",
        help="your discount of a one-year commitment, such as 0.3, where no price is known",
    )  # fmt: skip
    made.add_argument(
        "--compute-discount", type=float, metavar="SHARE",
        help="your discount of an AWS Compute Savings Plan: all of AWS becomes one pool",
    )  # fmt: skip
    made.add_argument(
        "--budget", type=float, metavar="USD",
        help="most to pay a month for new commitments; says what one more dollar would save",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="for machines")


def spend_options(spend: argparse.ArgumentParser) -> None:
    spend.add_argument("--by", choices=("app", "team", "model"), default="app", help="default: app")
    spend.add_argument(
        "--billing", type=Path, nargs="+", metavar="FILE",
        help="FOCUS exports (Parquet, CSV, or a folder of them) or tables time, app, usd; instead of telemetry.spend",
    )  # fmt: skip
    spend.add_argument(
        "--at", metavar="TIME", help="as it was known at this time, UTC (default: all there is)"
    )
    spend.add_argument(
        "--lag-hours", type=float, default=48, help="younger days are incomplete (default: 48)"
    )
    spend.add_argument(
        "--shared-by", choices=("own-line", "cost", "replicas"), default="own-line",
        help="split cost tagged app=shared by the apps' own cost or replicas (default: a line of its own)",
    )  # fmt: skip
    spend.add_argument(
        "--check", action="store_true",
        help="exit 1 when an overrun is likely, or a day of the last week cost too much by 1 %% of the month",
    )  # fmt: skip
    spend.add_argument(
        "--overrun-probability", type=float, default=0.5, metavar="P",
        help="what --check calls likely (default: 0.5)",
    )  # fmt: skip
    spend.add_argument("--json", action="store_true", help="for machines")
    spend.add_argument(
        "--report", type=Path, metavar="HTML", help="also write a page that opens offline"
    )
    spend.add_argument(
        "--synthesize", type=Path, metavar="FILE", help="write synthetic billing to try things with"
    )
    spend.add_argument("--seed", type=int, default=7, help="of the synthetic billing (default: 7)")


def detect_options(detect: argparse.ArgumentParser) -> None:
    what = detect.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "stack", metavar="STACK", nargs="?", help="a stack file in stacks/, such as dev or prod"
    )
    what.add_argument(
        "--file", type=Path, metavar="CSV",
        help="any streams instead of a stack's: time,value or time,app,location,value",
    )  # fmt: skip
    for kind, figure in (("demand", "rps"), ("latency", "latency_p95_ms"), ("errors", "errors")):
        detect.add_argument(
            f"--{kind}", metavar="FILE",
            help=f"{figure} by time,app,location, instead of the source in fairweather:telemetry",
        )  # fmt: skip
    detect.add_argument("--at", metavar="TIME", help="as of this time, UTC (default: now)")
    detect.add_argument(
        "--sensitive", action="store_true",
        help="find more, with more false alarms: the threshold that NAB is scored with",
    )  # fmt: skip
    detect.add_argument(
        "--check", action="store_true", help="exit 1 when something unusual is going on"
    )
    detect.add_argument("--json", action="store_true", help="for machines, with what is over")
    detect.add_argument(
        "--report", type=Path, metavar="HTML", help="also write a page that opens offline"
    )


def workers_option(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--workers", type=whose, default=1, metavar="NUMBER|ADDRESS",
        help="processes here, or a Dask scheduler such as tcp://scheduler:8786; same result (default: 1)",
    )  # fmt: skip


def whose(text: str) -> int | str:
    """How many workers of our own, or where others' are."""
    if text.isdecimal() and int(text):
        return int(text)
    if "://" in text:
        return text
    raise argparse.ArgumentTypeError(
        f"{text} is neither a number of processes nor the address of a Dask scheduler"
    )


def sandbox_option(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--sandbox", type=Path, nargs="?", const=Path(".sandbox"), default=None, metavar="HOME",
        help="use the embedded clouds (started where needed) instead of your accounts",
    )  # fmt: skip
