"""The fairness gate: intervals against published figures, verdicts, and evidence that does not hold."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import fairness
import numpy as np
import pytest
import samples
import settings as pack_settings
from evidence import Signing
from fairness import Comparison, comparisons, judged
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import Rate, contrast, critical, wilson
from pricing.declared import of_preview
from samples import DIGEST, PACK, evidence, service

THRESHOLDS = pack_settings.thresholds(PACK / "thresholds.yaml")
POLICY = THRESHOLDS.fairness
TRUST = Signing((), {})
RULES = {rule.name: rule for rule in fairness.rules(THRESHOLDS, TRUST)}
DAY = date(2026, 11, 24)


def messages(rule, resource):
    return [found.message for found in RULES[rule].findings(of_preview([resource]))]


def all_messages(resource):
    return [message for rule in RULES for message in messages(rule, resource)]


def compared(metric="true_positive_rate", attribute="skin_tone", **slices):
    listed = [{"slice": name, "n": n, "k": k} for name, (k, n) in slices.items()]
    return {"modality": "image", "attribute": attribute, "metric": metric, "slices": listed}


def verdicts(*found, sensitive=False):
    parsed = comparisons({"comparisons": list(found)})
    return [judgement.verdict for judgement in judged(parsed, POLICY, sensitive=sensitive)]


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(k, n, low, high):
    found = wilson(Rate(k, n), critical(0.95, 1))
    assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
    ],
)
def test_a_difference_has_newcombes_interval(first, second, low, high):
    found = contrast(Rate(*first), Rate(*second), 1.0, critical(0.95, 1))
    assert found == pytest.approx((low, high), abs=5e-5)


def test_more_comparisons_ask_for_more():
    assert critical(0.95, 1) == pytest.approx(1.95996, abs=1e-4)
    assert critical(0.95, 10) > critical(0.95, 3) > critical(0.95, 1)


@pytest.mark.parametrize(
    ("slices", "verdict"),
    [
        ({"a": (9100, 10000), "b": (9050, 10000)}, "pass"),
        ({"a": (9100, 10000), "b": (8000, 10000)}, "fail"),
        ({"a": (8000, 10000), "b": (9100, 10000)}, "fail"),
        ({"a": (9100, 10000), "b": (8600, 10000)}, "insufficient"),
        ({"a": (9, 10), "b": (9, 10)}, "insufficient"),
        ({"a": (1, 1), "b": (0, 1)}, "insufficient"),
        ({"a": (9100, 10000), "b": (9090, 10000), "c": (8000, 10000)}, "fail"),
        ({"a": (9100, 10000), "b": (9090, 10000), "c": (9, 10)}, "insufficient"),
    ],
)
def test_a_difference_passes_fails_or_is_undecided(slices, verdict):
    assert verdicts(compared(**slices)) == [verdict]


@pytest.mark.parametrize(
    ("worse", "verdict"),
    [((3900, 10000), "pass"), ((2500, 10000), "fail"), ((3200, 10000), "insufficient")],
)
def test_selection_rates_are_held_to_four_fifths(worse, verdict):
    assert verdicts(compared("selection_rate", a=(4000, 10000), b=worse)) == [verdict]
    assert verdicts(compared("selection_rate", b=worse, a=(4000, 10000))) == [verdict]


def test_a_sensitive_domain_has_less_room():
    gap = compared(a=(9100, 10000), b=(8750, 10000))
    assert verdicts(gap) == ["pass"]
    assert verdicts(gap, sensitive=True) != ["pass"]


def test_a_metric_without_a_tolerance_is_undecided_by_name():
    [judgement] = judged(
        comparisons({"comparisons": [compared("charm", a=(9, 10), b=(9, 10))]}),
        POLICY,
        sensitive=False,
    )
    assert judgement.verdict == "insufficient"
    assert "the pack has no tolerance for it; add one to thresholds.yaml" in judgement.text


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), min_size=2, max_size=5))
def test_the_order_of_slices_does_not_matter(drawn):
    slices = {f"s{at}": Rate(round(n * share), n) for at, (n, share) in enumerate(drawn)}
    there = Comparison("image", "age", "error_rate", slices)
    back = replace(there, slices=dict(reversed(slices.items())))
    assert [j.verdict for j in judged([there], POLICY, sensitive=False)] == [
        j.verdict for j in judged([back], POLICY, sensitive=False)
    ]


@given(
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1.5),
)
def test_intervals_hold_their_estimate(n1, share1, n2, share2, weight):
    first, second = Rate(round(n1 * share1), n1), Rate(round(n2 * share2), n2)
    low, high = contrast(first, second, weight, critical(0.95, 6))
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low - 1e-9 <= first.value - weight * second.value <= high + 1e-9


def test_a_gap_close_to_the_limit_is_said_to_be_so():
    close = evidence(comparisons=[compared(lighter=(9100, 10000), darker=(8600, 10000))])
    [message] = messages("fairness-is-decided", service(close))
    assert (
        "The gap lies close to the limit: far more than 1,114 of lighter and of darker" in message
    )


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [("true_positive_rate", 0.9, 0.8), ("selection_rate", 0.4, 0.24), ("error_rate", 0.05, 0.15)],
)
def test_the_stated_number_of_samples_decides_nine_times_in_ten(metric, better, worse):
    """By simulation with a fixed seed: no gap passes, and one of twice the tolerance fails."""
    rng, draws, z = np.random.default_rng(11), 400, critical(0.95, 1)
    n = fairness.requirement(max(better, worse), 2, POLICY.tolerances[metric], z)

    def share(rates, verdict):
        drawn = rng.binomial(n, rates, size=(draws, 2))
        found = [verdicts(compared(metric, a=(int(a), n), b=(int(b), n))) for a, b in drawn]
        return sum(one == [verdict] for one in found) / draws

    assert share([better, better], "pass") > 0.88
    assert share([better, worse], "fail") > 0.88


def test_wrong_blocks_and_wrong_passes_are_rare():
    """By simulation with a fixed seed: 3 slices of 2,000; at no gap, and at a gap on the tolerance."""
    rng, draws = np.random.default_rng(7), 400

    def share(rates, verdict):
        counted = 0
        for row in rng.binomial(2000, rates, size=(draws, len(rates))):
            slices = {f"s{at}": (int(k), 2000) for at, k in enumerate(row)}
            counted += verdicts(compared(**slices)) == [verdict]
        return counted / draws

    assert share([0.9, 0.9, 0.9], "fail") == 0
    assert share([0.9, 0.9, 0.9], "pass") > 0.9
    assert share([0.9, 0.9, 0.85], "pass") <= 0.05
    assert share([0.9, 0.9, 0.85], "fail") <= 0.05
    assert share([0.9, 0.9, 0.75], "fail") > 0.99


def test_good_evidence_passes_every_rule():
    assert all_messages(service()) == []


def test_a_model_whose_evidence_fails_is_blocked_with_both_rates():
    bad = evidence(comparisons=[compared(lighter=(9100, 10000), darker=(7800, 10000))])
    [message] = all_messages(service(bad))
    assert message == (
        "camera-us-east-1: model scene-caption 2.3.1: true_positive_rate by skin_tone (image): "
        "91.0% of 10,000 lighter against 78.0% of 10,000 darker, beyond a difference of 0.05 with confidence; "
        "darker is worse off than lighter. Deploy another version, or mend this one."
    )
    assert RULES["fairness-is-shown"].level == "mandatory"


def test_of_errors_the_slice_with_more_is_worse_off():
    bad = evidence(comparisons=[compared("error_rate", lighter=(900, 10000), darker=(2200, 10000))])
    assert any("darker is worse off than lighter" in found for found in all_messages(service(bad)))


def test_too_little_evidence_blocks_unless_the_owners_say_otherwise():
    few = evidence(comparisons=[compared(lighter=(91, 100), darker=(90, 100))])
    [message] = messages("fairness-is-decided", service(few))
    assert (
        "too few to tell from a difference of 0.05. "
        "Measure 1,014 more of lighter and 1,014 more of darker." in message
    )
    assert RULES["fairness-is-decided"].level == "mandatory"
    lenient = replace(THRESHOLDS, fairness=replace(POLICY, insufficient="advisory"))
    assert {r.name: r.level for r in fairness.rules(lenient, TRUST)}[
        "fairness-is-decided"
    ] == "advisory"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"digest": "sha256:" + "b" * 64}, f"is for the digest 'sha256:{'b' * 64}', deployed is '{DIGEST}'"),
        ({"model": "other"}, "is for the model 'other', deployed is 'scene-caption'"),
        ({"version": "2.3.0"}, "is for the version '2.3.0', deployed is '2.3.1'"),
        ({"schema": "mine"}, "is for the schema 'mine'"),
        ({"expires": "2026-11-23"}, "expired on 2026-11-23"),
        ({"signature": {"key": "nobody", "value": ""}}, "is signed by 'nobody', which is no trusted key"),
        ({"expires": None}, "lacks window.from, window.to, created or expires as days"),
        ({"created": "2026-11-25"}, "not in order or lies ahead of 2026-11-24"),
        ({"created": "2026-10-01"}, "not in order"),
        ({"window": {"from": "2026-08-01", "to": "2026-07-01"}}, "not in order"),
        ({"window": None}, "lacks window.from"),
        ({"comparisons": []}, "compares nothing"),
        ({"comparisons": None}, "compares nothing"),
        ({"comparisons": [3]}, "has no map at comparisons[0]"),
        ({"comparisons": [compared(attribute="size", a=(9, 10), b=(9, 10))]}, "compares none of skin_tone"),
        ({"comparisons": [compared(a=(9100, 10000))]}, "has fewer than two slices at comparisons[0]"),
        ({"comparisons": [compared(a=(11, 10), b=(1, 10))]}, "counts 11 of 10 at comparisons[0] a"),
        ({"comparisons": [compared(a=(-1, 10), b=(1, 10))]}, "counts -1 of 10"),
        ({"comparisons": [compared(a=(0, 0), b=(1, 10))]}, "counts 0 of 0"),
        ({"comparisons": [compared(a=(0.5, 10), b=(1, 10))]}, "has k = 0.5 at comparisons[0] a, which is no count"),
        ({"comparisons": [compared(a=(math.nan, 10), b=(1, 10))]}, "which is no count"),
        ({"comparisons": [compared(a=(1, 10**400), b=(1, 10))]}, "which is no count"),
        ({"comparisons": [compared(a=("9", 10), b=(1, 10))]}, "has k = '9'"),
        ({"comparisons": [compared(a=(True, 10), b=(1, 10))]}, "has k = True"),
        ({"comparisons": [compared() | {"slices": [{"slice": "a", "n": 1, "k": 1}] * 2}]}, "without a name of its own"),
        ({"comparisons": [compared(metric="", a=(9, 10), b=(9, 10))]}, "lacks modality, attribute or metric"),
    ],
)  # fmt: skip
def test_evidence_that_does_not_hold_is_blocked(change, said):
    [resource] = of_preview([service(evidence(**change))])
    found = list(fairness.unfounded(resource, POLICY, DAY, TRUST))
    assert len(found) == 1
    assert said in found[0]
    assert found[0].endswith("measure it on this version.")


def test_a_model_without_evidence_is_blocked():
    assert (
        "scene-caption 2.3.1: its fairness evidence is absent"
        in messages("fairness-evidence-holds", service(False))[0]
    )


def test_a_digest_that_is_none_is_blocked():
    assert any(
        "give the sha256" in m for m in all_messages(service(evidence(digest="x"), digest="x"))
    )


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200)  # the strategy is slow
@given(st.dictionaries(st.sampled_from([*evidence(), "extra"]), json_like))
def test_no_evidence_makes_the_rules_crash_or_pass(change):
    changed = evidence(**change)
    if changed == evidence() or set(change) <= {"extra"}:
        return
    assert all_messages(service(changed))


@pytest.mark.parametrize("model", [3, "x", [], None])
def test_other_components_have_no_model(model):
    other = samples.state("fairweather:index:Portfolio", "lumen", {"model": model})
    assert all_messages(other) == []
