"""The contract: what a stack file says, as frozen records, and the writer that edits it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stacks.errors import ContractError
from stacks.records import (
    App,
    Capacity,
    Floor,
    ModelRef,
    ModelVersion,
    Stack,
    is_local_zone,
    parent_region,
)

if TYPE_CHECKING:
    from stacks.models import Service, evidence, load_model, read_evidence, service
    from stacks.reading import config_values, load, parse
    from stacks.splicing import WriteRefused
    from stacks.writer import write_capacity, write_keys

__all__ = [
    "App",
    "Capacity",
    "ContractError",
    "Floor",
    "ModelRef",
    "ModelVersion",
    "Service",
    "Stack",
    "WriteRefused",
    "config_values",
    "evidence",
    "is_local_zone",
    "load",
    "load_model",
    "parent_region",
    "parse",
    "read_evidence",
    "service",
    "write_capacity",
    "write_keys",
]

# What reads YAML comes when it is asked for: ruamel.yaml would double the time of this import.
_HOMES = {
    **dict.fromkeys(("config_values", "load", "parse"), "stacks.reading"),
    **dict.fromkeys(
        ("Service", "evidence", "load_model", "read_evidence", "service"), "stacks.models"
    ),
    "WriteRefused": "stacks.splicing",
    **dict.fromkeys(("write_capacity", "write_keys"), "stacks.writer"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
