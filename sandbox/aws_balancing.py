"""The rows of load balancers: elbv2 tags apart, and keeps half of its settings as attributes."""

from __future__ import annotations

import hashlib
import json

from sandbox.aws import ACCOUNT, Aws, Type
from sandbox.provider import Bag

CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}

ACTIONS = {
    "fixedResponse": "FixedResponseConfig",
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
}

HEALTH = {
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}

BALANCER_ATTRIBUTES = {
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
}

TARGET_ATTRIBUTES = {"deregistrationDelay": "deregistration_delay.timeout_seconds"}

LAST_PRIORITY = 50_000


def arn_names(member: str) -> dict[str, str | tuple[str, ...]]:
    """How elbv2 wants the id of an object: alone, in a list, as what is tagged."""
    return {"id": (member, f"{member}s", "ResourceArns")}


def elb_tags(aws: Aws, bag: Bag) -> Bag:
    told = aws.elbv2.describe_tags(ResourceArns=[bag["id"]])["TagDescriptions"][0]["Tags"]
    return {one["Key"]: one["Value"] for one in told}


def attributes(bag: Bag, known: dict[str, str]) -> list[Bag]:
    """Inputs that elbv2 keeps as attributes."""
    given = {member: bag[key] for key, member in known.items() if bag.get(key) is not None}
    return [{"Key": key, "Value": str(value).lower()} for key, value in given.items()]


def balancer_after(aws: Aws, bag: Bag, _old: Bag | None) -> None:
    given = attributes(bag, BALANCER_ATTRIBUTES)
    if given:
        aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=bag["id"], Attributes=given)


def balancer_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    told = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=bag["id"])["Attributes"]
    values = {one["Key"]: one["Value"] for one in told}
    return {
        **{key: values[name] for key, name in BALANCER_ATTRIBUTES.items() if name in values},
        "arn": bag["id"],
        "zoneId": live["CanonicalHostedZoneId"],
        "internal": live["Scheme"] == "internal",
        "subnets": [zone["SubnetId"] for zone in live["AvailabilityZones"]],
        "tags": elb_tags(aws, bag),
    }


def target_group_fix(bag: Bag) -> Bag:
    health = bag.get("healthCheck") or {}
    return {HEALTH[key]: value for key, value in health.items() if key in HEALTH}


def target_group_after(aws: Aws, bag: Bag, _old: Bag | None) -> None:
    given = attributes(bag, TARGET_ATTRIBUTES)
    if given:
        aws.elbv2.modify_target_group_attributes(TargetGroupArn=bag["id"], Attributes=given)


def target_group_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    told = aws.elbv2.describe_target_group_attributes(TargetGroupArn=bag["id"])["Attributes"]
    values = {one["Key"]: one["Value"] for one in told}
    return {
        **{key: values[name] for key, name in TARGET_ATTRIBUTES.items() if name in values},
        "arn": bag["id"],
        "healthCheck": {key: live[name] for key, name in HEALTH.items() if name in live},
        "tags": elb_tags(aws, bag),
    }


def issue(arn: str) -> None:
    """Certificates are the account's own, asked for by hand: here any that is named exists."""
    from moto.acm.models import CertBundle, acm_backends

    region = arn.split(":")[3]
    certificates = acm_backends[ACCOUNT][region]._certificates  # noqa: SLF001  # moto's own store
    if arn not in certificates:
        certificates[arn] = CertBundle.generate_cert("sandbox.invalid", ACCOUNT, region)
        certificates[arn].arn = arn


def listener_fix(bag: Bag) -> Bag:
    certificate = bag.get("certificateArn")
    if certificate:
        issue(certificate)
    return {"certificates": [{"CertificateArn": certificate}] if certificate else None}


def listener_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    certificates = live.get("Certificates") or [{}]
    told = {"arn": bag["id"], "tags": elb_tags(aws, bag)}
    return {**told, "certificateArn": certificates[0].get("CertificateArn")}


def rule_fix(bag: Bag) -> Bag:
    conditions = [
        {"field": CONDITIONS[key][0], CONDITIONS[key][1]: value}
        for condition in bag["conditions"]
        for key, value in condition.items()
        if key in CONDITIONS and value
    ]
    return {"conditions": conditions, "priority": bag.get("priority") or priority(conditions)}


def priority(conditions: list[Bag]) -> int:
    """AWS wants a number, and one for itself; the real provider takes the next that is free."""
    digest = hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()
    return int(digest, 16) % LAST_PRIORITY + 1


def rule_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    keys = {field: (key, config) for key, (field, config) in CONDITIONS.items()}
    told = [(*keys[one["Field"]], one) for one in live["Conditions"] if one["Field"] in keys]
    return {
        "arn": bag["id"],
        "conditions": [{key: one.get(config, one)} for key, config, one in told],
        "tags": elb_tags(aws, bag),
    }


ROWS = (
    Type(
        "aws:lb/loadBalancer:LoadBalancer",
        "elbv2",
        "create_load_balancer:LoadBalancers[0]",
        "describe_load_balancers:LoadBalancers[0]",
        "delete_load_balancer",
        id="{LoadBalancerArn}",
        name="name",
        names={
            **arn_names("LoadBalancerArn"),
            "name": ("Name", "LoadBalancerName"),
            "loadBalancerType": "Type",
        },
        fix=lambda bag: {"scheme": "internal" if bag.get("internal") else "internet-facing"},
        update=("set_security_groups", "set_subnets", "add_tags"),
        after=balancer_after,
        see=balancer_see,
        replace=("internal",),
        in_place=tuple(BALANCER_ATTRIBUTES),
    ),
    Type(
        "aws:lb/targetGroup:TargetGroup",
        "elbv2",
        "create_target_group:TargetGroups[0]",
        "describe_target_groups:TargetGroups[0]",
        "delete_target_group",
        id="{TargetGroupArn}",
        name="name",
        names={**arn_names("TargetGroupArn"), "name": ("Name", "TargetGroupName")},
        fix=target_group_fix,
        update=("modify_target_group", "add_tags"),
        after=target_group_after,
        see=target_group_see,
        in_place=("healthCheck", *TARGET_ATTRIBUTES),
    ),
    Type(
        "aws:lb/listener:Listener",
        "elbv2",
        "create_listener:Listeners[0]",
        "describe_listeners(id):Listeners[0]",
        "delete_listener",
        id="{ListenerArn}",
        names={**arn_names("ListenerArn"), **ACTIONS},
        fix=listener_fix,
        update=("modify_listener", "add_tags"),
        see=listener_see,
        replace=("loadBalancerArn",),
        in_place=("certificateArn",),
    ),
    Type(
        "aws:lb/listenerRule:ListenerRule",
        "elbv2",
        "create_rule:Rules[0]",
        "describe_rules(id):Rules[0]",
        "delete_rule",
        id="{RuleArn}",
        names={**arn_names("RuleArn"), **ACTIONS},
        fix=rule_fix,
        update=("modify_rule", "add_tags"),
        see=rule_see,
        replace=("listenerArn", "priority"),
    ),
)
