"""Every input is one that the provider's SDK knows: a misspelt key would only fail on the cloud."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.components.conftest import Declared

# Loading the SDKs meets their own old names.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated in favor of:DeprecationWarning")

OWN_KEYS = {"labels", "tags", "resourceLabels", "userLabels", "metadata", "variables", "limits"}
"""Maps whose keys are the user's."""
ARGS = re.compile(r"(?:(\w+)\.)?(\w+)ArgsDict")


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


@cache
def package(token: str) -> ModuleType:
    cloud, rest = token.split(":")[:2]
    module = rest.split("/")[0]
    names = {"lambda": "lambda_"}
    return importlib.import_module(f"pulumi_{cloud}.{names.get(module, module)}")


@cache
def known(module: ModuleType, name: str) -> Mapping[str, str]:
    """Annotations of one of the SDK's argument dictionaries, as text."""
    inputs = importlib.import_module(f"{module.__name__}._inputs")
    return {key: str(value) for key, value in getattr(inputs, name).__annotations__.items()}


@cache
def parameters(token: str) -> Mapping[str, str]:
    """What the constructor takes, as text."""
    made = getattr(package(token), token.rsplit(":", 1)[1])
    signature = inspect.signature(made._internal_init)
    return {name: str(p.annotation) for name, p in signature.parameters.items()}


def unknown(
    module: ModuleType, values: Mapping[str, Any], keys: Mapping[str, str], path: str
) -> Iterator[str]:
    """Paths of keys that the SDK has no place for."""
    for key, value in values.items():
        where = f"{path}.{key}"
        if snake(key) not in keys:
            yield where
            continue
        inner = ARGS.search(keys[snake(key)])
        if inner is None or key in OWN_KEYS:
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield from unknown(module, one, known(module, f"{inner[2]}ArgsDict"), where)


def test_every_input_is_one_that_the_sdk_knows(declared: Declared) -> None:
    found = [
        where
        for one in declared.resources
        if one["type"].startswith(("aws:", "gcp:"))
        for where in unknown(
            package(one["type"]), one["inputs"], parameters(one["type"]), one["type"]
        )
    ]
    assert sorted(set(found)) == []


def test_a_misspelt_key_is_found() -> None:
    token = "aws:eks/nodeGroup:NodeGroup"
    values = {"scalingConfig": {"minSize": 1, "mostSize": 2}, "subnets": []}
    found = list(unknown(package(token), values, parameters(token), "group"))
    assert found == ["group.scalingConfig.mostSize", "group.subnets"]
