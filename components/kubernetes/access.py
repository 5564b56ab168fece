"""How the program reaches a cluster: by a command that turns the caller's credentials into a token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes


def provider(
    name: str,
    endpoint: pulumi.Output[str],
    authority: pulumi.Output[str],
    command: Sequence[str],
    opts: pulumi.ResourceOptions,
    **more: Any,
) -> kubernetes.Provider:
    """A provider for one cluster; `authority` is its certificate in base64, `more` goes to `exec`."""
    text = pulumi.Output.all(endpoint, authority).apply(
        lambda known: kubeconfig(name, known[0], known[1], command, **more)
    )
    return kubernetes.Provider(name, kubeconfig=text, enable_server_side_apply=True, opts=opts)


def kubeconfig(
    name: str, endpoint: str, authority: str, command: Sequence[str], **more: Any
) -> str:
    """A kubeconfig with one context."""
    run = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": command[0],
        "args": list(command[1:]),
        "interactiveMode": "Never",
        **more,
    }
    cluster = {"server": endpoint, "certificate-authority-data": authority}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"exec": run}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
    )
