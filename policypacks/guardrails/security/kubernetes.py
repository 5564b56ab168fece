"""Kubernetes: what pods may do to their machine, what may reach them, and which images they run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gate import Finding, ResourceRule, Rule, StackRule
from images import POD_TEMPLATES, images
from pricing.declared import Declared, Resource, is_unknown
from settings import Thresholds

from security.expect import expect, one_of, world

WORKLOADS = frozenset(POD_TEMPLATES)
RESTRICTED = ("restricted", "baseline")
SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease", "gmp-system"})
LEVEL = "pod-security.kubernetes.io/enforce"
PRIVATE_ADDRESS = re.compile(
    r"service\.beta\.kubernetes\.io/(aws|azure)-load-balancer-(scheme|internal)|"
    r"(networking\.gke\.io|cloud\.google\.com)/load-balancer-type"
)
CERTIFICATE = re.compile(
    r"alb\.ingress\.kubernetes\.io/certificate-arn|ingress\.gcp\.kubernetes\.io/pre-shared-cert|"
    r"networking\.gke\.io/(managed-certificates|certmap)"
)
"""Annotations by which controllers take a certificate."""
ME = __name__


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="pods-are-not-privileged",
            description="No container is privileged, and none shares its machine's network, processes or files.",
            check=privileged,
            remedy="Remove privileged, hostNetwork, hostPID, hostIPC and hostPath.",
            severity="critical",
            frameworks=("CIS Kubernetes 1.10 5.2.2", "Pod Security baseline", "NIST 800-53 AC-6", "SOC 2 CC6.1"),
        ),
        ResourceRule(
            name="pods-run-as-nobody-special",
            description="Containers run as a user other than root, who cannot become root.",
            check=rooted,
            remedy="Set runAsNonRoot to true and allowPrivilegeEscalation to false.",
            severity="high",
            frameworks=("CIS Kubernetes 1.10 5.2.6", "Pod Security restricted", "NIST 800-53 AC-6"),
        ),
        ResourceRule(
            name="pods-drop-capabilities",
            description="Containers drop every Linux capability, and add none but NET_BIND_SERVICE.",
            check=capable,
            remedy="Set securityContext.capabilities.drop to [ALL].",
            severity="medium",
            frameworks=("CIS Kubernetes 1.10 5.2.8", "Pod Security restricted", "NIST 800-53 CM-7"),
        ),
        ResourceRule(
            name="pods-filter-system-calls",
            description="Pods use the container runtime's filter of system calls.",
            check=unfiltered,
            remedy="Set securityContext.seccompProfile.type to RuntimeDefault.",
            severity="medium",
            frameworks=("CIS Kubernetes 1.10 5.7.2", "Pod Security restricted", "NIST 800-53 CM-7"),
        ),
        ResourceRule(
            name="pods-limit-memory",
            description="Each container states how much memory it may take.",
            check=unlimited,
            remedy="Set resources.limits.memory.",
            severity="medium",
            frameworks=("NIST 800-53 SC-6",),
        ),
        ResourceRule(
            name="images-come-from-known-registries",
            description="Images come from registries that the policy owners allow.",
            check=lambda resource: strange_images(resource, thresholds.registries),
            remedy="Push the image to an allowed registry, and name it there.",
            limits=("registries",),
            severity="high",
            frameworks=("CIS Kubernetes 1.10 5.5.1", "NIST 800-53 CM-7", "SOC 2 CC6.8"),
            subject=ME,
        ),
        ResourceRule(
            name="namespaces-enforce-pod-security",
            description="Each namespace enforces a Pod Security level of restricted, or baseline.",
            check=lax_namespace,
            remedy=f"Label the namespace {LEVEL}=restricted.",
            types=("kubernetes:core/v1:Namespace",),
            severity="high",
            frameworks=("CIS Kubernetes 1.10 5.2.1", "NIST 800-53 CM-7"),
        ),
        StackRule(
            name="namespaces-deny-by-default",
            description="Each namespace with workloads has a network policy that denies what is not allowed.",
            check=open_namespaces,
            remedy="Add a NetworkPolicy with an empty podSelector and policyTypes of Ingress and Egress.",
            severity="high",
            frameworks=("CIS Kubernetes 1.10 5.3.2", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        ResourceRule(
            name="services-are-not-open-to-the-world",
            description="No Service opens a port of its own to the internet; an Ingress with TLS does that.",
            check=exposed,
            remedy="Use ClusterIP behind an Ingress, or an internal load balancer.",
            types=("kubernetes:core/v1:Service",),
            severity="high",
            frameworks=("NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        ResourceRule(
            name="ingresses-speak-tls",
            description="Each Ingress has a certificate.",
            check=plain_ingress,
            remedy="Set spec.tls, or name a certificate in the annotations of its controller.",
            types=("kubernetes:networking.k8s.io/v1:Ingress",),
            severity="high",
            frameworks=("NIST 800-53 SC-8", "SOC 2 CC6.7"),
        ),
        expect(
            "service-accounts-mount-no-token",
            "Service accounts hand out their token only where it is asked for.",
            {"kubernetes:core/v1:ServiceAccount": ("automountServiceAccountToken",)},
            one_of(False),
            "gives its token to every pod",
            "set automountServiceAccountToken to false",
            subject=ME, severity="medium",
            frameworks=("CIS Kubernetes 1.10 5.1.6", "NIST 800-53 AC-6"),
        ),
    )  # fmt: skip


def pod_of(resource: Resource) -> Mapping[str, Any] | None:
    """The pod that a workload would run."""
    if resource.cloud != "kubernetes":
        return None
    path = POD_TEMPLATES.get(resource.type.rsplit(":", 1)[-1])
    found = resource.get(path) if path else None
    return found if isinstance(found, Mapping) else None


def containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        listed = pod.get(kind)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, Mapping):
                yield item


def _context(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    found = owner.get("securityContext")
    return found if isinstance(found, Mapping) else {}


def _is(value: Any, *, true: bool) -> bool:
    """As said; a value that only the deployment will tell counts as said."""
    return str(value).lower() == str(true).lower() or is_unknown(value)


def privileged(resource: Resource) -> Iterator[str]:
    pod = pod_of(resource)
    if pod is None:
        return
    volumes = pod.get("volumes")
    mounted = (
        [one for one in volumes if isinstance(one, Mapping)] if isinstance(volumes, list) else []
    )
    shared = [
        *(
            key
            for key in ("hostNetwork", "hostPID", "hostIPC")
            if str(pod.get(key)).lower() == "true"
        ),
        *(
            f"hostPath volume {one.get('name')}"
            for one in mounted
            if one.get("hostPath") is not None
        ),
        *(
            f"privileged container {one.get('name')}"
            for one in containers(pod)
            if str(_context(one).get("privileged")).lower() == "true"
        ),
    ]
    if shared:
        yield f"{resource.name} is not kept apart from its machine: {', '.join(shared)}; remove it."


def rooted(resource: Resource) -> Iterator[str]:
    pod = pod_of(resource)
    if pod is None:
        return
    for container in containers(pod):
        own, problems = {**_context(pod), **_context(container)}, []
        if not _is(own.get("runAsNonRoot"), true=True):
            problems.append("runAsNonRoot is not true")
        if str(own.get("runAsUser")) in {"0", "0.0"}:
            problems.append("runAsUser is 0")
        if not _is(_context(container).get("allowPrivilegeEscalation"), true=False):
            problems.append("allowPrivilegeEscalation is not false")
        if problems:
            name = container.get("name")
            yield f"{resource.name}: container {name} may become root: {', '.join(problems)}; set them."


def capable(resource: Resource) -> Iterator[str]:
    pod = pod_of(resource)
    for container in containers(pod) if pod is not None else ():
        found = _context(container).get("capabilities")
        found = found if isinstance(found, Mapping) else {}
        dropped, added = found.get("drop"), found.get("add")
        if not isinstance(dropped, list) or "ALL" not in dropped:
            name = container.get("name")
            yield f"{resource.name}: container {name} keeps Linux capabilities; drop ALL."
        elif isinstance(added, list) and set(map(str, added)) - {"NET_BIND_SERVICE"}:
            told = ", ".join(map(str, added))
            yield f"{resource.name}: container {container.get('name')} adds {told}; remove it."


def unfiltered(resource: Resource) -> Iterator[str]:
    pod = pod_of(resource)
    for container in containers(pod) if pod is not None else ():
        profile = {**_context(pod or {}), **_context(container)}.get("seccompProfile")
        kind = profile.get("type") if isinstance(profile, Mapping) else None
        if not is_unknown(kind) and str(kind) not in {"RuntimeDefault", "Localhost"}:
            name = container.get("name")
            yield f"{resource.name}: container {name} has no filter of system calls; use RuntimeDefault."


def unlimited(resource: Resource) -> Iterator[str]:
    pod = pod_of(resource)
    for container in containers(pod) if pod is not None else ():
        limits = container.get("resources")
        limits = limits.get("limits") if isinstance(limits, Mapping) else None
        if not isinstance(limits, Mapping) or not limits.get("memory"):
            name = container.get("name")
            yield f"{resource.name}: container {name} has no limit of memory; set resources.limits.memory."


def strange_images(resource: Resource, registries: Iterable[str]) -> Iterator[str]:
    allowed = tuple(registries)
    for image in images(resource):
        if image and not is_unknown(image) and not any(_lies_in(image, one) for one in allowed):
            yield f"{resource.name} runs {image}, from none of {', '.join(allowed)}; push it to one of them."


def _lies_in(image: str, registry: str) -> bool:
    """Step by step: a wildcard for a part of a host's name is not one for other hosts."""
    steps, wanted = image.split("/"), registry.split("/")
    return len(steps) > len(wanted) and all(map(fnmatchcase, steps, wanted))


