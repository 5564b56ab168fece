"""The command line: what each command is called, takes and exits with.

Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage. Commands import what they need when they run, so
that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from gitops.options import around, evidence, loop, machine, models

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
    for subject in (loop, around, models, evidence, machine):
        subject.add(commands)
    return top
