"""Which characters to replace so that a mapping in a YAML text means something new."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from stacks.errors import ContractError, KeyPath
from stacks.nodes import Document, belongs, contract_path, entry, find, key_text
from stacks.scalars import Plain, render, same

Entry = tuple[ScalarNode, Node]
COLON = re.compile(r"[ \t]*:")
ALIAS = re.compile(r"[ \t]*:\s*\*[^\s,\]}]+")
REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(\r\n|\n|\r|\Z)")
BETWEEN = re.compile(r"\s*,\s*")
BLOCK_TEXT = ("|", ">")


class WriteRefused(ContractError):
    """The file cannot be edited safely: file, line and reason."""


class Splices:
    """Replacements in one text, collected while mappings are walked.

    The text ends with a line break, so that every line can be followed by another.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text
        self.newline = document.newline
        config = find(document.root, ("config",))
        # The file's own indent, where no neighbour shows one.
        self.step = config.start_mark.column if config is not None and _is_block(config) else 2
        self._found: list[tuple[int, int, str]] = []

    def applied(self) -> str:
        """The text with everything replaced."""
        result, position = [], 0
        for start, end, new in sorted(self._found, key=lambda splice: splice[:2]):
            assert start >= position, "splices never overlap"
            result += [self.text[position:start], new]
            position = end
        return "".join([*result, self.text[position:]])

    def mapping(
        self, pair: tuple[Node, MappingNode], changes: Mapping[str, Plain | None], path: KeyPath
    ) -> None:
        """Set, add or (None) remove entries of a mapping; those not in `changes` stay."""
        node = pair[1]
        entries = {str(key_text(key)): (key, value) for key, value in node.value}
        for name, value in changes.items():
            if name in entries and value is not None:
                self._change(node, entries[name], value, (*path, name))
        removed = [name for name in entries if changes.get(name, 0) is None]
        # An empty mapping and no key at all mean the same.
        added = {k: v for k, v in changes.items() if k not in entries and v not in (None, {})}
        if removed or added:
            self._refuse_marks(node, path)
        for name in removed:
            self._refuse_secrets(entries[name][1], (*path, name))
        if node.flow_style:
            self._change_flow(node, set(removed), added, path)
        else:
            self._remove_lines([entries[name] for name in removed], path)
            self._add_lines(node, added, path)
            if len(removed) == len(entries) and not added:
                after = self._after_colon(pair[0], path)
                self._found.append((after, after, " {}"))

    def _change(self, parent: MappingNode, pair: Entry, new: Plain, path: KeyPath) -> None:
        key, old = pair
        if same(old, new):
            return
        self._refuse_marks(old, path)
        if isinstance(new, Mapping):
            self._change_to_mapping(parent, pair, new, path)
        elif isinstance(new, str | int | float):
            self._change_scalar(pair, new, bool(parent.flow_style), path)
        elif isinstance(old, SequenceNode) and len(old.value) == len(new):
            for i, (item, value) in enumerate(zip(old.value, new, strict=True)):
                if not same(item, value):
                    self._change_item(item, value, bool(old.flow_style), (*path, i))
        elif isinstance(old, SequenceNode) and old.flow_style:
            self._replace_flow(old, render(new), path)
        else:
            self._refuse(key, path, "what stands there is not a list [..] of this length")

    def _change_scalar(self, pair: Entry, new: Plain, flow: bool, path: KeyPath) -> None:
        key, old = pair
        if not isinstance(old, ScalarNode):
            self._refuse(key, path, "a list or a mapping stands where one value goes")
        if old.style in BLOCK_TEXT:
            self._refuse(old, path, "a block of text (| or >) stands there; write it in one line")
        text = render(new, old.style, flow)
        if _is_nothing(old):
            after = self._after_colon(key, path)
            self._found.append((after, after, f" {text}"))
        else:
            self._found.append((old.start_mark.index, old.end_mark.index, text))

    def _change_item(self, item: Node, new: Plain, flow: bool, path: KeyPath) -> None:
        self._refuse_marks(item, path)
        if not isinstance(item, ScalarNode) or item.style in BLOCK_TEXT or _is_nothing(item):
            self._refuse(item, path, "the list holds more than plain values")
        self._found.append(
            (item.start_mark.index, item.end_mark.index, render(new, item.style, flow))
        )

    def _change_to_mapping(
        self, parent: MappingNode, pair: Entry, new: Mapping[str, Plain], path: KeyPath
    ) -> None:
        key, old = pair
        if isinstance(old, MappingNode) and old.value:
            gone = {str(key_text(name)): None for name, _ in old.value}
            self.mapping((key, old), {**gone, **new}, path)
            return
        if not isinstance(old, MappingNode) and not str(old.tag).endswith(":null"):
            self._refuse(key, path, "a value or a list stands where a mapping goes")
        after = self._after_colon(key, path)
        end = after if _is_nothing(old) else old.end_mark.index
        self._refuse_comment(after, old, path)
        if parent.flow_style or not new:
            self._found.append((after, end, f" {render(new)}"))
            return
        self._found.append((after, end, ""))
        like = _last(parent, _is_block)
        step = _width(like) if like else self.step
        indent = self._indent(key, path) + " " * step
        lines = [self._lines(name, new[name], indent, step, None) for name in new]
        at = self._next_line(end, path)
        self._found.append((at, at, "".join(lines)))

    def _change_flow(
        self, node: MappingNode, removed: set[str], added: Mapping[str, Plain], path: KeyPath
    ) -> None:
        style = node.value[-1][0].style if node.value else None
        new = [f"{render(k, style, True)}: {render(v, None, True)}" for k, v in added.items()]
        if len(removed) == len(node.value):
            if removed or added:
                self._replace_flow(node, f"{{{', '.join(new)}}}", path)
            return
        starts = [key.start_mark.index for key, _ in node.value]
        last_kept = None
        for i, pair in enumerate(node.value):
            if str(key_text(pair[0])) not in removed:
                last_kept = self._end(pair, path)
                continue
            # With a kept entry before it, an entry goes with the comma before; else with the next.
            before = last_kept is not None
            left, right = (i - 1, i) if before else (i, i + 1)
            end = self._end(node.value[left], path)
            if not BETWEEN.fullmatch(self.text, end, starts[right]):
                self._refuse(pair[0], path, "a comment stands between the entries in { }")
            cut = (end, self._end(pair, path)) if before else (starts[i], starts[right])
            self._found.append((*cut, ""))
        if new and last_kept is not None:
            self._found.append((last_kept, last_kept, f", {', '.join(new)}"))

    def _remove_lines(self, pairs: list[Entry], path: KeyPath) -> None:
        for pair in pairs:
            start = pair[0].start_mark.index - len(self._indent(pair[0], path))
            self._found.append((start, self._next_line(self._end(pair, path), path), ""))

    def _add_lines(self, node: Node, added: Mapping[str, Plain], path: KeyPath) -> None:
        if not added:
            return
        like = _last(node, _is_block) or _last(node, _is_filled)
        step = _width(like) if like and _is_block(like[1]) else self.step
        # Entries of `config` are of many kinds; beside one of ours there are only its like.
        model = like if len(path) > 1 else None
        ours = [pair for pair in node.value if belongs((*path, str(key_text(pair[0]))))]
        last = ours[-1] if ours else node.value[-1]
        indent = self._indent(last[0], path)
        lines = []
        for name, value in added.items():
            twin = model or (last if last[0].style and len(path) > 1 else None)
            lines.append(self._lines(name, value, indent, step, twin))
        at = self._next_line(self._end(last, path), path)
        self._found.append((at, at, "".join(lines)))

    def _lines(self, name: str, value: Plain, indent: str, step: int, like: Entry | None) -> str:
        """A new entry, in the style of `like`: its quotes, indents, and braces."""
        head = f"{indent}{render(name, like[0].style if like else None)}:"
        inner = like[1] if like else None
        if (
            isinstance(value, Mapping)
            and value
            and not (_is_filled(inner) and not _is_block(inner))
        ):
            if like and _is_block(inner):
                step = _width(like)
            lines = [head + self.newline]
            for key, below in value.items():
                twin = entry(inner, key) or _last(inner, _is_block) or _last(inner, _is_filled)
                lines.append(self._lines(key, below, indent + " " * step, step, twin))
            return "".join(lines)
        style = inner.style if isinstance(inner, ScalarNode) else None
        return f"{head} {render(value, style)}{self.newline}"

    def _end(self, pair: Entry, path: KeyPath) -> int:
        """Where the last character of an entry is followed by a comment, a comma or nothing."""
        key, value = pair
        if value.start_mark.index < key.start_mark.index:  # marks of an alias are its anchor's
            found = ALIAS.match(self.text, key.end_mark.index)
            if not found:
                self._refuse(key, path, "an alias stands there in an unusual form")
            return found.end()
        if _is_nothing(value):
            return self._after_colon(key, path)
        return self._end_of(value, path)

    def _end_of(self, node: Node, path: KeyPath) -> int:
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if isinstance(node, ScalarNode):
            if node.style not in BLOCK_TEXT:
                return end
            body = self.text[start:end]
            kept = "+" in body.splitlines()[0]
            return start + len(re.sub(r"(\r\n|\n|\r)\Z", "", body) if kept else body.rstrip())
        if not isinstance(node, CollectionNode) or node.flow_style:
            return end
        last = node.value[-1]
        if isinstance(node, MappingNode):
            return self._end(last, path)
        if last.start_mark.index < start or _is_nothing(last):
            self._refuse(node, path, "the list ends in an alias or in nothing")
        return self._end_of(last, path)

    def _after_colon(self, key: Node, path: KeyPath) -> int:
        found = COLON.match(self.text, key.end_mark.index)
        if not found:
            self._refuse(key, path, "the key stands alone, or is written with ?")
        return found.end()

    def _indent(self, key: Node, path: KeyPath) -> str:
        start = key.start_mark.index
        line = max(self.text.rfind("\n", 0, start), self.text.rfind("\r", 0, start)) + 1
        if self.text[line:start].strip(" "):
            self._refuse(key, path, "the key does not begin its line")
        return self.text[line:start]

    def _next_line(self, index: int, path: KeyPath) -> int:
        found = REST_OF_LINE.match(self.text, index)
        if not found:
            self._refuse_at(index, path, "something else follows on the same line")
        return found.end()

    def _replace_flow(self, node: Node, new: str, path: KeyPath) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        self._refuse_comment(start, node, path)
        self._found.append((start, end, new))

    def _refuse_comment(self, start: int, node: Node, path: KeyPath) -> None:
        if _is_nothing(node):
            return
        # Between the words of a value there are braces, commas and blanks, or else a comment.
        for left, right in (*_words(node), (node.end_mark.index, node.end_mark.index)):
            comment = self.text.find("#", start, left)
            if comment >= 0:
                self._refuse_at(comment, path, "a comment stands inside the value; move it")
            start = right

    def _refuse_marks(self, node: Node, path: KeyPath) -> None:
        if not _is_nothing(node) and self.text[node.start_mark.index] in "!&*":
            self._refuse(node, path, "a tag (!), an anchor or an alias stands there; remove it")
        if isinstance(node, MappingNode):
            secret = entry(node, "secure")
            if secret and isinstance(secret[1], ScalarNode):
                self._refuse(secret[0], path, "the value is encrypted (secure:)")

    def _refuse_secrets(self, node: Node, path: KeyPath) -> None:
        self._refuse_marks(node, path)
        if isinstance(node, MappingNode):
            for key, value in node.value:
                self._refuse_secrets(value, (*path, str(key_text(key))))

    def _refuse(self, node: Node, path: KeyPath, reason: str) -> NoReturn:
        self._refuse_at(node.start_mark.index, path, reason)

    def _refuse_at(self, index: int, path: KeyPath, reason: str) -> NoReturn:
        place = self.document.place(index)
        raise WriteRefused(f"{place}: {contract_path(path)}: not written: {reason}")


def _is_nothing(node: Node) -> bool:
    return bool(node.start_mark.index == node.end_mark.index)


def _is_filled(node: Node | None) -> bool:
    return isinstance(node, MappingNode) and bool(node.value)


def _is_block(node: Node | None) -> bool:
    return isinstance(node, MappingNode) and bool(node.value) and not node.flow_style


def _words(node: Node) -> Iterator[tuple[int, int]]:
    """Where each key and scalar of a value begins and ends."""
    if isinstance(node, CollectionNode):
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                yield from _words(part)
    else:
        yield node.start_mark.index, node.end_mark.index


def _last(node: Node | None, wanted: Callable[[Node], bool]) -> Entry | None:
    """The last entry whose value is as wanted, and no alias."""
    for key, value in reversed(node.value if isinstance(node, MappingNode) else []):
        if wanted(value) and value.start_mark.index > key.start_mark.index:
            return key, value
    return None


def _width(pair: Entry) -> int:
    """By how much an entry's own entries are indented."""
    return int(pair[1].start_mark.column - pair[0].start_mark.column)
