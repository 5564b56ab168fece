"""An app without GPUs: Lambda on AWS, Cloud Run on Google Cloud, warm by the same floor."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from components import facts
from components.eks import LOG_RETENTION_DAYS, trust
from components.schedule import changes, week
from components.tags import app_tags
from stacks.records import Capacity, ModelVersion, ServerlessServing, Stack

LAMBDA_MIB_PER_GIB = 1024
WARM_UP_MINUTES = 5
"""How long Lambda takes to provision, beside the model's own cold start."""


class ServerlessBackend(pulumi.ComponentResource):
    """One function or service at one region.

    Lambda: provisioned concurrency follows the floor by schedule, a target-tracking policy moves it up to the ceiling.
    Cloud Run cannot schedule its minimum instances, so the least floor is what always stands.
    """

    endpoint: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        location: str,
        capacity: Capacity,
        model: ModelVersion,
        fairness: dict[str, Any] | None,
        stack: Stack,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        app = stack.apps[name]
        if not isinstance(app.serving, ServerlessServing):
            raise TypeError(f"{name} runs on GPUs; a ServerlessBackend is for serverless apps")
        self._tags = app_tags(stack.portfolio, name, app)
        told = facts.service(self._tags, app, location, capacity, model, fairness)
        self._unique = f"{name}-{location.split(':')[1]}"
        super().__init__("fairweather:index:ServerlessBackend", self._unique, told, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        on = self._on_aws if location.startswith("aws:") else self._on_google
        on(location.split(":")[1], app.serving, capacity, model, stack)
        self.register_outputs({**told, "endpoint": self.endpoint})

    def _on_aws(
        self, region: str, serving: ServerlessServing, capacity: Capacity, model: ModelVersion, stack: Stack
    ) -> None:
        import pulumi_aws as aws

        place: dict[str, Any] = {"region": region, "opts": self._child}
        name = f"{stack.portfolio.name}-{stack.portfolio.environment}-{self._unique}"
        account = stack.portfolio.aws.account_id if stack.portfolio.aws else ""
        logs = aws.cloudwatch.LogGroup(
            self._unique,
            name=f"/aws/lambda/{name}",
            retention_in_days=LOG_RETENTION_DAYS,
            tags=self._tags.aws,
            **place,
        )
        role = aws.iam.Role(
            self._unique, assume_role_policy=trust("lambda.amazonaws.com"), tags=self._tags.aws, opts=self._child
        )
        allowed = aws.iam.RolePolicy(
            self._unique, role=role.name, policy=write_logs_policy(region, account, name), opts=self._child
        )
        function = aws.lambda_.Function(
            self._unique,
            name=name,
            package_type="Image",
            image_uri=model.image,
            role=role.arn,
            memory_size=round(serving.resources.memory_gib * LAMBDA_MIB_PER_GIB),
            timeout=serving.timeout_seconds,
            reserved_concurrent_executions=capacity.ceiling,
            publish=True,
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            environment=aws.lambda_.FunctionEnvironmentArgs(
                variables={"MODEL_URI": model.artifact, "MODEL_DIGEST": model.digest}
            ),
            tags=self._tags.aws,
            region=region,
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=[logs, allowed])),
        )
        alias = aws.lambda_.Alias(
            self._unique, name="live", function_name=function.name, function_version=function.version, **place
        )
        url = aws.lambda_.FunctionUrl(
            self._unique, function_name=function.name, qualifier=alias.name, authorization_type="AWS_IAM", **place
        )
        self._warm(aws, name, alias, serving, capacity, place)
        self.endpoint = url.function_url

    def _warm(
        self, aws: Any, function: str, alias: Any, serving: ServerlessServing, capacity: Capacity, place: dict[str, Any]
    ) -> None:
        sizes = week(capacity.floor)
        if max(sizes) == 0:
            return
        target = aws.appautoscaling.Target(
            self._unique,
            service_namespace="lambda",
            scalable_dimension="lambda:function:ProvisionedConcurrency",
            resource_id=alias.name.apply(lambda version: f"function:{function}:{version}"),
            min_capacity=min(sizes),
            max_capacity=capacity.ceiling,
            tags=self._tags.aws,
            **place,
        )
        same = {
            "service_namespace": target.service_namespace,
            "scalable_dimension": target.scalable_dimension,
            "resource_id": target.resource_id,
        }
        aws.appautoscaling.Policy(
            self._unique,
            policy_type="TargetTrackingScaling",
            target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=capacity.target_utilisation,
                predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="LambdaProvisionedConcurrencyUtilization"
                ),
            ),
            **same,
            **place,
        )
        for change in changes(sizes, serving.cold_start_minutes + WARM_UP_MINUTES):
            minute, hour, _, _, days = change.recurrence.split(" ")
            name = f"{self._unique}-{minute}.{hour}.{days.replace('*', 'x').replace(',', '')}"
            aws.appautoscaling.ScheduledAction(
                name,
                name=name,
                # Application Auto Scaling counts Sunday as 1 and wants one of the two day fields to be `?`.
                schedule=f"cron({minute} {hour} ? * {application_days(days)} *)",
                timezone="Etc/UTC",
                scalable_target_action=aws.appautoscaling.ScheduledActionScalableTargetActionArgs(
                    min_capacity=change.size, max_capacity=capacity.ceiling
                ),
                **same,
                **place,
            )

    def _on_google(
        self, region: str, serving: ServerlessServing, capacity: Capacity, model: ModelVersion, stack: Stack
    ) -> None:
        import pulumi_gcp as gcp

        assert stack.portfolio.gcp is not None
        project = stack.portfolio.gcp.project
        name = f"{stack.portfolio.name}-{stack.portfolio.environment}-{self._unique}"
        account = gcp.serviceaccount.Account(
            self._unique, account_id=name[:30].rstrip("-"), project=project, display_name=name, opts=self._child
        )
        service = gcp.cloudrunv2.Service(
            self._unique,
            name=name[:49].rstrip("-"),
            project=project,
            location=region,
            ingress="INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
            deletion_protection=stack.portfolio.environment == "prod",
            labels=self._tags.gcp,
            template=gcp.cloudrunv2.ServiceTemplateArgs(
                service_account=account.email,
                timeout=f"{serving.timeout_seconds}s",
                labels=self._tags.gcp,
                max_instance_request_concurrency=max(1, round(serving.rps_per_replica)),
                scaling=gcp.cloudrunv2.ServiceTemplateScalingArgs(
                    min_instance_count=capacity.floor.least, max_instance_count=capacity.ceiling
                ),
                containers=[
                    gcp.cloudrunv2.ServiceTemplateContainerArgs(
                        image=model.image,
                        resources=gcp.cloudrunv2.ServiceTemplateContainerResourcesArgs(
                            limits={
                                "cpu": f"{serving.resources.cpu:g}",
                                "memory": f"{serving.resources.memory_gib:g}Gi",
                            },
                            cpu_idle=True,
                            startup_cpu_boost=True,
                        ),
                        envs=[
                            gcp.cloudrunv2.ServiceTemplateContainerEnvArgs(name="MODEL_URI", value=model.artifact),
                            gcp.cloudrunv2.ServiceTemplateContainerEnvArgs(name="MODEL_DIGEST", value=model.digest),
                        ],
                    )
                ],
            ),
            opts=self._child,
        )
        self.endpoint = service.uri


def application_days(cron_days: str) -> str:
    """`1,2` (Monday is 1) -> `2,3` (Sunday is 1)."""
    return "*" if cron_days == "*" else ",".join(str(int(day) + 1) for day in cron_days.split(","))


def write_logs_policy(region: str, account: str, function: str) -> str:
    """Its own log group and trace segments, nothing else."""
    group = f"arn:aws:logs:{region}:{account}:log-group:/aws/lambda/{function}:*"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": group},
                # X-Ray knows no resources (service authorization reference).
                {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
            ],
        }
    )
