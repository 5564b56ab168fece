"""Evidence from prediction logs: counts as another library counts them, bound to version and window."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)

from governance import registry
from governance.binding import Window
from governance.prediction_logs import evidence
from governance.tables import Table, TableError

ROOT = Path(__file__).resolve().parents[2] / "models"
MODEL = registry.load(ROOT, "skin-check")
WINDOW = Window(date(2026, 9, 1), date(2026, 9, 30))


def predictions(rows=4000, seed=3):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    return pd.DataFrame(
        {
            "time": pd.date_range("2026-09-01", "2026-09-30", periods=rows),
            "model": MODEL.name,
            "version": MODEL.version,
            "digest": MODEL.digest,
            "skin_tone": rng.choice(["lighter", "medium", "darker"], rows),
            "gender": rng.choice(["female", "male"], rows),
            "label": label,
            "prediction": np.where(rng.random(rows) < 0.9, label, 1 - label),
        }
    )


def measured(folder, frame, *, kind="parquet", files=1, **told):
    names = []
    for at, part in enumerate(np.array_split(np.arange(len(frame)), files)):
        names.append(folder / f"log-{at}.{kind}")
        piece = frame.iloc[part]
        piece.to_parquet(names[-1]) if kind == "parquet" else piece.to_csv(names[-1], index=False)
    asked = {"attributes": ["skin_tone"], "window": WINDOW, "population": "a test", **told}
    return evidence(Table.open(names), MODEL, created=date(2026, 10, 1), valid_days=90, **asked)


def rates(made, attribute, metric):
    [found] = [
        one for one in made["comparisons"] if (one["attribute"], one["metric"]) == (attribute, metric)
    ]  # fmt: skip
    return {slice_["slice"]: slice_["k"] / slice_["n"] for slice_ in found["slices"]}


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
def test_counts_are_those_of_fairlearn(tmp_path, kind):
    frame = predictions()
    made = measured(tmp_path, frame, kind=kind, files=3)
    by_other = MetricFrame(
        metrics={
            "selection_rate": selection_rate,
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
        },
        y_true=frame["label"],
        y_pred=frame["prediction"],
        sensitive_features=frame["skin_tone"],
    ).by_group
    for metric in by_other:
        assert rates(made, "skin_tone", metric) == pytest.approx(by_other[metric].to_dict())


def test_evidence_is_bound_and_dated_and_the_same_again(tmp_path):
    made = measured(tmp_path, predictions())
    assert (made["model"], made["digest"]) == ("skin-check", MODEL.digest)
    assert (made["created"], made["expires"]) == ("2026-10-01", "2026-12-30")
    assert made["window"] == {"from": "2026-09-01", "to": "2026-09-30"}
    assert made == measured(tmp_path, predictions().sample(frac=1, random_state=1), files=4)


def test_intersections_are_slices_of_their_own(tmp_path):
    both = measured(tmp_path, predictions(), attributes=["skin_tone", "gender"], intersections=True)
    crossed = rates(both, "skin_tone & gender", "error_rate")
    assert len(crossed) == 6
    assert "darker & female" in crossed


def test_rows_that_do_not_say_the_attribute_are_counted_apart(tmp_path):
    frame = predictions()
    frame.loc[:99, "skin_tone"] = None
    made = measured(tmp_path, frame)
    assert made["rows_without_attribute"] == {"skin_tone": 100}
    total = sum(one["n"] for one in made["comparisons"][0]["slices"])
    assert total == made["rows"] - 100


def test_words_that_go_wrong_together_count_for_less(tmp_path):
    rng = np.random.default_rng(5)
    frame = predictions(2000).drop(columns=["prediction", "label"])
    bad = rng.random(len(frame)) < 0.1
    frame["words"], frame["word_errors"] = 20, np.where(bad, 20, 0)
    [found] = measured(tmp_path, frame)["comparisons"]
    for slice_ in found["slices"]:
        # Twenty words that are all wrong or all right are one observation.
        assert slice_["design_effect"] == pytest.approx(20, rel=0.01)
        assert slice_["n"] == pytest.approx(slice_["words"] / 20, rel=0.01)
    frame["word_errors"] = rng.binomial(20, 0.1, len(frame))
    [found] = measured(tmp_path, frame)["comparisons"]
    assert all(slice_["design_effect"] < 1.2 for slice_ in found["slices"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"digest": "sha256:" + "b" * 64}, "digest: 4,000 rows are of 'sha256:bbb"),
        ({"version": "1.0.0"}, "version: 4,000 rows are of '1.0.0', asked for is '1.4.3'"),
        ({"model": None}, "model: 4,000 rows are of None"),
        ({"time": pd.Timestamp("2026-10-02")}, "time: goes from 2026-10-02 to 2026-10-02, outside"),
        ({"prediction": 2}, "prediction: 4,000 rows are not 0 or 1"),
        ({"label": None}, "label: 4,000 rows are not 0 or 1"),
        ({"request_id": "x"}, "request_id: 3,999 rows stand there twice"),
        ({"skin_tone": "all"}, "no attribute has two slices"),
    ],
)
def test_a_log_of_something_else_is_refused_in_one_line(tmp_path, change, said):
    with pytest.raises(TableError, match=r"log-0\.parquet") as refused:
        measured(tmp_path, predictions().assign(**change))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("column", ["time", "digest", "skin_tone"])
def test_a_column_that_is_missing_is_named(tmp_path, column):
    with pytest.raises(TableError, match=f"has no column {column}"):
        measured(tmp_path, predictions().drop(columns=column))


def test_nothing_to_count_is_said(tmp_path):
    with pytest.raises(TableError, match="has none of the columns prediction"):
        measured(tmp_path, predictions().drop(columns=["prediction", "label"]))
    hits = predictions().drop(columns=["prediction", "label"]).assign(hit=[0, 1] * 2000)
    with pytest.raises(TableError, match="say what it counts"):
        measured(tmp_path, hits)
    assert rates(measured(tmp_path, hits, hit_metric="recall_at_10"), "skin_tone", "recall_at_10")


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"none\.parquet: does not exist"):
        Table.open([tmp_path / "none.parquet"])
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(TableError, match=r"bad\.parquet: cannot be read"):
        Table.open([tmp_path / "bad.parquet"])
    (tmp_path / "log.txt").write_text("no")
    with pytest.raises(TableError, match=r"log\.txt: files are all"):
        Table.open([tmp_path / "log.txt"])
