"""`fairweather sizing`, and what its telemetry adds to a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import stacks
from forecasting.telemetry import synthetic
from forecasting.telemetry.synthetic_serving import serving_of
from forecasting.telemetry.synthetic_usage import usage_of_stack
from gitops import planning
from gitops.cli import main
from stacks.records import Requests, ServingSource, UsageSource
from tests.gitops.plans import END, Planner

ROOT = Path(__file__).resolve().parents[2]
CAMERA = ("camera", "aws:us-east-1")


@pytest.fixture(scope="module")
def stack() -> stacks.Stack:
    return stacks.load(ROOT / "stacks" / "Pulumi.dev.yaml")


@pytest.fixture(scope="module")
def files(tmp_path_factory, stack) -> Path:
    """A folder with serving.csv.gz and usage.csv.gz."""
    folder = tmp_path_factory.mktemp("telemetry")
    demand = synthetic.generate(stack, days=28, end=END, seed=7)
    synthetic.write(serving_of(stack, demand), folder / "serving.csv.gz", "serving telemetry")
    synthetic.write(usage_of_stack(stack, demand), folder / "usage.csv.gz", "container usage")
    return folder


def measured(stack: stacks.Stack, **sources) -> stacks.Stack:
    telemetry = stack.telemetry.model_copy(update={"serving": None, "usage": None, **sources})
    return stack.model_copy(update={"telemetry": telemetry})


def test_the_command_tells_each_verdict_and_checks_claims(files, capsys):
    words = ["sizing", "dev", "--serving", str(files / "serving.csv.gz")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "synthetic serving telemetry" in told
    assert all(word in told for word in ("holds", "too high", "too low"))
    assert main([*words, "--check"]) == 1


def test_the_command_speaks_json_of_claims_and_requests(files, capsys):
    sources = ("--serving", str(files / "serving.csv.gz"), "--usage", str(files / "usage.csv.gz"))
    assert main(["sizing", "dev", *sources, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {verdict["app"] for verdict in told["claims"]} == set(stacks.load(
        ROOT / "stacks" / "Pulumi.dev.yaml").apps)  # fmt: skip
    assert told["requests"]["camera aws:us-east-1"]["requests"]["memory_limit_gib"] < 8


def test_a_refuted_claim_is_a_finding_of_the_plan(files, stack):
    asked = measured(stack, serving=ServingSource(path="serving.csv.gz"))
    found = planning.refuted_claims(files, asked, END)
    assert {finding.kind for finding in found} == {"claim"}
    plan = planning.with_findings(Planner().make(ROOT, "dev").plan, found)
    at = {(s.app, s.location) for s in plan.services if s.findings}
    assert at == {(finding.app, finding.location) for finding in found}


def test_serving_telemetry_that_is_not_there_stops_no_plan(tmp_path, stack):
    asked = measured(stack, serving=ServingSource(path="nowhere.csv"))
    (finding,) = planning.refuted_claims(tmp_path, asked, END)
    assert "rps_per_replica is not checked" in finding.detail
    assert planning.refuted_claims(tmp_path, measured(stack), END) == ()


def test_measured_requests_are_planned_and_written_once(files, stack, tmp_path):
    asked = measured(stack, usage=UsageSource(path="usage.csv.gz"))
    plan = planning.with_requests(Planner().make(ROOT, "dev").plan, asked, files, END)
    camera = next(s for s in plan.services if (s.app, s.location) == CAMERA)
    assert camera.status == "changed"
    assert "requests: memory limit 8 → 6.75 GiB, 5.60 GiB at most" in camera.reason
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_bytes((ROOT / "stacks" / "Pulumi.dev.yaml").read_bytes())
    assert "+          memory_limit_gib:" in stacks.write_capacity(file, plan.capacity())
    written = stacks.load(file)
    again = written.model_copy(update={"telemetry": asked.telemetry})
    advised = planning.advised_requests(files, again, asked.telemetry.usage, END)
    assert not any(advice.changed for advice in advised.values())


def test_requests_that_stand_are_kept_without_usage_telemetry(stack):
    planned = Planner().make(ROOT, "dev").plan
    stood = Requests(cpu=1, memory_gib=4, memory_limit_gib=5)
    services = tuple(
        replace(s, before=s.before.model_copy(update={"requests": stood})) for s in planned.services
    )
    kept = planning.with_requests(replace(planned, services=services), measured(stack), ROOT, END)
    assert {s.after.requests for s in kept.services} == {stood}


def test_an_app_that_is_held_keeps_its_requests(files, stack):
    asked = measured(stack, usage=UsageSource(path="usage.csv.gz"))
    plan = Planner().make(ROOT, "dev").plan
    held = replace(plan, services=tuple(replace(s, status="held") for s in plan.services))
    after = planning.with_requests(held, asked, files, END)
    assert all(s.after.requests is None for s in after.services)


def test_usage_that_cannot_be_read_is_told(tmp_path, stack):
    pd.DataFrame({"time": []}).to_csv(tmp_path / "usage.csv")
    asked = measured(stack, usage=UsageSource(path="usage.csv"))
    plan = planning.with_requests(Planner().make(ROOT, "dev").plan, asked, tmp_path, END)
    assert "requests are kept as they stand" in plan.findings[-1].detail
