"""Billing exports: FOCUS in Parquet and CSV, plain tables, and what is wrong with them."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stacks
from finops import synthetic_billing
from finops.billing import BillingError, read

ROOT = Path(__file__).resolve().parents[2]
END = datetime(2026, 11, 21, tzinfo=UTC)
CAMERA = {"app": "camera", "owner": "vision-team"}


def charge(day, usd, tags=CAMERA, **others):
    return {
        "ChargePeriodStart": f"2026-11-{day:02d}T00:00:00Z",
        "ChargePeriodEnd": f"2026-11-{day + 1:02d}T00:00:00Z",
        "EffectiveCost": usd, "BillingCurrency": "USD", "ProviderName": "AWS",
        "ServiceName": "Amazon EC2", "RegionId": "us-east-1", "Tags": json.dumps(tags), **others,
    }  # fmt: skip


def csv(path, *charges):
    pd.DataFrame(charges).to_csv(path, index=False)
    return path


def usd(billing):
    return billing.daily["usd"].sum()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Synthetic billing of the dev stack in three parts, as Parquet and as CSV."""
    folder = tmp_path_factory.mktemp("billing") / "it's here"
    stack = stacks.load(ROOT / "stacks" / "Pulumi.dev.yaml")
    table = synthetic_billing.generate(stack, lambda *_: 1.0, days=40, end=END, seed=7)
    parts = [table.iloc[i::3] for i in range(3)]
    for i, part in enumerate(parts):
        for suffix in ("parquet", "csv"):
            synthetic_billing.write(part, folder / f"part-{i}.{suffix}")
    return folder, table


def test_parquet_and_csv_say_the_same_and_no_cent_is_lost(export):
    folder, table = export
    parquet = read(sorted(folder.glob("*.parquet")))
    text = read(sorted(folder.glob("*.csv")))
    pd.testing.assert_frame_equal(parquet.daily, text.daily)
    assert parquet.synthetic
    assert usd(parquet) == pytest.approx(table["EffectiveCost"].sum(), abs=1e-6)
    tagged = table["Tags"].map(lambda tags: tags.get("app", ""))
    expected = table.groupby(tagged)["EffectiveCost"].sum()
    found = parquet.daily.groupby("app")["usd"].sum()
    pd.testing.assert_series_equal(found, expected, check_names=False)


def test_the_order_of_the_files_changes_nothing(export):
    folder, _ = export
    files = sorted(folder.glob("*.parquet"))
    first = read(files)
    for order in itertools.permutations(files):
        again = read(order)
        pd.testing.assert_frame_equal(again.daily, first.daily, check_exact=True)
        assert (again.findings, again.files) == (first.findings, first.files)


def test_an_export_handed_in_twice_is_counted_once_and_equal_charges_of_one_file_are_kept(tmp_path):
    one = csv(tmp_path / "one.csv", charge(1, 2.5), charge(1, 2.5), charge(2, 1))
    two = csv(tmp_path / "two.csv", charge(1, 2.5), charge(1, 2.5), charge(3, 4))
    billing = read([one, two])
    assert usd(billing) == 2.5 * 2 + 1 + 4
    assert any(line.startswith("duplicates: 2 rows") for line in billing.findings)
    assert not any("duplicates" in line for line in read([one]).findings)


@pytest.mark.parametrize("key", ["app", "user:app", "user_app", "fairweather.dev/app"])
def test_a_tag_is_read_in_every_spelling(tmp_path, key):
    billing = read([csv(tmp_path / "b.csv", charge(1, 2, tags={key: "camera"}))])
    assert billing.daily["app"].tolist() == ["camera"]


@pytest.mark.parametrize(
    "tags",
    [
        pa.array([[("app", "camera")], []], pa.map_(pa.string(), pa.string())),
        pa.array([[{"key": "app", "value": "camera"}], []]),
        pa.array(['{"app": "camera"}', None]),
    ],
    ids=["map", "list of key and value", "JSON"],
)
def test_tags_come_as_a_map_a_list_or_text(tmp_path, tags):
    frame = pd.DataFrame([charge(1, 2), charge(2, 3)]).drop(columns="Tags")
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column("Tags", tags)
    pq.write_table(table, tmp_path / "b.parquet")
    billing = read([tmp_path / "b.parquet"])
    assert billing.daily["app"].tolist() == ["camera", ""]
    assert billing.daily["location"].tolist() == ["aws:us-east-1"] * 2


