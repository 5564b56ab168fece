"""A proposal: a commit of the planner's on its own branch, and one pull request for it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import stacks
from gitops import cli, evidence, planning
from gitops.errors import Refusal
from gitops.evidence import CAPACITY_SHA256
from gitops.forge import LIMIT_CHARACTERS, shortened
from gitops.git import EMAIL
from tests.gitops.conftest import git
from tests.gitops.plans import Planner
from tests.gitops.servers import secrets_in

BRANCH = "fairweather/dev"


@pytest.fixture
def planner(monkeypatch):
    made = Planner(camera=9)
    monkeypatch.setattr(planning, "make", made.make)
    return made


@pytest.fixture
def propose(workplace, planner, monkeypatch, capsys):
    """Run the command as CI does; returns (exit code, standard output, standard error)."""
    for name, value in workplace.forge.environment().items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        words = ["--root", str(workplace.clone), "propose", "dev", *arguments]
        return (cli.main(words), *capsys.readouterr())

    return run


def state(clone):
    """What a person sees of their clone: branch, commit, index, work tree."""
    return (
        git(clone, "symbolic-ref", "HEAD"),
        git(clone, "rev-parse", "HEAD"),
        git(clone, "diff", "--cached"),
        git(clone, "diff"),
        git(clone, "status", "--porcelain"),
        git(clone, "worktree", "list"),
        git(clone, "stash", "list"),
    )


def ceiling(workplace, app="camera"):
    """Of the app, on the branch at the remote."""
    text = git(workplace.bare, "show", f"{BRANCH}:stacks/Pulumi.dev.yaml")
    file = workplace.clone.parent / "there.yaml"
    file.write_text(text)
    return next(iter(stacks.load(file).capacity[app].values())).ceiling


def test_a_proposal_is_pushed_over_http_and_opens_one_pull_request(propose, workplace):
    code, out, err = propose("--push", "--preview", "preview.yml")
    assert (code, err) == (0, "")
    assert "https://forge.example/acme/fleet/pull/1" in out
    assert ceiling(workplace) == 9
    [pull] = workplace.forge.pulls
    assert (pull["head"], pull["base"], pull["state"]) == (BRANCH, "main", "open")
    assert pull["title"] == "chore(dev): right-size camera (-3% cost)"
    assert pull["body"].startswith("Capacity cost **$3,000 → $2,900 a month**, **-3%**.")
    assert "for 14 days after a person reverts" in pull["body"]
    assert workplace.forge.started == [
        {"workflow": "preview.yml", "ref": BRANCH, "inputs": {"pull_request": "1"}}
    ]
    assert not secrets_in(out)


def test_the_commit_is_the_bots_changes_one_file_and_carries_its_evidence(propose, workplace):
    propose("--push")
    there = workplace.bare
    assert git(there, "log", "-1", "--format=%an <%ae>", BRANCH) == f"fairweather <{EMAIL}>"
    assert git(there, "diff", "--name-only", "main", BRANCH) == "stacks/Pulumi.dev.yaml"
    diff = git(there, "diff", "-U0", "main", BRANCH).splitlines()[4:]
    assert [line for line in diff if not line.startswith("@@")] == [
        "-        ceiling: 6",
        "+        ceiling: 9",
        "-        reason: set by hand",
        "+        reason: planned 9",
    ]
    text = git(there, "log", "-1", "--format=%B", BRANCH)
    parsed = subprocess.run(
        ("git", "interpret-trailers", "--parse"), input=text, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    told = dict(line.split(": ", 1) for line in parsed.splitlines())
    assert told["Fairweather-Stack"] == "dev"
    assert told["Fairweather-Data-Window"] == "2026-11-23T23:00Z/2026-11-24T00:00Z"
    assert re.fullmatch("[0-9a-f]{64}", told[CAPACITY_SHA256])
    assert told["Fairweather-Cost-After"] == "2900 USD/month"
    assert "camera aws:us-east-1: floor 4, ceiling 6 -> 9; planned 9" in text


def test_a_password_in_the_address_of_the_telemetry_is_told_to_nobody(
    propose, workplace, planner, monkeypatch
):
    address = "http://ada:hunter2@prometheus.example:9090"
    make = planner.make

    def measured(root, name, **asked):
        planned = make(root, name, **asked)
        return replace(planned, demand=replace(planned.demand, source=address))

    monkeypatch.setattr(planning, "make", measured)
    _, out, _ = propose("--push")
    told = git(workplace.bare, "log", "-1", "--format=%B", BRANCH)
    assert "Fairweather-Data-Source: http://prometheus.example:9090" in told
    assert "hunter2" not in out + told + workplace.forge.pulls[0]["body"]


def test_the_text_for_a_thousand_services_fits_with_the_sum_first(workplace):
    planned = Planner(camera=9, voice=8).make(workplace.clone, "dev")
    many = replace(planned.plan, services=planned.plan.services * 1000)
    text = shortened(evidence.markdown(replace(planned, plan=many)))
    assert len(text) <= LIMIT_CHARACTERS
    assert text.startswith("Capacity cost **$3,000,000 → $2,800,000 a month**, **-7%**.")


def test_what_people_write_stays_in_its_cell(workplace):
    planned = Planner(camera=9).make(workplace.clone, "dev")
    [changed] = [service for service in planned.plan.services if service.status == "changed"]
    assert evidence.row(replace(changed, reason="a | b\n\nc")).endswith("| a \\| b c |")


def test_a_second_run_with_other_numbers_replaces_commit_and_text(propose, workplace, planner):
    propose("--push")
    planner.ceilings = {"camera": 7, "voice": 9}
    code, _, _ = propose("--push")
    assert code == 0
    assert (ceiling(workplace), ceiling(workplace, "voice")) == (7, 9)
    assert git(workplace.bare, "rev-list", "--count", f"main..{BRANCH}") == "1"
    assert [pull["title"] for pull in workplace.forge.pulls] == [
        "chore(dev): right-size camera, voice (-7% cost)"
    ]


def test_a_second_run_with_the_same_numbers_does_nothing(propose, workplace):
    propose("--push", "--preview", "preview.yml")
    before = workplace.forge.head(BRANCH)
    workplace.forge.requests.clear()
    code, out, _ = propose("--push", "--preview", "preview.yml")
    assert code == 0
    assert "pull/1 proposes just this, and is open" in out
    assert workplace.forge.head(BRANCH) == before
    assert {request.split()[0] for request in workplace.forge.requests} == {"GET"}
    assert len(workplace.forge.started) == 1


def test_nothing_to_change_is_no_failure_and_no_commit(propose, workplace, planner):
    planner.ceilings = {}
    code, out, err = propose("--push")
    assert (code, err) == (0, "")
    assert out == "dev: the stack file is what would be planned; nothing to propose\n"
    assert workplace.forge.head(BRANCH) is None
    assert workplace.forge.pulls == []


def test_a_proposal_that_is_no_longer_asked_for_is_closed(propose, workplace, planner):
    propose("--push")
    planner.ceilings = {}
    code, out, _ = propose("--push")
    assert code == 0
    assert "pull/1 closed" in out
    assert workplace.forge.pulls[0]["state"] == "closed"
    planner.ceilings = {"camera": 8}
    propose("--push")
    assert [pull["state"] for pull in workplace.forge.pulls] == ["closed", "open"]


def test_what_a_person_closed_comes_back_only_with_other_numbers(propose, workplace, planner):
    propose("--push")
    workplace.forge.pulls[0]["state"] = "closed"
    code, out, _ = propose("--push")
    assert (code, len(workplace.forge.pulls)) == (0, 1)
    assert "pull/1 proposes just this, and is closed" in out
    planner.ceilings = {"camera": 8}
    propose("--push")
    assert [pull["state"] for pull in workplace.forge.pulls] == ["closed", "open"]


def test_a_pull_request_that_could_not_be_opened_is_opened_by_the_next_run(propose, workplace):
    workplace.forge.refuse = (403, b'{"message": "not permitted"}')
    code, _, err = propose("--push")
    assert code == 1
    assert err.count("\n") == 1
    assert "403 not permitted" in err
    workplace.forge.refuse = None
    assert propose("--push")[0] == 0
    assert len(workplace.forge.pulls) == 1


def test_a_push_without_its_pull_request_is_made_good_by_the_next_run(
    propose, workplace, monkeypatch
):
    monkeypatch.delenv("GITHUB_TOKEN")
    code, out, _ = propose("--push")
    assert code == 0
    assert "no pull request: GITHUB_REPOSITORY and GITHUB_TOKEN are not set" in out
    before = workplace.forge.head(BRANCH)
    monkeypatch.setenv("GITHUB_TOKEN", workplace.forge.environment()["GITHUB_TOKEN"])
    propose("--push")
    assert workplace.forge.head(BRANCH) == before
    assert len(workplace.forge.pulls) == 1


@pytest.mark.parametrize("push", [True, False])
def test_checkout_index_branch_and_unsaved_work_stay_as_they_are(propose, workplace, push):
    clone = workplace.clone
    git(clone, "checkout", "-q", "-b", "mine")
    workplace.file.write_text("a stack file in the middle of an edit: [\n")
    (clone / "staged.txt").write_text("staged\n")
    git(clone, "add", "staged.txt")
    (clone / "new.txt").write_text("untracked\n")
    before = state(clone)
    assert propose(*(["--push"] if push else []))[0] == 0
    assert state(clone) == before
    assert workplace.file.read_text() == "a stack file in the middle of an edit: [\n"


TASTE = """\
[commit]
    gpgSign = true
    cleanup = strip
