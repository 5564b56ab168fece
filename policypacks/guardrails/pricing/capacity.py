"""Machines that a program may run: how many at least, expected and at most, of which type, where and whose.

The engine's own resources tell: sizes and schedules of groups, limits of burst pools, disks of launch templates. What
only a component can tell (how many machines are expected of autoscaled pools) is held between what the resources allow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .declared import Declared, Resource, google_region, number
from .labels import app_of
from .machines import gpus
from .week import Range, over_a_week

POOL_LABEL = "fairweather.dev/pool"
ZONES_OF_A_REGION = 3
"""GKE spreads a regional pool over three zones unless it names them (GKE, "Regional clusters")."""
EKS_DISK_GIB, GKE_DISK_GIB = 20, 100
"""What nodes get where nobody says (EKS API, `diskSize`; GKE, "Boot disks")."""


@dataclass(frozen=True)
class Disk:
    """The boot disk of each machine."""

    kind: str
    gib: float


@dataclass(frozen=True)
class Fleet:
    """Machines of one kind that one resource stands for."""

    resource: Resource
    app: str
    location: str | None
    machines: tuple[str, ...]
    """Types it may take, the first one first; empty where unknown."""
    count: Range | None
    """Machines; None where nothing bounds them."""
    why: str
    """How the count comes about."""
    spot_share: float = 0.0
    """Share of the expected machines that is spot."""
    disk: Disk | None = None
    accelerator: str = ""
    """Google Cloud's name of a GPU that is attached to the machine."""
    attached: int = 0
    """How many of them a machine has."""
    pool: str = ""
    """Node label that joins a scheduled group and its burst."""
    elastic: bool = False
    """An autoscaler moves it: what is expected of it is not among its own properties."""

    @property
    def gpus_each(self) -> int | None:
        """GPUs on one machine, the most of the types it may take; None where unknown."""
        if self.attached:
            return self.attached
        known = [gpus(machine) for machine in self.machines]
        found = [count for count in known if count is not None]
        return max(found) if found and len(found) == len(known) else None


def fleets(declared: Declared) -> list[Fleet]:
    """Every fleet of a stack; those of one pool share the room up to the ceiling, and what is expected."""
    found = [fleet for resource in declared for fleet in fleets_of(declared, resource)]
    pools: dict[str, list[int]] = defaultdict(list)
    for at, fleet in enumerate(found):
        pools[_pool(declared, fleet)].append(at)
    for members in pools.values():
        joined = _as_told(declared, _beside([found[at] for at in members]))
        for at, fleet in zip(members, joined, strict=True):
            found[at] = fleet
    return found


def _pool(declared: Declared, fleet: Fleet) -> str:
    """What joins a scheduled group and its burst: their component, else the label of their nodes."""
    for above in declared.ancestors(fleet.resource):
        if above.inputs.get("replicas_per_node") is not None:
            return above.urn
    return f"{fleet.app} {fleet.pool}" if fleet.pool else fleet.resource.urn


def _beside(pool: list[Fleet]) -> list[Fleet]:
    """Limits of Karpenter pools count from the least floor: what a schedule adds above it takes from the same room."""
    taken = sum(f.count.high - f.count.low for f in pool if f.count is not None and not f.elastic)
    left = list(pool)
    for at in sorted(range(len(pool)), key=lambda at: -pool[at].spot_share):
        fleet = pool[at]
        if fleet.elastic and fleet.count is not None and fleet.resource.cloud == "kubernetes":
            cut = min(taken, fleet.count.high)
            taken -= cut
            most = fleet.count.high - cut
            left[at] = replace(fleet, count=Range.ordered(0.0, most / 2, most))
    return left


