"""What a program declares, as plain records, whether preview JSON or a policy call brought it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that only the deployment will tell (pulumi sdk, `plugin.UnknownStringValue`)."""
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark in the engine's protocol
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


OLDER = re.compile(
    r"kubernetes:(apps|batch|extensions|networking\.k8s\.io|rbac\.authorization\.k8s\.io|karpenter\.sh)"
    r"/v\d+(alpha|beta)\d+:"
)


def canonical(kind: str) -> str:
    """One type for what Kubernetes knows under several: `v1:Service`, `v1beta1`, and patches of an object.

    A patch sets fields of an object that is already there, so its fields are judged as the object's own.
    """
    if not kind.startswith("kubernetes:"):
        return kind
    kind = kind.replace("kubernetes:v1:", "kubernetes:core/v1:", 1)
    kind = OLDER.sub(r"kubernetes:\1/v1:", kind).replace(
        "kubernetes:extensions/v1:Ingress", INGRESS
    )
    return kind.removesuffix("Patch")


def is_unknown(value: Any) -> bool:
    """Whether only the deployment will tell."""
    return isinstance(value, str) and value in UNKNOWNS


@dataclass(frozen=True)
class Resource:
    """One resource: `inputs` for a custom resource, its facts for a component."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    parent: str = ""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """URNs of the resources that each property comes from."""
    provider: str = ""
    """URN of the provider, followed by `::` and an id; empty where nobody said."""

    @property
    def name(self) -> str:
        return self.urn.split("::")[-1]

    @property
    def cloud(self) -> str:
        """`aws`, `gcp`, `kubernetes`, ... as the type token begins."""
        return self.type.split(":", 1)[0]

    def get(self, path: str) -> Any:
        """The value at `scalingConfig.minSize` or `containers.0.image`; None where there is none."""
        found: Any = self.inputs
        for step in path.split("."):
            if isinstance(found, Mapping):
                found = found.get(step)
            elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found

    def number(self, path: str) -> float | None:
        """A number, also one written as text; None where it is absent, unknown or something else."""
        return number(self.get(path))

    def text(self, path: str) -> str | None:
        """Text; None where it is absent, unknown or something else."""
        found = self.get(path)
        return found if isinstance(found, str) and found and found not in UNKNOWNS else None

    def items(self, path: str) -> list[Any]:
        """A list; empty where it is absent, unknown or something else."""
        found = self.get(path)
        return found if isinstance(found, list) else []


class Declared:
    """All resources of one stack, with what points to what."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self.by_urn = {resource.urn: resource for resource in self.resources}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def of_type(self, *types: str) -> list[Resource]:
        return [found for kind in types for found in self._by_type.get(kind, ())]

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.resources:
            found[resource.type].append(resource)
        return found

    def needed(self, resource: Resource, key: str) -> list[Resource]:
        """The resources that one property of `resource` comes from."""
        return [self.by_urn[urn] for urn in resource.needs.get(key, ()) if urn in self.by_urn]

    def pointing(self, kind: str, key: str, target: Resource) -> list[Resource]:
        """Resources of a type whose property `key` comes from `target`."""
        return [found for found in self.of_type(kind) if target.urn in found.needs.get(key, ())]

    def ancestors(self, resource: Resource) -> Iterator[Resource]:
        """The parent, its parent, and so on."""
        seen, urn = set(), resource.parent
        while urn in self.by_urn and urn not in seen:
            seen.add(urn)
            yield self.by_urn[urn]
            urn = self.by_urn[urn].parent

    def fact(self, resource: Resource, key: str) -> Any:
        """What the nearest component above says under `key`; None where none does."""
        for above in self.ancestors(resource):
            if above.inputs.get(key) is not None:
                return above.inputs[key]
        return None

    def location(self, resource: Resource) -> str | None:
        """Where it is, by its properties, what it hangs on, its provider or its component; or None."""
        return _location(self, resource, frozenset())


