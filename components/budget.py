"""Budgets per app, where each cloud keeps them; in a cluster, the quota of its ModelService."""

from __future__ import annotations

import pulumi

from components import facts
from components.portfolio import Portfolio
from components.tags import app_tags
from stacks.records import Stack


class AppBudget(pulumi.ComponentResource):
    """The monthly budget of one app: alerts on actual spend at each share, and on the forecast.

    Each cloud sees its own spend only, so each alerts on the whole budget.
    """

    def __init__(
        self,
        name: str,
        stack: Stack,
        portfolio: Portfolio,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        app, shared = stack.apps[name], stack.portfolio
        tags = app_tags(shared, name, app)
        told = {**facts.identity(tags), **facts.budget(app.budget)}
        super().__init__("fairweather:index:AppBudget", name, told, opts)
        child = pulumi.ResourceOptions(parent=self)
        full_name = f"{shared.name}-{shared.environment}-{name}"
        clouds = {region.split(":")[0] for region in app.regions}
        if "aws" in clouds:
            from components.aws.budgets import aws_budget

            assert portfolio.topic_arn is not None
            aws_budget(full_name, app.budget, ("app", name), portfolio.topic_arn, tags, child)
        if "gcp" in clouds:
            from components.google.budgets import google_budget

            assert shared.gcp is not None
            google_budget(
                full_name, app.budget, ("app", name), shared.gcp, portfolio.channels, child
            )
        self.register_outputs(told)
