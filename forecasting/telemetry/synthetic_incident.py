"""A planted incident to try the detectors with, and the errors of a stack; labelled as synthetic."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from stacks.records import Stack

LASTS = pd.Timedelta(hours=3)
RETRIES = 3.0
"""Failing clients ask again: what the load of the service becomes, in multiples."""
FAILING = 0.25
USUAL_ERRORS = (1.5, 0.002)
"""Shape and scale of a gamma distribution: a few requests in a thousand fail."""


def with_incident(stack: Stack, demand: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Demand in which one service fails over its last three hours, and the errors of all services.

    A quarter of its requests fail and are tried again, so that load and, in the serving telemetry made
    from it, latency rise with the errors. The same service for the same seed.

    Args:
        stack: whose services they are.
        demand: of `synthetic.generate`.

    Returns:
        The demand, with the service in `attrs["incident"]`, and the table `time, app, location, errors`.
    """
    seed = demand.attrs["seed"]
    app, location = min(
        stack.services(), key=lambda service: zlib.crc32(f"incident:{seed}:{service}".encode())
    )
    failing = (
        (demand["app"] == app)
        & (demand["location"] == location)
        & (demand["time"] > demand["time"].max() - LASTS)
    )
    random = np.random.default_rng([seed, zlib.crc32(b"errors")])
    share = random.gamma(*USUAL_ERRORS, len(demand)) + FAILING * failing
    errors = demand[["time", "app", "location"]].assign(errors=np.minimum(share, 1).round(5))
    changed = demand.assign(rps=demand["rps"].where(~failing, (RETRIES * demand["rps"]).round(3)))
    changed.attrs = errors.attrs = {"seed": seed, "incident": (app, location)}
    return changed, errors
