"""What tags or labels a resource carries, and whose it is by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .declared import UNKNOWNS, Declared, Resource
from .kinds import KINDS

SHARED = "shared"
"""Value of the tag `app` on what all apps share."""
UNALLOCATED = "unallocated"
"""Whose it is where neither a tag nor a component says."""
PREFIX = "fairweather.dev/"

State = Literal["taggable", "not taggable", "unknown"]


@dataclass(frozen=True)
class Labelled:
    """What one resource carries; `where` is the property to set."""

    state: State
    where: str
    tags: Mapping[str, Any]


def labelled(resource: Resource) -> Labelled:
    """How a resource is tagged, and with what. Types not in the table are judged by what they carry, or unknown."""
    kind = KINDS.get(resource.type)
    if kind is not None and not kind.labels:
        return Labelled("not taggable", "", {})
    where = kind.labels if kind else "metadata.labels" if resource.cloud == "kubernetes" else None
    if where is None:
        carried = next((key for key in ("tags", "labels") if resource.get(key)), None)
        if carried is None:
            return Labelled("unknown", "", {})
        where = carried
    return Labelled("taggable", where, as_map(resource.get(where)))


def as_map(found: Any) -> Mapping[str, Any]:
    """Tags as a map, from a map or from an autoscaling group's list of key and value."""
    if isinstance(found, Mapping):
        return found
    if isinstance(found, list):
        pairs = [item for item in found if isinstance(item, Mapping)]
        return {str(item["key"]): item.get("value") for item in pairs if "key" in item}
    return {}


def key_on(cloud: str, key: str) -> str:
    """A logical key such as `cost_center` as a cloud writes it."""
    return PREFIX + key.replace("_", "-") if cloud == "kubernetes" else key


def app_of(resource: Resource, declared: Declared) -> str:
    """Whose cost it is: the tag `app`, else what the nearest component says, else nobody's."""
    tag = labelled(resource).tags.get(key_on(resource.cloud, "app"))
    if isinstance(tag, str) and tag and tag not in UNKNOWNS:
        return tag
    told = resource.inputs.get("app") if resource.cloud == "fairweather" else None
    told = told or declared.fact(resource, "app")
    return told if isinstance(told, str) and told else UNALLOCATED
