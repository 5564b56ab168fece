"""Near the users: names that lead to the nearest place, and a CDN in front where asked."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components import facts
from components.entrance import AtBalancer, AtUrl
from components.model_service import ModelService
from components.portfolio import Portfolio
from components.serverless import ServerlessBackend
from components.tags import app_tags
from stacks.records import Stack, is_local_zone

Backend = ModelService | ServerlessBackend


class EdgeLocations(pulumi.ComponentResource):
    """Latency-routed records over an app's services, each with a health check, and a CloudFront
    distribution for `cdn`.

    A Local Zone's subnets belong to its cluster and are shared (`aws/local_zone.py`), its nodes to
    the app's ModelService there; its record stands here, under a name of its own.
    """

    cdn_domain: pulumi.Output[str] | None
    """Where the distribution answers."""

    def __init__(
        self,
        name: str,
        services: Sequence[Backend],
        stack: Stack,
        portfolio: Portfolio,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Raises pulumi.RunError for a CDN whose origin could not be reached."""
        app = stack.apps[name]
        tags = app_tags(stack.portfolio, name, app)
        told = {
            **facts.identity(tags),
            "places": list(app.edge),
            "local_zones": [place for place in app.locations if is_local_zone(place)],
            "data_class": app.data_class,
        }
        super().__init__("fairweather:index:EdgeLocations", name, told, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.cdn_domain = None
        if portfolio.zone_id is not None:
            from components.aws.front import record

            for service in services:
                if not isinstance(service.entrance, AtUrl):
                    record(name, service.location, service.entrance, portfolio.zone_id, tags, child)
        if "cdn" in app.edge:
            from components.aws.front import distribution

            origin = origin_of(name, services, stack)
            self.cdn_domain = distribution(name, origin, tags, child)
        self.register_outputs({**told, "cdn_domain": self.cdn_domain})


def origin_of(name: str, services: Sequence[Backend], stack: Stack) -> pulumi.Input[str]:
    """The host that the CDN asks: the app's own name, or a service's where it has none."""
    account, first = stack.portfolio.aws, services[0].entrance
    where = f"apps.{name}.edge: cdn"
    if account is None:
        raise pulumi.RunError(f"{where}: is CloudFront's, so add portfolio.aws, or remove it")
    if isinstance(first, AtUrl):
        if services[0].location.startswith("aws:"):
            raise pulumi.RunError(
                f"{where}: callers of a function sign for it, and a CDN in between breaks that; "
                "remove it"
            )
        return first.url.apply(host_of)
    if account.hosted_zone is None:
        raise pulumi.RunError(
            f"{where}: the CDN needs the app's name; add portfolio.aws.hosted_zone"
        )
    for service in services:
        entrance = service.entrance
        if isinstance(entrance, AtBalancer) and not entrance.public:
            raise pulumi.RunError(
                f"{where}: the CDN speaks TLS to its origin; "
                f"add {service.location} under portfolio.aws.certificate_arns"
            )
    return first.host


def host_of(url: str) -> str:
    """`https://host/path` -> `host`."""
    return url.rsplit("://", maxsplit=1)[-1].split("/", maxsplit=1)[0]
