"""One engine for all attempts on the gate."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

import pytest

from tests.attacks import stand_in
from tests.attacks.engine import Project, project


@pytest.fixture(scope="session")
def clouds_env(engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of an engine whose providers take everything."""
    return {
        **os.environ,
        "PATH": engine_path,
        "PULUMI_HOME": str(tmp_path_factory.mktemp("pulumi-home")),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DEBUG_COMMANDS": "true",
        "PULUMI_DEBUG_PROVIDERS": stand_in.providers(),
        "FAIRWEATHER_PYTHON": sys.executable,
    }


@pytest.fixture(scope="session")
def new_project(
    tmp_path_factory: pytest.TempPathFactory, clouds_env: Mapping[str, str]
) -> Callable[[], Project]:
    """Makes an empty program with a backend of its own."""

    def make() -> Project:
        folder = tmp_path_factory.mktemp("attack")
        (folder / "state").mkdir()
        env = {**clouds_env, "PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
        return project(folder / "program", env)

    return make
