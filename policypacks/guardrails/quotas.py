"""How many GPUs an app may reach, and on which machines anything may run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gate import Finding, ResourceRule, Rule, StackRule
from pricing.capacity import Fleet, fleets
from pricing.declared import UNKNOWNS, Declared, Resource
from security.expect import ABSENT, values
from settings import Thresholds

OVERRIDES = "mixedInstancesPolicy.launchTemplate.overrides.*"
PATHS: Mapping[str, tuple[str, ...]] = {
    "aws:eks/nodeGroup:NodeGroup": ("instanceTypes",),
    "aws:ec2/launchTemplate:LaunchTemplate": ("instanceType", "instanceRequirements"),
    "aws:autoscaling/group:Group": (f"{OVERRIDES}.instanceType", f"{OVERRIDES}.instanceRequirements"),
    "aws:ec2/fleet:Fleet": tuple(
        f"launchTemplateConfig.overrides.*.{key}" for key in ("instanceType", "instanceRequirements")
    ),
    "aws:ec2/spotFleetRequest:SpotFleetRequest": (
        "launchSpecifications.*.instanceType", "launchTemplateConfigs.*.overrides.*.instanceType",
        "launchTemplateConfigs.*.overrides.*.instanceRequirements",
    ),
    "aws:batch/computeEnvironment:ComputeEnvironment": ("computeResources.instanceTypes",),
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": ("productionVariants.*.instanceType",),
    "aws:sagemaker/notebookInstance:NotebookInstance": ("instanceType",),
    "aws:ec2/launchConfiguration:LaunchConfiguration": ("instanceType",),
    "aws:ec2/instance:Instance": ("instanceType",),
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest": ("instanceType",),
    "aws:ec2/capacityReservation:CapacityReservation": ("instanceType",),
    "gcp:compute/instance:Instance": ("machineType",),
    "gcp:compute/instanceTemplate:InstanceTemplate": ("machineType",),
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate": ("machineType",),
    "gcp:container/nodePool:NodePool": ("nodeConfig.machineType",),
    "gcp:container/cluster:Cluster": ("nodeConfig.machineType", "nodePools.*.nodeConfig.machineType"),
}  # fmt: skip
"""Properties that name machines, or what any machine has to have: `*` is every item of a list."""
BUDGET = "fairweather:index:AppBudget"
"""The component that stands for an app as a whole."""
KARPENTER = "kubernetes:karpenter.sh/v1:NodePool"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="machines-are-allowed",
            description="Machines are of the types that the policy owners allow.",
            check=lambda resource: foreign(resource, thresholds.machines),
            remedy="Choose a machine of an allowed type.",
            limits=("machines",),
        ),
        StackRule(
            name="gpus-within-quota",
            description="No app, and not the portfolio, can reach more GPUs than its quota.",
            check=lambda declared: too_many(declared, thresholds),
            remedy="Lower the ceilings in fairweather:capacity.",
            limits=("gpus.app", "gpus.apps", "gpus.portfolio"),
        ),
    )


def foreign(resource: Resource, allowed: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    cloud = "aws" if resource.type == KARPENTER else resource.cloud
    patterns = allowed.get(cloud, ())
    if resource.type == KARPENTER and not machines(resource):
        yield f"{resource.name} takes machines of any type; require {INSTANCE_TYPE} In one of {', '.join(patterns)}."
    for machine in machines(resource):
        if machine not in UNKNOWNS and not any(
            fnmatchcase(machine, pattern) for pattern in patterns
        ):
            choice = f"allowed on {cloud}: {', '.join(patterns)}"
            yield f"{resource.name} runs on {machine}; {choice}. Choose one of them."


def machines(resource: Resource) -> list[str]:
    """Machine types that one resource names."""
    if resource.type == KARPENTER:
        return [
            str(value)
            for item in resource.items("spec.template.spec.requirements")
            if isinstance(item, Mapping)
            and item.get("key") == INSTANCE_TYPE
            and item.get("operator") == "In"
            for value in item.get("values") or ()
        ]
    found = [
        value for path in PATHS.get(resource.type, ()) for value in values(resource.inputs, path)
    ]
    flat = [inner for item in found for inner in (item if isinstance(item, list) else [item])]
    return [_machine(item) for item in flat if item and item is not ABSENT]


def _machine(said: Any) -> str:
    """The type by its plain name: without the URL that Google puts before it, and SageMaker's `ml.`."""
    if isinstance(said, Mapping):
        return "any machine with what instanceRequirements ask for"
    return str(said).rsplit("/", 1)[-1].removeprefix("ml.")


def too_many(declared: Declared, thresholds: Thresholds) -> Iterator[Finding]:
    """GPUs at the ceiling, by app and together; a fleet whose GPUs nobody can count is a finding of its own."""
    reach: dict[str, float] = defaultdict(float)
    for fleet in fleets(declared):
        count = _gpus(fleet)
        if isinstance(count, str):
            yield Finding(f"{fleet.resource.name}: {count}", fleet.resource.urn)
        else:
            reach[fleet.app] += count
    urns = {one.inputs.get("app"): one.urn for one in declared.of_type(BUDGET)}
    for app, count in sorted(reach.items()):
        quota = thresholds.gpus_by_app.get(app, thresholds.gpus_default)
        if count > quota:
            measured = f"{app} can reach {count:g} GPUs, its quota is {quota:g}"
            remedy = "lower its ceilings in fairweather:capacity"
            yield Finding(f"{measured}; {remedy}.", urns.get(app, ""))
    total = sum(reach.values())
    if total > thresholds.gpus_portfolio:
        yield Finding(
            f"the portfolio can reach {total:g} GPUs, its quota is {thresholds.gpus_portfolio:g}; lower ceilings."
        )


def _gpus(fleet: Fleet) -> float | str:
    each = fleet.gpus_each
    if each == 0:
        return 0.0
    if fleet.count is None:
        return f"{fleet.why}, so its GPUs cannot be counted; give it a limit."
    if each is None:
        named = ", ".join(fleet.machines) or "a type that is not known before deployment"
        return f"GPUs of {named} are not known to the pack; name a type of pricing/machines.py."
    return each * fleet.count.high
