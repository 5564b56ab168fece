"""One logical set of tags under the rules of three clouds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tags import PREFIX, Tags, app_tags, fitted, shared_tags
from stacks.reading import load
from stacks.records import Stack

ROOT = Path(__file__).resolve().parents[2]

TEXT = st.text(max_size=300)
KEYS = st.text(min_size=1, max_size=200)
SETS = st.dictionaries(KEYS, TEXT, max_size=8).map(Tags)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load(ROOT / "stacks" / "Pulumi.prod.yaml")


@given(SETS)
def test_aws_takes_every_tag(tags: Tags) -> None:
    for key, value in tags.aws.items():
        assert re.fullmatch(r"[\w\s+\-=.:/@]{1,128}", key)
        assert not key.lower().startswith("aws:")
        assert re.fullmatch(r"[\w\s+\-=.:/@]{0,256}", value)


@given(SETS)
def test_google_takes_every_label(tags: Tags) -> None:
    for key, value in tags.google.items():
        assert re.fullmatch("[a-z][a-z0-9_-]{0,62}", key)
        assert re.fullmatch("[a-z0-9_-]{0,63}", value)


@given(SETS)
def test_kubernetes_takes_every_label_value(tags: Tags) -> None:
    for value in tags.kubernetes.values():
        assert re.fullmatch("([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value)


def test_the_words_of_an_app_are_the_same_on_each_cloud(stack: Stack) -> None:
    tags = app_tags(stack.portfolio, "camera", stack.apps["camera"])
    assert tags.aws["cost_center"] == tags.google["cost_center"] == "cc-1042"
    assert tags.kubernetes[f"{PREFIX}cost-center"] == "cc-1042"
    assert tags.labels("model", "2.3.1")["app.kubernetes.io/version"] == "2.3.1"


def test_no_tag_of_an_app_says_that_it_is_somebody_elses(stack: Stack) -> None:
    camera = stack.apps["camera"].model_copy(update={"tags": {"owner": "x", "portfolio": "y"}})
    tags = app_tags(stack.portfolio, "camera", camera).logical
    assert (tags["owner"], tags["portfolio"]) == ("vision-team", "lumen")


def test_shared_things_are_the_platforms(stack: Stack) -> None:
    shared = shared_tags(stack.portfolio).logical
    assert (shared["app"], shared["owner"]) == ("shared", "platform-team")


@given(st.text("abc-", min_size=1, max_size=80), st.integers(10, 63))
def test_a_fitted_name_is_short_enough_and_left_alone_where_it_fits(
    name: str, longest: int
) -> None:
    short = fitted(name, longest)
    assert len(short) <= longest
    assert short == name or len(name) > longest


def test_two_long_names_do_not_become_one() -> None:
    assert fitted("lumen-production-search-europe-west4", 30) != fitted(
        "lumen-production-search-europe-west1", 30
    )
