"""Rules of the form "this property of these types is that", and what all security rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from gate import Level, ResourceRule, Severity
from pricing.declared import Resource, is_unknown

ABSENT = object()
Good = Callable[[Any], bool]
WORLD_BITS = 8
"""A network with fewer fixed bits is a good part of the internet."""


def values(found: Any, path: str) -> Iterator[Any]:
    """Everything at `mappings.*.ebs.encrypted`; ABSENT where a step leads nowhere, nothing in an empty list.

    A step that ends in `?` may be missing: then there is nothing.
    """
    step, _, rest = path.partition(".")
    if step.endswith("?"):
        step = step.removesuffix("?")
        if isinstance(found, Mapping) and found.get(step) is None:
            return
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


def world(cidrs: Iterable[Any]) -> bool:
    """Whether these address ranges together let the internet in, however they are written."""
    four: list[IPv4Network] = []
    six: list[IPv6Network] = []
    for cidr in cidrs:
        try:
            network = ip_network(str(cidr).strip(), strict=False)
        except ValueError:  # unknown before the deployment, or refused by the cloud
            continue
        if isinstance(network, IPv4Network):
            four.append(network)
        else:
            six.append(network)
    fixed_bits = [one.prefixlen for one in collapse_addresses(four)]
    fixed_bits += [one.prefixlen for one in collapse_addresses(six)]
    return any(bits < WORLD_BITS for bits in fixed_bits)


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
