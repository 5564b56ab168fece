"""What GPU nodes one app needs at one location, before any cloud says how."""

from __future__ import annotations

import math
from dataclasses import dataclass

from components.schedule import Step, nodes, steps
from components.tags import Tags
from stacks.machines import Machine, gpu_machine
from stacks.records import Capacity, GpuServing

TAINT, TAINT_VALUE = "nvidia.com/gpu", "present"
POOL_LABEL = "fairweather.dev/pool"
DISK_GIB = 200
"""Model weights are large, and image layers are unpacked beside them."""
NODE_BOOT_MINUTES = 3
"""Nodes come before the pods that they are for, else the autoscaler would buy others for them."""


@dataclass(frozen=True)
class GpuNodes:
    """Nodes with one kind of GPU, tainted for one app."""

    name: str
    machine: Machine
    tags: Tags
    steps: tuple[Step, ...]
    """Nodes of the floor through the week, ahead of need by the cold start."""
    most: int
    """Nodes at the ceiling."""
    spot_share: float

    @property
    def least(self) -> int:
        return min(step.size for step in self.steps)

    @property
    def peak(self) -> int:
        return max(step.size for step in self.steps)

    def burst(self, above: int) -> dict[str, int]:
        """Nodes from `above` up to the ceiling, by way of buying."""
        nodes = self.most - above
        spot = math.floor(nodes * self.spot_share)
        bought = {"spot": spot, "on-demand": nodes - spot}
        return {purchase: count for purchase, count in bought.items() if count > 0}

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the nodes, for pods to choose and for NVIDIA's plugin to find."""
        return {POOL_LABEL: self.name, "nvidia.com/gpu.present": "true"}


def gpu_nodes(
    name: str, serving: GpuServing, location: str, capacity: Capacity, tags: Tags
) -> GpuNodes:
    """From replicas to nodes of the smallest machine that fits one."""
    machine = gpu_machine(location, serving.gpu, serving.gpus_per_replica)
    per_node = machine.replicas(serving.gpus_per_replica)
    lead = serving.cold_start_minutes + NODE_BOOT_MINUTES
    return GpuNodes(
        name=name,
        machine=machine,
        tags=tags,
        steps=steps(nodes(capacity.floor, per_node), lead),
        most=math.ceil(capacity.ceiling / per_node),
        spot_share=serving.spot_share,
    )
