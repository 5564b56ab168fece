"""Signatures on evidence: Ed25519 (RFC 8032) over bytes that the gate can make again from what the engine hands on."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stacks.errors import shown

EXACT = 2**53
"""The engine hands numbers on as doubles, which tell whole numbers apart up to here."""


class SigningError(ValueError):
    """A key or evidence that no signature can be made with: what is wrong, what to do."""


def new_key(file: Path) -> str:
    """Write a private key that its owner alone can read; returns the public key in base64, for trusted_keys.yaml.

    Raises SigningError where the file exists: what was signed with that key has to stay checkable.
    """
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SigningError(f"{shown(file)}: exists; a key is never overwritten") from None
    with os.fdopen(opened, "wb") as stream:
        stream.write(text)
    return public(key)


def load_key(file: Path) -> Ed25519PrivateKey:
    """Raises SigningError where the file holds no Ed25519 private key in PEM without a password."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(
            f"{shown(file)}: is no Ed25519 private key (PEM, no password); "
            "make one with `fairweather evidence keygen`"
        )
    return key


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def signed(evidence: Mapping[str, Any], key: Ed25519PrivateKey, name: str) -> dict[str, Any]:
    """The evidence with a signature instead of any that it had.

    Args:
        evidence: as read from its file.
        key: whose public half stands in trusted_keys.yaml.
        name: under which it stands there.
    """
    value = base64.b64encode(key.sign(canonical(evidence))).decode()
    return {**evidence, "signature": {"key": name, "value": value}}


def canonical(evidence: Mapping[str, Any]) -> bytes:
    """The bytes that are signed, as policypacks/guardrails/evidence.py makes them; a test holds the two together.

    Raises SigningError for numbers that the engine would change on their way to the gate.
    """
    rest = {key: _whole(value) for key, value in evidence.items() if key != "signature"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= EXACT):
        raise SigningError(f"the number {value} does not reach the gate unchanged; round it")
    return int(value) if isinstance(value, float) and value.is_integer() else value
