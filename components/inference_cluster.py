"""One Kubernetes cluster of one region, on whichever cloud the region belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from components import facts
from components.tags import Tags, app_tags, shared_tags
from stacks.records import Stack, is_local_zone, parent_region

if TYPE_CHECKING:
    from components.aws.eks import EksCluster
    from components.aws.local_zone import LocalZone
    from components.google.gke import GkeCluster

LOCAL_ZONES = 4
"""As many as the cluster's addresses have room for."""


class InferenceCluster(pulumi.ComponentResource):
    """Where GPU apps of one region run: shared by them, or one app's own.

    EKS: network, key, control plane, system nodes, KEDA, Karpenter, one load balancer, and the
    Local Zones that the apps ask for. GKE: network, key, control plane, system nodes, KEDA; Google
    has a node autoscaler and an ingress of its own.
    """

    def __init__(
        self,
        location: str,
        apps: Sequence[str],
        stack: Stack,
        *,
        own: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        portfolio, first = stack.portfolio, apps[0]
        _, region = location.split(":")
        tags = app_tags(portfolio, first, stack.apps[first]) if own else shared_tags(portfolio)
        parts = (portfolio.name, portfolio.environment, *([first] if own else []), region)
        name = "-".join(parts)
        told = {
            **facts.identity(tags),
            "location": location,
            "cluster": name,
            "apps": list(apps),
            "own_cluster": own,
        }
        super().__init__("fairweather:index:InferenceCluster", name, told, opts)
        # Not declared on the class: the SDK takes what is declared there for outputs.
        self.location = location
        self.eks: EksCluster | None = None
        self.gke: GkeCluster | None = None
        self.local_zones: Mapping[str, LocalZone] = {}
        if location.startswith("aws:"):
            self._on_aws(name, region, apps, stack, tags)
        else:
            self._on_google(name, region, stack, tags)
        self.register_outputs(told)

    def _on_aws(
        self, name: str, region: str, apps: Sequence[str], stack: Stack, tags: Tags
    ) -> None:
        from components.aws.eks import eks_cluster
        from components.aws.local_zone import LocalZone

        account = stack.portfolio.aws
        assert account is not None
        self.eks = eks_cluster(
            name,
            region,
            stack.portfolio.cluster(self.location),
            account,
            tags,
            protect=stack.portfolio.environment == "prod",
            opts=pulumi.ResourceOptions(parent=self),
        )
        places = [place for app in apps for place in stack.apps[app].locations]
        here = [p for p in places if is_local_zone(p) and parent_region(p) == self.location]
        zones = list(dict.fromkeys(here))
        if len(zones) > LOCAL_ZONES:
            raise pulumi.RunError(
                f"{self.location}: {len(zones)} Local Zones, and a cluster's addresses have room "
                f"for {LOCAL_ZONES}; give an app of theirs a cluster of its own (own_cluster: true)"
            )
        certificate = account.certificate_arns.get(self.location)
        self.local_zones = {
            zone: LocalZone(
                zone.split(":")[1],
                number,
                name,
                self.eks.network,
                certificate,
                tags,
                pulumi.ResourceOptions(parent=self),
            )
            for number, zone in enumerate(zones)
        }

    def _on_google(self, name: str, region: str, stack: Stack, tags: Tags) -> None:
        from components.google.gke import gke_cluster

        assert stack.portfolio.gcp is not None
        self.gke = gke_cluster(
            name,
            region,
            stack.portfolio.gcp.project,
            stack.portfolio.cluster(self.location),
            tags,
            protect=stack.portfolio.environment == "prod",
            opts=pulumi.ResourceOptions(parent=self),
        )


Clusters = Mapping[tuple[str, str], InferenceCluster]


def clusters(stack: Stack) -> Clusters:
    """The cluster of each (app, region) with GPUs: shared unless the app asks for its own."""
    found: dict[tuple[str, str], InferenceCluster] = {}
    for region in stack.regions():
        here = {
            name: app.serving
            for name, app in stack.apps.items()
            if app.serving.target == "gpu" and region in app.regions
        }
        alone = [name for name, serving in here.items() if serving.own_cluster]
        together = [name for name in here if name not in alone]
        if together:
            shared = InferenceCluster(region, together, stack)
            found.update({(name, region): shared for name in together})
        for name in alone:
            found[name, region] = InferenceCluster(region, [name], stack, own=True)
    return found
