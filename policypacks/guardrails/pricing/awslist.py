"""Prices of machines from the AWS Price List API, as a file to put on top of the book.

    python -m policypacks.guardrails.pricing.awslist my-prices.csv aws:us-east-1 aws:eu-west-1

Asks for the machines that the book knows; needs credentials that may call `pricing:GetProducts`.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from .book import COLUMNS, LOCATION, ON_DEMAND, PriceBook, PriceBookError, Row

API_REGION = "us-east-1"
"""The API answers for all regions from here (AWS Price List Query API, "Endpoints")."""


def rows(client: Any, machines: Sequence[str], locations: Sequence[str]) -> Iterator[Row]:
    """On-demand Linux prices; a machine that a region does not sell gives no row.

    Raises PriceBookError where an answer is not as the API describes it.
    """
    for location in locations:
        for machine in machines:
            found = [offer for page in pages(client, machine, location) for offer in offers(page)]
            prices = {price for price, _ in found}
            if len(prices) > 1:
                told = ", ".join(f"{price:g}" for price in sorted(prices))
                raise PriceBookError(
                    f"AWS Price List: {machine} at {location}: several prices ({told}); "
                    "type the right one in yourself"
                )
            for price, day in found[:1]:
                source = "AWS Price List API"
                yield Row(ON_DEMAND, machine, location, "hour", price, day, source)


def pages(client: Any, machine: str, location: str) -> Iterator[dict[str, Any]]:
    """Products of one machine type in one region, each as the API's JSON says it."""
    wanted = {
        "instanceType": machine,
        "regionCode": location.split(":")[1],
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    filters = [
        {"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()
    ]
    token: dict[str, str] = {}
    while True:
        answer = client.get_products(ServiceCode="AmazonEC2", Filters=filters, **token)
        yield from (json.loads(product) for product in answer.get("PriceList", ()))
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def offers(product: dict[str, Any]) -> Iterator[tuple[float, date]]:
    """(USD an hour, day published) of each on-demand term above zero."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and usd > 0:
                yield usd, date.fromisoformat(product["publicationDate"][:10])


def write(file: Path, found: Sequence[Row]) -> None:
    """A price file that the book reads."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in found:
            writer.writerow([getattr(row, column) for column in COLUMNS])


def main(arguments: Sequence[str]) -> str:
    """Write the file; returns what to tell the user. Raises PriceBookError."""
    if len(arguments) < 2 or not all(re.fullmatch(LOCATION, place) for place in arguments[1:]):
        raise PriceBookError("usage: awslist FILE LOCATION ...; a location is like aws:us-east-1")
    import boto3

    machines = sorted({item for service, item, _ in PriceBook.load().rows if service == ON_DEMAND})
    sold = [machine for machine in machines if "." in machine]
    found = list(rows(boto3.client("pricing", region_name=API_REGION), sold, arguments[1:]))
    write(Path(arguments[0]), found)
    return f"{len(found)} prices of {len(sold)} machines written to {arguments[0]}"


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except PriceBookError as problem:
        sys.exit(str(problem))
