"""An EKS cluster for inference: network, key, control plane, system nodes, controllers, balancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components.aws.balancer import Balancer, balancer
from components.aws.controllers import aws_controllers
from components.aws.iam import attach, node_key_policy, trust
from components.aws.logs import log_group
from components.aws.network import AwsNetwork, aws_network
from components.aws.nodes import launch_template
from components.kubernetes.access import provider
from components.options import also
from components.tags import Tags
from stacks.machines import SYSTEM_MACHINES
from stacks.records import AwsAccount, Cluster

SERVICE_CIDR = "172.20.0.0/16"
"""Of Kubernetes services; nodes that join by themselves must be told."""
SYSTEM_DISK_GIB = 50
NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
)
NODES_NEED = {
    "vpc-cni": '{"enableNetworkPolicy": "true"}',
    "kube-proxy": None,
    "eks-pod-identity-agent": None,
}
"""Add-ons without which no node becomes ready, and their settings."""


@dataclass(frozen=True)
class EksCluster:
    """What pools and services attach to."""

    name: str
    region: str
    version: str
    made: aws.eks.Cluster
    authority: pulumi.Output[str]
    """The API server's certificate, in base64."""
    network: AwsNetwork
    key_arn: pulumi.Output[str]
    node_role: aws.iam.Role
    node_profile: aws.iam.InstanceProfile
    node_security_group: pulumi.Output[str]
    balancer: Balancer
    provider: kubernetes.Provider
    controllers: Sequence[pulumi.Resource]


def eks_cluster(
    name: str,
    region: str,
    chosen: Cluster,
    account: AwsAccount,
    tags: Tags,
    *,
    protect: bool,
    opts: pulumi.ResourceOptions,
) -> EksCluster:
    """All that the cluster's apps share. The account's certificate for the region makes it public."""
    place: dict[str, Any] = {"region": region, "opts": opts}
    network = aws_network(name, region, chosen, tags.aws, opts)
    key = aws.kms.Key(
        name,
        description=f"Secrets and disks of {name}",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=node_key_policy(account.account_id),
        tags=tags.aws,
        **place,
    )
    made = control_plane(name, chosen, network, key.arn, tags, protect=protect, place=place)
    node_role = aws.iam.Role(
        f"{name}-nodes",
        assume_role_policy=trust("ec2.amazonaws.com"),
        tags=tags.aws,
        opts=opts,
    )
    node_profile = aws.iam.InstanceProfile(
        f"{name}-nodes", role=node_role.name, tags=tags.aws, opts=opts
    )
    ready = [
        *attach(f"{name}-nodes", node_role, NODE_POLICIES, opts),
        *(
            addon(name, made, kind, tags, place, configuration_values=settings)
            for kind, settings in NODES_NEED.items()
        ),
    ]
    system = system_nodes(name, chosen, made, node_role, network, key.arn, tags, place, ready)
    dns = addon(name, made, "coredns", tags, {**place, "opts": also(opts, depends_on=[system])})
    authority = made.certificate_authority.apply(lambda found: found.data)
    inside = provider(
        name,
        made.endpoint,
        authority,
        # The caller's own AWS credentials, so no secret stands in the state.
        ["aws", "--region", region, "eks", "get-token", "--cluster-name", name],
        opts,
    )
    controllers = aws_controllers(
        name,
        region,
        account.account_id,
        network.vpc_id,
        key.arn,
        tags,
        min(2, chosen.system_nodes),
        made.name,
        also(opts, provider=inside, depends_on=[system, dns]),
    )
    certificate = account.certificate_arns.get(f"aws:{region}")
    subnets = network.public_subnets if certificate else network.private_subnets
    return EksCluster(
        name=name,
        region=region,
        version=chosen.version,
        made=made,
        authority=authority,
        network=network,
        key_arn=key.arn,
        node_role=node_role,
        node_profile=node_profile,
        node_security_group=made.vpc_config.apply(lambda vpc: vpc.cluster_security_group_id),
        balancer=balancer(name, region, network, subnets, certificate, tags.aws, opts),
        provider=inside,
        controllers=controllers,
    )


def control_plane(
    name: str,
    chosen: Cluster,
    network: AwsNetwork,
    key_arn: pulumi.Input[str],
    tags: Tags,
    *,
    protect: bool,
    place: dict[str, Any],
) -> aws.eks.Cluster:
    """Private unless the stack file names who may reach it; its secrets encrypted, its logs kept."""
    opts = place["opts"]
    logs = log_group(name, f"/aws/eks/{name}/cluster", place["region"], tags.aws, opts)
    role = aws.iam.Role(
        f"{name}-control",
        assume_role_policy=trust("eks.amazonaws.com"),
        tags=tags.aws,
        opts=opts,
    )
    attached = attach(f"{name}-control", role, ("AmazonEKSClusterPolicy",), opts)
    return aws.eks.Cluster(
        name,
        name=name,
        version=chosen.version,
        role_arn=role.arn,
        # Whoever deploys administers; managed groups bring the access entry of the node role.
        access_config={
            "authentication_mode": "API",
            "bootstrap_cluster_creator_admin_permissions": True,
        },
        # The add-ons below are the only ones, so that none exists twice.
        bootstrap_self_managed_addons=False,
        enabled_cluster_log_types=[
            "api",
            "audit",
            "authenticator",
            "controllerManager",
            "scheduler",
        ],
        encryption_config={"provider": {"key_arn": key_arn}, "resources": ["secrets"]},
        kubernetes_network_config={"service_ipv4_cidr": SERVICE_CIDR},
        vpc_config={
            "subnet_ids": network.private_subnets,
            "endpoint_private_access": True,
            "endpoint_public_access": bool(chosen.api_allowed_cidrs),
            "public_access_cidrs": list(chosen.api_allowed_cidrs) or None,
        },
        deletion_protection=protect,
        tags=tags.aws,
        region=place["region"],
        opts=also(opts, depends_on=[logs, *attached]),
    )


def addon(
    name: str, made: aws.eks.Cluster, kind: str, tags: Tags, place: dict[str, Any], **more: Any
) -> aws.eks.Addon:
    """One of EKS's own add-ons, in the version EKS recommends."""
    return aws.eks.Addon(
        f"{name}-{kind}",
        cluster_name=made.name,
        addon_name=kind,
        tags=tags.aws,
        **more,
        **place,
    )


def system_nodes(
    name: str,
    chosen: Cluster,
    made: aws.eks.Cluster,
    role: aws.iam.Role,
    network: AwsNetwork,
    key_arn: pulumi.Input[str],
    tags: Tags,
    place: dict[str, Any],
    needs: Sequence[pulumi.Resource],
) -> aws.eks.NodeGroup:
    """Nodes for the cluster's own services; GPU nodes are tainted and take none of them."""
    region, opts = place["region"], place["opts"]
    template = launch_template(
        f"{name}-system", region, key_arn, tags.aws, opts, disk_gib=SYSTEM_DISK_GIB
    )
    return aws.eks.NodeGroup(
        f"{name}-system",
        cluster_name=made.name,
        node_role_arn=role.arn,
        subnet_ids=network.private_subnets,
        version=chosen.version,
        ami_type="AL2023_x86_64_STANDARD",
        instance_types=[chosen.system_instance or SYSTEM_MACHINES["aws"].name],
        scaling_config={
            "min_size": chosen.system_nodes,
            "desired_size": chosen.system_nodes,
            "max_size": chosen.system_nodes + 1,
        },
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        update_config={"max_unavailable": 1},
        labels={"fairweather.dev/pool": "system"},
        tags=tags.aws,
        region=region,
        opts=also(opts, depends_on=needs),
    )
