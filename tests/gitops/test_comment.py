"""The comment on a pull request: the verdict first, bounded, and safe whatever it quotes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops import cli, comment, deploying
from gitops.engine import EngineError, Finding, Outcome
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


@settings(max_examples=100)  # each builds some hundred kilobytes of text
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


class Engine:
    """Stands where the engine stands, and says what it is told to."""

    def __init__(self, outcome):
        self.outcome = outcome

    def preview(self, *_, **__):
        return self.outcome


@pytest.fixture
def preview(workplace, monkeypatch, capsys):
    """Run the command as CI does; returns (exit code, standard output, standard error)."""
    for name, value in workplace.forge.environment().items():
        monkeypatch.setenv(name, value)

    def run(ready, *arguments):
        monkeypatch.setattr(deploying, "ready", ready)
        words = ["--root", str(workplace.clone), "preview", "dev", *arguments]
        return (cli.main(words), *capsys.readouterr())

    return run


def test_each_preview_edits_the_one_comment_of_its_stack(preview, workplace, tmp_path):
    file = tmp_path / "comment.md"
    bad, good = Outcome(findings=[finding()]), Outcome(changes={"same": 3})
    assert preview(lambda _: Engine(bad), "--post", "7")[0] == 1
    code, _, err = preview(lambda _: Engine(good), "--post", "7", "--comment", str(file))
    assert code == 0
    assert err == "https://forge.example/acme/fleet/pull/7#issuecomment-1\n"
    [made] = workplace.forge.comments
    assert "✅ **dev**: 3 unchanged" in made["body"]
    assert file.read_text() == made["body"]


def test_an_engine_that_does_not_start_is_told_in_the_comment_too(preview, workplace):
    def ready(_):
        raise EngineError("error: no stack named 'dev' found")

    assert preview(ready, "--post", "7")[0] == 1
    [made] = workplace.forge.comments
    assert (
        "❌ **dev**: the preview failed\n\n```\nerror: no stack named 'dev' found" in made["body"]
    )


def test_a_comment_that_is_refused_is_one_line_after_the_verdict(preview, workplace):
    workplace.forge.refuse = (403, b'{"message": "Resource not accessible by integration"}')
    code, out, err = preview(lambda _: Engine(Outcome(changes={"same": 3})), "--post", "7")
    assert code == 1
    assert "gate: passed" in out
    assert err.count("\n") == 1
    assert "403 Resource not accessible by integration" in err


def test_nowhere_to_post_is_told_before_anything_runs(preview, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    told = "--post: GITHUB_REPOSITORY and GITHUB_TOKEN are not set; set both\n"
    assert preview(lambda _: pytest.fail("it ran"), "--post", "7") == (1, "", told)
