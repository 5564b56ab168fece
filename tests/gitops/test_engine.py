"""What is made of the engine's own events and of its last words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gitops import engine
from gitops.engine import Finding, Outcome, plain, reason, record

URN = "urn:pulumi:dev::fairweather::fairweather:index:ModelService$aws:s3/bucket:Bucket::photos"


def event(**part):
    empty = dict.fromkeys(
        ("policy_event", "diagnostic_event", "summary_event", "resource_pre_event")
    )
    return SimpleNamespace(**{**empty, **part})


def policy(level):
    return event(
        policy_event=SimpleNamespace(
            policy_name="tags-are-complete",
            enforcement_level=level,
            message="Everything is tagged.\n<{%fg 1%}>photos has no owner<{%reset%}>",
            resource_urn=URN,
        )
    )


@pytest.mark.parametrize(("level", "fails"), [("mandatory", True), ("advisory", False)])
def test_only_a_mandatory_rule_blocks(level, fails):
    outcome = Outcome()
    record(outcome, policy(level), None)
    assert (outcome.blocked, outcome.failed) == (fails, fails)
    (finding,) = outcome.findings
    assert finding.text == "photos has no owner"
    assert finding.resource == "aws:s3/bucket:Bucket photos"


def test_a_finding_about_no_resource_is_about_the_stack():
    assert Finding("r", "advisory", "m", "").resource == "the whole stack"


def test_an_error_is_told_once_and_without_the_engine_s_own_summary():
    outcome = Outcome()
    for text in ("VpcLimitExceeded: no more", "VpcLimitExceeded: no more", "update failed"):
        said = SimpleNamespace(severity="error", message=f"<{{%fg 1%}}>{text}<{{%reset%}}>\n")
        record(outcome, event(diagnostic_event=said), None)
    assert outcome.errors == ["VpcLimitExceeded: no more"]
    assert outcome.failed


def test_steps_are_what_changes():
    outcome = Outcome()
    lines: list[str] = []
    for op in ("same", "create", "update"):
        step = SimpleNamespace(metadata=SimpleNamespace(op=op, urn=URN))
        record(outcome, event(resource_pre_event=step), lines.append)
    assert outcome.steps == [("create", URN), ("update", URN)]
    assert lines == ["create photos", "update photos"]


def test_the_last_words_of_a_failed_command_are_its_errors():
    text = "Previewing\n\x1b[31merror: no stack named 'x' found\x1b[0m\nstderr: "
    assert reason(text) == "error: no stack named 'x' found"
    assert reason("a\nb\n\nc\nd") == "b\nc\nd"
    assert plain("<{%fg 1%}>red<{%reset%}> ") == "red"


def test_without_an_engine_it_says_what_to_run(monkeypatch):
    nothing = SimpleNamespace(pulumi=None, language_host_dir=None, kubernetes_binaries=None)
    monkeypatch.setattr(engine, "locate", lambda: nothing)
    with pytest.raises(engine.EngineError, match="make setup"):
        engine.environment()
