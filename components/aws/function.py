"""A Lambda function with an alias, and provisioned concurrency that follows the floor."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.iam import document, read_weights, trust
from components.aws.logs import log_group
from components.options import also
from components.schedule import changes, slug, steps, week
from components.tags import Tags, fitted
from stacks.models import Service
from stacks.records import Capacity, ServerlessServing

MIB_PER_GIB = 1024
NAME_LENGTH = 64
PROVISION_MINUTES = 5
"""How long Lambda takes to provision, beside the model's own cold start."""


def function(
    name: str,
    full_name: str,
    region: str,
    account: str,
    serving: ServerlessServing,
    service: Service,
    tags: Tags,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """The function's own URL, for callers that sign with IAM. `full_name` is its name on AWS."""
    place: dict[str, Any] = {"region": region, "opts": opts}
    model, full_name = service.model, fitted(full_name, NAME_LENGTH)
    logs = log_group(name, f"/aws/lambda/{full_name}", region, tags.aws, opts)
    role = aws.iam.Role(
        name, assume_role_policy=trust("lambda.amazonaws.com"), tags=tags.aws, opts=opts
    )
    own_logs = f"arn:aws:logs:{region}:{account}:log-group:/aws/lambda/{full_name}:*"
    allowed = aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=document(
            {
                "Sid": "Logs",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": own_logs,
            },
            {
                "Sid": "Traces",  # X-Ray knows no resources (service authorization reference)
                "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                "Resource": "*",
            },
            *read_weights(model.artifact),
        ),
        opts=opts,
    )
    made = aws.lambda_.Function(
        name,
        name=full_name,
        package_type="Image",
        image_uri=model.image,
        role=role.arn,
        memory_size=round(service.capacity.asked(serving).memory_limit_gib * MIB_PER_GIB),
        timeout=serving.timeout_seconds,
        reserved_concurrent_executions=service.capacity.ceiling,
        publish=True,
        tracing_config={"mode": "Active"},
        environment={"variables": {"MODEL_URI": model.artifact, "MODEL_DIGEST": model.digest}},
        tags=tags.aws,
        region=region,
        opts=also(opts, depends_on=[logs, allowed]),
    )
    alias = aws.lambda_.Alias(
        name, name="live", function_name=made.name, function_version=made.version, **place
    )
    url = aws.lambda_.FunctionUrl(
        name,
        function_name=made.name,
        qualifier=alias.name,
        authorization_type="AWS_IAM",
        **place,
    )
    if service.capacity.floor.peak:
        keep_warm(name, full_name, alias, serving, service.capacity, tags, region, opts)
    address: pulumi.Output[str] = url.function_url
    return address


def keep_warm(
    name: str,
    function_name: str,
    alias: aws.lambda_.Alias,
    serving: ServerlessServing,
    capacity: Capacity,
    tags: Tags,
    region: str,
    opts: pulumi.ResourceOptions,
) -> None:
    """Provisioned concurrency: the floor by schedule, the load by target tracking, up to the ceiling."""
    floor = steps(week(capacity.floor), serving.cold_start_minutes + PROVISION_MINUTES)
    target = aws.appautoscaling.Target(
        name,
        service_namespace="lambda",
        scalable_dimension="lambda:function:ProvisionedConcurrency",
        resource_id=alias.name.apply(lambda live: f"function:{function_name}:{live}"),
        min_capacity=min(step.size for step in floor),
        max_capacity=capacity.ceiling,
        tags=tags.aws,
        region=region,
        # The schedule owns the least from here on.
        opts=also(opts, ignore_changes=["minCapacity"]),
    )
    of_target: dict[str, Any] = {
        "service_namespace": target.service_namespace,
        "scalable_dimension": target.scalable_dimension,
        "resource_id": target.resource_id,
        "region": region,
        "opts": opts,
    }
    aws.appautoscaling.Policy(
        name,
        policy_type="TargetTrackingScaling",
        target_tracking_scaling_policy_configuration={
            "target_value": capacity.target_utilisation,
            "predefined_metric_specification": {
                "predefined_metric_type": "LambdaProvisionedConcurrencyUtilization"
            },
        },
        **of_target,
    )
    for change in changes(floor):
        action = f"{name}-{slug(change.recurrence)}"
        aws.appautoscaling.ScheduledAction(
            action,
            name=action,
            schedule=application_cron(change.recurrence),
            timezone="Etc/UTC",
            scalable_target_action={
                "min_capacity": change.size,
                "max_capacity": capacity.ceiling,
            },
            **of_target,
        )


def application_cron(recurrence: str) -> str:
    """Application Auto Scaling's cron: Sunday is 1, a `?` for the day of the month, a year."""
    minute, hour, _, _, days = recurrence.split(" ")
    named = days if days == "*" else ",".join(str(int(day) + 1) for day in days.split(","))
    return f"cron({minute} {hour} ? * {named} *)"