def test_a_charge_over_several_days_is_spread_over_them(tmp_path):
    month = charge(1, 300, ChargePeriodEnd="2026-12-01T00:00:00Z")
    billing = read([csv(tmp_path / "b.csv", month, charge(20, 5))])
    by_day = billing.daily.groupby("day")["usd"].sum()
    assert len(by_day) == 30
    assert by_day.iloc[0] == 10
    assert by_day.sum() == pytest.approx(305)
    # The days that are charged ahead are not known yet.
    assert billing.complete_until == pd.Timestamp("2026-11-19", tz="UTC")


def test_the_last_days_are_incomplete_and_nothing_later_than_at_is_read(tmp_path):
    file = csv(tmp_path / "b.csv", *(charge(day, day) for day in range(1, 21)))
    whole = read([file])
    assert whole.complete_until == pd.Timestamp("2026-11-19", tz="UTC")
    assert whole.known["day"].max() == pd.Timestamp("2026-11-18", tz="UTC")
    assert any(line.startswith("late days: billing of 19 Nov") for line in whole.findings)
    early = read([file], at=datetime(2026, 11, 10, 12, tzinfo=UTC))
    assert early.daily["day"].max() == pd.Timestamp("2026-11-10", tz="UTC")
    assert early.complete_until == pd.Timestamp("2026-11-08", tz="UTC")
    assert read([file], lag_hours=0).complete_until == pd.Timestamp("2026-11-21", tz="UTC")


def test_a_day_without_any_charge_is_a_gap_not_free(tmp_path):
    file = csv(tmp_path / "b.csv", *(charge(day, 1) for day in range(1, 21) if day not in {6, 7}))
    assert any("no charge at all on 2 days, the last 07 Nov" in f for f in read([file]).findings)


def test_columns_that_say_whose_it_is_may_be_absent_and_that_is_said(tmp_path):
    row = {k: v for k, v in charge(1, 2).items() if k not in {"Tags", "RegionId"}}
    billing = read([csv(tmp_path / "b.csv", row)])
    assert billing.daily[["app", "location"]].to_numpy().tolist() == [["", ""]]
    assert "no column Tags: all of it is unallocated" in billing.findings[0]
    assert "no column RegionId" in billing.findings[1]


def test_a_plain_table_will_do(tmp_path):
    file = tmp_path / "b.csv"
    file.write_text(
        "# by hand\ntime,app,usd,model\n2026-11-01,camera,3.5,scene\n2026-11-02,camera,4,scene\n"
    )
    billing = read([file])
    assert usd(billing) == 7.5
    assert billing.daily["model"].unique().tolist() == ["scene"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{**charge(1, 2), "BillingCurrency": "EUR"}], "the currency is EUR; convert"),
        ([charge(1, 2), {**charge(2, 2), "BillingCurrency": "EUR"}], "the currency is EUR, USD"),
        ([charge(1, "many"), charge(2, 1)], "1 of 2 rows have no cost that can be read"),
        ([{**charge(1, 1), "ChargePeriodStart": "soon"}], "1 of 1 rows have no start"),
        ([{"EffectiveCost": 1, "Date": 2}], "column ChargePeriodStart, BillingCurrency is missing"),
    ],
)
def test_what_no_sum_can_be_made_of_is_refused_in_one_line(tmp_path, rows, problem):
    with pytest.raises(BillingError, match=problem) as refusal:
        read([csv(tmp_path / "b.csv", *rows)])
    assert len(str(refusal.value).splitlines()) == 1
    assert "b.csv" in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read"), (b"", "b.csv"), (b"PAR1 and no more", "export it again")],
)
def test_a_file_that_is_none_is_named(tmp_path, content, problem):
    if content is not None:
        (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(BillingError, match=problem):
        read([tmp_path / "b.csv"])


def test_no_file_and_no_day_are_told():
    with pytest.raises(BillingError, match="name one with --billing"):
        read([])


def test_synthetic_billing_is_the_same_each_time_and_says_what_it_is(tmp_path):
    stack = stacks.load(ROOT / "stacks" / "Pulumi.dev.yaml")
    made = [
        synthetic_billing.generate(stack, lambda *_: None, days=9, end=END, seed=3)
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(made[0], made[1])
    assert set(made[0]["ChargeDescription"]) == {"synthetic, seed 3"}
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for table, file in zip(made, files, strict=True):
        synthetic_billing.write(table, file)
    assert files[0].read_bytes() == files[1].read_bytes()
