"""Between Pulumi's property names and AWS' request shapes, by the models that botocore ships.

A property goes where the request model has a place for it: equal but for case and plural, unless a name is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.model import Shape

Names = Mapping[str, str | tuple[str, ...]]
TAGS = re.compile(r"(^|\.)(tags|labels)$")


def singular(name: str) -> str:
    return re.sub(r"(ies|s)$", "", name.lower()) or name.lower()


def place(members: Any, key: str, names: Names) -> str | None:
    """The member of an API structure where a property goes."""
    wanted = names.get(key, key)
    for want in (wanted,) if isinstance(wanted, str) else wanted:
        for member in members:
            if str(member).lower() == want.lower():
                return str(member)
    if key in names:
        return None
    return next((str(member) for member in members if singular(str(member)) == singular(key)), None)


def to_api(shape: Shape, value: Any, names: Names) -> Any:
    """A Pulumi value in the form that an API shape asks for."""
    if shape.type_name == "structure":
        return to_structure(shape, value, names)
    if shape.type_name == "list":
        return to_list(shape, value, names)
    if shape.type_name == "map":
        return {key: to_api(shape.value, inside, names) for key, inside in value.items()}
    return PLAIN.get(shape.type_name, lambda whatever: whatever)(value)


def text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def switch(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": switch,
    "string": text,
}


def to_list(shape: Shape, value: Any, names: Names) -> list[Any]:
    inside = pair(getattr(shape.member, "members", ())) if isinstance(value, dict) else None
    if inside is not None:  # tags: {a: b} -> [{Key: a, Value: b}]
        return [dict(zip(inside, entry, strict=True)) for entry in value.items()]
    values = value if isinstance(value, list) else [value]
    return [to_api(shape.member, one, names) for one in values]


def pair(members: Iterable[Any]) -> tuple[str, str] | None:
    """The key and the value of what is a pair, such as a tag; None for anything else."""
    keys, values = (
        [str(m) for m in members if str(m).lower().endswith(end)] for end in ("key", "value")
    )
    return (keys[0], values[0]) if keys and values else None


def to_structure(shape: Shape, value: Any, names: Names) -> Any:
    if {"Quantity", "Items"} <= set(shape.members) and isinstance(value, list):  # CloudFront
        return {"Quantity": len(value), "Items": to_api(shape.members["Items"], value, names)}
    if isinstance(value, list):  # the providers' "block, at most one"
        value = value[0] if value else {}
    if set(shape.members) == {"Items"}:
        return {"Items": to_api(shape.members["Items"], value, names)}
    made = arguments(shape, value, names)
    if "Quantity" in shape.required_members:
        made.setdefault("Quantity", len(made.get("Items", [])))
    return made


def arguments(shape: Shape, bag: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """What a request takes of a bag of properties."""
    found: dict[str, Any] = {}
    for key, value in bag.items():
        member = place(shape.members, key, names)
        if member is not None and value is not None and member not in found:
            found[member] = to_api(shape.members[member], value, names)
    return found


def same(sent: Any, live: Any) -> bool:
    if isinstance(sent, bool) or isinstance(live, bool):
        return str(sent).lower() == str(live).lower()
    if isinstance(sent, str) and isinstance(live, str) and sent[:1] in ("{", "["):
        return bool(as_json(sent) == as_json(live))
    try:
        return bool(sent == live or str(sent) == str(live) or float(sent) == float(live))
    except (TypeError, ValueError):
        return False


def as_json(text: str) -> Any:
    """What a text says as JSON, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def reflect(sent: Any, live: Any, names: Names, unseen: list[str], path: str = "") -> Any:
    """What the user sent, with the values that AWS reports.

    Paths that AWS does not report are added to `unseen`.
    """
    live = in_form(sent, live)
    if isinstance(sent, dict) and isinstance(live, dict):
        if TAGS.search(path):  # the user's own keys: more or fewer is drift
            return {key: value for key, value in live.items() if not key.startswith("aws:")}
        told = {}
        for key, value in sent.items():
            member = key if key in live else place(live, key, names)
            inside = f"{path}.{key}".lstrip(".")
            if member is None:
                told[key] = value
                if value is not None:
                    unseen.append(inside)
            else:
                told[key] = reflect(value, live[member], names, unseen, inside)
        return told
    if isinstance(sent, list) and isinstance(live, list) and len(sent) == len(live):
        if sorted(map(str, sent)) == sorted(map(str, live)):
            return sent  # AWS' lists of names have no order
        both = zip(sent, live, strict=True)
        return [reflect(one, told, names, unseen, f"{path}[]") for one, told in both]
    return sent if same(sent, live) else live


def in_form(sent: Any, live: Any) -> Any:
    """A live value in the form in which it was sent."""
    if isinstance(live, dict) and "Quantity" in live and not isinstance(sent, dict):
        return live.get("Items", [])
    match sent, live:
        case dict(), list():
            return unpaired(live)
        case [_], dict():  # the providers' "block, at most one"
            return [live]
        case str(), dict() | list():
            return json.dumps(live)
    return live


def unpaired(live: list[Any]) -> Any:
    """[{Key, Value}] -> {key: value}; a list of one thing -> the thing."""
    inside = [pair(one) if isinstance(one, dict) and len(one) == 2 else None for one in live]
    if all(inside):
        return {one[keys[0]]: one[keys[1]] for one, keys in zip(live, inside, strict=True) if keys}
    return live[0] if len(live) == 1 else live


def camel(name: str) -> str:
    """`DNSName` -> `dnsName`, `ARN` -> `arn`."""
    return (
        name.lower()
        if name.isupper()
        else re.sub(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]", lambda m: m[0].lower(), name)
    )


def properties(live: Mapping[str, Any]) -> dict[str, Any]:
    """Plain live members under Pulumi's names; the forms of structures differ too much."""
    return {camel(k): v for k, v in live.items() if not isinstance(v, dict | list)}
