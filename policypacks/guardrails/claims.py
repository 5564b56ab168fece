"""What components say of themselves, held against the engine's own resources below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gate import Finding, Rule, StackRule
from images import images
from pricing.declared import UNKNOWNS, Declared, Resource
from pricing.labels import SHARED, key_on, labelled
from quotas import machines

WITHOUT_REGION = tuple(f"aws:{service}/" for service in ("budgets", "cloudfront", "iam", "route53"))


def rules() -> tuple[Rule, ...]:
    return (
        StackRule(
            name="claims-hold",
            description="What components tell policies is what their resources are.",
            check=false_claims,
            remedy="Correct the resource, or what its component says of it.",
        ),
    )


def false_claims(declared: Declared) -> Iterator[Finding]:
    for resource in declared:
        if resource.cloud in {"pulumi", "fairweather"}:
            continue
        yield from _app(resource, declared)
        yield from _place(resource, declared)
        yield from _machine(resource, declared)
        yield from _model(resource, declared)


def _app(resource: Resource, declared: Declared) -> Iterator[Finding]:
    """Cost goes where the tag says: it must be the component's app, or one that has a budget."""
    tag = labelled(resource).tags.get(key_on(resource.cloud, "app"))
    told = declared.fact(resource, "app")
    if not isinstance(tag, str) or tag in UNKNOWNS:
        return
    if isinstance(told, str) and tag != told:
        yield Finding(
            f"{resource.name} is tagged app={tag} inside a component of {told}; tag it {told}.",
            resource.urn,
        )
    known = {
        str(found.inputs.get("app")) for found in declared.of_type("fairweather:index:AppBudget")
    }
    if known and tag not in known | {SHARED}:
        yield Finding(
            f"{resource.name} is tagged app={tag}, which has no budget here; apps: {', '.join(sorted(known))}.",
            resource.urn,
        )


def _place(resource: Resource, declared: Declared) -> Iterator[Finding]:
    """A machine or function is in the region that its component names."""
    if resource.type.startswith(
        WITHOUT_REGION
    ):  # else its provider's region would count as its own
        return
    told, own = declared.fact(resource, "location"), declared.location(resource)
    if not isinstance(told, str) or own is None or told.split(":")[0] != own.split(":")[0]:
        return
    if not (told == own or told.startswith(f"{own}-") or own.startswith(f"{told}-")):
        yield Finding(
            f"{resource.name} is at {own}, its component says {told}; put it there or correct the component.",
            resource.urn,
        )


def _machine(resource: Resource, declared: Declared) -> Iterator[Finding]:
    told = declared.fact(resource, "machine")
    if not isinstance(told, str):
        return
    for machine in machines(resource):
        if machine not in UNKNOWNS and machine != told:
            yield Finding(
                f"{resource.name} runs on {machine}, its component says {told}; correct one.",
                resource.urn,
            )


def _model(resource: Resource, declared: Declared) -> Iterator[Finding]:
    """The evidence is for the image and the weights that really run."""
    model = next(
        (
            up.inputs["model"]
            for up in declared.ancestors(resource)
            if isinstance(up.inputs.get("model"), Mapping)
        ),
        None,
    )
    if model is None:
        for digest in _digests(resource):
            yield Finding(
                f"{resource.name} loads weights {digest} outside a component that shows evidence of them; "
                "serve the model by one.",
                resource.urn,
            )
        return
    for image in images(resource):
        if image not in UNKNOWNS and image != model.get("image"):
            yield Finding(
                f"{resource.name} runs {image}, its evidence is for {model.get('image')}; run that one.",
                resource.urn,
            )
    for digest in _digests(resource):
        if digest not in UNKNOWNS and digest != model.get("digest"):
            yield Finding(
                f"{resource.name} loads weights {digest}, its evidence is for {model.get('digest')}; load those.",
                resource.urn,
            )


def _digests(resource: Resource) -> Iterator[str]:
    """Values of the variable MODEL_DIGEST, which the serving images check before they load weights."""
    told = resource.get("environment.variables.MODEL_DIGEST")
    if told is not None:
        yield str(told)
    for path in ("spec.template.spec.containers", "template.containers"):
        for container in resource.items(path):
            for variable in [*(container.get("env") or ()), *(container.get("envs") or ())]:
                if variable.get("name") == "MODEL_DIGEST":
                    yield str(variable.get("value"))
