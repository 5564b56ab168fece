"""GPU nodes of one app on GKE: an autoscaled pool for the floor, and one for each way of buying burst."""

from __future__ import annotations

import pulumi

from components.google.gke import GkeCluster, node_pool
from components.gpu_nodes import DISK_GIB, TAINT, TAINT_VALUE, GpuNodes


def gpu_pools(
    wanted: GpuNodes, app: str, cluster: GkeCluster, opts: pulumi.ResourceOptions
) -> None:
    """The autoscaler follows the pods, and those follow the floor by KEDA's schedule."""
    bounds = {"floor": (wanted.least, max(1, wanted.peak))}
    bounds.update(
        {purchase: (0, most) for purchase, most in wanted.burst(above=wanted.peak).items()}
    )
    for kind, (least, most) in bounds.items():
        node_pool(
            f"{wanted.name}-{kind}",
            f"{app}-{kind}",
            cluster.project,
            cluster.made,
            cluster.key_id,
            cluster.node_account,
            wanted.tags,
            opts,
            machine=wanted.machine.name,
            disk_gib=DISK_GIB,
            least=least,
            most=most,
            labels=wanted.labels,
            spot=kind == "spot",
            guest_accelerators=[
                {
                    "type": wanted.machine.accelerator,
                    "count": wanted.machine.gpus,
                    "gpu_driver_installation_config": {"gpu_driver_version": "DEFAULT"},
                }
            ],
            taints=[{"key": TAINT, "value": TAINT_VALUE, "effect": "NO_SCHEDULE"}],
        )