def lax_namespace(resource: Resource) -> Iterator[str]:
    if str(resource.get("metadata.name")) in SYSTEM:
        return
    labels = resource.get("metadata.labels")
    level = labels.get(LEVEL) if isinstance(labels, Mapping) else None
    if not is_unknown(level) and str(level) not in RESTRICTED:
        yield f"{resource.name} enforces {level or 'no Pod Security level'}; label it {LEVEL}=restricted."


def open_namespaces(declared: Declared) -> Iterator[Finding]:
    closed = set()
    for policy in declared.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy"):
        selector, kinds = (
            policy.get("spec.podSelector"),
            set(map(str, policy.items("spec.policyTypes"))),
        )
        if not selector and {"Ingress", "Egress"} <= kinds:
            closed.add((policy.provider, str(policy.get("metadata.namespace"))))
    for resource in declared:
        if pod_of(resource) is None:
            continue
        namespace = str(resource.get("metadata.namespace") or "default")
        if is_unknown(namespace) or namespace in SYSTEM or (resource.provider, namespace) in closed:
            continue
        problem = f"{resource.name} runs in {namespace}, where no network policy denies by default"
        yield Finding(f"{problem}; add one with an empty podSelector.", resource.urn)


def exposed(resource: Resource) -> Iterator[str]:
    kind = resource.get("spec.type")
    if kind == "NodePort":
        yield f"{resource.name} opens a port of every machine; use ClusterIP."
    if resource.items("spec.externalIPs"):
        yield f"{resource.name} takes traffic for addresses outside the cluster; remove externalIPs."
    if kind != "LoadBalancer":
        return
    annotations = resource.get("metadata.annotations")
    annotations = annotations if isinstance(annotations, Mapping) else {}
    said = [
        str(value).lower()
        for key, value in annotations.items()
        if PRIVATE_ADDRESS.fullmatch(str(key))
    ]
    named = resource.items("spec.loadBalancerSourceRanges")
    if not {"internal", "true"} & set(said) and (not named or world(named)):
        yield f"{resource.name} opens a load balancer to the world; put an Ingress with TLS before it."


def plain_ingress(resource: Resource) -> Iterator[str]:
    annotations = resource.get("metadata.annotations")
    annotations = annotations if isinstance(annotations, Mapping) else {}
    certified = any(CERTIFICATE.fullmatch(str(key)) and value for key, value in annotations.items())
    tls = resource.get("spec.tls")
    if not tls and not certified:
        yield f"{resource.name} has no certificate; set spec.tls."
