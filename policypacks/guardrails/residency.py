"""Personal data stays where it may: every place that stores or serves it, edge locations and replicas included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gate import Finding, Rule, StackRule
from pricing.declared import Declared, Resource
from pricing.labels import key_on, labelled
from settings import Thresholds

CDN = "cdn"
CDN_TYPES = ("aws:cloudfront/distribution:Distribution", "gcp:compute/backendBucket:BackendBucket")
GLOBAL = ("aws:budgets/", "aws:iam/", "aws:route53/", "gcp:billing/")
"""They hold no user's data."""
COPIES = {
    "aws:dynamodb/table:Table": "replicas",
    "aws:secretsmanager/secret:Secret": "replicas",
    "gcp:secretmanager/secret:Secret": "replication.userManaged.replicas",
}
"""Lists of other regions that a resource copies itself to."""
COPY_KEYS = ("regionName", "region", "location")


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    return (
        StackRule(
            name="data-stays-where-it-may",
            description="Resources of an app lie where data of its class may be stored and served.",
            check=lambda declared: astray(declared, thresholds.residency),
            remedy="Move the app to an allowed place, or lower the class of its data if it is lower.",
            limits=("residency",),
            severity="critical",
            frameworks=("GDPR Art. 44", "GDPR Art. 5(1)(f)", "NIST 800-53 SA-9(5)"),
        ),
    )


def astray(declared: Declared, allowed: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Resources of an app outside the places of its data's class; classes without places may be anywhere."""
    classes = data_classes(declared)
    for resource in declared:
        if resource.cloud in {"pulumi", "fairweather"} or resource.type.startswith(GLOBAL):
            continue
        kind = _class_of(resource, declared, classes)
        if kind is None or kind not in allowed:
            continue
        for place in places(resource, declared):
            if not any(place == one or place.startswith(one) for one in allowed[kind]):
                told = ", ".join(allowed[kind])
                yield Finding(
                    f"{resource.name} is at {place} and holds {kind} data, which may be at {told}; move it.",
                    resource.urn,
                )


def data_classes(declared: Declared) -> dict[str, str]:
    """Class by app, by what components say."""
    return {
        str(one.inputs["app"]): str(one.inputs["data_class"])
        for one in declared
        if one.cloud == "fairweather" and one.inputs.get("app") and one.inputs.get("data_class")
    }


def _class_of(resource: Resource, declared: Declared, classes: Mapping[str, str]) -> str | None:
    """By its component, else by the app that it is tagged with."""
    told = declared.fact(resource, "data_class")
    if isinstance(told, str):
        return told
    app = declared.fact(resource, "app") or labelled(resource).tags.get(
        key_on(resource.cloud, "app")
    )
    return classes.get(str(app))


def places(resource: Resource, declared: Declared) -> Iterator[str]:
    """Where it is, and where it copies itself to."""
    if resource.type in CDN_TYPES or str(resource.get("enableCdn")).lower() == "true":
        yield CDN
        return
    own = declared.location(resource)
    if own is not None:
        yield own
    for copy in resource.items(COPIES[resource.type]) if resource.type in COPIES else ():
        said = [copy.get(key) for key in COPY_KEYS] if isinstance(copy, Mapping) else []
        yield from (f"{resource.cloud}:{region}" for region in said if isinstance(region, str))
