"""What binds any evidence to the version that it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stacks import ModelVersion


@dataclass(frozen=True)
class Window:
    """The days that data may be of, both included, UTC."""

    start: date
    end: date


def head(
    kind: str,
    model: ModelVersion,
    window: Window,
    population: str,
    created: date,
    valid_days: int,
) -> dict[str, Any]:
    """The keys that every evidence file starts with.

    Args:
        kind: such as fairness.
        model: the version that was measured.
        window: the days that its data is of.
        population: whom the data stands for, in words.
        created: the day of the evidence.
        valid_days: after which it expires.
    """
    return {
        "schema": f"fairweather/{kind}/1",
        "model": model.name,
        "version": model.version,
        "digest": model.digest,
        "tool": f"fairweather evidence {MADE_BY.get(kind, kind)} 1",
        "population": population,
        "window": {"from": window.start.isoformat(), "to": window.end.isoformat()},
        "created": created.isoformat(),
        "expires": (created + timedelta(days=valid_days)).isoformat(),
    }


MADE_BY = {"explanation": "explain"}
"""The command's name where it is not the kind."""
