"""`fairweather commitments`: what it says of a growing portfolio, of a young one, and of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stacks
from gitops import cli

ROOT = Path(__file__).resolve().parents[2]
G6 = "aws:us-east-1 g6"


def demand_file(path: Path, days: int) -> Path:
    """Growing demand with a daily cycle for every service of prod."""
    stack = stacks.load(ROOT / "stacks" / "Pulumi.prod.yaml")
    index = pd.date_range(end="2026-11-01", periods=24 * days, freq="h", tz="UTC", inclusive="left")
    hours = np.arange(len(index))
    shape = (1 + 0.3 * np.sin(hours * 2 * np.pi / 24)) * np.exp(hours / 24 / 400)
    parts = []
    for app, location in stack.services():
        peak = 0.6 * stack.capacity[app][location].floor.peak
        rps = peak * stack.apps[app].serving.rps_per_replica * shape / shape.max()
        parts.append(pd.DataFrame({"time": index, "app": app, "location": location, "rps": rps}))
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    return demand_file(tmp_path_factory.mktemp("demand") / "demand.csv", 200)


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["commitments", "prod", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_table_says_what_to_buy_and_what_it_loses(capsys, grown):
    code, out, _ = run(capsys, "--demand", grown)
    assert code == 0
    assert "EC2 Instance Savings Plan" in out
    assert "demand −30 %" in out
    assert "retired" in out
    assert "nothing is bought" in out
    assert "Lambda: no price of a one-year commitment" in out
    assert "no availability recorded" in out


def test_json_knows_null_from_zero_and_says_the_same_twice(capsys, grown):
    _, out, _ = run(capsys, "--demand", grown, "--json")
    assert run(capsys, "--demand", grown, "--json")[1] == out
    told = {pool["pool"]: pool for pool in json.loads(out)["pools"]}
    assert told[G6]["commit_now_usd_hour"] > 0
    assert told[G6]["saving_a_year_usd"]["if_retired"] < 0
    assert told["aws:us-east-1 Lambda"]["commit_now_usd_hour"] is None
    assert told[G6]["spot"] is None


def test_what_runs_is_not_advised_again(capsys, grown, tmp_path):
    before = json.loads(run(capsys, "--demand", grown, "--json")[1])["pools"]
    active = tmp_path / "active.csv"
    rows = [
        f"{p['pool']},2026-10-01,2027-11-30,{p['commit_now_usd_hour']}"
        for p in before
        if p["commit_now_usd_hour"]
    ]
    active.write_text("\n".join(["pool,start,end,usd_hour", *rows]))
    after = json.loads(run(capsys, "--demand", grown, "--active", active, "--json")[1])["pools"]
    for one, other in zip(before, after, strict=True):
        if one["commit_now_usd_hour"]:
            assert other["commit_now_usd_hour"] < 0.02 * one["commit_now_usd_hour"]


def test_a_budget_binds_and_tells_its_price(capsys, grown):
    code, out, _ = run(capsys, "--demand", grown, "--budget", 500)
    assert code == 0
    assert "one more dollar a month would save" in out
    told = json.loads(run(capsys, "--demand", grown, "--budget", 500, "--json")[1])
    spent = sum(pool["commit_now_usd_month"] or 0 for pool in told["pools"])
    assert spent == pytest.approx(500, abs=0.1)


def test_a_young_portfolio_gets_no_more_than_the_certain_part(capsys, tmp_path):
    young = demand_file(tmp_path / "young.csv", 28)
    code, out, _ = run(capsys, "--demand", young)
    assert code == 0
    assert "28 days of history: only what was always in use" in out


def test_a_compute_savings_plan_covers_functions_too(capsys, grown):
    _, out, _ = run(capsys, "--demand", grown, "--compute-discount", 0.27, "--json")
    told = {pool["pool"]: pool for pool in json.loads(out)["pools"]}
    assert "moderation" in told["aws compute"]["apps"]
    assert told["aws compute"]["product"] == "Compute Savings Plan, 1 year, no upfront"
    assert not any(name.startswith("aws:") for name in told)


def test_spot_is_advised_from_recorded_availability(capsys, grown, tmp_path):
    times = pd.date_range("2026-09-01", periods=25 * 288, freq="5min", tz="UTC")
    zones = [
        pd.DataFrame({"time": times, "pool": G6, "zone": zone, "available": 1}) for zone in "ab"
    ]
    file = tmp_path / "spot.csv"
    pd.concat(zones).to_csv(file, index=False)
    _, out, _ = run(capsys, "--demand", grown, "--availability", file, "--json")
    told = {pool["pool"]: pool for pool in json.loads(out)["pools"]}
    assert told[G6]["spot"]["share"] == 0.3  # the stack file's cap for voice


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--discount", "30"), "--discount 30: give a share between 0 and 1"),
        (("--compute-discount", "0"), "--compute-discount 0: give a share between 0 and 1"),
        (("--budget", "-1"), "--budget -1: give USD a month above zero"),
        (("--active", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
)
def test_bad_options_are_one_line(capsys, grown, arguments, problem):
    code, _, err = run(capsys, "--demand", grown, *arguments)
    assert code == 1
    assert problem in err
    assert err.count("\n") == 1


def test_a_pool_that_is_not_there_is_refused_by_name(capsys, grown, tmp_path):
    file = tmp_path / "active.csv"
    file.write_text("pool,start,end,usd_hour\naws:us-east-1 g7,2026-01-01,2027-01-01,1\n")
    code, _, err = run(capsys, "--demand", grown, "--active", file)
    assert code == 1
    assert "no pool 'aws:us-east-1 g7' in this stack; pools: " in err
