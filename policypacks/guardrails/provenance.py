"""Models are made from data and by pipelines that were approved, and personal data has a lawful basis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from evidence import model_of, told_of
from gate import ResourceRule, Rule, today
from pricing.declared import Resource
from settings import Node, read

BASES = (
    "consent", "explicit consent", "contract", "legal obligation", "vital interests", "public task",
    "legitimate interests",
)  # fmt: skip
"""GDPR Art. 6(1)(a) to (f), and Art. 9(2)(a)."""
LONGEST_DELETION_DAYS = 45
"""CCPA 1798.130(a)(2); GDPR Art. 12(3) says one month, which may be extended."""


@dataclass(frozen=True)
class Dataset:
    """Data that may be learned from, as its owners approved it."""

    owner: str
    source: str
    licence: str
    expires: date
    personal: bool
    lawful_basis: str | None
    """None where there is no personal data."""


@dataclass(frozen=True)
class Approved:
    """What models may be made from."""

    pipelines: tuple[str, ...]
    """Names with wildcards."""
    datasets: Mapping[str, Dataset]


def load(file: Path) -> Approved:
    """The pack's own list. Raises settings.SettingsError."""
    root = read(file).fields("pipelines", "datasets")
    return Approved(
        pipelines=root["pipelines"].words(),
        datasets={name: _dataset(node) for name, node in root["datasets"].mapping().items()},
    )


def _dataset(node: Node) -> Dataset:
    found = node.fields("owner", "source", "licence", "expires", optional=("personal_data",))
    basis = None
    if "personal_data" in found:
        personal = found["personal_data"].fields("lawful_basis", "deletion_days", "opt_out")
        basis = personal["lawful_basis"].one_of(*BASES)
        personal["deletion_days"].number(0, LONGEST_DELETION_DAYS)
        personal["opt_out"].one_of("honoured")
    return Dataset(
        owner=found["owner"].text(),
        source=found["source"].text(),
        licence=found["licence"].text(),
        expires=found["expires"].day(),
        personal=basis is not None,
        lawful_basis=basis,
    )


def rules(approved: Approved) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="datasets-are-approved",
            description="A deployed model was trained on data that is approved, licensed and in date.",
            check=lambda resource: unapproved(resource, approved, today()),
            remedy="Have the dataset approved in `approved.yaml`, or deploy a version that was trained without it.",
            severity="high",
            frameworks=("GDPR Art. 5(1)(a)", "GDPR Art. 6", "CCPA 1798.100(c)", "EU AI Act Art. 10"),
        ),
        ResourceRule(
            name="pipelines-are-approved",
            description="A deployed model was trained, and answers, by a pipeline that is approved.",
            check=lambda resource: strange_pipelines(resource, approved),
            remedy="Train with an approved pipeline, or have this one approved in `approved.yaml`.",
            severity="high",
            frameworks=("EU AI Act Art. 11", "NIST 800-53 SR-4", "SOC 2 CC8.1"),
        ),
    )  # fmt: skip


def unapproved(resource: Resource, approved: Approved, day: date) -> Iterator[str]:
    model = model_of(resource)
    if model is None:
        return
    who = told_of(resource, model)
    listed = model.get("datasets")
    if not isinstance(listed, list) or not listed:
        yield f"{who} does not say what it was trained on; name its datasets in its file in `models/`."
        return
    for item in listed:
        told = item if isinstance(item, Mapping) else {}
        name = str(told.get("name"))
        found = approved.datasets.get(name)
        if found is None:
            yield f"{who} was trained on {name}, which is not approved; have it approved, or train without it."
            continue
        for problem in _against(told, found, day):
            yield f"{who} was trained on {name}, {problem}."


def _against(told: Mapping[str, Any], found: Dataset, day: date) -> Iterator[str]:
    if found.expires < day:
        yield f"whose approval expired on {found.expires}; have {found.owner} renew it"
    if told.get("licence") != found.licence:
        yield f"under {told.get('licence')}, approved is {found.licence}; correct the one or the other"
    if told.get("personal_data") is not found.personal:
        said = "with" if told.get("personal_data") else "without"
        yield f"said to be {said} personal data, approved is the contrary; correct the one or the other"


def strange_pipelines(resource: Resource, approved: Approved) -> Iterator[str]:
    model = model_of(resource)
    if model is None:
        return
    who = told_of(resource, model)
    for key in ("training_pipeline", "inference_pipeline"):
        pipeline = model.get(key)
        if pipeline is None and key == "inference_pipeline":
            continue
        known = isinstance(pipeline, str) and ".." not in pipeline
        if not known or not any(fnmatchcase(pipeline or "", one) for one in approved.pipelines):
            yield f"{who} has the {key} {pipeline!r}, which is not approved; use an approved one."
