"""What all tests share: the engine, the embedded clouds, and the order in which tests run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from gitops.engine import forget_the_users_clouds
from tools.locate import Tools, locate

ROOT = Path(__file__).resolve().parent.parent

# Examples for each property that asks for no number of its own.
hypothesis.settings.register_profile("default", max_examples=200, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "default")


def pytest_configure(config: pytest.Config) -> None:
    """No test meets the user's accounts, clusters or Pulumi login."""
    forget_the_users_clouds()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: a slip shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def absent(what: str) -> None:
    """Skip with a reason, or fail where all is meant to be there."""
    say = pytest.fail if os.environ.get("CI") else pytest.skip
    say(f"{what} was not found; run `make setup`")


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Where the engine and the Kubernetes binaries are."""
    return locate()


@pytest.fixture(scope="session")
def pulumi(tools: Tools) -> Path:
    """The engine's binary. Asking for it is what makes a test need the engine."""
    if tools.pulumi is None:
        absent("the Pulumi engine")
    assert tools.pulumi is not None
    return tools.pulumi


@pytest.fixture(scope="session")
def kubernetes_binaries(tools: Tools) -> Path:
    """The folder of etcd and kube-apiserver."""
    if tools.kubernetes_binaries is None:
        absent("etcd or kube-apiserver")
    assert tools.kubernetes_binaries is not None
    return tools.kubernetes_binaries


@pytest.fixture(scope="session")
def chromium() -> str:
    """A browser that runs without a screen."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"no browser on PATH; looked for {', '.join(names)}")


@pytest.fixture(scope="session")
def engine_path(tools: Tools, pulumi: Path) -> str:
    """PATH with the engine, and our language host where the official one is absent."""
    first = [str(folder) for folder in (tools.language_host_dir, pulumi.parent) if folder]
    return os.pathsep.join([*first, os.environ["PATH"]])


@pytest.fixture
def engine_env(tmp_path: Path, engine_path: str) -> dict[str, str]:
    """The environment of an engine with an empty home, its own backend and no network."""
    backend = tmp_path / "pulumi-backend"
    backend.mkdir()
    return {
        **os.environ,
        "PATH": engine_path,
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "FAIRWEATHER_PYTHON": sys.executable,
    }


@pytest.fixture(scope="session")
def start_sandbox(
    tmp_path_factory: pytest.TempPathFactory, kubernetes_binaries: Path
) -> Iterator[Callable[[], Path]]:
    """Start embedded clouds of a test's own; returns their home. They end with the session."""
    from sandbox import lifecycle

    homes = []

    def start() -> Path:
        home = tmp_path_factory.mktemp("sandbox")
        homes.append(home)
        lifecycle.start(home, kubernetes_binaries, progress=print)
        return home

    yield start
    for home in homes:
        lifecycle.stop(home)


@pytest.fixture(scope="module")
def sandbox(start_sandbox: Callable[[], Path]) -> Iterator[Path]:
    """The home of embedded clouds that the tests of one file share, empty at first."""
    from sandbox import lifecycle

    home = start_sandbox()
    yield home
    lifecycle.stop(home)


@pytest.fixture
def sandbox_env(sandbox: Path, engine_path: str) -> dict[str, str]:
    """The whole environment of an engine and of clients on the shared embedded clouds."""
    from gitops import engine

    return {**os.environ, **engine.environment(sandbox), "FAIRWEATHER_PYTHON": sys.executable}
