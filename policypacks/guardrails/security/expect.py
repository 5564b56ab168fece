"""Rules of the form "this property of these types is that", and what all security rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gate import Level, ResourceRule, Severity
from pricing.declared import Resource, is_unknown

ABSENT = object()
Good = Callable[[Any], bool]


def values(found: Any, path: str) -> Iterator[Any]:
    """Everything at `mappings.*.ebs.encrypted`; ABSENT where a step leads nowhere, nothing in an empty list."""
    step, _, rest = path.partition(".")
    if step == "" or is_unknown(found):
        yield found
    elif step == "*":
        if not isinstance(found, list):
            yield ABSENT
            return
        for item in found:
            yield from values(item, rest)
    elif isinstance(found, Mapping) and found.get(step) is not None:
        yield from values(found[step], rest)
    else:
        yield ABSENT


def one_of(*allowed: Any) -> Good:
    """Among these; true and false also as text, as engines write them."""
    words = {_word(value) for value in allowed}
    return lambda value: value is not ABSENT and _word(value) in words


def absent_or(good: Good) -> Good:
    """The cloud's own default is good."""
    return lambda value: value is ABSENT or good(value)


def there(value: Any) -> bool:
    return value is not ABSENT and value not in ("", [], {})


def _word(value: Any) -> str:
    return str(value).strip().lower()


def expect(
    name: str,
    description: str,
    at: Mapping[str, tuple[str, ...]],
    good: Good,
    says: str,
    remedy: str,
    *,
    subject: str,
    severity: Severity,
    frameworks: tuple[str, ...],
    level: Level = "mandatory",
) -> ResourceRule:
    """A rule on properties of some types.

    A value that only the deployment will tell is judged then: the engine asks again before it acts.

    Args:
        name: what is true when it passes.
        description: the same, in a sentence.
        at: type -> paths whose every value has to be good; `*` is every item of a list.
        good: of a value, or of ABSENT.
        says: what is wrong with a resource, after its name.
        remedy: what to do.
        subject: the module that lists it.
        severity: of what it stops.
        frameworks: which controls ask for it.
        level: whether it blocks.
    """

    def check(resource: Resource) -> Iterator[str]:
        for path in at[resource.type]:
            for value in values(resource.inputs, path):
                if is_unknown(value):
                    continue
                if not good(value):
                    seen = "not set" if value is ABSENT else repr(value)
                    yield f"{resource.name} {says}: `{path}` is {seen}; {remedy}."
                    break

    return ResourceRule(
        name=name,
        description=description,
        check=check,
        remedy=remedy[0].upper() + remedy[1:] + ".",
        level=level,
        types=tuple(at),
        subject=subject,
        severity=severity,
        frameworks=frameworks,
    )
