"""Around the loop: measured capacity, places, commitments, spend, incidents."""

from __future__ import annotations

import argparse
from pathlib import Path

from gitops.options.shared import Commands, command, demand_options, json_option, report_option


def add(commands: Commands) -> None:
    sizing_options(command(
        commands, "sizing", "commands.sizing:sizing",
        "What a replica serves inside the SLO, measured, beside what is claimed.",
        "fairweather sizing dev --serving build/serving-dev.csv.gz",
    ))  # fmt: skip

    spend_options(command(
        commands, "spend", "commands.spend:spend",
        "The running month against its budgets, and days that cost too much.",
        "fairweather spend dev --by team --billing build/billing-dev.parquet",
    ))  # fmt: skip

    detect_options(command(
        commands, "detect", "commands.detect:detect",
        "What is unusual in load, latency and errors, and since when.",
        "fairweather detect dev --errors build/errors-dev.csv.gz", stack=False,
    ))  # fmt: skip

    placement_options(command(
        commands, "place", "commands.placement:place",
        "Where apps should run, on which GPU, and what each promise costs.",
        "fairweather place prod --demand build/demand-prod.csv.gz --network rtt.csv",
    ))  # fmt: skip

    commitments = command(
        commands, "commitments", "commands.purchase:commitments",
        "What to commit to for a year, pool by pool, and what it loses if demand falls; buys nothing.",
        "fairweather commitments prod --demand build/demand-prod.csv.gz --active commitments.csv",
    )  # fmt: skip
    commitment_options(commitments)


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
    json_option(sizing)


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
    json_option(place)
    report_option(place)


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
    json_option(made)


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
    json_option(spend)
    report_option(spend)
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
    json_option(detect, "for machines, with what is over")
    report_option(detect)
