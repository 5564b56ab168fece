"""Rules about the waivers themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gate import Finding, Rule, StackRule, today
from pricing.declared import Declared
from waivers import Waiver, is_current, problem


def rules(others: Sequence[Rule], waivers: Sequence[Waiver]) -> tuple[Rule, ...]:
    def unusable(declared: Declared) -> Iterator[Finding]:  # noqa: ARG001 - a stack rule takes the stack
        names = [rule.name for rule in others]
        yield from (
            Finding(text) for waiver in waivers if (text := problem(waiver, names, today()))
        )

    return (
        StackRule(
            name="waivers-are-current",
            description="Waivers name a rule of the pack, are not expired, and last 90 days at most.",
            check=unusable,
            remedy="Mend the resource, or correct or renew the waiver in `waivers.yaml`.",
        ),
        StackRule(
            name="waivers-are-used",
            description="Each waiver still covers something.",
            check=lambda declared: unused(declared, others, waivers),
            remedy="Remove the waiver from `waivers.yaml`.",
            level="advisory",
        ),
    )


def unused(
    declared: Declared, rules: Sequence[Rule], waivers: Sequence[Waiver]
) -> Iterator[Finding]:
    """Current waivers whose rule finds nothing at what they name."""
    for waiver in waivers:
        rule = next((found for found in rules if found.name == waiver.rule), None)
        if rule is None or not is_current(waiver, today()):
            continue
        if not any(waiver.covers(rule.name, finding.urn) for finding in rule.findings(declared)):
            yield Finding(
                f"{waiver.place}: the waiver of {waiver.rule} for {waiver.urn} covers nothing; remove it."
            )
