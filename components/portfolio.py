"""What the whole portfolio shares: where alerts go, the DNS zone, the budget of everything."""

from __future__ import annotations

import pulumi

from components import facts
from components.tags import Tags, shared_tags
from stacks.records import AwsAccount, GcpProject, Stack


class Portfolio(pulumi.ComponentResource):
    """Portfolio-wide facts. On AWS an encrypted topic for alerts, the apps' DNS zone and the budget
    of the whole; on Google Cloud e-mail channels and the same budget.
    """

    topic_arn: pulumi.Output[str] | None
    """Where AWS sends alerts; None without an AWS account."""
    zone_id: pulumi.Output[str] | None
    """Of the apps' DNS zone; None where the stack file names none."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        shared, regions = stack.portfolio, stack.regions()
        tags = shared_tags(shared)
        told = {
            **facts.identity(tags),
            **facts.budget(shared.budget),
            "apps": list(stack.apps),
            "locations": list(regions),
        }
        super().__init__("fairweather:index:Portfolio", shared.name, told, opts)
        self.topic_arn, self.zone_id = None, None
        self.channels: list[pulumi.Output[str]] = []
        """Where Google Cloud sends alerts."""
        if shared.aws is not None:
            self._on_aws(stack, shared.aws, tags)
        if shared.gcp is not None and any(region.startswith("gcp:") for region in regions):
            self._on_google(stack, shared.gcp, tags)
        self.register_outputs({**told, "topic_arn": self.topic_arn, "zone_id": self.zone_id})

    def _on_aws(self, stack: Stack, account: AwsAccount, tags: Tags) -> None:
        import pulumi_aws as aws

        from components.aws.budgets import alerts_topic, aws_budget

        shared, child = stack.portfolio, pulumi.ResourceOptions(parent=self)
        name = f"{shared.name}-{shared.environment}"
        self.topic_arn = alerts_topic(
            name, account.account_id, shared.alert_emails, tags.aws, child
        )
        if account.hosted_zone:
            zone = aws.route53.Zone(
                f"{name}-zone", name=account.hosted_zone, tags=tags.aws, opts=child
            )
            self.zone_id = zone.zone_id
        whole = ("portfolio", shared.name)
        aws_budget(name, shared.budget, whole, self.topic_arn, tags, child)

    def _on_google(self, stack: Stack, where: GcpProject, tags: Tags) -> None:
        from components.google.budgets import alert_channels, google_budget

        shared, child = stack.portfolio, pulumi.ResourceOptions(parent=self)
        name = f"{shared.name}-{shared.environment}"
        self.channels = alert_channels(name, where.project, shared.alert_emails, tags, child)
        google_budget(name, shared.budget, ("portfolio", shared.name), where, self.channels, child)
