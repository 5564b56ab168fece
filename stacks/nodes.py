"""YAML with positions: a key's value, the line it stands on, and what makes it unsafe to edit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from stacks.errors import ContractError, KeyPath, dotted

LINE_BREAK = re.compile(r"\r\n|\n|\r")
TAG = "tag:yaml.org,2002:"
PREFIX = "fairweather:"


@dataclass(frozen=True)
class Document:
    """One YAML document and the text that its marks count in."""

    text: str
    source: str
    root: Node | None

    @property
    def newline(self) -> str:
        """The file's own line break."""
        found = LINE_BREAK.search(self.text)
        return found[0] if found else "\n"

    def line(self, index: int) -> int:
        return len(LINE_BREAK.findall(self.text, 0, index)) + 1

    def place(self, index: int) -> str:
        """`file:line`, as editors understand it."""
        return f"{self.source}:{self.line(index)}"


@dataclass(frozen=True)
class Hazard:
    """A construct that makes a key ambiguous, or unsafe to edit."""

    index: int
    path: KeyPath
    problem: str


def compose(text: str, source: str) -> Document:
    """The one document in `text`; a ContractError names the line that is not YAML."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        index = mark.index if mark else 0
        blank = Document(text, source, None)
        began = blank.line(error.context_mark.index) if error.context_mark else 0
        remedy = f"correct this or what begins on line {began}" if began else "correct it"
        raise ContractError(f"{blank.place(index)}: {_fault(error, remedy)}") from None
    except ReaderError as error:
        place = Document(text, source, None).place(error.position)
        character = f"U+{error.character:04X}"
        raise ContractError(f"{place}: not YAML: the character {character}; remove it") from None
    except RecursionError:
        raise ContractError(f"{source}: nested too deeply; make it flatter") from None
    except (YAMLError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise ContractError(f"{source}: not YAML: {reason}; correct it") from None
    return Document(text, source, root)


def _fault(error: MarkedYAMLError, remedy: str) -> str:
    problem = " ".join(str(error.problem or error.context).split())
    if problem == "but found another document":
        return "another document begins here; keep one in a file"
    if "'\\t'" in problem:
        return "not YAML: a tab stands here; use spaces"
    return f"not YAML: {problem}; {remedy}"


def key_text(key: Node) -> str | None:
    """The key as people write it in a path; None for a key that is not one word or text."""
    return str(key.value) if isinstance(key, ScalarNode) else None


def entry(node: Node | None, name: str) -> tuple[ScalarNode, Node] | None:
    """Key and value of `name` in a mapping; the last where it stands twice."""
    if not isinstance(node, MappingNode):
        return None
    return next((pair for pair in reversed(node.value) if key_text(pair[0]) == name), None)


def find(node: Node | None, path: KeyPath) -> Node | None:
    """The value at `path`."""
    for part in path:
        if isinstance(part, int):
            items = node.value if isinstance(node, SequenceNode) else []
            node = items[part] if part < len(items) else None
        else:
            pair = entry(node, part)
            node = pair[1] if pair else None
    return node


def locate(node: Node | None, path: KeyPath) -> int | None:
    """Where the last part of `path` that exists stands: a scalar itself, else its key."""
    index = None
    for part in path:
        if isinstance(part, int):
            items = node.value if isinstance(node, SequenceNode) else []
            if part >= len(items):
                break
            node = items[part]
            index = node.start_mark.index
        else:
            pair = entry(node, part)
            if pair is None:
                break
            key, node = pair
            # An empty value's own mark lies at whatever comes next in the file.
            scalar = isinstance(node, ScalarNode) and node.start_mark.index < node.end_mark.index
            index = (node if scalar else key).start_mark.index
    return index


def plain(node: Node) -> Any:
    """The plain values of a subtree without aliases; dates stay text, as Pulumi passes them."""
    if isinstance(node, MappingNode):
        return {key_text(key) or "": plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    return scalar(node)


def scalar(node: Node) -> bool | int | float | str | None:
    """The value of a scalar node; text where the text does not keep its tag."""
    text = str(node.value)
    kind = str(node.tag).removeprefix(TAG)
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on", "y")
            case "int":
                return int(text, 0) if re.match(r"[-+]?0[xo]", text) else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        pass  # such as `!!int soon`: for the record to judge
    return text


def belongs(path: KeyPath) -> bool:
    """Whether the contract rests on this node: the way to our keys, and all below them."""
    if len(path) < 2:
        return path in ((), ("config",))
    return path[0] == "config" and str(path[1]).startswith(PREFIX)


def hazards(document: Document, guarded: Callable[[KeyPath], bool] = belongs) -> Iterator[Hazard]:
    """Anchors, aliases, merge keys, and keys that stand twice or are not text, where `guarded`."""
    if document.root is not None:
        yield from _hazards(
            document, document.root, (), document.root.start_mark.index, guarded, {}
        )


def _hazards(
    document: Document,
    node: Node,
    path: KeyPath,
    index: int,
    guarded: Callable[[KeyPath], bool],
    seen: dict[int, Node],
) -> Iterator[Hazard]:
    inside = guarded(path)
    if id(node) in seen:
        if inside:
            problem = f"is the alias *{node.anchor}; write the value out"
            yield Hazard(index, path, problem)
        return
    seen[id(node)] = node
    if node.anchor and inside:
        problem = (
            f"has the anchor &{node.anchor}; remove it and write the value out where it is used"
        )
        yield Hazard(node.start_mark.index, path, problem)
    if isinstance(node, SequenceNode):
        for i, item in enumerate(node.value):
            at = max(index, item.start_mark.index)
            yield from _hazards(document, item, (*path, i), at, guarded, seen)
    elif isinstance(node, MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.index
            name = key_text(key)
            if inside:
                yield from _key_hazards(document, key, path, first)
            if name is not None:
                first.setdefault(name, at)
            yield from _hazards(document, value, (*path, name or "?"), at, guarded, seen)


def _key_hazards(
    document: Document, key: Node, path: KeyPath, first: dict[str, int]
) -> Iterator[Hazard]:
    index = key.start_mark.index
    name = key_text(key)
    if name is None:
        yield Hazard(index, path, "has a key that is a list or a mapping; use a word")
    elif key.anchor:
        yield Hazard(index, (*path, name), "the key has an anchor or is an alias; write it out")
    elif str(key.tag) == f"{TAG}merge":
        yield Hazard(index, path, "has a merge key (<<); write the merged keys out")
    elif name in first:
        line = document.line(first[name])
        yield Hazard(index, (*path, name), f"stands twice, first on line {line}; remove one")


def contract_path(path: KeyPath) -> str:
    """A path in the file as the records say it: without `config` and the prefix of our keys."""
    if len(path) > 1 and path[0] == "config":
        return dotted((str(path[1]).removeprefix(PREFIX), *path[2:]))
    return dotted(path)
