"""The contract: what a stack file says, as frozen records, and the writer that edits it."""

from stacks.errors import ContractError
from stacks.models import evidence, load_model, service
from stacks.reading import config_values, load, parse
from stacks.records import Capacity, Floor, ModelRef, ModelVersion, Stack, is_local_zone, parent_region

__all__ = [
    "Capacity",
    "ContractError",
    "Floor",
    "ModelRef",
    "ModelVersion",
    "Stack",
    "config_values",
    "evidence",
    "is_local_zone",
    "load",
    "load_model",
    "parent_region",
    "parse",
    "service",
]
