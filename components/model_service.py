"""One app's model at one location of a cluster: GPU nodes, pods, limits, autoscaler and a way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from components import facts
from components.entrance import Entrance
from components.gpu_pool import GpuPool
from components.inference_cluster import InferenceCluster
from components.options import also
from components.tags import app_tags
from stacks.models import Service
from stacks.records import GpuServing, Stack, is_local_zone, parent_region

if TYPE_CHECKING:
    import pulumi_kubernetes as kubernetes


class ModelService(pulumi.ComponentResource):
    """A GPU pool, and in the cluster: namespace, quota, deployment, network policies, disruption
    budget, autoscaler and a way in.

    The live number of replicas is the autoscaler's: nothing here declares it.
    """

    endpoint: pulumi.Output[str]
    """Name or address at which the app answers."""

    def __init__(
        self,
        service: Service,
        cluster: InferenceCluster,
        stack: Stack,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Raises TypeError for an app that does not run on GPUs."""
        app = stack.apps[service.name]
        if not isinstance(app.serving, GpuServing):
            raise TypeError(f"{service.name} is serverless; a ModelService is for GPU apps")
        self._tags = app_tags(stack.portfolio, service.name, app)
        self._place = service.location.split(":")[1]
        self._unique = f"{service.name}-{self._place}"
        told = facts.service(self._tags, app, service)
        super().__init__("fairweather:index:ModelService", self._unique, told, opts)
        # After the line above, which turns the facts into attributes.
        self.name, self.location = service.name, service.location
        # A Local Zone shares its region's cluster, so its namespace has another name.
        self._space = self._unique if is_local_zone(service.location) else service.name
        self._service, self._serving, self._stack = service, app.serving, stack
        inside = cluster.eks or cluster.gke
        assert inside is not None
        self._in_cluster = pulumi.ResourceOptions(parent=self, provider=inside.provider)
        pool = GpuPool(
            self._unique,
            app.serving,
            service.location,
            service.capacity,
            cluster,
            self._tags,
            pulumi.ResourceOptions(parent=self),
        )
        self._namespace = self._make_namespace()
        deployment = self._deployment(pool, cluster)
        front = self._front()
        self._network_policies()
        self._autoscaler(deployment, inside.controllers)
        self.entrance, self.endpoint = self._way_in(front, cluster)
        self.register_outputs({**told, "endpoint": self.endpoint})

    @property
    def _select(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": "model"}

    @property
    def _rollout(self) -> dict[str, int]:
        """One new pod first; one old pod away first where no node may be added for the new one."""
        capacity = self._service.capacity
        room = int(capacity.ceiling > capacity.floor.least)
        return {"max_surge": room, "max_unavailable": 1 - room}

    @property
    def _inside(self) -> pulumi.ResourceOptions:
        return also(self._in_cluster, depends_on=[self._namespace])

    def _meta(self, name: str, component: str, **annotations: Any) -> dict[str, Any]:
        labels = self._tags.labels(component, self._service.model.version)
        more = {"annotations": annotations} if annotations else {}
        return {"name": name, "namespace": self._space, "labels": labels, **more}

    def _make_namespace(self) -> kubernetes.core.v1.Namespace:
        import pulumi_kubernetes as kubernetes

        level = "restricted"
        space = kubernetes.core.v1.Namespace(
            self._unique,
            metadata={
                "name": self._space,
                "labels": {
                    **self._tags.labels("namespace"),
                    "pod-security.kubernetes.io/enforce": level,
                    "pod-security.kubernetes.io/warn": level,
                },
            },
            opts=self._in_cluster,
        )
        # The app's budget inside the cluster: the ceiling, and one more while a new version rolls out.
        pods = self._service.capacity.ceiling + 1
        asked = self._service.capacity.asked(self._serving)
        kubernetes.core.v1.ResourceQuota(
            self._unique,
            metadata=self._meta("ceiling", "quota"),
            spec={
                "hard": {
                    "requests.nvidia.com/gpu": str(pods * self._serving.gpus_per_replica),
                    "requests.cpu": f"{pods * asked.cpu:g}",
                    "limits.memory": f"{pods * asked.memory_limit_gib:g}Gi",
                    "services.loadbalancers": "0",
                }
            },
            opts=also(self._in_cluster, depends_on=[space]),
        )
        return space

    def _deployment(
        self, pool: GpuPool, cluster: InferenceCluster
    ) -> kubernetes.apps.v1.Deployment:
        import pulumi_kubernetes as kubernetes

        from components.kubernetes.pod import pod

        model, account = self._service.model, self.name
        needs: list[pulumi.Resource] = [
            kubernetes.core.v1.ServiceAccount(
                self._unique,
                metadata=self._meta(account, "service-account"),
                automount_service_account_token=False,
                opts=self._inside,
            )
        ]
        if cluster.eks is not None:
            needs += self._weights_access(cluster, account)
        labels = self._tags.labels("model", model.version)
        asked = self._service.capacity.asked(self._serving)
        spec = pod(account, pool.label, self._serving, asked, model, self._select)
        patience_minutes = 10 + 2 * self._serving.cold_start_minutes
        return kubernetes.apps.v1.Deployment(
            self._unique,
            metadata=self._meta(self.name, "model"),
            spec={
                "selector": {"match_labels": self._select},
                "strategy": {"type": "RollingUpdate", "rolling_update": self._rollout},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
            opts=also(
                self._inside,
                depends_on=needs,
                ignore_changes=["spec.replicas"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{patience_minutes:.0f}m"),
            ),
        )

    def _weights_access(self, cluster: InferenceCluster, account: str) -> list[pulumi.Resource]:
        """A role for the pods that reads this version's weights and nothing else."""
        from components.aws.iam import document, pod_role, read_weights

        assert cluster.eks is not None
        statements = read_weights(self._service.model.artifact)
        if not statements:
            return []
        return pod_role(
            self._unique,
            cluster.eks.made.name,
            self._space,
            account,
            document(*statements),
            self._tags.aws,
            cluster.eks.region,
            pulumi.ResourceOptions(parent=self),
        )

    def _front(self) -> kubernetes.core.v1.Service:
        import pulumi_kubernetes as kubernetes

        from components.kubernetes.pod import PORT

        front = kubernetes.core.v1.Service(
            self._unique,
            # Whether pods answer is the deployment's to wait for.
            metadata=self._meta(self.name, "service", **{"pulumi.com/skipAwait": "true"}),
            spec={
                "selector": self._select,
                "ports": [{"name": "http", "port": 80, "target_port": PORT}],
            },
            opts=self._inside,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            self._unique,
            metadata=self._meta(self.name, "disruption-budget"),
            spec={"max_unavailable": 1, "selector": {"match_labels": self._select}},
            opts=self._inside,
        )
        return front

    def _network_policies(self) -> None:
        import pulumi_kubernetes as kubernetes

        from components.kubernetes.traffic import DENY_ALL, GOOGLE_PROXIES, serve

        cidr = self._stack.portfolio.cluster(parent_region(self.location)).cidr
        proxies = GOOGLE_PROXIES if self.location.startswith("gcp:") else ()
        specs = {"deny-all": DENY_ALL, "serve": serve(self._select, [cidr, *proxies])}
        for name, spec in specs.items():
            kubernetes.networking.v1.NetworkPolicy(
                f"{self._unique}-{name}",
                metadata=self._meta(name, "network-policy"),
                spec=spec,
                opts=self._inside,
            )

    def _autoscaler(
        self, deployment: pulumi.Resource, controllers: Sequence[pulumi.Resource]
    ) -> None:
        import pulumi_kubernetes as kubernetes

        from components.kubernetes.autoscaling import horizontal, scaled_object
        from components.kubernetes.custom import custom

        capacity, meta = self._service.capacity, self._meta(self.name, "autoscaler")
        if self._serving.autoscaler == "hpa":
            kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
                self._unique,
                metadata=meta,
                spec=horizontal(self.name, self._serving, capacity),
                opts=also(self._in_cluster, depends_on=[deployment]),
            )
            return
        prometheus = self._stack.telemetry.demand.url
        custom(
            self._unique,
            "keda.sh/v1alpha1",
            "ScaledObject",
            meta,
            scaled_object(self.name, self.location, self._serving, capacity, prometheus),
            also(self._in_cluster, depends_on=[deployment, *controllers]),
        )

    def _way_in(
        self, front: pulumi.Resource, cluster: InferenceCluster
    ) -> tuple[Entrance, pulumi.Output[str]]:
        """Behind the balancer of the cluster or Local Zone; on Google Cloud, behind an ingress."""
        zone = self._stack.portfolio.aws.hosted_zone if self._stack.portfolio.aws else None
        # Latency records know regions only, so a Local Zone has a name of its own.
        first = self._unique if is_local_zone(self.location) else self.name
        host = f"{first}.{zone or 'internal'}"
        meta = self._meta(self.name, "ingress")
        opts = also(self._in_cluster, depends_on=[front])
        if cluster.gke is not None:
            from components.google.ingress import behind_ingress

            return behind_ingress(self._unique, host, meta, self._tags, cluster.gke, opts)
        from components.aws.ingress import behind_balancer

        assert cluster.eks is not None
        zoned = cluster.local_zones.get(self.location)
        balancer = zoned.balancer if zoned else cluster.eks.balancer
        return behind_balancer(self._unique, host, meta, self._tags, balancer, cluster.eks, opts)
