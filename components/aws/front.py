"""Route 53 records and CloudFront distributions."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.entrance import AtAddress, AtBalancer
from components.kubernetes.pod import HEALTH_PATH
from components.tags import Tags
from stacks.records import is_local_zone

NEAREST_AWS_REGION = {
    "asia-east1": "ap-east-1",
    "asia-northeast1": "ap-northeast-1",
    "asia-south1": "ap-south-1",
    "asia-southeast1": "ap-southeast-1",
    "australia-southeast1": "ap-southeast-2",
    "europe-north1": "eu-north-1",
    "europe-west1": "eu-west-1",
    "europe-west2": "eu-west-2",
    "europe-west3": "eu-central-1",
    "europe-west4": "eu-central-1",
    "europe-west6": "eu-central-2",
    "europe-west9": "eu-west-3",
    "northamerica-northeast1": "ca-central-1",
    "southamerica-east1": "sa-east-1",
    "us-central1": "us-east-2",
    "us-east1": "us-east-1",
    "us-east4": "us-east-1",
    "us-west1": "us-west-2",
    "us-west2": "us-west-1",
}
"""Route 53 measures latency to AWS regions only: a Google region answers for the nearest one."""
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""CloudFront's managed policies (CloudFront developer guide, "Use managed policies")."""
TTL_SECONDS = 60


def record(
    app: str,
    location: str,
    entrance: AtBalancer | AtAddress,
    zone_id: pulumi.Input[str],
    tags: Tags,
    opts: pulumi.ResourceOptions,
) -> None:
    """One place among those of the host's name; Route 53 answers with the nearest healthy one."""
    place = location.split(":")[1]
    name = f"{app}-{place}"
    routing = {} if is_local_zone(location) else latency(place, measured_as(location))
    if isinstance(entrance, AtBalancer):
        alias = {
            "name": entrance.dns_name,
            "zone_id": entrance.zone_id,
            "evaluate_target_health": True,
        }
        aws.route53.Record(
            name,
            zone_id=zone_id,
            name=entrance.host,
            type="A",
            aliases=[alias],
            opts=opts,
            **routing,
        )
        return
    check = aws.route53.HealthCheck(
        name,
        type="HTTPS",
        ip_address=entrance.address,
        fqdn=entrance.host,
        port=443,
        resource_path=HEALTH_PATH,
        request_interval=30,
        failure_threshold=3,
        tags=tags.aws,
        opts=opts,
    )
    aws.route53.Record(
        name,
        zone_id=zone_id,
        name=entrance.host,
        type="A",
        records=[entrance.address],
        ttl=TTL_SECONDS,
        health_check_id=check.id,
        opts=opts,
        **routing,
    )


def latency(place: str, region: str) -> dict[str, object]:
    return {"set_identifier": place, "latency_routing_policies": [{"region": region}]}


def measured_as(location: str) -> str:
    """The AWS region whose latency stands for this one; RunError where none is known."""
    cloud, region = location.split(":")
    if cloud == "aws":
        return region
    if region not in NEAREST_AWS_REGION:
        raise pulumi.RunError(
            f"{location}: no AWS region is known to be near; add it in components/aws/front.py"
        )
    return NEAREST_AWS_REGION[region]


def distribution(
    app: str, origin: pulumi.Input[str], tags: Tags, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """TLS near the users and a short way in: its domain name. Answers are personal: none is cached."""
    made = aws.cloudfront.Distribution(
        app,
        comment=f"{app}: a short way in, nothing cached",
        enabled=True,
        is_ipv6_enabled=True,
        http_version="http2and3",
        price_class="PriceClass_100",
        origins=[
            {
                "origin_id": "app",
                "domain_name": origin,
                "custom_origin_config": {
                    "http_port": 80,
                    "https_port": 443,
                    "origin_protocol_policy": "https-only",
                    "origin_ssl_protocols": ["TLSv1.2"],
                },
            }
        ],
        default_cache_behavior={
            "target_origin_id": "app",
            "viewer_protocol_policy": "https-only",
            "allowed_methods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
            "cached_methods": ["GET", "HEAD"],
            "compress": True,
            "cache_policy_id": CACHING_DISABLED,
            "origin_request_policy_id": ALL_VIEWER_EXCEPT_HOST,
        },
        restrictions={"geo_restriction": {"restriction_type": "none"}},
        viewer_certificate={"cloudfront_default_certificate": True},
        tags=tags.aws,
        opts=opts,
    )
    domain: pulumi.Output[str] = made.domain_name
    return domain
