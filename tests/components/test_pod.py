"""A pod asks for what people wrote, or for what was measured of it."""

from __future__ import annotations

from pathlib import Path

import stacks
from components.kubernetes.pod import GPU, container
from stacks.records import GpuServing, Requests

ROOT = Path(__file__).resolve().parents[2]
DEV = stacks.load(ROOT / "stacks" / "Pulumi.dev.yaml")
CAPACITY = DEV.capacity["camera"]["aws:us-east-1"]


def resources(capacity: stacks.Capacity) -> dict[str, dict[str, str]]:
    serving = DEV.apps["camera"].serving
    assert isinstance(serving, GpuServing)
    model = stacks.load_model(ROOT / "models", DEV.apps["camera"].model)
    found: dict[str, dict[str, str]] = container(serving, capacity.asked(serving), model)[
        "resources"
    ]
    return found


def test_what_people_wrote_holds_until_something_is_measured():
    assert resources(CAPACITY) == {
        "requests": {"cpu": "2", "memory": "8Gi", GPU: "1"},
        "limits": {"memory": "8Gi", GPU: "1"},
    }


def test_measured_requests_replace_it_and_cpu_has_no_limit():
    measured = Requests(cpu=0.9, memory_gib=5.75, memory_limit_gib=6.75)
    assert resources(CAPACITY.model_copy(update={"requests": measured})) == {
        "requests": {"cpu": "0.9", "memory": "5.75Gi", GPU: "1"},
        "limits": {"memory": "6.75Gi", GPU: "1"},
    }
