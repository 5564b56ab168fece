"""The rows of what runs: EKS with real API servers behind it, groups of nodes, functions."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from sandbox.aws import ACCOUNT, Aws, Type
from sandbox.aws_ec2 import IMAGE
from sandbox.provider import Bag, Refused

LAUNCH = "aws:ec2/launchTemplate:LaunchTemplate"
LAMBDA_DIMENSION = {"resourceId": ("ResourceId", "ResourceIds")}


def eks_backend(aws: Aws) -> Any:
    """Moto's own EKS, for what it has no operation for."""
    from moto.eks.models import eks_backends

    return eks_backends[ACCOUNT][aws.region]


def server_name(aws: Aws, cluster: str) -> str:
    return f"eks-{aws.region}-{cluster}"


def cluster_fix(bag: Bag) -> Bag:
    types = bag.get("enabledClusterLogTypes")
    logging = {"clusterLogging": [{"types": types, "enabled": True}]} if types else None
    return {"logging": logging}


def cluster_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    if old is None:  # EKS makes a security group for its nodes; moto does not
        subnets = aws.ec2.describe_subnets(SubnetIds=bag["vpcConfig"]["subnetIds"][:1])["Subnets"]
        made = aws.ec2.create_security_group(
            GroupName=f"eks-cluster-sg-{bag['name']}",
            Description="EKS created security group applied to nodes",
            VpcId=subnets[0]["VpcId"],
        )
        config = eks_backend(aws).clusters[bag["name"]].resources_vpc_config
        config["clusterSecurityGroupId"] = made["GroupId"]
    elif old.get("version") != bag.get("version"):
        # moto lacks update_cluster_version.
        eks_backend(aws).clusters[bag["name"]].version = bag["version"]


def cluster_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    told = {
        "enabledClusterLogTypes": [
            kind
            for entry in live.get("logging", {}).get("clusterLogging", ())
            if entry.get("enabled")
            for kind in entry["types"]
        ],
        "vpcConfig": live["resourcesVpcConfig"],
    }
    if aws.clusters is None:
        return told
    server = aws.clusters.ensure(server_name(aws, bag["name"]))
    return {**told, "endpoint": server.url, "certificateAuthority": {"data": server.authority}}


def cluster_before_delete(aws: Aws, bag: Bag) -> None:
    inside = eks_backend(aws).clusters.get(bag["name"])
    if inside is not None:
        if inside.nodegroups:
            groups = ", ".join(inside.nodegroups)
            raise Refused(f"ResourceInUseException: Cluster has nodegroups attached: {groups}")
        group = inside.resources_vpc_config.get("clusterSecurityGroupId")
        if group:
            aws.ec2.delete_security_group(GroupId=group)
    if aws.clusters is not None:  # also where moto has lost the cluster
        aws.clusters.remove(server_name(aws, bag["name"]))


def group_name(bag: Bag) -> str:
    return f"eks-{bag['clusterName']}-{bag['nodeGroupName']}"


def sizes(bag: Bag) -> Bag:
    scaling = bag["scalingConfig"]
    return {
        "MinSize": scaling["minSize"],
        "MaxSize": scaling["maxSize"],
        "DesiredCapacity": scaling["desiredSize"],
    }


def nodes_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    """EKS keeps an autoscaling group behind each node group; moto does not."""
    name = group_name(bag)
    if old is None:
        kind = (bag.get("instanceTypes") or ["t3.medium"])[0]
        aws.ec2.create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"InstanceType": kind, "ImageId": IMAGE}
        )
        aws.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name},
            VPCZoneIdentifier=",".join(bag["subnetIds"]),
            **sizes(bag),
        )
    else:
        nodes_update(aws, name, bag, old)
    inside = eks_backend(aws).clusters[bag["clusterName"]].nodegroups[bag["nodeGroupName"]]
    # moto lacks update_nodegroup_version, tags no node group, and keeps none of these as sent.
    inside.tags = bag.get("tags") or {}
    if bag.get("launchTemplate"):
        inside.launch_template = bag["launchTemplate"]
    if bag.get("updateConfig"):
        inside.update_config = bag["updateConfig"]


def nodes_update(aws: Aws, name: str, bag: Bag, old: Bag) -> None:
    group = {"clusterName": bag["clusterName"], "nodegroupName": bag["nodeGroupName"]}
    if old["scalingConfig"] != bag["scalingConfig"]:
        aws.eks.update_nodegroup_config(**group, scalingConfig=bag["scalingConfig"])
        aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **sizes(bag))
    before, labels = old.get("labels") or {}, bag.get("labels") or {}
    if before != labels:
        gone = [key for key in before if key not in labels]
        change = {"addOrUpdateLabels": labels, "removeLabels": gone}
        aws.eks.update_nodegroup_config(**group, labels=change)
    there, taints = old.get("taints") or [], bag.get("taints") or []
    if there != taints:
        past = [taint for taint in there if taint not in taints]
        taint_change = {"removeTaints": past, "addOrUpdateTaints": taints}
        taint_change = {key: value for key, value in taint_change.items() if value}
        aws.eks.update_nodegroup_config(**group, taints=taint_change)


