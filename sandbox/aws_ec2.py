"""The ec2 rows of the table: networks, machines and what they start from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.aws import Aws, Type, model
from sandbox.provider import Bag
from sandbox.shapes import arguments

IMAGE = "ami-12c6146b"
"""One that moto knows, for groups whose launch template names none."""
VPC_SWITCHES = {
    "enableDnsHostnames": "EnableDnsHostnames",
    "enableDnsSupport": "EnableDnsSupport",
}
TARGETS = {
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
    "transitGatewayId": "TransitGatewayId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
}
"""Where a route may lead."""
SIDES = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
LAUNCH_NAMES = {"name": "LaunchTemplateName", "vpcSecurityGroupIds": "SecurityGroupIds"}
LAUNCH_DATA = (
    "blockDeviceMappings",
    "capacityReservationSpecification",
    "ebsOptimized",
    "iamInstanceProfile",
    "imageId",
    "instanceMarketOptions",
    "instanceType",
    "keyName",
    "metadataOptions",
    "monitoring",
    "networkInterfaces",
    "placement",
    "tagSpecifications",
    "userData",
    "vpcSecurityGroupIds",
)
"""Inputs that are written into a version of a launch template."""
After = Callable[[Aws, Bag, Bag | None], object]


def tag(aws: Aws, bag: Bag, old: Bag | None) -> None:
    """The tags of an ec2 object as asked for."""
    wanted = bag.get("tags") or {}
    gone = [key for key in (old or {}).get("tags") or {} if key not in wanted]
    if gone:
        aws.ec2.delete_tags(Resources=[bag["id"]], Tags=[{"Key": key} for key in gone])
    if wanted:
        tags = [{"Key": key, "Value": value} for key, value in wanted.items()]
        aws.ec2.create_tags(Resources=[bag["id"]], Tags=tags)


def ec2(
    token: str,
    stem: str,
    member: str,
    *,
    read: str = "",
    delete: str = "",
    after: After | None = None,
    names: Mapping[str, str | tuple[str, ...]] | None = None,
    in_place: tuple[str, ...] = (),
    **more: Any,
) -> Type:
    """A row by ec2's own habits: `create_vpc` answers a Vpc with a VpcId, and tags come apart."""

    def tagged(aws: Aws, bag: Bag, old: Bag | None) -> None:
        tag(aws, bag, old)
        if after is not None:
            after(aws, bag, old)

    return Type(
        f"aws:ec2/{token[0].lower()}{token[1:]}:{token}",
        "ec2",
        f"create_{stem}:{member}",
        read or f"describe_{stem}s:{member}s[0]",
        delete or f"delete_{stem}",
        id=f"{{{member}Id}}",
        names={"id": (f"{member}Ids", f"{member}Id"), **(names or {})},
        after=tagged,
        in_place=("tags", *in_place),
        **more,
    )


def vpc_after(aws: Aws, bag: Bag, _old: Bag | None) -> None:
    for key, member in VPC_SWITCHES.items():
        if key in bag:
            aws.ec2.modify_vpc_attribute(VpcId=bag["id"], **{member: {"Value": bag[key]}})


def vpc_see(_live: Bag, aws: Aws, bag: Bag) -> Bag:
    ask = functools.partial(aws.ec2.describe_vpc_attribute, VpcId=bag["id"])
    return {key: ask(Attribute=key)[member]["Value"] for key, member in VPC_SWITCHES.items()}


def subnet_after(aws: Aws, bag: Bag, _old: Bag | None) -> None:
    if "mapPublicIpOnLaunch" in bag:
        switch = {"Value": bag["mapPublicIpOnLaunch"]}
        aws.ec2.modify_subnet_attribute(SubnetId=bag["id"], MapPublicIpOnLaunch=switch)


def gateway_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    if bag.get("vpcId") and old is None:
        aws.ec2.attach_internet_gateway(InternetGatewayId=bag["id"], VpcId=bag["vpcId"])


def gateway_before_delete(aws: Aws, bag: Bag) -> None:
    if bag.get("vpcId"):
        aws.ec2.detach_internet_gateway(InternetGatewayId=bag["id"], VpcId=bag["vpcId"])


