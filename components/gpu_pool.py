"""GPU nodes for one app at one location: a scheduled group for the committed floor, and burst on top of it."""

from __future__ import annotations

import math
from typing import Any

import pulumi

from components import facts
from components.eks import EksCluster, launch_template
from components.gke import GkeCluster, node_pool
from components.schedule import Change, changes, nodes
from components.tags import Tags
from stacks.machines import Machine, gpu_machine
from stacks.records import Capacity, GpuServing, is_local_zone

GPU_TAINT = "nvidia.com/gpu"
POOL_LABEL = "fairweather.dev/pool"
DISK_GIB = 200
"""Model weights are large, and image layers are unpacked beside them."""
NODE_BOOT_MINUTES = 3
"""Beside the model's own cold start: from the request for a node until it takes pods (EKS GPU images)."""
GPU_IMAGE = "/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/x86_64/nvidia/recommended/image_id"


class GpuPool(pulumi.ComponentResource):
    """Nodes with one kind of GPU, tainted for one app.

    On EKS, a managed group follows the floor by schedule and Karpenter adds burst up to the ceiling; in a Local Zone,
    where EKS has no managed groups, a group of our own. On GKE, whose node pools know no schedule, an autoscaled pool
    from the least floor to the peak floor, and one for burst.
    """

    label: str
    """Value of the node label `fairweather.dev/pool`."""

    def __init__(
        self,
        name: str,
        serving: GpuServing,
        location: str,
        capacity: Capacity,
        cluster: EksCluster | GkeCluster,
        tags: Tags,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        machine = gpu_machine(location, serving.gpu, serving.gpus_per_replica)
        per_node = machine.replicas(serving.gpus_per_replica)
        told = {
            **facts.identity(tags),
            **facts.size(capacity),
            "location": location,
            "gpu": serving.gpu,
            "gpus_per_replica": serving.gpus_per_replica,
            "instance_type": machine.name,
            "replicas_per_node": per_node,
            "spot_share": serving.spot_share,
        }
        super().__init__("fairweather:index:GpuPool", name, told, opts)
        self.label = name
        sizes = nodes(capacity.floor, per_node)
        most = math.ceil(capacity.ceiling / per_node)
        expected_burst = max(0.0, (capacity.expected_replicas - capacity.floor.mean) / per_node)
        place = _Place(name, location, machine, tags, serving, self)
        if isinstance(cluster, GkeCluster):
            _on_gke(place, cluster, sizes, most, expected_burst)
        elif is_local_zone(location):
            _in_local_zone(place, cluster, sizes, most)
        else:
            _on_eks(place, cluster, sizes, most, expected_burst)
        self.register_outputs(told)


class _Place:
    """What the helpers below have in common."""

    def __init__(self, name: str, location: str, machine: Machine, tags: Tags, serving: GpuServing, parent: GpuPool):
        self.name, self.location, self.machine, self.tags, self.serving = name, location, machine, tags, serving
        self.child = pulumi.ResourceOptions(parent=parent)
        self.lead_minutes = serving.cold_start_minutes + NODE_BOOT_MINUTES
        self.node_labels = {POOL_LABEL: name, "fairweather.dev/gpu": serving.gpu}


def _on_eks(place: _Place, cluster: EksCluster, sizes: tuple[int, ...], most: int, expected_burst: float) -> None:
    import pulumi_aws as aws

    name, tags = place.name, place.tags.aws
    template = launch_template(
        name, cluster.key_arn, tags, {"region": cluster.region, "opts": place.child}, disk_gib=DISK_GIB
    )
    group = aws.eks.NodeGroup(
        name,
        cluster_name=cluster.cluster.name,
        node_role_arn=cluster.node_role_arn,
        subnet_ids=cluster.network.private_subnets,
        ami_type="AL2023_x86_64_NVIDIA",
        capacity_type="ON_DEMAND",
        instance_types=[place.machine.name],
        scaling_config=aws.eks.NodeGroupScalingConfigArgs(
            min_size=min(sizes), desired_size=sizes[0], max_size=max(1, *sizes)
        ),
        launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        labels=place.node_labels,
        taints=[aws.eks.NodeGroupTaintArgs(key=GPU_TAINT, value="present", effect="NO_SCHEDULE")],
        tags=tags,
        region=cluster.region,
        # The schedule below moves the live size: it is nobody's drift.
        opts=pulumi.ResourceOptions.merge(
            place.child, pulumi.ResourceOptions(ignore_changes=["scalingConfig.desiredSize"])
        ),
    )
    behind = group.resources.apply(lambda found: found[0].autoscaling_groups[0].name)
    for key, value in tags.items():
        # EKS does not hand its tags on to the group, so the cost of its instances would carry none.
        aws.autoscaling.Tag(
            f"{name}-{key}",
            autoscaling_group_name=behind,
            tag=aws.autoscaling.TagTagArgs(key=key, value=value, propagate_at_launch=True),
            region=cluster.region,
            opts=place.child,
        )
    _schedules(place, behind, cluster.region, changes(sizes, place.lead_minutes), max(1, *sizes))
    _karpenter_pool(place, cluster, most - min(sizes), expected_burst)


def _schedules(place: _Place, group: pulumi.Input[str], region: str, moves: tuple[Change, ...], most: int) -> None:
    import pulumi_aws as aws

    for move in moves:
        name = f"{place.name}-{move.recurrence.replace(' ', '.').replace('*', 'x').replace(',', '')}"
        aws.autoscaling.Schedule(
            name,
            scheduled_action_name=name,
            autoscaling_group_name=group,
            recurrence=move.recurrence,
            time_zone="Etc/UTC",
            min_size=move.size,
            desired_capacity=move.size,
            max_size=most,
            region=region,
            opts=place.child,
        )


def _karpenter_pool(place: _Place, cluster: EksCluster, burst: int, expected_burst: float) -> None:
    """Burst from the least floor up to the ceiling, so that a floor that comes late is bridged too."""
    from pulumi_kubernetes.apiextensions import CustomResource

    if burst < 1:
        return
    labels = place.tags.labels(place.tags.logical["app"], "gpu-burst")
    opts = pulumi.ResourceOptions.merge(
        place.child, pulumi.ResourceOptions(provider=cluster.provider, depends_on=cluster.controllers)
    )
    discovery = {"tags": {"karpenter.sh/discovery": cluster.name}}
    CustomResource(
        f"{place.name}-class",
        api_version="karpenter.k8s.aws/v1",
        kind="EC2NodeClass",
        metadata={"name": place.name, "labels": labels},
        spec={
            "amiSelectorTerms": [{"alias": "al2023@latest"}],
            "role": cluster.node_role_name,
            "subnetSelectorTerms": [discovery],
            "securityGroupSelectorTerms": [{"id": cluster.node_security_group}],
            "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "volumeSize": f"{DISK_GIB}Gi",
                        "volumeType": "gp3",
                        "encrypted": True,
                        "kmsKeyID": cluster.key_arn,
                        "deleteOnTermination": True,
                    },
                }
            ],
            "tags": place.tags.aws,
        },
        opts=opts,
    )
    purchase = ["spot", "on-demand"] if place.serving.spot_share > 0 else ["on-demand"]
    CustomResource(
        f"{place.name}-burst",
        api_version="karpenter.sh/v1",
        kind="NodePool",
        metadata={
            "name": place.name,
            "labels": labels,
            "annotations": {
                "fairweather.dev/expected-nodes": f"{expected_burst:.2f}",
                "fairweather.dev/spot-share": f"{place.serving.spot_share:g}",
            },
        },
        spec={
            "limits": {"nvidia.com/gpu": str(burst * place.machine.gpus)},
            "disruption": {
                # A warm model is worth more than a full node: only empty ones go.
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": "5m",
                "budgets": [{"nodes": "10%"}],
            },
            "template": {
                "metadata": {"labels": {**place.node_labels, **labels}},
                "spec": {
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": place.name},
                    "expireAfter": "720h",
                    "taints": [{"key": GPU_TAINT, "value": "present", "effect": "NoSchedule"}],
                    "requirements": [
                        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [place.machine.name]},
                        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": purchase},
                    ],
                },
            },
        },
        opts=opts,
    )


