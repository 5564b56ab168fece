"""From a stack file, or from the values that Pulumi read from it, to records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stacks.errors import ContractError, KeyPath, dotted, explain, nearest, shown
from stacks.nodes import PREFIX, Document, compose, contract_path, entry, find, hazards, key_text
from stacks.nodes import locate, plain
from stacks.records import Stack

Problem = tuple[KeyPath, str]
PARTS = tuple(Stack.model_fields)


def load(path: Path) -> Stack:
    """The contract of one stack file."""
    source = shown(path)
    document = compose(read_text(path), source)
    config = find(document.root, ("config",))
    if document.root is None:
        raise ContractError(f"{source}: is empty; a stack file has config: with {_names()}")
    if config is None:
        raise ContractError(f"{source}:1: config: is missing; add it with {_names()}")
    found = [
        f"{document.place(hazard.index)}: {contract_path(hazard.path)}: {hazard.problem}"
        for hazard in hazards(document)
    ]
    if found:
        raise ContractError("\n".join(found))
    values = plain(config)
    if not isinstance(values, dict):
        problem = f"holds no keys; give it {_names()}"
        raise ContractError(f"{document.place(config.start_mark.index)}: config: {problem}")
    parts = {
        key.removeprefix(PREFIX): value for key, value in values.items() if key.startswith(PREFIX)
    }
    return _stack(parts, document)


def parse(values: Mapping[str, Any], source: Path) -> Stack:
    """The contract from the values that Pulumi read; `source` names the lines in errors."""
    try:
        document = compose(read_text(source), shown(source))
    except ContractError:
        document = Document("", shown(source), None)
    return _stack(dict(values), document)


def read_text(path: Path) -> str:
    """The file's text with its own line ends and without a byte order mark."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ContractError(f"{shown(path)}: does not exist; {_beside(path)}") from None
    except UnicodeDecodeError:
        raise ContractError(f"{shown(path)}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContractError(f"{shown(path)}: cannot be read: {reason}; name a file") from None
    return text.removeprefix("\ufeff")


def _beside(path: Path) -> str:
    names = sorted(file.name for file in path.parent.glob(f"*{path.suffix or '.yaml'}"))
    return f"there are {', '.join(names)}" if names else f"nothing is in {shown(path.parent)}"


def _names() -> str:
    return ", ".join(PREFIX + part for part in PARTS)
