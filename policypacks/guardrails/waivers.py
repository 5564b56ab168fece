"""Exemptions from rules, as code: who asked, why, until when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from settings import Node, read

LONGEST = timedelta(days=90)
WHOLE_STACK = "stack"
NAMED = re.compile(r"::[^:]*[A-Za-z0-9]{3}[^:]*$")
"""At least three letters of the name."""
TYPED = re.compile(r"[:$*][\w.-]+:[\w./-]+:\w+::\*$")
"""A whole type, such as `*::aws:s3/bucket:Bucket::*`."""


@dataclass(frozen=True)
class Waiver:
    """One exemption, and where it stands."""

    rule: str
    urn: str
    """A glob over URNs; `*` matches anything, `?` one character. `stack` is for the whole stack.

    What stands after its last `::` has to match the resource's name, and not the stack or project before it.
    """
    owner: str
    reason: str
    expires: date
    """Its last day."""
    place: str

    def covers(self, rule: str, urn: str) -> bool:
        urn = urn or WHOLE_STACK
        name, wanted = urn.rpartition("::")[2], self.urn.rpartition("::")[2]
        return self.rule == rule and _matches(urn, self.urn) and _matches(name, wanted)


def _matches(text: str, pattern: str) -> bool:
    """Brackets are themselves: a class of letters could be all of them."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def load(file: Path) -> tuple[Waiver, ...]:
    """The waivers of the pack. Raises settings.SettingsError."""
    found = read(file).fields("waivers")
    return tuple(_waiver(item) for item in found["waivers"].list())


def _waiver(node: Node) -> Waiver:
    found = node.fields("rule", "urn", "owner", "reason", "expires")
    pattern = found["urn"].text()
    if pattern != WHOLE_STACK and not (NAMED.search(pattern) or TYPED.search(pattern)):
        raise found["urn"].wrong("covers too much; name the resources, such as '*::legacy-bucket'")
    if found["rule"].text().startswith("waivers-are-"):
        raise found["rule"].wrong("cannot be waived; mend the waivers")
    return Waiver(
        rule=found["rule"].text(),
        urn=pattern,
        owner=found["owner"].text(),
        reason=found["reason"].text(),
        expires=found["expires"].day(),
        place=f"{node.file}:{node.line}",
    )


def waived(waivers: Sequence[Waiver], rule: str, urn: str, today: date) -> bool:
    """Whether a current waiver covers it."""
    return any(waiver.covers(rule, urn) and is_current(waiver, today) for waiver in waivers)


def is_current(waiver: Waiver, today: date) -> bool:
    """Not expired, and not for longer than 90 days from now: nobody waives for good."""
    return today <= waiver.expires <= today + LONGEST


def problem(waiver: Waiver, rules: Sequence[str], today: date) -> str | None:
    """Why a waiver cannot stand, in one line."""
    what = f"{waiver.place}: the waiver of {waiver.rule} by {waiver.owner}"
    if waiver.rule not in rules:
        return f"{what} names no rule of this pack; name one of {', '.join(rules)}."
    if waiver.expires < today:
        return f"{what} expired on {waiver.expires}; mend the resource, or renew it."
    if waiver.expires > today + LONGEST:
        return f"{what} lasts until {waiver.expires}, the limit is {LONGEST.days} days; shorten it."
    return None