def _as_told(declared: Declared, pool: list[Fleet]) -> list[Fleet]:
    """What the component above expects of the autoscaled members, beyond those that a schedule sets.

    Machines that always stand come first, then spot, then the rest; half of the room where no component says.
    """
    replicas = number(declared.fact(pool[0].resource, "expected_replicas"))
    per_machine = number(declared.fact(pool[0].resource, "replicas_per_node"))
    if replicas is None or not per_machine or per_machine < 0:
        return pool
    counts = {at: fleet.count for at, fleet in enumerate(pool) if fleet.count is not None}
    elastic = [at for at in counts if pool[at].elastic]
    rest = replicas / per_machine - sum(
        count.low if pool[at].elastic else count.expected for at, count in counts.items()
    )
    told = list(pool)
    for at in sorted(elastic, key=lambda at: (-counts[at].low, -pool[at].spot_share)):
        low, high = counts[at].low, counts[at].high
        more = min(max(0.0, rest), high - low)
        rest -= more
        why = f"{pool[at].why}, {low + more:.2f} expected by its component"
        told[at] = replace(pool[at], count=Range(low, low + more, high), why=why)
    return told


def fleets_of(declared: Declared, resource: Resource) -> Iterator[Fleet]:
    """The machines that one resource stands for, by itself."""
    maker = MAKERS.get(resource.type)
    for fleet in () if maker is None else maker(declared, resource):
        if fleet.count is None or fleet.count.is_sound:
            yield fleet
        else:
            yield replace(fleet, count=None, why=f"{fleet.count.low:g} machines are no size")


def _node_group(declared: Declared, group: Resource) -> Iterator[Fleet]:
    template = _template(declared, group)
    types = tuple(str(kind) for kind in group.items("instanceTypes"))
    own = template.text("instanceType") if template else None
    sizes = [group.number(f"scalingConfig.{key}") for key in ("minSize", "desiredSize", "maxSize")]
    schedule = _schedule(declared, group)
    yield Fleet(
        resource=group,
        app=app_of(group, declared),
        location=declared.location(group),
        machines=types
        or ((own,) if own else ("t3.medium",)),  # EKS API, `instanceTypes`: the default
        **_sized(sizes, schedule),
        spot_share=1.0 if group.get("capacityType") == "SPOT" else 0.0,
        disk=_template_disk(template) or Disk("gp3", group.number("diskSize") or EKS_DISK_GIB),
        pool=str((group.get("labels") or {}).get(POOL_LABEL, "")),
    )


def _autoscaling_group(declared: Declared, group: Resource) -> Iterator[Fleet]:
    template = _template(declared, group)
    overrides = group.items("mixedInstancesPolicy.launchTemplate.overrides")
    types = tuple(
        str(item["instanceType"])
        for item in overrides
        if isinstance(item, Mapping) and item.get("instanceType")
    )
    own = template.text("instanceType") if template else None
    sizes = [group.number(key) for key in ("minSize", "desiredCapacity", "maxSize")]
    base = group.number(
        "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity"
    )
    spot = template is not None and template.get("instanceMarketOptions.marketType") == "spot"
    yield Fleet(
        resource=group,
        app=app_of(group, declared),
        location=declared.location(group),
        machines=types or ((own,) if own else ()),
        **_sized(sizes, _schedule(declared, group)),
        spot_share=1.0 if spot else 0.0 if base is None else 1 - base / 100,
        disk=_template_disk(template),
    )


def _sized(sizes: list[float | None], schedule: Range | None) -> dict[str, Any]:
    """Count and reason of a group from its (least, desired, most) and its schedule."""
    least, desired, most = sizes
    if schedule is not None:
        return {
            "count": schedule,
            "why": f"scheduled: {schedule.expected:.2f} on average over a week",
        }
    if least is None or most is None:
        return {"count": None, "why": "its size is not known before deployment"}
    wanted = least if desired is None else desired
    return {
        "count": Range.ordered(least, wanted, most),
        "why": f"{least:g} to {most:g}, {wanted:g} desired",
    }


def _schedule(declared: Declared, group: Resource) -> Range | None:
    moves = []
    for found in declared.pointing(
        "aws:autoscaling/schedule:Schedule", "autoscalingGroupName", group
    ):
        size = found.number("desiredCapacity")
        recurrence = found.text("recurrence")
        if size is None or recurrence is None:
            return None
        moves.append((recurrence, size))
    return over_a_week(moves)


def _template(declared: Declared, resource: Resource) -> Resource | None:
    keys = ("launchTemplate", "mixedInstancesPolicy", "launchConfiguration")
    needed = [found for key in keys for found in declared.needed(resource, key)]
    return next(
        (found for found in needed if found.type == "aws:ec2/launchTemplate:LaunchTemplate"), None
    )


