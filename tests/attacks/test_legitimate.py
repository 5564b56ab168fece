"""What people rightly do passes: one preview of it all, without a word that blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from gitops.engine import Outcome
from tests.attacks.engine import Legitimate, Project, named
from tests.attacks.legitimate_resources import LEGITIMATE
from tests.attacks.samples import shared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def preview(new_project: Callable[[], Project]) -> Outcome:
    program = new_project()
    program.declare(LEGITIMATE, shared(100_000.0))
    return program.run("preview")


def test_all_of_it_together_passes(preview: Outcome) -> None:
    assert [(one.rule, one.text) for one in preview.findings if one.blocks] == []
    assert preview.errors == []


def test_no_two_variations_have_one_name() -> None:
    assert max(Counter(one.name for one in LEGITIMATE).values()) == 1


@pytest.mark.parametrize("variation", LEGITIMATE, ids=lambda one: one.name)
def test_it_is_declared_and_nothing_blocks_it(variation: Legitimate, preview: Outcome) -> None:
    made = {urn for operation, urn in preview.steps if operation == "create"}
    assert len([urn for urn in made if named(urn, variation.name)]) == len(variation.resources)
    said = [one for one in preview.findings if one.blocks and named(one.urn, variation.name)]
    assert said == []
