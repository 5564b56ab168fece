"""Near the users: names that lead to the nearest region, and a CDN in front where asked."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components import facts
from components.model_service import ModelService
from components.serverless import ServerlessBackend
from components.tags import app_tags
from stacks.records import Stack, is_local_zone

NEAREST_AWS_REGION = {
    "us-central1": "us-east-2",
    "us-east1": "us-east-1",
    "us-west1": "us-west-2",
    "europe-west1": "eu-west-1",
    "europe-west4": "eu-central-1",
    "asia-east1": "ap-east-1",
    "asia-northeast1": "ap-northeast-1",
}
"""Route 53 measures latency to AWS regions only: a Google region answers for the nearest one."""
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""CloudFront's managed policies (CloudFront developer guide, "Use managed policies")."""
TTL_SECONDS = 60


class EdgeLocations(pulumi.ComponentResource):
    """Latency-routed records with health checks over an app's services, and a CloudFront distribution for `cdn`.

    The GPU nodes of a Local Zone belong to the app's ModelService there; its record is one more to choose from.
    """

    def __init__(
        self,
        name: str,
        services: Mapping[str, ModelService | ServerlessBackend],
        stack: Stack,
        *,
        zone_id: pulumi.Output[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        app = stack.apps[name]
        tags = app_tags(stack.portfolio, name, app)
        told = {**facts.identity(tags), "places": list(app.edge), "data_class": app.data_class}
        super().__init__("fairweather:index:EdgeLocations", name, told, opts)
        self._name, self._aws_tags, self._child = name, tags.aws, pulumi.ResourceOptions(parent=self)
        on_gpu = {place: s for place, s in services.items() if isinstance(s, ModelService)}
        zone = stack.portfolio.aws.hosted_zone if stack.portfolio.aws else None
        if zone_id is not None and zone is not None:
            for place, service in on_gpu.items():
                self._record(place, service, f"{name}.{zone}", zone_id)
        if "cdn" in app.edge:
            self._distribution(f"{name}.{zone}" if zone and on_gpu else None, next(iter(services.values())))
        self.register_outputs(told)

    def _record(self, location: str, service: ModelService, host: str, zone_id: pulumi.Output[str]) -> None:
        import pulumi_aws as aws

        cloud, place = location.split(":")
        unique = f"{self._name}-{place}"
        region = "-".join(place.split("-")[:3]) if cloud == "aws" else NEAREST_AWS_REGION.get(place, "us-east-1")
        if service.endpoint_zone is not None:
            if is_local_zone(location):
                return  # the balancer of its region answers; pods in the zone are behind it
            aws.route53.Record(
                unique,
                zone_id=zone_id,
                name=host,
                type="A",
                set_identifier=place,
                aliases=[
                    aws.route53.RecordAliasArgs(
                        name=service.endpoint, zone_id=service.endpoint_zone, evaluate_target_health=True
                    )
                ],
                latency_routing_policies=[aws.route53.RecordLatencyRoutingPolicyArgs(region=region)],
                opts=self._child,
            )
            return
        check = aws.route53.HealthCheck(
            unique,
            type="HTTPS",
            ip_address=service.endpoint,
            fqdn=host,
            port=443,
            resource_path="/healthz",
            request_interval=30,
            failure_threshold=3,
            tags=self._aws_tags,
            opts=self._child,
        )
        aws.route53.Record(
            unique,
            zone_id=zone_id,
            name=host,
            type="A",
            set_identifier=place,
            records=[service.endpoint],
            ttl=TTL_SECONDS,
            health_check_id=check.id,
            latency_routing_policies=[aws.route53.RecordLatencyRoutingPolicyArgs(region=region)],
            opts=self._child,
        )

    def _distribution(self, host: str | None, first: ModelService | ServerlessBackend) -> None:
        import pulumi_aws as aws

        origin = pulumi.Output.from_input(host or first.endpoint.apply(host_of))
        aws.cloudfront.Distribution(
            self._name,
            comment=f"{self._name}: TLS and a short way in; answers are not cached",
            enabled=True,
            is_ipv6_enabled=True,
            http_version="http2and3",
            price_class="PriceClass_100",
            origins=[
                aws.cloudfront.DistributionOriginArgs(
                    origin_id="app",
                    domain_name=origin,
                    custom_origin_config=aws.cloudfront.DistributionOriginCustomOriginConfigArgs(
                        http_port=80,
                        https_port=443,
                        origin_protocol_policy="https-only",
                        origin_ssl_protocols=["TLSv1.2"],
                    ),
                )
            ],
            default_cache_behavior=aws.cloudfront.DistributionDefaultCacheBehaviorArgs(
                target_origin_id="app",
                viewer_protocol_policy="https-only",
                allowed_methods=["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
                cached_methods=["GET", "HEAD"],
                compress=True,
                cache_policy_id=CACHING_DISABLED,
                origin_request_policy_id=ALL_VIEWER_EXCEPT_HOST,
            ),
            restrictions=aws.cloudfront.DistributionRestrictionsArgs(
                geo_restriction=aws.cloudfront.DistributionRestrictionsGeoRestrictionArgs(restriction_type="none")
            ),
            viewer_certificate=aws.cloudfront.DistributionViewerCertificateArgs(cloudfront_default_certificate=True),
            tags=self._aws_tags,
            opts=self._child,
        )


def host_of(address: str) -> str:
    """`https://host/path` -> `host`."""
    return address.split("://")[-1].split("/")[0]
