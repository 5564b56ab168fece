"""moto in this process for what needs no engine; small programs on running clouds for the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sandbox import lifecycle
from tests.sandbox.engine import Program


@pytest.fixture(scope="session")
def aws_env() -> Iterator[None]:
    """boto3 inside this process meets moto, and never the user's account."""
    from moto import mock_aws

    settings = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    managed = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with mock.patch.dict(os.environ, settings | managed), mock_aws():
        yield


@pytest.fixture
def aws_cloud(aws_env: None, tmp_path: Path) -> Any:
    """The AWS provider without Kubernetes, and without a list of what is known to be dropped."""
    from sandbox.aws import AwsCloud
    from sandbox.aws_types import RECORDED, TYPES
    from sandbox.notebook import Notebook

    held, recorded = Notebook(tmp_path / "held.jsonl"), Notebook(tmp_path / "recorded.jsonl")
    return AwsCloud(TYPES, RECORDED, {}, recorded, held, None)


@pytest.fixture
def program_on(tmp_path: Path, engine_env: dict[str, str]) -> Callable[[Path], Program]:
    """A project of a test's own on the clouds of a sandbox's home."""

    def make(home: Path) -> Program:
        env = {**engine_env, **lifecycle.environment(home)}
        # The state of a test is written once, at the end.
        env |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
        return Program(tmp_path / f"program-{home.name}", env)

    return make


@pytest.fixture
def program(program_on: Callable[[Path], Program], sandbox: Path) -> Iterator[Program]:
    """A project of a test's own on the clouds that all tests share, empty again afterwards."""
    made = program_on(sandbox)
    yield made
    made.destroy()


@pytest.fixture
def boto(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """boto3 as another process has it: over HTTP."""
    import boto3

    env = lifecycle.environment(sandbox)
    for name in [name for name in env if name.startswith("AWS_")]:
        monkeypatch.setenv(name, env[name])
    clients: Callable[[str], Any] = boto3.client
    return clients
