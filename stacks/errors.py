"""The one error of this room, and how pydantic's findings become lines that name file, line, key and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

Key = tuple[str | int, ...]


class ContractError(ValueError):
    """A stack file, a model version or an evidence file that cannot be used; one line for each problem."""


def dotted(key: Key) -> str:
    """`apps.camera.regions[1]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key)
    return text.lstrip(".")


def shown(path: Path) -> str:
    """The path as the user would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def problems(error: ValidationError, record: type[BaseModel], source: Path, lines: Mapping[Key, int]) -> ContractError:
    """All findings of one validation, each with the line of the key it is about."""
    told = []
    for finding in error.errors():
        key = without_tags(finding["loc"])
        line = next((lines[key[:n]] for n in range(len(key), -1, -1) if key[:n] in lines), 1)
        told.append(f"{shown(source)}:{line}: {dotted(key) + ': ' if key else ''}{words(finding, record)}")
    return ContractError("\n".join(dict.fromkeys(told)))


def without_tags(loc: Sequence[str | int]) -> Key:
    """Pydantic puts the tag of a union into the place (`serving.gpu.gpu`): users never wrote it."""
    key: list[str | int] = []
    for n, step in enumerate(loc):
        tag = n > 0 and loc[n - 1] == "serving" and step in ("gpu", "serverless") and (n < 2 or loc[n - 2] != "serving")
        if not tag and step != "[key]":
            key.append(step)
    return tuple(key)


def words(finding: Mapping[str, Any], record: type[BaseModel]) -> str:
    """What is wrong and what to do, in a few words."""
    kind, given = finding["type"], finding.get("input")
    context = finding.get("ctx", {})
    match kind:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            close = difflib.get_close_matches(str(finding["loc"][-1]), field_names(record), n=1)
            return "unknown key" + (f"; did you mean {close[0]!r}?" if close else "; remove it")
        case "literal_error":
            return f"{given!r} is not one of {str(context.get('expected', '')).replace(chr(39), '').replace(' or ', ', ')}"
        case "union_tag_invalid":
            return f"target {context.get('tag')!r} is not one of gpu, serverless"
        case "union_tag_not_found":
            return "needs `target: gpu` or `target: serverless`"
        case "value_error":
            return str(context["error"])
        case "string_pattern_mismatch":
            return f"{given!r} does not have the form {context['pattern']}"
        case "too_short" | "too_long":
            return f"{finding['msg'][0].lower()}{finding['msg'][1:]}"
    message = str(finding["msg"])
    return f"{message[0].lower()}{message[1:]}, not {given!r}"


def field_names(record: type[BaseModel]) -> list[str]:
    """Every key that may stand anywhere below `record`."""
    found: dict[str, None] = {}
    todo: list[Any] = [record]
    seen: set[Any] = set()
    while todo:
        kind = todo.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                found[name] = None
                todo.append(field.annotation)
        else:
            todo.extend(getattr(kind, "__args__", ()))
    return list(found)
