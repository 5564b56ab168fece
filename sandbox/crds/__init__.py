"""Resource types that the charts bring in a real cluster: KEDA's, Karpenter's and the load balancer controller's."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from kubernetes import config, dynamic

HERE = Path(__file__).resolve().parent
ESTABLISHED_SECONDS = 20


def install(kubeconfig: Path) -> None:
    """Put the types into a cluster and wait until it serves them. Raises TimeoutError."""
    client = dynamic.DynamicClient(
        config.new_client_from_config(str(kubeconfig)),
        cache_file=f"{tempfile.mkdtemp()}/discovery.json",
    )
    kind = client.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    names = []
    for file in sorted(HERE.glob("*.json")):
        body = json.loads(file.read_text())
        names.append(body["metadata"]["name"])
        kind.server_side_apply(
            body=body, name=names[-1], field_manager="sandbox", force_conflicts=True
        )
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    for name in names:
        while not established(kind.get(name=name).to_dict()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not established after {ESTABLISHED_SECONDS} s")
            time.sleep(0.05)


def established(crd: dict[str, object]) -> bool:
    status = crd.get("status") or {}
    conditions = (status.get("conditions") if isinstance(status, dict) else None) or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
