# ruff: noqa: E501 - a table, a case a row
"""Sound resources of each kind, which attempts spoil and variations vary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.attacks.engine import Attack, Bag, Declared, Legitimate, state

TAGS = {
    "app": "camera",
    "owner": "vision-team",
    "cost_center": "cc-1",
    "environment": "prod",
    "portfolio": "lumen",
}
LABELS = {f"fairweather.dev/{key.replace('_', '-')}": value for key, value in TAGS.items()}
DIGEST, IMAGE = "sha256:" + "a" * 64, f"registry.example.com/camera@sha256:{'b' * 64}"
ROLE = "arn:aws:iam::123456789012:role/nodes"

INSTANCE = {
    "instanceType": "g6.xlarge",
    "ami": "ami-1",
    "rootBlockDevice": {"encrypted": True},
    "metadataOptions": {"httpTokens": "required"},
    "tags": TAGS,
}
GROUP = {
    "clusterName": "c", "nodeRoleArn": ROLE, "subnetIds": ["subnet-1"], "instanceTypes": ["g6.xlarge"],
    "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 2}, "tags": TAGS,
}  # fmt: skip
CONTAINER: Bag = {
    "name": "serve",
    "image": IMAGE,
    "resources": {"limits": {"memory": "1Gi"}},
    "securityContext": {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def aws(kind: str, **props: Any) -> Declared:
    return Declared(f"aws:{kind}", {"tags": TAGS, **props} if tagged(kind) else props)


def tagged(kind: str) -> bool:
    return kind in {
        "s3/bucket:Bucket", "ec2/instance:Instance", "ec2/securityGroup:SecurityGroup", "ebs/volume:Volume",
        "iam/role:Role", "iam/policy:Policy", "kms/key:Key", "lambda/function:Function", "sns/topic:Topic",
        "rds/instance:Instance", "eks/cluster:Cluster", "ecr/repository:Repository", "ec2/launchTemplate:LaunchTemplate",
        "ec2/subnet:Subnet", "dynamodb/table:Table", "secretsmanager/secret:Secret", "sqs/queue:Queue",
        "cloudwatch/logGroup:LogGroup", "ec2/spotInstanceRequest:SpotInstanceRequest",
    }  # fmt: skip


def gcp(kind: str, **props: Any) -> Declared:
    return Declared(f"gcp:{kind}", props)


def k8s(kind: str, *, namespace: str = "serving", labels: Any = LABELS, **props: Any) -> Declared:
    metadata = {"namespace": namespace, "labels": labels, **props.pop("metadata", {})}
    return Declared(f"kubernetes:{kind}", {"metadata": metadata, **props})


def pods(kind: str = "apps/v1:Deployment", *, pod: Any = None, **container: Any) -> Declared:
    """A workload of one container, which is sound but for what is given."""
    spec = {"containers": [{**CONTAINER, **container}], **(pod or {})}
    return k8s(kind, spec={"template": {"spec": spec}})


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(**more: Any) -> Bag:
    return {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::models/*",
        **more,
    }


def attack(name: str, rule: str, *resources: Declared, says: str = "") -> Attack:
    return Attack(name, rule, resources, says)


def fine(name: str, *resources: Declared) -> Legitimate:
    return Legitimate(name, resources)


def app(name: str, usd: Any = 10_000.0, **facts: Any) -> Bag:
    told = {"owner": "team", "portfolio": "lumen", "app": name, "monthly_budget_usd": usd, **facts}
    return state("fairweather:index:AppBudget", name, told)


def portfolio(usd: Any) -> Bag:
    told = {"owner": "team", "portfolio": "lumen", "app": "shared", "monthly_budget_usd": usd}
    return state("fairweather:index:Portfolio", "lumen", told)


def shared(usd: float) -> list[Bag]:
    """What all cases of a run stand on: budgets, a key, other regions, a namespace that denies by default."""
    return [
        portfolio(usd),
        app("camera", usd, location="aws:us-east-1"),
        app("health", usd, data_class="sensitive"),
        app("photos", usd, data_class="personal"),
        state("aws:kms/key:Key", "the-key", {"enableKeyRotation": True, "tags": TAGS}),
        *(
            state("pulumi:providers:aws", region, {"region": region})
            for region in ("us-east-1", "us-west-2", "eu-west-1", "ap-south-1")
        ),
        state(
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
            "closed",
            {
                "metadata": {"name": "closed", "namespace": "serving", "labels": LABELS},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            },
        ),
    ]


def evidence(**more: Any) -> Bag:
    """Fairness evidence that passes."""
    return {
        "schema": "fairweather/fairness/1",
        "model": "scene-caption",
        "version": "2.3.1",
        "digest": DIGEST,
        "window": {"from": "2026-08-01", "to": "2026-10-15"},
        "created": "2026-10-20",
        "expires": "2036-10-20",
        "comparisons": [compared()],
        **more,
    }


def compared(*counts: tuple[str, Any, Any], **more: Any) -> Bag:
    """A comparison of slices, each with its k of n."""
    counts = counts or (("lighter", 9_100, 10_000), ("darker", 8_150, 9_000))
    slices = [{"slice": name, "k": k, "n": n} for name, k, n in counts]
    about = {"modality": "image", "attribute": "skin_tone", "metric": "true_positive_rate"}
    return {**about, "slices": slices, **more}


def model(**more: Any) -> Declared:
    """A component that serves a model, sound but for what is given."""
    bound = ("model", "version", "digest", "window", "created", "expires")
    privacy = {"schema": "fairweather/privacy/1", **{key: evidence()[key] for key in bound}}
    told = {
        "name": "scene-caption",
        "version": "2.3.1",
        "modality": "image",
        "image": IMAGE,
        "digest": DIGEST,
        "sensitive_domain": False,
        "training_pipeline": "pipelines/scene-caption/train.yaml",
        "inference_pipeline": None,
        "datasets": [{"name": "scenes-2025", "licence": "CC-BY-4.0", "personal_data": True}],
        "privacy": {**privacy, "datasets": [{"dataset": "scenes-2025", "k": 12}]},
        "fairness": evidence(),
        **more,
    }
    facts = {"owner": "vision-team", "app": "camera", "location": "aws:us-east-1", "model": told}
    return Declared("fairweather:index:ModelService", facts)
