"""The cost of a stack as the command tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stacks
from finops import stack_cost
from policypacks.guardrails.pricing.book import PriceBookError

ROOT = Path(__file__).resolve().parents[2]
PROD = ROOT / "stacks" / "Pulumi.prod.yaml"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def state(kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """A `newState` of `pulumi preview --json`, with the keys that a custom resource has there."""
    urn = f"urn:pulumi:prod::fairweather::{kind}::{name}"
    return {
        "urn": urn,
        "custom": True,
        "type": kind,
        "inputs": inputs,
        "parent": "urn:pulumi:prod::fairweather::s",
    }


NODES = state("aws:eks/nodeGroup:NodeGroup", "camera-us-east-1", {
    "instanceTypes": ["g6.xlarge"], "region": "us-east-1", "tags": {"app": "camera"}, "nodeRoleArn": UNKNOWN,
    "scalingConfig": {"minSize": 2, "desiredSize": 3, "maxSize": 4}, "diskSize": 100,
})  # fmt: skip
CLUSTER = state(
    "aws:eks/cluster:Cluster", "eks", {"region": "us-east-1", "tags": {"app": "shared"}}
)
DATABASE = state("aws:rds/instance:Instance", "db", {"tags": {"app": "camera"}})
VPC = state("aws:ec2/vpc:Vpc", "net", {})
BUCKET = state("aws:s3/bucket:Bucket", "logs", {"tags": {"app": "camera"}})


def told(*states: dict[str, Any], prices: Path | None = None) -> dict[str, Any]:
    return stack_cost.to_dict(stack_cost.of_preview(states, prices), stack_cost.budgets(PROD))


def test_cost_is_told_by_app_with_its_budget() -> None:
    machine = 0.8048 * 730 + 100 * 0.08
    found = told(NODES, CLUSTER)
    assert found["apps"]["camera"] == {
        "low": round(2 * machine, 2),
        "expected": round(3 * machine, 2),
        "high": round(4 * machine, 2),
        "budget": stacks.load(PROD).apps["camera"].budget.monthly_usd,
    }
    assert found["apps"]["shared"] == {"low": 73.0, "expected": 73.0, "high": 73.0, "budget": None}
    assert found["total"]["expected"] == round(3 * machine + 73, 2)
    assert found["total"]["budget"] == stacks.load(PROD).portfolio.budget.monthly_usd


def test_the_sums_are_those_of_the_lines() -> None:
    found = told(NODES, CLUSTER)
    lines = sum(line["usd"]["expected"] for line in found["lines"] if "usd" in line)
    assert lines == pytest.approx(found["total"]["expected"], abs=0.02)


def test_what_has_no_price_is_counted_by_type_and_has_no_figure() -> None:
    found = told(NODES, DATABASE, DATABASE | {"urn": "urn::other"}, BUCKET, VPC)
    assert found["unpriced"] == {"aws:rds/instance:Instance": 2}
    shown = {line["name"]: line for line in found["lines"]}
    assert "usd" not in shown["db"]
    assert (shown["logs"]["state"], "usd" in shown["logs"]) == ("usage", False)
    assert "net" not in shown


def test_it_is_json() -> None:
    assert json.loads(json.dumps(told(NODES, DATABASE)))["currency"] == "USD"


def test_a_users_own_prices_win(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text(
        "service,item,location,unit,usd,as_of,source\n"
        "machine,g6.xlarge,aws:us-east-1,hour,0.4,2026-11-01,contract\n"
    )
    assert told(NODES, prices=mine)["total"]["expected"] == round(3 * (0.4 * 730 + 8), 2)
    mine.write_text("nonsense\n")
    with pytest.raises(PriceBookError, match=r"mine\.csv:1: the columns are 'nonsense'"):
        told(NODES, prices=mine)


def test_budgets_come_from_the_stack_file() -> None:
    found = stack_cost.budgets(PROD)
    assert found.apps_usd["camera"] == stacks.load(PROD).apps["camera"].budget.monthly_usd
    assert set(found.apps_usd) == set(stacks.load(PROD).apps)
