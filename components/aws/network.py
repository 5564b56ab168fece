"""The network of one region: private subnets for nodes, public ones for load balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.records import Cluster

SUBNET_BITS = 4
"""Sixteen subnets: private from the front, public from the middle, Local Zones from the end."""


@dataclass(frozen=True)
class AwsNetwork:
    """What others attach to."""

    cidr: str
    vpc_id: pulumi.Output[str]
    private_subnets: list[pulumi.Output[str]]
    public_subnets: list[pulumi.Output[str]]
    private_routes: pulumi.Output[str]
    public_routes: pulumi.Output[str]


def blocks(cidr: str) -> list[str]:
    """The cluster's addresses in sixteen equal parts."""
    return [str(part) for part in ipaddress.ip_network(cidr).subnets(prefixlen_diff=SUBNET_BITS)]


def aws_network(
    name: str,
    region: str,
    cluster: Cluster,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> AwsNetwork:
    """A VPC over the cluster's zones. One NAT gateway: its zone's failure stops egress only."""
    place: dict[str, Any] = {"region": region, "opts": opts}
    parts = blocks(cluster.cidr)
    half = len(parts) // 2

    def named(suffix: str, **more: str) -> dict[str, str]:
        return {**tags, "Name": f"{name}-{suffix}", **more}

    vpc = aws.ec2.Vpc(
        name,
        cidr_block=cluster.cidr,
        enable_dns_hostnames=True,
        enable_dns_support=True,
        tags=named("vpc"),
        **place,
    )
    gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=named("internet"), **place)

    def subnet(kind: str, block: str, zone: str, role: str) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{name}-{kind}-{zone}",
            vpc_id=vpc.id,
            cidr_block=block,
            availability_zone=f"{region}{zone}",
            map_public_ip_on_launch=False,
            tags=named(f"{kind}-{zone}", **{f"kubernetes.io/role/{role}": "1"}),
            **place,
        )

    zones = cluster.zones
    private = [subnet("private", parts[n], z, "internal-elb") for n, z in enumerate(zones)]
    public = [subnet("public", parts[half + n], z, "elb") for n, z in enumerate(zones)]
    address = aws.ec2.Eip(f"{name}-nat", domain="vpc", tags=named("nat"), **place)
    nat = aws.ec2.NatGateway(
        name,
        allocation_id=address.allocation_id,
        subnet_id=public[0].id,
        tags=named("nat"),
        **place,
    )

    def routes(kind: str, subnets: list[aws.ec2.Subnet], **way: Any) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(
            f"{name}-{kind}",
            vpc_id=vpc.id,
            routes=[{"cidr_block": "0.0.0.0/0", **way}],
            tags=named(kind),
            **place,
        )
        for zone, one in zip(zones, subnets, strict=True):
            aws.ec2.RouteTableAssociation(
                f"{name}-{kind}-{zone}", subnet_id=one.id, route_table_id=table.id, **place
            )
        return table

    outward = routes("public", public, gateway_id=gateway.id)
    inward = routes("private", private, nat_gateway_id=nat.id)
    return AwsNetwork(
        cluster.cidr,
        vpc.id,
        [one.id for one in private],
        [one.id for one in public],
        inward.id,
        outward.id,
    )