def nodes_before_delete(aws: Aws, bag: Bag) -> None:
    name = group_name(bag)
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    aws.ec2.delete_launch_template(LaunchTemplateName=name)


def nodes_see(live: Bag, _aws: Aws, bag: Bag) -> Bag:
    behind = {"autoscalingGroups": [{"name": group_name(bag)}], "remoteAccessSecurityGroupId": ""}
    return {"resources": [behind], "arn": live["nodegroupArn"]}


def group_fix(bag: Bag) -> Bag:
    subnets, whose = bag.get("vpcZoneIdentifiers"), {"resourceType": "auto-scaling-group"}
    whose["resourceId"] = bag["name"]
    return {
        "VPCZoneIdentifier": ",".join(subnets) if subnets else None,
        "forceDelete": True,
        "tags": [{**one, **whose} for one in bag.get("tags") or ()],
    }


def group_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    kept = {one["key"] for one in bag.get("tags") or ()}
    whose = {"ResourceId": bag["name"], "ResourceType": "auto-scaling-group"}
    gone = [one["key"] for one in (old or {}).get("tags") or () if one["key"] not in kept]
    if gone:
        aws.autoscaling.delete_tags(Tags=[{**whose, "Key": key} for key in gone])


def group_see(live: Bag, _aws: Aws, _bag: Bag) -> Bag:
    return {
        "arn": live["AutoScalingGroupARN"],
        "vpcZoneIdentifiers": [s for s in live.get("VPCZoneIdentifier", "").split(",") if s],
    }


def group_tag_fix(bag: Bag) -> Bag:
    one, group = bag["tag"], bag["autoscalingGroupName"]
    return {
        "tags": [{**one, "resourceId": group, "resourceType": "auto-scaling-group"}],
        "filters": [
            {"name": "auto-scaling-group", "values": [group]},
            {"name": "key", "values": [one["key"]]},
        ],
    }


def function_fix(bag: Bag) -> Bag:
    if bag.get("imageUri"):
        return {"code": {"ImageUri": bag["imageUri"]}, "imageUri": bag["imageUri"]}
    buffer = io.BytesIO()  # no code runs here; moto wants a zip
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return event")
    return {"code": {"ZipFile": buffer.getvalue()}, "zipFile": buffer.getvalue()}


def function_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    name, reserved = bag["name"], bag.get("reservedConcurrentExecutions")
    if reserved is not None and reserved >= 0:
        aws.lambda_.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=reserved
        )
    elif old is not None and old.get("reservedConcurrentExecutions") is not None:
        aws.lambda_.delete_function_concurrency(FunctionName=name)
    apart = ("tags", "reservedConcurrentExecutions")
    if old is not None and bag.get("publish"):
        changed = any(old.get(key) != bag.get(key) for key in old if key not in apart)
        if changed:
            aws.lambda_.publish_version(FunctionName=name)


def function_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    name = bag["name"]
    versions = aws.lambda_.list_versions_by_function(FunctionName=name)["Versions"]
    reserved = aws.lambda_.get_function_concurrency(FunctionName=name)
    return {
        "arn": live["FunctionArn"],
        "imageUri": aws.lambda_.get_function(FunctionName=name)["Code"].get("ImageUri"),
        "version": versions[-1]["Version"],
        "reservedConcurrentExecutions": reserved.get("ReservedConcurrentExecutions"),
        "tags": aws.lambda_.list_tags(Resource=live["FunctionArn"])["Tags"],
    }


def permission_see(live: Bag, _aws: Aws, bag: Bag) -> Bag:
    return {key: bag[key] for key in ("function", "action", "principal") if key in bag} | live


