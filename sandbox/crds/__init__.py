"""Resource types that charts bring in a real cluster: KEDA, Karpenter, load balancer controller."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config, dynamic

HERE = Path(__file__).resolve().parent
ESTABLISHED_SECONDS = 20


class CrdError(Exception):
    """A cluster does not take the types, or does not serve them in time."""


def reach(kubeconfig: Path) -> Any:
    return config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]


def connect(kubeconfig: Path) -> Any:
    """A client for all kinds that a cluster serves, with a memory of its own.

    The library's default is one file in the temporary folder for everybody, and outlives us.
    """
    memory = f"{kubeconfig.parent}/discovery-{secrets.token_hex(4)}.json"
    return dynamic.DynamicClient(  # type: ignore[no-untyped-call]
        reach(kubeconfig), cache_file=memory
    )


def install(kubeconfig: Path) -> None:
    """Put the types into a cluster and wait until it serves them. Raises CrdError."""
    api: Any = client.ApiextensionsV1Api(reach(kubeconfig))
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    try:
        there = {crd.metadata.name for crd in api.list_custom_resource_definition().items}
        for file in sorted(HERE.glob("*.json")):
            body = json.loads(file.read_text())
            if body["metadata"]["name"] not in there:
                api.create_custom_resource_definition(body)
        while not all(map(established, api.list_custom_resource_definition().items)):
            if time.monotonic() > deadline:
                raise CrdError(f"not established after {ESTABLISHED_SECONDS} s")
            time.sleep(0.05)
    except client.ApiException as error:
        raise CrdError(str(error)) from error


def established(crd: Any) -> bool:
    conditions = (crd.status and crd.status.conditions) or ()
    return any(one.type == "Established" and one.status == "True" for one in conditions)
