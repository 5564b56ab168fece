"""Which machine carries a GPU on each cloud: shared by the program, the planner and the cost view.

Sources, 2026-01: EC2's page of accelerated computing, Compute Engine's page of GPU machine types.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One node: its type as the cloud names it, and what it carries."""

    name: str
    gpus: int
    cpu: int
    memory_gib: int
    accelerator: str = ""
    """Google Cloud's name of the GPU; AWS needs none."""

    def replicas(self, gpus_per_replica: int) -> int:
        """Whole replicas that fit on one node by GPU count."""
        return self.gpus // gpus_per_replica


GPU_MACHINES: dict[str, dict[str, tuple[Machine, ...]]] = {
    "aws": {
        "t4": (Machine("g4dn.xlarge", 1, 4, 16), Machine("g4dn.12xlarge", 4, 48, 192)),
        "a10g": (Machine("g5.xlarge", 1, 4, 16), Machine("g5.12xlarge", 4, 48, 192)),
        "l4": (Machine("g6.xlarge", 1, 4, 16), Machine("g6.12xlarge", 4, 48, 192)),
        "l40s": (Machine("g6e.xlarge", 1, 4, 32), Machine("g6e.12xlarge", 4, 48, 384)),
        "a100": (Machine("p4d.24xlarge", 8, 96, 1152),),
        "h100": (Machine("p5.48xlarge", 8, 192, 2048),),
    },
    # Of GPUs, Local Zones sell the T4 only, and no smaller machine with one.
    "aws Local Zones": {"t4": (Machine("g4dn.2xlarge", 1, 8, 32),)},
    "gcp": {
        "t4": (Machine("n1-standard-4", 1, 4, 15, "nvidia-tesla-t4"),),
        "l4": (
            Machine("g2-standard-4", 1, 4, 16, "nvidia-l4"),
            Machine("g2-standard-24", 2, 24, 96, "nvidia-l4"),
            Machine("g2-standard-48", 4, 48, 192, "nvidia-l4"),
        ),
        "a100": (Machine("a2-highgpu-1g", 1, 12, 85, "nvidia-tesla-a100"),),
        "h100": (Machine("a3-highgpu-8g", 8, 208, 1872, "nvidia-h100-80gb"),),
    },
}
SYSTEM_MACHINES = {"aws": Machine("m7i.large", 0, 2, 8), "gcp": Machine("e2-standard-4", 0, 4, 16)}


REGION_PARTS = 3
"""`us-east-1`; a Local Zone has more."""


def gpu_machine(location: str, gpu: str, gpus_per_replica: int = 1) -> Machine:
    """The smallest machine at `location` that fits one replica; LookupError says what is there."""
    cloud, place = location.split(":")
    if cloud == "aws" and len(place.split("-")) > REGION_PARTS:
        cloud = "aws Local Zones"
    fitting = [m for m in GPU_MACHINES[cloud].get(gpu, ()) if m.gpus >= gpus_per_replica]
    if not fitting:
        offered = ", ".join(GPU_MACHINES[cloud])
        wanted = f"{gpus_per_replica} x {gpu}"
        raise LookupError(f"no machine with {wanted} on {cloud}; choose one of {offered}")
    return min(fitting, key=lambda machine: machine.gpus)
