"""A repository with a stack file, its remote behind HTTP, and a forge beside it."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gitops.servers import TOKEN, FakeForge, forge_server, git_server

ROOT = Path(__file__).resolve().parents[2]
FLEET = ROOT / "tests" / "gitops" / "data" / "Pulumi.dev.yaml"
"""Three apps at one place each: small, because each test reads it many times."""
PERSON = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git without the configuration, hooks and CI variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(folder: Path, *arguments: str) -> str:
    """Git as a person runs it."""
    command = ("git", *PERSON, *arguments)
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **os.environ}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=own)
    assert not done.returncode, f"{command}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Workplace:
    """A person's clone, its remote over HTTP, and the forge."""

    clone: Path
    bare: Path
    forge: FakeForge

    @property
    def file(self) -> Path:
        return self.clone / "stacks" / "Pulumi.dev.yaml"

    def commit(self, text: str, message: str = "a person's edit") -> str:
        """A person changes the stack file on main and pushes it."""
        self.file.write_bytes(text.encode())
        git(self.clone, "commit", "-q", "-am", message)
        git(self.clone, "push", "-q", "origin", "main")
        return git(self.clone, "rev-parse", "HEAD")


def authorised(clone: Path, url: str) -> None:
    """The credentials as `actions/checkout` leaves them in a clone."""
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    git(clone, "config", "--local", f"http.{url}/.extraheader", f"AUTHORIZATION: basic {basic}")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small development stack in a repository, `served/acme/fleet.git`, and a `clone` of it."""
    folder = tmp_path_factory.mktemp("template")
    seed, bare = folder / "seed", folder / "served" / "acme" / "fleet.git"
    (seed / "stacks").mkdir(parents=True)
    (seed / "stacks" / "Pulumi.dev.yaml").write_bytes(FLEET.read_bytes())
    git(seed, "init", "-q", "-b", "main")
    git(seed, "add", ".")
    git(seed, "commit", "-q", "-m", "start")
    git(folder, "clone", "-q", "--bare", str(seed), str(bare))
    git(folder, "clone", "-q", "--no-hardlinks", str(bare), str(folder / "clone"))
    return folder


@pytest.fixture
def workplace(tmp_path: Path, template: Path) -> Iterator[Workplace]:
    """A person's clone with its remote and its forge, fresh for each test."""
    served, clone = tmp_path / "served", tmp_path / "clone"
    shutil.copytree(template / "served", served)
    shutil.copytree(template / "clone", clone)
    bare = served / "acme" / "fleet.git"
    with git_server(served) as url, forge_server(FakeForge(bare)) as forge:
        git(clone, "remote", "set-url", "origin", f"{url}/acme/fleet.git")
        authorised(clone, url)
        yield Workplace(clone, bare, forge)
