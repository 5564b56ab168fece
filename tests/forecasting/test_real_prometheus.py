"""Demand from a real Prometheus: counters backfilled, rated by PromQL, read in ranges."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting import telemetry
from stacks.records import Source

pytestmark = pytest.mark.slow
SCRAPE_SECONDS = 60
DAYS = 3
QUERY = "sum by (app, location) (rate(inference_requests_total[5m]))"
DARK_HOURS = range(30, 34)
"""Hours from the start in which nothing was scraped."""


def rps(app, seconds):
    size = {"camera": 40.0, "voice": 10.0}[app]
    return size * (1 + 0.5 * np.sin(2 * np.pi * seconds / 86400))


def openmetrics(start):
    """Two pods an app, each with half the requests; the second starts again from zero half-way."""
    seconds = np.arange(0, DAYS * 86400, SCRAPE_SECONDS)
    lines = ["# TYPE inference_requests counter"]
    for app in ("camera", "voice"):
        total = np.cumsum(rps(app, seconds) * SCRAPE_SECONDS) / 2
        for pod in ("a", "b"):
            shown = np.where(seconds > 100_000, total - total[1666], total) if pod == "b" else total
            labels = f'app="{app}",location="aws:us-east-1",pod="{pod}"'
            lines += [
                f"inference_requests_total{{{labels}}} {value:.3f} {start + int(second)}"
                for second, value in zip(seconds, shown, strict=True)
                if int(second) // 3600 not in DARK_HOURS
            ]
    return "\n".join([*lines, "# EOF"]) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """(address, start of the data) of a server with three days of two apps."""
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"REAL PROMETHEUS NOT TESTED: no {' and '.join(missing)}; `make test` as root gets it"
        )
    folder = tmp_path_factory.mktemp("prometheus")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now - timedelta(days=DAYS, hours=1)
    (folder / "metrics").write_text(openmetrics(int(start.timestamp())))
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
    blocks = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics", "data")
    subprocess.run(blocks, cwd=folder, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address={address}",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        wait_ready(f"http://{address}/-/ready")
        yield f"http://{address}", start
    finally:
        server.terminate()
        server.wait(10)


def wait_ready(address):
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def test_counters_become_requests_a_second_and_a_dark_time_stays_missing(prometheus, tmp_path):
    address, start = prometheus
    end = start + timedelta(days=DAYS)
    demand = telemetry.read(
        Source(url=address, query=QUERY), window_days=DAYS, at=end, root=tmp_path
    )
    apps: list[object] = [("camera", "aws:us-east-1"), ("voice", "aws:us-east-1")]
    assert demand.fine.columns.to_list() == apps
    seconds = (demand.fine.index - start).total_seconds().to_numpy()
    hours = seconds // 3600
    for app in ("camera", "voice"):
        read = demand.fine[app, "aws:us-east-1"].to_numpy()
        # A rate looks back over five minutes, and guesses where half of them are dark.
        dark, after = np.isin(hours, DARK_HOURS), np.isin((seconds - 600) // 3600, DARK_HOURS)
        assert np.isnan(read[dark & after]).all()
        lit = ~dark & ~after & (seconds > 600)
        assert np.allclose(read[lit], rps(app, seconds[lit]), rtol=0.03)
    assert any("gap" in str(finding) for finding in demand.findings)


def test_a_query_that_prometheus_refuses_is_told_in_its_own_words(prometheus, tmp_path):
    address, start = prometheus
    source = Source(url=address, query="sum by (app (rate(x[5m]))")
    with pytest.raises(telemetry.TelemetryError, match="parse error") as error:
        telemetry.read(source, window_days=1, at=start + timedelta(days=2), root=tmp_path)
    assert len(str(error.value).splitlines()) == 1