def _in_local_zone(place: _Place, cluster: EksCluster, sizes: tuple[int, ...], most: int) -> None:
    """EKS has no managed node groups in Local Zones (EKS user guide, "Local Zones"), so the group is ours."""
    import pulumi_aws as aws

    from components.network import blocks

    zone = place.location.split(":")[1]
    region, tags, child = cluster.region, place.tags.aws, place.child
    opened = aws.ec2.AvailabilityZoneGroup(
        place.name, group_name=zone[:-1], opt_in_status="opted-in", region=region, opts=child
    )
    subnet = aws.ec2.Subnet(
        place.name,
        vpc_id=cluster.network.vpc_id,
        cidr_block=blocks(cluster.network.cidr)[-1],
        availability_zone=zone,
        tags={**tags, "Name": place.name},
        region=region,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[opened])),
    )
    aws.ec2.RouteTableAssociation(
        place.name, subnet_id=subnet.id, route_table_id=cluster.network.private_routes, region=region, opts=child
    )
    profile = aws.iam.InstanceProfile(place.name, role=cluster.node_role_name, tags=tags, opts=child)
    image = cluster.cluster.version.apply(lambda version: f"resolve:ssm:{GPU_IMAGE.format(version=version)}")
    template = launch_template(
        place.name,
        cluster.key_arn,
        tags,
        {"region": region, "opts": child},
        disk_gib=DISK_GIB,
        instance_type=place.machine.name,
        image_id=image,
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=profile.arn),
        vpc_security_group_ids=[cluster.node_security_group],
        user_data=pulumi.Output.all(
            cluster.cluster.name, cluster.cluster.endpoint, cluster.cluster.certificate_authority
        ).apply(lambda values: node_config(values[0], values[1], values[2].data or "", cluster.network.cidr, place)),
    )
    group = aws.autoscaling.Group(
        place.name,
        name=place.name,
        min_size=min(sizes),
        desired_capacity=sizes[0],
        max_size=max(1, most),
        vpc_zone_identifiers=[subnet.id],
        launch_template=aws.autoscaling.GroupLaunchTemplateArgs(id=template.id, version="$Latest"),
        tags=[
            aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
            for key, value in {**tags, f"kubernetes.io/cluster/{cluster.name}": "owned"}.items()
        ],
        region=region,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(ignore_changes=["desiredCapacity"])),
    )
    _schedules(place, group.name, region, changes(sizes, place.lead_minutes), max(1, most))


