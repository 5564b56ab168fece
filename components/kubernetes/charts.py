"""Helm charts in kube-system, at fixed versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

SYSTEM = "kube-system"
KEDA_VERSION = "2.18.0"


def release(
    cluster: str,
    chart: str,
    version: str,
    repository: str,
    values: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """One chart; the provider stands in `opts`."""
    oci = repository.startswith("oci://")
    made: pulumi.Resource = kubernetes.helm.v3.Release(
        f"{cluster}-{chart}",
        name=chart,
        namespace=SYSTEM,
        chart=f"{repository}/{chart}" if oci else chart,
        version=version,
        repository_opts=None if oci else {"repo": repository},
        values=values,
        opts=opts,
    )
    return made


def keda(cluster: str, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    """What turns ScaledObjects into replicas."""
    repository = "https://kedacore.github.io/charts"
    return release(cluster, "keda", KEDA_VERSION, repository, {}, opts)
