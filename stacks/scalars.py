"""Plain values as YAML text, the shortest way that every YAML reader understands alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stacks.nodes import TAG, entry, key_text, scalar

Plain = str | int | float | bool | Sequence["Plain"] | Mapping[str, "Plain"]

# Words that YAML 1.1 (which Pulumi's engine reads) or 1.2 takes for something else than text.
WORDS = {"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"}
# Dates and numbers of any notation consist of these alone, after a digit (or a sign or point).
NUMERIC = re.compile(r"[0-9a-fox_:+\-. tz]*", re.IGNORECASE)
UNPRINTABLE = re.compile(
    "[^\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def render(value: Plain, style: str | None = None, flow: bool = False) -> str:
    """One line of YAML; text keeps `style` (the quote that stood there) where it can."""
    if isinstance(value, Mapping):
        inside = ", ".join(
            f"{render(k, None, True)}: {render(v, None, True)}" for k, v in value.items()
        )
        return f"{{{inside}}}"
    if isinstance(value, str):
        return _text(value, style, flow)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    return f"[{', '.join(render(item, None, True) for item in value)}]"


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a stack file")
    if value == int(value):
        return str(int(value))
    return format(Decimal(repr(value)), "f")  # never 1e-05, which YAML 1.1 takes for text


def _text(value: str, style: str | None, flow: bool) -> str:
    if UNPRINTABLE.search(value):
        return '"' + re.sub(rf'["\\]|{UNPRINTABLE.pattern}', _escape, value) + '"'
    if style == '"':
        return '"' + re.sub(r'["\\]', _escape, value) + '"'
    if style != "'" and _is_plain(value, flow):
        return value
    return "'" + value.replace("'", "''") + "'"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xD800 <= code < 0xE000:
        raise ValueError(f"U+{code:04X} is half a character and has no place in a stack file")
    return ESCAPES.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _is_plain(value: str, flow: bool) -> bool:
    if value.lower() in WORDS or (value[0].isdigit() and NUMERIC.fullmatch(value)):
        return False
    if not (value[0].isalnum() or value[0] == "_") or value[-1] in ": \xa0":
        return False
    if value.startswith(("---", "...")) or ": " in value or " #" in value:
        return False
    return not (flow and re.search(r"[,\[\]{}]", value))


def same(node: Node, value: Plain) -> bool:
    """Whether the YAML at `node` already means `value`, kind included."""
    if isinstance(value, Mapping):
        if not value and str(node.tag) == f"{TAG}null":
            return True
        if not isinstance(node, MappingNode) or len(node.value) != len(value):
            return False
        pairs = {name: entry(node, name) for name in value}
        return all(pair and same(pair[1], value[name]) for name, pair in pairs.items())
    if isinstance(value, str | int | float):
        return isinstance(node, ScalarNode) and _same_scalar(node, value)
    if not isinstance(node, SequenceNode) or len(node.value) != len(value):
        return False
    return all(same(item, part) for item, part in zip(node.value, value, strict=True))


def _same_scalar(node: ScalarNode, value: str | float | bool) -> bool:
    there = scalar(node)
    if isinstance(value, str):
        return str(node.tag) == f"{TAG}str" and there == value
    if isinstance(value, bool) or isinstance(there, bool):
        return there is value
    # 010 is ten in YAML 1.2 and eight in 1.1: such a number is written anew.
    octal = re.match(r"[-+]?0[0-9_]", str(node.value))
    return isinstance(there, int | float) and not octal and there == value


def skeleton(node: Node | None, omit: set[tuple[str, ...]]) -> object:
    """The meaning of a document without the entries at `omit`; aliases count as their anchor."""
    return _skeleton(node, (), omit, {})


def _skeleton(
    node: Node | None, path: tuple[str, ...], omit: set[tuple[str, ...]], seen: dict[int, int]
) -> object:
    if node is None:
        return None
    if id(node) in seen:
        return ("alias", seen[id(node)])
    seen[id(node)] = len(seen)
    kind = (str(node.tag), node.anchor)
    if isinstance(node, MappingNode):
        pairs = []
        for key, value in node.value:
            below = (*path, key_text(key) or "?")
            if below not in omit:
                name = _skeleton(key, (*below, "?"), omit, seen)
                pairs.append((name, _skeleton(value, below, omit, seen)))
        return (kind, pairs)
    if isinstance(node, SequenceNode):
        return (kind, [_skeleton(item, (*path, "[]"), omit, seen) for item in node.value])
    return (kind, str(node.value))
