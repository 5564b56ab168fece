"""What the example stacks declare, through pricing and the whole gate, without an engine."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import protocol
import pytest
from pricing.book import PriceBook
from pricing.declared import of_preview
from pricing.kinds import KINDS
from pricing.resources import price
from samples import PACK, state

import stacks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("dev", "prod")


@pytest.fixture(scope="module", params=STACKS)
def declared(request):
    """The resources of one example stack, by running the real program."""
    command = (
        sys.executable,
        str(Path(__file__).with_name("declare.py")),
        request.param,
        str(ROOT),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert len(found) > 200
    return request.param, found


@pytest.fixture(scope="module")
def pack():
    with protocol.started(PACK) as started:
        yield started


def blocked(pack, resources):
    return {
        (rule, message) for rule, level, _, message in pack.judge(resources) if level == "mandatory"
    }


def test_the_standing_capacity_passes_the_gate(declared, pack):
    _, resources = declared
    assert blocked(pack, resources) == set()


def test_each_app_has_a_price_and_nothing_is_nobodys(declared):
    name, resources = declared
    by_app = price(of_preview(resources), PriceBook.load()).by_app()
    contract = stacks.load(ROOT / "stacks" / f"Pulumi.{name}.yaml")
    assert set(by_app) == {*contract.apps, "shared"}
    for app, cost in by_app.items():
        assert 0 < cost.low <= cost.expected <= cost.high, app
        if app in contract.apps:
            assert cost.expected <= contract.apps[app].budget.monthly_usd


def test_the_machines_of_each_floor_are_in_the_low_cost(declared):
    """By hand from the contract: what the floors need at the least, at the book's prices."""
    from stacks.machines import gpu_machine

    name, resources = declared
    book, contract = PriceBook.load(), stacks.load(ROOT / "stacks" / f"Pulumi.{name}.yaml")
    found = price(of_preview(resources), book).by_app()
    for app, entry in contract.apps.items():
        if entry.serving.target != "gpu":
            continue
        low = 0.0
        for place, capacity in contract.capacity[app].items():
            machine = gpu_machine(place, entry.serving.gpu, entry.serving.gpus_per_replica)
            hourly = book.hourly(machine.name, place, machine.accelerator, machine.gpus)
            nodes = -(-capacity.floor.least // machine.replicas(entry.serving.gpus_per_replica))
            low += nodes * (hourly or 0.0) * 730
        # Disks and addresses come on top, and cost little beside GPUs; a cluster of its own costs more.
        more = 500 if entry.serving.own_cluster else 30
        assert low <= found[app].low <= low * 1.1 + more, app


def test_each_type_the_program_uses_is_in_the_table(declared):
    _, resources = declared
    types = {one["type"] for one in resources}
    unknown = {kind for kind in types if kind.startswith(("aws:", "gcp:")) and kind not in KINDS}
    assert unknown == set()


def test_three_bad_changes_are_each_stopped_with_a_line(declared, pack):
    _, resources = declared
    bucket = state("aws:s3/bucket:Bucket", "reports", {})
    [(rule, message)] = blocked(pack, [*resources, bucket])
    assert rule == "tags-are-complete"
    assert message.startswith("reports lacks app, owner, cost_center, environment, portfolio")

    poor = copy.deepcopy(resources)
    for one in poor:
        if one["type"] == "fairweather:index:AppBudget" and one["inputs"]["app"] == "camera":
            one["inputs"]["monthly_budget_usd"] = one["outputs"]["monthly_budget_usd"] = 500.0
    [(rule, message)] = blocked(pack, poor)
    assert rule == "app-cost-within-budget"
    assert "its budget is $500" in message

    unfair = copy.deepcopy(resources)
    service = next(one for one in unfair if one["type"] == "fairweather:index:ModelService")
    worst = service["inputs"]["model"]["fairness"]["comparisons"][0]["slices"][-1]
    worst["k"] = worst["k"] * 0.5 // 1
    assert {rule for rule, _ in blocked(pack, unfair)} == {"fairness-is-shown"}
