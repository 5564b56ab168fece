"""k-anonymity and l-diversity: by hand on a small table, by pandas on any."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.anonymity import BELOW, measured
from governance.tables import Table, TableError

# Two groups of three (one all ill), a pair, somebody alone, and a pair whose area nobody wrote down.
PATIENTS = pd.DataFrame(
    [
        ("18-39", "north", "well"), ("18-39", "north", "ill"), ("18-39", "north", "well"),
        ("40-59", "north", "ill"), ("40-59", "north", "ill"), ("40-59", "north", "ill"),
        ("18-39", "south", "well"), ("18-39", "south", None),
        ("60+", "south", "ill"),
        ("60+", None, "well"), ("60+", None, "ill"),
    ],
    columns=["age", "area", "condition"],
)  # fmt: skip


def of(folder, frame, by=("age", "area"), sensitive=None, kind="parquet"):
    file = folder / f"people.{kind}"
    frame.to_parquet(file) if kind == "parquet" else frame.to_csv(file, index=False)
    return measured(Table.open([file]), "people", by, sensitive)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_k_and_l_are_what_one_counts_by_hand(tmp_path, kind):
    assert of(tmp_path, PATIENTS, sensitive="condition", kind=kind) == {
        "dataset": "people",
        "rows": 11,
        "quasi_identifiers": ["age", "area"],
        "k": 1,
        "share_below": {"2": round(1 / 11, 6), "5": 1.0, "10": 1.0},
        "sensitive": {"column": "condition", "l": 1},
    }
    others = PATIENTS[(PATIENTS.age != "60+") | PATIENTS.area.isna()]
    assert of(tmp_path, others, kind=kind)["k"] == 2
    mixed = others[others.age != "40-59"]
    assert of(tmp_path, mixed, sensitive="condition", kind=kind)["sensitive"]["l"] == 2


def test_files_of_one_dataset_are_counted_together(tmp_path):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file in files:
        PATIENTS.to_parquet(file)
    assert measured(Table.open(files), "people", ["age", "area"])["k"] == 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(["x", "y", 'it\'s "z"', None])] * 2, st.sampled_from("pqr")),
        min_size=1,
        max_size=60,
    )
)
def test_any_table_is_counted_as_pandas_counts_it(tmp_path_factory, people):
    frame = pd.DataFrame(people, columns=["a b", "it's", "told"], dtype="string")
    found = of(tmp_path_factory.mktemp("people"), frame, by=("a b", "it's"), sensitive="told")
    groups = frame.groupby(["a b", "it's"], dropna=False)["told"]
    assert found["k"] == groups.size().min()
    assert found["sensitive"]["l"] == groups.nunique().min()
    for size in BELOW:
        rows = groups.size()[groups.size() < size].sum()
        assert found["share_below"][str(size)] == pytest.approx(rows / len(frame), abs=1e-6)


def test_a_column_that_is_absent_and_a_table_without_rows_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"people\.parquet: has no column post_code; it has age,"):
        of(tmp_path, PATIENTS, by=("age", "post_code"))
    with pytest.raises(TableError, match="has no column illness"):
        of(tmp_path, PATIENTS, sensitive="illness")
    with pytest.raises(TableError, match="is empty"):
        of(tmp_path, PATIENTS.iloc[:0])
