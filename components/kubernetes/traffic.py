"""Who may talk to a model's pods, and to whom they may talk: NetworkPolicy specs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.kubernetes.pod import PORT

GOOGLE_PROXIES = ("130.211.0.0/22", "35.191.0.0/16")
"""Where Google's load balancers come from (cloud.google.com, "Firewall rules")."""
CREDENTIALS = ("169.254.170.23/32",)
"""Where EKS Pod Identity hands out credentials."""

DENY_ALL: Mapping[str, Any] = {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]}


def serve(select: Mapping[str, str], sources: Sequence[str]) -> dict[str, Any]:
    """Requests from `sources` (CIDRs) in; names, credentials and object storage out."""
    dns = {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}}
    return {
        "pod_selector": {"match_labels": select},
        "policy_types": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"ip_block": {"cidr": block}} for block in sources],
                "ports": [{"protocol": "TCP", "port": PORT}],
            }
        ],
        "egress": [
            {"to": [dns], "ports": [{"protocol": kind, "port": 53} for kind in ("UDP", "TCP")]},
            {
                "to": [{"ip_block": {"cidr": block}} for block in CREDENTIALS],
                "ports": [{"protocol": "TCP", "port": 80}],
            },
            # Object storage has no fixed addresses.
            {"ports": [{"protocol": "TCP", "port": 443}]},
        ],
    }
