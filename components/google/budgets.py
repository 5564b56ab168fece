"""Cost budgets on Google Cloud, and the channels that their alerts go to."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from components.tags import Tags
from stacks.records import Budget, GcpProject


def google_budget(
    name: str,
    budget: Budget,
    label: tuple[str, str],
    where: GcpProject,
    channels: Sequence[pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> None:
    """A monthly budget over everything in the project that carries one label (key, value)."""
    alerts = [("CURRENT_SPEND", share) for share in budget.alert_at] + [("FORECASTED_SPEND", 1.0)]
    told = {"monitoring_notification_channels": list(channels)} if channels else None
    gcp.billing.Budget(
        name,
        billing_account=where.billing_account,
        display_name=name,
        amount={"specified_amount": {"currency_code": "USD", "units": f"{budget.monthly_usd:.0f}"}},
        budget_filter={
            "projects": [f"projects/{where.project}"],
            "labels": {label[0]: label[1]},
            "calendar_period": "MONTH",
        },
        threshold_rules=[
            {"threshold_percent": share, "spend_basis": basis} for basis, share in alerts
        ],
        all_updates_rule=told,
        opts=opts,
    )


def alert_channels(
    name: str, project: str, emails: Sequence[str], tags: Tags, opts: pulumi.ResourceOptions
) -> list[pulumi.Output[str]]:
    """One e-mail channel for each address: their names."""
    return [
        gcp.monitoring.NotificationChannel(
            f"{name}-alerts-{number}",
            display_name=f"{name} alerts",
            project=project,
            type="email",
            labels={"email_address": address},
            user_labels=tags.google,
            opts=opts,
        ).name
        for number, address in enumerate(emails)
    ]
