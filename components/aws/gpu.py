"""GPU nodes of one app on AWS: a scheduled group for the floor, and Karpenter for what is above it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.eks import SERVICE_CIDR, EksCluster
from components.aws.local_zone import LocalZone
from components.aws.nodes import DISK_DEVICE, follow, launch_template
from components.gpu_nodes import DISK_GIB, TAINT, TAINT_VALUE, GpuNodes
from components.kubernetes.custom import custom
from components.options import also
from components.schedule import changes

IMAGE = (
    "resolve:ssm:/aws/service/eks/optimized-ami/{version}"
    "/amazon-linux-2023/x86_64/nvidia/recommended/image_id"
)
LOCAL_ZONE_DISK = "gp2"
"""The type that every Local Zone has."""


def in_region(wanted: GpuNodes, cluster: EksCluster, opts: pulumi.ResourceOptions) -> None:
    """A managed node group that follows the floor, and Karpenter up to the ceiling."""
    name, tags, region = wanted.name, wanted.tags.aws, cluster.region
    template = launch_template(name, region, cluster.key_arn, tags, opts, disk_gib=DISK_GIB)
    group = aws.eks.NodeGroup(
        name,
        cluster_name=cluster.made.name,
        node_role_arn=cluster.node_role.arn,
        subnet_ids=cluster.network.private_subnets,
        version=cluster.version,
        ami_type="AL2023_x86_64_NVIDIA",
        capacity_type="ON_DEMAND",
        instance_types=[wanted.machine.name],
        scaling_config={"min_size": 0, "desired_size": wanted.peak, "max_size": wanted.most},
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        update_config={"max_unavailable": 1},
        labels=wanted.labels,
        taints=[{"key": TAINT, "value": TAINT_VALUE, "effect": "NO_SCHEDULE"}],
        tags=tags,
        region=region,
        # The schedule owns the size from here on. EKS would refuse a new bound on the wrong side
        # of the live size, and an update would set the live size back to what it was at creation.
        opts=also(opts, ignore_changes=["scalingConfig"]),
    )
    behind = group.resources.apply(lambda found: found[0].autoscaling_groups[0].name)
    for key, value in tags.items():
        # EKS does not hand its tags on to the group behind.
        aws.autoscaling.Tag(
            f"{name}-{key}",
            autoscaling_group_name=behind,
            tag={"key": key, "value": value, "propagate_at_launch": False},
            region=region,
            opts=opts,
        )
    follow(name, behind, region, changes(wanted.steps), opts)
    karpenter_pools(wanted, cluster, cluster.network.private_subnets, "gp3", opts)


def in_local_zone(
    wanted: GpuNodes, cluster: EksCluster, zone: LocalZone, opts: pulumi.ResourceOptions
) -> None:
    """EKS has no managed node groups in Local Zones (EKS user guide), so the group is our own."""
    name, tags, region = wanted.name, wanted.tags.aws, cluster.region
    template = launch_template(
        name,
        region,
        cluster.key_arn,
        tags,
        opts,
        disk_gib=DISK_GIB,
        disk_type=LOCAL_ZONE_DISK,
        instance_type=wanted.machine.name,
        image_id=IMAGE.format(version=cluster.version),
        iam_instance_profile={"arn": cluster.node_profile.arn},
        vpc_security_group_ids=[cluster.node_security_group],
        user_data=pulumi.Output.all(cluster.made.endpoint, cluster.authority).apply(
            lambda known: user_data(cluster.name, known[0], known[1], wanted)
        ),
    )
    owned = {**tags, f"kubernetes.io/cluster/{cluster.name}": "owned"}
    group = aws.autoscaling.Group(
        name,
        min_size=0,
        desired_capacity=wanted.peak,
        max_size=wanted.most,
        vpc_zone_identifiers=[zone.private_subnet],
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        tags=[
            {"key": key, "value": value, "propagate_at_launch": True}
            for key, value in owned.items()
        ],
        region=region,
        # The schedule owns the size from here on.
        opts=also(opts, ignore_changes=["desiredCapacity", "minSize", "maxSize"]),
    )
    follow(name, group.name, region, changes(wanted.steps), opts)
    karpenter_pools(wanted, cluster, [zone.private_subnet], LOCAL_ZONE_DISK, opts)


def karpenter_pools(
    wanted: GpuNodes,
    cluster: EksCluster,
    subnets: Sequence[pulumi.Input[str]],
    disk_type: str,
    opts: pulumi.ResourceOptions,
) -> None:
    """A pool a way of buying; their limits are the mix, and spot goes first."""
    # From the least floor on, so that a floor that comes late is bridged.
    burst = wanted.burst(above=wanted.least)
    if not burst:
        return
    inside = also(opts, provider=cluster.provider, depends_on=cluster.controllers)
    labels = wanted.tags.labels("gpu-burst")
    node_class = custom(
        f"{wanted.name}-class",
        "karpenter.k8s.aws/v1",
        "EC2NodeClass",
        {"name": wanted.name, "labels": labels},
        {
            "amiSelectorTerms": [{"alias": "al2023@latest"}],
            "instanceProfile": cluster.node_profile.name,
            "subnetSelectorTerms": [{"id": subnet} for subnet in subnets],
            "securityGroupSelectorTerms": [{"id": cluster.node_security_group}],
            "metadataOptions": {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            },
            "blockDeviceMappings": [
                {
                    "deviceName": DISK_DEVICE,
                    "ebs": {
                        "volumeSize": f"{DISK_GIB}Gi",
                        "volumeType": disk_type,
                        "encrypted": True,
                        "kmsKeyID": cluster.key_arn,
                        "deleteOnTermination": True,
                    },
                }
            ],
            "tags": wanted.tags.aws,
        },
        inside,
    )
    for purchase, count in burst.items():
        custom(
            f"{wanted.name}-{purchase}",
            "karpenter.sh/v1",
            "NodePool",
            {"name": f"{wanted.name}-{purchase}", "labels": labels},
            node_pool(wanted, purchase, count),
            also(inside, depends_on=[node_class]),
        )


def node_pool(wanted: GpuNodes, purchase: str, count: int) -> dict[str, Any]:
    """The `spec` of a Karpenter NodePool of at most `count` nodes."""

    def one_of(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "operator": "In", "values": [value]}

    return {
        "weight": 20 if purchase == "spot" else 10,
        "limits": {"nvidia.com/gpu": str(count * wanted.machine.gpus)},
        "disruption": {
            # A warm model is worth more than a full node: only empty ones go.
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": "5m",
        },
        "template": {
            "metadata": {"labels": {**wanted.tags.kubernetes, **wanted.labels}},
            "spec": {
                "nodeClassRef": {
                    "group": "karpenter.k8s.aws",
                    "kind": "EC2NodeClass",
                    "name": wanted.name,
                },
                "expireAfter": "720h",
                "taints": [{"key": TAINT, "value": TAINT_VALUE, "effect": "NoSchedule"}],
                "requirements": [
                    one_of("node.kubernetes.io/instance-type", wanted.machine.name),
                    one_of("karpenter.sh/capacity-type", purchase),
                ],
            },
        },
    }


def user_data(cluster: str, endpoint: str, authority: str, wanted: GpuNodes) -> str:
    """How an Amazon Linux 2023 node joins, in base64 (awslabs/amazon-eks-ami, NodeConfig)."""
    labels = ",".join(f"{key}={value}" for key, value in wanted.labels.items())
    config = {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": cluster,
                "apiServerEndpoint": endpoint,
                "certificateAuthority": authority,
                "cidr": SERVICE_CIDR,
            },
            "kubelet": {
                "flags": [
                    f"--node-labels={labels}",
                    f"--register-with-taints={TAINT}={TAINT_VALUE}:NoSchedule",
                ]
            },
        },
    }
    lines = [
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="node"',
        "",
        "--node",
        "Content-Type: application/node.eks.aws",
        "",
        json.dumps(config, indent=2),
        "--node--",
        "",
    ]
    return base64.b64encode("\n".join(lines).encode()).decode()
