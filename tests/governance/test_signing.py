"""Signatures: the gate's own bytes, its own verification, and keys that stay their owner's."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import signing
from governance.signing import SigningError

PACK = Path(__file__).resolve().parents[2] / "policypacks" / "guardrails"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-signing.EXACT, signing.EXACT)
    | st.floats(-signing.EXACT, signing.EXACT)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def pack():
    """The pack's own module: the pack is a program of its own, and no package of ours imports it."""
    before = set(sys.modules)
    sys.path.insert(0, str(PACK))
    try:
        spec = importlib.util.spec_from_file_location("pack_evidence", PACK / "evidence.py")
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["pack_evidence"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(PACK))
        for name in set(sys.modules) - before:
            if str(PACK) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@settings(max_examples=40, deadline=None)
@given(evidence=st.dictionaries(st.text(), JSON))
def test_what_is_signed_are_the_bytes_that_the_gate_verifies(pack, evidence):
    assert signing.canonical(evidence) == pack.canonical(evidence)


@settings(max_examples=40, deadline=None)
@given(evidence=st.dictionaries(st.text(), JSON))
def test_a_signature_holds_on_the_numbers_as_the_engine_hands_them_on(pack, evidence):
    signed = signing.signed(evidence, KEY, "board")
    trust = pack.Signing(("privacy",), {"board": KEY.public_key()})
    assert list(pack._signature(doubles(signed), "privacy", trust)) == []


def doubles(value):
    if isinstance(value, dict):
        return {key: doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_any_changed_byte_breaks_the_signature(pack):
    made = {"schema": "fairweather/privacy/1", "datasets": [{"dataset": "people", "k": 12}]}
    trust = pack.Signing((), {"board": KEY.public_key()})
    text = json.dumps(signing.signed(made, KEY, "board"))
    begin, end = text.index("fairweather"), text.index('"signature"')
    broken = 0
    for at in range(begin, end):
        other = "8" if text[at] != "8" else "9"
        try:
            changed = json.loads(text[:at] + other + text[at + 1 :])
        except ValueError:
            continue
        told = list(pack._signature(changed, "privacy", trust))
        assert told == ["was changed after board signed it"]
        broken += 1
    assert broken > 40


def test_signing_again_replaces_the_signature():
    once = signing.signed({"k": 5.0}, KEY, "board")
    again = signing.signed(once, KEY, "owners")
    assert again == {"k": 5.0, "signature": {"key": "owners", "value": once["signature"]["value"]}}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**53 + 1, 1e300])
def test_numbers_that_the_engine_would_change_are_not_signed(number):
    with pytest.raises(SigningError, match="does not reach the gate unchanged"):
        signing.signed({"datasets": [{"k": number}]}, KEY, "board")


def test_a_new_key_is_its_owners_alone_and_is_never_overwritten(tmp_path):
    file = tmp_path / "private.pem"
    public = signing.new_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    key = signing.load_key(file)
    assert base64.b64decode(public) == key.public_key().public_bytes_raw()
    before = file.read_bytes()
    with pytest.raises(SigningError, match=r"private\.pem: exists; a key is never overwritten"):
        signing.new_key(file)
    assert file.read_bytes() == before


def test_what_is_no_private_key_is_refused(tmp_path):
    file = tmp_path / "private.pem"
    file.write_text("ssh-ed25519 AAAA")
    with pytest.raises(SigningError, match="is no Ed25519 private key"):
        signing.load_key(file)
