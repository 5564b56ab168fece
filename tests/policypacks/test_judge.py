"""The gate's word on an evidence file, without an engine."""

from __future__ import annotations

import json

import judge
import pytest
from samples import evidence


@pytest.fixture
def asked(tmp_path, capsys):
    """Run it on an evidence file; returns (exit code, output, errors)."""

    def run(content, *arguments):
        file = tmp_path / "fairness.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return (judge.main([str(file), *arguments]), *capsys.readouterr())

    return run


def counted(lighter, darker, n=10000, metric="true_positive_rate"):
    slices = [{"slice": "lighter", "n": n, "k": lighter}, {"slice": "darker", "n": n, "k": darker}]
    return evidence(
        comparisons=[
            {"modality": "image", "attribute": "skin_tone", "metric": metric, "slices": slices}
        ]
    )


@pytest.mark.parametrize(
    ("content", "sensitive", "verdict", "code"),
    [
        (counted(9100, 9050), False, "pass", 0),
        (counted(9100, 8000), False, "fail", 1),
        (counted(91, 90, n=100), False, "insufficient", 1),
        (counted(9100, 8750), False, "pass", 0),
        (counted(9100, 8750), True, "insufficient", 1),
    ],
)
def test_it_says_what_the_gate_would_say(asked, content, sensitive, verdict, code):
    exit_code, out, err = asked(content, *(["--sensitive"] if sensitive else []))
    assert (exit_code, err) == (code, "")
    assert out.split()[0] == verdict


def test_for_machines_it_gives_the_intervals_that_were_used(asked):
    _, out, _ = asked(counted(9100, 9050), "--json")
    [told] = json.loads(out)
    assert told["verdict"] == "pass"
    assert told["max_difference"] == 0.05
    lighter = told["slices"]["lighter"]
    assert lighter["low"] < lighter["rate"] == 0.91 < lighter["high"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "Expecting"), ("[]", "is no JSON object"), ({}, "compares nothing")],
)
def test_what_is_no_evidence_is_one_line(asked, content, said):
    code, out, err = asked(content)
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
