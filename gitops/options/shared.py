"""What commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

# argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def command(
    commands: Commands, name: str, run: str, summary: str, example: str, *, stack: bool = True
) -> argparse.ArgumentParser:
    """One command, or one action of a command; `run` is module:function in `gitops`."""
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


def json_option(made: argparse.ArgumentParser, what: str = "for machines") -> None:
    made.add_argument("--json", action="store_true", help=what)


def report_option(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--report", type=Path, metavar="HTML", help="also write a page that opens offline"
    )


def demand_options(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--demand", metavar="FILE|URL", help="instead of the source in fairweather:telemetry"
    )
    made.add_argument("--at", metavar="TIME", help="plan as of this time, UTC (default: now)")
    made.add_argument(
        "--prices", type=Path, metavar="CSV", help="your own prices, on top of the built-in book"
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
