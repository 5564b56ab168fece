"""GPU nodes for one app at one location: committed ones for the floor, and burst on top of it."""

from __future__ import annotations

import pulumi

from components import facts
from components.gpu_nodes import gpu_nodes
from components.inference_cluster import InferenceCluster
from components.tags import Tags
from stacks.records import Capacity, GpuServing, is_local_zone


class GpuPool(pulumi.ComponentResource):
    """Nodes with one kind of GPU, tainted for one app.

    On EKS a managed group follows the floor by schedule, ahead of need by the cold start, and
    Karpenter adds burst up to the ceiling; in a Local Zone, where EKS has no managed groups, a
    group of our own. On GKE, whose node pools know no schedule, an autoscaled pool from the least
    floor to the peak floor, and one for burst in each way of buying.
    """

    def __init__(
        self,
        name: str,
        serving: GpuServing,
        location: str,
        capacity: Capacity,
        cluster: InferenceCluster,
        tags: Tags,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        told = {
            **facts.identity(tags),
            **facts.size(capacity),
            **facts.hardware(serving, location),
            "location": location,
        }
        super().__init__("fairweather:index:GpuPool", name, told, opts)
        self.label = name
        """Value of the node label `fairweather.dev/pool`."""
        wanted = gpu_nodes(name, serving, location, capacity, tags)
        child = pulumi.ResourceOptions(parent=self)
        if cluster.gke is not None:
            from components.google.gpu import gpu_pools

            gpu_pools(wanted, tags.logical["app"], cluster.gke, child)
        else:
            from components.aws.gpu import in_local_zone, in_region

            assert cluster.eks is not None
            if is_local_zone(location):
                in_local_zone(wanted, cluster.eks, cluster.local_zones[location], child)
            else:
                in_region(wanted, cluster.eks, child)
        self.register_outputs(told)
