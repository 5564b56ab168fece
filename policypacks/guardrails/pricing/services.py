"""What is billed by itself beside machines: clusters, networks, balancers, serverless, keys; and what is not billed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .book import PriceBook
from .declared import Declared, Resource, number
from .week import Range, over_a_week

HOURS_A_MONTH, SECONDS_AN_HOUR, MIB_PER_GIB = 730, 3600, 1024
NAT_MACHINES = 32
"""Cloud NAT counts machines up to this many (Cloud NAT pricing)."""


@dataclass(frozen=True)
class Priced:
    """USD an hour, low, expected and high."""

    usd_hour: Range
    why: str


@dataclass(frozen=True)
class NotPriced:
    """Why there is no figure."""

    state: Literal["free", "usage", "inside", "unpriced"]
    why: str


@dataclass(frozen=True)
class Asked:
    """One resource to price, where it is, and the prices."""

    resource: Resource
    declared: Declared
    location: str
    """`aws:*` where it is not known, or everywhere."""
    book: PriceBook

    def price(self, service: str, item: str) -> float | None:
        return self.book.price(service, item, self.location)

    def missing(self, service: str, item: str) -> NotPriced:
        where = "an unknown location" if self.location.endswith("*") else self.location
        return NotPriced("unpriced", f"no price for {service} {item} at {where}")


Pricer = Callable[[Asked], Priced | NotPriced]


def flat(usd_hour: float, why: str) -> Priced:
    """The same whatever happens."""
    return Priced(Range(usd_hour, usd_hour, usd_hour), why)


def hourly(service: str, item: str) -> Pricer:
    """So much an hour."""

    def price(asked: Asked) -> Priced | NotPriced:
        usd = asked.price(service, item)
        return asked.missing(service, item) if usd is None else flat(usd, f"${usd:g}/h")

    return price


def monthly(service: str, item: str) -> Pricer:
    """So much a month."""

    def price(asked: Asked) -> Priced | NotPriced:
        usd = asked.price(service, item)
        return (
            asked.missing(service, item)
            if usd is None
            else flat(usd / HOURS_A_MONTH, f"${usd:g} a month")
        )

    return price


def load_balancer(asked: Asked) -> Priced | NotPriced:
    """By the hour, with a public address in each zone unless it is internal; capacity units are usage."""
    kind = asked.resource.text("loadBalancerType") or "application"
    usd, address = (
        asked.price("load-balancer", kind),
        asked.price("address", "public-ipv4"),
    )
    if usd is None or address is None:
        return asked.missing("load-balancer", kind)
    zones = (
        0
        if asked.resource.get("internal") is True
        else len(asked.resource.items("subnets") or asked.resource.items("subnetMappings"))
    )
    return flat(
        usd + zones * address, f"${usd:g}/h and {zones} public addresses; capacity units by use"
    )


def cloud_nat(asked: Asked) -> Priced | NotPriced:
    """By machines behind it, up to 32, and one address; traffic is usage."""
    each, address = (
        asked.price("nat", "cloud-nat-vm"),
        asked.price("address", "public-ipv4"),
    )
    if each is None or address is None:
        return asked.missing("nat", "cloud-nat-vm")
    most = each * NAT_MACHINES + address
    return Priced(
        Range(each + address, most, most),
        f"${each:g}/h a machine, up to {NAT_MACHINES}; traffic by use",
    )


def health_check(asked: Asked) -> Priced | NotPriced:
    """As for an endpoint outside AWS; HTTPS, text search and ten-second intervals are options."""
    base, option = (
        asked.price("dns", "health-check"),
        asked.price("dns", "health-check-option"),
    )
    if base is None or option is None:
        return asked.missing("dns", "health-check")
    kind = asked.resource.text("type") or ""
    options = sum(
        ("HTTPS" in kind, "STR_MATCH" in kind, asked.resource.number("requestInterval") == 10)
    )
    return flat(
        (base + options * option) / HOURS_A_MONTH,
        f"${base:g} a month and {options} options at ${option:g}",
    )


def endpoint(asked: Asked) -> Priced | NotPriced:
    """Interface endpoints by zone; gateway endpoints are free."""
    if asked.resource.get("vpcEndpointType") != "Interface":
        return NotPriced("free", "gateway endpoints are not billed")
    usd = asked.price("endpoint", "interface")
    if usd is None:
        return asked.missing("endpoint", "interface")
    zones = max(1, len(asked.resource.items("subnetIds")))
    return flat(usd * zones, f"${usd:g}/h in {zones} zones; traffic by use")


def volume(asked: Asked) -> Priced | NotPriced:
    """A disk of its own by its size."""
    kind = (
        asked.resource.text("type") or ("gp2" if asked.resource.cloud == "aws" else "pd-standard")
    ).rsplit("/", 1)[-1]
    size, usd = asked.resource.number("size"), asked.price("disk", kind)
    if usd is None or size is None:
        return (
            asked.missing("disk", kind)
            if usd is None
            else NotPriced("unpriced", "its size is not known")
        )
    return flat(size * usd / HOURS_A_MONTH, f"{size:g} GiB {kind} at ${usd:g} a GiB and month")


def function(asked: Asked) -> Priced | NotPriced:
    """Lambda: provisioned concurrency by its schedule, and busy executions up to the reserved concurrency.

    Expected executions are a component's claim; without one only the reserve bounds the high end.
    """
    gib = (asked.resource.number("memorySize") or 128.0) / MIB_PER_GIB
    ready, busy_ready, busy = (
        asked.price("lambda", item)
        for item in ("provisioned-concurrency", "provisioned-duration", "duration")
    )
    if ready is None or busy_ready is None or busy is None:
        return asked.missing("lambda", "provisioned-concurrency")
    warm = provisioned(asked.resource, asked.declared)
    if warm is None:
        return NotPriced("usage", "billed by execution")
    most = asked.resource.number("reservedConcurrentExecutions")
    most = warm.high if most is None or most < 0 else max(most, warm.high)
    running = min(working(asked.declared, asked.resource), most)
    second = gib * SECONDS_AN_HOUR

    def used(kept: float) -> float:
        """Everything busy while so many are kept warm; warm ones run cheaper."""
        return kept * (ready + busy_ready) + (most - kept) * busy

    usd = Range.ordered(
        warm.low * ready * second,
        (warm.expected * ready + running * busy_ready) * second,
        max(used(warm.low), used(warm.high)) * second,
    )
    return Priced(
        usd, f"{warm.expected:.1f} kept warm, {running:.1f} busy, of {gib:g} GiB; requests by use"
    )


def provisioned(resource: Resource, declared: Declared) -> Range | None:
    """Provisioned concurrency of a function: low and expected by its schedule, high by what scaling may reach."""
    aliases = declared.pointing("aws:lambda/alias:Alias", "functionName", resource)
    targets = [
        target
        for target in declared.of_type("aws:appautoscaling/target:Target")
        if target.get("scalableDimension") == "lambda:function:ProvisionedConcurrency"
        and {alias.urn for alias in aliases} & set(target.needs.get("resourceId", ()))
    ]
    fixed = [
        found.number("provisionedConcurrentExecutions") or 0.0
        for found in declared.of_type(
            "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
        )
        if {resource.urn, *(alias.urn for alias in aliases)}
        & set(found.needs.get("functionName", ()))
    ]
    ranges = [Range(size, size, size) for size in fixed]
    for target in targets:
        least, most = target.number("minCapacity") or 0.0, target.number("maxCapacity") or 0.0
        moves = []
        for action in declared.of_type("aws:appautoscaling/scheduledAction:ScheduledAction"):
            size, line = action.number("scalableTargetAction.minCapacity"), action.text("schedule")
            if (
                target.urn in action.needs.get("resourceId", ())
                and size is not None
                and line is not None
            ):
                moves.append((line, size))
        week = over_a_week(moves)
        ranges.append(Range.ordered(least, least if week is None else week.expected, most))
    return None if not ranges else sum(ranges[1:], ranges[0])


def working(declared: Declared, resource: Resource) -> float:
    """Replicas that are busy on average, as the component above claims: expected replicas at their utilisation."""
    replicas = number(declared.fact(resource, "expected_replicas")) or 0.0
    share = number(declared.fact(resource, "target_utilisation"))
    return max(0.0, replicas * (1.0 if share is None else share))


def cloud_run(asked: Asked) -> Priced | NotPriced:
    """Minimum instances idle, expected ones busy, every instance busy at the most."""
    containers = asked.resource.items("template.containers")
    cpu = sum(
        cores((c.get("resources") or {}).get("limits", {}).get("cpu", "1")) for c in containers
    )
    memory = sum(
        gibibytes((c.get("resources") or {}).get("limits", {}).get("memory", "512Mi"))
        for c in containers
    )
    always = any((c.get("resources") or {}).get("cpuIdle") is False for c in containers)
    items = ("always-vcpu", "always-memory") if always else ("vcpu", "memory")
    idle_items = items if always else ("idle-vcpu", "idle-memory")
    prices = [asked.price("cloud-run", item) for item in (*items, *idle_items)]
    if any(usd is None for usd in prices):
        return asked.missing("cloud-run", items[0])
    busy_cpu, busy_memory, idle_cpu, idle_memory = (usd or 0.0 for usd in prices)
    busy = (cpu * busy_cpu + memory * busy_memory) * SECONDS_AN_HOUR
    idle = (cpu * idle_cpu + memory * idle_memory) * SECONDS_AN_HOUR
    least = asked.resource.number("template.scaling.minInstanceCount") or 0.0
    most = asked.resource.number("template.scaling.maxInstanceCount")
    if most is None:
        return NotPriced("unpriced", "no maximum of instances, so nothing bounds what it may cost")
    if least == 0 and not working(asked.declared, asked.resource):
        return NotPriced("usage", "billed by request")
    running = min(working(asked.declared, asked.resource), most)
    usd = Range.ordered(
        least * idle, max(0.0, least - running) * idle + running * busy, most * busy
    )
    return Priced(
        usd,
        f"{least:g} kept warm, {running:.1f} busy, of {cpu:g} vCPU and {memory:g} GiB; requests by use",
    )


def cores(text: object) -> float:
    """`500m` -> 0.5."""
    said = str(text)
    found = number(said[:-1]) if said.endswith("m") else number(said)
    return 0.0 if found is None else found / 1000 if said.endswith("m") else found


def gibibytes(text: object) -> float:
    """`512Mi` -> 0.5."""
    said = str(text)
    for unit, size in (("Gi", 1.0), ("Mi", 1 / 1024), ("G", 1e9 / 2**30), ("M", 1e6 / 2**30)):
        if said.endswith(unit):
            return (number(said[: -len(unit)]) or 0.0) * size
    return (number(said) or 0.0) / 2**30


def ingress(asked: Asked) -> Priced | NotPriced:
    """On GKE an Ingress brings a load balancer; elsewhere what it brings depends on its controller."""
    if not asked.location.startswith("gcp:"):
        return NotPriced("inside", "served by the cluster's controller")
    usd = asked.price("load-balancer", "forwarding-rule")
    return (
        asked.missing("load-balancer", "forwarding-rule")
        if usd is None
        else flat(usd, f"${usd:g}/h; traffic by use")
    )


def global_rule(asked: Asked) -> Priced | NotPriced:
    """A global forwarding rule, as in any region."""
    usd = asked.book.price("load-balancer", "forwarding-rule", "gcp:us-central1")
    return (
        asked.missing("load-balancer", "forwarding-rule")
        if usd is None
        else flat(usd, f"${usd:g}/h; traffic by use")
    )


def service(asked: Asked) -> Priced | NotPriced:
    """A Service of type LoadBalancer brings one; others are inside the cluster."""
    if asked.resource.get("spec.type") != "LoadBalancer":
        return NotPriced("inside", "inside the cluster")
    item = "network" if asked.location.startswith("aws:") else "forwarding-rule"
    return hourly("load-balancer", item)(asked)


PRICERS: Mapping[str, Pricer] = {
    "aws:cloudwatch/dashboard:Dashboard": monthly("monitoring", "dashboard"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": monthly("monitoring", "alarm"),
    "aws:ebs/volume:Volume": volume,
    "aws:ec2/eip:Eip": hourly("address", "public-ipv4"),
    "aws:ec2/natGateway:NatGateway": hourly("nat", "gateway"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": endpoint,
    "aws:eks/cluster:Cluster": hourly("cluster", "eks"),
    "aws:globalaccelerator/accelerator:Accelerator": hourly(
        "accelerator-endpoint", "global-accelerator"
    ),
    "aws:kms/key:Key": monthly("key", "kms"),
    "aws:lambda/function:Function": function,
    "aws:lb/loadBalancer:LoadBalancer": load_balancer,
    "aws:route53/healthCheck:HealthCheck": health_check,
    "aws:route53/zone:Zone": monthly("dns", "zone"),
    "aws:secretsmanager/secret:Secret": monthly("secret", "secretsmanager"),
    "aws:wafv2/webAcl:WebAcl": monthly("firewall", "web-acl"),
    "gcp:cloudrunv2/service:Service": cloud_run,
    "gcp:compute/disk:Disk": volume,
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": global_rule,
    "gcp:compute/forwardingRule:ForwardingRule": hourly("load-balancer", "forwarding-rule"),
    "gcp:compute/routerNat:RouterNat": cloud_nat,
    "gcp:container/cluster:Cluster": hourly("cluster", "gke"),
    "gcp:kms/cryptoKey:CryptoKey": monthly("key", "cloud-kms"),
    "kubernetes:core/v1:Service": service,
    "kubernetes:networking.k8s.io/v1:Ingress": ingress,
}
