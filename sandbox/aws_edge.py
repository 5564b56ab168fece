"""The rows of what users meet first: names and the CDN."""

from __future__ import annotations

import json

from sandbox.aws import Aws, Type
from sandbox.provider import Bag

CDN_ZONE = "Z2FDTNDATAQYW2"
"""Of every CloudFront distribution (Route 53 developer guide, "Alias records")."""


def zone_tags(kind: str, aws: Aws, bag: Bag, old: Bag | None) -> None:
    """Route 53's own way to tag hosted zones and health checks."""
    wanted = bag.get("tags") or {}
    gone = [key for key in (old or {}).get("tags") or {} if key not in wanted]
    change = {
        "AddTags": [{"Key": key, "Value": value} for key, value in wanted.items()],
        "RemoveTagKeys": gone,
    }
    change = {key: value for key, value in change.items() if value}
    if change:
        id_ = bag["id"].split("/")[-1]
        aws.route53.change_tags_for_resource(ResourceType=kind, ResourceId=id_, **change)


def zone_tags_seen(kind: str, aws: Aws, bag: Bag) -> Bag:
    id_ = bag["id"].split("/")[-1]
    told = aws.route53.list_tags_for_resource(ResourceType=kind, ResourceId=id_)
    return {one["Key"]: one["Value"] for one in told["ResourceTagSet"]["Tags"]}


def zone_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    return {
        "name": live["Name"].rstrip("."),
        "zoneId": live["Id"].split("/")[-1],
        "comment": live.get("Config", {}).get("Comment", ""),
        "tags": zone_tags_seen("hostedzone", aws, bag),
    }


def zone_fix(bag: Bag) -> Bag:
    return {"callerReference": bag["name"], "hostedZoneConfig": {"Comment": bag.get("comment")}}


def health_fix(bag: Bag) -> Bag:
    skip = ("tags", "region", "id")
    config = {key: value for key, value in bag.items() if key not in skip}
    return {
        "callerReference": str(sorted(map(str, config.items())))[:64],
        "healthCheckConfig": config,
    }


def health_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    return {**live["HealthCheckConfig"], "tags": zone_tags_seen("healthcheck", aws, bag)}


