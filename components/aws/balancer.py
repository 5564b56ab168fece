"""One application load balancer that all apps of a cluster share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.network import AwsNetwork
from components.tags import fitted

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
POD_PORT = 8080
NAME_LENGTH = 32
"""Of load balancers and target groups."""


@dataclass(frozen=True)
class Balancer:
    """What services attach to."""

    listener_arn: pulumi.Output[str]
    security_group: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    public: bool


def balancer(
    name: str,
    region: str,
    network: AwsNetwork,
    subnets: Sequence[pulumi.Input[str]],
    certificate_arn: str | None,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> Balancer:
    """A balancer that knows no app yet. With a certificate it is public; without one, internal."""
    place: dict[str, Any] = {"region": region, "opts": opts}
    public = certificate_arn is not None
    port = 443 if public else 80
    group = aws.ec2.SecurityGroup(
        f"{name}-balancer",
        description=f"Load balancer of {name}",
        vpc_id=network.vpc_id,
        ingress=[
            {
                "description": "clients",
                "protocol": "tcp",
                "from_port": port,
                "to_port": port,
                "cidr_blocks": ["0.0.0.0/0" if public else network.cidr],
            }
        ],
        egress=[
            {
                "description": "pods",
                "protocol": "tcp",
                "from_port": POD_PORT,
                "to_port": POD_PORT,
                "cidr_blocks": [network.cidr],
            }
        ],
        tags=tags,
        **place,
    )
    made = aws.lb.LoadBalancer(
        name,
        # To turn public makes another balancer, which the old one's name would stop.
        name=fitted(f"{name}-{'public' if public else 'internal'}", NAME_LENGTH),
        load_balancer_type="application",
        internal=not public,
        subnets=list(subnets),
        security_groups=[group.id],
        drop_invalid_header_fields=True,
        tags=tags,
        **place,
    )
    listener = aws.lb.Listener(
        name,
        load_balancer_arn=made.arn,
        port=port,
        protocol="HTTPS" if public else "HTTP",
        certificate_arn=certificate_arn,
        ssl_policy=TLS_POLICY if public else None,
        default_actions=[
            {
                "type": "fixed-response",
                "fixed_response": {
                    "content_type": "text/plain",
                    "message_body": "no such app",
                    "status_code": "404",
                },
            }
        ],
        tags=tags,
        **place,
    )
    return Balancer(listener.arn, group.id, made.dns_name, made.zone_id, public)
