"""`fairweather spend` as a person runs it, on synthetic billing."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gitops.cli import main

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-11-21"


def run(capsys, *arguments):
    code = main(["spend", "dev", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    file = tmp_path_factory.mktemp("billing") / "billing-dev.parquet"
    assert main(["spend", "dev", "--synthesize", str(file), "--at", AT]) == 0
    return file


def test_the_table_has_the_portfolio_each_app_and_what_belongs_to_none(capsys, export):
    code, out, err = run(capsys, "--billing", export)
    assert (code, err) == (0, "")
    assert out.startswith("synthetic billing of November 2026 to 18 Nov")
    names = [line.split()[0] for line in out.splitlines() if line[:1].isalpha()]
    for name in ("all", "camera", "search", "shared", "unallocated"):
        assert name in names
    assert "what moved most" in out


@pytest.mark.parametrize(("by", "name"), [("team", "vision-team"), ("model", "scene-caption")])
def test_lines_add_up_to_the_portfolio_whatever_they_are_by(capsys, export, by, name):
    code, out, _ = run(capsys, "--billing", export, "--by", by, "--json")
    told = json.loads(out)
    whole, *lines = told["lines"]
    assert (code, whole["name"], told["month"]) == (0, "all", "2026-11")
    assert sum(line["spent"] for line in lines) == pytest.approx(whole["spent"], abs=0.1)
    assert name in {line["name"] for line in lines}
    assert told["synthetic"]
    for line in lines:
        end = line["month_end"]
        assert line["spent"] <= end["low"] <= end["mean"] <= end["high"]


def test_shared_cost_is_split_only_when_asked(capsys, export):
    def lines(*more):
        out = run(capsys, "--billing", export, "--json", *more)[1]
        return {line["name"]: line["spent"] for line in json.loads(out)["lines"]}

    own, split = lines(), lines("--shared-by", "replicas")
    assert "shared" in own
    assert "shared" not in split
    assert split["all"] == pytest.approx(own["all"])
    assert split["unallocated"] == own["unallocated"]
    assert split["camera"] > own["camera"]


def test_check_fails_for_the_open_anomaly_in_one_line_each(capsys, export):
    code, out, err = run(capsys, "--billing", export, "--check", "--json")
    lines = {line["name"]: line for line in json.loads(out)["lines"]}
    assert code == 1
    told = err.splitlines()
    opened = [a for line in lines.values() for a in line["anomalies"] if a["open"]]
    likely = [line for line in lines.values() if (line["overrun_probability"] or 0) > 0.5]
    assert opened
    assert len(told) == len(opened) + len(likely)
    code, _, _ = run(capsys, "--billing", export, "--check", "--at", "2026-10-20")
    assert code == 0  # smaller surprises are told, and fail nothing


def test_as_of_an_earlier_time_nothing_later_is_known(capsys, export):
    told = json.loads(run(capsys, "--billing", export, "--json", "--at", "2026-10-12")[1])
    assert (told["month"], told["complete_until"]) == ("2026-10", "2026-10-10")


def test_a_folder_stands_for_its_parts_and_the_stack_file_may_name_it(capsys, export, tmp_path):
    stack = tmp_path / "stacks" / "Pulumi.dev.yaml"
    stack.parent.mkdir()
    text = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    source = f"  fairweather:telemetry:\n    spend: {{path: {export.parent}}}\n"
    stack.write_text(text.replace("  fairweather:telemetry:\n", source), encoding="utf-8")
    assert main(["--root", str(tmp_path), "spend", "dev", "--json"]) == 0
    named = json.loads(capsys.readouterr().out)
    given = json.loads(run(capsys, "--billing", export, "--json")[1])
    assert named["lines"] == given["lines"]


def test_the_report_has_a_chart_with_budget_and_fan_for_each_line(capsys, export, tmp_path):
    page = tmp_path / "spend.html"
    assert run(capsys, "--billing", export, "--report", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    charts = [ET.fromstring(part.split("</svg>")[0] + "</svg>") for part in text.split("\n")
              if part.startswith("<svg")]  # fmt: skip
    assert len(charts) == 11
    titles = {title.text for title in charts[0].iter("title")}
    assert titles == {"spent", "expected", "budget", "90 % interval"}
    assert "synthetic billing" in text
    assert "nan" not in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--billing", "none.csv"), "none.csv: cannot be read: no such file or directory"),
        (("--billing", "."), "has no *.parquet, *.csv, *.csv.gz in it; name the export"),
        (("--at", "soon", "--billing", "x"), "--at soon: not a time"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, monkeypatch, tmp_path, arguments, line):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert line in err
    assert len(err.splitlines()) == 1
