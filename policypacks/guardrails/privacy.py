"""Personal data that a model learned from was made anonymous, and how far was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import evidence
from evidence import Signing, model_of
from gate import ResourceRule, Rule, today
from pricing.declared import Resource, number
from settings import Thresholds


def rules(thresholds: Thresholds, trust: Signing) -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="personal-data-is-anonymous",
            description="Nobody in the personal data that a model learned from is one of fewer than k alike.",
            check=lambda resource: exposed(resource, thresholds.min_k, today(), trust),
            remedy="Measure it with `fairweather evidence privacy`; generalise or drop what makes people stand out.",
            limits=("privacy.min_k",),
            severity="high",
            frameworks=("GDPR Art. 25", "GDPR Art. 32(1)(a)", "CCPA 1798.140(m)"),
        ),
    )


def exposed(resource: Resource, min_k: float, day: date, trust: Signing) -> Iterator[str]:
    """One evidence file speaks for all datasets with personal data; each is measured by itself."""
    model = model_of(resource)
    listed = model.get("datasets") if model is not None else None
    personal = [
        str(one.get("name"))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and one.get("personal_data") is True
    ]
    if model is None or not personal:
        return
    who = evidence.told_of(resource, model)
    problems = list(evidence.unfounded(model, "privacy", day, trust))
    for problem in problems:
        yield f"{who}: its privacy evidence {problem}; measure its data again."
    told = model.get("privacy")
    if problems or not isinstance(told, Mapping):
        return
    measured = told.get("datasets")
    entries = [
        one for one in (measured if isinstance(measured, list) else ()) if isinstance(one, Mapping)
    ]
    for name in personal:
        found = [number(one.get("k")) for one in entries if one.get("dataset") == name]
        known = [k for k in found if k is not None]
        k = min(known, default=None)  # named twice, it is as anonymous as the worse says
        if k is None or len(known) < len(found):
            yield f"{who}: its privacy evidence says nothing of {name}; measure it."
        elif k < min_k:
            yield f"{who}: in {name} somebody is one of {k:g} alike, the least is {min_k:g}; generalise it."
