"""Explanations: models whose reasons are known, a model without any, and the same figures as scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from governance.explaining import ExplainError, explained

WEIGHTS = {"a": 4.0, "b": 0.0, "c": 2.0, "d": 1.0, "e": 3.0, "f": 0.5, "g": 0.25, "h": 1.5}
ORDER = sorted(WEIGHTS, key=lambda name: -WEIGHTS[name])


def table(rows=1000, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(size=rows) for name in WEIGHTS})


def linear(data):
    return sum(weight * data[name] for name, weight in WEIGHTS.items()).to_numpy()


def noisy(data, seed=2):
    return linear(data) + np.random.default_rng(seed).normal(size=len(data))


def coin(data):
    """A score that has nothing to do with the target, but depends on every feature."""
    return np.sin(1e4 * data.sum(axis=1)).to_numpy()


@pytest.mark.parametrize("method", ["permutation", "occlusion"])
@pytest.mark.parametrize("two_values", [False, True])
def test_a_linear_model_is_explained_in_the_order_of_its_weights(method, two_values):
    data = table()
    target = noisy(data)
    target = np.where(target > 0, "yes", "no") if two_values else target
    found = explained(linear, data, target, method=method)
    names = [one["feature"] for one in found.importances]
    assert names[:5] == ORDER[:5]
    assert found.faithfulness > 0.9
    assert found.stability > 0.9
    assert found.samples == len(data)
    assert all(one["low"] <= one["importance"] <= one["high"] for one in found.importances)


@pytest.mark.parametrize("method", ["permutation", "occlusion"])
def test_what_a_model_without_reasons_is_said_to_hang_on_is_not_said_again(method):
    data = table()
    target = noisy(data)
    stable = [explained(coin, data, target, method=method, seed=at).stability for at in range(3)]
    faithful = [
        explained(coin, data, target, method=method, seed=at).faithfulness for at in range(5)
    ]
    assert max(stable) < 0.5
    assert abs(np.mean(faithful)) < 0.5


def test_a_model_that_always_says_the_same_has_no_reasons():
    data = table(200)
    found = explained(lambda rows: np.zeros(len(rows)), data, noisy(data))
    assert (found.faithfulness, found.stability) == (0, 0)
    assert {one["importance"] for one in found.importances} == {0}


def test_importances_are_those_of_scikit_learn():
    data = table(3000)
    target = noisy(data)
    model = LinearRegression().fit(data, target)
    theirs = permutation_importance(model, data, target, n_repeats=10, random_state=3)
    ours = {
        one["feature"]: one["importance"]
        for one in explained(model.predict, data, target).importances
    }
    for name, value in zip(data.columns, theirs.importances_mean, strict=True):
        assert ours[name] == pytest.approx(value, rel=0.1, abs=0.01)


def test_the_same_seed_gives_the_same_figures():
    data = table(300)
    assert explained(linear, data, noisy(data)) == explained(linear, data, noisy(data))
    assert explained(linear, data, noisy(data)) != explained(linear, data, noisy(data), seed=8)


def test_words_and_gaps_in_a_table_are_features_too():
    rng = np.random.default_rng(4)
    data = table(600)[["a", "b"]].assign(tone=rng.choice(["dark", "light"], 600), told=True)
    data.loc[::7, "b"] = np.nan
    data["told"] = rng.random(600) < 0.5

    def score(rows):
        return (rows["tone"] == "dark") * 3.0 + rows["told"] * 1.0 + rows["a"] * 0.1

    for method in ("permutation", "occlusion"):
        found = explained(score, data, score(data).to_numpy(), method=method)
        assert [one["feature"] for one in found.importances] == ["tone", "told", "a", "b"]


@pytest.mark.parametrize(
    ("shape", "segment", "told"),
    [
        ((6, 6), (3, 3), "3-5 x 0-2"),  # patches of an image
        ((6, 6, 3), (3, 3), "3-5 x 0-2"),  # of all its colours
        ((40,), (10,), "20-29"),  # a stretch of sound
        ((7,), (2,), "6-6"),  # the last one is what is left
    ],
)
def test_the_segment_that_a_model_looks_at_is_found(shape, segment, told):
    rng = np.random.default_rng(5)
    data = rng.normal(size=(400, *shape))
    where = tuple(
        slice(int(low), int(high) + 1)
        for low, high in (part.split("-") for part in told.split(" x "))
    )

    def score(rows):
        looked_at = rows[(slice(None), *where)].reshape(len(rows), -1).mean(axis=1)
        return 5 * looked_at + 0.1 * rows.reshape(len(rows), -1).mean(axis=1)

    before = data.copy()
    found = explained(score, data, score(data), segment=segment, method="occlusion")
    assert found.importances[0]["feature"] == told
    assert np.array_equal(data, before)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"data": table(200)[["a", "b"]]}, "2 features are too few"),
        ({"data": table(30), "target": np.arange(30.0)}, "30 rows with 30 targets are too few"),
        ({"target": np.arange(3.0)}, "200 rows with 3 targets"),
        ({"target": np.ones(200)}, "the target has 1 values"),
        ({"target": np.array(["a", "b", "c", "d"] * 50)}, "the target has 4 values"),
        ({"target": np.arange(200) < 19}, "the target is True in 19 rows"),
        ({"target": np.array([np.nan, *range(199)])}, "not said in 1 rows"),
        ({"score": lambda rows: np.ones((len(rows), 2))}, "gave 20 x 2 for 20 rows"),
        ({"score": lambda rows: np.full(len(rows), np.nan)}, "or no numbers"),
        ({"data": np.zeros((200, 4, 4))}, "a sample is 4 x 4; give a segment of 1 to 2 sizes"),
        ({"data": np.full((200, 4), "word"), "segment": (1,)}, "the array holds <U4"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_refused(changed, problem):
    asked = {
        "score": lambda rows: np.zeros(len(rows)),
        "data": table(200),
        "target": np.arange(200.0),
    }
    with pytest.raises(ExplainError, match=problem) as refused:
        explained(**{**asked, **changed})
    assert "\n" not in str(refused.value)
