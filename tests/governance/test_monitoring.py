"""Live monitoring: an alarm where a slice is hurt, clearance where none is, silence before either is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from governance import registry
from governance.monitoring import watched
from governance.tables import Table, TableError

MODEL = registry.load(Path(__file__).resolve().parents[2] / "models", "skin-check")


def live(folder, darker, rows=40000, **told):
    rng = np.random.default_rng(9)
    tone = rng.choice(["lighter", "darker"], rows)
    label = rng.integers(0, 2, rows)
    right = rng.random(rows) < np.where(tone == "darker", darker, 0.92)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2026-09-01", periods=rows, freq="2min"),
            "model": MODEL.name,
            "version": MODEL.version,
            "digest": MODEL.digest,
            "skin_tone": tone,
            "label": label,
            "prediction": np.where(right, label, 1 - label),
        }
    ).assign(**told)
    frame.to_parquet(folder / "live.parquet")
    return Table.open([folder / "live.parquet"])


def states(log, tolerance=0.05):
    found = watched(log, MODEL, attributes=["skin_tone"], tolerance=tolerance)
    return {one.metric: one for one in found}


def test_a_slice_that_is_hurt_raises_an_alarm_with_its_hour(tmp_path):
    seen = states(live(tmp_path, darker=0.75))["error_rate"]
    assert seen.state == "alarm"
    assert seen.low > 0.05
    assert {seen.better, seen.worse} == {"lighter", "darker"}
    assert seen.since is not None
    assert seen.since.hour is not None


def test_a_fair_model_is_cleared_and_a_young_one_is_neither(tmp_path):
    assert {one.state for one in states(live(tmp_path, darker=0.92)).values()} == {"clear"}
    young = states(live(tmp_path, darker=0.92, rows=300)).values()
    assert {one.state for one in young} == {"open"}


def test_the_logs_of_another_version_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"version: 40,000 rows are of '0\.1\.0'"):
        states(live(tmp_path, darker=0.9, version="0.1.0"))
