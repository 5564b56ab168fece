"""`python -m stacks check [FILE...]` and `python -m stacks schema [--write]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from stacks.errors import ContractError, shown
from stacks.models import load_model
from stacks.reading import load, read_text
from stacks.records import ModelRef
from stacks.schema import FILE, schema_text

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all well; 1: the lines printed say what is wrong; 2: the command was not understood."""
    parser = argparse.ArgumentParser(prog="python -m stacks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="hold stack files against the contract")
    checking.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all here")
    writing = commands.add_parser("schema", help="print the JSON Schema of a stack file")
    writing.add_argument("--write", action="store_true", help=f"into {FILE.name} instead")
    chosen = parser.parse_args(arguments)
    if chosen.command == "schema":
        return _schema(chosen.write)
    return _check(chosen.files or sorted(HERE.glob("Pulumi.*.yaml")))


def _check(files: list[Path]) -> int:
    wrong: list[str] = []
    for file in files:
        try:
            stack = load(file)
        except ContractError as error:
            wrong.append(str(error))
            continue
        models = {app.model for app in stack.apps.values()}
        found = _model_problems(file.absolute().parent.parent / "models", models)
        wrong += found
        if not found:
            print(f"{shown(file)}: {len(stack.apps)} apps, {len(stack.services())} services: fits")
    for problem in dict.fromkeys(wrong):
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


def _model_problems(root: Path, models: Iterable[ModelRef]) -> list[str]:
    found = []
    for ref in models:
        try:
            load_model(root, ref)
        except ContractError as error:
            found.append(str(error))
    return found


def _schema(write: bool) -> int:
    if not write:
        print(schema_text(), end="")
    elif not FILE.exists() or read_text(FILE) != schema_text():
        FILE.write_text(schema_text(), encoding="utf-8")
        print(f"{shown(FILE)}: written")
    else:
        print(f"{shown(FILE)}: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
