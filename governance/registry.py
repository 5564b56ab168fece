"""What people ask the model registry: what a version is, how two differ, whether evidence holds, where to roll back.

A registry is a folder such as `models/`: a folder a model, a file a version, evidence beside it. What is wrong with it
is one line a problem; what cannot be answered is a stacks.ContractError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import stacks
from stacks import ContractError, ModelRef, ModelVersion
from stacks.errors import nearest, shown

VERSION = re.compile(r"\d+\.\d+\.\d+")
GATE_ASKS_FOR = "fairness"
"""The kind of evidence without which the gate lets no version pass."""


def models(root: Path) -> list[str]:
    """Names of the models, in order."""
    if not root.is_dir():
        raise ContractError(f"{shown(root)}: does not exist; a registry is a folder of models")
    return sorted(folder.name for folder in root.iterdir() if folder.is_dir())


def versions(root: Path, name: str) -> list[str]:
    """The versions of one model, oldest first: 2.9.0 comes before 2.10.0."""
    known = models(root)
    if name not in known:
        raise ContractError(
            f"{name} is no model in {shown(root)}; {nearest(name, known, 'models')}"
        )
    found = [file.stem for file in (root / name).glob("*.yaml") if VERSION.fullmatch(file.stem)]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def load(root: Path, name: str, version: str | None = None) -> ModelVersion:
    """One version, by default the newest, with its evidence held against its digests."""
    return stacks.load_model(root, _ref(root, name, version))


def _ref(root: Path, name: str, version: str | None) -> ModelRef:
    there = versions(root, name)
    if not there:
        raise ContractError(f"{shown(root / name)}: has no version; add one, such as 1.0.0.yaml")
    if version is None:
        version = there[-1]
    if version not in there:
        raise ContractError(f"{name} has no version {version}; it has {', '.join(there)}")
    return ModelRef(name=name, version=version)


def card(root: Path, model: ModelVersion, day: date) -> str:
    """What a person reads before they deploy a version, with what is wrong with it on that day."""
    facts = {
        "sensitive domain": [_word(model.sensitive_domain)],
        "licence": [model.licence],
        "image": [model.image],
        "weights": [model.artifact, model.digest],
        "trained by": [model.training_pipeline],
        "answers by": [model.inference_pipeline or "its image alone"],
        "trained on": list(map(_dataset, model.datasets)) or ["not said"],
        "evidence": list(_evidence(root, model)) or ["none"],
        "rolls back to": [model.rollback_to or "no version is named"],
        "problems": list(problems(root, model, day)) or ["none"],
    }
    lines = [f"{model.name} {model.version} ({model.modality})", model.intended_use, ""]
    for label, values in facts.items():
        lines += [f"{'' if at else label:<18}{value}" for at, value in enumerate(values)]
    return "\n".join(lines)


def _dataset(dataset: Any) -> str:
    return (
        f"{dataset.name} ({dataset.licence}), {'' if dataset.personal_data else 'no '}personal data"
    )


def _evidence(root: Path, model: ModelVersion) -> Iterator[str]:
    for item in model.evidence:
        content = stacks.evidence(root, model, item.kind) or {}
        until = f"until {content['expires']}" if content.get("expires") else "without an expiry"
        yield f"{item.kind}, {until}: {item.path}"
        for what, slices in figures(content).items():
            yield f"  {what}: {', '.join(f'{name} {rate}' for name, rate in slices.items())}"


def figures(evidence: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The counts of fairness evidence as rates, by comparison and slice; what is no count says so."""
    found: dict[str, dict[str, str]] = {}
    for item in mappings(evidence.get("comparisons")):
        what = f"{item.get('metric')} by {item.get('attribute')} ({item.get('modality')})"
        for entry in mappings(item.get("slices")):
            found.setdefault(what, {})[str(entry.get("slice"))] = _rate(entry)
    return found


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The maps of a list; nothing where it is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _rate(entry: Mapping[str, Any]) -> str:
    counted = counts(entry)
    if counted is None:
        return f"no count: {entry.get('k')} of {entry.get('n')}"
    k, n = counted
    return f"{k / n:.1%} of {n:,}"


