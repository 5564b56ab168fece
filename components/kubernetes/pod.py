"""The pod of a model: what it asks for, what it may do, when it counts as ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.gpu_nodes import POOL_LABEL, TAINT
from stacks.records import GpuServing, ModelVersion, Requests

PORT = 8080
HEALTH_PATH = "/healthz"
PROBE_SECONDS = 5
USER_ID = 10001
"""Anybody but root."""
GPU = "nvidia.com/gpu"


def pod(
    account: str,
    pool: str,
    serving: GpuServing,
    requests: Requests,
    model: ModelVersion,
    select: Mapping[str, str],
) -> dict[str, Any]:
    """A pod's `spec` under the restricted Pod Security Standard, on the nodes of one pool."""
    return {
        "service_account_name": account,
        "automount_service_account_token": False,
        "termination_grace_period_seconds": 60,
        "node_selector": {POOL_LABEL: pool},
        "tolerations": [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": USER_ID,
            "run_as_group": USER_ID,
            "fs_group": USER_ID,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "topology_spread_constraints": [
            {
                "max_skew": 1,
                "topology_key": "topology.kubernetes.io/zone",
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": select},
            }
        ],
        "containers": [container(serving, requests, model)],
        "volumes": [{"name": "work", "empty_dir": {"size_limit": "100Gi"}}],
    }


def container(serving: GpuServing, requests: Requests, model: ModelVersion) -> dict[str, Any]:
    """The model server: the image by its digest, and where its weights are."""
    gpus = {GPU: str(serving.gpus_per_replica)}
    probe = {"http_get": {"path": HEALTH_PATH, "port": PORT}, "period_seconds": PROBE_SECONDS}
    # A start may take twice what the plan assumes before it counts as failed.
    patience_seconds = 2 * 60 * max(1, serving.cold_start_minutes)
    return {
        "name": "model",
        "image": model.image,
        "env": [
            {"name": "MODEL_URI", "value": model.artifact},
            {"name": "MODEL_DIGEST", "value": model.digest},
        ],
        "ports": [{"name": "http", "container_port": PORT}],
        "resources": {
            "requests": {
                "cpu": f"{requests.cpu:g}",
                "memory": f"{requests.memory_gib:g}Gi",
                **gpus,
            },
            # Memory and GPUs cannot be squeezed; CPU may burst.
            "limits": {"memory": f"{requests.memory_limit_gib:g}Gi", **gpus},
        },
        "startup_probe": {**probe, "failure_threshold": round(patience_seconds / PROBE_SECONDS)},
        "readiness_probe": probe,
        "liveness_probe": {**probe, "period_seconds": 10, "failure_threshold": 6},
        # Load balancers need a moment to learn that the pod goes.
        "lifecycle": {"pre_stop": {"sleep": {"seconds": 10}}},
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volume_mounts": [{"name": "work", "mount_path": "/work"}],
    }