[log]
    showSignature = true
    date = relative
[push]
    followTags = true
    gpgSign = if-asked
[color]
    ui = always
[core]
    hooksPath = {hooks}
    commentChar = F
[fetch]
    prune = true
[gpg]
    program = /bin/false
"""


def test_what_a_person_likes_of_git_changes_nothing(propose, workplace, planner, monkeypatch):
    git(workplace.clone, "tag", "-a", "-m", "private", "mine")
    hooks = workplace.clone.parent / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "post-checkout", "pre-push", "reference-transaction"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    taste = workplace.clone.parent / "gitconfig"
    taste.write_text(TASTE.format(hooks=hooks))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(taste))
    assert propose("--push")[0] == 0
    planner.ceilings = {"camera": 8}
    code, _, err = propose("--push")
    assert (code, err) == (0, "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert ceiling(workplace) == 8
    assert "Fairweather-Stack: dev" in git(workplace.bare, "log", "-1", "--format=%B", BRANCH)
    assert git(workplace.bare, "tag") == ""


def test_a_plan_that_fails_leaves_no_work_tree(propose, workplace, planner, monkeypatch, tmp_path):
    def fails(*_, **__):
        raise Refusal("no telemetry; bring it back")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr(planning, "make", fails)
    before = state(workplace.clone)
    assert propose("--push") == (1, "", "no telemetry; bring it back\n")
    assert state(workplace.clone) == before
    assert list(scratch.iterdir()) == []


def test_without_push_the_commit_is_on_the_branch_here(propose, workplace):
    code, out, _ = propose()
    assert code == 0
    assert f"git push origin {BRANCH}" in out
    assert git(workplace.clone, "log", "-1", "--format=%ae", BRANCH) == EMAIL
    assert workplace.forge.head(BRANCH) is None


def test_the_base_moves_on_and_the_proposal_stays_mergeable(propose, workplace, planner):
    propose("--push")
    text = workplace.file.read_text()
    reason = "        reason: set by hand\n"
    moved = text.replace("ceiling: 6", "ceiling: 5", 1).replace(reason, "", 1)
    place = moved.index("    photos:\n      aws:us-east-1:\n        floor:")
    base = workplace.commit(
        moved[:place].rstrip("\n") + "\n        reason: by a person\n" + moved[place:]
    )
    planner.ceilings = {"camera": 8}
    assert propose("--push")[0] == 0
    assert git(workplace.bare, "merge-base", "main", BRANCH) == base
    assert ceiling(workplace) == 8
    git(workplace.clone, "fetch", "-q")
    git(workplace.clone, "merge", "-q", "--ff-only", f"origin/{BRANCH}")


def test_an_unrelated_commit_on_the_base_does_not_stir_the_proposal(propose, workplace):
    propose("--push")
    before = workplace.forge.head(BRANCH)
    (workplace.clone / "notes.md").write_text("unrelated\n")
    git(workplace.clone, "add", "notes.md")
    git(workplace.clone, "commit", "-q", "-m", "notes")
    git(workplace.clone, "push", "-q", "origin", "main")
    propose("--push")
    assert workplace.forge.head(BRANCH) == before


def test_the_remote_decides_not_a_stale_clone(propose, workplace, planner):
    elsewhere = workplace.clone.parent / "elsewhere"
    git(workplace.clone.parent, "clone", "-q", str(workplace.bare), str(elsewhere))
    git(elsewhere, "commit", "-q", "--allow-empty", "-m", "by a colleague")
    git(elsewhere, "push", "-q", "origin", "main")
    propose("--push")
    newest = git(elsewhere, "rev-parse", "main")
    assert git(workplace.bare, "merge-base", "main", BRANCH) == newest


def test_a_persons_commit_on_the_branch_is_never_overwritten(propose, workplace, planner):
    propose("--push")
    git(workplace.clone, "fetch", "-q")
    git(workplace.clone, "checkout", "-q", BRANCH)
    git(workplace.clone, "commit", "-q", "--allow-empty", "-m", "a tweak")
    git(workplace.clone, "push", "-q", "origin", BRANCH)
    git(workplace.clone, "checkout", "-q", "main")
    before = workplace.forge.head(BRANCH)
    planner.ceilings = {"camera": 8}
    code, _, err = propose("--push")
    assert code == 1
    assert err == (
        f"{BRANCH} holds commit {before[:7]} by ada@example.com, which is not the planner's; "
        "merge it, or delete the branch, and propose again\n"
    )
    assert workplace.forge.head(BRANCH) == before
    assert propose()[0] == 1, "and neither is the branch here"


def test_a_merged_branch_that_was_left_behind_is_used_again(propose, workplace, planner):
    propose("--push")
    git(workplace.clone, "fetch", "-q")
    git(workplace.clone, "checkout", "-q", "--detach", f"origin/{BRANCH}")
    git(workplace.clone, "commit", "-q", "--allow-empty", "-m", "a tweak")
    git(workplace.clone, "push", "-q", "origin", f"HEAD:{BRANCH}")
    # Squashed: what is on main is not what is on the branch.
    git(workplace.clone, "checkout", "-q", "main")
    git(workplace.clone, "merge", "-q", "--squash", f"origin/{BRANCH}")
    git(workplace.clone, "commit", "-q", "-m", "chore(dev): right-size camera (#1)")
    git(workplace.clone, "push", "-q", "origin", "main")
    workplace.forge.merge(1, git(workplace.clone, "rev-parse", "main"))
    planner.ceilings = {"camera": 8}
    assert propose("--push")[0] == 0
    assert [pull["state"] for pull in workplace.forge.pulls] == ["closed", "open"]
    assert ceiling(workplace) == 8


def test_a_branch_that_moves_meanwhile_is_not_overwritten(propose, workplace, planner, monkeypatch):
    propose("--push")
    planner.ceilings = {"camera": 8}
    make = planner.make

    def slow(root, name, **asked):
        tip = git(workplace.bare, "commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "sudden")
        git(workplace.bare, "update-ref", f"refs/heads/{BRANCH}", tip)
        return make(root, name, **asked)

    monkeypatch.setattr(planning, "make", slow)
    code, _, err = propose("--push")
    assert code == 1
    assert err.count("\n") == 1
    assert "stale info" in err
    assert git(workplace.bare, "log", "-1", "--format=%s", BRANCH) == "sudden"


def test_only_the_branch_of_the_stack_is_pushed(propose, workplace):
    git(workplace.clone, "branch", "private")
    propose("--push")
    heads = git(workplace.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    assert heads.split() == [BRANCH, "main"]


def test_a_reverted_proposal_is_not_made_again(propose, workplace, planner):
    propose("--push")
    git(workplace.clone, "fetch", "-q")
    git(
        workplace.clone, "merge", "-q", "--no-ff", "-m", "Merge pull request #1", f"origin/{BRANCH}"
    )
    git(workplace.clone, "revert", "-m", "1", "--no-edit", "HEAD")
    git(workplace.clone, "push", "-q", "origin", "main")
    revert = git(workplace.clone, "rev-parse", "--short=7", "HEAD")
    workplace.forge.merge(1, git(workplace.clone, "rev-parse", "HEAD"))
    code, out, _ = propose("--push")
    until = datetime.now(UTC).date() + timedelta(days=14)
    assert code == 0
    assert out == (
        f"camera aws:us-east-1: held until {until}: commit {revert} took the planner's change back\n"
        "dev: the stack file is what would be planned; nothing to propose\n"
    )
    planner.ceilings = {"camera": 9, "voice": 9}
    propose("--push")
    assert (ceiling(workplace), ceiling(workplace, "voice")) == (6, 9), "the others go on"


def test_telemetry_that_is_a_file_is_read_where_the_user_stands(propose, workplace, planner):
    propose()
    assert planner.asked[0]["data"] == workplace.clone


def test_a_shallow_clone_is_refused(propose, workplace):
    git(workplace.clone, "commit", "-q", "--allow-empty", "-m", "so that there is a past")
    git(workplace.clone, "push", "-q", "origin", "main")
    git(workplace.clone, "fetch", "-q", "--depth=1", "origin", "main")
    code, _, err = propose("--push")
    assert code == 1
    assert err.count("\n") == 1
    assert "git fetch --unshallow" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--push", "--remote", "nowhere"], "git fetch in "),
        (["--push", "--base", "release"], "couldn't find remote ref refs/heads/release"),
        (["--base", "release"], "invalid reference: release"),
        (["--at", "yesterday"], "--at yesterday: not a time"),
    ],
)
def test_what_cannot_be_done_is_one_line(propose, arguments, told):
    code, _, err = propose(*arguments)
    assert code == 1
    assert told in err
    assert err.count("\n") == 1


def test_a_stack_that_the_base_does_not_have_is_one_line(workplace, planner, capsys):
    words = ["--root", str(workplace.clone), "propose", "prod"]
    assert cli.main(words) == 1
    assert capsys.readouterr().err == (
        "there is no stack file stacks/Pulumi.prod.yaml; stacks here: dev\n"
    )
