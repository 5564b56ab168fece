"""What is wrong with a file, one line a problem: where, what, and what to do."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from stacks.records import Misfit

KeyPath = tuple[str | int, ...]

A_PLACE = "a place such as aws:us-east-1 or gcp:europe-west4"
AN_EDGE = "cdn or a Local Zone such as aws:us-east-1-bos-1a"
SHAPES = {
    r"^[a-z][a-z0-9-]{0,29}[a-z0-9]$": "a name: 2 to 31 lower-case letters, digits and dashes",
    r"^\d{12}$": "an account of twelve digits",
    r"^\d+\.\d+\.\d+$": "a version such as 2.3.1",
    r"^1\.\d{2}$": "a Kubernetes version such as 1.34",
    r"^\d+\.\d+\.\d+\.\d+/\d+$": "a network such as 10.0.0.0/16",
    r"^sha256:[0-9a-f]{64}$": "a digest: sha256: and 64 hexadecimal digits",
    r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$": "a project: 6 to 30 lower-case letters, digits and dashes",
    r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$": "a billing account such as 0A1B2C-3D4E5F-678901",
    r"^[a-z0-9.\-/_:]+@sha256:[0-9a-f]{64}$": "an image by digest, such as host/name@sha256:...",
}
LIMITS = {
    "greater_than": ("gt", "too low; it must be above"),
    "greater_than_equal": ("ge", "too low; it must be at least"),
    "less_than": ("lt", "too high; it must be below"),
    "less_than_equal": ("le", "too high; it must be at most"),
}
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list, such as [a, b]",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "date": "a date such as 2026-12-31",
    "datetime": "a time such as 2026-11-27T06:00:00Z",
    "timezone": "a time with its zone, such as 2026-11-27T06:00:00Z",
}


class ContractError(ValueError):
    """A file of the contract that cannot be used; the text has one line for each problem."""


def shown(path: Path) -> str:
    """The path as people say it: relative to the current folder where that is possible."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def dotted(path: KeyPath) -> str:
    """`("apps", "camera", "regions", 1)` -> `apps.camera.regions[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    # A key may hold anything; a line of ours stays one line.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text.removeprefix("."))


def nearest(word: str, known: list[str], noun: str) -> str:
    """The remedy for a word that is not known: the closest known one, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known {noun} are {', '.join(known)}"


def explain(error: ValidationError, record: type[BaseModel]) -> Iterator[tuple[KeyPath, str]]:
    """Each problem that pydantic found, as the key it is at and a sentence for people."""
    details = error.errors(include_url=False)
    for detail in details:
        loc = detail["loc"]
        if detail["type"] == "too_short" and any(
            other["loc"][: len(loc)] == loc != other["loc"] for other in details
        ):
            continue  # only the entries that were understood are counted
        path, model = _resolve(loc, record)
        context = detail.get("ctx", {})
        cause = context.get("error")
        if isinstance(cause, Misfit):
            yield from (((*path, *below), problem) for below, problem in cause.found)
        elif detail["type"] == "union_tag_not_found":
            yield (*path, context["discriminator"].strip("'")), "is missing; add it"
        elif detail["type"] == "union_tag_invalid":
            tags = context["expected_tags"].replace("'", "")
            problem = f"{_value(context['tag'])} is not one of {tags}"
            yield (*path, context["discriminator"].strip("'")), problem
        else:
            yield path, _sentence(detail["type"], path, detail["input"], context, model)


def _sentence(  # noqa: PLR0911  (a table: a sentence for each kind of problem)
    kind: str, path: KeyPath, value: Any, context: Mapping[str, Any], model: type[BaseModel]
) -> str:
    match kind:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return f"is not a known key; {nearest(str(path[-1]), list(model.model_fields), 'keys')}"
        case "literal_error":
            options = ", ".join(re.findall(r"'([^']*)'", context["expected"]))
            return f"{_value(value)} is not one of {options}"
        case "string_pattern_mismatch":
            place = AN_EDGE if "edge" in path else A_PLACE
            return f"{_value(value)} is not {SHAPES.get(context['pattern'], place)}"
        case "too_short":
            return (
                f"has {_entries(context['actual_length'])}; give at least {context['min_length']}"
            )
        case "too_long":
            return f"has {_entries(context['actual_length'])}; give at most {context['max_length']}"
        case "value_error":
            return str(context["error"])
        case _ if kind in LIMITS:
            bound, problem = LIMITS[kind]
            return f"{_value(value)} is {problem} {context[bound]:g}"
    return _of_another_kind(kind, value)


def _of_another_kind(kind: str, value: Any) -> str:
    wanted = KINDS.get(
        kind.split("_", maxsplit=1)[0], f"right here ({kind.replace('_', ' ')}); correct it"
    )
    if value is None:
        return f"is empty; give it {wanted}"
    if isinstance(value, Mapping) and list(value) == ["secure"]:
        return "is encrypted; write it in the clear, credentials never stand here"
    if wanted == "text" and isinstance(value, bool | int | float):
        return f"{_value(value)} is not text; put it in quotes"
    if "number" in wanted and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return f"{value!r} is text; remove the quotes"
    return f"{_value(value)} is not {wanted}"


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    return json.dumps(value)


def _resolve(loc: KeyPath, record: type[BaseModel]) -> tuple[KeyPath, type[BaseModel]]:
    """Pydantic's location without the marks of its unions and keys, and the record it ends in."""
    path: list[str | int] = []
    at: Any = record
    model = record
    for part in loc:
        at = _bare(at)
        if get_origin(at) in (Union, types.UnionType):  # `part` is the tag of a member
            at = next(option for option in get_args(at) if _has_tag(option, part))
        elif part != "[key]":
            path.append(part)
            if isinstance(at, type) and issubclass(at, BaseModel):
                model = at
                field = at.model_fields.get(str(part))
                at = field.annotation if field else None
            elif options := get_args(at):
                at = options[1 if get_origin(at) is dict else 0]
    return tuple(path), model


def _bare(annotation: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        if len(options) == 1:
            return _bare(options[0])
    return annotation


def _has_tag(option: Any, tag: str | int) -> bool:
    return any(tag in get_args(field.annotation) for field in option.model_fields.values())
