"""Demand is read from files and from Prometheus, and everything odd about it is named."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.parse
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.telemetry import TelemetryError, prometheus, read
from forecasting.telemetry.demand import Demand
from stacks.records import Source

START = datetime(2026, 3, 2, tzinfo=UTC)


def table(days: float = 4, step: str = "10min", app: str = "camera") -> pd.DataFrame:
    times = pd.date_range(
        START, periods=int(pd.Timedelta(days=days) / pd.Timedelta(step)), freq=step
    )
    rps = 20 + 10 * np.sin(2 * np.pi * times.hour / 24) + 0.01 * (np.arange(len(times)) % 7)
    return pd.DataFrame({"time": times, "app": app, "location": "aws:us-east-1", "rps": rps})


def csv(frame: pd.DataFrame) -> str:
    return frame.assign(time=frame["time"].map(lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}")).to_csv(
        index=False
    )


def read_text(tmp_path: Path, text: str, **options) -> Demand:
    (tmp_path / "demand.csv").write_text(text)
    return read("demand.csv", window_days=28, at=options.pop("at", None), root=tmp_path, **options)


def kinds(demand: Demand) -> set[str]:
    return {finding.kind for finding in demand.findings}


def test_hourly_demand_is_the_peak_of_its_finer_samples(tmp_path):
    frame = table()
    frame.loc[8, "rps"] = 77.0
    demand = read_text(tmp_path, csv(frame))
    assert demand.hourly["camera", "aws:us-east-1"].iloc[1] == 77.0
    assert demand.step_minutes == 10
    assert demand.start == START
    assert demand.end == START + timedelta(days=4)
    assert not demand.findings


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz", "d.parquet", "d.parquet.gz"])
def test_every_format_gives_the_same_content(tmp_path, name):
    frame, file = table(), tmp_path / name
    frame.to_parquet(tmp_path / "p")
    raw = (tmp_path / "p").read_bytes() if "parquet" in name else csv(frame).encode()
    file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    demand = read(Source(path=name), window_days=28, at=None, root=tmp_path)
    assert demand.sha256 == read_text(tmp_path, csv(frame)).sha256
    changed = csv(frame).replace("20.01", "20.02")
    assert demand.sha256 != read_text(tmp_path, changed).sha256


def test_an_incomplete_last_hour_is_left_out(tmp_path):
    demand = read_text(tmp_path, csv(table().iloc[:-2]))
    assert demand.end == START + timedelta(days=4, hours=-1)


def test_the_window_ends_where_it_is_asked_to(tmp_path):
    (tmp_path / "d.csv").write_text(csv(table()))
    demand = read("d.csv", window_days=1, at=START + timedelta(days=3, minutes=20), root=tmp_path)
    assert (demand.start, demand.end) == (START + timedelta(days=2), START + timedelta(days=3))


def changed(rows: slice | list[int], rps=None, **columns) -> pd.DataFrame:
    frame = table()
    for name, value in ({"rps": rps} if rps is not None else columns).items():
        frame.loc[frame.index[rows], name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "kind", "words"),
    [
        (pd.concat([table(), table().iloc[10:13]]).sort_values("time"),
         "duplicates", "3 times stand there more than once"),
        (table().drop(range(60, 90)), "gaps", "5 hours are missing, the longest of 5 h from"),
        (changed(slice(5, 8), rps=-1.0), "negative", "3 negative values, first 2026-03-02 00:50 UTC"),
        (changed([5], rps=np.inf), "infinite", "1 infinite values"),
        (table().iloc[::-1], "unordered", "rows go back in time"),
        (changed(slice(0, None, 10), time=table()["time"].iloc[::10] + pd.Timedelta("3min")),
         "irregular", "off the 10-minute step"),
        (changed(slice(288, None), rps=table()["rps"].iloc[288:] * 60), "units", "jumps x 6"),
        (table().assign(rps=np.arange(576.0) + 5), "units", "only ever rise"),
        (table().assign(rps=lambda f: (f["rps"] * 60).round()), "units", "counts?"),
        (changed(slice(280, None), rps=0.0), "idle", "no demand since 2026-03-03 22:00 UTC"),
    ],
)  # fmt: skip
def test_what_is_odd_is_named_with_its_place(tmp_path, frame, kind, words):
    demand = read_text(tmp_path, csv(frame))
    found = [finding for finding in demand.findings if finding.kind == kind]
    assert len(found) == 1
    assert words in str(found[0])
    assert kinds(demand) == {kind}
    assert not (demand.fine < 0).any(axis=None)


def test_healthy_telemetry_has_no_findings_even_if_it_wanders(tmp_path):
    random = np.random.default_rng(3)
    frame = table(days=10)
    frame["rps"] *= np.exp(np.cumsum(random.normal(0, 0.02, len(frame))))
    assert not read_text(tmp_path, csv(frame)).findings


def test_missing_is_never_zero(tmp_path):
    demand = read_text(tmp_path, csv(table().drop(range(60, 90))))
    values = demand.hourly["camera", "aws:us-east-1"]
    assert values.iloc[10:15].isna().all()
    assert values.drop(values.index[10:15]).notna().all()


def test_of_two_values_for_one_time_the_larger_counts(tmp_path):
    frame = table()
    demand = read_text(
        tmp_path, csv(pd.concat([frame, frame.iloc[[12]].assign(rps=99.0)]).sort_values("time"))
    )
    assert "1 with different values" in str(demand.findings[0])
    assert demand.fine.iloc[12, 0] == 99.0


def test_samples_from_the_future_are_dropped_and_reported(tmp_path):
    ahead = datetime.now(UTC) + timedelta(days=30)
    stamp = f"{ahead:%Y-%m-%dT%H:00:00Z}"
    demand = read_text(tmp_path, csv(table()) + f"{stamp},camera,aws:us-east-1,5\n")
    assert kinds(demand) == {"clock"}
    assert demand.end == START + timedelta(days=4)


@pytest.mark.parametrize(("suffix", "words"), [("", "no zone"), ("+02:00", "+02:00")])
def test_a_clock_that_is_not_utc_is_converted_and_reported(tmp_path, suffix, words):
    demand = read_text(tmp_path, csv(table()).replace("Z,", f"{suffix},"))
    assert words in str(demand.findings[0])
    assert demand.start == START - timedelta(hours=2 if suffix else 0)


def test_a_late_start_and_a_silent_end_are_named(tmp_path):
    late = table(app="late").iloc[288:]
    silent = table(app="silent").iloc[:288]
    demand = read_text(tmp_path, csv(pd.concat([table(), late, silent])))
    found = {(finding.app, finding.kind) for finding in demand.findings}
    assert found == {("late", "late start"), ("silent", "stale")}


def test_a_service_that_is_sampled_hourly_holds_its_value_between(tmp_path):
    hourly = table(step="1h", app="slow")
    demand = read_text(tmp_path, csv(pd.concat([table(), hourly])))
    assert not demand.findings
    assert demand.fine["slow", "aws:us-east-1"].notna().all()


@pytest.mark.parametrize(
    "head", ["# synthetic demand, seed 7\n", "# Exported\n# synthetic demand, seed 7\n"]
)
def test_synthetic_demand_is_known_as_such(tmp_path, head):
    assert read_text(tmp_path, head + csv(table())).synthetic
    assert not read_text(tmp_path, csv(table())).synthetic


def test_a_marker_column_labels_synthetic_demand(tmp_path):
    assert read_text(tmp_path, csv(table().assign(synthetic="true"))).synthetic


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "demand.csv: is empty"),
        ("time,app,rps\n2026-03-02T00:00:00Z,a,1\n", "demand.csv:1: column location is missing"),
        ("# c\ntime,app,location,rps\n2026-03-02T00:00:00Z,a,b,many\n", "demand.csv:3: rps 'many'"),
        ("time,app,location,rps\nyesterday,a,b,1\n", "demand.csv:2: time 'yesterday' is no time"),
        ("time,app,location,rps\n1772409600,a,b,1\n", "demand.csv:2: time '1772409600' is no time"),
        ("time,app,location,rps\n2026-03-02T00:00:00Z,,b,1\n", "demand.csv:2: app is empty"),
        ("time,app,location,rps\n", "demand.csv: has no rows"),
        ("time,app,location,rps\n2026-03-02T00:00:00Z,a,b,1\n", "one point in time"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_remedy(tmp_path, monkeypatch, text, line):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TelemetryError, match=r"; |needs the columns") as error:
        read_text(tmp_path, text)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_daily_samples_and_absent_files_are_refused(tmp_path):
    with pytest.raises(TelemetryError, match="samples come every 24 hours; export them hourly"):
        read_text(tmp_path, csv(table(days=9, step="1D")))
    with pytest.raises(TelemetryError, match="does not exist"):
        read("nothing.csv", window_days=28, at=None, root=tmp_path)
    (tmp_path / "torn.gz").write_bytes(gzip.compress(csv(table()).encode())[:-20])
    with pytest.raises(TelemetryError, match="broken gzip"):
        read("torn.gz", window_days=28, at=None, root=tmp_path)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(TelemetryError, match="broken Parquet"):
        read("torn.parquet", window_days=28, at=None, root=tmp_path)


class FakePrometheus(HTTPServer):
    """Answers range queries from a function; keeps what was asked."""

    def __init__(self, answer):
        self.asked: list[dict[str, str]] = []
        self.answer = answer
        self.failures: list[tuple[int, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakePrometheus

    def do_GET(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.server.asked.append({**asked, "authorization": self.headers.get("Authorization", "")})
        status, body = self.server.failures.pop(0) if self.server.failures else (200, None)
        if body is None:
            body = json.dumps(self.server.answer(asked)).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def series(asked, labels=None) -> dict:
    points = np.arange(float(asked["start"]), float(asked["end"]) + 1, float(asked["step"]))
    if len(points) > 11_000:
        return {"status": "error", "errorType": "bad_data", "error": "exceeded maximum resolution"}
    values = [[t, str(5 + (t // 600) % 7)] for t in points]
    metric = labels or {"app": "camera", "location": "aws:us-east-1"}
    return {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": metric, "values": values}]},
    }


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(prometheus, "WAITS_SECONDS", (0.0, 0.0))
    fake = FakePrometheus(series)
    thread = threading.Thread(target=fake.serve_forever, daemon=True)
    thread.start()
    yield fake
    fake.shutdown()
    fake.server_close()
    thread.join()


AT = START + timedelta(days=100)


def ask(server, days=7) -> Demand:
    source = Source(url=server.url, query="sum by (app, location) (rate(x[5m]))")
    return read(source, window_days=days, at=AT, root=Path())


def test_prometheus_gives_the_window_in_ten_minute_steps(server, monkeypatch):
    monkeypatch.setenv("FAIRWEATHER_PROMETHEUS_TOKEN", "open sesame")
    demand = ask(server)
    assert len(demand.fine) == 7 * 144
    assert demand.fine.notna().all(axis=None)
    assert (demand.start, demand.end) == (AT - timedelta(days=7), AT)
    assert server.asked[0]["query"] == "sum by (app, location) (rate(x[5m]))"
    assert server.asked[0]["authorization"] == "Bearer open sesame"


def test_a_long_window_is_asked_for_in_chunks_that_join_without_a_seam(server):
    demand = ask(server, days=90)
    assert len(server.asked) == 2
    assert len(demand.fine) == 90 * 144
    assert demand.fine.notna().all(axis=None)
    assert not demand.findings


def test_an_address_may_carry_its_query(server):
    demand = read(f"{server.url}?query=sum(up)", window_days=3, at=AT, root=Path())
    assert server.asked[0]["query"] == "sum(up)"
    assert len(demand.fine) == 3 * 144


def test_prometheus_is_asked_again_after_a_passing_failure(server):
    server.failures = [(503, b"starting"), (429, b"slow down")]
    assert len(ask(server).fine) == 7 * 144
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"status":"error","error":"parse error:\\n unexpected )"}', "400: parse error: unexpected )"),
        (404, b"<html>nothing here</html>", "answered 404: Not Found"),
        (200, b"<html>a login page</html>", "does not answer as Prometheus does"),
        (200, b'{"data":{"resultType":"scalar","result":[]}}', "gives a scalar"),
        (200, b'{"data":{"resultType":"matrix","result":[]}}', "no series in the window"),
    ],
)  # fmt: skip
def test_what_prometheus_says_reaches_the_user_in_one_line(server, status, body, words):
    server.failures = [(status, body)]
    with pytest.raises(TelemetryError) as error:
        ask(server)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.asked) == 1


def test_a_server_that_stays_away_is_named_with_the_attempts(server):
    server.failures = [(502, b"")] * 3
    with pytest.raises(TelemetryError, match=r"502.*\(3 attempts\)"):
        ask(server)
    source = Source(url="http://127.0.0.1:9", query="up")
    with pytest.raises(TelemetryError, match=r"cannot be reached: .*refused"):
        read(source, window_days=1, at=AT, root=Path())


def test_series_without_their_labels_are_refused(server):
    server.answer = lambda asked: series(asked, {"app": "camera", "pod": "x"})
    with pytest.raises(TelemetryError, match=r"has: app, pod.*sum by \(app, location\)"):
        ask(server)


@pytest.mark.parametrize(
    ("source", "words"),
    [("ftp://host/file", "ftp:// cannot be read"), ("http://host:9090", "has no query")],
)
def test_an_address_that_cannot_be_read_is_refused(source, words):
    with pytest.raises(TelemetryError, match=words):
        read(source, window_days=1, at=None, root=Path())
