"""The surgical writer: changes the meaning of chosen keys, and no other byte.

Positions come from YAML's own marks; the result is read again, and must differ in the chosen keys
alone. What cannot be edited safely is refused, with file, line and reason.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node

from stacks.diff import unified
from stacks.errors import ContractError, KeyPath, shown
from stacks.nodes import Document, belongs, compose, contract_path, entry, find, hazards, locate
from stacks.records import Capacity
from stacks.scalars import Plain, same, skeleton
from stacks.splicing import Splices, WriteRefused

Edits = Mapping[tuple[str, ...], Plain | None]
CAPACITY = ("config", "fairweather:capacity")
BOM = "\ufeff"
TAB_INDENT = re.compile(r"^ *\t[ \t]*[^\s#]", re.MULTILINE)


def rewrite(text: str, edits: Edits, source: str = "stack file") -> str:
    """The text with each key path of `edits` set to its value, or removed where that is None.

    A mapping stands for all entries of its key: those that it does not name are removed. An empty
    one, no value, and no key at all mean the same.
    """
    bom = BOM if text.startswith(BOM) else ""
    body = text.removeprefix(BOM)
    before = _compose(body, source)
    _refuse_hazards(before, edits)
    open_end = not body.endswith(("\n", "\r"))
    newline = before.newline if open_end else ""
    splices = Splices(Document(body + newline, source, before.root))
    for parent, changes in _by_parent(edits).items():
        splices.mapping(_mapping_at(before, parent), changes, parent)
    result = splices.applied().removesuffix(newline)
    if result != body:
        _check(before, result, edits)
    return bom + result


def write_capacity(
    path: Path, capacity: Mapping[str, Mapping[str, Capacity]], *, dry_run: bool = False
) -> str:
    """Make `fairweather:capacity` say exactly this; returns the unified diff, '' for no change."""
    wanted = {
        app: {
            place: item.model_dump(mode="json", exclude_none=True) for place, item in places.items()
        }
        for app, places in capacity.items()
        if places
    }
    return write_keys(path, {CAPACITY: wanted}, dry_run=dry_run)


def write_keys(path: Path, edits: Edits, *, dry_run: bool = False) -> str:
    """`rewrite` a file; returns the unified diff, '' for no change."""
    source = shown(path)
    data = _read(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WriteRefused(f"{source}: not written: not UTF-8 text; save it as UTF-8") from None
    result = rewrite(text, edits, source)
    if result != text and not dry_run:
        _replace(path, data, result.encode("utf-8"))
    return unified(text, result, source)


def _compose(text: str, source: str) -> Document:
    try:
        return compose(text, source)
    except ContractError as error:
        raise WriteRefused(f"{error}") from None


def _refuse_hazards(document: Document, edits: Edits) -> None:
    def guarded(path: KeyPath) -> bool:
        return belongs(path) or any(
            path == edit[: len(path)] or path[:2] == edit[:2] for edit in edits
        )

    found = [
        (hazard.index, contract_path(hazard.path), hazard.problem)
        for hazard in hazards(document, guarded)
    ]
    directive = re.search(r"^%", document.text, re.MULTILINE)
    if directive and document.root and directive.start() < document.root.start_mark.index:
        found.append((directive.start(), "", "a % directive changes how YAML reads; remove it"))
    for path in edits:
        node = find(document.root, path)
        if node is not None:
            span = (node.start_mark.index, node.end_mark.index)
            line = document.text.rfind("\n", 0, span[0]) + 1
            tab = TAB_INDENT.search(document.text, line, span[1])
            if tab:
                problem = "a tab indents this line; use spaces"
                found.append((tab.start(), contract_path(path), problem))
    if found:
        raise WriteRefused(
            "\n".join(
                f"{document.place(index)}: {where or 'config'}: not written: {problem}"
                for index, where, problem in sorted(found)
            )
        )


def _by_parent(edits: Edits) -> dict[tuple[str, ...], dict[str, Plain | None]]:
    grouped: dict[tuple[str, ...], dict[str, Plain | None]] = defaultdict(dict)
    for path, value in edits.items():
        if any(path[:n] in edits for n in range(len(path))):
            raise ValueError(f"{path} lies inside another edit")
        grouped[path[:-1]][path[-1]] = value
    return grouped


def _mapping_at(document: Document, path: tuple[str, ...]) -> tuple[Node, MappingNode]:
    root = document.root
    key, node = (entry(find(root, path[:-1]), path[-1]) or (None, None)) if path else (root, root)
    if key is not None and isinstance(node, MappingNode):
        return key, node
    line = document.place(locate(root, path) or 0)
    where = contract_path(path) or "config"
    raise WriteRefused(f"{line}: {where}: not written: no mapping stands there; add it by hand")


def _check(before: Document, result: str, edits: Edits) -> None:
    """Hold the result against the intention: the edited keys say the new, all else the old."""
    after = _compose(result, f"{before.source} (as it would be)")
    if skeleton(before.root, set(edits)) != skeleton(after.root, set(edits)):
        problem = (
            "the edit would change the meaning of other keys; write the file in a plainer form"
        )
        raise WriteRefused(f"{before.source}:1: not written: {problem}")
    for path, value in edits.items():
        node = find(after.root, path)
        done = node is None if value is None else same(node, value) if node else value == {}
        if not done:
            place = before.place(locate(before.root, path) or 0)
            problem = "the edit would not say what it should; write the file in a plainer form"
            raise WriteRefused(f"{place}: {contract_path(path)}: not written: {problem}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WriteRefused(f"{shown(path)}: not written: {reason}; name a stack file") from None


def _replace(path: Path, expected: bytes, new: bytes) -> None:
    """Replace the file as a whole, or leave it as it is; a link stays, its target is replaced."""
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            os.fchmod(descriptor, target.stat().st_mode & 0o7777)
            os.fsync(descriptor)
        if target.read_bytes() != expected:
            problem = "the file changed meanwhile; run the command again"
            raise WriteRefused(f"{shown(path)}:1: not written: {problem}")
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
