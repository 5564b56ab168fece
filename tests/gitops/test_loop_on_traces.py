"""The same loop on real demand: plan, write, preview and up, by the command line itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import stacks
from tests.checkouts import COMMAND, PROGRAM, copied
from tests.data_traces import servegen, shaved_ice

STACK = "dev"
pytestmark = pytest.mark.slow


def made_of(name, stack):
    """One of the traces, with each service at the size that its standing floor was made for."""
    services = stack.services()
    peaks = [
        0.8 * stack.capacity[app][place].floor.peak * stack.apps[app].serving.rps_per_replica
        for app, place in services
    ]
    if name == "shaved ice":
        return shaved_ice(services, days=28, peak_rps=peaks)
    return servegen(services, peak_rps=peaks)


@pytest.fixture
def checkout(tmp_path):
    """The program and its rooms in a folder of their own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return copied(folder, *PROGRAM, *COMMAND)


@pytest.fixture
def fairweather(checkout, tmp_path, sandbox_env):
    """Run one command in the checkout; returns its standard output."""

    def run(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, checkout / "gitops" / "__main__.py", *map(str, arguments)],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": sandbox_env["PATH"]},
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("name", ["shaved ice", "servegen"])
def test_real_demand_is_planned_written_previewed_and_deployed(
    name, checkout, fairweather, tmp_path, start_sandbox
):
    file = checkout / "stacks" / f"Pulumi.{STACK}.yaml"
    before = stacks.load(file)
    demand = tmp_path / "demand.csv"
    made_of(name, before).to_csv(demand, index=False)

    planned = json.loads(fairweather("plan", STACK, "--demand", demand, "--json"))
    changed = {(s["app"], s["location"]) for s in planned["services"] if s["status"] == "changed"}
    assert changed, planned["services"]
    assert planned["usd_month_after"] < planned["usd_month_before"]
    assert stacks.load(file) == before, "a plan writes nothing by itself"

    fairweather("plan", STACK, "--demand", demand, "--check", code=1)
    fairweather("plan", STACK, "--demand", demand, "--write")
    after = stacks.load(file)
    moved = {
        (app, place)
        for app, place in after.services()
        if after.capacity[app][place] != before.capacity[app][place]
    }
    assert moved == changed
    fairweather("plan", STACK, "--demand", demand, "--check")

    home = start_sandbox()
    preview = json.loads(fairweather("preview", STACK, "--sandbox", home, "--json"))
    assert not preview["failed"], preview["findings"]
    deployed = json.loads(fairweather("up", STACK, "--sandbox", home, "--json"))
    assert deployed["changes"]["create"] == preview["changes"]["create"]
    again = json.loads(fairweather("preview", STACK, "--sandbox", home, "--json"))
    assert again["changes"] == {"same": preview["changes"]["create"]}