def of_preview(states: Iterable[Mapping[str, Any]]) -> Declared:
    """From the `newState` dictionaries of `pulumi preview --json`, or the resources of an exported stack."""
    found = []
    for state in states:
        needs = state.get("propertyDependencies") or {}
        inputs = plain(state.get("inputs") or {})
        if not state.get("custom", True):
            inputs = {
                **inputs,
                **{k: v for k, v in plain(state.get("outputs") or {}).items() if k not in inputs},
            }
        found.append(
            Resource(
                urn=state["urn"],
                type=canonical(state["type"]),
                inputs=inputs,
                parent=state.get("parent") or "",
                needs={key: tuple(urns or ()) for key, urns in needs.items()},
                provider=state.get("provider") or "",
            )
        )
    return Declared(found)


def plain(value: Any) -> Any:
    """Dictionaries and lists all the way down, secrets and outputs by their content where it is known."""
    if isinstance(value, Mapping):
        kind = value.get(SIGNATURE)
        if kind == SECRET:
            shown = value.get("plaintext")
            return plain(json.loads(shown)) if isinstance(shown, str) else UNKNOWN
        if kind == OUTPUT:
            return plain(value.get("value", UNKNOWN))
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def number(value: Any) -> float | None:
    """A finite number, also one written as text."""
    if isinstance(value, bool) or (isinstance(value, str) and value in UNKNOWNS):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if found - found == 0 else None


def region_of_zone(zone: str) -> str:
    """`us-east-1a` -> `us-east-1`; a Local Zone such as `us-east-1-bos-1a` is a place of its own."""
    return zone if len(zone.split("-")) > 3 else zone.rstrip("abcdefghijklmnopqrstuvwxyz")


def google_region(place: str) -> str:
    """`europe-west4-a` -> `europe-west4`."""
    parts = place.split("-")
    return "-".join(parts[:2]) if len(parts) == 3 and len(parts[2]) == 1 else place


def _location(declared: Declared, resource: Resource, seen: frozenset[str]) -> str | None:
    if resource.urn in seen:
        return None
    seen |= {resource.urn}
    found = _own_location(resource)
    for lead in _leads(declared, resource):
        there = _location(declared, lead, seen)
        # A subnet in a Local Zone says more than the region that a group is managed from.
        if there is not None and (found is None or there.startswith(f"{found}-")):
            found = there
    return found or _by_provider(declared, resource, seen) or _by_component(declared, resource)


def _leads(declared: Declared, resource: Resource) -> Iterator[Resource]:
    """Resources whose place is also this one's."""
    for key in LEADS.get(resource.cloud, ()):
        for lead in declared.needed(resource, key):
            if resource.cloud in (lead.cloud, "pulumi"):
                yield lead


def _by_provider(declared: Declared, resource: Resource, seen: frozenset[str]) -> str | None:
    provider = declared.by_urn.get(resource.provider.rsplit("::", 1)[0])
    if provider is None:
        return None
    if resource.cloud == "kubernetes":
        return _location(declared, provider, seen)
    region = provider.text("region")
    return None if region is None else f"{resource.cloud}:{region}"


def _by_component(declared: Declared, resource: Resource) -> str | None:
    told = declared.fact(resource, "location")
    fits = isinstance(told, str) and (
        resource.cloud in {"kubernetes", "pulumi"} or told.startswith(f"{resource.cloud}:")
    )
    return told if fits else None


LEADS: Mapping[str, tuple[str, ...]] = {
    "aws": ("vpcZoneIdentifiers", "subnetId", "subnetIds"),
    "gcp": ("cluster",),
    # A Kubernetes provider is where the cluster of its kubeconfig is.
    "pulumi": ("kubeconfig",),
}


def _own_location(resource: Resource) -> str | None:
    if resource.cloud == "aws":
        zone = resource.text("availabilityZone")
        if zone is not None:
            return f"aws:{region_of_zone(zone)}"
        region = resource.text("region")
        return None if region is None else f"aws:{region}"
    if resource.cloud == "gcp":
        place = resource.text("zone") or resource.text("region") or resource.text("location")
        return None if place is None else f"gcp:{google_region(place.rsplit('/', 1)[-1])}"
    return None
