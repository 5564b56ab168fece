"""Budgets per app, where each cloud keeps them. Inside a cluster the app's ResourceQuota (model_service.py) holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components import facts
from components.tags import app_tags
from stacks.records import App, Budget, Portfolio


class AppBudget(pulumi.ComponentResource):
    """The monthly budget of one app: alerts on actual spend at each share, and once on the forecast of the whole."""

    def __init__(
        self,
        name: str,
        app: App,
        portfolio: Portfolio,
        *,
        topic_arn: pulumi.Output[str] | None,
        channels: Sequence[pulumi.Output[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        tags = app_tags(portfolio, name, app)
        told = {
            **facts.identity(tags),
            "monthly_budget_usd": app.budget.monthly_usd,
            "alert_at": list(app.budget.alert_at),
        }
        super().__init__("fairweather:index:AppBudget", name, told, opts)
        child = pulumi.ResourceOptions(parent=self)
        full_name = f"{portfolio.name}-{portfolio.environment}-{name}"
        if any(region.startswith("aws:") for region in app.regions) and topic_arn is not None:
            aws_budget(full_name, app.budget, ("app", name), topic_arn, tags.aws, child)
        if portfolio.gcp is not None and any(region.startswith("gcp:") for region in app.regions):
            google_budget(full_name, app.budget, name, portfolio, channels, child)
        self.register_outputs(told)


def aws_budget(
    name: str,
    budget: Budget,
    tag: tuple[str, str],
    topic_arn: pulumi.Input[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    """A cost budget over everything that carries one tag."""
    import pulumi_aws as aws

    def notification(kind: str, share: float) -> aws.budgets.BudgetNotificationArgs:
        return aws.budgets.BudgetNotificationArgs(
            comparison_operator="GREATER_THAN",
            notification_type=kind,
            threshold=round(100 * share, 1),
            threshold_type="PERCENTAGE",
            subscriber_sns_topic_arns=[topic_arn],
        )

    aws.budgets.Budget(
        name,
        name=name,
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=f"{budget.monthly_usd:g}" if budget.monthly_usd < 1e5 else str(round(budget.monthly_usd, 2)),
        limit_unit="USD",
        cost_filters=[
            aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:{tag[0]}${tag[1]}"]),
        ],
        notifications=[notification("ACTUAL", share) for share in budget.alert_at] + [notification("FORECASTED", 1.0)],
        tags=tags,
        opts=opts,
    )


def google_budget(
    name: str,
    budget: Budget,
    app: str,
    portfolio: Portfolio,
    channels: Sequence[pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> None:
    """The same on Google Cloud, by label."""
    import pulumi_gcp as gcp

    assert portfolio.gcp is not None
    rules = [
        gcp.billing.BudgetThresholdRuleArgs(threshold_percent=share, spend_basis="CURRENT_SPEND")
        for share in budget.alert_at
    ]
    gcp.billing.Budget(
        name,
        billing_account=portfolio.gcp.billing_account,
        display_name=name,
        amount=gcp.billing.BudgetAmountArgs(
            specified_amount=gcp.billing.BudgetAmountSpecifiedAmountArgs(
                currency_code=portfolio.currency, units=str(round(budget.monthly_usd))
            )
        ),
        budget_filter=gcp.billing.BudgetBudgetFilterArgs(
            projects=[f"projects/{portfolio.gcp.project}"], labels={"app": app}, calendar_period="MONTH"
        ),
        threshold_rules=[
            *rules,
            gcp.billing.BudgetThresholdRuleArgs(threshold_percent=1.0, spend_basis="FORECASTED_SPEND"),
        ],
        all_updates_rule=gcp.billing.BudgetAllUpdatesRuleArgs(monitoring_notification_channels=list(channels))
        if channels
        else None,
        opts=opts,
    )
