"""Pods behind the load balancer that this program owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.balancer import NAME_LENGTH, POD_PORT, Balancer
from components.aws.eks import EksCluster
from components.entrance import AtBalancer, Entrance
from components.kubernetes.custom import custom
from components.kubernetes.pod import HEALTH_PATH
from components.options import also
from components.tags import Tags, fitted


def behind_balancer(
    name: str,
    host: str,
    meta: Mapping[str, Any],
    tags: Tags,
    balancer: Balancer,
    cluster: EksCluster,
    opts: pulumi.ResourceOptions,
) -> tuple[Entrance, pulumi.Output[str]]:
    """A target group under the host's name, and its binding to the pods of the service `meta.name`.

    `opts` are those of objects in the cluster.
    """
    on_aws = pulumi.ResourceOptions(parent=opts.parent)
    group = aws.lb.TargetGroup(
        name,
        name=fitted(f"{name}-{cluster.name}", NAME_LENGTH),
        port=POD_PORT,
        protocol="HTTP",
        target_type="ip",
        vpc_id=cluster.network.vpc_id,
        deregistration_delay=30,
        health_check={"path": HEALTH_PATH, "interval": 10, "healthy_threshold": 2},
        tags=tags.aws,
        region=cluster.region,
        opts=on_aws,
    )
    rule = aws.lb.ListenerRule(
        name,
        listener_arn=balancer.listener_arn,
        conditions=[{"host_header": {"values": [host]}}],
        actions=[{"type": "forward", "target_group_arn": group.arn}],
        tags=tags.aws,
        region=cluster.region,
        opts=on_aws,
    )
    custom(
        f"{name}-binding",
        "elbv2.k8s.aws/v1beta1",
        "TargetGroupBinding",
        meta,
        {
            "serviceRef": {"name": meta["name"], "port": 80},
            "targetGroupARN": group.arn,
            "targetType": "ip",
            "networking": {
                "ingress": [
                    {
                        "from": [{"securityGroup": {"groupID": balancer.security_group}}],
                        "ports": [{"protocol": "TCP", "port": POD_PORT}],
                    }
                ]
            },
        },
        # A group that no listener leads to has no health for pods to wait for.
        also(opts, depends_on=[rule, *cluster.controllers]),
    )
    entrance = AtBalancer(host, balancer.dns_name, balancer.zone_id, balancer.public)
    return entrance, balancer.dns_name
