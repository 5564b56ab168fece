"""The bill of materials says what the version says, with its intervals, and is always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from governance import bom, registry

ROOT = Path(__file__).resolve().parents[2] / "models"


@pytest.mark.parametrize("name", registry.models(ROOT))
def test_every_model_of_the_registry_has_a_valid_bill(name):
    model = registry.load(ROOT, name)
    text = bom.as_json(ROOT, model)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == bom.as_json(ROOT, registry.load(ROOT, name))


def test_the_bill_binds_weights_container_data_and_evidence_by_digest():
    model = registry.load(ROOT, "scene-caption")
    told = bom.bill(ROOT, model)
    subject = told["metadata"]["component"]
    assert subject["hashes"][0]["content"] == model.digest.removeprefix("sha256:")
    evidence = [one for one in subject["externalReferences"] if one["type"] == "evidence"]
    assert [f"sha256:{one['hashes'][0]['content']}" for one in evidence] == [
        item.sha256 for item in model.evidence
    ]
    kinds = {part["type"]: part["name"] for part in told["components"]}
    assert kinds == {
        "container": "registry.example.com/lumen/scene-caption",
        "data": "scenes-2025",
    }
    refs = {part["bom-ref"] for part in told["components"]}
    assert set(told["dependencies"][0]["dependsOn"]) == refs


def test_each_slice_is_a_metric_with_its_wilson_interval():
    told = bom.bill(ROOT, registry.load(ROOT, "scene-caption"))
    card = told["metadata"]["component"]["modelCard"]
    metric = card["quantitativeAnalysis"]["performanceMetrics"][0]
    assert metric["slice"] == "skin_tone=lighter, n=11652"
    assert metric["value"] == "0.915379"
    # Wilson (1927) for 10,666 of 11,652, computed by hand.
    assert metric["confidenceInterval"] == {"lowerBound": "0.910188", "upperBound": "0.920297"}
