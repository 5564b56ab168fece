"""Pods behind Google's own load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from components.entrance import AtAddress, Entrance
from components.google.gke import GkeCluster
from components.tags import Tags, fitted

NAME_LENGTH = 63


def behind_ingress(
    name: str,
    host: str,
    meta: Mapping[str, Any],
    tags: Tags,
    cluster: GkeCluster,
    opts: pulumi.ResourceOptions,
) -> tuple[Entrance, pulumi.Output[str]]:
    """A fixed address, and an ingress on it to the service `meta.name`.

    TLS is the secret `<service>-tls` in the namespace: Google's managed certificates need a name
    that leads to Google only, and ours leads to the nearest cloud.
    """
    address = gcp.compute.GlobalAddress(
        name,
        name=fitted(f"{name}-{cluster.name}", NAME_LENGTH),
        project=cluster.project,
        labels=tags.google,
        opts=pulumi.ResourceOptions(parent=opts.parent),
    )
    annotations = {
        "kubernetes.io/ingress.class": "gce",
        "kubernetes.io/ingress.global-static-ip-name": address.name,
        "kubernetes.io/ingress.allow-http": "false",
        # Google's balancer takes minutes, and needs healthy pods first.
        "pulumi.com/skipAwait": "true",
    }
    service = meta["name"]
    kubernetes.networking.v1.Ingress(
        name,
        metadata={**meta, "annotations": annotations},
        spec={
            "tls": [{"hosts": [host], "secret_name": f"{service}-tls"}],
            "default_backend": {"service": {"name": service, "port": {"number": 80}}},
        },
        opts=opts,
    )
    return AtAddress(host, address.address), address.address
