"""The policy report: one run of the engine, told in each format without loss, and safe whatever it quotes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops import cli, deploying, policy_report
from gitops.engine import EngineError, Finding, Outcome
from gitops.errors import Refusal
from gitops.policy_report import FORMATS, Report, Rule

ROOT = Path(__file__).resolve().parents[2]
URN = "urn:pulumi:dev::fairweather::fairweather:index:Portfolio$aws:s3/bucket:Bucket::scratch"
RULES = (
    Rule(
        "tags-are-complete", "mandatory", "Whatever can carry tags carries them.", "Set the tags."
    ),
    Rule("costs-are-known", "advisory", "Each resource has a price.", "Add rows to prices.csv."),
    Rule("claims-hold", "mandatory", "Claims are true.", "Correct the claim."),
)


def finding(
    rule="tags-are-complete", level="mandatory", text="scratch lacks owner; set it", urn=URN
):
    return Finding(rule, level, f"The rule's description.\n{text}", urn)  # fmt: skip


BLOCKED = Outcome(
    changes={"create": 2, "same": 3},
    findings=[
        finding("costs-are-known", "advisory", "2 of aws:x in no sum", urn=""),
        finding(),
        finding(text="scratch has a second problem"),
    ],
    seconds=1.25,
)
PASSED = Outcome(changes={"same": 3})
FAILED = Outcome(errors=["error: no stack named 'dev' found"])
EMPTY = Outcome()


def sarif(outcome, listed=RULES):
    return json.loads(policy_report.as_sarif(Report("dev", outcome, listed)))


def junit(outcome, listed=RULES):
    """The one suite of the report."""
    [suite] = ET.fromstring(policy_report.as_junit(Report("dev", outcome, listed)))
    return suite


@pytest.mark.parametrize(
    ("outcome", "verdict", "results"),
    [
        (BLOCKED, "blocked", ["blocked", "noted", "passed"]),
        (PASSED, "passed", ["passed", "passed", "passed"]),
        (EMPTY, "passed", ["passed", "passed", "passed"]),
        (FAILED, "failed", ["not judged", "not judged", "not judged"]),
        (
            Outcome(findings=[finding()], errors=["boom"]),
            "blocked",
            ["blocked", "not judged", "not judged"],
        ),
    ],
)
def test_a_rule_passed_only_where_the_engine_came_to_its_end(outcome, verdict, results):
    report = Report("dev", outcome, RULES)
    assert report.verdict == verdict
    assert [report.result(rule) for rule in report.rules] == results


def test_without_the_list_nothing_is_said_to_have_passed():
    for outcome in (PASSED, BLOCKED, EMPTY):
        report = Report("dev", outcome)
        assert report.with_result("passed") == []
        assert "which ones passed is not known" in policy_report.as_text(report)
        assert "which ones passed is not known" in policy_report.as_markdown(report)
        assert json.loads(policy_report.as_json(report))["rules_listed"] is False
        assert sarif(outcome, ())["runs"][0]["properties"]["rulesListed"] is False
        named = {case.get("classname") for case in junit(outcome, ())}
        assert named - {"guardrails"} == {f"guardrails.{f.rule}" for f in outcome.findings}


def test_a_rule_that_is_not_in_the_list_is_described_by_its_finding():
    [*_, last] = Report("dev", Outcome(findings=[finding("of-another-pack")]), RULES).rules
    assert last == Rule("of-another-pack", "mandatory", "The rule's description.", "")


def test_json_holds_every_finding_with_its_remedy():
    told = json.loads(policy_report.as_json(Report("dev", BLOCKED, RULES)))
    assert (told["stack"], told["verdict"], told["changes"]) == (
        "dev",
        "blocked",
        {"create": 2, "same": 3},
    )
    assert told["findings"][1] == {
        "rule": "tags-are-complete",
        "level": "mandatory",
        "blocks": True,
        "resource": "aws:s3/bucket:Bucket scratch",
        "urn": URN,
        "message": "scratch lacks owner; set it",
        "remedy": "Set the tags.",
    }
    assert [(rule["name"], rule["result"]) for rule in told["rules"]] == [
        ("tags-are-complete", "blocked"),
        ("costs-are-known", "noted"),
        ("claims-hold", "passed"),
    ]


@pytest.mark.parametrize("outcome", [BLOCKED, PASSED, FAILED, EMPTY])
@pytest.mark.parametrize("listed", [RULES, ()])
def test_sarif_has_what_code_scanning_requires(outcome, listed):
    """The properties that GitHub marks as required (SARIF support for code scanning)."""
    told = sarif(outcome, listed)
    assert told["version"] == "2.1.0"
    assert told["$schema"].endswith("sarif-2.1.0.json")
    [run] = told["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    for rule in driver["rules"]:
        assert rule["id"]
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in {"error", "warning"}
    assert len(run["results"]) == len(outcome.findings)
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        [location] = result["locations"]
        place = location["physicalLocation"]
        assert (ROOT / place["artifactLocation"]["uri"]).is_file()
        region = place["region"]
        assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
        assert all(value >= 1 for value in region.values())
        assert result["partialFingerprints"]["primaryLocationLineHash"]
    assert run["automationDetails"]["id"] == "fairweather-dev/"
    assert run["invocations"][0]["executionSuccessful"] is not bool(outcome.errors)


def test_sarif_levels_results_and_what_passed():
    [run] = sarif(BLOCKED)["runs"]
    assert [result["level"] for result in run["results"]] == ["warning", "error", "error"]
    assert run["results"][1]["message"]["text"] == (
        "aws:s3/bucket:Bucket scratch: scratch lacks owner; set it"
    )
    assert run["properties"]["passed"] == ["claims-hold"]
    assert run["properties"]["notJudged"] == []


def test_sarif_fingerprints_differ_within_a_run_and_stay_between_runs_whatever_is_measured():
    def prints(*findings):
        [run] = sarif(Outcome(findings=list(findings)))["runs"]
        return [
            result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]
        ]

    other = URN.replace("scratch", "logs")
    first = prints(finding(), finding(), finding(urn=other), finding("claims-hold"))
    assert len(set(first)) == 4
    assert prints(finding(text="now 7 lack"), finding(), finding(urn=other)) == first[:3]


def test_sarif_tells_why_the_engine_failed():
    [run] = sarif(FAILED)["runs"]
    [told] = run["invocations"][0]["toolExecutionNotifications"]
    assert told == {"level": "error", "message": {"text": "error: no stack named 'dev' found"}}
    assert run["properties"]["notJudged"] == [rule.name for rule in RULES]


def test_junit_has_a_case_for_each_rule_and_resource_and_counts_them():
    suite = junit(BLOCKED)
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
        "time": "1.250",
    }
    cases = {(case.get("classname"), case.get("name")): case for case in suite}
    assert len(cases) == 4
    failure = cases["guardrails.tags-are-complete", URN].find("failure")
    assert failure.get("message") == "scratch lacks owner; set it"
    assert failure.text.splitlines() == [
        "scratch lacks owner; set it",
        "scratch has a second problem",
        "Set the tags.",
    ]
    note = cases["guardrails.costs-are-known", "the whole stack"]
    assert [child.tag for child in note] == ["system-out"]
    assert len(cases["guardrails.claims-hold", "every resource"]) == 0


def test_junit_of_an_engine_that_failed_has_an_error_and_no_passes():
    suite = junit(FAILED)
    assert (suite.get("errors"), suite.get("skipped"), suite.get("tests")) == ("1", "3", "4")
    assert suite.find("testcase/error").get("message") == "error: no stack named 'dev' found"


def test_junit_of_nothing_is_still_a_test():
    suite = junit(EMPTY, ())
    assert [case.get("name") for case in suite] == ["the engine ran"]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


def test_markdown_puts_what_blocks_first_in_a_table():
    lines = policy_report.as_markdown(Report("dev", BLOCKED, RULES)).splitlines()
    assert lines[0] == "# dev: blocked by tags-are-complete; 2 to create, 3 unchanged"
    rows = [line for line in lines if line.startswith("| `")]
    assert rows[0] == (
        "| `tags-are-complete` | mandatory, medium | aws:s3/bucket:Bucket scratch "
        "| scratch lacks owner; set it | Set the tags. |"
    )
    assert rows[-1].startswith("| `costs-are-known` | advisory, medium | the whole stack |")
    assert "passed (1): `claims-hold`" in lines


def test_markdown_cells_and_fences_hold_what_they_quote():
    outcome = Outcome(findings=[finding(text="a | b\n<script>")], errors=["```\n| x"])
    text = policy_report.as_markdown(Report("dev", outcome, RULES))
    assert "| a \\| b<br>&lt;script&gt; |" in text
    assert "````\n```\n| x\n````" in text


def test_text_reads_from_the_verdict_to_what_passed():
    assert policy_report.as_text(Report("dev", BLOCKED, RULES)) == (
        "dev: blocked by tags-are-complete; 2 to create, 3 unchanged\n"
        "\n"
        "tags-are-complete (mandatory, medium)  aws:s3/bucket:Bucket scratch\n"
        "  scratch lacks owner; set it\n"
        "  Set the tags.\n"
        "\n"
        "tags-are-complete (mandatory, medium)  aws:s3/bucket:Bucket scratch\n"
        "  scratch has a second problem\n"
        "  Set the tags.\n"
        "\n"
        "costs-are-known (advisory, medium)  the whole stack\n"
        "  2 of aws:x in no sum\n"
        "  Add rows to prices.csv.\n"
        "\n"
        "passed (1): claims-hold\n"
    )
    assert policy_report.as_text(Report("dev", PASSED, RULES)).splitlines()[0] == (
        "dev: the gate passes; 3 unchanged"
    )
    assert "not judged (3): " in policy_report.as_text(Report("dev", FAILED, RULES))


words = st.text(max_size=40)
outcomes = st.builds(
    Outcome,
    findings=st.lists(
        st.builds(Finding, words, st.sampled_from(["mandatory", "advisory"]), words, words),
        max_size=4,
    ),
    errors=st.lists(words.filter(bool), max_size=2),
)


@given(outcomes, st.sampled_from([RULES, ()]))
def test_whatever_the_gate_says_each_format_can_be_written_and_read(outcome, listed):
    report = Report("dev", outcome, listed)
    for suffix, write in FORMATS.items():
        text = write(report)
        assert text.encode(), suffix
    assert len(json.loads(policy_report.as_json(report))["findings"]) == len(outcome.findings)
    assert len(sarif(outcome, listed)["runs"][0]["results"]) == len(outcome.findings)
    suite = junit(outcome, listed)
    blocking = {(f.rule, f.urn) for f in outcome.findings if f.blocks}
    assert len(suite.findall("testcase/failure")) == len(blocking)
    assert len(suite.findall("testcase/error")) == bool(outcome.errors)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("report.docx", "its kind is not known; end it in .json, .sarif, .xml, .md, .txt"),
        ("report", "its kind is not known; end it in .json, .sarif, .xml, .md, .txt"),
        ("none/report.md", "is no folder; make it first"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, name, line):
    with pytest.raises(Refusal, match=f"^--policy-report .*{line}$"):
        policy_report.writer(tmp_path / name)


class Engine:
    """Stands where the engine stands; counts how often it is run."""

    runs = 0

    def __init__(self, outcome):
        self.outcome = outcome

    def preview(self, *_, **__):
        Engine.runs += 1
        return self.outcome


@pytest.fixture
def preview(monkeypatch, capsys):
    """Run the command on an engine that is told what to say; returns (exit code, output, errors)."""
    monkeypatch.setattr(Engine, "runs", 0)

    def run(ready, *arguments):
        monkeypatch.setattr(deploying, "ready", ready)
        return (cli.main(["preview", "dev", *map(str, arguments)]), *capsys.readouterr())

    return run


def test_one_run_writes_every_report_with_the_rules_of_the_pack(preview, tmp_path):
    files = [tmp_path / f"report{suffix}" for suffix in FORMATS]
    asked = [word for file in files for word in ("--policy-report", file)]
    assert preview(lambda _: Engine(BLOCKED), *asked)[0] == 1
    assert Engine.runs == 1
    for file, write in zip(files, FORMATS.values(), strict=True):
        assert file.read_text() == write(Report("dev", BLOCKED, deploying.rules(ROOT)))
    told = json.loads(files[0].read_text())
    results = {rule["name"]: rule["result"] for rule in told["rules"]}
    assert results.pop("tags-are-complete") == "blocked"
    assert results.pop("costs-are-known") == "noted"
    assert set(results.values()) == {"passed"}
    assert "fairness-is-shown" in results


def test_an_engine_that_does_not_start_is_reported_too(preview, tmp_path):
    def ready(_):
        raise EngineError("error: no stack named 'dev' found")

    assert preview(ready, "--policy-report", tmp_path / "report.txt")[0] == 1
    lines = (tmp_path / "report.txt").read_text().splitlines()
    assert lines[:2] == ["dev: the preview failed", "error: no stack named 'dev' found"]


def test_a_wrong_file_is_told_before_anything_runs(preview, tmp_path):
    code, out, err = preview(lambda _: pytest.fail("it ran"), "--policy-report", tmp_path / "a.pdf")
    assert (code, out) == (1, "")
    assert err.endswith("its kind is not known; end it in .json, .sarif, .xml, .md, .txt\n")


def test_a_pack_that_cannot_be_loaded_has_no_rules_to_list(tmp_path):
    assert deploying.rules(tmp_path) == ()
