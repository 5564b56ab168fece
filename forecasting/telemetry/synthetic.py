"""Seeded demand to try the loop with: plausible for a stack, and labelled as synthetic."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from stacks.records import Capacity, Stack, parent_region

STEP_MINUTES = 10
STEPS_A_DAY = 144


@dataclass(frozen=True)
class Character:
    """How people use an app over a day and a week, in their own time."""

    peaks: tuple[tuple[float, float, float], ...]
    """(hour, width in hours, height) of each busy time of a weekday."""
    night: float
    """Demand at night, as a share of the peak."""
    weekend: float
    """Weekend demand as a share of a weekday's."""
    noise: float
    """Relative standard deviation from step to step."""
    bursts_a_week: float
    notified: tuple[float, float] = (12.0, 0.3)
    """(local hour, height) of the daily push notification: many open the app at once."""


CHARACTERS = {
    "camera": Character(((8.0, 1.8, 0.7), (18.5, 2.6, 1.0)), 0.32, 1.15, 0.04, 1.0, (18.0, 0.5)),
    "photos": Character(((20.5, 2.8, 1.0), (12.5, 2.0, 0.5)), 0.30, 1.35, 0.05, 1.5, (20.0, 0.6)),
    "voice": Character(((8.0, 1.5, 1.0), (17.5, 2.0, 0.9)), 0.28, 0.70, 0.04, 0.5, (7.5, 0.35)),
    "translate": Character(((11.0, 3.0, 0.9), (19.0, 2.5, 1.0)), 0.35, 1.20, 0.05, 1.0, (9.0, 0.3)),
    "assistant": Character(
        ((10.5, 2.2, 1.0), (15.0, 2.2, 0.95)), 0.25, 0.45, 0.05, 0.5, (9.0, 0.4)
    ),
    "health": Character(((9.5, 2.5, 1.0), (20.0, 2.0, 0.7)), 0.30, 0.80, 0.04, 0.3, (8.0, 0.6)),
    "moderation": Character(
        ((13.0, 4.0, 0.7), (21.0, 3.0, 1.0)), 0.40, 1.10, 0.06, 2.0, (18.5, 0.5)
    ),
    "search": Character(((12.5, 3.5, 0.9), (19.5, 2.5, 1.0)), 0.35, 0.95, 0.04, 1.0, (12.0, 0.35)),
}
ZONES = {
    "us-east": "America/New_York",
    "us-central": "America/Chicago",
    "us-west": "America/Los_Angeles",
    "eu-west": "Europe/Dublin",
    "eu-central": "Europe/Berlin",
    "eu-north": "Europe/Stockholm",
    "europe-west": "Europe/Amsterdam",
    "europe-north": "Europe/Helsinki",
    "asia-northeast": "Asia/Tokyo",
    "ap-northeast": "Asia/Tokyo",
    "ap-southeast": "Asia/Singapore",
    "asia-southeast": "Asia/Singapore",
    "ap-south": "Asia/Kolkata",
    "asia-south": "Asia/Kolkata",
    "sa-east": "America/Sao_Paulo",
}

PEAK_OF_FLOOR = 0.95
"""Busiest normal time as a share of what the standing floor serves: it was set by hand, amply."""
PEAK_OF_CEILING_WHERE_SMALL = 1.45
"""The one service that was sized too small meets more than its ceiling serves."""
REPLICAS_WITHOUT_CAPACITY = 4
GROWTH_A_WEEK = (-0.01, 0.03)


def generate(stack: Stack, *, days: int, end: datetime, seed: int) -> pd.DataFrame:
    """Demand of every service for the `days` before `end`, a row each 10 minutes.

    Returns the long table `time` (UTC), `app`, `location`, `rps`. Each service has a generator of
    its own, so that adding one changes no other. One app has a launch, one service an outage of its
    telemetry (rows are missing), and one has outgrown its ceiling.
    """
    until = pd.Timestamp(end).tz_convert("UTC").floor(f"{STEP_MINUTES}min")
    times = pd.date_range(end=until, periods=days * STEPS_A_DAY + 1, freq=f"{STEP_MINUTES}min")[:-1]
    services = stack.services()
    small = _pick(services, seed, "small", gpu_only=stack)
    launched, dark = _pick(services, seed, "launch"), _pick(services, seed, "outage")
    parts = []
    for app, location in services:
        random = np.random.default_rng([seed, zlib.crc32(f"{app}@{location}".encode())])
        character = CHARACTERS.get(app) or _made_up(app)
        shape = _shape(character, location, times) * _growth(times, random)
        shape *= _notified(character, location, times)
        shape *= _noise(character, len(times), random) * _bursts(character, len(times), random)
        if (app, location) == launched and days >= 14:
            shape *= _launch(len(times), at=len(times) - 9 * STEPS_A_DAY)
        peak = _peak_rps(stack, app, location, outgrown=(app, location) == small)
        rows = pd.DataFrame({"time": times, "app": app, "location": location})
        rows["rps"] = np.round(peak * shape / np.quantile(shape, 0.995), 3)
        if (app, location) == dark and days >= 3:
            first = len(times) - 2 * STEPS_A_DAY - 31
            rows = rows.drop(index=range(first, first + 15))
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    table.attrs = {"seed": seed}
    return table


