"""Cost budgets on AWS, and the topic that their alerts go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from components.aws.iam import administered_by, document
from components.tags import Tags
from stacks.records import Budget


def aws_budget(
    name: str,
    budget: Budget,
    tag: tuple[str, str],
    topic_arn: pulumi.Input[str],
    tags: Tags,
    opts: pulumi.ResourceOptions,
) -> None:
    """A monthly budget over everything that carries one tag (key, value)."""
    alerts = [("ACTUAL", share) for share in budget.alert_at] + [("FORECASTED", 1.0)]
    aws.budgets.Budget(
        name,
        name=name,
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=f"{budget.monthly_usd:.2f}",
        limit_unit="USD",
        # `user:` are tags of the account's own, once they are activated for billing.
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{tag[0]}${tag[1]}"]}],
        notifications=[
            {
                "notification_type": kind,
                "comparison_operator": "GREATER_THAN",
                "threshold": round(100 * share, 1),
                "threshold_type": "PERCENTAGE",
                "subscriber_sns_topic_arns": [topic_arn],
            }
            for kind, share in alerts
        ],
        tags=tags.aws,
        opts=opts,
    )


def alerts_topic(
    name: str,
    account: str,
    emails: Sequence[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """An encrypted topic for this account's budget alerts, and who reads it: its ARN."""
    key = aws.kms.Key(
        f"{name}-alerts",
        description=f"Alerts of {name}",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=document(administered_by(account), {**from_budgets(account), **USE_KEY}),
        tags=tags,
        opts=opts,
    )
    topic = aws.sns.Topic(f"{name}-alerts", kms_master_key_id=key.key_id, tags=tags, opts=opts)
    publish = {**from_budgets(account), "Action": "sns:Publish"}
    aws.sns.TopicPolicy(
        f"{name}-alerts",
        arn=topic.arn,
        policy=topic.arn.apply(lambda arn: document({**publish, "Resource": arn})),
        opts=opts,
    )
    for number, address in enumerate(emails):
        aws.sns.TopicSubscription(
            f"{name}-alerts-{number}",
            topic=topic.arn,
            protocol="email",
            endpoint=address,
            opts=opts,
        )
    arn: pulumi.Output[str] = topic.arn
    return arn


USE_KEY = {"Action": ["kms:GenerateDataKey*", "kms:Decrypt"], "Resource": "*"}


def from_budgets(account: str) -> dict[str, object]:
    """AWS Budgets for this account, and nobody else's."""
    return {
        "Sid": "Budgets",
        "Principal": {"Service": "budgets.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
