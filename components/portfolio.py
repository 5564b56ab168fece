"""What the whole portfolio shares: where alerts go, the DNS zone, the key, the budget of everything."""

from __future__ import annotations

import json

import pulumi

from components import facts
from components.budget import aws_budget
from components.tags import Tags, shared_tags
from stacks.records import Stack


class Portfolio(pulumi.ComponentResource):
    """Portfolio-wide resources: an encrypted topic for alerts, the apps' DNS zone, the budget of the whole.

    On Google Cloud, e-mail channels for budget alerts.
    """

    tags: Tags
    topic_arn: pulumi.Output[str] | None
    zone_id: pulumi.Output[str] | None
    channels: list[pulumi.Output[str]]

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        portfolio = stack.portfolio
        self.tags = shared_tags(portfolio)
        told = {
            **facts.identity(self.tags),
            "monthly_budget_usd": portfolio.budget.monthly_usd,
            "alert_at": list(portfolio.budget.alert_at),
            "apps": list(stack.apps),
            "locations": list(stack.regions()),
        }
        super().__init__("fairweather:index:Portfolio", portfolio.name, told, opts)
        self.topic_arn = self.zone_id = None
        self.channels = []
        if portfolio.aws is not None:
            self._on_aws(stack)
        if portfolio.gcp is not None and any(region.startswith("gcp:") for region in stack.regions()):
            self._on_google(stack)
        self.register_outputs({**told, "topic_arn": self.topic_arn, "zone_id": self.zone_id})

    def _on_aws(self, stack: Stack) -> None:
        import pulumi_aws as aws

        portfolio, child, tags = stack.portfolio, pulumi.ResourceOptions(parent=self), self.tags.aws
        account = portfolio.aws.account_id if portfolio.aws else ""
        name = f"{portfolio.name}-{portfolio.environment}"
        key = aws.kms.Key(
            f"{name}-alerts",
            description=f"Alerts of {name}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=alerts_key_policy(account),
            tags=tags,
            opts=child,
        )
        topic = aws.sns.Topic(f"{name}-alerts", kms_master_key_id=key.key_id, tags=tags, opts=child)
        aws.sns.TopicPolicy(
            f"{name}-alerts", arn=topic.arn, policy=topic.arn.apply(lambda arn: publish_policy(arn, account)), opts=child
        )
        for number, address in enumerate(portfolio.alert_emails):
            aws.sns.TopicSubscription(
                f"{name}-alerts-{number}", topic=topic.arn, protocol="email", endpoint=address, opts=child
            )
        self.topic_arn = topic.arn
        if portfolio.aws and portfolio.aws.hosted_zone:
            zone = aws.route53.Zone(f"{name}-zone", name=portfolio.aws.hosted_zone, tags=tags, opts=child)
            self.zone_id = zone.zone_id
        aws_budget(name, portfolio.budget, ("portfolio", portfolio.name), topic.arn, tags, child)

    def _on_google(self, stack: Stack) -> None:
        import pulumi_gcp as gcp

        portfolio = stack.portfolio
        for number, address in enumerate(portfolio.alert_emails):
            channel = gcp.monitoring.NotificationChannel(
                f"{portfolio.name}-alerts-{number}",
                display_name=f"{portfolio.name} alerts",
                project=portfolio.gcp.project if portfolio.gcp else None,
                type="email",
                labels={"email_address": address},
                user_labels=self.tags.gcp,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.channels.append(channel.name)


def alerts_key_policy(account: str) -> str:
    """Administered by the account, used by budgets and the topic that carries their alerts."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Administer",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                },
                {
                    "Sid": "Alert",
                    "Effect": "Allow",
                    "Principal": {"Service": ["budgets.amazonaws.com", "sns.amazonaws.com"]},
                    "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": account}},
                },
            ],
        }
    )


def publish_policy(topic_arn: str, account: str) -> str:
    """Budgets of this account, and nobody else's, publish to the topic."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Budgets",
                    "Effect": "Allow",
                    "Principal": {"Service": "budgets.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": topic_arn,
                    "Condition": {"StringEquals": {"aws:SourceAccount": account}},
                }
            ],
        }
    )
