"""Starting, killing and stopping whole sandboxes."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import lifecycle
from sandbox.lifecycle import SandboxError
from tests.sandbox.engine import Program

pytestmark = pytest.mark.slow

KEPT_AND_LOST = """
aws.sqs.Queue("jobs")
k8s.core.v1.ConfigMap("settings", metadata={"name": "settings", "namespace": "default"})
pulumi.export("done", True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Start the sandbox of a folder; returns what it told."""
    homes = []

    def started(name: str, binaries: Path | None) -> list[str]:
        told: list[str] = []
        homes.append(tmp_path / name)
        lifecycle.start(tmp_path / name, binaries, progress=told.append)
        return told

    yield started
    for home in homes:
        lifecycle.stop(home)


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that mention a folder, but for this one's."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(home) in command and int(process.name) != os.getpid():
            found.append(command)
    return found


def until(what: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def ports_of(home: Path) -> list[int]:
    status = lifecycle.status(home)
    assert status.providers is not None
    assert status.aws_url is not None
    providers = [int(one.split(":")[1]) for one in status.providers.split(",")]
    return [*providers, int(status.aws_url.rsplit(":", 1)[1])]


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_killed_sandbox_takes_all_along_and_the_next_says_what_is_lost(
    tmp_path: Path,
    start: Callable[..., list[str]],
    program_on: Callable[[Path], Program],
    kubernetes_binaries: Path,
) -> None:
    home = tmp_path / "home"
    start("home", kubernetes_binaries)
    program = program_on(home)
    program.up(KEPT_AND_LOST)
    pid, ports = lifecycle.status(home).pid, ports_of(home)
    assert pid is not None
    assert all(map(is_open, ports))
    assert len(processes_of(home)) > 2  # etcd, an API server, the sandbox
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not processes_of(home)), processes_of(home)
    assert not any(map(is_open, ports))
    assert not lifecycle.status(home).running
    with pytest.raises(SandboxError, match="no sandbox runs in"):
        lifecycle.environment(home)

    told = start("home", kubernetes_binaries)
    lost = next(line for line in told if line.startswith("gone with the sandbox"))
    assert "1 AWS object (1 Queue)" in lost
    assert "`pulumi up --refresh`" in lost
    program.env.update(lifecycle.environment(home))
    again = program.up(None, "--refresh")
    assert again.changes == {"create": 1, "unchange": 2}


def test_two_run_side_by_side_and_a_clean_stop_leaves_nothing(
    tmp_path: Path, start: Callable[..., list[str]], program_on: Callable[[Path], Program]
) -> None:
    start("one", None)
    start("two", None)
    one, two = tmp_path / "one", tmp_path / "two"
    assert not set(ports_of(one)) & set(ports_of(two))
    program_on(one).up('aws.sqs.Queue("jobs")')
    assert lifecycle.status(one).held == {"aws:sqs/queue:Queue": 1}
    assert lifecycle.status(two).held == {}
    ports = ports_of(one)
    lifecycle.stop(one)
    assert not processes_of(one)
    assert not any(map(is_open, ports))
    assert lifecycle.status(two).running


def test_without_the_kubernetes_binaries_aws_works_and_the_rest_says_what_is_missing(
    tmp_path: Path, start: Callable[..., list[str]], program_on: Callable[[Path], Program]
) -> None:
    told = start("home", tmp_path)
    assert any("no Kubernetes: etcd and kube-apiserver missing in" in line for line in told)
    program = program_on(tmp_path / "home")
    assert program.up('aws.sqs.Queue("jobs")').changes == {"create": 2}
    program.write('k8s.core.v1.ConfigMap("settings", data={})')
    refused = program.preview()
    assert refused.code != 0
    assert "etcd and kube-apiserver are missing; run `make setup`" in refused.text


def test_a_second_start_finds_the_first(tmp_path: Path, start: Callable[..., list[str]]) -> None:
    start("home", None)
    first = lifecycle.status(tmp_path / "home")
    assert start("home", None) == []
    assert lifecycle.status(tmp_path / "home").pid == first.pid


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (binaries / name).write_text("#!/bin/sh\necho out of order\nexit 1\n")
        (binaries / name).chmod(0o755)
    with pytest.raises(
        SandboxError, match=r"API server of default does not get ready; .* ends with: out of order"
    ):
        lifecycle.start(tmp_path / "home", binaries, progress=lambda _: None)
    assert not processes_of(tmp_path / "home")


def test_the_status_is_readable_by_people_and_by_programs(
    tmp_path: Path, start: Callable[..., list[str]]
) -> None:
    start("home", None)
    status = lifecycle.status(tmp_path / "home")
    assert status.text().startswith(f"sandbox in {tmp_path / 'home'}, process {status.pid}")
    assert json.loads(json.dumps(status.to_dict()))["running"] is True