def _template_disk(template: Resource | None) -> Disk | None:
    if template is None:
        return None
    size = template.number("blockDeviceMappings.0.ebs.volumeSize")
    return (
        Disk(template.text("blockDeviceMappings.0.ebs.volumeType") or "gp2", size) if size else None
    )


def _karpenter_pool(declared: Declared, pool: Resource) -> Iterator[Fleet]:
    wanted = {
        str(item.get("key")): [str(value) for value in item.get("values") or ()]
        for item in pool.items("spec.template.spec.requirements")
        if isinstance(item, Mapping) and item.get("operator") == "In"
    }
    machines = tuple(wanted.get("node.kubernetes.io/instance-type", ()))
    each = max((gpus(machine) or 0 for machine in machines), default=0)
    most = _limit(pool, each)
    # Where both are allowed Karpenter prefers spot, but nothing promises that there is some.
    bought = wanted.get("karpenter.sh/capacity-type", ["on-demand"])
    node_class = _node_class(declared, pool)
    there = _class_location(declared, node_class) if node_class else None
    yield Fleet(
        resource=pool,
        app=app_of(pool, declared),
        location=there or declared.location(pool),
        machines=machines,
        count=None if most is None else Range(0.0, most / 2, most),
        why="has no limit on GPUs or nodes" if most is None else f"burst up to {most:g}",
        spot_share=0.0 if "on-demand" in bought else 1.0,
        disk=_class_disk(node_class) if node_class else None,
        pool=str((pool.get("spec.template.metadata.labels") or {}).get(POOL_LABEL, "")),
        elastic=True,
    )


