"""An EKS cluster for inference: private nodes, encryption, its own system nodes, and the controllers that scale it.

Which controller does what: KEDA scales replicas inside floor and ceiling, Karpenter buys nodes for them, the AWS Load
Balancer Controller puts pods behind the load balancer that this program owns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.network import AwsNetwork, aws_network
from components.tags import Tags
from stacks.machines import SYSTEM_MACHINES
from stacks.records import Cluster

KEDA, KARPENTER, LOAD_BALANCER_CONTROLLER = "2.18.0", "1.8.0", "1.13.4"
"""Chart versions."""
LOG_RETENTION_DAYS = 90
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore")
ADDONS = ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "aws-ebs-csi-driver")
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True)
class EksCluster:
    """What pools and services attach to."""

    name: str
    region: str
    cluster: Any
    node_role_arn: pulumi.Output[str]
    node_role_name: pulumi.Output[str]
    node_security_group: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    network: AwsNetwork
    provider: Any
    listener_arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    """DNS name of the load balancer."""
    endpoint_zone: pulumi.Output[str]
    controllers: list[pulumi.Resource]


def trust(service: str, *actions: str) -> str:
    """A role that one AWS service may take."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", *actions]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def eks_cluster(
    name: str,
    region: str,
    cluster: Cluster,
    account: str,
    tags: Tags,
    *,
    certificate_arn: str | None,
    production: bool,
    opts: pulumi.ResourceOptions,
) -> EksCluster:
    """Network, key, control plane with logs, system nodes, controllers, load balancer."""
    import pulumi_aws as aws

    place: dict[str, Any] = {"region": region, "opts": opts}
    network = aws_network(name, region, cluster, tags.aws, opts)
    key = aws.kms.Key(
        name,
        description=f"Secrets and disks of {name}",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=disk_key_policy(account, region),
        tags=tags.aws,
        **place,
    )
    logs = aws.cloudwatch.LogGroup(
        name, name=f"/aws/eks/{name}/cluster", retention_in_days=LOG_RETENTION_DAYS, tags=tags.aws, **place
    )
    role = aws.iam.Role(f"{name}-control", assume_role_policy=trust("eks.amazonaws.com"), tags=tags.aws, opts=opts)
    attached = attach(f"{name}-control", role, ("AmazonEKSClusterPolicy",), opts)
    made = aws.eks.Cluster(
        name,
        name=name,
        version=cluster.version,
        role_arn=role.arn,
        region=region,
        access_config=aws.eks.ClusterAccessConfigArgs(
            authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
        ),
        enabled_cluster_log_types=["api", "audit", "authenticator", "controllerManager", "scheduler"],
        encryption_config=aws.eks.ClusterEncryptionConfigArgs(
            provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
        ),
        vpc_config=aws.eks.ClusterVpcConfigArgs(
            subnet_ids=network.private_subnets,
            endpoint_private_access=True,
            endpoint_public_access=bool(cluster.api_allowed_cidrs),
            public_access_cidrs=list(cluster.api_allowed_cidrs) or None,
        ),
        deletion_protection=production,
        tags=tags.aws,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[logs, *attached])),
    )
    for addon in ADDONS:
        aws.eks.Addon(f"{name}-{addon}", cluster_name=made.name, addon_name=addon, tags=tags.aws,
                      configuration_values='{"enableNetworkPolicy":"true"}' if addon == "vpc-cni" else None, **place)  # fmt: skip
    node_role = aws.iam.Role(f"{name}-nodes", assume_role_policy=trust("ec2.amazonaws.com"), tags=tags.aws, opts=opts)
    node_attached = attach(f"{name}-nodes", node_role, NODE_POLICIES, opts)
    # Karpenter's own nodes join with the same role; managed groups bring their access entry themselves.
    aws.eks.AccessEntry(
        f"{name}-nodes", cluster_name=made.name, principal_arn=node_role.arn, type="EC2_LINUX", tags=tags.aws, **place
    )
    system_nodes(name, cluster, made, node_role, network, key.arn, tags, node_attached, place)
    provider = kubernetes_provider(name, made, region, opts)
    controllers = aws_controllers(name, region, account, made, node_role, tags, provider, opts)
    balancer = load_balancer(name, network, certificate_arn, tags, place)
    security_group = made.vpc_config.apply(lambda config: config.cluster_security_group_id or "")
    return EksCluster(
        name, region, made, node_role.arn, node_role.name, security_group, key.arn, network, provider,
        balancer[1].arn, balancer[0].dns_name, balancer[0].zone_id, controllers,
    )  # fmt: skip


def attach(name: str, role: Any, policies: tuple[str, ...], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """AWS-managed policies onto a role."""
    import pulumi_aws as aws

    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}", role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{policy}", opts=opts
        )
        for policy in policies
    ]


def disk_key_policy(account: str, region: str) -> str:
    """The account administers; autoscaling in this region may use the key for the disks of its nodes."""
    auto_scaling = (
        f"arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    )
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:CreateGrant"]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Administer",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                },
                {
                    "Sid": "NodeDisks",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": use,
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {"kms:ViaService": f"ec2.{region}.amazonaws.com"},
                        "ArnLike": {"aws:PrincipalArn": auto_scaling},
                    },
                },
            ],
        }
    )


