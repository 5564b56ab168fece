"""The model registry: one folder a model, one file a version, evidence beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from stacks.errors import ContractError, problems, shown
from stacks.reading import lines_of, yaml_values
from stacks.records import Capacity, ModelRef, ModelVersion, Stack


class Service(NamedTuple):
    """What one service is made of; plain enough to be unpacked in the program."""

    name: str
    location: str
    capacity: Capacity
    model: ModelVersion
    fairness: dict[str, Any] | None


def service(stack: Stack, name: str, location: str, root: Path) -> Service:
    """Everything about one app at one location. Raises ContractError where capacity or model is missing."""
    capacity = stack.capacity.get(name, {}).get(location)
    if capacity is None:
        raise ContractError(
            f"{name} has no planned capacity at {location}; run `./fairweather plan STACK --write` for this stack"
        )
    model = load_model(root, stack.apps[name].model)
    return Service(name, location, capacity, model, evidence(root, model, "fairness"))


def load_model(root: Path, ref: ModelRef) -> ModelVersion:
    """Read `models/<name>/<version>.yaml` and hold its evidence against the hashes. Raises ContractError."""
    file = root / ref.name / f"{ref.version}.yaml"
    if not file.exists():
        versions = ", ".join(sorted(found.stem for found in file.parent.glob("*.yaml")))
        models = ", ".join(sorted(found.name for found in root.iterdir() if found.is_dir())) if root.is_dir() else ""
        offer = f"versions of {ref.name}: {versions}" if versions else f"models: {models or 'none'}"
        raise ContractError(f"{shown(file)}: no such model version; {offer}")
    try:
        model = ModelVersion.model_validate(yaml_values(file))
    except ValidationError as error:
        raise problems(error, ModelVersion, file, lines_of(file)) from error
    if (model.name, model.version) != (ref.name, ref.version):
        raise ContractError(f"{shown(file)}:1: says it is {model.name} {model.version}; name and place must agree")
    for item in model.evidence:
        place = file.parent / item.path
        if not place.exists():
            raise ContractError(f"{shown(place)}: no such evidence, but {shown(file)} names it")
        found = "sha256:" + hashlib.sha256(place.read_bytes()).hexdigest()
        if found != item.sha256:
            raise ContractError(
                f"{shown(place)}: is not the file that {shown(file)} names ({found[:19]}…, expected {item.sha256[:19]}…); "
                "measure again or restore it"
            )
    return model


def evidence(root: Path, model: ModelVersion, kind: str) -> dict[str, Any] | None:
    """The content of one kind of evidence, or None where the version has none. Raises ContractError."""
    item = next((found for found in model.evidence if found.kind == kind), None)
    if item is None:
        return None
    place = root / model.name / item.path
    try:
        content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError(f"{shown(place)}: is not JSON ({error})") from error
    return content
