"""A new version for the registry: drafted, checked as a whole, and only then put in its place."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import stacks
from governance import registry
from stacks import ContractError, ModelRef
from stacks.errors import shown

CHUNK = 1 << 20
INHERITED = frozenset(
    {
        "modality",
        "intended_use",
        "sensitive_domain",
        "licence",
        "training_pipeline",
        "inference_pipeline",
        "datasets",
    }
)
"""What a version takes over from the one it succeeds; image, weights and evidence are its own."""


@dataclass(frozen=True)
class Draft:
    """A version that is not yet in the registry."""

    name: str
    version: str
    text: str
    """Of `models/<name>/<version>.yaml`."""
    evidence: tuple[tuple[Path, str], ...]
    """Where each evidence file is now, and its path in the model's folder."""
    problems: tuple[str, ...]
    """What `fairweather model verify` would say of it; none of them keeps it from being read."""


def draft(
    root: Path,
    name: str,
    version: str,
    facts: Mapping[str, Any],
    *,
    evidence: Mapping[str, Path],
    weights: Path | None,
    after: str | None,
    day: date,
) -> Draft:
    """Put a version together and hold it against the contract; nothing is written to `root`.

    Args:
        root: the registry.
        name: of the model; a new folder where there is none yet.
        version: of three numbers.
        facts: keys of the version's file; what is None is not said.
        evidence: kind -> a measured file.
        weights: the weights themselves, to take their digest from.
        after: the version that it succeeds: what is not said is taken from it, and it is the
            version to roll back to.
        day: by which evidence may have expired.

    Raises:
        ContractError: the version exists, or lacks or misstates something; a line a problem.
    """
    place = root / name / f"{version}.yaml"
    if place.exists():
        raise ContractError(f"{shown(place)}: exists; a version never changes, so add the next one")
    told = {"name": name, "version": version, **_inherited(root, name, after)}
    told |= {key: value for key, value in facts.items() if value is not None}
    if weights is not None:
        told["digest"] = _digest(weights)
    copies = {kind: f"evidence/{version}-{kind}{file.suffix}" for kind, file in evidence.items()}
    told["evidence"] = [
        {"kind": kind, "path": copies[kind], "sha256": _digest(file)}
        for kind, file in evidence.items()
    ]
    text = _yaml({key: told[key] for key in (*_order(), *told) if told.get(key) not in (None, [])})
    files = tuple((file, copies[kind]) for kind, file in evidence.items())
    return Draft(name, version, text, files, _checked(root, name, version, text, files, day))


def write(root: Path, made: Draft) -> Path:
    """Put the draft in its place: evidence first, so that a version never names what is not there."""
    folder = root / made.name
    _put(folder, made)
    return folder / f"{made.version}.yaml"


def _put(folder: Path, made: Draft) -> None:
    for source, path in made.evidence:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / path)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{made.version}.yaml").open("x", encoding="utf-8", newline="") as file:
        file.write(made.text)


def _inherited(root: Path, name: str, after: str | None) -> dict[str, Any]:
    if after is None:
        return {}
    model = stacks.load_model(root, ModelRef(name=name, version=after), with_evidence=False)
    return {**model.model_dump(mode="json", include=set(INHERITED)), "rollback_to": after}


def _order() -> tuple[str, ...]:
    """Keys as the contract lists them."""
    return tuple(stacks.ModelVersion.model_fields)


def _digest(file: Path) -> str:
    if not file.is_file():
        raise ContractError(f"{shown(file)}: does not exist; name a file")
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _yaml(told: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.width = 200  # an image with its digest stays on its line
    writer.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    writer.dump(dict(told), text)
    return text.getvalue()


def _checked(
    root: Path,
    name: str,
    version: str,
    text: str,
    files: tuple[tuple[Path, str], ...],
    day: date,
) -> tuple[str, ...]:
    """Read the version back as it would stand, beside its predecessors, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / root.name
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name)
        _put(copy / name, Draft(name, version, text, files, ()))
        try:
            model = stacks.load_model(copy, ModelRef(name=name, version=version))
            return tuple(_here(line, copy, root) for line in registry.problems(copy, model, day))
        except ContractError as error:
            raise ContractError(_here(str(error), copy, root)) from None


def _here(text: str, copy: Path, root: Path) -> str:
    """Places as they will be, not as they were while checking."""
    return text.replace(shown(copy), shown(root))