ROWS = (
    Type(
        "aws:eks/cluster:Cluster",
        "eks",
        "create_cluster:cluster",
        "describe_cluster:cluster",
        "delete_cluster",
        id="{name}",
        name="name",
        names={"vpcConfig": "resourcesVpcConfig", "arn": "resourceArn", "id": "name"},
        fix=cluster_fix,
        update=("update_cluster_config", "tag_resource"),
        after=cluster_after,
        see=cluster_see,
        before_delete=cluster_before_delete,
        replace=("roleArn", "encryptionConfig"),
        in_place=("version", "enabledClusterLogTypes"),
        outputs=("certificateAuthority", "vpcConfig"),
    ),
    Type(
        "aws:eks/nodeGroup:NodeGroup",
        "eks",
        "create_nodegroup:nodegroup",
        "describe_nodegroup:nodegroup",
        "delete_nodegroup",
        id="{clusterName}:{nodegroupName}",
        name="nodeGroupName",
        names={"nodeRoleArn": "nodeRole", "subnetIds": "subnets", "id": ()},
        after=nodes_after,
        see=nodes_see,
        before_delete=nodes_before_delete,
        in_place=("scalingConfig", "labels", "taints", "launchTemplate", "updateConfig", "tags"),
        outputs=("resources",),
    ),
    Type(
        "aws:autoscaling/group:Group",
        "autoscaling",
        "create_auto_scaling_group",
        "describe_auto_scaling_groups:AutoScalingGroups[0]",
        "delete_auto_scaling_group",
        id="{name}",
        name="name",
        names={
            "id": "LaunchTemplateId",
            "name": ("AutoScalingGroupName", "AutoScalingGroupNames"),
            "vpcZoneIdentifiers": (),  # one text, by group_fix
        },
        fix=group_fix,
        update=("update_auto_scaling_group", "create_or_update_tags"),
        after=group_after,
        see=group_see,
        in_place=("vpcZoneIdentifiers", "tags"),
    ),
    Type(
        "aws:autoscaling/schedule:Schedule",
        "autoscaling",
        "put_scheduled_update_group_action",
        "describe_scheduled_actions:ScheduledUpdateGroupActions[0]",
        "delete_scheduled_action",
        id="{scheduledActionName}",
        names={"scheduledActionName": ("ScheduledActionName", "ScheduledActionNames")},
        update=("put_scheduled_update_group_action",),
        replace=("autoscalingGroupName", "scheduledActionName"),
    ),
    Type(
        "aws:autoscaling/tag:Tag",
        "autoscaling",
        "create_or_update_tags",
        "describe_tags:Tags[0]",
        "delete_tags",
        id="{autoscalingGroupName},{tag[key]}",
        names={"tag": (), "tags": "Tags"},
        fix=group_tag_fix,
        update=("create_or_update_tags",),
        see=lambda live, _aws, _bag: {"tag": live, "autoscalingGroupName": live["ResourceId"]},
        replace=("autoscalingGroupName",),
        in_place=("tag",),
    ),
    Type(
        "aws:lambda/function:Function",
        "lambda",
        "create_function",
        "get_function:Configuration",
        "delete_function",
        id="{FunctionName}",
        name="name",
        names={"name": "FunctionName", "arn": "Resource", "id": ()},
        fix=function_fix,
        update=("update_function_configuration", "update_function_code", "tag_resource"),
        after=function_after,
        see=function_see,
        in_place=("code", "imageUri", "reservedConcurrentExecutions"),
        anew=("version",),
    ),
    Type(
        "aws:lambda/alias:Alias",
        "lambda",
        "create_alias",
        "get_alias",
        "delete_alias",
        id="{AliasArn}",
        names={"id": ()},
        update=("update_alias",),
        replace=("functionName",),
        see=lambda live, _aws, _bag: {"arn": live["AliasArn"]},
    ),
    Type(
        "aws:lambda/functionUrl:FunctionUrl",
        "lambda",
        "create_function_url_config",
        "get_function_url_config",
        "delete_function_url_config",
        id="{functionName}",
        names={"authorizationType": "AuthType", "id": ()},
        update=("update_function_url_config",),
        replace=("functionName", "qualifier"),
    ),
    Type(
        "aws:appautoscaling/target:Target",
        "application-autoscaling",
        "register_scalable_target",
        "describe_scalable_targets:ScalableTargets[0]",
        "deregister_scalable_target",
        id="{resourceId}",
        names=LAMBDA_DIMENSION,
        update=("register_scalable_target",),
        replace=("resourceId", "scalableDimension", "serviceNamespace"),
    ),
    Type(
        "aws:appautoscaling/policy:Policy",
        "application-autoscaling",
        "put_scaling_policy",
        "describe_scaling_policies:ScalingPolicies[0]",
        "delete_scaling_policy",
        id="{name}",
        name="name",
        names={"name": ("PolicyName", "PolicyNames"), "id": ()},
        update=("put_scaling_policy",),
        replace=("resourceId", "scalableDimension", "serviceNamespace", "name"),
    ),
    Type(
        "aws:appautoscaling/scheduledAction:ScheduledAction",
        "application-autoscaling",
        "put_scheduled_action",
        "describe_scheduled_actions:ScheduledActions[0]",
        "delete_scheduled_action",
        id="{name}",
        name="name",
        names={"name": ("ScheduledActionName", "ScheduledActionNames"), "id": ()},
        update=("put_scheduled_action",),
        replace=("resourceId", "scalableDimension", "serviceNamespace", "name"),
    ),
)