def node_config(cluster: str, endpoint: str, authority: str, cidr: str, place: _Place) -> str:
    """User data, base64: how an Amazon Linux 2023 node joins (awslabs/amazon-eks-ami, NodeConfig v1alpha1)."""
    import base64

    labels = ",".join(f"{key}={value}" for key, value in place.node_labels.items())
    text = f"""apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster:
    name: {cluster}
    apiServerEndpoint: {endpoint}
    certificateAuthority: {authority}
    cidr: {cidr}
  kubelet:
    flags: ["--node-labels={labels}", "--register-with-taints={GPU_TAINT}=present:NoSchedule"]
"""
    mime = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="node"\n\n--node\nContent-Type: application/node.eks.aws\n\n{text}--node--\n'
    return base64.b64encode(mime.encode()).decode()


def _on_gke(place: _Place, cluster: GkeCluster, sizes: tuple[int, ...], most: int, expected_burst: float) -> None:
    import pulumi_gcp as gcp

    base, burst = max(sizes), most - max(sizes)

    def pool(suffix: str, least: int, highest: int, expected: float, *, spot: bool) -> None:
        labels: dict[str, Any] = {**place.tags.gcp, "fairweather-expected-nodes": f"{expected:.2f}".replace(".", "_")}
        node_pool(
            f"{cluster.name}-{place.name}-{suffix}",
            cluster.cluster,
            cluster.project,
            cluster.node_account,
            cluster.key_id,
            labels,
            place.child,
            machine=place.machine.name,
            disk_gib=DISK_GIB,
            least=least,
            most=highest,
            labels=place.node_labels,
            spot=spot,
            guest_accelerators=[
                gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(
                    type=place.machine.accelerator,
                    count=place.machine.gpus,
                    gpu_driver_installation_config=gcp.container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                        gpu_driver_version="DEFAULT"
                    ),
                )
            ],
            taints=[
                gcp.container.NodePoolNodeConfigTaintArgs(key=GPU_TAINT, value="present", effect="NO_SCHEDULE")
            ],
        )

    pool("floor", min(sizes), max(1, base), sum(sizes) / len(sizes), spot=False)
    if burst > 0:
        pool("burst", 0, burst, expected_burst, spot=place.serving.spot_share > 0)
