"""From a stack file, or from the values that Pulumi read from it, to records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stacks.errors import ContractError, KeyPath, dotted, explain, shown
from stacks.nodes import PREFIX, Document, compose, contract_path, find, hazards, locate, plain
from stacks.records import Record, Stack

R = TypeVar("R", bound=Record)
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
        place = document.place(locate(document.root, ("config",)) or 0)
        raise ContractError(f"{place}: config: {problem}")
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


def config_values(get_object: Callable[[str], Any]) -> dict[str, Any]:
    """The parts that Pulumi's `Config("fairweather").get_object` knows, for `parse`."""
    values = {part: get_object(part) for part in PARTS}
    return {part: value for part, value in values.items() if value is not None}


def validate(values: Any, record: type[R]) -> R:
    """The record, by JSON's strict rules: text is never read as a number, nor a number as text."""
    return record.model_validate_json(json.dumps(values, default=str), strict=True)


def line_by_line(problems: Mapping[KeyPath, str], document: Document, *above: str) -> ContractError:
    """One line a problem, in the file's order; `above` are keys that the records do not say."""
    lines = []
    for path, problem in problems.items():
        inside = (*above[:-1], f"{above[-1]}{path[0]}", *path[1:]) if above and path else path
        index = locate(document.root, inside)
        place = document.place(index or 0) if document.root else document.source
        lines.append((index or 0, f"{place}: {dotted(path)}: {problem}"))
    return ContractError("\n".join(line for _, line in sorted(lines)))


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


def _stack(parts: dict[str, Any], document: Document) -> Stack:
    for part in ("events", "capacity"):
        if parts.get(part, 0) is None:  # a key without entries yet
            del parts[part]
    problems: dict[KeyPath, str] = {}
    for part in PARTS:
        if part not in parts and Stack.model_fields[part].is_required():
            problems[(part,)] = f"is missing; add {PREFIX}{part} under config"
    try:
        return validate(parts, Stack)
    except ValidationError as error:
        for path, problem in explain(error, Stack):
            problems.setdefault(path, problem)
    raise line_by_line(problems, document, "config", PREFIX) from None
