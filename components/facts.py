"""Facts: the plain values that a component shows to policies, as inputs and again in `register_outputs`.

Never an Output: what is unknown at preview would switch a rule off.
"""

from __future__ import annotations

from typing import Any

from components.tags import Tags
from stacks.records import App, Capacity, ModelVersion

Facts = dict[str, Any]


def identity(tags: Tags) -> Facts:
    """Who answers for it."""
    return {key: tags.logical[key] for key in ("portfolio", "environment", "app", "owner", "cost_center")}


def size(capacity: Capacity) -> Facts:
    """What the planner granted, in replicas."""
    return {
        "floor_mean": round(capacity.floor.mean, 3),
        "floor_least": capacity.floor.least,
        "floor_peak": capacity.floor.peak,
        "ceiling": capacity.ceiling,
        "expected_replicas": capacity.expected_replicas,
    }


def service(tags: Tags, app: App, location: str, capacity: Capacity, model: ModelVersion, fairness: Facts | None) -> Facts:
    """What runs where, with the evidence that speaks for it."""
    return {
        **identity(tags),
        **size(capacity),
        "location": location,
        "target_utilisation": capacity.target_utilisation,
        "data_class": app.data_class,
        "model": {
            "name": model.name,
            "version": model.version,
            "modality": model.modality,
            "image": model.image,
            "digest": model.digest,
            "sensitive_domain": model.sensitive_domain,
            "fairness": fairness,
        },
    }
