"""One Kubernetes cluster of one region, on whichever cloud the region belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components import facts
from components.tags import Tags, app_tags, shared_tags
from stacks.records import Stack


class InferenceCluster(pulumi.ComponentResource):
    """Where GPU apps of one region run: shared by them, or of one app's own.

    EKS: network, key, control plane, system nodes, KEDA, Karpenter, one load balancer. GKE: the same without the last
    two, for which Google has an autoscaler and an ingress of its own.
    """

    location: str
    tags: Tags

    def __init__(
        self, location: str, apps: Sequence[str], stack: Stack, *, own: bool = False, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        portfolio, self.location = stack.portfolio, location
        cloud, region = location.split(":")
        name = f"{portfolio.name}-{portfolio.environment}-{apps[0] + '-' if own else ''}{region}"
        self.tags = app_tags(portfolio, apps[0], stack.apps[apps[0]]) if own else shared_tags(portfolio)
        told = {**facts.identity(self.tags), "location": location, "cluster": name, "apps": list(apps), "own_cluster": own}
        super().__init__("fairweather:index:InferenceCluster", name, told, opts)
        child, production = pulumi.ResourceOptions(parent=self), portfolio.environment == "prod"
        chosen = portfolio.cluster(location)
        if cloud == "aws":
            from components.eks import eks_cluster

            assert portfolio.aws is not None
            self.inside = eks_cluster(
                name, region, chosen, portfolio.aws.account_id, self.tags,
                certificate_arn=portfolio.aws.certificate_arns.get(location), production=production, opts=child,
            )  # fmt: skip
        else:
            from components.gke import gke_cluster

            assert portfolio.gcp is not None
            self.inside = gke_cluster(
                name, region, portfolio.gcp.project, chosen, self.tags, production=production, opts=child
            )
        self.register_outputs(told)


def clusters(stack: Stack) -> dict[tuple[str, str], InferenceCluster]:
    """The cluster of each (app, region) that needs one: GPU apps only, shared unless an app asks for its own."""
    found: dict[tuple[str, str], InferenceCluster] = {}
    for region in stack.regions():
        here = [n for n, a in stack.apps.items() if a.serving.target == "gpu" and region in a.regions]
        alone = [name for name in here if stack.apps[name].serving.own_cluster]
        together = [name for name in here if name not in alone]
        if together:
            shared = InferenceCluster(region, together, stack)
            found.update({(name, region): shared for name in together})
        for name in alone:
            found[name, region] = InferenceCluster(region, [name], stack, own=True)
    return found
