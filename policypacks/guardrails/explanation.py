"""Models of sensitive domains can be explained, and the explanation was measured."""

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
            name="sensitive-models-are-explained",
            description="A model of a sensitive domain has explanation evidence that is faithful and stable.",
            check=lambda resource: unexplained(resource, thresholds.explanation, today(), trust),
            remedy="Measure it with `fairweather evidence explain`, and name it in the version's file in `models/`.",
            limits=("explanation.min_faithfulness", "explanation.min_stability"),
            severity="high",
            frameworks=("GDPR Art. 22(3)", "GDPR Art. 15(1)(h)", "EU AI Act Art. 13"),
        ),
    )


def unexplained(
    resource: Resource, least: Mapping[str, float], day: date, trust: Signing
) -> Iterator[str]:
    """`least` holds min_faithfulness and min_stability, each from -1 to 1."""
    model = model_of(resource)
    if model is None or model.get("sensitive_domain") is not True:
        return
    who = evidence.told_of(resource, model)
    problems = list(evidence.unfounded(model, "explanation", day, trust))
    for problem in problems:
        yield f"{who}: its explanation evidence {problem}; measure it on this version."
    told = model.get("explanation")
    if problems or not isinstance(told, Mapping):
        return
    if not isinstance(told.get("method"), str) or not isinstance(told.get("target"), str):
        yield f"{who}: its explanation evidence names no method or no target; measure it again."
    for key in ("faithfulness", "stability"):
        measured, limit = number(told.get(key)), least[f"min_{key}"]
        if measured is None or not limit <= measured <= 1:
            seen = told.get(key) if measured is None else f"{measured:.2f}"
            yield f"{who}: the {key} of its explanations is {seen}, the least is {limit:g}; explain it better."
