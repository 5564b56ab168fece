"""Everything that can carry tags says whose it is; what cannot, and what is unknown, is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gate import ResourceRule, Rule
from pricing.declared import Resource
from pricing.labels import key_on, labelled
from settings import Thresholds

CLOUDS = ("aws", "gcp", "kubernetes")
NOBODY = {"", "none", "nobody", "unknown", "tbd", "todo", "n/a", "-"}


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="tags-are-complete",
            description="Whatever can carry tags or labels carries the required ones.",
            check=lambda resource: lacking(resource, thresholds.required_tags),
            remedy="Set the tags that are missing, where the message says; elsewhere than on AWS they are labels.",
            limits=("tags.required",),
        ),
        ResourceRule(
            name="owner-is-named",
            description="Each app and each resource names the team that answers for it.",
            check=unowned,
            remedy="Set `owner` under fairweather:apps in the stack file, or tag the resource with a team.",
        ),
        ResourceRule(
            name="taggability-is-known",
            description="The pack knows of each type whether it can be tagged.",
            check=unknown_type,
            remedy="Add the type to `pricing/types.csv`.",
            level="advisory",
        ),
    )


def lacking(resource: Resource, required: tuple[str, ...]) -> Iterator[str]:
    """Required tags that are absent or empty. A value that only the deployment will tell counts as there."""
    if resource.cloud not in CLOUDS:
        return
    found = labelled(resource)
    if found.state != "taggable":
        return
    keys = [key_on(resource.cloud, key) for key in required]
    absent = [key for key in keys if not _says_something(found.tags.get(key))]
    if absent:
        alike = {key.lower(): key for key in found.tags}
        cased = [
            f"{alike[key]} is not {key}" for key in absent if key in alike and alike[key] != key
        ]
        hint = f" ({'; '.join(cased)})" if cased else ""
        measured = f"{resource.name} lacks {', '.join(absent)}{hint}"
        yield f"{measured} of {len(keys)} required; set them under `{found.where}`."


def _says_something(value: Any) -> bool:
    """Blanks, and letters that nobody sees, say nothing."""
    return value is not None and any(map(str.isalnum, str(value)))


def unowned(resource: Resource) -> Iterator[str]:
    """A component without an owner among its facts, or a tag that names nobody."""
    if resource.cloud == "fairweather":
        if str(resource.inputs.get("owner") or "").strip().lower() in NOBODY:
            yield f"{resource.name} names no owner; set `owner` under fairweather:apps in the stack file."
        return
    tags = labelled(resource).tags
    owner = tags.get(key_on(resource.cloud, "owner"))
    if isinstance(owner, str) and owner.strip() and owner.strip().lower() in NOBODY:
        yield f"{resource.name} has the owner {owner!r}, which is nobody; name a team."


def unknown_type(resource: Resource) -> Iterator[str]:
    if resource.cloud not in ("pulumi", "fairweather") and labelled(resource).state == "unknown":
        problem = f"the pack does not know whether {resource.type} can be tagged"
        yield f"{resource.name}: {problem}, and it carries no tags; add it to pricing/types.csv."
