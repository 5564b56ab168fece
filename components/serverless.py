"""An app without GPUs: Lambda on AWS, Cloud Run on Google Cloud, warm by the same floor."""

from __future__ import annotations

import pulumi

from components import facts
from components.entrance import AtUrl, Entrance
from components.tags import app_tags
from stacks.models import Service
from stacks.records import ServerlessServing, Stack


class ServerlessBackend(pulumi.ComponentResource):
    """One function or service at one region.

    Lambda: provisioned concurrency follows the floor by schedule, ahead of need, and a
    target-tracking policy moves it up to the ceiling. Cloud Run knows no schedule: its minimum
    instances are the least floor.
    """

    endpoint: pulumi.Output[str]
    """URL; callers sign their requests."""

    def __init__(
        self, service: Service, stack: Stack, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Raises TypeError for an app that runs on GPUs."""
        app, portfolio = stack.apps[service.name], stack.portfolio
        if not isinstance(app.serving, ServerlessServing):
            raise TypeError(f"{service.name} runs on GPUs; a ServerlessBackend needs none")
        cloud, region = service.location.split(":")
        tags = app_tags(portfolio, service.name, app)
        told = facts.service(tags, app, service)
        unique = f"{service.name}-{region}"
        full_name = f"{portfolio.name}-{portfolio.environment}-{unique}"
        super().__init__("fairweather:index:ServerlessBackend", unique, told, opts)
        # After the line above, which turns the facts into attributes.
        self.name, self.location = service.name, service.location
        child = pulumi.ResourceOptions(parent=self)
        if cloud == "aws":
            from components.aws.function import function

            assert portfolio.aws is not None
            account = portfolio.aws.account_id
            self.endpoint = function(
                unique, full_name, region, account, app.serving, service, tags, child
            )
        else:
            from components.google.run import run

            assert portfolio.gcp is not None
            self.endpoint = run(
                unique,
                full_name,
                region,
                portfolio.gcp.project,
                app.serving,
                service,
                tags,
                protect=portfolio.environment == "prod",
                opts=child,
            )
        self.entrance: Entrance = AtUrl(self.endpoint)
        self.register_outputs({**told, "endpoint": self.endpoint})
