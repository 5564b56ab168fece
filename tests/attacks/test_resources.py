"""What is tried with resources: one preview of them all, and each is stopped by the rule that stands for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from gitops.engine import Outcome
from tests.attacks import attacks_on_resources, attacks_on_workloads
from tests.attacks.engine import Attack, Project
from tests.attacks.samples import shared

pytestmark = pytest.mark.slow
ATTACKS = (*attacks_on_resources.ATTACKS, *attacks_on_workloads.ATTACKS)


@pytest.fixture(scope="module")
def preview(new_project: Callable[[], Project]) -> Outcome:
    program = new_project()
    program.declare(ATTACKS, shared(1_000_000.0))
    return program.run("preview")


def test_the_engine_fails_because_of_the_gate_alone(preview: Outcome) -> None:
    assert preview.blocked
    assert [one for one in preview.errors if "policy" not in one.lower()] == []


def test_no_two_attempts_have_one_name() -> None:
    assert max(Counter(one.name for one in ATTACKS).values()) == 1


@pytest.mark.parametrize("attempt", ATTACKS, ids=lambda one: one.name)
def test_it_is_blocked_by_the_rule_that_stands_for_it(attempt: Attack, preview: Outcome) -> None:
    stopped = attempt.stopped_by(preview.findings)
    assert stopped, f"{attempt.name} got past {attempt.rule}"
    assert all(len(one.text) > 20 for one in stopped), "a message says what is wrong"
