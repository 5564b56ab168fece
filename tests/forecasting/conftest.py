"""What the tests of planning and replay share: a small stack, and a whole one with demand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forecasting.telemetry import synthetic
from forecasting.telemetry.demand import Demand
from stacks import Stack, load
from tests.forecasting.services import END, capacity, demand_of

if TYPE_CHECKING:
    from distributed import LocalCluster

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def prod() -> Stack:
    return load(ROOT / "stacks" / "Pulumi.prod.yaml")


@pytest.fixture(scope="session")
def few(prod: Stack) -> Stack:
    """Three apps of prod, four services."""
    names = ("voice", "health", "moderation")
    apps = {name: prod.apps[name] for name in names}
    stands = {name: prod.capacity[name] for name in names}
    return prod.model_copy(update={"apps": apps, "capacity": stands})


@pytest.fixture(scope="session")
def few_demand(few: Stack) -> Demand:
    return demand_of(synthetic.generate(few, days=11, end=END, seed=7), days=11)


@pytest.fixture(scope="session")
def camera(prod: Stack) -> Stack:
    """One app in one place: 40 rps a replica, 6 minutes to start one."""
    app = prod.apps["camera"].model_copy(update={"regions": ("aws:us-east-1",), "edge": ()})
    stands = {"camera": {"aws:us-east-1": capacity(9, 14)}}
    return prod.model_copy(update={"apps": {"camera": app}, "capacity": stands})


@pytest.fixture(scope="session")
def prod_demand(prod: Stack) -> Demand:
    return demand_of(synthetic.generate(prod, days=14, end=END, seed=7), days=14)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A Dask scheduler with two worker processes on this machine."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made:
        yield made
