"""The loop: telemetry, plan, proposal, preview, deployment."""

from __future__ import annotations

from pathlib import Path

from gitops.options.shared import (
    Commands,
    command,
    demand_options,
    json_option,
    report_option,
    sandbox_option,
    workers_option,
)


def add(commands: Commands) -> None:
    planning(commands)
    deploying(commands)
    looking_back(commands)


def planning(commands: Commands) -> None:
    plan = command(
        commands, "plan", "commands.plan:plan",
        "Forecast demand and show the capacity it asks for; writes nothing by itself.",
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
    json_option(plan, "the whole plan for machines")
    report_option(plan)

    propose = command(
        commands, "propose", "proposing:propose",
        "Plan, commit with evidence on a branch, and open a pull request.",
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

    for made in (plan, propose):
        workers_option(made)


def deploying(commands: Commands) -> None:
    preview = command(
        commands, "preview", "deploying:preview",
        "Show what `pulumi up` would change and what the gate says.",
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
        commands, "up", "deploying:up", "Deploy through the gate.", "fairweather up dev --sandbox",
    )  # fmt: skip
    cost = command(
        commands, "cost", "deploying:cost",
        "What the stack's resources cost a month: low, expected and high, by app.",
        "fairweather cost prod --sandbox",
    )  # fmt: skip
    for made in (preview, up, cost):
        sandbox_option(made)
        json_option(made)
    for made in (preview, up):
        made.add_argument("--refresh", action="store_true", help="first look at what really exists")
    cost.add_argument(
        "--prices", type=Path, metavar="CSV", help="your own prices, on top of the built-in book"
    )


def looking_back(commands: Commands) -> None:
    replay = command(
        commands, "replay", "commands.plan:replay",
        "What this plan and the rules in use would have cost and dropped.",
        "fairweather replay dev --days 28",
    )  # fmt: skip
    demand_options(replay)
    replay.add_argument(
        "--days", type=int, default=28, help="how much of the past to replay (default: 28)"
    )
    json_option(replay)
    workers_option(replay)

    telemetry = command(
        commands, "telemetry", "commands.plan:telemetry",
        "Read the telemetry of a stack and say what is wrong with it.",
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
