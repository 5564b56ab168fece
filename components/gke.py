"""A GKE cluster for inference: private nodes, workload identity, encrypted database, its own system nodes, KEDA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.eks import KEDA, kubeconfig, release
from components.network import google_network
from components.tags import Tags
from stacks.machines import SYSTEM_MACHINES
from stacks.records import Cluster

NODE_ROLES = ("roles/logging.logWriter", "roles/monitoring.metricWriter", "roles/artifactregistry.reader")
KEY_ROTATION_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class GkeCluster:
    """What pools and services attach to."""

    name: str
    region: str
    project: str
    cluster: Any
    node_account: pulumi.Output[str]
    key_id: pulumi.Output[str]
    provider: Any
    controllers: list[pulumi.Resource]


def gke_cluster(
    name: str, region: str, project: str, cluster: Cluster, tags: Tags, *, production: bool, opts: pulumi.ResourceOptions
) -> GkeCluster:
    """Network, key, control plane, system nodes, KEDA."""
    import pulumi_gcp as gcp

    network = google_network(name, region, project, cluster, opts)
    ring = gcp.kms.KeyRing(name, name=name, project=project, location=region, opts=opts)
    key = gcp.kms.CryptoKey(
        name, name="cluster", key_ring=ring.id, rotation_period=f"{KEY_ROTATION_SECONDS}s", labels=tags.gcp, opts=opts
    )
    account = gcp.serviceaccount.Account(
        name, account_id=name[:30].rstrip("-"), project=project, display_name=f"Nodes of {name}", opts=opts
    )
    for role in NODE_ROLES:
        gcp.projects.IAMMember(
            f"{name}-{role.split('/')[1]}",
            project=project,
            role=role,
            member=account.email.apply(lambda email: f"serviceAccount:{email}"),
            opts=opts,
        )
    made = gcp.container.Cluster(
        name,
        name=name,
        project=project,
        location=region,
        min_master_version=cluster.version,
        network=network.network,
        subnetwork=network.subnetwork,
        networking_mode="VPC_NATIVE",
        datapath_provider="ADVANCED_DATAPATH",
        ip_allocation_policy=gcp.container.ClusterIpAllocationPolicyArgs(
            cluster_secondary_range_name="pods", services_secondary_range_name="services"
        ),
        remove_default_node_pool=True,
        initial_node_count=1,
        private_cluster_config=gcp.container.ClusterPrivateClusterConfigArgs(
            enable_private_nodes=True, enable_private_endpoint=not cluster.api_allowed_cidrs
        ),
        master_authorized_networks_config=gcp.container.ClusterMasterAuthorizedNetworksConfigArgs(
            cidr_blocks=[
                gcp.container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(cidr_block=block)
                for block in (*cluster.api_allowed_cidrs, cluster.cidr)
            ]
        ),
        workload_identity_config=gcp.container.ClusterWorkloadIdentityConfigArgs(workload_pool=f"{project}.svc.id.goog"),
        database_encryption=gcp.container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=key.id),
        release_channel=gcp.container.ClusterReleaseChannelArgs(channel="REGULAR"),
        enable_shielded_nodes=True,
        logging_config=gcp.container.ClusterLoggingConfigArgs(
            enable_components=["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"]
        ),
        cost_management_config=gcp.container.ClusterCostManagementConfigArgs(enabled=True),
        deletion_protection=production,
        resource_labels=tags.gcp,
        opts=opts,
    )
    node_pool(
        f"{name}-system",
        made,
        project,
        account.email,
        key.id,
        tags.gcp,
        opts,
        machine=cluster.system_instance or SYSTEM_MACHINES["gcp"].name,
        disk_gib=50,
        least=cluster.system_nodes,
        most=cluster.system_nodes + 1,
        labels={"fairweather.dev/pool": "system"},
    )
    provider = kubernetes_provider(name, made, opts)
    keda = release(name, "keda", KEDA, "https://kedacore.github.io/charts", {}, provider, opts)
    return GkeCluster(name, region, project, made, account.email, key.id, provider, [keda])


def node_pool(
    name: str, cluster: Any, project: str, account: pulumi.Input[str], key_id: pulumi.Input[str],
    labels_google: dict[str, str], opts: pulumi.ResourceOptions, *, machine: str, disk_gib: int, least: int, most: int,
    labels: dict[str, str], **more: Any,
) -> Any:  # fmt: skip
    """Nodes as we want all of them: shielded, encrypted disks, workload metadata only, a service account of their own."""
    import pulumi_gcp as gcp

    return gcp.container.NodePool(
        name,
        name=name[-40:].strip("-"),
        project=project,
        cluster=cluster.id,
        # Totals over all zones: without them the limits count per zone.
        autoscaling=gcp.container.NodePoolAutoscalingArgs(
            total_min_node_count=least, total_max_node_count=most, location_policy="ANY"
        ),
        management=gcp.container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
        node_config=gcp.container.NodePoolNodeConfigArgs(
            machine_type=machine,
            disk_size_gb=disk_gib,
            disk_type="pd-balanced",
            boot_disk_kms_key=key_id,
            service_account=account,
            oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
            shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
            workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
            metadata={"disable-legacy-endpoints": "true"},
            labels=labels,
            resource_labels=labels_google,
            **more,
        ),
        opts=opts,
    )


def kubernetes_provider(name: str, made: Any, opts: pulumi.ResourceOptions) -> Any:
    """Reaches the cluster with the caller's Google credentials (`gke-gcloud-auth-plugin`)."""
    import pulumi_kubernetes as kubernetes

    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }

    def config(values: list[Any]) -> str:
        endpoint, authority = values
        address = endpoint if "://" in endpoint else f"https://{endpoint}"
        return kubeconfig(name, address, authority.cluster_ca_certificate or "", command)

    text = pulumi.Output.all(made.endpoint, made.master_auth).apply(config)
    return kubernetes.Provider(name, kubeconfig=text, enable_server_side_apply=True, opts=opts)
