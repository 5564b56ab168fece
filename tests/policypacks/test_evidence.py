"""Evidence of every kind: bound, in date, signed; explanations that hold; personal data that is anonymous."""

from __future__ import annotations

import base64
from datetime import date

import evidence
import explanation
import privacy
import pytest
import settings
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence import Signing
from hypothesis import given
from hypothesis import strategies as st
from pricing.declared import of_preview
from samples import PACK, bound, service
from samples import evidence as fair

THRESHOLDS = settings.thresholds(PACK / "thresholds.yaml")
DAY = date(2026, 11, 25)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TRUST = Signing(("fairness",), {"board": KEY.public_key()})
NOBODY = Signing((), {})


def signed(content, key=KEY, name="board"):
    value = base64.b64encode(key.sign(evidence.canonical(content))).decode()
    return {**content, "signature": {"key": name, "value": value}}


def about(content, trust=TRUST):
    [resource] = of_preview([service(content)])
    return list(evidence.unfounded(resource.inputs["model"], "fairness", DAY, trust))


def test_a_signature_holds_after_the_engine_made_every_number_a_double():
    made = signed(fair())
    assert about(made) == []
    doubled = {**made, "comparisons": [
        {**one, "slices": [{**s, "n": float(s["n"]), "k": float(s["k"])} for s in one["slices"]]}
        for one in made["comparisons"]
    ]}  # fmt: skip
    assert about(doubled) == []


def test_what_was_changed_after_signing_or_signed_by_a_stranger_is_blocked():
    made = signed(fair())
    assert about({**made, "expires": "2046-10-20"}) == ["was changed after board signed it"]
    assert about(signed(fair(), name="mallory")) == [
        "is signed by 'mallory', which is no trusted key"
    ]
    other = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    assert about(signed(fair(), key=other)) == ["was changed after board signed it"]
    assert about(fair()) == ["is not signed; sign it with a trusted key"]
    assert about(fair(), NOBODY) == []


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"key": "board"}, {"key": "board", "value": "%"}]
)
def test_no_signature_crashes_or_passes_by_its_shape(value):
    assert about({**fair(), "signature": value}) != []


json_like = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), json_like, max_size=4))
def test_the_order_of_keys_does_not_matter_and_the_signature_is_not_signed(content):
    turned = dict(reversed(content.items()))
    assert evidence.canonical(content) == evidence.canonical({**turned, "signature": {"key": "x"}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("required: [taste]\nkeys: {}\n", "required[0]: should be fairness or"),
        ("required: []\nkeys: {board: abc}\n", "keys.board: is no Ed25519 public key"),
        ("keys: {}\n", "lacks required"),
    ],
)
def test_the_list_of_keys_is_read_strictly(tmp_path, text, said):
    file = tmp_path / "trusted_keys.yaml"
    file.write_text(text)
    with pytest.raises(settings.SettingsError, match=r"^trusted_keys\.yaml:\d+: ") as refused:
        evidence.signing(file)
    assert said in str(refused.value)


EXPLAINED = {
    **bound("explanation"), "method": "permutation", "target": "see a doctor", "faithfulness": 0.9,
    "stability": 0.8,
}  # fmt: skip


def explained(content, *, sensitive=True):
    [resource] = of_preview([service(explanation=content, sensitive_domain=sensitive)])
    return list(explanation.unexplained(resource, THRESHOLDS.explanation, DAY, NOBODY))


def test_a_sensitive_model_is_explained_and_another_need_not_be():
    assert explained(EXPLAINED) == []
    assert "its explanation evidence is absent" in explained(None)[0]
    assert explained(None, sensitive=False) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"faithfulness": 0.5}, "the faithfulness of its explanations is 0.50, the least is 0.6"),
        ({"stability": float("nan")}, "the stability of its explanations is nan"),
        ({"stability": 7}, "the stability of its explanations is 7.00"),
        ({"faithfulness": "high"}, "the faithfulness of its explanations is high"),
        ({"method": None}, "names no method or no target"),
        ({"digest": "sha256:" + "b" * 64}, "is for the digest"),
        ({"expires": "2026-11-01"}, "expired on 2026-11-01"),
    ],
)
def test_an_explanation_that_does_not_hold_is_blocked(change, said):
    [message] = explained({**EXPLAINED, **change})
    assert said in message


def anonymous(*datasets, **changes):
    content = {**bound("privacy"), "datasets": list(datasets), **changes}
    [resource] = of_preview([service(privacy=content)])
    return list(privacy.exposed(resource, THRESHOLDS.min_k, DAY, NOBODY))


def test_personal_data_is_anonymous_enough_or_blocked():
    assert anonymous({"dataset": "scenes-2025", "k": 5}) == []
    [message] = anonymous({"dataset": "scenes-2025", "k": 4})
    assert "in scenes-2025 somebody is one of 4 alike, the least is 5" in message
    twice = anonymous({"dataset": "scenes-2025", "k": 1}, {"dataset": "scenes-2025", "k": 50})
    assert "somebody is one of 1 alike" in twice[0]
    assert "says nothing of scenes-2025" in anonymous({"dataset": "other", "k": 50})[0]
    assert "says nothing of scenes-2025" in anonymous({"dataset": "scenes-2025", "k": "many"})[0]
    assert "expired on" in anonymous({"dataset": "scenes-2025", "k": 50}, expires="2026-11-01")[0]


def test_data_without_people_needs_no_privacy_evidence():
    plain = [{"name": "notes-public", "licence": "CC-BY-4.0", "personal_data": False}]
    [resource] = of_preview([service(privacy=None, datasets=plain)])
    assert list(privacy.exposed(resource, THRESHOLDS.min_k, DAY, NOBODY)) == []
