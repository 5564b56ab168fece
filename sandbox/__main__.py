"""The sandbox itself: `python -m sandbox --home DIR [--binaries DIR]` serves until it is ended."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox import lifecycle
from sandbox.clusters import ClusterError, Clusters, missing
from sandbox.lifecycle import SandboxError
from sandbox.notebook import Notebook

THREADS = 32
OWNER_CHECK_SECONDS = 1.0
SEED = 42
"""moto's ids are the same for the same calls."""


def main() -> int:
    options = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    options.add_argument("--home", type=Path, required=True, help="where it keeps everything")
    options.add_argument("--binaries", type=Path, help="the folder of etcd and kube-apiserver")
    options.add_argument("--owner", type=int, metavar="PID", help="end when this process is gone")
    given = options.parse_args()
    home = given.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    try:
        lifecycle.lock(home)  # until the very end of this process
        serve(home, given.binaries, given.owner)
    except (SandboxError, ClusterError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def serve(home: Path, binaries: Path | None, owner: int | None) -> None:
    """Serve the clouds of `home` until SIGTERM, SIGINT or the end of the process `owner`."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    notes = list(lost(home))
    absent = missing(binaries)
    if absent:
        notes.append(
            f"no Kubernetes: {' and '.join(absent)} missing in {binaries or 'no folder given'}; "
            "clusters have no API server and their objects are refused. `make setup` builds them."
        )
    # The servers get ready while the rest is imported.
    clusters = (
        Clusters(home / "kubernetes", binaries) if binaries is not None and not absent else None
    )
    try:
        url = start_moto()
        places = start_providers(home, clusters)
        threading.Thread(target=warm_up, daemon=True).start()
        if clusters is not None:
            clusters.wait()
        told = {"pid": os.getpid(), "aws_url": url, "providers": places, "notes": notes}
        draft = home / f"{lifecycle.READY}.new"
        draft.write_text(json.dumps(told))
        draft.replace(home / lifecycle.READY)
        print(f"ready in {home}", *notes, sep="\n", flush=True)
        while not ended.wait(OWNER_CHECK_SECONDS) and (owner is None or lives(owner)):
            pass
        (home / lifecycle.READY).unlink(missing_ok=True)
    finally:
        if clusters is not None:
            clusters.stop()


def lives(process: int) -> bool:
    """Whether a process of this user is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def lost(home: Path) -> list[str]:
    """What the sandbox that was here before held in memory only; that page is turned."""
    held = lifecycle.count(home / lifecycle.AWS_HELD)
    (home / lifecycle.AWS_HELD).unlink(missing_ok=True)
    if not held:
        return []
    kept = lifecycle.clusters(home)
    return [
        f"gone with the sandbox that ran here before: {lifecycle.counted(held, 'AWS object')}. "
        f"Kept: what {len(kept)} clusters hold, {sum(lifecycle.recorded(home).values())} recorded "
        f"objects. To make the rest again: {lifecycle.GO_ON}"
    ]


def start_moto() -> str:
    """AWS, for boto3 in this process without HTTP and for others at the address returned."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # an AWS_ENDPOINT_URL of the shell would lead our own boto3 elsewhere
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    os.environ["MOTO_LAMBDA_CONCURRENCY_QUOTA"] = "1000"  # as a new account has it
    from moto import mock_aws
    from moto.moto_api._internal import mock_random
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    mock_aws().start()
    mock_random.seed(SEED)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def warm_up() -> None:
    """What the first calls would wait for: moto's instance types, AWS' own thousand policies."""
    from sandbox.aws import LOCK, client
    from sandbox.local_zones import open_local_zones

    with LOCK:
        open_local_zones()
        client("iam", "us-east-1").list_policies()
        client("ec2", "us-east-1").describe_vpcs()


def start_providers(home: Path, clusters: Clusters | None) -> str:
    """The providers that the engine attaches to, as PULUMI_DEBUG_PROVIDERS names them."""
    from sandbox.aws import AwsCloud
    from sandbox.aws_types import DROPPED, RECORDED, TYPES
    from sandbox.google import Google
    from sandbox.kube import Kubernetes
    from sandbox.provider import serve as serve_cloud

    def book(file: str) -> Notebook:
        return Notebook(home / file)

    recorded, held = book(lifecycle.AWS_RECORDED), book(lifecycle.AWS_HELD)
    pool = ThreadPoolExecutor(THREADS)
    clouds = (
        AwsCloud(TYPES, RECORDED, DROPPED, recorded, held, clusters),
        Kubernetes(clusters, book(lifecycle.CHARTS)),
        Google(book(lifecycle.GOOGLE), clusters),
    )
    return ",".join(f"{cloud.package}:{serve_cloud(cloud, pool)}" for cloud in clouds)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the servers' threads have nothing to save