def launch_template(
    name: str, key_arn: pulumi.Input[str], tags: Mapping[str, str], place: Mapping[str, Any], *, disk_gib: int, **more: Any
) -> Any:
    """Nodes as we want all of them: IMDSv2 only and one hop, encrypted disk, tags on what is launched."""
    import pulumi_aws as aws

    return aws.ec2.LaunchTemplate(
        name,
        update_default_version=True,
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name="/dev/xvda",
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_size=disk_gib,
                    volume_type="gp3",
                    encrypted="true",
                    kms_key_id=key_arn,
                    delete_on_termination="true",
                ),
            )
        ],
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=dict(tags))
            for kind in ("instance", "volume", "network-interface")
        ],
        tags=dict(tags),
        **more,
        **place,
    )


def system_nodes(
    name: str, cluster: Cluster, made: Any, role: Any, network: AwsNetwork, key_arn: pulumi.Input[str], tags: Tags,
    needs: list[pulumi.Resource], place: Mapping[str, Any],
) -> None:  # fmt: skip
    """Nodes for the cluster's own services; GPU nodes are tainted and take none of them."""
    import pulumi_aws as aws

    template = launch_template(f"{name}-system", key_arn, tags.aws, place, disk_gib=50)
    aws.eks.NodeGroup(
        f"{name}-system",
        cluster_name=made.name,
        node_role_arn=role.arn,
        subnet_ids=network.private_subnets,
        ami_type="AL2023_x86_64_STANDARD",
        instance_types=[cluster.system_instance or SYSTEM_MACHINES["aws"].name],
        scaling_config=aws.eks.NodeGroupScalingConfigArgs(
            min_size=cluster.system_nodes, desired_size=cluster.system_nodes, max_size=cluster.system_nodes + 1
        ),
        launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        labels={"fairweather.dev/pool": "system"},
        tags=tags.aws,
        region=place["region"],
        opts=pulumi.ResourceOptions.merge(place["opts"], pulumi.ResourceOptions(depends_on=needs)),
    )


def kubernetes_provider(name: str, made: Any, region: str, opts: pulumi.ResourceOptions) -> Any:
    """Reaches the cluster with the caller's AWS credentials (`aws eks get-token`), so no secret stands in the state."""
    import pulumi_kubernetes as kubernetes

    def config(values: list[Any]) -> str:
        endpoint, authority, cluster = values
        command = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": ["--region", region, "eks", "get-token", "--cluster-name", cluster],
            "interactiveMode": "Never",
        }
        return kubeconfig(cluster, endpoint, authority.data or "", command)

    text = pulumi.Output.all(made.endpoint, made.certificate_authority, made.name).apply(config)
    return kubernetes.Provider(name, kubeconfig=text, enable_server_side_apply=True, opts=opts)


