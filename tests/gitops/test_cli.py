"""The command line: what it takes, what it says, and what it exits with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops import cli

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "plan",
    "propose",
    "preview",
    "up",
    "cost",
    "commitments",
    "replay",
    "place",
    "telemetry",
    "detect",
    "model",
    "sandbox",
    "demo",
)


def told(capsys, *arguments):
    """(exit code, standard output, standard error) of one command."""
    code: object
    try:
        code = cli.main(list(arguments))
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    return code, out, err


def test_help_names_every_command(capsys):
    code, out, _ = told(capsys, "--help")
    assert code == 0
    assert all(f"\n    {command}" in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_that_parses(capsys, command):
    code, out, _ = told(capsys, command, "--help")
    assert code == 0
    example = out.split("example:\n")[1].strip().split(" && ")[0]
    words = example.split()
    assert words[0] == "fairweather"
    assert cli.parser().parse_args(words[1:]).run


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("plam", "dev"),
        ("plan",),
        ("plan", "dev", "--write", "--check"),
        ("replay", "dev", "--days", "many"),
        ("sandbox", "pause"),
        ("model",),
        ("model", "diff", "moderation", "5.2.0"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_how(capsys, arguments):
    code, out, err = told(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: fairweather")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("plan", "prd"), "there is no stack file stacks/Pulumi.prd.yaml; stacks here: dev, prod"),
        (
            ("plan", "dev", "--at", "tomorrow"),
            "--at tomorrow: not a time; write it as 2026-11-24T06:00",
        ),
        (
            ("preview", "prd"),
            "there is no stack file stacks/Pulumi.prd.yaml; stacks here: dev, prod",
        ),
        (
            ("replay", "prd"),
            "there is no stack file stacks/Pulumi.prd.yaml; stacks here: dev, prod",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_1(capsys, arguments, line):
    assert told(capsys, *arguments) == (1, "", line + "\n")


def test_a_demand_file_that_is_not_there_is_named(capsys, tmp_path):
    code, out, err = told(capsys, "plan", "dev", "--demand", str(tmp_path / "none.csv"))
    assert (code, out) == (1, "")
    assert "none.csv" in err
    assert len(err.splitlines()) == 1


def test_the_launcher_works_from_any_folder_and_through_a_link(tmp_path):
    link = tmp_path / "fw"
    link.symlink_to(ROOT / "fairweather")
    done = subprocess.run(
        [link, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: fairweather")


def test_a_reader_that_has_seen_enough_is_no_error():
    line = f"{ROOT / 'fairweather'} --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
