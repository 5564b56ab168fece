"""What any evidence must be: of the version that is deployed, in date, and signed where its owners ask for it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pricing.declared import Resource
from settings import read

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Signing:
    """Whose signatures count, and which kinds of evidence need one."""

    required: tuple[str, ...]
    keys: Mapping[str, Ed25519PublicKey]


def signing(file: Path) -> Signing:
    """The pack's own list of trusted keys. Raises settings.SettingsError."""
    root = read(file).fields("required", "keys")
    keys = {}
    for name, node in root["keys"].mapping().items():
        try:
            raw = base64.b64decode(node.text(), validate=True)
            keys[name] = Ed25519PublicKey.from_public_bytes(raw)
        except (ValueError, binascii.Error):
            raise node.wrong("is no Ed25519 public key in base64; paste 32 bytes") from None
    required = root["required"]
    for item in required.list():
        item.one_of("fairness", "explanation", "privacy")
    return Signing(required.words(), keys)


def model_of(resource: Resource) -> Mapping[str, Any] | None:
    """The model that a component says it serves."""
    model = resource.inputs.get("model") if resource.cloud == "fairweather" else None
    return model if isinstance(model, Mapping) else None


def told_of(resource: Resource, model: Mapping[str, Any]) -> str:
    """How messages begin: the component, and the version that it serves."""
    return f"{resource.name}: model {model.get('name')} {model.get('version')}"


def unfounded(model: Mapping[str, Any], kind: str, day: date, trust: Signing) -> Iterator[str]:
    """Why the evidence of one kind cannot be relied on, such as `is for the digest ...`; nothing where it can.

    Args:
        model: what a component says of the model that it serves.
        kind: such as fairness; the evidence stands under it.
        day: today.
        trust: whose signatures count.
    """
    evidence = model.get(kind)
    if not isinstance(evidence, Mapping):
        yield "is absent"
        return
    for key, said, meant in (
        ("schema", evidence.get("schema"), f"fairweather/{kind}/1"),
        ("model", evidence.get("model"), model.get("name")),
        ("version", evidence.get("version"), model.get("version")),
        ("digest", evidence.get("digest"), model.get("digest")),
    ):
        if said != meant:
            yield f"is for the {key} {said!r}, deployed is {meant!r}"
    yield from _dates(evidence, day)
    yield from _signature(evidence, kind, trust)


def _dates(evidence: Mapping[str, Any], day: date) -> Iterator[str]:
    window = evidence.get("window")
    window = window if isinstance(window, Mapping) else {}
    said = [window.get("from"), window.get("to"), evidence.get("created"), evidence.get("expires")]
    try:
        start, end, created, expires = (date.fromisoformat(str(value)) for value in said)
    except ValueError:
        yield "lacks window.from, window.to, created or expires as days such as 2026-10-20"
        return
    if not start <= end <= created <= day:
        yield f"was made on {created} over {start} to {end}, which is not in order or lies ahead of {day}"
    if expires < day:
        yield f"expired on {expires}"


def _signature(evidence: Mapping[str, Any], kind: str, trust: Signing) -> Iterator[str]:
    """A signature that is there has to hold, asked for or not."""
    found = evidence.get("signature")
    if found is None:
        if kind in trust.required:
            yield "is not signed; sign it with a trusted key"
        return
    name = found.get("key") if isinstance(found, Mapping) else None
    key = trust.keys.get(str(name))
    if key is None:
        yield f"is signed by {name!r}, which is no trusted key"
        return
    try:
        key.verify(base64.b64decode(str(found.get("value")), validate=True), canonical(evidence))
    except (InvalidSignature, ValueError, binascii.Error):
        yield f"was changed after {name} signed it"


def canonical(evidence: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: JSON without the signature, keys in order, whole numbers without a fraction.

    The engine hands every number on as a double, so 9000 and 9000.0 have to be the same.
    """
    rest = {key: value for key, value in evidence.items() if key != "signature"}
    text = json.dumps(_whole(rest), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
