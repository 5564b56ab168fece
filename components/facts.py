"""Facts: the plain values that a component shows to policies.

Given twice, as inputs for resource policies and in `register_outputs` for stack policies. Never an
Output: what is unknown at preview would switch a rule off.
"""

from __future__ import annotations

from typing import Any

from components.tags import IDENTITY, Tags
from stacks.machines import gpu_machine
from stacks.models import Service
from stacks.records import App, Budget, Capacity, GpuServing

Facts = dict[str, Any]


def identity(tags: Tags) -> Facts:
    """Who answers for it."""
    return {key: tags.logical[key] for key in IDENTITY}


def budget(budget: Budget) -> Facts:
    return {"monthly_budget_usd": budget.monthly_usd, "alert_at": list(budget.alert_at)}


def size(capacity: Capacity) -> Facts:
    """What the planner granted, in replicas."""
    return {
        "floor_least": capacity.floor.least,
        "floor_mean": round(capacity.floor.mean, 3),
        "floor_peak": capacity.floor.peak,
        "ceiling": capacity.ceiling,
        "expected_replicas": capacity.expected_replicas,
    }


def hardware(serving: GpuServing, location: str) -> Facts:
    """What the replicas run on, and how burst is bought."""
    machine = gpu_machine(location, serving.gpu, serving.gpus_per_replica)
    return {
        "gpu": serving.gpu,
        "gpus_per_replica": serving.gpus_per_replica,
        "machine": machine.name,
        "gpus_per_node": machine.gpus,
        "replicas_per_node": machine.replicas(serving.gpus_per_replica),
        "spot_share": serving.spot_share,
    }


def service(tags: Tags, app: App, service: Service) -> Facts:
    """What runs where, with the evidence that speaks for it."""
    capacity, model, serving = service.capacity, service.model, app.serving
    asked = capacity.asked(serving)
    on = hardware(serving, service.location) if isinstance(serving, GpuServing) else {}
    return {
        **identity(tags),
        **budget(app.budget),
        **size(capacity),
        **on,
        "location": service.location,
        "target": serving.target,
        "target_utilisation": capacity.target_utilisation,
        "rps_per_replica": serving.rps_per_replica,
        "cpu": asked.cpu,
        "memory_gib": asked.memory_limit_gib,
        "data_class": app.data_class,
        "model": {
            "name": model.name,
            "version": model.version,
            "modality": model.modality,
            "image": model.image,
            "digest": model.digest,
            "sensitive_domain": model.sensitive_domain,
            "training_pipeline": model.training_pipeline,
            "inference_pipeline": model.inference_pipeline,
            "datasets": [dataset.model_dump(mode="json") for dataset in model.datasets],
            "fairness": service.fairness,
            "explanation": service.explanation,
            "privacy": service.privacy,
        },
    }