def _limit(pool: Resource, gpus_each: int) -> float | None:
    """Machines that a Karpenter pool may hold; None where neither GPUs nor nodes are limited."""
    limits = pool.get("spec.limits") or {}
    by_gpu, nodes = number(limits.get("nvidia.com/gpu")), number(limits.get("nodes"))
    found = [nodes] if nodes is not None else []
    if by_gpu is not None and gpus_each:
        found.append(by_gpu // gpus_each)
    return min(found) if found else None


def _node_class(declared: Declared, pool: Resource) -> Resource | None:
    """The EC2NodeClass of the same cluster that a Karpenter pool names."""
    name = pool.get("spec.template.spec.nodeClassRef.name")
    for found in declared.of_type("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        if found.get("metadata.name") == name and found.provider == pool.provider:
            return found
    return None


def _class_disk(node_class: Resource) -> Disk | None:
    said = node_class.get("spec.blockDeviceMappings.0.ebs")
    size = re.match(r"(\d+)Gi", str(said.get("volumeSize"))) if isinstance(said, Mapping) else None
    return Disk(str(said.get("volumeType") or "gp3"), float(size[1])) if size else None


def _class_location(declared: Declared, node_class: Resource) -> str | None:
    """Where its subnets are; None where they are not resources of this stack, or in several places."""
    subnets = [
        one for one in declared.needed(node_class, "spec") if one.type == "aws:ec2/subnet:Subnet"
    ]
    places = {declared.location(subnet) for subnet in subnets}
    return places.pop() if len(places) == 1 else None


def _gke_pool(declared: Declared, pool: Resource) -> Iterator[Fleet]:
    zones = len(pool.items("nodeLocations")) or _zones(declared, pool)
    least = _per_zone(pool, "autoscaling.totalMinNodeCount", "autoscaling.minNodeCount", zones)
    most = _per_zone(pool, "autoscaling.totalMaxNodeCount", "autoscaling.maxNodeCount", zones)
    fixed = pool.number("nodeCount")
    if fixed is not None and most is None:
        count, why = (
            Range(fixed * zones, fixed * zones, fixed * zones),
            f"{fixed:g} in each of {zones} zones",
        )
    elif most is None:
        start = (pool.number("initialNodeCount") or 0.0) * zones
        count, why = Range(start, start, start), f"{start:g} to begin with, not autoscaled"
    else:
        low = least or 0.0
        count, why = (
            Range.ordered(low, (low + most) / 2, most),
            f"autoscaled from {low:g} to {most:g}",
        )
    gpu = pool.get("nodeConfig.guestAccelerators.0") or {}
    yield Fleet(
        resource=pool,
        app=app_of(pool, declared),
        location=declared.location(pool),
        machines=(pool.text("nodeConfig.machineType") or "e2-medium",),
        count=count,
        why=why,
        spot_share=1.0
        if pool.get("nodeConfig.spot") is True or pool.get("nodeConfig.preemptible") is True
        else 0.0,
        disk=Disk(
            pool.text("nodeConfig.diskType") or "pd-balanced",
            pool.number("nodeConfig.diskSizeGb") or GKE_DISK_GIB,
        ),
        accelerator=str(gpu.get("type") or ""),
        attached=int(number(gpu.get("count")) or 0),
        pool=str((pool.get("nodeConfig.labels") or {}).get(POOL_LABEL, "")),
        elastic=most is not None,
    )


def _per_zone(pool: Resource, total: str, each: str, zones: int) -> float | None:
    found = pool.number(total)
    if found is not None:
        return found
    per_zone = pool.number(each)
    return None if per_zone is None else per_zone * zones


def _zones(declared: Declared, pool: Resource) -> int:
    """Zones of a pool that names none: its cluster's, one for a zonal cluster, else three."""
    for cluster in declared.needed(pool, "cluster"):
        named = len(cluster.items("nodeLocations"))
        place = cluster.text("location") or ""
        return named or (1 if google_region(place) != place else ZONES_OF_A_REGION)
    return ZONES_OF_A_REGION


def _gke_default_pool(declared: Declared, cluster: Resource) -> Iterator[Fleet]:
    if cluster.get("removeDefaultNodePool") is True or cluster.get("enableAutopilot") is True:
        return
    place = cluster.text("location") or ""
    nodes = (cluster.number("initialNodeCount") or 0.0) * (
        1 if google_region(place) != place else ZONES_OF_A_REGION
    )
    if nodes:
        yield Fleet(
            resource=cluster,
            app=app_of(cluster, declared),
            location=declared.location(cluster),
            machines=(cluster.text("nodeConfig.machineType") or "e2-medium",),
            count=Range(nodes, nodes, nodes),
            why="its default pool",
            disk=Disk("pd-balanced", cluster.number("nodeConfig.diskSizeGb") or GKE_DISK_GIB),
        )


def _instance(declared: Declared, instance: Resource) -> Iterator[Fleet]:
    template = _template(declared, instance)
    kind = (
        instance.text("instanceType")
        or instance.text("machineType")
        or (template.text("instanceType") if template else None)
    )
    size = instance.number("rootBlockDevice.volumeSize") or instance.number(
        "bootDisk.initializeParams.size"
    )
    volume = instance.text("rootBlockDevice.volumeType") or instance.text(
        "bootDisk.initializeParams.type"
    )
    usual = "gp3" if instance.cloud == "aws" else "pd-standard"
    gpu = instance.get("guestAccelerators.0") or {}
    spot = "spot" in {
        instance.get("instanceMarketOptions.marketType"),
        str(instance.get("scheduling.provisioningModel")).lower(),
    }
    yield Fleet(
        resource=instance,
        app=app_of(instance, declared),
        location=declared.location(instance),
        machines=(kind.rsplit("/", 1)[-1],) if kind else (),
        count=Range(1.0, 1.0, 1.0),
        why="one machine",
        spot_share=1.0 if spot else 0.0,
        disk=Disk(volume or usual, size) if size else None,
        accelerator=str(gpu.get("type") or ""),
        attached=int(number(gpu.get("count")) or 0),
    )


MAKERS: Mapping[str, Callable[[Declared, Resource], Iterator[Fleet]]] = {
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:autoscaling/group:Group": _autoscaling_group,
    "aws:ec2/instance:Instance": _instance,
    "kubernetes:karpenter.sh/v1:NodePool": _karpenter_pool,
    "gcp:container/nodePool:NodePool": _gke_pool,
    "gcp:container/cluster:Cluster": _gke_default_pool,
    "gcp:compute/instance:Instance": _instance,
}
