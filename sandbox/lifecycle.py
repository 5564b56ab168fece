"""Start, look at and stop the embedded clouds of a folder: all that the rest of Fairweather needs.

The sandbox is one process (`python -m sandbox`), which holds a lock on its home while it lives and
writes `running.json` there once it is ready. All that it keeps is in that folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox import notebook

START_SECONDS, STOP_SECONDS = 90, 30
DEFAULT_CLUSTER = "default"
GO_ON = "`fairweather up STACK --sandbox --refresh`, or `pulumi up --refresh`"
"""After a start: the engine's state speaks of AWS objects that are gone."""
ROOT = Path(__file__).resolve().parent.parent
READY, LOCK, LOG = "running.json", "lock", "sandbox.log"
AWS_HELD, AWS_RECORDED = "aws-held.jsonl", "aws-recorded.jsonl"
GOOGLE, CHARTS = "google.jsonl", "charts.jsonl"


class SandboxError(Exception):
    """The sandbox did not start, does not run or does not stop; the text says why and what to do."""


@dataclass(frozen=True)
class Status:
    """What a home's sandbox is doing."""

    home: str
    running: bool
    pid: int | None = None
    aws_url: str | None = None
    providers: str | None = None
    """Package and port of each provider, as PULUMI_DEBUG_PROVIDERS wants them."""
    clusters: tuple[str, ...] = ()
    recorded: Mapping[str, int] | None = None
    """Type -> number of objects that are only written down."""
    held: Mapping[str, int] | None = None
    """Type -> number of AWS objects in memory, which end with the process."""
    notes: tuple[str, ...] = ()
    """What was missing or lost at the start."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """For people, a line each."""
        if not self.running:
            return "\n".join((f"no sandbox runs in {self.home}", *self.notes))
        lines = [
            f"sandbox in {self.home}, process {self.pid}",
            f"  AWS at {self.aws_url}: {counted(self.held or {}, 'object')}",
            f"  Kubernetes: {', '.join(self.clusters) or 'no cluster declared'}",
            f"  only recorded: {counted(self.recorded or {}, 'object')}",
        ]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def start(
    home: Path,
    kubernetes_binaries: Path | None,
    progress: Callable[[str], object] = print,
    *,
    owner: int | None = None,
) -> Status:
    """Start the sandbox of `home` in the background, unless it runs, and wait until it is ready.

    `kubernetes_binaries` holds etcd and kube-apiserver; without them there is no Kubernetes. With
    `owner`, a process id, the sandbox ends when that process does, however it ends.
    Raises SandboxError with the reason from its log.
    """
    now = status(home)
    if now.running:
        return now
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / READY).unlink(missing_ok=True)
    progress(f"starting the embedded clouds in {home}")
    command = [sys.executable, "-m", "sandbox", "--home", str(home)]
    if kubernetes_binaries is not None:
        command += ["--binaries", str(kubernetes_binaries)]
    if owner is not None:
        command += ["--owner", str(owner)]
    began = time.monotonic()
    with (home / LOG).open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives this command, and its terminal
        )
    # Should this process live longer than the sandbox: no zombie is left, and no warning given.
    threading.Thread(target=process.wait, daemon=True).start()
    while not (home / READY).exists():
        if process.poll() is not None:
            raise SandboxError(f"the sandbox did not start: {last_line(home / LOG)}")
        if time.monotonic() - began > START_SECONDS:
            process.terminate()
            raise SandboxError(
                f"the sandbox is not ready after {START_SECONDS} s; see {home / LOG}"
            )
        time.sleep(0.02)
    now = status(home)
    for note in now.notes:
        progress(note)
    progress(f"ready after {time.monotonic() - began:.1f} s")
    return now


def status(home: Path) -> Status:
    """Whether the sandbox of `home` runs, and what it holds."""
    told = _running(home)
    if told is None:
        return Status(str(home), running=False)
    return Status(
        str(home),
        running=True,
        pid=told["pid"],
        aws_url=told["aws_url"],
        providers=told["providers"],
        clusters=tuple(clusters(home)),
        recorded=recorded(home),
        held=count(home / AWS_HELD),
        notes=tuple(told["notes"]),
    )


def stop(home: Path) -> None:
    """Stop the sandbox of `home`; nothing happens where none runs. Raises SandboxError."""
    told = _running(home)
    if told is None:
        return
    os.kill(told["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_locked(home):
        if time.monotonic() > deadline:
            raise SandboxError(
                f"the sandbox in {home} does not stop; end process {told['pid']} by hand"
            )
        time.sleep(0.02)


def environment(home: Path) -> dict[str, str]:
    """What points the engine, boto3, kubectl and Kubernetes clients at the sandbox of `home`.

    Raises SandboxError where none runs.
    """
    told = _running(home)
    if told is None:
        where = "" if home.name == ".sandbox" else f" --home {home}"
        raise SandboxError(
            f"no sandbox runs in {home}; start it with `fairweather sandbox start{where}`"
        )
    found = {
        "PULUMI_DEBUG_PROVIDERS": told["providers"],
        "AWS_ENDPOINT_URL": told["aws_url"],
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": "us-east-1",
        # The user's own profile could name other places and other keys.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    # Without Kubernetes the path leads nowhere, and not to the clusters of the user.
    return {**found, "KUBECONFIG": str(home.resolve() / "kubernetes" / "kubeconfig")}


def clusters(home: Path) -> dict[str, Path]:
    """The declared clusters, each with a kubeconfig for it."""
    folder = home.resolve() / "kubernetes"
    notes = folder / "clusters.json"
    names = json.loads(notes.read_text()) if notes.exists() else {}
    return {name: folder / name / "kubeconfig" for name in names if name != DEFAULT_CLUSTER}


def recorded(home: Path) -> dict[str, int]:
    """Type -> number of objects that no emulator holds and that are only written down."""
    counts = (count(home / file) for file in (AWS_RECORDED, GOOGLE, CHARTS))
    return dict(sorted(sum(counts, Counter[str]()).items()))


def google(home: Path) -> dict[str, dict[str, Any]]:
    """What was written down for Google Cloud: id -> properties, with the type under `_type`."""
    return notebook.read(home / GOOGLE)


def lock(home: Path) -> int:
    """Take a home, as the one sandbox in it; it is free when the descriptor returned is closed.

    Raises SandboxError where another has it.
    """
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SandboxError(f"a sandbox runs in {home} already") from None
    return descriptor


def is_locked(home: Path) -> bool:
    if not (home / LOCK).exists():
        return False
    try:
        os.close(lock(home))
    except SandboxError:
        return True
    return False


def counted(counts: Mapping[str, int], noun: str) -> str:
    """`3 objects (2 Vpc, 1 Role)`."""
    total = sum(counts.values())
    kinds = ", ".join(f"{number} {kind.split(':')[-1]}" for kind, number in counts.items())
    return f"{total} {noun}{'' if total == 1 else 's'}{f' ({kinds})' if kinds else ''}"


def last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"{log} says nothing"


def _running(home: Path) -> dict[str, Any] | None:
    """What the living sandbox of a home said when it was ready."""
    try:
        told: dict[str, Any] = json.loads((home / READY).read_text())
    except FileNotFoundError:
        return None
    return told if is_locked(home) else None


def count(path: Path) -> Counter[str]:
    """Type -> number of objects in a journal."""
    return Counter(page["_type"] for page in notebook.read(path).values())
