"""The JSON Schema of a stack file, from which editors complete and check it while it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stacks.nodes import PREFIX
from stacks.records import Stack

FILE = Path(__file__).with_name("schema.json")


def stack_schema() -> dict[str, Any]:
    """What may stand in a stack file; keys of other tools under `config` are left alone."""
    stack = Stack.model_json_schema()
    ours = {PREFIX + part: schema for part, schema in stack["properties"].items()}
    names = "|".join(stack["properties"])
    config = {
        "type": "object",
        "properties": ours,
        "required": [PREFIX + part for part in stack["required"]],
        "patternProperties": {f"^{PREFIX}(?!({names})$)": False},
    }
    _close(stack)
    # A new stack has no capacity until the first plan: a key may be there without a value.
    for part in ("events", "capacity"):
        ours[f"{PREFIX}{part}"]["type"] = [ours[f"{PREFIX}{part}"]["type"], "null"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of Fairweather",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": stack["$defs"],
    }


def _close(schema: Any) -> None:
    """Refuse the names that no pattern allows, as the records do."""
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            _close(part)
    if isinstance(schema, dict) and "patternProperties" in schema:
        schema["additionalProperties"] = False


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(stack_schema(), indent=2) + "\n"