def routes_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    wanted, there = bag.get("routes") or [], (old or {}).get("routes") or []
    for route in there:
        if route not in wanted:
            block = route["cidrBlock"]
            aws.ec2.delete_route(RouteTableId=bag["id"], DestinationCidrBlock=block)
    for route in wanted:
        if route not in there:
            target = {TARGETS[key]: route[key] for key in TARGETS if route.get(key)}
            block = route["cidrBlock"]
            aws.ec2.create_route(RouteTableId=bag["id"], DestinationCidrBlock=block, **target)


def routes_see(live: Bag, _aws: Aws, _bag: Bag) -> Bag:
    return {
        "routes": [
            {
                "cidrBlock": route["DestinationCidrBlock"],
                **{key: route[member] for key, member in TARGETS.items() if route.get(member)},
            }
            for route in live["Routes"]
            if route.get("GatewayId") != "local"
        ]
    }


def permission(rule: Bag, own_id: str) -> Bag:
    """A rule of a security group as ec2 writes it."""
    said = {"Description": rule["description"]} if rule.get("description") else {}
    groups = [*(rule.get("securityGroups") or []), *([own_id] if rule.get("self") else [])]
    return {
        "IpProtocol": str(rule["protocol"]),
        "FromPort": rule["fromPort"],
        "ToPort": rule["toPort"],
        "IpRanges": [{"CidrIp": block, **said} for block in rule.get("cidrBlocks") or []],
        "Ipv6Ranges": [{"CidrIpv6": block, **said} for block in rule.get("ipv6CidrBlocks") or []],
        "UserIdGroupPairs": [{"GroupId": group, **said} for group in groups],
    }


def rule(told: Bag, own_id: str) -> Bag:
    """The same back again."""
    groups = [pair["GroupId"] for pair in told.get("UserIdGroupPairs", ())]
    ranges = [*told["IpRanges"], *told.get("Ipv6Ranges", ()), *told.get("UserIdGroupPairs", ())]
    return {
        "protocol": told["IpProtocol"],
        "fromPort": told.get("FromPort", 0),
        "toPort": told.get("ToPort", 0),
        "cidrBlocks": [one["CidrIp"] for one in told["IpRanges"]],
        "ipv6CidrBlocks": [one["CidrIpv6"] for one in told.get("Ipv6Ranges", ())],
        "securityGroups": [group for group in groups if group != own_id],
        "self": own_id in groups,
        "description": next((one["Description"] for one in ranges if "Description" in one), ""),
    }


def group_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    tag(aws, bag, old)
    id_ = bag["id"]
    group = aws.ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]
    for side, member in SIDES.items():
        wanted = [permission(one, id_) for one in bag.get(side) or []]
        if group[member]:
            revoke = getattr(aws.ec2, f"revoke_security_group_{side}")
            revoke(GroupId=id_, IpPermissions=group[member])
        if wanted:
            allow = getattr(aws.ec2, f"authorize_security_group_{side}")
            allow(GroupId=id_, IpPermissions=wanted)


def group_see(live: Bag, _aws: Aws, bag: Bag) -> Bag:
    return {
        side: [rule(told, bag["id"]) for told in live[member]] for side, member in SIDES.items()
    }


def launch_data(bag: Bag) -> Bag:
    """What a version of a launch template says, as ec2 writes it."""
    shape = model("ec2", "create_launch_template").members["LaunchTemplateData"]
    given = {key: bag[key] for key in LAUNCH_DATA if key in bag}
    return arguments(shape, given, LAUNCH_NAMES)


def launch_template_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    if old is None or launch_data(old) == launch_data(bag):
        return
    made = aws.ec2.create_launch_template_version(
        LaunchTemplateId=bag["id"], LaunchTemplateData=launch_data(bag)
    )
    if bag.get("updateDefaultVersion"):
        number = str(made["LaunchTemplateVersion"]["VersionNumber"])
        aws.ec2.modify_launch_template(LaunchTemplateId=bag["id"], DefaultVersion=number)


