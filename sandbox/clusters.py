"""Real Kubernetes API servers, one for each declared cluster, all on one etcd under a prefix of their own.

"Recorded" level: objects are validated, defaulted, admitted and stored for real; no controller acts on them.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TOKEN = "sandbox"
SCRATCH = "scratch"
"""Answers dry runs for clusters that do not exist yet."""
BINARIES = ("etcd", "kube-apiserver")
READY_SECONDS = 60
GUARD = '"$@" & child=$!; trap "" INT; cat >/dev/null; kill $child 2>/dev/null; wait $child'
"""A shell that ends its child when our end of its standard input closes: on stop, and also when we are killed."""


class ClusterError(Exception):
    """A cluster could not be started; the text names the log."""


@dataclass(frozen=True)
class Cluster:
    """One API server."""

    name: str
    url: str
    kubeconfig: Path
    authority: str
    """Its certificate, base64, as a kubeconfig wants it."""


class Clusters:
    """Starts and stops the API servers of one home. Where each listens survives a restart, as does etcd's data."""

    def __init__(self, home: Path, binaries: Path) -> None:
        self._home, self._binaries = home / "kubernetes", binaries
        self._home.mkdir(parents=True, exist_ok=True)
        self._notes = self._home / "clusters.json"
        self._ports: dict[str, int] = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        self._running: dict[str, tuple[Cluster, subprocess.Popen[bytes]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._key = self._home / "service-account.key"
        if not self._key.exists():
            self._key.write_bytes(rsa_key())
        (self._home / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self._etcd_url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._etcd = self._start("etcd", [
            str(binaries / "etcd"), f"--data-dir={self._home / 'etcd'}", "--unsafe-no-fsync", "--force-new-cluster",
            f"--listen-client-urls={self._etcd_url}", f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ])  # fmt: skip

    def start_known(self) -> None:
        """The scratch cluster and every cluster that this home had before, side by side."""
        threads = [threading.Thread(target=self.ensure, args=(name,)) for name in {SCRATCH, *self._ports}]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ensure(self, name: str) -> Cluster:
        """The running cluster of that name, started where needed. Raises ClusterError."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name in self._running:
                return self._running[name][0]
            port = self._ports.get(name) or free_port()
            folder = self._home / name
            folder.mkdir(exist_ok=True)
            process = self._start(name, [
                str(self._binaries / "kube-apiserver"), f"--etcd-servers={self._etcd_url}", f"--etcd-prefix=/{name}",
                "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
                f"--secure-port={port}", f"--cert-dir={folder}", f"--token-auth-file={self._home / 'tokens.csv'}",
                "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--profiling=false",
                "--service-account-issuer=https://127.0.0.1/", f"--service-account-key-file={self._key}",
                f"--service-account-signing-key-file={self._key}", "--service-cluster-ip-range=10.0.0.0/20",
            ])  # fmt: skip
            url = f"https://127.0.0.1:{port}"
            self._wait(name, url, process)
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(json.dumps(admin_config(name, url)))
            authority = base64.b64encode((folder / "apiserver.crt").read_bytes()).decode()
            made = Cluster(name, url, kubeconfig, authority)
            from sandbox.crds import install

            install(kubeconfig)
            with self._lock:
                self._running[name] = (made, process)
                self._ports[name] = port
                self._notes.write_text(json.dumps(self._ports))
            return made

    def remove(self, name: str) -> None:
        """Stop the cluster and forget all it held."""
        with self._lock:
            found = self._running.pop(name, None)
            self._ports.pop(name, None)
            self._notes.write_text(json.dumps(self._ports))
        if found is not None:
            end([found[1]])
        self._delete_data(name)
        shutil.rmtree(self._home / name, ignore_errors=True)

    def at(self, url: str) -> Cluster | None:
        """The cluster that listens there."""
        return next((cluster for cluster, _ in self._running.values() if cluster.url == url.rstrip("/")), None)

    def all(self) -> list[Cluster]:
        return sorted((cluster for cluster, _ in list(self._running.values())), key=lambda cluster: cluster.name)

    def stop(self) -> None:
        end([process for _, process in self._running.values()])
        end([self._etcd])

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        log = (self._home / f"{name}.log").open("wb")
        return subprocess.Popen(
            ("sh", "-c", GUARD, "guard", *command), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
        )

    def _wait(self, name: str, url: str, process: subprocess.Popen[bytes]) -> None:
        request = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        end([process])
        raise ClusterError(f"the API server of {name} is not ready after {READY_SECONDS} s; see {self._home / name}.log")

    def _delete_data(self, name: str) -> None:
        """All keys below the cluster's prefix, through etcd's JSON gateway."""
        first, last = (base64.b64encode(key).decode() for key in (f"/{name}/".encode(), f"/{name}0".encode()))
        body = json.dumps({"key": first, "range_end": last}).encode()
        request = urllib.request.Request(f"{self._etcd_url}/v3/kv/deleterange", data=body)
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.URLError as error:
            raise ClusterError(f"the data of {name} could not be deleted: {error.reason}") from error


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Close the guards' input and wait until they and their children are gone."""
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    for process in processes:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def missing(binaries: Path | None) -> tuple[str, ...]:
    """Which of the Kubernetes binaries are not there."""
    return tuple(name for name in BINARIES if binaries is None or not (binaries / name).exists())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rsa_key() -> bytes:
    """A private key that signs service account tokens."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def admin_config(name: str, url: str) -> dict[str, object]:
    """A kubeconfig with the sandbox's own token; the certificate is self-signed and on loopback."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
    }
