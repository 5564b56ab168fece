"""Roles and the policy documents of what runs in them: least permissions, on our own resources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

EC2_SERVICE_ROLES = (
    "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
    "spot.amazonaws.com/AWSServiceRoleForEC2Spot",
)
"""The roles in which AWS starts nodes for groups and for spot requests."""
USE_KEY = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
    "kms:DescribeKey",
)


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document; statements allow unless they say otherwise."""
    allowed = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def trust(service: str, *more_actions: str) -> str:
    """Who may take a role: one AWS service."""
    actions = ["sts:AssumeRole", *more_actions]
    return document({"Principal": {"Service": service}, "Action": actions})


def administered_by(account: str) -> dict[str, Any]:
    """The account's own IAM policies decide; without it a key could lock everybody out."""
    root = f"arn:aws:iam::{account}:root"
    return {
        "Sid": "Administer",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        "Resource": "*",
    }


def attach(
    name: str, role: aws.iam.Role, policies: Sequence[str], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """AWS-managed policies onto a role."""
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=opts,
        )
        for policy in policies
    ]


def pod_role(
    name: str,
    cluster: pulumi.Input[str],
    namespace: str,
    service_account: str,
    policy: pulumi.Input[str],
    tags: Mapping[str, str],
    region: str,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """A role for the pods of one service account (EKS Pod Identity)."""
    role = aws.iam.Role(
        name,
        assume_role_policy=trust("pods.eks.amazonaws.com", "sts:TagSession"),
        tags=tags,
        opts=opts,
    )
    allowed = aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=opts)
    association = aws.eks.PodIdentityAssociation(
        name,
        cluster_name=cluster,
        namespace=namespace,
        service_account=service_account,
        role_arn=role.arn,
        tags=tags,
        region=region,
        opts=opts,
    )
    return [allowed, association]


def node_key_policy(account: str) -> str:
    """AWS's own roles that start nodes may use the key for the nodes' disks.

    Named by a condition and not as principals: KMS refuses principals that do not exist yet.
    """
    roles = [f"arn:aws:iam::{account}:role/aws-service-role/{role}" for role in EC2_SERVICE_ROLES]
    anyone = {"Principal": {"AWS": "*"}, "Resource": "*"}
    service = {"ArnEquals": {"aws:PrincipalArn": roles}}
    ours = {"kms:CallerAccount": account}
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return document(
        administered_by(account),
        {
            "Sid": "NodeDisks",
            **anyone,
            "Action": list(USE_KEY),
            "Condition": {**service, "StringEquals": ours},
        },
        {
            "Sid": "NodeDiskGrants",
            **anyone,
            "Action": "kms:CreateGrant",
            "Condition": {**service, "StringEquals": ours, **for_aws},
        },
    )


def read_weights(artifact: str) -> tuple[dict[str, Any], ...]:
    """Statements to read the weights at an `s3://` address; none for weights that live elsewhere."""
    if not artifact.startswith("s3://"):
        return ()
    place = artifact.removeprefix("s3://")
    return ({"Sid": "Weights", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{place}"},)


def karpenter_policy(account: str, region: str, cluster: str, key_arn: str) -> str:
    """Start and end nodes of this cluster only (karpenter.sh, "CloudFormation reference", reduced).

    Left out: instance profiles, which this program owns.
    """
    owned = f"kubernetes.io/cluster/{cluster}"
    made = {
        "StringEquals": {f"aws:RequestTag/{owned}": "owned"},
        "StringLike": {"aws:RequestTag/karpenter.sh/nodepool": "*"},
    }
    ours = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned"},
        "StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"},
    }
    start = ["ec2:RunInstances", "ec2:CreateFleet"]

    def ec2(*kinds: str, account: str = account) -> list[str]:
        return [f"arn:aws:ec2:{region}:{account}:{kind}/*" for kind in kinds]

    launched = ec2(
        "fleet",
        "instance",
        "volume",
        "network-interface",
        "launch-template",
        "spot-instances-request",
    )
    return document(
        {
            "Sid": "LaunchFrom",
            "Action": start,
            "Resource": [*ec2("image", "snapshot", account=""), *ec2("subnet", "security-group")],
        },
        {
            "Sid": "LaunchByTemplate",
            "Action": start,
            "Resource": ec2("launch-template"),
            "Condition": ours,
        },
        {
            "Sid": "Launch",
            "Action": [*start, "ec2:CreateLaunchTemplate"],
            "Resource": launched,
            "Condition": made,
        },
        {
            "Sid": "TagWhatIsLaunched",
            "Action": "ec2:CreateTags",
            "Resource": launched,
            "Condition": {
                **made,
                "StringEquals": {
                    **made["StringEquals"],
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                },
            },
        },
        {
            "Sid": "TagNodes",
            "Action": "ec2:CreateTags",
            "Resource": ec2("instance"),
            "Condition": {
                **ours,
                "ForAllValues:StringEquals": {"aws:TagKeys": ["karpenter.sh/nodeclaim", "Name"]},
            },
        },
        {
            "Sid": "End",
            "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            "Resource": ec2("instance", "launch-template"),
            "Condition": ours,
        },
        {
            "Sid": "Look",
            "Action": [
                "ec2:DescribeCapacityReservations",
                "ec2:DescribeImages",
                "ec2:DescribeInstances",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplates",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSpotPriceHistory",
                "ec2:DescribeSubnets",
            ],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
        },
        {"Sid": "Prices", "Action": "pricing:GetProducts", "Resource": "*"},
        {
            "Sid": "Images",
            "Action": "ssm:GetParameter",
            "Resource": f"arn:aws:ssm:{region}::parameter/aws/service/*",
        },
        {
            "Sid": "NodeRole",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{account}:role/{cluster}-nodes-*",
            "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        },
        {
            "Sid": "NodeProfile",
            "Action": "iam:GetInstanceProfile",
            "Resource": f"arn:aws:iam::{account}:instance-profile/{cluster}-nodes-*",
        },
        {"Sid": "DiskKey", "Action": [*USE_KEY, "kms:CreateGrant"], "Resource": key_arn},
        {
            "Sid": "Cluster",
            "Action": "eks:DescribeCluster",
            "Resource": f"arn:aws:eks:{region}:{account}:cluster/{cluster}",
        },
    )


def target_binding_policy(region: str, account: str) -> str:
    """Bind pods to target groups that this program owns, and let the balancer reach them.

    The AWS Load Balancer Controller makes no load balancer of its own here.
    """
    targets = f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/*/*"
    return document(
        {
            "Sid": "Look",
            "Action": [
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            "Resource": "*",
        },
        {
            "Sid": "Bind",
            "Action": [
                "elasticloadbalancing:RegisterTargets",
                "elasticloadbalancing:DeregisterTargets",
            ],
            "Resource": targets,
        },
        {
            "Sid": "Reach",
            "Action": [
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            "Resource": f"arn:aws:ec2:{region}:{account}:security-group/*",
        },
    )
