"""A model version as a machine-learning bill of materials (ML-BOM) and as a readable model card.

The bill is CycloneDX 1.6 JSON (ECMA-424, https://cyclonedx.org/docs/1.6/json/): the model with its card, its serving
container, its datasets, its evidence by digest. The same version gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.spdx import is_supported_id
from scipy.stats import binomtest

import stacks
from governance import registry
from stacks import ModelVersion

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
SPEC_VERSION = "1.6"
CONFIDENCE = 0.95
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://fairweather.invalid/ml-bom")
SHOWN_CONFIDENCE = "95 %"


def bill(root: Path, model: ModelVersion) -> dict[str, Any]:
    """The ML-BOM of one version.

    Args:
        root: the registry, for the evidence files.
        model: the version, with its evidence held against its digests.
    """
    serial = uuid.uuid5(NAMESPACE, f"{model.name}@{model.version} {model.digest} {model.image}")
    container = f"container:{model.image}"
    datasets = [_dataset(dataset) for dataset in model.datasets]
    parts = [_container(model, container), *datasets]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "fairweather"}]},
            "component": _model(root, model, [one["bom-ref"] for one in datasets]),
        },
        "components": parts,
        "dependencies": [
            {"ref": _ref(model), "dependsOn": [part["bom-ref"] for part in parts]},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
    }


def as_json(root: Path, model: ModelVersion) -> str:
    return json.dumps(bill(root, model), indent=2, ensure_ascii=False) + "\n"


def _ref(model: ModelVersion) -> str:
    return f"model:{model.name}@{model.version}"


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]


def _licences(licence: str) -> list[dict[str, Any]]:
    return [{"license": {"id" if is_supported_id(licence) else "name": licence}}]


def _model(root: Path, model: ModelVersion, datasets: list[str]) -> dict[str, Any]:
    evidence = [
        {
            "type": "evidence",
            "url": f"{model.name}/{item.path}",
            "comment": f"{item.kind} evidence",
            "hashes": _hashes(item.sha256),
        }
        for item in model.evidence
    ]
    properties = {
        "fairweather:training_pipeline": model.training_pipeline,
        "fairweather:inference_pipeline": model.inference_pipeline,
        "fairweather:sensitive_domain": str(model.sensitive_domain).lower(),
        "fairweather:rollback_to": model.rollback_to,
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": _ref(model),
        "name": model.name,
        "version": model.version,
        "description": model.intended_use,
        "hashes": _hashes(model.digest),
        "licenses": _licences(model.licence),
        "externalReferences": [{"type": "distribution", "url": model.artifact}, *evidence],
        "modelCard": {
            "modelParameters": {
                "datasets": [{"ref": ref} for ref in datasets],
                "inputs": [{"format": model.modality}],
            },
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(root, model))},
            "considerations": {"useCases": [model.intended_use]},
        },
        "properties": [
            {"name": name, "value": value} for name, value in properties.items() if value
        ],
    }


def _container(model: ModelVersion, ref: str) -> dict[str, Any]:
    name, digest = model.image.split("@")
    return {"type": "container", "bom-ref": ref, "name": name, "hashes": _hashes(digest)}


def _dataset(dataset: Any) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": f"dataset:{dataset.name}",
        "name": dataset.name,
        "licenses": _licences(dataset.licence),
        "data": [
            {
                "type": "dataset",
                "name": dataset.name,
                "classification": "personal" if dataset.personal_data else "not personal",
            }
        ],
    }


def _metrics(root: Path, model: ModelVersion) -> Iterator[dict[str, Any]]:
    """Each slice's rate with its Wilson score interval (Wilson 1927)."""
    for item in model.evidence:
        content = stacks.evidence(root, model, item.kind) or {}
        for compared in registry.mappings(content.get("comparisons")):
            for entry in registry.mappings(compared.get("slices")):
                counted = registry.counts(entry)
                if counted is None:
                    continue  # `fairweather model verify` and the gate say what is wrong with it
                k, n = counted
                low, high = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
                yield {
                    "type": f"{compared.get('metric')} ({compared.get('modality')})",
                    "value": f"{k / n:.6g}",
                    "slice": f"{compared.get('attribute')}={entry.get('slice')}, n={n}",
                    "confidenceInterval": {
                        "lowerBound": f"{low:.6g}",
                        "upperBound": f"{high:.6g}",
                    },
                }


def card(root: Path, model: ModelVersion) -> str:
    """A model card in Markdown (Mitchell et al. 2019, "Model Cards for Model Reporting")."""
    used = model.inference_pipeline or "the image alone"
    parts = [
        f"# {model.name} {model.version}",
        f"{model.intended_use}."
        + (" **Sensitive domain.**" if model.sensitive_domain else "")
        + f" Modality: {model.modality}. Licence: {model.licence}.",
        "## What it is",
        _table(
            ("part", "what"),
            (
                ("serving image", f"`{model.image}`"),
                ("weights", f"`{model.artifact}`"),
                ("digest of the weights", f"`{model.digest}`"),
                ("trained by", f"`{model.training_pipeline}`"),
                ("answers by", f"`{used}`" if model.inference_pipeline else used),
                ("rolls back to", model.rollback_to or "no version is named"),
            ),
        ),
        "## Data",
        _table(
            ("dataset", "licence", "personal data"),
            ((one.name, one.licence, "yes" if one.personal_data else "no") for one in model.datasets),
        )
        if model.datasets
        else "No dataset is named.",
        *_measured(root, model),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _measured(root: Path, model: ModelVersion) -> Iterator[str]:
    yield "## What was measured"
    if not model.evidence:
        yield "Nothing: this version has no evidence."
    for item in model.evidence:
        content = stacks.evidence(root, model, item.kind) or {}
        window = content.get("window")
        span = window if isinstance(window, Mapping) else {}
        yield (
            f"**{item.kind}**: population {content.get('population', 'not said')}, "
            f"{span.get('from', '?')} to {span.get('to', '?')}, by {content.get('tool', 'not said')}; "
            f"expires {content.get('expires', 'never')}. `{item.path}`, `{item.sha256}`"
        )
    metrics = [
        (
            metric["type"],
            metric["slice"],
            f"{float(metric['value']):.1%}",
            f"{float(metric['confidenceInterval']['lowerBound']):.1%} to "
            f"{float(metric['confidenceInterval']['upperBound']):.1%}",
        )
        for metric in _metrics(root, model)
    ]
    if metrics:
        yield _table(("metric", "slice", "rate", f"{SHOWN_CONFIDENCE} interval"), metrics)
        yield "Whether the gaps are within tolerance is for the gate to say: `fairweather preview`."


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
