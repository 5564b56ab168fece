"""What the README tells people to type can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import stacks
from gitops import cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    README,
    *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))),
]
TYPED = sorted({
    line.split("#")[0].strip()
    for page in PAGES
    for line in re.findall(r"(?m)^\$ \./fairweather (.+)$", page)
    if not re.search(r"[|…&]", line)
})  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
def test_a_command_of_the_pages_is_understood(typed):
    assert cli.parser().parse_args(shlex.split(typed)).run


def test_there_are_commands_to_hold():
    assert len(TYPED) > 15


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_what_the_readme_links_to_is_there(path):
    assert (ROOT / path).exists()


def test_the_example_of_an_event_is_one(tmp_path):
    [text] = re.findall(r"`fairweather:events: (\[.*?\])`", README, re.DOTALL)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f"{(ROOT / 'stacks' / file.name).read_text()}  fairweather:events: {text}\n")
    [event] = stacks.load(file).events
    assert (event.name, event.expected_multiplier) == ("sale", 3)
