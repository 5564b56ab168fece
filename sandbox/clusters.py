"""Real Kubernetes API servers, one for each declared cluster, on one etcd under prefixes of their own.

Objects are validated, defaulted, admitted and stored for real; no controller acts on them.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

TOKEN = "sandbox"  # noqa: S105  # the API servers listen on loopback only and hold nothing real
DEFAULT = "default"
"""For programs that bring no cluster of their own; answers dry runs for clusters still to come."""
BINARIES = ("etcd", "kube-apiserver")
READY_SECONDS = 60
GUARD = """
exec 3<&0
signal=$1; shift
"$@" 3<&- & child=$!
{ cat <&3 >/dev/null; kill -s $signal $child; } 2>/dev/null & wait $child
"""
"""A shell that ends its child when our end of its input closes: on stop, and when we are killed."""


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
    """The API servers of one home.

    Where each listens survives a restart, as does etcd's data. `clusters.json` has {name: port},
    `kubeconfig` a context for each. Raises ClusterError.
    """

    def __init__(self, home: Path, binaries: Path) -> None:
        self._home, self._binaries = home, binaries
        self._home.mkdir(parents=True, exist_ok=True)
        self._notes = self._home / "clusters.json"
        self._ports: dict[str, int] = {DEFAULT: free_port()}
        if self._notes.exists():
            self._ports.update(json.loads(self._notes.read_text()))
        self._running: dict[str, tuple[Cluster, subprocess.Popen[bytes]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._key = self._home / "service-account.key"
        if not self._key.exists():
            self._key.write_bytes(rsa_key())
        (self._home / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self._etcd_url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._etcd = self._start(
            "etcd",
            "TERM",
            f"--data-dir={self._home / 'etcd'}",
            "--unsafe-no-fsync",
            "--force-new-cluster",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        for name in self._ports:
            self._launch(name)

    def wait(self) -> None:
        """Until every cluster that this home had before is ready."""
        for name in list(self._ports):
            self.ensure(name)

    def ensure(self, name: str) -> Cluster:
        """The running cluster of that name, started where needed."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            try:
                return self._ready(name)
            except ClusterError:  # another program may have taken its port in that moment
                return self._ready(name)

    def _ready(self, name: str) -> Cluster:
        found = self._running.get(name)
        if found is None or found[1].poll() is not None:
            self._launch(name)
        cluster, process = self._running[name]
        return cluster if cluster.authority else self._finish(cluster, process)

    def remove(self, name: str) -> None:
        """Stop the cluster and forget all it held."""
        with self._lock:
            _, process = self._running.pop(name, (None, None))
            self._ports.pop(name, None)
            self._write()
        if process is not None:
            end([process])
        self._delete_data(name)
        shutil.rmtree(self._home / name, ignore_errors=True)

    def at(self, url: str) -> Cluster | None:
        """The cluster that listens there."""
        found = (cluster for cluster, _ in list(self._running.values()) if cluster.url == url)
        return next(found, None)

    def stop(self) -> None:
        end(process for _, process in self._running.values())
        end([self._etcd])

    def _launch(self, name: str) -> None:
        port = self._ports.get(name)
        if port is None or not is_free(port):
            port = free_port()
        folder = self._home / name
        folder.mkdir(exist_ok=True)
        process = self._start(
            "kube-apiserver",
            "KILL",  # it holds no state, and would wait for its watchers
            f"--etcd-servers={self._etcd_url}",
            f"--etcd-prefix=/{name}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--cert-dir={folder}",
            f"--token-auth-file={self._home / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
            "--service-account-issuer=https://127.0.0.1/",
            f"--service-account-key-file={self._key}",
            f"--service-account-signing-key-file={self._key}",
            "--service-cluster-ip-range=10.0.0.0/20",
            log=name,
        )
        url = f"https://127.0.0.1:{port}"
        with self._lock:
            self._running[name] = (Cluster(name, url, folder / "kubeconfig", ""), process)
            self._ports[name] = port

    def _finish(self, cluster: Cluster, process: subprocess.Popen[bytes]) -> Cluster:
        """Wait until a launched server answers, and make its cluster usable."""
        self._wait(cluster, process)
        certificate = (cluster.kubeconfig.parent / "apiserver.crt").read_bytes()
        ready = replace(cluster, authority=base64.b64encode(certificate).decode())
        ready.kubeconfig.write_text(json.dumps(admin_config([ready])))
        from sandbox import crds  # a second of imports, while the server starts

        try:
            crds.install(ready.kubeconfig)
        except crds.CrdError as error:
            raise ClusterError(f"{cluster.name} takes no resource types: {error}") from error
        with self._lock:
            self._running[cluster.name] = (ready, process)
            self._write()
        return ready

    def _write(self) -> None:
        ready = [cluster for cluster, _ in self._running.values() if cluster.authority]
        for path, content in (
            (self._notes, self._ports),
            (self._home / "kubeconfig", admin_config(ready)),
        ):
            draft = path.with_suffix(".new")
            draft.write_text(json.dumps(content))
            draft.replace(path)

    def _start(
        self, program: str, signal: str, *options: str, log: str = ""
    ) -> subprocess.Popen[bytes]:
        command = ("sh", "-c", GUARD, "guard", signal, str(self._binaries / program), *options)
        with (self._home / f"{log or program}.log").open("wb") as file:
            # A session of its own: Ctrl-C at us is no signal for it.
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
            )

    def _wait(self, cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
        request = urllib.request.Request(
            f"{cluster.url}/readyz", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        # Loopback, and the certificate is the server's own.
        trust = ssl._create_unverified_context()  # noqa: S323, SLF001
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(request, context=trust, timeout=2).close()
                return
            except OSError:
                time.sleep(0.05)
        end([process])
        log = self._home / f"{cluster.name}.log"
        said = next(reversed(log.read_text(errors="replace").splitlines()), "nothing")
        raise ClusterError(
            f"the API server of {cluster.name} does not get ready; {log} ends with: {said[:300]}"
        )

    def _delete_data(self, name: str) -> None:
        """All keys below the cluster's prefix, through etcd's JSON gateway."""
        first, last = (
            base64.b64encode(key.encode()).decode() for key in (f"/{name}/", f"/{name}0")
        )
        body = json.dumps({"key": first, "range_end": last}).encode()
        request = urllib.request.Request(f"{self._etcd_url}/v3/kv/deleterange", data=body)
        try:
            urllib.request.urlopen(request, timeout=10).close()  # our own etcd
        except OSError as error:
            raise ClusterError(f"the data of {name} could not be deleted: {error}") from error


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Close the guards' input and wait until they and their children are gone."""
    processes = list(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        process.wait()


def missing(binaries: Path | None) -> tuple[str, ...]:
    """Which of the Kubernetes binaries are not there."""
    return tuple(
        name for name in BINARIES if binaries is None or not os.access(binaries / name, os.X_OK)
    )


def free_port() -> int:
    """A port below those that outgoing connections take by chance while a server starts."""
    while not is_free(port := 20_000 + secrets.randbelow(12_768)):
        pass
    return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def rsa_key() -> bytes:
    """A private key that signs service account tokens."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def admin_config(clusters: Iterable[Cluster]) -> dict[str, object]:
    """A kubeconfig with a context for each cluster; the default's is current, else the first."""
    clusters = sorted(clusters, key=lambda cluster: (cluster.name != DEFAULT, cluster.name))
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": clusters[0].name if clusters else "",
        "clusters": [
            {
                "name": cluster.name,
                "cluster": {
                    "server": cluster.url,
                    "certificate-authority-data": cluster.authority,
                },
            }
            for cluster in clusters
        ],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": cluster.name, "context": {"cluster": cluster.name, "user": "admin"}}
            for cluster in clusters
        ],
    }
