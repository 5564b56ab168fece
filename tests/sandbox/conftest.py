"""The AWS of these tests: moto in this process, without an engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest


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
