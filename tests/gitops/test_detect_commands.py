"""`fairweather detect` as a person runs it, on synthetic telemetry with a planted incident."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gitops.cli import main

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-11-24T12:00"
SERVICE = "moderation"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The example stacks, with less of the past to look at."""
    made = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "models", made / "models")
    shutil.copytree(ROOT / "stacks", made / "stacks", ignore=shutil.ignore_patterns("*.py"))
    file = made / "stacks" / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("window_days: 28", "window_days: 12"))
    return made


@pytest.fixture
def run(root, capsys):
    return lambda *arguments: told(capsys, "--root", root, "detect", *arguments)


def told(capsys, *arguments):
    """(exit code, standard output, standard error) of one command."""
    code: object
    try:
        code = main([*map(str, arguments)])
    except SystemExit as stopped:
        code = stopped.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def synthesized(root, folder, *more):
    """(demand, errors) of the development stack."""
    demand = folder / "demand-dev.csv.gz"
    made = ("telemetry", "dev", "--synthesize", str(demand), "--at", AT, *more)
    assert main(["--root", str(root), *made]) == 0
    return demand, folder / "errors-dev.csv.gz"


@pytest.fixture(scope="module")
def planted(root, tmp_path_factory):
    return synthesized(root, tmp_path_factory.mktemp("planted"), "--incident")


@pytest.fixture(scope="module")
def healthy(root, tmp_path_factory):
    return synthesized(root, tmp_path_factory.mktemp("healthy"))[0]


def test_the_planted_incident_is_told_with_what_moved_at_the_same_time(run, planted):
    demand, errors = planted
    code, out, err = run("dev", "--demand", demand, "--errors", errors, "--check")
    assert (code, err) == (1, "")
    assert "2 open in 16 streams" in out
    rows = [line for line in out.splitlines() if "2026-11-24 09:00" in line]
    assert [row.split()[:2] for row in rows] == [["errors", SERVICE], ["load", SERVICE]]
    assert (
        "latency is not watched: name telemetry.latency in the stack file, or give --latency" in out
    )
    assert "synthetic errors to 2026-11-24 12:00 UTC" in out


def test_a_day_before_there_was_nothing_to_tell(run, planted):
    demand, errors = planted
    code, out, _ = run(
        "dev", "--demand", demand, "--errors", errors, "--check", "--at", "2026-11-24T08:00"
    )
    assert code == 0
    assert "nothing unusual in 16 streams" in out


def test_machines_get_every_stream_and_people_a_page_with_the_alarms(run, planted, tmp_path):
    demand, errors = planted
    file = tmp_path / "page.html"
    given = ("--demand", demand, "--errors", errors)
    code, out, _ = run("dev", *given, "--json", "--report", file)
    told = json.loads(out)
    assert (code, len(told["streams"]), told["threshold"]) == (0, 16, 0.25)
    found = [
        (one["kind"], one["app"], anomaly["since"], [o["kind"] for o in anomaly["moved_too"]])
        for one in told["streams"]
        for anomaly in one["anomalies"]
        if anomaly["open"]
    ]
    assert found == [
        ("load", SERVICE, "2026-11-24T09:00:00+00:00", ["errors"]),
        ("errors", SERVICE, "2026-11-24T09:00:00+00:00", ["load"]),
    ]
    text = file.read_text()
    assert "2 open" in text
    charts = [piece[: piece.index("</svg>") + 6] for piece in text.split("<svg")[1:]]
    first = ET.fromstring("<svg" + charts[0])
    assert text.index(f"load of {SERVICE}") < text.index("<svg")
    assert [c.get("class") for c in first.iter("circle")].count("miss") >= 1
    assert "http" not in text.replace("http://www.w3.org", "")


def test_telemetry_without_incident_has_no_errors_and_no_open_anomaly(run, healthy):
    code, out, _ = run("dev", "--demand", healthy, "--check")
    assert code == 0
    assert "nothing unusual in 8 streams" in out


def test_any_file_of_times_and_values_is_watched(run, tmp_path):
    file = tmp_path / "queue.csv"
    rows = [f"2026-01-{1 + i // 24:02d}T{i % 24:02d}:00Z,{10 + i % 24}" for i in range(24 * 20)]
    rows[-1] = rows[-1].rsplit(",", 1)[0] + ",500"
    file.write_text("time,value\n" + "\n".join(rows) + "\n")
    code, out, _ = run("--file", file, "--check")
    assert code == 1
    assert "1 open in 1 streams" in out
    assert "500" in out


def test_a_short_stream_is_no_all_clear(run, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("time,value\n2026-01-01T00:00Z,1\n2026-01-01T01:00Z,2\n")
    code, out, _ = run("--file", file)
    assert code == 0
    assert "too short to say anything: no all-clear" in out
    assert "nothing unusual" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "one of the arguments STACK --file is required"),
        (("dev", "--file", "m.csv"), 2, "not allowed with argument"),
        (("--file", "nowhere.csv"), 1, "nowhere.csv: does not exist; name a CSV of time,value"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(run, arguments, code, message):
    found, _, err = run(*arguments)
    assert found == code
    assert message in err


def test_an_incident_needs_demand_to_be_planted_in(capsys):
    code, _, err = told(capsys, "telemetry", "dev", "--incident")
    assert (code, err) == (1, "--incident plants one in synthetic demand; add --synthesize FILE\n")


def test_an_errors_file_without_errors_names_the_column(run, healthy):
    code, _, err = run("dev", "--demand", healthy, "--errors", healthy)
    assert code == 1
    assert "column errors is missing; found time, app, location, rps" in err


def test_the_stack_file_may_name_the_errors(root, run, planted):
    demand, errors = planted
    file = root / "stacks" / "Pulumi.dev.yaml"
    before = file.read_text()
    named = f"  fairweather:telemetry:\n    errors: {{path: {errors}}}\n"
    file.write_text(before.replace("  fairweather:telemetry:\n", named))
    code, out, _ = run("dev", "--demand", demand, "--check")
    file.write_text(before)
    assert code == 1
    assert f"errors  {SERVICE}" in out
