"""From rules to policies: a rule looks at plain records and says what is wrong; this brings Pulumi and the waivers in.

A rule sees unknown values as `pricing.declared.UNKNOWN`, so that one of them never switches it off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import pulumi_policy
from pricing.declared import UNKNOWN, UNKNOWNS, Declared, Resource, canonical
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import _DictProxy, _ListProxy
from waivers import Waiver, waived

Level = Literal["mandatory", "advisory"]
Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True)
class Finding:
    """What a stack rule says of one resource, or of the whole stack where `urn` is empty."""

    message: str
    urn: str = ""


@dataclass(frozen=True)
class ResourceRule:
    """Judges one resource by itself, before the engine touches it. The name says what holds when it passes."""

    name: str
    description: str
    check: Callable[[Resource], Iterable[str]]
    remedy: str
    """What to do about what it finds."""
    level: Level = "mandatory"
    limits: tuple[str, ...] = ()
    """Keys that say where it draws the line: of thresholds.yaml or, as `fairweather:...`, of the stack file."""
    types: tuple[str, ...] = ()
    """Of resources that it looks at; () is all."""
    subject: str = ""
    """The module that lists it, where the check stands in another."""
    severity: Severity = "medium"
    """Of what it stops."""
    frameworks: tuple[str, ...] = ()
    """Controls that ask for it, such as `NIST 800-53 AC-6`."""

    def concerns(self, kind: str) -> bool:
        """Whether it looks at resources of a type."""
        return not self.types or kind in self.types

    def findings(self, declared: Declared) -> Iterator[Finding]:
        """What it says of all resources of a stack."""
        for resource in declared:
            if not self.concerns(resource.type):
                continue
            for message in self.check(resource):
                yield Finding(message, resource.urn)


@dataclass(frozen=True)
class StackRule:
    """Judges all resources of a stack together."""

    name: str
    description: str
    check: Callable[[Declared], Iterable[Finding]]
    remedy: str
    """What to do about what it finds."""
    level: Level = "mandatory"
    limits: tuple[str, ...] = ()
    """Keys that say where it draws the line: of thresholds.yaml or, as `fairweather:...`, of the stack file."""
    subject: str = ""
    """The module that lists it, where the check stands in another."""
    severity: Severity = "medium"
    """Of what it stops."""
    frameworks: tuple[str, ...] = ()
    """Controls that ask for it, such as `NIST 800-53 AC-6`."""

    def findings(self, declared: Declared) -> Iterator[Finding]:
        """What it says of a stack."""
        yield from self.check(declared)


Rule = ResourceRule | StackRule


def today() -> date:
    """The day by which evidence and waivers expire, UTC."""
    return datetime.now(UTC).date()


class Session:
    """What one process was shown, so that each call of the engine is read once and not once a rule.

    The engine's call runs all rules one after the other, in one thread. A rule that comes a second
    time is the start of another call.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Mapping[str, Any]] = {}
        """Of each resource, by URN, as the resource rules saw them."""
        self._call = threading.local()

    def resource(self, rule: ResourceRule, args: ResourceValidationArgs) -> Resource:
        """The resource of this call."""
        found: Resource = self._read(rule, args.urn, lambda: resource_of(args))
        self.inputs[args.urn] = found.inputs
        return found

    def declared(self, rule: StackRule, args: StackValidationArgs) -> Declared:
        """The whole stack of this call."""
        found: Declared = self._read(rule, "", lambda: declared_of(args, self.inputs))
        return found

    def _read(self, rule: Rule, urn: str, read: Callable[[], Any]) -> Any:
        call = self._call
        if getattr(call, "urn", None) != urn or rule.name in call.judged:
            call.urn, call.judged, call.found = urn, set(), read()
        call.judged.add(rule.name)
        return call.found


def policies(rules: Sequence[Rule], waivers: Sequence[Waiver]) -> list[Policy]:
    """The rules as Pulumi takes them; what a current waiver covers is not reported."""
    session = Session()
    return [
        _resource_policy(rule, waivers, session)
        if isinstance(rule, ResourceRule)
        else _stack_policy(rule, waivers, session)
        for rule in rules
    ]


def _resource_policy(rule: ResourceRule, waivers: Sequence[Waiver], session: Session) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not rule.concerns(canonical(args.resource_type)):
            return
        for message in rule.check(session.resource(rule, args)):
            if not waived(waivers, rule.name, args.urn, today()):
                report(message, args.urn)

    return ResourceValidationPolicy(
        rule.name, rule.description, validate, EnforcementLevel(rule.level), **told(rule)
    )


def _stack_policy(rule: StackRule, waivers: Sequence[Waiver], session: Session) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in rule.check(session.declared(rule, args)):
            if not waived(waivers, rule.name, finding.urn, today()):
                report(finding.message, finding.urn or None)

    return StackValidationPolicy(
        rule.name, rule.description, validate, EnforcementLevel(rule.level), **told(rule)
    )


def told(rule: Rule) -> dict[str, Any]:
    """What Pulumi shows of a rule beside its name."""
    return {
        "severity": pulumi_policy.Severity(rule.severity),
        "tags": list(rule.frameworks),
        "remediation_steps": rule.remedy,
    }


def resource_of(args: ResourceValidationArgs) -> Resource:
    """One resource as the engine offers it: its inputs."""
    provider = args.provider.urn if args.provider else ""
    kind, inputs = canonical(args.resource_type), bare(args.props)
    return Resource(args.urn, kind, inputs, provider=f"{provider}::" if provider else "")


def declared_of(args: StackValidationArgs, asked: Mapping[str, Mapping[str, Any]]) -> Declared:
    """All resources as their provider answered, with parents and dependencies.

    A provider that is itself still to be made, such as that of a new cluster, is not asked at
    preview, and the engine answers with nothing: what the program asked for stands in its place.
    """
    found = []
    for one in args.resources:
        needs = {
            key: tuple(r.urn for r in needed) for key, needed in one.property_dependencies.items()
        }
        parent = one.parent.urn if one.parent else ""
        provider = f"{one.provider.urn}::" if one.provider else ""
        told = {key: value for key, value in bare(one.props).items() if value != UNKNOWN}
        inputs = {**asked.get(one.urn, {}), **told}
        kind = canonical(one.resource_type)
        found.append(Resource(one.urn, kind, inputs, parent, needs, provider))
    return Declared(found)


def bare(value: Any) -> Any:
    """Dictionaries and lists without Pulumi's proxies, which raise where a value is unknown.

    The key `__target` is how `pulumi_policy.deserialize` itself looks under them.
    """
    if isinstance(value, _DictProxy | _ListProxy):
        value = value["__target"]
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWNS else value
