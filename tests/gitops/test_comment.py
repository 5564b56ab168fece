"""The comment on a pull request: the verdict first, bounded, and safe whatever it quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops import comment
from gitops.engine import Finding, Outcome
from gitops.forge import LIMIT_CHARACTERS

URN = "urn:pulumi:dev::fairweather::fairweather:index:Portfolio$aws:s3/bucket:Bucket::scratch"


def finding(rule="tags-present", level="mandatory", text="scratch has no owner tag; add it"):
    return Finding(rule, level, f"The rule's description.\n{text}", URN)


@pytest.mark.parametrize(
    ("outcome", "second"),
    [
        (Outcome(changes={"create": 2, "same": 3}), "✅ **dev**: 2 to create, 3 unchanged; the gate passes"),
        (Outcome(changes={"same": 3}), "✅ **dev**: 3 unchanged; the gate passes"),
        (Outcome(errors=["no stack named 'dev' found"]), "❌ **dev**: the preview failed"),
        (
            Outcome(findings=[finding("b"), finding("a"), finding("a")], errors=["blocked"]),
            "❌ **dev**: blocked by `a`, `b`",
        ),
        (
            Outcome(findings=[finding(level="advisory")], changes={"same": 1}),
            "✅ **dev**: 1 unchanged; the gate passes",
        ),
    ],
)  # fmt: skip
def test_marker_first_then_the_verdict(outcome, second):
    first, told = [line for line in comment.markdown("dev", outcome).splitlines() if line][:2]
    assert (first, told) == ("<!-- fairweather preview dev -->", second)


def test_what_blocks_says_why_and_for_which_resource():
    text = comment.markdown("dev", Outcome(findings=[finding()]))
    assert (
        "- **tags-present** · aws:s3/bucket:Bucket scratch<br>scratch has no owner tag; add it"
        in text
    )
    assert "The rule's description" not in text


def test_advice_and_steps_are_folded_away():
    outcome = Outcome(
        changes={"create": 1}, steps=[("create", URN)], findings=[finding(level="advisory")]
    )
    text = comment.markdown("dev", outcome)
    head, _, folded = text.partition("<details>")
    assert "tags-present" not in head
    assert "| create | `aws:s3/bucket:Bucket` | scratch |" in folded
    assert text.count("<details>") == text.count("</details>") == 2


def test_what_is_quoted_cannot_break_out():
    outcome = Outcome(
        errors=["before\n```\n<!-- x\n````\nafter"],
        findings=[finding(text="<!-- hides the rest <script>")],
    )
    text = comment.markdown("dev", outcome)
    assert "`````\nbefore\n```\n<!-- x\n````\nafter\n`````" in text
    assert "<!-- hides" not in text
    assert "&lt;!-- hides the rest &lt;script&gt;" in text


@given(
    st.integers(0, 3000), st.integers(0, 300), st.integers(0, 300), st.integers(0, 9000)
)  # fmt: skip
def test_the_largest_preview_fits_with_its_verdict_first(steps, blocking, advice, length):
    text = "why " * (length // 4) + "."
    outcome = Outcome(
        changes={"create": steps},
        steps=[("create", URN)] * steps,
        findings=[finding(text=text)] * blocking + [finding(level="advisory", text=text)] * advice,
        errors=[text] * (advice // 10),
    )
    told = comment.markdown("dev", outcome)
    assert len(told) <= LIMIT_CHARACTERS
    assert told.startswith(
        "<!-- fairweather preview dev -->\n\n" + ("❌" if outcome.failed else "✅")
    )
    if len(told) < LIMIT_CHARACTERS - 3000:
        assert "cut here" not in told
