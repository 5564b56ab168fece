"""What no rule can look into: other clouds, scripts, and resources that make others out of the engine's sight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from gate import ResourceRule, Rule
from pricing.declared import Resource, is_unknown
from settings import Thresholds

JUDGED = frozenset({"aws", "gcp", "kubernetes", "pulumi"})
HARMLESS = frozenset({"random", "std", "time", "tls"})
"""They make values, and nothing that runs."""
INSIDE = frozenset(
    {
        "aws:cloudcontrol/resource:Resource",
        "aws:cloudformation/stack:Stack",
        "aws:cloudformation/stackSet:StackSet",
        "aws:cloudformation/stackInstances:StackInstances",
        "aws:servicecatalog/provisionedProduct:ProvisionedProduct",
        "gcp:deploymentmanager/deployment:Deployment",
    }
)
"""Types whose template makes the resources."""
RELEASE = "kubernetes:helm.sh/v3:Release"


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="resources-can-be-judged",
            description="Every resource is one that rules can look into, or a chart that the policy owners allow.",
            check=lambda resource: hidden(resource, thresholds.charts),
            remedy="Declare the resources themselves, of AWS, Google Cloud or Kubernetes.",
            limits=("charts",),
            severity="high",
            frameworks=("NIST 800-53 CM-3", "NIST 800-53 CM-7", "SOC 2 CC8.1"),
        ),
    )


def hidden(resource: Resource, charts: Iterable[str]) -> Iterator[str]:
    if resource.type == RELEASE:
        yield from strange_chart(resource, tuple(charts))
    elif resource.type in INSIDE:
        yield f"{resource.name} makes resources that no rule sees; declare them in the program."
    elif resource.provider and resource.cloud not in JUDGED | HARMLESS:
        told = ", ".join(sorted(JUDGED - {"pulumi"}))
        yield f"{resource.name} is of {resource.cloud}, which no rule knows; use {told}."


def strange_chart(resource: Resource, allowed: tuple[str, ...]) -> Iterator[str]:
    """A chart of another place than the owners name, or of no fixed version."""
    chart, repository = str(resource.get("chart")), resource.get("repositoryOpts.repo")
    where = f"{str(repository).rstrip('/')}/{chart}" if repository else chart
    if is_unknown(chart) or is_unknown(repository):
        return
    if not any(fnmatchcase(where, one) for one in allowed):
        yield f"{resource.name} installs {where}, allowed charts are {', '.join(allowed)}; choose one."
    elif not resource.get("version"):
        yield f"{resource.name} installs any version of {where}; set version."