def launch_template_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    versions = aws.ec2.describe_launch_template_versions(
        LaunchTemplateId=bag["id"], Versions=["$Latest"]
    )
    # moto tells the template's own tags here only.
    tags = aws.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [bag["id"]]}])["Tags"]
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    twice = data.get("TagSpecifications", [])  # as moto tells them
    once = [one for n, one in enumerate(twice) if one not in twice[:n]]
    return {
        **data,
        "TagSpecifications": once,
        "latestVersion": live["LatestVersionNumber"],
        "defaultVersion": live["DefaultVersionNumber"],
        "tags": {one["Key"]: one["Value"] for one in tags},
        "arn": f"arn:aws:ec2:{aws.region}::launch-template/{bag['id']}",
    }


ROWS = (
    ec2("Vpc", "vpc", "Vpc", after=vpc_after, see=vpc_see, in_place=tuple(VPC_SWITCHES)),
    ec2("Subnet", "subnet", "Subnet", after=subnet_after, in_place=("mapPublicIpOnLaunch",)),
    ec2(
        "InternetGateway",
        "internet_gateway",
        "InternetGateway",
        after=gateway_after,
        before_delete=gateway_before_delete,
        see=lambda live, _aws, _bag: {"vpcId": (live["Attachments"] or [{}])[0].get("VpcId")},
        replace=("vpcId",),
    ),
    Type(
        "aws:ec2/eip:Eip",
        "ec2",
        "allocate_address",
        "describe_addresses:Addresses[0]",
        "release_address(id)",
        id="{AllocationId}",
        names={"id": ("AllocationIds", "AllocationId")},
        after=tag,
        in_place=("tags",),
    ),
    ec2(
        "NatGateway",
        "nat_gateway",
        "NatGateway",
        read="describe_nat_gateways:NatGateways[?State!='deleted'] | [0]",
        see=lambda live, _aws, _bag: {
            key: live["NatGatewayAddresses"][0].get(member)
            for key, member in (("allocationId", "AllocationId"), ("publicIp", "PublicIp"))
            if live["NatGatewayAddresses"]
        },
    ),
    ec2(
        "RouteTable",
        "route_table",
        "RouteTable",
        after=routes_after,
        see=routes_see,
        in_place=("routes",),
    ),
    Type(
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "ec2",
        "associate_route_table",
        "describe_route_tables:RouteTables[0].Associations[?SubnetId=='{subnetId}'] | [0]",
        "disassociate_route_table",
        id="{AssociationId}",
        names={"id": "AssociationId", "routeTableId": ("RouteTableId", "RouteTableIds")},
    ),
    Type(
        "aws:ec2/securityGroup:SecurityGroup",
        "ec2",
        "create_security_group",
        "describe_security_groups:SecurityGroups[0]",
        "delete_security_group(id)",
        id="{GroupId}",
        name="name",
        names={"id": ("GroupIds", "GroupId"), "name": "GroupName"},
        after=group_after,
        see=group_see,
        in_place=("tags", *SIDES),
    ),
    ec2(
        "LaunchTemplate",
        "launch_template",
        "LaunchTemplate",
        delete="delete_launch_template(id)",
        name="name",
        names=LAUNCH_NAMES,
        fix=lambda bag: {"launchTemplateData": launch_data(bag)},
        after=launch_template_after,
        see=launch_template_see,
        in_place=(*LAUNCH_DATA, "updateDefaultVersion", "description"),
        anew=("latestVersion",),
    ),
    Type(
        "aws:ec2/instance:Instance",
        "ec2",
        "run_instances:Instances[0]",
        "describe_instances:Reservations[0].Instances[?State.Name!='terminated'] | [0]",
        "terminate_instances",
        id="{InstanceId}",
        names={
            "id": "InstanceIds",
            "ami": "ImageId",
            "vpcSecurityGroupIds": "SecurityGroupIds",
            "availabilityZone": (),
        },
        fix=lambda bag: {
            "minCount": 1,
            "maxCount": 1,
            "placement": {"AvailabilityZone": bag["availabilityZone"]}
            if bag.get("availabilityZone")
            else None,
        },
        after=tag,
        in_place=("tags",),
    ),
    Type(
        "aws:ebs/volume:Volume",
        "ec2",
        "create_volume",
        "describe_volumes:Volumes[0]",
        "delete_volume",
        id="{VolumeId}",
        names={"id": ("VolumeIds", "VolumeId"), "type": "VolumeType"},
        update=("modify_volume",),
        after=tag,
        in_place=("tags",),
    ),
)
