"""The same telemetry gives the same plan to the byte, whoever works on it and however many."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from forecasting.capacity import shards
from forecasting.capacity.planner import Plan, plan
from forecasting.capacity.replay import replay
from forecasting.parallel import workers
from forecasting.telemetry import synthetic
from tests.forecasting.services import END, dollar

ROOT = Path(__file__).resolve().parents[2]


def content(planned: Plan) -> list[str]:
    """Every byte of a plan that anybody sees, a line a service."""
    lines = [repr((planned.at, planned.window, planned.model, planned.findings))]
    for service in planned.services:
        frames: dict[str, pd.DataFrame] = {
            "forecast": service.forecast,
            "history": service.history.to_frame(),
            "hindsight": service.hindsight.hours,
        }
        rest = {name: value for name, value in vars(service).items() if name not in frames}
        digests = [
            hashlib.sha256(frame.to_numpy().tobytes() + repr(list(frame.index)).encode())
            for frame in frames.values()
        ]
        lines.append(repr((rest, [digest.hexdigest() for digest in digests])))
    return lines


@pytest.fixture(autouse=True)
def _many_shards(monkeypatch):
    monkeypatch.setattr(shards, "SERVICES", 2)


def test_twice_is_the_same(few, few_demand):
    planned = plan(few, few_demand, dollar)
    assert content(planned) == content(plan(few, few_demand, dollar))
    other = replace(few_demand, hourly=1.01 * few_demand.hourly, fine=1.01 * few_demand.fine)
    assert content(planned) != content(plan(few, other, dollar))


def test_how_a_portfolio_is_cut_does_not_decide(few, few_demand, monkeypatch):
    planned = plan(few, few_demand, dollar)
    for size in (1, 50):
        monkeypatch.setattr(shards, "SERVICES", size)
        assert plan(few, few_demand, dollar).capacity() == planned.capacity()


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_one(few, few_demand):
    with workers(2) as two:
        planned = plan(few, few_demand, dollar, workers=two)
        rows = replay(few, few_demand, dollar, days=5, workers=two)
    assert content(planned) == content(plan(few, few_demand, dollar))
    assert rows == replay(few, few_demand, dollar, days=5)


@pytest.mark.slow
def test_dask_gives_the_same_bytes(few, few_demand, cluster):
    with workers(cluster.scheduler_address) as distributed:
        planned = plan(few, few_demand, dollar, workers=distributed)
        rows = replay(few, few_demand, dollar, days=5, workers=distributed)
    assert content(planned) == content(plan(few, few_demand, dollar))
    assert rows == replay(few, few_demand, dollar, days=5)


@pytest.mark.slow
def test_the_command_prints_the_same_plan_with_two_workers(prod, few, tmp_path):
    file = tmp_path / "demand.csv.gz"
    synthetic.write(synthetic.generate(prod, days=9, end=END, seed=3), file)
    command = [ROOT / "fairweather", "plan", "prod", "--demand", file, "--json", "--workers"]
    one, two = (
        subprocess.run([*command, count], capture_output=True, check=True) for count in "12"
    )
    assert one.stdout == two.stdout
    assert b'"floor"' in one.stdout
