"""The model registry: one folder a model, one file a version, evidence beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from stacks.errors import ContractError, KeyPath, dotted, explain, nearest, shown
from stacks.nodes import compose, hazards, plain
from stacks.reading import line_by_line, read_text, validate
from stacks.records import Capacity, Evidence, ModelRef, ModelVersion, Stack


class Service(NamedTuple):
    """What one service is made of; plain enough to be unpacked in the program."""

    name: str
    location: str
    capacity: Capacity
    model: ModelVersion
    fairness: dict[str, Any] | None
    explanation: dict[str, Any] | None = None
    privacy: dict[str, Any] | None = None


def service(stack: Stack, name: str, location: str, root: Path) -> Service:
    """One app at one location; a ContractError where its capacity or its model is missing."""
    capacity = stack.capacity.get(name, {}).get(location)
    if capacity is None:
        remedy = f"run `fairweather plan {stack.portfolio.environment} --write`"
        raise ContractError(f"{name} has no planned capacity at {location}; {remedy}")
    model = load_model(root, stack.apps[name].model)
    found = (evidence(root, model, kind) for kind in ("fairness", "explanation", "privacy"))
    return Service(name, location, capacity, model, *found)


def load_model(root: Path, ref: ModelRef, *, with_evidence: bool = True) -> ModelVersion:
    """`models/<name>/<version>.yaml`, with its evidence held against the hashes it names.

    Only what leaves a version, such as a rollback, reads it without.
    """
    file = root / ref.name / f"{ref.version}.yaml"
    if not file.is_file():
        raise ContractError(f"{shown(file)}: does not exist; {_on_offer(root, ref)}")
    document = compose(read_text(file), shown(file))
    found = [
        f"{document.place(hazard.index)}: {dotted(hazard.path)}: {hazard.problem}"
        for hazard in hazards(document, lambda _: True)
    ]
    if found:
        raise ContractError("\n".join(found))
    try:
        model = validate(plain(document.root) if document.root else {}, ModelVersion)
    except ValidationError as error:
        raise line_by_line(dict(explain(error, ModelVersion)), document) from None
    problems: dict[KeyPath, str] = {}
    for key in ("name", "version"):
        said, meant = getattr(model, key), getattr(ref, key)
        if said != meant:
            problems[(key,)] = f"{said!r} is not {meant!r}, as the file's place says; correct one"
    for i, item in enumerate(model.evidence if with_evidence else ()):
        problem = _mismatch(file.parent, item)
        if problem:
            problems[("evidence", i, "sha256" if "sha256" in problem else "path")] = problem
    if problems:
        raise line_by_line(problems, document)
    return model


def evidence(root: Path, model: ModelVersion, kind: str) -> dict[str, Any] | None:
    """The content of one kind of evidence, or None where the version has none."""
    item = next((found for found in model.evidence if found.kind == kind), None)
    if item is None:
        return None
    return read_evidence(root / model.name / item.path)


def read_evidence(file: Path) -> dict[str, Any]:
    """The content of an evidence file; a ContractError where it is no JSON object."""
    try:
        content = json.loads(read_text(file))
    except ValueError as error:
        if isinstance(error, ContractError):
            raise
        line = getattr(error, "lineno", 1)
        problem = f"not JSON: {getattr(error, 'msg', error)}; measure it again"
        raise ContractError(f"{shown(file)}:{line}: {problem}") from None
    if not isinstance(content, dict):
        raise ContractError(f"{shown(file)}:1: is not a JSON object; measure it again")
    return content


def _on_offer(root: Path, ref: ModelRef) -> str:
    versions = [found.stem for found in (root / ref.name).glob("*.yaml")]
    if versions:
        return f"{ref.name} has {', '.join(sorted(versions, key=_in_numbers))}"
    models = sorted(found.name for found in root.iterdir()) if root.is_dir() else []
    return nearest(ref.name, models, "models") if models else f"no model is in {shown(root)}"


def _in_numbers(version: str) -> list[tuple[int, str]]:
    parts = version.split(".")
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _mismatch(folder: Path, item: Evidence) -> str | None:
    place = folder / item.path
    if not place.resolve().is_relative_to(folder.resolve()):
        return f"{item.path!r} lies outside the model's folder; move it inside"
    if not place.is_file():
        return f"{shown(place)} does not exist; measure it or remove the entry"
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    if f"sha256:{digest}" != item.sha256:
        return f"{shown(place)} has sha256:{digest}; restore the file, or name this digest"
    return None
