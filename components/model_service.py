"""One app's model at one location of a cluster: the pods, their limits, and the autoscaler inside floor and ceiling."""

from __future__ import annotations

from typing import Any

import pulumi

from components import facts
from components.eks import EksCluster
from components.gke import GkeCluster
from components.gpu_pool import GPU_TAINT, POOL_LABEL, GpuPool
from components.inference_cluster import InferenceCluster
from components.schedule import windows
from components.tags import app_tags
from stacks.records import Capacity, GpuServing, ModelVersion, Stack, parent_region

PORT = 8080
IN_CLUSTER_PROMETHEUS = "http://prometheus-server.monitoring.svc"
SCALE_DOWN_SECONDS = 300
"""HPA's own default; the plan's replay assumes 30 minutes of memory at most."""


class ModelService(pulumi.ComponentResource):
    """Namespace, quota, deployment, network policies, disruption budget, autoscaler, and a way in.

    The live number of replicas is the autoscaler's: nothing here declares it.
    """

    endpoint: pulumi.Output[str]
    """Name or address that latency-routed records point at."""
    endpoint_zone: pulumi.Output[str] | None
    """Hosted zone of an AWS load balancer's name; None where the endpoint is an address."""

    def __init__(
        self,
        name: str,
        location: str,
        capacity: Capacity,
        model: ModelVersion,
        fairness: dict[str, Any] | None,
        cluster: InferenceCluster,
        stack: Stack,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        app = stack.apps[name]
        if not isinstance(app.serving, GpuServing):
            raise TypeError(f"{name} is serverless; a ModelService is for GPU apps")
        self._tags = app_tags(stack.portfolio, name, app)
        told = facts.service(self._tags, app, location, capacity, model, fairness)
        place = location.split(":")[1]
        self._unique = f"{name}-{place}"
        super().__init__("fairweather:index:ModelService", self._unique, told, opts)
        self._name, self._location, self._serving = name, location, app.serving
        self._capacity, self._model = capacity, model
        # A Local Zone shares its region's cluster, so its namespace needs another name.
        self._space = name if location in app.regions else f"{name}-{place}"
        inside = cluster.inside
        pool = GpuPool(
            self._unique, app.serving, location, capacity, inside, self._tags, opts=pulumi.ResourceOptions(parent=self)
        )
        self._child = pulumi.ResourceOptions(parent=self, provider=inside.provider)
        self._in_cluster(pool, stack)
        self._autoscaler(inside, stack)
        if isinstance(inside, EksCluster):
            self._behind_load_balancer(inside, stack)
        else:
            self._behind_ingress(inside, stack)
        self.register_outputs({**told, "endpoint": self.endpoint})

    def _meta(self, name: str, component: str, **more: Any) -> dict[str, Any]:
        labels = self._tags.labels(self._name, component, self._model.version)
        return {"name": name, "namespace": self._space, "labels": labels, **more}

    def _opts(self, *needs: pulumi.Resource, **more: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=list(needs), **more))

    def _in_cluster(self, pool: GpuPool, stack: Stack) -> None:
        import pulumi_kubernetes as kubernetes

        unique, serving, capacity = self._unique, self._serving, self._capacity
        gpus = str(capacity.ceiling * serving.gpus_per_replica)
        self._namespace = space = kubernetes.core.v1.Namespace(
            unique,
            metadata={
                "name": self._space,
                "labels": {
                    **self._tags.labels(self._name, "namespace"),
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
            opts=self._child,
        )
        inside = self._opts(space)
        kubernetes.core.v1.ResourceQuota(
            unique,
            metadata=self._meta("gpus", "quota"),
            spec={"hard": {"requests.nvidia.com/gpu": gpus, "services.loadbalancers": "0"}},
            opts=inside,
        )
        kubernetes.core.v1.LimitRange(
            unique,
            metadata=self._meta("containers", "limits"),
            spec={"limits": [{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"},
                              "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}]},
            opts=inside,
        )  # fmt: skip
        account = kubernetes.core.v1.ServiceAccount(
            unique,
            metadata=self._meta(self._name, "service-account"),
            automount_service_account_token=False,
            opts=inside,
        )
        select = {"app.kubernetes.io/name": self._name, "app.kubernetes.io/component": "model"}
        self._deployment = kubernetes.apps.v1.Deployment(
            unique,
            metadata=self._meta(self._name, "model", annotations={"pulumi.com/skipAwait": "true"}),
            spec={
                "selector": {"match_labels": select},
                "strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 1, "max_unavailable": 0}},
                "template": {
                    "metadata": {"labels": self._tags.labels(self._name, "model", self._model.version)},
                    "spec": self._pod(pool, select),
                },
            },
            opts=self._opts(space, account, ignore_changes=["spec.replicas"]),
        )
        self._service = kubernetes.core.v1.Service(
            unique,
            metadata=self._meta(self._name, "service", annotations={"pulumi.com/skipAwait": "true"}),
            spec={"selector": select, "ports": [{"name": "http", "port": 80, "target_port": PORT}]},
            opts=inside,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            unique,
            metadata=self._meta(self._name, "disruption-budget"),
            spec={"max_unavailable": 1, "selector": {"match_labels": select}},
            opts=inside,
        )
        kubernetes.networking.v1.NetworkPolicy(
            f"{unique}-deny",
            metadata=self._meta("deny-all", "network-policy"),
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            opts=inside,
        )
        cidr = stack.portfolio.cluster(parent_region(self._location)).cidr
        # Google's proxies come from these two ranges (cloud.google.com, "Health check probe ranges").
        sources = [cidr, "130.211.0.0/22", "35.191.0.0/16"] if self._location.startswith("gcp:") else [cidr]
        kubernetes.networking.v1.NetworkPolicy(
            unique,
            metadata=self._meta("serve", "network-policy"),
            spec={
                "pod_selector": {"match_labels": select},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [
                    {"from": [{"ip_block": {"cidr": block}} for block in sources], "ports": [{"protocol": "TCP", "port": PORT}]}
                ],
                "egress": [
                    {
                        "to": [{"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                    },
                    # Weights come from object storage.
                    {"ports": [{"protocol": "TCP", "port": 443}]},
                ],
            },
            opts=inside,
        )

    def _pod(self, pool: GpuPool, select: dict[str, str]) -> dict[str, Any]:
        serving = self._serving
        asked = {"cpu": f"{serving.resources.cpu:g}", "memory": f"{serving.resources.memory_gib:g}Gi"}
        probe = {"http_get": {"path": "/healthz", "port": PORT}, "period_seconds": 5}
        start_minutes = max(serving.cold_start_minutes, 1)
        return {
            "service_account_name": self._name,
            "automount_service_account_token": False,
            "termination_grace_period_seconds": 60,
            "node_selector": {POOL_LABEL: pool.label},
            "tolerations": [{"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
            "security_context": {
                "run_as_non_root": True,
                "run_as_user": 10001,
                "run_as_group": 10001,
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "topology_spread_constraints": [
                {
                    "max_skew": 1,
                    "topology_key": "topology.kubernetes.io/zone",
                    "when_unsatisfiable": "ScheduleAnyway",
                    "label_selector": {"match_labels": select},
                }
            ],
            "containers": [
                {
                    "name": "model",
                    "image": self._model.image,
                    "env": [
                        {"name": "MODEL_URI", "value": self._model.artifact},
                        {"name": "MODEL_DIGEST", "value": self._model.digest},
                    ],
                    "ports": [{"name": "http", "container_port": PORT}],
                    "resources": {
                        "requests": {**asked, "nvidia.com/gpu": str(serving.gpus_per_replica)},
                        # Memory is not compressible: the limit is the request. CPU may burst.
                        "limits": {"memory": asked["memory"], "nvidia.com/gpu": str(serving.gpus_per_replica)},
                    },
                    # A start may take twice what the plan assumes before it counts as failed.
                    "startup_probe": {**probe, "failure_threshold": round(start_minutes * 60 * 2 / 5)},
                    "readiness_probe": probe,
                    "liveness_probe": {**probe, "period_seconds": 10, "failure_threshold": 6},
                    "lifecycle": {"pre_stop": {"sleep": {"seconds": 10}}},
                    "security_context": {
                        "allow_privilege_escalation": False,
                        "read_only_root_filesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volume_mounts": [{"name": "work", "mount_path": "/work"}],
                }
            ],
            "volumes": [{"name": "work", "empty_dir": {"size_limit": "100Gi"}}],
        }

    def _autoscaler(self, inside: EksCluster | GkeCluster, stack: Stack) -> None:
        import pulumi_kubernetes as kubernetes

        capacity, serving = self._capacity, self._serving
        per_replica = serving.rps_per_replica * capacity.target_utilisation
        if serving.autoscaler == "hpa":
            kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
                self._unique,
                metadata=self._meta(self._name, "autoscaler"),
                spec={
                    "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": self._name},
                    # An HPA knows no schedule: what is needed at the peak stands all day.
                    "min_replicas": max(1, capacity.floor.peak),
                    "max_replicas": capacity.ceiling,
                    "metrics": [
                        {
                            "type": "Pods",
                            "pods": {
                                "metric": {"name": "inference_requests_per_second"},
                                "target": {"type": "AverageValue", "average_value": f"{per_replica:g}"},
                            },
                        }
                    ],
                },
                opts=self._opts(self._deployment),
            )
            return
        triggers = [
            {
                "type": "cron",
                "metadata": {"timezone": "Etc/UTC", "start": w.start, "end": w.end, "desiredReplicas": str(w.replicas)},
            }
            for w in windows(capacity.floor)
        ]
        load = {
            "serverAddress": stack.telemetry.demand.url or IN_CLUSTER_PROMETHEUS,
            "query": f'sum(rate(inference_requests_total{{app="{self._name}",location="{self._location}"}}[2m]))',
            "threshold": f"{per_replica:g}",
        }
        kubernetes.apiextensions.CustomResource(
            self._unique,
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata=self._meta(self._name, "autoscaler"),
            spec={
                "scaleTargetRef": {"name": self._name},
                "minReplicaCount": capacity.floor.least,
                "maxReplicaCount": capacity.ceiling,
                "cooldownPeriod": SCALE_DOWN_SECONDS,
                "triggers": [*triggers, {"type": "prometheus", "metadata": load}],
            },
            opts=self._opts(self._deployment, *inside.controllers),
        )

    def _host(self, stack: Stack) -> str:
        zone = stack.portfolio.aws.hosted_zone if stack.portfolio.aws else None
        return f"{self._name}.{zone or 'internal'}"

    def _behind_load_balancer(self, inside: EksCluster, stack: Stack) -> None:
        import pulumi_aws as aws
        import pulumi_kubernetes as kubernetes

        opts = pulumi.ResourceOptions(parent=self)
        group = aws.lb.TargetGroup(
            self._unique,
            port=PORT,
            protocol="HTTP",
            target_type="ip",
            vpc_id=inside.network.vpc_id,
            deregistration_delay=30,
            health_check=aws.lb.TargetGroupHealthCheckArgs(path="/healthz", interval=10, healthy_threshold=2),
            tags=self._tags.aws,
            region=inside.region,
            opts=opts,
        )
        zoned = self._space != self._name  # a Local Zone answers under a name of its own
        host = f"{self._unique}.{self._host(stack).split('.', 1)[1]}" if zoned else self._host(stack)
        aws.lb.ListenerRule(
            self._unique,
            listener_arn=inside.listener_arn,
            conditions=[aws.lb.ListenerRuleConditionArgs(host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(values=[host]))],
            actions=[aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=group.arn)],
            tags=self._tags.aws,
            region=inside.region,
            opts=opts,
        )
        kubernetes.apiextensions.CustomResource(
            f"{self._unique}-binding",
            api_version="elbv2.k8s.aws/v1beta1",
            kind="TargetGroupBinding",
            metadata=self._meta(self._name, "target-group-binding"),
            spec={"serviceRef": {"name": self._name, "port": 80}, "targetGroupARN": group.arn, "targetType": "ip"},
            opts=self._opts(self._service, *inside.controllers),
        )
        self.endpoint, self.endpoint_zone = inside.endpoint, inside.endpoint_zone

    def _behind_ingress(self, inside: GkeCluster, stack: Stack) -> None:
        import pulumi_gcp as gcp
        import pulumi_kubernetes as kubernetes

        address = gcp.compute.GlobalAddress(
            self._unique,
            name=f"{stack.portfolio.name}-{stack.portfolio.environment}-{self._unique}",
            project=inside.project,
            labels=self._tags.gcp,
            opts=pulumi.ResourceOptions(parent=self),
        )
        kubernetes.networking.v1.Ingress(
            self._unique,
            metadata=self._meta(
                self._name,
                "ingress",
                annotations={
                    "kubernetes.io/ingress.class": "gce",
                    "kubernetes.io/ingress.global-static-ip-name": address.name,
                    "kubernetes.io/ingress.allow-http": "false",
                    "pulumi.com/skipAwait": "true",
                },
            ),
            spec={
                "tls": [{"hosts": [self._host(stack)], "secret_name": f"{self._name}-tls"}],
                "default_backend": {"service": {"name": self._name, "port": {"number": 80}}},
            },
            opts=self._opts(self._service),
        )
        self.endpoint, self.endpoint_zone = address.address, None