def counts(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """(k, n) of a slice; None where they are no counts."""
    k, n = entry.get("k"), entry.get("n")
    if type(k) is not int or type(n) is not int:  # True and 1.0 are no counts
        return None
    return (k, n) if 0 <= k <= n and n > 0 else None


@dataclass(frozen=True)
class Change:
    """One fact that differs between two versions; None where a version does not have it."""

    key: str
    before: str | None
    after: str | None


def changes(root: Path, before: ModelVersion, after: ModelVersion) -> list[Change]:
    """What differs, key by key: of the version's file, and of the rates in its evidence."""
    old, new = _flat(root, before), _flat(root, after)
    keys = [*old, *(key for key in new if key not in old)]
    return [Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _flat(root: Path, model: ModelVersion) -> dict[str, str]:
    told = model.model_dump(mode="json", exclude={"name", "version", "datasets", "evidence"})
    flat = {key: _word(value) for key, value in told.items()}
    flat |= {f"datasets.{item.name}": _dataset(item) for item in model.datasets}
    for item in model.evidence:
        flat[f"evidence.{item.kind}"] = f"{item.path} {item.sha256}"
        content = stacks.evidence(root, model, item.kind) or {}
        for what, slices in figures(content).items():
            flat |= {f"{what}, {name}": rate for name, rate in slices.items()}
    return flat


def _word(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}.get(value) or str(value)


def registry_problems(root: Path, names: Sequence[str], day: date) -> Iterator[str]:
    """What is wrong with all versions of these models, one line each."""
    for name in names:
        there = versions(root, name)
        if not there:
            yield f"{shown(root / name)}: has no version; add one, or remove the folder"
        for file in sorted((root / name).glob("*.y*ml")):
            if file.stem not in there or file.suffix != ".yaml":
                yield f"{shown(file)}: is not named as a version, such as 2.3.1.yaml; rename it"
        for version in there:
            try:
                model = load(root, name, version)
            except ContractError as error:
                yield from str(error).splitlines()
            else:
                yield from problems(root, model, day)


def problems(root: Path, model: ModelVersion, day: date) -> Iterator[str]:
    """What is wrong with one version on that day: its evidence and the version that it rolls back to."""
    yield from evidence_problems(root, model, day)
    problem = _rollback_problem(root, model)
    if problem:
        yield problem


def _rollback_problem(root: Path, model: ModelVersion) -> str | None:
    """Why `rollback_to` leads nowhere; a first version has none, and that is no problem."""
    place, there = f"{_file(root, model)}: rollback_to", versions(root, model.name)
    if model.rollback_to == model.version:
        return f"{place}: is the version itself; name an earlier one"
    if model.rollback_to is not None and model.rollback_to not in there:
        return f"{place}: {model.rollback_to} does not exist; {model.name} has {', '.join(there)}"
    return None


def evidence_problems(root: Path, model: ModelVersion, day: date) -> Iterator[str]:
    """Evidence that is absent, of something else than this version, or not in date.

    The digests of the files have been checked when the version was loaded; whether the counts
    are fair is for the gate to say.
    """
    kinds = [item.kind for item in model.evidence]
    if GATE_ASKS_FOR not in kinds:
        yield f"{_file(root, model)}: evidence: has no {GATE_ASKS_FOR} evidence; measure it"
    for kind in dict.fromkeys(kinds):
        if kinds.count(kind) > 1:
            yield f"{_file(root, model)}: evidence: {kind} stands there twice; remove one"
            continue
        item = next(item for item in model.evidence if item.kind == kind)
        place = shown(root / model.name / item.path)
        try:
            content = stacks.evidence(root, model, kind) or {}
        except ContractError as error:
            yield from str(error).splitlines()
            continue
        for problem in unbound(content, model):
            yield f"{place}: {problem}"
        for problem in out_of_date(content, day):
            yield f"{place}: {problem}"


def _file(root: Path, model: ModelVersion) -> str:
    return shown(root / model.name / f"{model.version}.yaml")


def unbound(evidence: Mapping[str, Any], model: ModelVersion) -> Iterator[str]:
    meant = {"model": model.name, "version": model.version, "digest": model.digest}
    for key, value in meant.items():
        if evidence.get(key) != value:
            said = evidence.get(key)
            yield f"{key}: {said!r} is not {value!r}, as the version says; measure this version"


def out_of_date(evidence: Mapping[str, Any], day: date) -> Iterator[str]:
    days: dict[str, date] = {}
    for key in ("created", "expires"):
        try:
            days[key] = date.fromisoformat(str(evidence.get(key)))
        except ValueError:
            yield f"{key}: {evidence.get(key)!r} is not a day such as 2026-10-20; measure it again"
    if "created" in days and days["created"] > day:
        yield f"created: {days['created']} lies ahead of {day}; measure it again"
    if "expires" in days and days["expires"] < day:
        yield f"expires: {days['expires']} has passed; measure it again"


@dataclass(frozen=True)
class Target:
    """The version to roll back to, and why versions on the way there were passed over."""

    version: str
    passed_over: tuple[str, ...]


def rollback_target(root: Path, name: str, version: str, day: date) -> Target:
    """The first version along `rollback_to` whose evidence holds on that day.

    The version that is left may be broken: that is a reason to leave it. Raises ContractError
    with all that was passed over where no version remains.
    """
    passed_over: list[str] = []
    at, seen = _ref(root, name, version), [version]
    try:
        while True:
            at = _step_back(root, at, seen)
            seen.append(at.version)
            against = _reasons_against(root, at, day)
            if not against:
                return Target(at.version, tuple(passed_over))
            passed_over += against
    except ContractError as error:
        lines = dict.fromkeys([*passed_over, *str(error).splitlines()])
        raise ContractError("\n".join(lines)) from None


def _step_back(root: Path, ref: ModelRef, seen: Sequence[str]) -> ModelRef:
    model = stacks.load_model(root, ref, with_evidence=False)
    problem = _rollback_problem(root, model)
    if problem:
        raise ContractError(problem)
    place = f"{_file(root, model)}: rollback_to"
    if model.rollback_to is None:
        raise ContractError(f"{place}: is missing; name a version to roll back to")
    if model.rollback_to in seen:
        raise ContractError(f"{place}: comes back to {model.rollback_to}; name an earlier version")
    return ModelRef(name=ref.name, version=model.rollback_to)


def _reasons_against(root: Path, ref: ModelRef, day: date) -> list[str]:
    try:
        return list(evidence_problems(root, stacks.load_model(root, ref), day))
    except ContractError as error:
        return str(error).splitlines()
