"""The fast loop: replicas follow the load, inside the floor and the ceiling that the planner granted."""

from __future__ import annotations

from typing import Any

from components.schedule import steps, week, windows
from stacks.records import Capacity, GpuServing

IN_CLUSTER_PROMETHEUS = "http://prometheus-server.monitoring.svc"
SCALE_DOWN_SECONDS = 300
"""Kubernetes' own default: replicas go once the load has been low for this long."""
METRIC = "inference_requests_total"
HPA_METRIC = "inference_requests_per_second"


def scaled_object(
    app: str, location: str, serving: GpuServing, capacity: Capacity, prometheus: str | None
) -> dict[str, Any]:
    """The `spec` of a KEDA ScaledObject: the highest of its triggers wins.

    The cron triggers are the floor, ahead of need by the cold start; the Prometheus trigger adds
    what the load asks for. Where the load cannot be read, the peak floor stands.
    """
    floor = steps(week(capacity.floor), serving.cold_start_minutes)
    schedule = [
        {
            "type": "cron",
            "metadata": {
                "timezone": "Etc/UTC",
                "start": window.start,
                "end": window.end,
                "desiredReplicas": str(window.size),
            },
        }
        for window in windows(floor)
    ]
    load = {
        "serverAddress": prometheus or IN_CLUSTER_PROMETHEUS,
        "query": f'sum(rate({METRIC}{{app="{app}",location="{location}"}}[2m]))',
        "threshold": f"{serving.rps_per_replica * capacity.target_utilisation:g}",
    }
    return {
        "scaleTargetRef": {"name": app},
        "minReplicaCount": min(step.size for step in floor),
        "maxReplicaCount": capacity.ceiling,
        "cooldownPeriod": SCALE_DOWN_SECONDS,
        "fallback": {"failureThreshold": 3, "replicas": max(1, capacity.floor.peak)},
        "triggers": [*schedule, {"type": "prometheus", "metadata": load}],
    }


def horizontal(app: str, serving: GpuServing, capacity: Capacity) -> dict[str, Any]:
    """The `spec` of a plain HorizontalPodAutoscaler.

    It knows no schedule, so what the peak needs stands all day. Its metric comes from the
    cluster's own custom-metrics adapter.
    """
    threshold = serving.rps_per_replica * capacity.target_utilisation
    return {
        "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": app},
        "min_replicas": max(1, capacity.floor.peak),
        "max_replicas": capacity.ceiling,
        "metrics": [
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": HPA_METRIC},
                    "target": {"type": "AverageValue", "average_value": f"{threshold:g}"},
                },
            }
        ],
        "behavior": {"scale_down": {"stabilization_window_seconds": SCALE_DOWN_SECONDS}},
    }
