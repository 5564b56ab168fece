"""Drift: found where it is, by slice; silent where it is not, at every look; told with bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import registry
from governance.drift import distance, drifted
from governance.tables import Table, TableError

MODEL = registry.load(Path(__file__).resolve().parents[2] / "models", "skin-check")


def rows(count, seed, shift=0.0, only=None):
    """Scores of two groups; `shift` moves those of one of them, or of all."""
    rng = np.random.default_rng(seed)
    tone = rng.choice(["lighter", "darker"], count)
    score = rng.normal(0, 1, count)
    score += np.where((tone == only) | (only is None), shift, 0.0)
    return pd.DataFrame(
        {
            "time": pd.date_range("2026-09-01", periods=count, freq="1min"),
            "model": MODEL.name,
            "version": MODEL.version,
            "digest": MODEL.digest,
            "skin_tone": tone,
            "score": score,
            "device": rng.choice(["phone", "tablet"], count, p=[0.8, 0.2]),
        }
    )


def found(folder, reference, live, **asked):
    reference.to_parquet(folder / "reference.parquet")
    live.to_parquet(folder / "live.parquet")
    before, after = (Table.open([folder / f"{name}.parquet"]) for name in ("reference", "live"))
    told = drifted(before, after, MODEL, **{"columns": ["score", "device"], **asked})
    return {(one.column, one.slice): one for one in told}


def test_what_has_not_moved_is_cleared(tmp_path):
    told = found(tmp_path, rows(60000, 1), rows(60000, 2), attributes=["skin_tone"])
    assert {one.state for one in told.values()} == {"clear"}
    assert len(told) == 6
    assert all(one.stability_index < 0.01 for one in told.values())


def test_one_slice_that_moved_raises_its_alarm_and_no_other(tmp_path):
    live = rows(60000, 2, shift=0.8, only="darker")
    told = found(tmp_path, rows(60000, 1), live, attributes=["skin_tone"])
    assert told["score", "skin_tone=darker"].state == "alarm"
    assert told["score", "skin_tone=lighter"].state == "clear"
    assert told["device", "skin_tone=darker"].state == "clear"
    # A normal moved by 0.8 lies 2 Phi(0.4) - 1 = 0.311 away.
    moved = told["score", "skin_tone=darker"]
    assert moved.low < 0.311 < moved.high
    assert moved.most_moved.startswith("above")


def test_with_little_to_see_nothing_is_said(tmp_path):
    told = found(tmp_path, rows(60000, 1), rows(50, 2))
    assert {one.state for one in told.values()} == {"open"}


def test_a_new_category_and_missing_values_are_bins_of_their_own(tmp_path):
    live = rows(20000, 2)
    live.loc[live.index[:8000], "device"] = "watch"
    live.loc[live.index[8000:9000], "device"] = None
    told = found(tmp_path, rows(20000, 1), live, columns=["device"])["device", "everybody"]
    assert told.state == "alarm"
    assert told.most_moved == "other"


def test_at_no_drift_no_look_of_ninety_days_alarms_more_than_rarely():
    rng = np.random.default_rng(4)
    shares, alarms, runs = np.full(10, 0.1), 0, 200
    for _ in range(runs):
        before = rng.multinomial(20000, shares).astype(float)
        live = rng.multinomial(50, shares, size=24 * 90).cumsum(0).astype(float)
        looks = live[:: 24 * 3]
        alarms += any(distance(before, one, 0.05)[0] > 0 for one in looks)
    assert alarms / runs <= 0.05


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=12))
def test_bounds_are_in_order_and_hold_what_is_seen(counts):
    before, live = (np.array(column, float) for column in zip(*counts, strict=True))
    low, high = distance(before, live, 0.05)
    assert 0 <= low <= high <= 1
    if before.sum() and live.sum():
        seen = abs(before / before.sum() - live / live.sum()).sum() / 2
        assert low - 1e-9 <= seen <= high + 1e-9


def test_another_version_or_a_missing_column_is_refused(tmp_path):
    with pytest.raises(TableError, match="has no column age"):
        found(tmp_path, rows(100, 1), rows(100, 2), columns=["age"])
    with pytest.raises(TableError, match="version: 100 rows are of"):
        found(tmp_path, rows(100, 1), rows(100, 2).assign(version="9.9.9"))
