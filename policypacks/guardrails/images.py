"""Containers run by digest: a tag can be moved to other code after the evidence was made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gate import ResourceRule, Rule
from pricing.declared import UNKNOWNS, Resource

BY_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
POD_TEMPLATES = {
    "Deployment": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "ReplicationController": "spec.template.spec",
    "PodTemplate": "template.spec",
    "Job": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
    "Pod": "spec",
}
LISTS = {
    "gcp:cloudrunv2/service:Service": ("template.containers",),
    "gcp:cloudrunv2/job:Job": ("template.template.containers",),
    "gcp:cloudrun/service:Service": ("template.spec.containers",),
    "aws:sagemaker/model:Model": ("containers",),
}


def rules() -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="images-by-digest",
            description="Containers and functions name their image by digest, not by tag.",
            check=by_tag,
            remedy="Name the image by the digest that was tested, as in `name@sha256:...`.",
        ),
        ResourceRule(
            name="images-are-known",
            description="Images are known at preview; those that are not are judged when they are deployed.",
            check=not_yet_known,
            remedy="Write the digest into the program, and the preview can judge it.",
            level="advisory",
        ),
    )


def by_tag(resource: Resource) -> Iterator[str]:
    for image in images(resource):
        if image not in UNKNOWNS and not BY_DIGEST.fullmatch(image):
            remedy = "name it by digest, as in name@sha256:<64 hexadecimal digits>"
            yield f"{resource.name} runs {image or 'no image'}; {remedy}."


def not_yet_known(resource: Resource) -> Iterator[str]:
    if any(image in UNKNOWNS for image in images(resource)):
        yield f"{resource.name}: its image is known only when it is deployed, and is judged then."


def images(resource: Resource) -> list[str]:
    """Every image that a resource would run."""
    if resource.type == "aws:lambda/function:Function":
        image = resource.get("imageUri")
        return [str(image)] if image is not None else []
    if resource.get("primaryContainer.image"):  # of a SageMaker model
        return [str(resource.get("primaryContainer.image"))]
    if resource.type == "aws:ecs/taskDefinition:TaskDefinition":
        return _of_ecs(resource.get("containerDefinitions"))
    paths: tuple[str, ...] | None = LISTS.get(resource.type)
    if paths is None and resource.cloud == "kubernetes":
        pod = POD_TEMPLATES.get(resource.type.rsplit(":", 1)[-1])
        paths = (
            tuple(
                f"{pod}.{kind}" for kind in ("containers", "initContainers", "ephemeralContainers")
            )
            if pod
            else ()
        )
    found: list[str] = []
    for path in paths or ():
        listed = resource.get(path)
        if isinstance(listed, str) and listed in UNKNOWNS:
            found.append(listed)
        found += [
            str(item.get("image") or "")
            for item in resource.items(path)
            if isinstance(item, Mapping)
        ]
    return found


def _of_ecs(definitions: Any) -> list[str]:
    if not isinstance(definitions, str) or definitions in UNKNOWNS:
        return [str(definitions)] if definitions else []
    try:
        parsed = json.loads(definitions)
    except ValueError:
        return [""]
    return (
        [str(item.get("image") or "") for item in parsed if isinstance(item, Mapping)]
        if isinstance(parsed, list)
        else [""]
    )
