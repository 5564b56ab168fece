"""What one replica costs an hour, by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import stacks
from finops import unit_price
from policypacks.guardrails.pricing.book import PriceBook, Row
from stacks.records import Requests

ROOT = Path(__file__).resolve().parents[2]
BOOK = PriceBook.load()
PROD = stacks.load(ROOT / "stacks" / "Pulumi.prod.yaml")


def app(name: str, **serving: Any) -> stacks.App:
    found = PROD.apps[name]
    return found.model_copy(update={"serving": found.serving.model_copy(update=serving)})


@pytest.mark.parametrize(
    ("name", "location", "serving", "usd"),
    [
        ("camera", "aws:us-east-1", {}, 0.8048),
        ("camera", "gcp:europe-west4", {}, 0.7429),
        ("camera", "aws:us-east-1", {"gpus_per_replica": 2}, 4.6016 / 2),
        ("camera", "aws:us-east-1", {"gpu": "a100"}, 21.958 / 8),
        # N1 machines and their T4 are priced apart.
        ("camera", "gcp:europe-west4", {"gpu": "t4"}, 0.2092 + 0.35),
        ("moderation", "aws:us-east-1", {}, 2 * 0.0000041667 * 3600),
        ("search", "gcp:europe-west4", {}, (2 * 0.0000025 + 4 * 0.0000025) * 3600),
        ("camera", "aws:ap-south-2", {}, None),
        ("moderation", "aws:ap-south-2", {}, None),
        ("search", "gcp:asia-south2", {}, None),
    ],
)  # fmt: skip
def test_a_replica_costs_its_share_of_the_machine_or_its_warm_memory(
    name: str, location: str, serving: dict[str, Any], usd: float | None
) -> None:
    found = unit_price.replica_hour_usd(app(name, **serving), location, BOOK)
    assert found == (None if usd is None else pytest.approx(usd))


def test_memory_that_was_measured_is_what_is_paid_for() -> None:
    requests = Requests(cpu=1, memory_gib=1, memory_limit_gib=1.5)
    granted = PROD.capacity["moderation"]["aws:us-east-1"].model_copy(update={"requests": requests})
    stack = PROD.model_copy(update={"capacity": {"moderation": {"aws:us-east-1": granted}}})
    price = unit_price.unit_prices(stack, BOOK)
    assert price("moderation", "aws:us-east-1") == pytest.approx(1.5 * 0.0000041667 * 3600)


def test_prices_are_asked_by_app_and_location() -> None:
    price = unit_price.unit_prices(PROD, BOOK)
    assert price("voice", "aws:us-east-1") == 0.8048


def test_a_users_prices_change_the_plan() -> None:
    row = Row("machine", "g6.xlarge", "aws:us-east-1", "hour", 0.5, date(2026, 11, 1), "contract")
    mine = PriceBook.of([*BOOK.rows.values(), row])
    assert unit_price.unit_prices(PROD, mine)("camera", "aws:us-east-1") == 0.5
