"""The network of one region: private subnets for nodes, public ones for load balancers, one way out."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.records import Cluster

SUBNET_BITS = 4
"""Sixteen subnets from the cluster's block: private, public, and room for Local Zones at the end."""


@dataclass(frozen=True)
class AwsNetwork:
    """Ids of what others attach to."""

    vpc_id: pulumi.Output[str]
    private_subnets: list[pulumi.Output[str]]
    public_subnets: list[pulumi.Output[str]]
    private_routes: pulumi.Output[str]
    cidr: str


def blocks(cidr: str) -> list[str]:
    """The cluster's block in sixteen equal parts."""
    return [str(part) for part in ipaddress.ip_network(cidr).subnets(prefixlen_diff=SUBNET_BITS)]


def aws_network(
    name: str, region: str, cluster: Cluster, tags: Mapping[str, str], opts: pulumi.ResourceOptions
) -> AwsNetwork:
    """A VPC over the cluster's zones. One NAT gateway: a zone's failure stops egress, not serving."""
    import pulumi_aws as aws

    place: dict[str, Any] = {"region": region, "opts": opts}

    def tagged(suffix: str, **more: str) -> dict[str, str]:
        return {**tags, "Name": f"{name}-{suffix}", **more}

    vpc = aws.ec2.Vpc(
        name,
        cidr_block=cluster.cidr,
        enable_dns_hostnames=True,
        enable_dns_support=True,
        tags=tagged("vpc"),
        **place,
    )
    gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=tagged("internet"), **place)
    parts = blocks(cluster.cidr)

    def subnet(kind: str, number: int, zone: str, role: str) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{name}-{kind}-{zone}",
            vpc_id=vpc.id,
            cidr_block=parts[number],
            availability_zone=f"{region}{zone}",
            map_public_ip_on_launch=False,
            tags=tagged(f"{kind}-{zone}", **{f"kubernetes.io/role/{role}": "1", "karpenter.sh/discovery": name}
                        if kind == "private" else {f"kubernetes.io/role/{role}": "1"}),
            **place,
        )  # fmt: skip

    half = 2 ** (SUBNET_BITS - 1)
    private = [subnet("private", n, zone, "internal-elb") for n, zone in enumerate(cluster.zones)]
    public = [subnet("public", half + n, zone, "elb") for n, zone in enumerate(cluster.zones)]
    address = aws.ec2.Eip(f"{name}-nat", domain="vpc", tags=tagged("nat"), **place)
    nat = aws.ec2.NatGateway(
        name, allocation_id=address.allocation_id, subnet_id=public[0].id, tags=tagged("nat"), **place
    )
    outward = aws.ec2.RouteTable(
        f"{name}-public",
        vpc_id=vpc.id,
        routes=[aws.ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)],
        tags=tagged("public"),
        **place,
    )
    inward = aws.ec2.RouteTable(
        f"{name}-private",
        vpc_id=vpc.id,
        routes=[aws.ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)],
        tags=tagged("private"),
        **place,
    )
    for kind, subnets, table in (("private", private, inward), ("public", public, outward)):
        for zone, one in zip(cluster.zones, subnets, strict=True):
            aws.ec2.RouteTableAssociation(
                f"{name}-{kind}-{zone}", subnet_id=one.id, route_table_id=table.id, **place
            )
    return AwsNetwork(vpc.id, [s.id for s in private], [s.id for s in public], inward.id, cluster.cidr)


@dataclass(frozen=True)
class GoogleNetwork:
    """Links of what others attach to."""

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]


def google_network(
    name: str, region: str, project: str, cluster: Cluster, opts: pulumi.ResourceOptions
) -> GoogleNetwork:
    """A network with one subnetwork, ranges for pods and services, flow logs, and NAT for private nodes."""
    import pulumi_gcp as gcp

    parts = blocks(cluster.cidr)
    network = gcp.compute.Network(name, name=name, project=project, auto_create_subnetworks=False, opts=opts)
    subnetwork = gcp.compute.Subnetwork(
        name,
        name=name,
        project=project,
        region=region,
        network=network.id,
        ip_cidr_range=parts[0],
        private_ip_google_access=True,
        secondary_ip_ranges=[
            gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name="pods", ip_cidr_range=parts[8]),
            gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name="services", ip_cidr_range=parts[1]),
        ],
        log_config=gcp.compute.SubnetworkLogConfigArgs(flow_sampling=0.1),
        opts=opts,
    )
    router = gcp.compute.Router(name, name=name, project=project, region=region, network=network.id, opts=opts)
    gcp.compute.RouterNat(
        name,
        name=name,
        project=project,
        region=region,
        router=router.name,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
        opts=opts,
    )
    return GoogleNetwork(network.id, subnetwork.id)
