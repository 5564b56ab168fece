"""Git by its command line: messages and trailers, reasons, and the bot's own branch."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops import git as ours
from gitops.git import GitError
from tests.gitops.conftest import git

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=60)
KEYS = st.from_regex(r"Fairweather-[A-Z][a-z]{1,8}", fullmatch=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.txt").write_text("one\n")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "start")
    return tmp_path


@settings(max_examples=50)  # each starts a git
@given(
    st.dictionaries(KEYS, WORDS.map(str.strip).filter(bool), min_size=1, max_size=6),
    st.lists(WORDS.map(str.strip).filter(bool), max_size=4),
)
def test_interpret_trailers_reads_back_what_was_written(trailers, body):
    text = ours.message("chore(dev): right-size camera", "\n".join(body), trailers)
    command = ("git", "interpret-trailers", "--parse", "--no-divider")
    read = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    wanted = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items()]
    assert read.decode().splitlines() == wanted


def test_a_commit_holds_its_paths_alone_and_tells_its_trailers(repository):
    (repository / "b.txt").write_text("staged by the user\n")
    git(repository, "add", "b.txt")
    (repository / "a.txt").write_text("two\n")
    text = ours.message("chore: two", "why\n# not a comment", {"Fairweather-Stack": "dev"})
    made = ours.commit(repository, [repository / "a.txt"], text)
    assert git(repository, "show", "--name-only", "--format=", made) == "a.txt"
    assert git(repository, "log", "-1", "--format=%an %ae") == f"fairweather {ours.EMAIL}"
    assert "# not a comment" in git(repository, "log", "-1", "--format=%B")
    assert ours.trailers(repository) == {"Fairweather-Stack": "dev"}
    assert git(repository, "diff", "--cached", "--name-only") == "b.txt"


def test_hooks_of_a_person_do_not_run_for_the_planner(repository):
    hook = repository / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (repository / "a.txt").write_text("two\n")
    assert ours.commit(repository, [repository / "a.txt"], "chore: two\n")


def test_a_variable_of_a_calling_git_does_not_lead_elsewhere(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert ours.git(repository, "log", "--format=%s") == "start"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("fatal: not a git repository (or any of the parent directories): .git\n", "fatal: not a"),
        (
            "To http://host/x.git\n ! [rejected]        a -> a (stale info)\n"
            "error: failed to push some refs to 'http://host/x.git'\nhint: Updates were\n",
            "[rejected]        a -> a (stale info)",
        ),
        ("warning: something\nfatal: Authentication failed\n", "fatal: Authentication failed"),
        (
            "fatal: unable to access 'https://ada:hunter2@host/x.git/'\n",
            "fatal: unable to access 'https://host/",
        ),
        ("only this\n", "only this"),
        ("", "no reason given"),
    ],
)
def test_the_line_that_says_why_is_told(said, told):
    assert ours.reason(said).startswith(told)
    assert "\n" not in ours.reason(said)


def test_an_error_is_one_line_that_names_command_folder_and_reason(repository):
    with pytest.raises(GitError) as error:
        ours.git(repository, *ours.BOT, "checkout", "--quiet", "nowhere")
    assert str(error.value).startswith(f"git checkout in {repository}: error: pathspec 'nowhere'")
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_a_git_error(tmp_path):
    with pytest.raises(GitError, match="is not there; install git"):
        ours.git(tmp_path / "none", "status")


def test_commits_of_people_on_the_bots_branch_are_found_and_merges_of_the_base_are_not(repository):
    git(repository, "checkout", "-q", "-b", "fairweather/dev")
    (repository / "a.txt").write_text("two\n")
    ours.commit(repository, [repository / "a.txt"], "chore: two\n")
    assert ours.by_others(repository, "main", "fairweather/dev") == []
    git(repository, "checkout", "-q", "main")
    git(repository, "commit", "-q", "--allow-empty", "-m", "main goes on")
    git(repository, "checkout", "-q", "fairweather/dev")
    git(repository, "merge", "-q", "--no-edit", "main")
    assert ours.by_others(repository, "main", "fairweather/dev") == []
    git(repository, "commit", "-q", "--allow-empty", "-m", "a person's")
    short = git(repository, "rev-parse", "--short", "HEAD")
    assert ours.by_others(repository, "main", "fairweather/dev") == [f"{short} by ada@example.com"]
