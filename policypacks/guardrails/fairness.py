"""Models are fair by evidence: counts for each slice, judged here, of the digest that is deployed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Any, Literal

import evidence
from evidence import Signing, model_of
from gate import ResourceRule, Rule, today
from intervals import Rate, contrast, critical, sample_size
from pricing.declared import Resource
from settings import Fairness, Thresholds, Tolerance

LOWER_IS_BETTER = frozenset(
    {
        "false_positive_rate",
        "false_negative_rate",
        "error_rate",
        "word_error_rate",
        "character_error_rate",
    }
)
MISSED = 0.07
"""Planned share of cases that the stated number of samples leaves undecided: a little below one in ten, since the
formula is the normal one and the intervals are not."""
SMALLEST_MARGIN = 1e-4
"""No number of samples that a person can count tells less."""
Verdict = Literal["pass", "fail", "insufficient"]


@dataclass(frozen=True)
class Judgement:
    """The verdict over one comparison of slices, and the pair of slices that decides it."""

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Comparison:
    """One metric, counted for each slice of one attribute in one modality."""

    modality: str
    attribute: str
    metric: str
    slices: Mapping[str, Rate]

    @property
    def pairs(self) -> int:
        return len(self.slices) * (len(self.slices) - 1) // 2


class EvidenceError(ValueError):
    """Evidence that says nothing: what is wrong with it."""


def rules(thresholds: Thresholds, trust: Signing) -> tuple[Rule, ...]:
    policy = thresholds.fairness
    return (
        ResourceRule(
            name="fairness-evidence-holds",
            description="Each model has fairness evidence of its own digest, in date and well-formed.",
            check=lambda resource: unfounded(resource, policy, today(), trust),
            remedy="Measure the version that is deployed, and name the evidence in its file in `models/`.",
            limits=("fairness.attributes",),
        ),
        ResourceRule(
            name="fairness-is-shown",
            description="No two slices differ by more than the tolerance, by a confidence bound.",
            check=lambda resource: unfair(resource, policy, "fail"),
            remedy="Deploy another version, such as `fairweather model rollback-target` names, or mend this one.",
            limits=("fairness.confidence", "fairness.tolerances", "fairness.sensitive_tolerances"),
        ),
        ResourceRule(
            name="fairness-is-decided",
            description="There is enough evidence to tell whether slices differ by more than the tolerance.",
            check=lambda resource: unfair(resource, policy, "insufficient"),
            remedy="Measure more of the slices that the message names.",
            level="mandatory" if policy.insufficient == "mandatory" else "advisory",
            limits=(
                "fairness.insufficient",
                "fairness.confidence",
                "fairness.tolerances",
                "fairness.sensitive_tolerances",
            ),
        ),
    )


def unfounded(resource: Resource, policy: Fairness, day: date, trust: Signing) -> Iterator[str]:
    """Why the evidence of a model cannot be relied on."""
    model = model_of(resource)
    if model is None:
        return
    who = evidence.told_of(resource, model)
    remedy = "measure it on this version"
    if not evidence.DIGEST.fullmatch(str(model.get("digest"))):
        yield f"{who} has the digest {model.get('digest')!r}; give the sha256 of its weights."
    for problem in evidence.unfounded(model, "fairness", day, trust):
        yield f"{who}: its fairness evidence {problem}; {remedy}."
    told = model.get("fairness")
    if not isinstance(told, Mapping):
        return
    try:
        found = comparisons(told)
    except EvidenceError as error:
        yield f"{who}: its fairness evidence {error}; {remedy}."
        return
    wanted = policy.attributes.get(str(model.get("modality")), ())
    if not {item.attribute for item in found} & set(wanted):
        missing = ", ".join(wanted) or "the attributes of its modality"
        yield f"{who}: its fairness evidence compares none of {missing}; {remedy}."


def unfair(resource: Resource, policy: Fairness, verdict: Verdict) -> Iterator[str]:
    """Comparisons with one verdict; evidence that cannot be read is told by the rule on evidence."""
    model = model_of(resource)
    if model is None or not isinstance(model.get("fairness"), Mapping):
        return
    try:
        found = comparisons(model["fairness"])
    except EvidenceError:
        return
    for judgement in judged(found, policy, sensitive=model.get("sensitive_domain") is True):
        if judgement.verdict == verdict:
            yield f"{evidence.told_of(resource, model)}: {judgement.text}"


def judged(found: list[Comparison], policy: Fairness, *, sensitive: bool) -> list[Judgement]:
    """One judgement a comparison. The confidence is that of all pairs of slices of the model together."""
    z = critical(policy.confidence, sum(item.pairs for item in found))
    return [_judge(item, policy, z, sensitive=sensitive) for item in found]


def tolerance_of(item: Comparison, policy: Fairness, *, sensitive: bool) -> Tolerance | None:
    """How far apart the slices may be; None where the owners have said nothing of the metric."""
    usual = policy.tolerances.get(item.metric)
    return policy.sensitive.get(item.metric, usual) if sensitive else usual


def _judge(item: Comparison, policy: Fairness, z: float, *, sensitive: bool) -> Judgement:
    what = f"{item.metric} by {item.attribute} ({item.modality})"
    tolerance = tolerance_of(item, policy, sensitive=sensitive)
    if tolerance is None:
        return Judgement(
            "insufficient", f"{what}: the pack has no tolerance for it; add one to thresholds.yaml."
        )
    worst = max(permutations(item.slices, 2), key=lambda pair: _beyond(item, pair, tolerance, z))
    low, high = _bounds(item, worst, tolerance, z)
    better, worse = worst  # of a metric of which more is better
    rates = " against ".join(
        f"{item.slices[s].value:.1%} of {item.slices[s].n:,} {s}" for s in worst
    )
    limit = (
        f"a difference of {tolerance.max_difference:g}"
        if tolerance.min_ratio is None
        else f"a ratio of {tolerance.min_ratio:g}"
    )
    verdict: Verdict = "fail" if low > 0 else "pass" if high <= 0 else "insufficient"
    if verdict == "fail":
        if item.metric in LOWER_IS_BETTER:
            better, worse = worse, better
        return Judgement(
            verdict,
            f"{what}: {rates}, beyond {limit} with confidence; {worse} is worse off than {better}. "
            "Deploy another version, or mend this one.",
        )
    if verdict == "insufficient":
        return Judgement(
            verdict,
            f"{what}: {rates}; too few to tell from {limit}. {_more(item, worst, tolerance, z)}",
        )
    return Judgement(verdict, f"{what}: {rates}, within {limit}.")


def _bounds(
    item: Comparison, pair: tuple[str, str], tolerance: Tolerance, z: float
) -> tuple[float, float]:
    """The interval of how far a pair lies beyond the tolerance: above zero fails, at or below passes."""
    better, worse = item.slices[pair[0]], item.slices[pair[1]]
    if tolerance.min_ratio is not None:  # worse / better >= r, as r * better - worse <= 0
        low, high = contrast(worse, better, tolerance.min_ratio, z)
        return -high, -low
    low, high = contrast(better, worse, 1.0, z)
    limit = tolerance.max_difference or 0.0
    return low - limit, high - limit


def requirement(rate: float, slices: int, tolerance: Tolerance, z: float) -> int:
    """Samples of each slice that tell, nine times in ten, a gap of twice the tolerance, and that there is none.

    Args:
        rate: of the slice that is better off.
        slices: how many are compared; without a gap all of their pairs have to pass.
        tolerance: the limit.
        z: as `critical` gives it for all comparisons of the model together.
    """
    if tolerance.min_ratio is not None:
        weight, worse = tolerance.min_ratio, max(2 * tolerance.min_ratio - 1, 0) * rate
        margin = max((1 - weight) * rate, SMALLEST_MARGIN)
    else:
        margin = max(tolerance.max_difference or 0.0, SMALLEST_MARGIN)
        weight, worse = 1.0, max(rate - 2 * margin, 0)
    each = MISSED / (slices * (slices - 1))
    return max(
        sample_size(worse, rate, weight, margin, z, MISSED),
        sample_size(rate, rate, weight, margin, z, each),
    )


def _more(item: Comparison, pair: tuple[str, str], tolerance: Tolerance, z: float) -> str:
    """What would decide it."""
    better, worse = (item.slices[name] for name in pair)
    needed = requirement(max(better.value, worse.value), len(item.slices), tolerance, z)
    lacking = [
        f"{needed - rate.n:,} more of {name}"
        for name, rate in zip(pair, (better, worse), strict=True)
        if rate.n < needed
    ]
    if lacking:
        return f"Measure {' and '.join(lacking)}."
    return f"The gap lies close to the limit: far more than {needed:,} of {' and of '.join(pair)} would decide it."


def _beyond(
    item: Comparison, pair: tuple[str, str], tolerance: Tolerance, z: float
) -> tuple[bool, float]:
    """Orders pairs by what decides the verdict: one that fails first, then the one that may lie furthest beyond."""
    low, high = _bounds(item, pair, tolerance, z)
    return low > 0, high


def comparisons(content: Mapping[str, Any]) -> list[Comparison]:
    """The counts of one evidence file. Raises EvidenceError."""
    listed = content.get("comparisons")
    if not isinstance(listed, list) or not listed:
        raise EvidenceError("compares nothing")
    return [_comparison(item, f"comparisons[{at}]") for at, item in enumerate(listed)]


def _comparison(item: Any, place: str) -> Comparison:
    if not isinstance(item, Mapping):
        raise EvidenceError(f"has no map at {place}")
    words = [item.get(key) for key in ("modality", "attribute", "metric")]
    if not all(isinstance(word, str) and word for word in words):
        raise EvidenceError(f"lacks modality, attribute or metric at {place}")
    listed = item.get("slices")
    slices: dict[str, Rate] = {}
    for entry in listed if isinstance(listed, list) else ():
        if (
            not isinstance(entry, Mapping)
            or not isinstance(entry.get("slice"), str)
            or entry["slice"] in slices
        ):
            raise EvidenceError(f"has a slice without a name of its own at {place}")
        slices[entry["slice"]] = _rate(entry, f"{place} {entry['slice']}")
    if len(slices) < 2:
        raise EvidenceError(f"has fewer than two slices at {place}")
    return Comparison(str(words[0]), str(words[1]), str(words[2]), slices)


def _rate(entry: Mapping[str, Any], place: str) -> Rate:
    counts = []
    for key in ("k", "n"):
        value = entry.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value // 1
            or abs(value) > 1e12
        ):
            raise EvidenceError(f"has {key} = {value!r} at {place}, which is no count")
        counts.append(int(value))
    k, n = counts
    if not 0 <= k <= n or n == 0:
        raise EvidenceError(f"counts {k} of {n} at {place}")
    return Rate(k, n)
