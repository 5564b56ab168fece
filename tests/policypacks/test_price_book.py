"""The price book: what it holds, what it refuses, and how it compares with published prices."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import date
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from pricing import awslist
from pricing.book import COLUMNS, PriceBook, PriceBookError, parse, zone_group

ROOT = Path(__file__).resolve().parents[2]
GPU_PRICES = ROOT.parent / "shared" / "data" / "gpu_prices.csv.gz"
HEADER = ",".join(COLUMNS)
GOOD = "machine,g6.xlarge,aws:us-east-1,hour,0.5,2026-11-01,our contract"
BOOK = PriceBook.load()


def test_it_prices_by_place_by_local_zone_group_and_by_cloud():
    assert BOOK.price("machine", "g6.xlarge", "aws:us-east-1") == 0.8048
    assert BOOK.price("machine", "g4dn.2xlarge", "aws:us-east-1-bos-1a") == 1.015
    assert BOOK.price("cluster", "eks", "aws:ap-south-1") == 0.10


def test_what_it_does_not_know_has_no_price():
    assert BOOK.price("machine", "g6.xlarge", "aws:us-east-1-bos-1a") is None
    assert BOOK.hourly("z9.mega", "aws:us-east-1") is None
    assert BOOK.price("machine", "g6.xlarge", "gcp:us-east-1") is None


def test_a_gpu_beside_an_n1_machine_is_added():
    alone = BOOK.hourly("n1-standard-4", "gcp:us-central1")
    with_gpu = BOOK.hourly("n1-standard-4", "gcp:us-central1", "nvidia-tesla-t4", 1)
    assert (alone, with_gpu) == (0.19, pytest.approx(0.54))
    # G2 machines come with their GPU.
    assert BOOK.hourly("g2-standard-4", "gcp:us-central1", "nvidia-l4", 1) == 0.7068
    # Without a spot price of the GPU there is none of the machine.
    assert BOOK.hourly("n1-standard-4", "gcp:europe-west4", "nvidia-tesla-t4", 1, spot=True) is None


def test_a_users_file_goes_on_top(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(f"{HEADER}\n{GOOD}\nmachine,z9.mega,aws:us-east-1,hour,9,2026-11-01,list\n")
    mine = PriceBook.load(file)
    assert mine.price("machine", "g6.xlarge", "aws:us-east-1") == 0.5
    assert mine.price("machine", "z9.mega", "aws:us-east-1") == 9
    assert mine.price("machine", "g5.xlarge", "aws:us-east-1") == 1.006
    assert mine.edition != BOOK.edition


def test_the_same_prices_have_the_same_edition():
    assert PriceBook.load().edition == BOOK.edition
    assert PriceBook.of(reversed(list(BOOK.rows.values()))).edition == BOOK.edition


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "my.csv:1: the columns are ''; make them service,"),
        ("service,usd\n", "my.csv:1: the columns are 'service,usd'; make them service,"),
        (f"{HEADER}\na,b\n", "my.csv:2: has 2 cells; give 7"),
        (
            f"{HEADER}\n{GOOD}\n{GOOD}\n",
            "my.csv:3: machine g6.xlarge at aws:us-east-1 stands there already; remove one",
        ),
        (
            f"{HEADER}\n{GOOD.replace('0.5', '0')}\n",
            "my.csv:2: usd: 0 is no price; leave out the row",
        ),
        (f"{HEADER}\n{GOOD.replace('0.5', '-1')}\n", "my.csv:2: usd: -1 is no price"),
        (f"{HEADER}\n{GOOD.replace('0.5', 'nan')}\n", "my.csv:2: usd: nan is no price"),
        (f"{HEADER}\n{GOOD.replace('0.5', 'inf')}\n", "my.csv:2: usd: inf is no price"),
        (
            f"{HEADER}\n{GOOD.replace('0.5', 'a lot')}\n",
            "my.csv:2: usd and as_of: could not convert",
        ),
        (
            f"{HEADER}\n{GOOD.replace('2026-11-01', 'May')}\n",
            "my.csv:2: usd and as_of: Invalid isoformat",
        ),
        (
            f"{HEADER}\n{GOOD.replace('hour', 'fortnight')}\n",
            "my.csv:2: unit: 'fortnight' is none of hour,",
        ),
        (
            f"{HEADER}\n{GOOD.replace('aws:us-east-1', 'us-east-1')}\n",
            "my.csv:2: location: 'us-east-1' is not like",
        ),
        (
            f"{HEADER}\n{GOOD.replace('our contract', ' ')}\n",
            "my.csv:2: service, item and source must not be empty",
        ),
        (f'{HEADER}\n"machine,g6\n', "my.csv:2: not CSV"),
    ],
)
def test_a_price_file_is_refused_with_line_problem_and_remedy(text, problem):
    with pytest.raises(PriceBookError) as refused:
        parse(text, "my.csv")
    assert str(refused.value).startswith(problem)
    assert "\n" not in str(refused.value)


def test_every_problem_of_a_file_is_told_at_once():
    with pytest.raises(PriceBookError) as refused:
        parse(f"{HEADER}\na,b\n{GOOD.replace('0.5', '0')}\n", "my.csv")
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["2", "3"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PriceBookError, match=r"gone\.csv: cannot be read .*; give a UTF-8 CSV"):
        PriceBook.load(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("location", "group"),
    [
        ("aws:us-east-1-bos-1a", "aws:us-east-1-bos-1"),
        ("aws:us-east-1", "aws:us-east-1"),
        ("gcp:europe-west4", "gcp:europe-west4"),
    ],
)
def test_local_zones_are_priced_by_their_group(location, group):
    assert zone_group(location) == group


def test_gpu_machines_agree_with_prices_published_elsewhere():
    if not GPU_PRICES.is_file():
        pytest.skip(f"{GPU_PRICES.name} is not beside this checkout")
    with gzip.open(GPU_PRICES, "rt") as file:
        listed = {
            (row["cloud"], row["instance_type"], row["location"]): row
            for row in csv.DictReader(file)
        }
    compared = 0
    for (service, item, location), row in BOOK.rows.items():
        theirs = listed.get((*location.split(":")[:1], item, location.split(":")[1]))
        column = {"machine": "on_demand_usd_h", "machine-spot": "spot_usd_h"}.get(service)
        if theirs is None or column is None or not theirs[column]:
            continue
        compared += 1
        assert row.usd == pytest.approx(float(theirs[column]), rel=0.005), (service, item, location)
    assert compared > 90


def test_spot_is_never_dearer_than_on_demand():
    for (service, item, location), row in BOOK.rows.items():
        if service == "machine-spot":
            assert row.usd < BOOK.rows["machine", item, location].usd, (item, location)


def product(usd: str, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"T": {"priceDimensions": {"D": dimension}}}}
    return json.dumps({"publicationDate": "2026-11-20T00:00:00Z", "terms": terms})


@pytest.fixture
def price_list():
    client = boto3.client(
        "pricing", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield client, stub


def test_prices_come_from_the_aws_price_list(price_list, tmp_path):
    client, stub = price_list
    stub.add_response("get_products", {"PriceList": [product("0.0")], "NextToken": "more"})
    stub.add_response("get_products", {"PriceList": [product("0.9")]})
    stub.add_response("get_products", {"PriceList": []})
    found = list(awslist.rows(client, ["g6.xlarge", "z9.mega"], ["aws:eu-west-1"]))
    assert [(row.item, row.location, row.usd, row.as_of) for row in found] == [
        ("g6.xlarge", "aws:eu-west-1", 0.9, date(2026, 11, 20))
    ]
    awslist.write(tmp_path / "aws.csv", found)
    assert (
        PriceBook.load(tmp_path / "aws.csv").price("machine", "g6.xlarge", "aws:eu-west-1") == 0.9
    )


def test_an_ambiguous_answer_of_the_price_list_is_refused(price_list):
    client, stub = price_list
    stub.add_response("get_products", {"PriceList": [product("0.9"), product("0.8")]})
    with pytest.raises(PriceBookError, match=r"several prices \(0\.8, 0\.9\); type the right one"):
        list(awslist.rows(client, ["g6.xlarge"], ["aws:eu-west-1"]))


def test_the_price_list_command_says_how_it_is_used():
    with pytest.raises(PriceBookError, match="usage: awslist FILE LOCATION"):
        awslist.main(["prices.csv", "us-east-1"])
