"""An AWS Local Zone: a piece of its region's cluster near the users, shared by the apps there."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import facts
from components.aws.balancer import balancer
from components.aws.network import AwsNetwork, blocks
from components.tags import Tags


class LocalZone(pulumi.ComponentResource):
    """Opt-in, a subnet for nodes, one for a load balancer of the zone's own, and that balancer.

    So a request is answered in the zone without a way through the region.
    """

    private_subnet: pulumi.Output[str]

    def __init__(
        self,
        zone: str,
        number: int,
        cluster: str,
        network: AwsNetwork,
        certificate_arn: str | None,
        tags: Tags,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`zone` is such as `us-east-1-bos-1a`, and `number` counts those of the cluster from 0."""
        name, region = f"{cluster}-{zone}", "-".join(zone.split("-")[:3])
        told = {**facts.identity(tags), "location": f"aws:{zone}", "cluster": cluster}
        super().__init__("fairweather:index:LocalZone", name, told, opts)
        child = pulumi.ResourceOptions(parent=self)
        opened = aws.ec2.AvailabilityZoneGroup(
            name,
            group_name=zone[:-1],
            opt_in_status="opted-in",
            region=region,
            opts=child,
        )
        in_open_zone = pulumi.ResourceOptions(parent=self, depends_on=[opened])
        parts = blocks(network.cidr)

        def subnet(kind: str, block: str, routes: pulumi.Output[str]) -> pulumi.Output[str]:
            made = aws.ec2.Subnet(
                f"{name}-{kind}",
                vpc_id=network.vpc_id,
                cidr_block=block,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags={**tags.aws, "Name": f"{name}-{kind}"},
                region=region,
                opts=in_open_zone,
            )
            aws.ec2.RouteTableAssociation(
                f"{name}-{kind}",
                subnet_id=made.id,
                route_table_id=routes,
                region=region,
                opts=child,
            )
            subnet_id: pulumi.Output[str] = made.id
            return subnet_id

        self.private_subnet = subnet("private", parts[-1 - number], network.private_routes)
        # Public subnets of the region begin in the middle: room for four zones on each side.
        public = subnet("public", parts[len(parts) // 2 - 1 - number], network.public_routes)
        front = public if certificate_arn else self.private_subnet
        self.balancer = balancer(name, region, network, [front], certificate_arn, tags.aws, child)
        self.register_outputs(told)