def record_set(bag: Bag) -> Bag:
    """A record as Route 53 writes it."""
    found = {
        "Name": bag["name"],
        "Type": bag["type"],
        "SetIdentifier": bag.get("setIdentifier"),
        "TTL": bag.get("ttl"),
        "ResourceRecords": [{"Value": value} for value in bag.get("records") or ()] or None,
        "HealthCheckId": bag.get("healthCheckId"),
        "Region": (bag.get("latencyRoutingPolicies") or [{}])[0].get("region"),
        "Weight": (bag.get("weightedRoutingPolicies") or [{}])[0].get("weight"),
    }
    for alias in bag.get("aliases") or ():
        found["AliasTarget"] = {
            "HostedZoneId": alias["zoneId"],
            "DNSName": alias["name"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
        }
    return {key: value for key, value in found.items() if value is not None}


def record_fix(bag: Bag) -> Bag:
    change = {"Action": "UPSERT", "ResourceRecordSet": record_set(bag)}
    return {"changeBatch": {"Changes": [change]}}


def record_see(live: Bag, _aws: Aws, _bag: Bag) -> Bag:
    name = live["Name"].rstrip(".")
    told: Bag = {"name": name, "fqdn": name, "ttl": live.get("TTL")}
    told["records"] = [one["Value"] for one in live.get("ResourceRecords", ())]
    if "Region" in live:
        told["latencyRoutingPolicies"] = [{"region": live["Region"]}]
    if "Weight" in live:
        told["weightedRoutingPolicies"] = [{"weight": live["Weight"]}]
    if "AliasTarget" in live:
        alias = live["AliasTarget"]
        told["aliases"] = [
            {
                "name": alias["DNSName"].rstrip("."),
                "zoneId": alias["HostedZoneId"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            }
        ]
    return told


def record_before_delete(aws: Aws, bag: Bag) -> None:
    change = {"Action": "DELETE", "ResourceRecordSet": record_set(bag)}
    aws.route53.change_resource_record_sets(
        HostedZoneId=bag["zoneId"], ChangeBatch={"Changes": [change]}
    )


def behaviour(given: Bag) -> Bag:
    """A cache behaviour; CloudFront nests the cached methods in the allowed ones."""
    methods = {
        "Quantity": len(given["allowedMethods"]),
        "Items": given["allowedMethods"],
        "CachedMethods": {"Quantity": len(given["cachedMethods"]), "Items": given["cachedMethods"]},
    }
    rest = {key: v for key, v in given.items() if key not in ("allowedMethods", "cachedMethods")}
    return {**rest, "AllowedMethods": methods}


def distribution_fix(bag: Bag) -> Bag:
    config = {key: value for key, value in bag.items() if key not in ("tags", "id", "status")}
    config |= {
        "callerReference": bag.get("callerReference") or json.dumps(bag["origins"])[:64],
        "comment": bag.get("comment") or "",
        "defaultCacheBehavior": behaviour(bag["defaultCacheBehavior"]),
        "cacheBehaviors": [behaviour(one) for one in bag.get("orderedCacheBehaviors") or ()],
    }
    return {
        "distributionConfig": config,
        "distributionConfigWithTags": {"DistributionConfig": config, "Tags": bag.get("tags") or {}},
        "ifMatch": bag.get("etag"),
    }


def distribution_see(live: Bag, aws: Aws, _bag: Bag) -> Bag:
    told = live["Distribution"]
    config = told["DistributionConfig"]
    tags = aws.cloudfront.list_tags_for_resource(Resource=told["ARN"])["Tags"].get("Items", [])
    return {
        **config,
        "arn": told["ARN"],
        "domainName": told["DomainName"],
        "hostedZoneId": CDN_ZONE,
        "status": told["Status"],
        "etag": live["ETag"],
        "orderedCacheBehaviors": config.get("CacheBehaviors", {}).get("Items", []),
        "tags": {one["Key"]: one["Value"] for one in tags},
    }


def distribution_before_delete(aws: Aws, bag: Bag) -> None:
    """CloudFront deletes only what is disabled."""
    now = aws.cloudfront.get_distribution_config(Id=bag["id"])
    config = {**now["DistributionConfig"], "Enabled": False}
    aws.cloudfront.update_distribution(Id=bag["id"], IfMatch=now["ETag"], DistributionConfig=config)
    etag = aws.cloudfront.get_distribution_config(Id=bag["id"])["ETag"]
    aws.cloudfront.delete_distribution(Id=bag["id"], IfMatch=etag)


ROWS = (
    Type(
        "aws:route53/zone:Zone",
        "route53",
        "create_hosted_zone:HostedZone",
        "get_hosted_zone:HostedZone",
        "delete_hosted_zone",
        id="{Id}",
        names={"id": "Id"},
        fix=zone_fix,
        after=lambda aws, bag, old: zone_tags("hostedzone", aws, bag, old),
        see=zone_see,
        in_place=("tags",),
    ),
    Type(
        "aws:route53/healthCheck:HealthCheck",
        "route53",
        "create_health_check:HealthCheck",
        "get_health_check:HealthCheck",
        "delete_health_check",
        id="{Id}",
        names={"id": "HealthCheckId", "fqdn": "FullyQualifiedDomainName"},
        fix=health_fix,
        after=lambda aws, bag, old: zone_tags("healthcheck", aws, bag, old),
        see=health_see,
        update=("update_health_check",),
        in_place=("tags",),
        replace=("type", "requestInterval"),
    ),
    Type(
        "aws:route53/record:Record",
        "route53",
        "change_resource_record_sets",
        "list_resource_record_sets:ResourceRecordSets[?Name=='{name}.' && Type=='{type}' "
        "&& (SetIdentifier || '')=='{setIdentifier}'] | [0]",
        id="{zoneId}_{name}_{type}_{setIdentifier}",
        names={"zoneId": "HostedZoneId"},
        fix=record_fix,
        update=("change_resource_record_sets",),
        see=record_see,
        before_delete=record_before_delete,
        replace=("zoneId", "name", "type", "setIdentifier"),
        in_place=(
            "ttl",
            "records",
            "aliases",
            "weightedRoutingPolicies",
            "latencyRoutingPolicies",
            "healthCheckId",
        ),
    ),
    Type(
        "aws:cloudfront/distribution:Distribution",
        "cloudfront",
        "create_distribution_with_tags:Distribution",
        "get_distribution",
        id="{Id}",
        names={"id": "Id", "originId": "Id", "arn": "Resource", "locations": "Items"},
        fix=distribution_fix,
        update=("update_distribution", "tag_resource"),
        see=distribution_see,
        before_delete=distribution_before_delete,
        in_place=(
            "enabled",
            "comment",
            "priceClass",
            "httpVersion",
            "isIpv6Enabled",
            "origins",
            "defaultCacheBehavior",
            "orderedCacheBehaviors",
            "restrictions",
            "viewerCertificate",
            "aliases",
            "tags",
        ),
    ),
)