def kubeconfig(name: str, endpoint: str, authority: str, command: Mapping[str, Any]) -> str:
    """A kubeconfig with one context whose credentials come from a command."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}
            ],
            "users": [{"name": name, "user": {"exec": dict(command)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
    )


def aws_controllers(
    name: str, region: str, account: str, made: Any, node_role: Any, tags: Tags, provider: Any,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:  # fmt: skip
    """KEDA, Karpenter and the load balancer controller, the latter two with a role of their own by pod identity."""
    import pulumi_aws as aws

    for chart, policy in (
        ("karpenter", karpenter_policy(account, region, name)),
        ("aws-load-balancer-controller", TARGET_BINDING_POLICY),
    ):
        role = aws.iam.Role(
            f"{name}-{chart}",
            assume_role_policy=trust("pods.eks.amazonaws.com", "sts:TagSession"),
            tags=tags.aws,
            opts=opts,
        )
        aws.iam.RolePolicy(f"{name}-{chart}", role=role.name, policy=policy, opts=opts)
        aws.eks.PodIdentityAssociation(
            f"{name}-{chart}",
            cluster_name=made.name,
            namespace="kube-system",
            service_account=chart,
            role_arn=role.arn,
            tags=tags.aws,
            region=region,
            opts=opts,
        )
    return [
        release(name, "keda", KEDA, "https://kedacore.github.io/charts", {}, provider, opts),
        release(name, "karpenter", KARPENTER, "oci://public.ecr.aws/karpenter", {"settings": {"clusterName": name}},
                provider, opts),
        release(name, "aws-load-balancer-controller", LOAD_BALANCER_CONTROLLER, "https://aws.github.io/eks-charts",
                {"clusterName": name, "region": region, "createIngressClassResource": False}, provider, opts),
    ]  # fmt: skip


def release(
    cluster: str, chart: str, version: str, repository: str, values: Mapping[str, Any], provider: Any,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:  # fmt: skip
    """One Helm chart in kube-system, at a fixed version."""
    import pulumi_kubernetes as kubernetes

    oci = repository.startswith("oci://")
    return kubernetes.helm.v3.Release(
        f"{cluster}-{chart}",
        name=chart,
        namespace="kube-system",
        chart=f"{repository}/{chart}" if oci else chart,
        version=version,
        repository_opts=None if oci else kubernetes.helm.v3.RepositoryOptsArgs(repo=repository),
        values=dict(values),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider)),
    )


def karpenter_policy(account: str, region: str, cluster: str) -> str:
    """What Karpenter needs, on instances it tagged itself only (karpenter.sh, "Controller authorization", reduced)."""
    ours = {"StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{cluster}": "owned"}}
    made = {"StringEquals": {f"aws:RequestTag/kubernetes.io/cluster/{cluster}": "owned"}}
    launched = ["instance", "volume", "network-interface", "spot-instances-request", "launch-template", "fleet"]
    arns = [f"arn:aws:ec2:{region}:{account}:{kind}/*" for kind in launched]
    used = [f"arn:aws:ec2:{region}:{account}:{kind}/*" for kind in ("subnet", "security-group")]
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "Use", "Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:CreateFleet"],
         "Resource": [*used, f"arn:aws:ec2:{region}::image/*"]},
        {"Sid": "Launch", "Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate",
         "ec2:CreateTags"], "Resource": arns, "Condition": made},
        {"Sid": "End", "Effect": "Allow", "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
         "Resource": arns, "Condition": ours},
        {"Sid": "Look", "Effect": "Allow", "Action": ["ec2:DescribeAvailabilityZones", "ec2:DescribeImages",
         "ec2:DescribeInstances", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes",
         "ec2:DescribeLaunchTemplates", "ec2:DescribeSecurityGroups", "ec2:DescribeSpotPriceHistory",
         "ec2:DescribeSubnets"], "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": region}}},
        {"Sid": "Prices", "Effect": "Allow", "Action": "pricing:GetProducts", "Resource": "*"},
        {"Sid": "Images", "Effect": "Allow", "Action": "ssm:GetParameter",
         "Resource": f"arn:aws:ssm:{region}::parameter/aws/service/*"},
        {"Sid": "PassNodeRole", "Effect": "Allow", "Action": "iam:PassRole",
         "Resource": f"arn:aws:iam::{account}:role/{cluster}-nodes-*",
         "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
        {"Sid": "Cluster", "Effect": "Allow", "Action": "eks:DescribeCluster",
         "Resource": f"arn:aws:eks:{region}:{account}:cluster/{cluster}"},
    ]})  # fmt: skip


TARGET_BINDING_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Sid": "Look", "Effect": "Allow", "Action": ["ec2:DescribeSecurityGroups", "ec2:DescribeInstances",
     "ec2:DescribeSubnets", "ec2:DescribeVpcs", "elasticloadbalancing:DescribeTargetGroups",
     "elasticloadbalancing:DescribeTargetHealth"], "Resource": "*"},
    {"Sid": "Bind", "Effect": "Allow", "Action": ["elasticloadbalancing:RegisterTargets",
     "elasticloadbalancing:DeregisterTargets"], "Resource": "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*"},
]})  # fmt: skip
"""Enough to bind pods to target groups that this program owns; the controller makes no load balancer of its own."""


def load_balancer(
    name: str, network: AwsNetwork, certificate_arn: str | None, tags: Tags, place: Mapping[str, Any]
) -> tuple[Any, Any]:
    """One load balancer for all apps of the cluster: (balancer, listener). Without a certificate it stays internal."""
    import pulumi_aws as aws

    public = certificate_arn is not None
    port = 443 if public else 80
    group = aws.ec2.SecurityGroup(
        f"{name}-balancer",
        description=f"Load balancer of {name}",
        vpc_id=network.vpc_id,
        ingress=[
            aws.ec2.SecurityGroupIngressArgs(
                description="clients",
                protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_blocks=["0.0.0.0/0"] if public else [network.cidr],
            )
        ],
        egress=[
            aws.ec2.SecurityGroupEgressArgs(
                description="pods", protocol="tcp", from_port=8080, to_port=8080, cidr_blocks=[network.cidr]
            )
        ],
        tags=tags.aws,
        **place,
    )
    balancer = aws.lb.LoadBalancer(
        name,
        name=name[:32].rstrip("-"),
        load_balancer_type="application",
        internal=not public,
        subnets=network.public_subnets if public else network.private_subnets,
        security_groups=[group.id],
        drop_invalid_header_fields=True,
        tags=tags.aws,
        **place,
    )
    nothing_here = aws.lb.ListenerDefaultActionArgs(
        type="fixed-response",
        fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="no such app", status_code="404"
        ),
    )
    listener = aws.lb.Listener(
        name,
        load_balancer_arn=balancer.arn,
        port=port,
        protocol="HTTPS" if public else "HTTP",
        certificate_arn=certificate_arn,
        ssl_policy=TLS_POLICY if public else None,
        default_actions=[nothing_here],
        tags=tags.aws,
        **place,
    )
    return balancer, listener
