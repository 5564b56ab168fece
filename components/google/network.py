"""The network of one region: a subnetwork with ranges for pods and services, and NAT."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from stacks.records import Cluster


@dataclass(frozen=True)
class GoogleNetwork:
    """What others attach to."""

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]


def google_network(
    name: str, region: str, project: str, chosen: Cluster, opts: pulumi.ResourceOptions
) -> GoogleNetwork:
    """A quarter of the cluster's addresses each for nodes and services, half for pods."""
    whole = ipaddress.ip_network(chosen.cidr)
    nodes, services, *_ = whole.subnets(prefixlen_diff=2)
    _, pods = whole.subnets(prefixlen_diff=1)
    network = gcp.compute.Network(
        name, name=name, project=project, auto_create_subnetworks=False, opts=opts
    )
    subnetwork = gcp.compute.Subnetwork(
        name,
        name=name,
        project=project,
        region=region,
        network=network.id,
        ip_cidr_range=str(nodes),
        private_ip_google_access=True,
        secondary_ip_ranges=[
            {"range_name": "pods", "ip_cidr_range": str(pods)},
            {"range_name": "services", "ip_cidr_range": str(services)},
        ],
        log_config={"flow_sampling": 0.1},
        opts=opts,
    )
    router = gcp.compute.Router(
        name, name=name, project=project, region=region, network=network.id, opts=opts
    )
    gcp.compute.RouterNat(
        name,
        name=name,
        project=project,
        region=region,
        router=router.name,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        log_config={"enable": True, "filter": "ERRORS_ONLY"},
        opts=opts,
    )
    return GoogleNetwork(network.id, subnetwork.id)
