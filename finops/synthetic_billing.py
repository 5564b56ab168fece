"""A seeded FOCUS export to try things with: plausible for a stack, and labelled as synthetic."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from finops.billing import CURRENCY
from stacks.records import App, Stack

SHARED_SHARE, UNTAGGED_SHARE, NETWORK_SHARE = 0.06, 0.02, 0.07
"""Of the apps' compute: the shared clusters, what nobody tagged, traffic out."""
GROWTH_A_DAY = (-0.0005, 0.0025)
USD_WITHOUT_PRICE = 40.0
"""A day's compute of a service whose machine the price book does not know."""
SPIKE_DAYS_AGO, SPIKE = 6, 1.6
OUTGROWN, OUTGROWN_DAYS = 1.5, 60
"""The app with the spike has also grown to so much, over so many days: its budget is in doubt."""
PROVIDERS = {
    "aws": ("AWS", "Amazon Elastic Compute Cloud", "AWS Lambda", "AWS Data Transfer"),
    "gcp": ("Google Cloud", "Compute Engine", "Cloud Run", "Networking"),
}


def generate(
    stack: Stack,
    unit_usd: Callable[[str, str], float | None],
    *,
    days: int,
    end: datetime,
    seed: int,
) -> pd.DataFrame:
    """FOCUS rows of the `days` before `end`, from the stack's capacity and its prices an hour.

    One app has a day at over half as much again, which the anomaly detector should find.
    """
    until = pd.Timestamp(end).tz_convert("UTC").floor("D")
    calendar = pd.date_range(end=until, periods=days + 1, freq="D")[:-1]
    spiked = min(stack.apps, key=lambda name: zlib.crc32(f"{seed}:{name}".encode()))
    parts: list[pd.DataFrame] = []
    for name, place in stack.services():
        app = stack.apps[name]
        random = np.random.default_rng([seed, zlib.crc32(f"{name}@{place}".encode())])
        usd = _daily_usd(stack, name, place, unit_usd) * _shape(calendar, random)
        if name == spiked and days > SPIKE_DAYS_AGO:
            usd *= np.interp(np.arange(-days, 0), [-OUTGROWN_DAYS, 0], [1.0, OUTGROWN])
            usd[-SPIKE_DAYS_AGO] *= SPIKE
        tags = {"app": name, "owner": app.owner, "cost_center": app.cost_center}
        service, network = _services(app, place)
        parts.append(_rows(calendar, usd, service, place, tags))
        parts.append(_rows(calendar, NETWORK_SHARE * usd, network, place, tags))
        shared = {
            "app": "shared",
            "owner": stack.portfolio.owner,
            "cost_center": stack.portfolio.cost_center,
        }
        level = np.full(days, usd.mean())
        parts.append(
            _rows(calendar, SHARED_SHARE * level, "Kubernetes control plane", place, shared)
        )
        parts.append(_rows(calendar, UNTAGGED_SHARE * usd, "Object storage", place, {}))
    table = pd.concat(parts, ignore_index=True)
    table["ChargeDescription"] = f"synthetic, seed {seed}"
    table["x_Synthetic"] = True
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    """Parquet, or CSV by the suffix; tags are a map, or JSON."""
    import json

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        tags = pa.array(
            [list(row.items()) for row in table["Tags"]], pa.map_(pa.string(), pa.string())
        )
        rest = pa.Table.from_pandas(table.drop(columns="Tags"), preserve_index=False)
        pq.write_table(rest.append_column("Tags", tags), path)
        return
    text = table.assign(Tags=[json.dumps(row) for row in table["Tags"]])
    text.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")


def _daily_usd(
    stack: Stack, app: str, place: str, unit_usd: Callable[[str, str], float | None]
) -> float:
    capacity = stack.capacity.get(app, {}).get(place)
    price = unit_usd(app, place)
    if price is None or capacity is None or not capacity.expected_replicas:
        return USD_WITHOUT_PRICE
    return 24 * price * capacity.expected_replicas


def _shape(calendar: pd.DatetimeIndex, random: np.random.Generator) -> np.ndarray:
    """Weekdays, growth and noise around one."""
    weekend = random.uniform(0.75, 1.1)
    growth = (1 + random.uniform(*GROWTH_A_DAY)) ** np.arange(-len(calendar), 0)
    walk = np.exp(np.cumsum(random.normal(0, 0.008, len(calendar))))
    noise = np.exp(random.normal(0, 0.02, len(calendar)))
    return np.asarray(np.where(calendar.day_of_week >= 5, weekend, 1.0) * growth * walk * noise)


def _services(app: App, place: str) -> tuple[str, str]:
    _, machines, functions, network = PROVIDERS[place.partition(":")[0]]
    return (machines if app.serving.target == "gpu" else functions), network


def _rows(
    calendar: pd.DatetimeIndex, usd: np.ndarray, service: str, place: str, tags: dict[str, str]
) -> pd.DataFrame:
    cloud, region = place.split(":")
    cost = np.round(usd, 6)
    return pd.DataFrame(
        {
            "BilledCost": cost, "EffectiveCost": cost, "ListCost": cost, "ContractedCost": cost,
            "BillingCurrency": CURRENCY, "ChargeCategory": "Usage",
            "ChargePeriodStart": calendar, "ChargePeriodEnd": calendar + pd.Timedelta(days=1),
            "ProviderName": PROVIDERS[cloud][0], "ServiceName": service, "RegionId": region,
            "Tags": [tags] * len(calendar),
        }
    )  # fmt: skip