def write(frame: pd.DataFrame, path: Path, what: str = "demand") -> None:
    """CSV (gzipped if the name says so) or Parquet, marked as synthetic; equal bytes each time."""
    mark = f"synthetic {what}, seed {frame.attrs['seed']}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(frame, preserve_index=False)
        marked = {**(arrow.schema.metadata or {}), b"synthetic": mark.encode()}
        pq.write_table(arrow.replace_schema_metadata(marked), path)
        return
    stamps = frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    table = stamps.to_csv(index=False, lineterminator="\n")
    content = f"# {mark}\n{table}".encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _pick(
    services: tuple[tuple[str, str], ...], seed: int, what: str, gpu_only: Stack | None = None
) -> tuple[str, str] | None:
    """The service of a role: the one with the lowest hash, so that it stays while others come."""
    candidates = [
        service
        for service in services
        if gpu_only is None or gpu_only.apps[service[0]].serving.target == "gpu"
    ]
    return min(
        candidates,
        key=lambda service: zlib.crc32(f"{what}:{seed}:{'@'.join(service)}".encode()),
        default=None,
    )


def _made_up(app: str) -> Character:
    """An app that is not in the table gets habits of its own, always the same."""
    random = np.random.default_rng(zlib.crc32(app.encode()))
    peaks = (
        (random.uniform(7, 13), random.uniform(1.5, 3), random.uniform(0.5, 1)),
        (random.uniform(15, 21), random.uniform(1.5, 3), 1.0),
    )
    return Character(peaks, random.uniform(0.1, 0.3), random.uniform(0.5, 1.3), 0.05, 1.0)


def _shape(character: Character, location: str, times: pd.DatetimeIndex) -> np.ndarray:
    hour, weekday = _local(location, times)
    day = np.zeros(len(times))
    for at, width, height in character.peaks:
        distance = np.abs((hour - at + 12) % 24 - 12)
        day = np.maximum(day, height * np.exp(-0.5 * (distance / width) ** 2))
    day = character.night + (1 - character.night) * day
    return day * np.where(weekday >= 5, character.weekend, 1.0)


def _local(location: str, times: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """Hour of the day and day of the week where the users of a location are."""
    place = parent_region(location).split(":")[1]
    zone = next((zone for start, zone in ZONES.items() if place.startswith(start)), "UTC")
    local = times.tz_convert(zone)
    return (local.hour + local.minute / 60).to_numpy(), local.day_of_week.to_numpy()


def _notified(character: Character, location: str, times: pd.DatetimeIndex) -> np.ndarray:
    """Up within ten minutes of the notification, down over about half an hour."""
    at, height = character.notified
    since = (_local(location, times)[0] - at) % 24
    return 1 + height * np.where(since < 2, np.exp(-since / 0.4), 0.0)


def _growth(times: pd.DatetimeIndex, random: np.random.Generator) -> np.ndarray:
    weeks = np.arange(len(times)) / (7 * STEPS_A_DAY)
    level = (1 + random.uniform(*GROWTH_A_WEEK)) ** weeks
    days = np.repeat(random.normal(0, 0.03, len(times) // STEPS_A_DAY + 1), STEPS_A_DAY)
    return level * np.exp(days[: len(times)])


def _noise(character: Character, count: int, random: np.random.Generator) -> np.ndarray:
    return np.exp(random.normal(0, character.noise, count))


def _bursts(character: Character, count: int, random: np.random.Generator) -> np.ndarray:
    """Short bursts: up in ten minutes, down over about an hour."""
    factor = np.ones(count)
    for start in np.flatnonzero(random.random(count) < character.bursts_a_week / (7 * STEPS_A_DAY)):
        height = random.uniform(0.2, 0.8)
        tail = np.arange(min(24, count - int(start)))
        factor[start : start + len(tail)] += height * np.exp(-tail / 5)
    return factor


def _launch(count: int, at: int) -> np.ndarray:
    """A release: half as much again from one hour to the next, settling at a sixth more."""
    since = np.arange(count) - at
    return np.where(since < 0, 1.0, 1.17 + 0.35 * np.exp(-np.maximum(since, 0) / STEPS_A_DAY))


def _peak_rps(stack: Stack, app: str, location: str, *, outgrown: bool) -> float:
    rps_per_replica = stack.apps[app].serving.rps_per_replica
    stands: Capacity | None = stack.capacity.get(app, {}).get(location)
    if stands is None:
        return REPLICAS_WITHOUT_CAPACITY * rps_per_replica
    if outgrown:
        return PEAK_OF_CEILING_WHERE_SMALL * stands.ceiling * rps_per_replica
    return PEAK_OF_FLOOR * max(stands.floor.peak, 1) * rps_per_replica
