"""A Cloud Run service with as many warm instances as the least floor."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.google import ACCOUNT_LENGTH
from components.tags import Tags, fitted
from stacks.models import Service
from stacks.records import ServerlessServing

NAME_LENGTH = 49


def run(
    name: str,
    full_name: str,
    region: str,
    project: str,
    serving: ServerlessServing,
    service: Service,
    tags: Tags,
    *,
    protect: bool,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """The service's own URL. Nobody may call it until IAM says so: no binding for all users."""
    model, capacity = service.model, service.capacity
    account = gcp.serviceaccount.Account(
        name,
        account_id=fitted(full_name, ACCOUNT_LENGTH),
        project=project,
        display_name=full_name,
        opts=opts,
    )
    made = gcp.cloudrunv2.Service(
        name,
        name=fitted(full_name, NAME_LENGTH),
        project=project,
        location=region,
        ingress="INGRESS_TRAFFIC_ALL",
        deletion_protection=protect,
        labels=tags.google,
        template={
            "service_account": account.email,
            "timeout": f"{serving.timeout_seconds}s",
            "labels": tags.google,
            "max_instance_request_concurrency": max(1, round(serving.rps_per_replica)),
            "scaling": {
                "min_instance_count": capacity.floor.least,
                "max_instance_count": capacity.ceiling,
            },
            "containers": [
                {
                    "image": model.image,
                    "resources": {
                        "limits": {
                            "cpu": f"{serving.resources.cpu:g}",
                            "memory": f"{capacity.asked(serving).memory_limit_gib:g}Gi",
                        },
                        "cpu_idle": True,
                        "startup_cpu_boost": True,
                    },
                    "envs": [
                        {"name": "MODEL_URI", "value": model.artifact},
                        {"name": "MODEL_DIGEST", "value": model.digest},
                    ],
                }
            ],
        },
        opts=opts,
    )
    uri: pulumi.Output[str] = made.uri
    return uri
