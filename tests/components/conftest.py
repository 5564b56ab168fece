"""The real program run without an engine (declare.py), and its example stacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DECLARE = Path(__file__).with_name("declare.py")
STACKS = ("dev", "prod")


@dataclass(frozen=True)
class Declared:
    """What one run of the program asked the engine for."""

    resources: tuple[Mapping[str, Any], ...]
    outputs: Mapping[str, Any]
    """What each component registered, by URN."""
    providers: tuple[str, ...]
    """Provider packages that were imported."""

    def of(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """Resources whose type begins with `kind`."""
        return (one for one in self.resources if one["type"].startswith(kind))

    def one(self, kind: str, name: str) -> Mapping[str, Any]:
        [found] = [one for one in self.of(kind) if one["name"] == name]
        return found


def run(stack_file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DECLARE), str(ROOT), str(stack_file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def read(done: subprocess.CompletedProcess[str]) -> Declared:
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Declared(tuple(told["declared"]), told["outputs"], tuple(told["providers"]))


@pytest.fixture(scope="session")
def runs() -> dict[str, Declared]:
    """Both example stacks."""
    return {name: read(run(ROOT / "stacks" / f"Pulumi.{name}.yaml")) for name in STACKS}


@pytest.fixture(params=STACKS)
def declared(request: pytest.FixtureRequest, runs: dict[str, Declared]) -> Declared:
    return runs[request.param]


@pytest.fixture(scope="session")
def prod(runs: dict[str, Declared]) -> Declared:
    return runs["prod"]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program for an example stack after `change` edited its config."""

    def run_changed(
        stack: str, change: Callable[[dict[str, Any]], None]
    ) -> subprocess.CompletedProcess[str]:
        yaml = YAML(typ="safe")
        content = yaml.load(ROOT / "stacks" / f"Pulumi.{stack}.yaml")
        change(content["config"])
        file = tmp_path / f"Pulumi.{stack}.yaml"
        yaml.dump(content, file)
        return run(file)

    return run_changed
