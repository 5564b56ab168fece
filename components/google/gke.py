"""A GKE cluster for inference: network, key, control plane, system nodes, KEDA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from components.google import ACCOUNT_LENGTH
from components.google.network import google_network
from components.kubernetes.access import provider
from components.kubernetes.charts import keda
from components.options import also
from components.tags import Tags, fitted
from stacks.machines import SYSTEM_MACHINES
from stacks.records import Cluster

NODE_ROLES = (
    "roles/logging.logWriter",
    "roles/monitoring.metricWriter",
    "roles/artifactregistry.reader",
)
KEY_USERS = ("container-engine-robot", "compute-system")
"""Google's own accounts that encrypt secrets and node disks."""
KEY_ROTATION_SECONDS = 90 * 24 * 3600
POOL_LENGTH = 40
SYSTEM_DISK_GIB = 50


@dataclass(frozen=True)
class GkeCluster:
    """What pools and services attach to."""

    name: str
    project: str
    made: gcp.container.Cluster
    key_id: pulumi.Output[str]
    node_account: pulumi.Output[str]
    provider: kubernetes.Provider
    controllers: Sequence[pulumi.Resource]


def gke_cluster(
    name: str,
    region: str,
    project: str,
    chosen: Cluster,
    tags: Tags,
    *,
    protect: bool,
    opts: pulumi.ResourceOptions,
) -> GkeCluster:
    """All that the cluster's apps share."""
    key_id, granted = cluster_key(name, region, project, tags, opts)
    account = gcp.serviceaccount.Account(
        name,
        account_id=fitted(name, ACCOUNT_LENGTH),
        project=project,
        display_name=f"Nodes of {name}",
        opts=opts,
    )
    for role in NODE_ROLES:
        gcp.projects.IAMMember(
            f"{name}-{role.split('/')[1]}",
            project=project,
            role=role,
            member=account.email.apply(lambda email: f"serviceAccount:{email}"),
            opts=opts,
        )
    made = control_plane(
        name, region, project, chosen, key_id, tags, protect, also(opts, depends_on=granted)
    )
    system = node_pool(
        f"{name}-system",
        "system",
        project,
        made,
        key_id,
        account.email,
        tags,
        opts,
        machine=chosen.system_instance or SYSTEM_MACHINES["gcp"].name,
        disk_gib=SYSTEM_DISK_GIB,
        least=chosen.system_nodes,
        most=chosen.system_nodes + 1,
        labels={"fairweather.dev/pool": "system"},
    )
    inside = provider(
        name,
        made.endpoint.apply(lambda host: host if "://" in host else f"https://{host}"),
        made.master_auth.apply(lambda master: master.cluster_ca_certificate),
        ["gke-gcloud-auth-plugin"],
        opts,
        provideClusterInfo=True,
    )
    controllers = [keda(name, also(opts, provider=inside, depends_on=[system]))]
    return GkeCluster(name, project, made, key_id, account.email, inside, controllers)


def cluster_key(
    name: str, region: str, project: str, tags: Tags, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
    """A key that Google's own accounts may use for secrets and disks: its id, and the grants."""
    ring = gcp.kms.KeyRing(name, name=name, project=project, location=region, opts=opts)
    key = gcp.kms.CryptoKey(
        name,
        name="cluster",
        key_ring=ring.id,
        rotation_period=f"{KEY_ROTATION_SECONDS}s",
        labels=tags.google,
        opts=opts,
    )
    number = gcp.organizations.get_project_output(
        project_id=project, opts=pulumi.InvokeOutputOptions(parent=opts.parent)
    ).number
    granted: list[pulumi.Resource] = [
        gcp.kms.CryptoKeyIAMMember(
            f"{name}-{user}",
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=pulumi.Output.format(
                "serviceAccount:service-{0}@{1}.iam.gserviceaccount.com", number, user
            ),
            opts=opts,
        )
        for user in KEY_USERS
    ]
    return key.id, granted


def control_plane(
    name: str,
    region: str,
    project: str,
    chosen: Cluster,
    key_id: pulumi.Input[str],
    tags: Tags,
    protect: bool,
    opts: pulumi.ResourceOptions,
) -> gcp.container.Cluster:
    """Private unless the stack file names who may reach it; Dataplane V2 enforces network policies."""
    network = google_network(
        name, region, project, chosen, pulumi.ResourceOptions(parent=opts.parent)
    )
    return gcp.container.Cluster(
        name,
        name=name,
        project=project,
        location=region,
        min_master_version=chosen.version,
        release_channel={"channel": "REGULAR"},
        network=network.network,
        subnetwork=network.subnetwork,
        networking_mode="VPC_NATIVE",
        datapath_provider="ADVANCED_DATAPATH",
        ip_allocation_policy={
            "cluster_secondary_range_name": "pods",
            "services_secondary_range_name": "services",
        },
        remove_default_node_pool=True,
        initial_node_count=1,
        private_cluster_config={
            "enable_private_nodes": True,
            "enable_private_endpoint": not chosen.api_allowed_cidrs,
        },
        master_authorized_networks_config={
            "cidr_blocks": [
                {"cidr_block": block} for block in (*chosen.api_allowed_cidrs, chosen.cidr)
            ]
        },
        workload_identity_config={"workload_pool": f"{project}.svc.id.goog"},
        database_encryption={"state": "ENCRYPTED", "key_name": key_id},
        enable_shielded_nodes=True,
        logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"]},
        cost_management_config={"enabled": True},
        deletion_protection=protect,
        resource_labels=tags.google,
        opts=opts,
    )


def node_pool(
    name: str,
    short_name: str,
    project: str,
    cluster: gcp.container.Cluster,
    key_id: pulumi.Input[str],
    account: pulumi.Input[str],
    tags: Tags,
    opts: pulumi.ResourceOptions,
    *,
    machine: str,
    disk_gib: int,
    least: int,
    most: int,
    labels: Mapping[str, str],
    **more: Any,
) -> gcp.container.NodePool:
    """Nodes as we want all of them: shielded, encrypted, an account of their own.

    `short_name` is the pool's name in the cluster, `labels` are for pods to choose; `more` goes to
    the nodes' configuration.
    """
    return gcp.container.NodePool(
        name,
        name=fitted(short_name, POOL_LENGTH),
        project=project,
        cluster=cluster.id,
        # Totals: without them the bounds count for each zone.
        autoscaling={
            "total_min_node_count": least,
            "total_max_node_count": most,
            "location_policy": "ANY",
        },
        management={"auto_repair": True, "auto_upgrade": True},
        node_config={
            "machine_type": machine,
            "disk_size_gb": disk_gib,
            "disk_type": "pd-balanced",
            "boot_disk_kms_key": key_id,
            "service_account": account,
            "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "shielded_instance_config": {
                "enable_secure_boot": True,
                "enable_integrity_monitoring": True,
            },
            "workload_metadata_config": {"mode": "GKE_METADATA"},
            "metadata": {"disable-legacy-endpoints": "true"},
            "labels": labels,
            "resource_labels": tags.google,
            **more,
        },
        opts=opts,
    )
