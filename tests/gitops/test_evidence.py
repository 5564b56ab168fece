"""What goes with a plan: the replay of the portfolio stands in commit, pull request and JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from forecasting.capacity.replay import Replayed
from gitops import evidence
from gitops.planning import Planned
from tests.gitops.plans import Planner

ROOT = Path(__file__).resolve().parent.parent.parent
POLICIES = ("this plan", "what stands", "KRR rule", "perfect oracle")


def rows(*hours: float) -> tuple[Replayed, ...]:
    pairs = zip(POLICIES, hours, strict=True)
    return tuple(Replayed(name, name == "this plan", h, None, 0.002, 4) for name, h in pairs)


@pytest.fixture(scope="module")
def planned() -> Planned:
    made = Planner(camera=9).make(ROOT, "dev")
    first, *rest = made.plan.services
    services = (dataclasses.replace(first, replay=rows(700, 1000, 1200, 600)), *rest)
    return dataclasses.replace(made, plan=dataclasses.replace(made.plan, services=services))


def test_the_commit_says_what_each_rule_would_have_cost_and_dropped(planned):
    text = evidence.body(planned)
    assert "Replay, 1 service: -30% cost at 0.2% shortfall, 0.2% before (wins 1 of 1):" in text
    lines = text.splitlines()[-4:]
    assert [line[2:17].strip() for line in lines] == list(POLICIES)
    assert "1,200 replica-hours" in lines[2]
    assert max(map(len, lines)) <= 72


def test_the_pull_request_and_the_json_say_the_same(planned):
    text = evidence.markdown(planned)
    assert "| what stands | 1,000 | 0.20% | 4 |" in text
    told = json.loads(json.dumps(evidence.to_dict(planned)))["replay"]
    assert told["verdict"]["won"] is True
    assert [row["replica_hours"] for row in told["total"]] == [700, 1000, 1200, 600]
    assert len(told["left_out"]) == len(planned.plan.services) - 1


def test_without_a_replay_there_is_no_table():
    made = Planner(camera=9).make(ROOT, "dev")
    assert "Replay" not in evidence.body(made)
    assert evidence.to_dict(made)["replay"]["verdict"] is None
