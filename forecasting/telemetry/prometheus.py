"""Prometheus range queries, over the standard library.

API: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from forecasting.telemetry.demand import Finding, TelemetryError
from forecasting.telemetry.tables import DEMAND, LongTable

STEP = timedelta(minutes=10)
MAX_POINTS = 10_000
"""Prometheus refuses more than 11,000 points a series in one answer."""
WAITS_SECONDS = (0.5, 1.0, 2.0)
"""Pauses before each further attempt."""
TIMEOUT_SECONDS = 30
TOKEN_VARIABLE = "FAIRWEATHER_PROMETHEUS_TOKEN"  # noqa: S105 - the variable's name, no token


def read_range(
    url: str, query: str, start: datetime, end: datetime, key: str = DEMAND.key
) -> LongTable:
    """The query at every 10 minutes from `start` to before `end` (UTC).

    A bearer token is sent if FAIRWEATHER_PROMETHEUS_TOKEN is set. `key` of the stack file names
    the source in errors; the values are in the column `rps`.

    Raises:
        TelemetryError: no answer after four attempts, an error from Prometheus, or series without
            the labels `app` and `location`.
    """
    rows: list[pd.DataFrame] = []
    warnings: dict[str, None] = {}
    first = start
    while first < end:
        last = min(first + (MAX_POINTS - 1) * STEP, end - STEP)
        answer = _get(url, query, first, last, key)
        warnings |= dict.fromkeys(answer.get("warnings", ()))
        rows += _rows(answer, url)
        first = last + STEP
    if not rows:
        problem = "the query has no series in the window; try it in Prometheus' own page"
        raise TelemetryError(f"{url}: {problem}")
    findings = tuple(Finding("warning", f"{url}: {text}") for text in warnings)
    return LongTable(pd.concat(rows, ignore_index=True), synthetic=False, findings=findings)


def _get(url: str, query: str, first: datetime, last: datetime, key: str) -> dict[str, Any]:
    parameters = {
        "query": query,
        "start": f"{first.timestamp():.0f}",
        "end": f"{last.timestamp():.0f}",
        "step": f"{STEP.total_seconds():.0f}",
    }
    address = f"{url.rstrip('/')}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
    request = urllib.request.Request(address)
    if token := os.environ.get(TOKEN_VARIABLE):
        request.add_header("Authorization", f"Bearer {token}")
    problem = ""
    for wait in (*WAITS_SECONDS, None):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return _data(response.read(), url)
        except urllib.error.HTTPError as error:
            with error:
                problem = f"answered {error.code}: {_reason(error.read()) or error.reason}"
            if error.code not in {429, 500, 502, 503, 504}:
                raise TelemetryError(f"{url}: {problem}; check url and query") from None
        except (OSError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            problem = f"cannot be reached: {getattr(reason, 'strerror', None) or reason}"
        if wait is not None:
            time.sleep(wait)
    attempts = len(WAITS_SECONDS) + 1
    remedy = f"check {key}.url and the network"
    raise TelemetryError(f"{url}: {problem} ({attempts} attempts); {remedy}")


def _reason(body: bytes) -> str:
    """Prometheus' own words for an error, on one line; '' where it is another server's page."""
    try:
        return " ".join(str(json.loads(body)["error"]).split())
    except (ValueError, KeyError, TypeError):
        return ""


def _data(body: bytes, url: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
        kind = answer["data"]["resultType"]
    except (ValueError, KeyError, TypeError):
        raise TelemetryError(f"{url}: does not answer as Prometheus does; check the url") from None
    if kind != "matrix":
        raise TelemetryError(f"{url}: the query gives a {kind}, not a range; check the query")
    return {**answer["data"], "warnings": answer.get("warnings", ())}


def _rows(answer: dict[str, Any], url: str) -> list[pd.DataFrame]:
    rows, seen = [], set()
    for series in answer["result"]:
        labels = series["metric"]
        service = labels.get("app"), labels.get("location")
        if None in service:
            has = ", ".join(sorted(labels)) or "none"
            problem = f"a series lacks the labels app and location (it has: {has})"
            raise TelemetryError(f"{url}: {problem}; end the query in `sum by (app, location)`")
        if service in seen:
            problem = f"two series for {service[0]} at {service[1]}"
            raise TelemetryError(f"{url}: {problem}; end the query in `sum by (app, location)`")
        seen.add(service)
        times, values = zip(*series["values"], strict=True)
        frame = pd.DataFrame({"time": pd.to_datetime(pd.Series(times), unit="s", utc=True)})
        frame["app"], frame["location"] = service
        frame["rps"] = [float(value) for value in values]
        rows.append(frame)
    return rows
