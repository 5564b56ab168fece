"""A unified diff that knows which entry a line belongs to: the apps' many alike lines never mix."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from ruamel.yaml.nodes import MappingNode, Node

from stacks.nodes import compose, key_text

Line = tuple[tuple[str, ...], str]
NO_LINE_END = "\\ No newline at end of file"


def unified(before: str, after: str, source: str) -> str:
    """What changed, as `patch -p0` and `git apply -p0` accept it; '' where nothing did."""
    if before == after:
        return ""
    old, new = _lines(before, source), _lines(after, source)
    parts = [f"--- {source}\n+++ {source}\n"]
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(3):
        first, last = group[0], group[-1]
        parts.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for kind, old_start, old_end, new_start, new_end in group:
            if kind == "equal":
                parts += _marked(" ", old[old_start:old_end])
            else:
                parts += _marked("-", old[old_start:old_end])
                parts += _marked("+", new[new_start:new_end])
    return "".join(parts)


def _lines(text: str, source: str) -> list[Line]:
    """Each line with the path of the last key up to it."""
    keys: dict[int, tuple[str, ...]] = {}
    _collect(compose(text, source).root, (), keys)
    path: tuple[str, ...] = ()
    lines = []
    for i, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text)):
        path = keys.get(i, path)
        lines.append((path, line))
    return lines


def _collect(node: Node | None, path: tuple[str, ...], keys: dict[int, tuple[str, ...]]) -> None:
    for key, value in node.value if isinstance(node, MappingNode) else []:
        below = (*path, key_text(key) or "?")
        if value.start_mark.index >= key.start_mark.index:  # not an alias
            keys.setdefault(key.start_mark.line, below)
            _collect(value, below, keys)


def _range(start: int, end: int) -> str:
    """Lines as a hunk's head counts them; an empty range names the line before it."""
    length = end - start
    return f"{start + 1 if length else start},{length}"


def _marked(sign: str, lines: list[Line]) -> list[str]:
    return [
        f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{NO_LINE_END}\n"
        for _, line in lines
    ]
