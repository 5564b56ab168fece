"""A person's revert of the planner's commit is a hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stacks
from gitops import reverts
from gitops.checkout import stack_path
from gitops.evidence import CAPACITY_SHA256
from gitops.planning import held
from gitops.reverts import HOLD_DAYS, Version, holds
from stacks.records import Hold
from tests.gitops.conftest import FLEET, git

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FILE = stack_path("dev")


def history(*states):
    """Versions a day apart: ('bot' or 'person', app=value, …) each."""
    return [
        Version(f"{day:07d}", NOON + timedelta(days=day), who == "bot", capacity)
        for day, (who, capacity) in enumerate(states)
    ]


BOT, PERSON = "bot", "person"


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        ([], {}),
        ([(PERSON, {"a": 1})], {}),
        # taken back
        ([(PERSON, {"a": 1}), (BOT, {"a": 2}), (PERSON, {"a": 1})], {"a": "0000002"}),
        # changed to something else: an edit, not a revert
        ([(PERSON, {"a": 1}), (BOT, {"a": 2}), (PERSON, {"a": 3})], {}),
        # only what was taken back is held
        (
            [(PERSON, {"a": 1, "b": 1}), (BOT, {"a": 2, "b": 2}), (PERSON, {"a": 1, "b": 2})],
            {"a": "0000002"},
        ),
        # taken back twice over is forward again
        (
            [(PERSON, {"a": 1}), (BOT, {"a": 2}), (PERSON, {"a": 1}), (PERSON, {"a": 2})],
            {},
        ),
        # the planner goes on with another app meanwhile
        (
            [
                (PERSON, {"a": 1, "b": 1}),
                (BOT, {"a": 2, "b": 1}),
                (PERSON, {"a": 1, "b": 1}),
                (BOT, {"a": 1, "b": 5}),
            ],
            {"a": "0000002"},
        ),
        # only the latest of the planner's changes can be taken back
        ([(PERSON, {"a": 1}), (BOT, {"a": 2}), (BOT, {"a": 3}), (PERSON, {"a": 1})], {}),
        # the first capacity of an app, taken away again
        ([(PERSON, {}), (BOT, {"a": 2}), (PERSON, {})], {"a": "0000002"}),
        # the planner takes its own change back
        ([(PERSON, {"a": 1}), (BOT, {"a": 2}), (BOT, {"a": 1})], {}),
    ],
)
def test_what_a_person_took_back_is_held(states, wanted):
    found = holds(history(*states))
    assert {app: hold.reason.split()[1] for app, hold in found.items()} == wanted


def test_a_hold_lasts_two_weeks_from_the_revert():
    found = holds(history((PERSON, {"a": 1}), (BOT, {"a": 2}), (PERSON, {"a": 1})))
    assert found["a"].until == date(2026, 11, 3) + timedelta(days=14)


@given(st.lists(st.tuples(st.just(BOT), st.fixed_dictionaries({"a": st.integers(0, 3)}))))
def test_the_planner_never_holds_itself(states):
    assert holds(history(*states)) == {}


@given(
    st.lists(
        st.tuples(st.sampled_from([BOT, PERSON]), st.fixed_dictionaries({"a": st.integers(0, 3)})),
        min_size=1,
        max_size=12,
    )
)
def test_a_held_app_stands_as_it_stood_before_the_planner(states):
    found = holds(history(*states))
    if "a" in found:
        values = [capacity["a"] for _, capacity in states]
        assert values[-1] in values[:-2]
        assert BOT in {who for who, _ in states}


def test_an_own_hold_goes_first_also_one_that_is_over():
    stack = stacks.load(FLEET)
    lifted = Hold(reason="plan it again", until=date(2020, 1, 1))
    camera = stack.apps["camera"].model_copy(update={"hold": lifted})
    stack = stack.model_copy(update={"apps": {**stack.apps, "camera": camera}})
    revert = Hold(reason="a revert", until=date(2036, 1, 1))
    now = held(stack, {"camera": revert, "voice": revert, "gone": revert})
    assert now.apps["camera"].hold == lifted
    assert now.apps["voice"].hold == revert
    assert now.apps["photos"].hold is None


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "stacks").mkdir()
    git(tmp_path, "init", "-q", "-b", "main")
    change(tmp_path, 6, "start")
    return tmp_path


def change(repository, ceiling, message):
    text = FLEET.read_text().replace("ceiling: 6", f"ceiling: {ceiling}", 1)
    (repository / FILE).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", message)
    return git(repository, "rev-parse", "HEAD")


def held_now(repository, days=0):
    return sorted(
        reverts.on_branch(repository, "main", FILE, datetime.now(UTC) + timedelta(days=days))
    )


OURS = f"chore(dev): right-size camera\n\n{CAPACITY_SHA256}: {'ab' * 32}\n"


def straight(repository):
    change(repository, 9, OURS)


def merged(repository):
    git(repository, "checkout", "-q", "-b", "fairweather/dev")
    change(repository, 9, OURS)
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "Merge pull request #1", "fairweather/dev")


def squashed_with_the_pull_requests_text(repository):
    change(repository, 9, f"right-size (#1)\n\n| {CAPACITY_SHA256} | `{'ab' * 32}` |")


def by_git(repository):
    parents = git(repository, "log", "-1", "--format=%P").split()
    git(repository, "revert", "--no-edit", *(["-m", "1"] if len(parents) > 1 else []), "HEAD")


def by_the_forges_button(repository):
    git(repository, "checkout", "-q", "-b", "revert-1-fairweather/dev")
    by_git(repository)
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "Merge pull request #2", "-")


def squashed(repository):
    change(repository, 6, 'Revert "right-size" (#2)\n\nReverts acme/fleet#1')


@pytest.mark.parametrize("brought", [straight, merged, squashed_with_the_pull_requests_text])
@pytest.mark.parametrize("taken_back", [by_git, by_the_forges_button, squashed])
def test_a_revert_is_seen_however_both_came_to_main(repository, brought, taken_back):
    brought(repository)
    assert held_now(repository) == []
    taken_back(repository)
    assert held_now(repository) == ["camera"]
    assert held_now(repository, HOLD_DAYS) == ["camera"]
    assert held_now(repository, HOLD_DAYS + 1) == []
    change(repository, 9, 'Reapply "right-size"')
    assert held_now(repository) == []


def test_history_that_cannot_be_read_holds_nothing(repository):
    (repository / FILE).write_text("config: [\n")
    git(repository, "commit", "-q", "-am", "broken")
    change(repository, 9, OURS)
    assert held_now(repository) == []


def test_a_file_without_history_holds_nothing(repository):
    assert reverts.on_branch(repository, "main", Path("stacks/none.yaml"), NOON) == {}
