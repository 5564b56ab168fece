"""Resources as the engine would tell of them, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parents[2] / "policypacks" / "guardrails"
State = dict[str, Any]
TAGS = {
    "app": "camera",
    "owner": "vision-team",
    "cost_center": "cc-1",
    "environment": "prod",
    "portfolio": "lumen",
}
LABELS = {f"fairweather.dev/{key.replace('_', '-')}": value for key, value in TAGS.items()}
DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.example.com/camera@sha256:{'b' * 64}"
GROUP, SCHEDULE = "aws:eks/nodeGroup:NodeGroup", "aws:autoscaling/schedule:Schedule"
TEMPLATE, KARPENTER = "aws:ec2/launchTemplate:LaunchTemplate", "kubernetes:karpenter.sh/v1:NodePool"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::fairweather::{kind}::{name}"


def state(
    kind: str,
    name: str = "it",
    inputs: Mapping[str, Any] | None = None,
    *,
    parent: State | None = None,
    needs: Mapping[str, Sequence[State]] | None = None,
    provider: State | None = None,
) -> State:
    """One resource; a component where its type is ours."""
    inputs, component = dict(inputs or {}), kind.startswith("fairweather:")
    return {
        "urn": urn(kind, name),
        "type": kind,
        "custom": not component,
        "inputs": inputs,
        "outputs": inputs,
        "parent": parent["urn"] if parent else "",
        "propertyDependencies": {k: [one["urn"] for one in v] for k, v in (needs or {}).items()},
        "provider": f"{provider['urn']}::id" if provider else "",
    }


def node_group(name: str = "nodes", **more: Any) -> State:
    """A managed node group of two to four g6.xlarge in us-east-1."""
    inputs = {
        "instanceTypes": ["g6.xlarge"],
        "scalingConfig": {"minSize": 2.0, "desiredSize": 3.0, "maxSize": 4.0},
        "region": "us-east-1",
        "tags": TAGS,
    }
    return state(GROUP, name, {**inputs, **more})


def karpenter(
    name: str = "burst", *, gpus: Any = "4", machine: str = "g6.xlarge", **extra: Any
) -> State:
    """A Karpenter pool; `buys` names its capacity types, `pool` its node label."""
    buys, pool = extra.pop("buys", ["on-demand"]), extra.pop("pool", "")
    requirements = [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": buys},
        *(
            [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [machine]}]
            if machine
            else []
        ),
    ]
    spec = {
        "limits": {"nvidia.com/gpu": gpus} if gpus is not None else {},
        "template": {
            "metadata": {"labels": {"fairweather.dev/pool": pool} if pool else {}},
            "spec": {"requirements": requirements},
        },
    }
    return state(
        KARPENTER, name, {"metadata": {"name": name, "labels": LABELS}, "spec": spec}, **extra
    )


def budgets(
    app_usd: Any = 10_000.0, portfolio_usd: Any = 20_000.0, app: str = "camera"
) -> list[State]:
    """A portfolio and one app with their budgets."""
    who = {"owner": "vision-team", "portfolio": "lumen"}
    whole = {**who, "app": "shared", "monthly_budget_usd": portfolio_usd}
    return [
        state("fairweather:index:Portfolio", "lumen", whole),
        state(
            "fairweather:index:AppBudget", app, {**who, "app": app, "monthly_budget_usd": app_usd}
        ),
    ]


def evidence(**more: Any) -> dict[str, Any]:
    """Fairness evidence that passes."""
    slices = [
        {"slice": "lighter", "n": 10_000, "k": 9_100},
        {"slice": "darker", "n": 9_000, "k": 8_150},
    ]
    found: dict[str, Any] = {
        "schema": "fairweather/fairness/1",
        "model": "scene-caption",
        "version": "2.3.1",
        "digest": DIGEST,
        "window": {"from": "2026-08-01", "to": "2026-10-15"},
        "created": "2026-10-20",
        "expires": "2036-10-20",
        "comparisons": [
            {
                "modality": "image",
                "attribute": "skin_tone",
                "metric": "true_positive_rate",
                "slices": slices,
            }
        ],
    }
    return {**found, **more}


def bound(kind: str) -> dict[str, Any]:
    """The part of every evidence file that binds it to the sample's version, in date."""
    keys = ("model", "version", "digest", "window", "created", "expires")
    return {"schema": f"fairweather/{kind}/1", **{key: evidence()[key] for key in keys}}


def service(fairness: Any = None, **more: Any) -> State:
    """A component that serves a model."""
    model = {
        "name": "scene-caption",
        "version": "2.3.1",
        "modality": "image",
        "image": IMAGE,
        "digest": DIGEST,
        "sensitive_domain": False,
        "training_pipeline": "pipelines/scene-caption/train.yaml",
        "inference_pipeline": None,
        "datasets": [{"name": "scenes-2025", "licence": "CC-BY-4.0", "personal_data": True}],
        "privacy": {**bound("privacy"), "datasets": [{"dataset": "scenes-2025", "k": 12}]},
        "fairness": evidence() if fairness is None else fairness,
        **more,
    }
    facts = {"owner": "vision-team", "app": "camera", "location": "aws:us-east-1", "model": model}
    return state("fairweather:index:ModelService", "camera-us-east-1", facts)
