"""The writer by example: what it changes, what it refuses, and what a failure leaves behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import stacks
from stacks import Capacity, WriteRefused, write_capacity
from stacks.writer import CAPACITY, rewrite

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
HOURS = [2] * 24
GRANT = Capacity.model_validate(
    {
        "floor": {"weekday": HOURS, "weekend": HOURS},
        "ceiling": 14,
        "target_utilisation": 0.85,
        "expected_replicas": 6.2,
        "reason": "q90 floor; replay 28 d: -31 % cost",
    }
)
NEW = {"camera": {"aws:us-east-1": {"floor": {"weekday": [1, 2]}, "ceiling": 3, "reason": "a: b"}}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the production stack, in the folder where the test stands."""
    monkeypatch.chdir(tmp_path)
    copy = Path("Pulumi.prod.yaml")
    copy.write_bytes((ROOT / "stacks" / "Pulumi.prod.yaml").read_bytes())
    return copy


def granted(file: Path) -> dict[str, dict[str, Capacity]]:
    return {app: dict(places) for app, places in stacks.load(file).capacity.items()}


@pytest.mark.parametrize("stack_file", FILES, ids=lambda path: path.name)
def test_writing_what_a_committed_stack_says_changes_nothing(stack_file: Path) -> None:
    before = stack_file.read_bytes()
    assert write_capacity(stack_file, stacks.load(stack_file).capacity) == ""
    assert stack_file.read_bytes() == before


def test_a_changed_grant_is_a_line_for_each_value_and_dry_run_writes_nothing(file: Path) -> None:
    before = file.read_bytes()
    capacity = granted(file)
    there = capacity["camera"]["aws:us-east-1"]
    floor = there.floor.model_copy(update={"weekday": (4, *there.floor.weekday[1:])})
    update = {"floor": floor, "target_utilisation": 0.85, "reason": GRANT.reason}
    capacity["camera"]["aws:us-east-1"] = there.model_copy(update=update)
    diff = write_capacity(file, capacity, dry_run=True)
    nines = ", 9" * 23
    assert [line for line in diff.splitlines() if line[0] in "+-"] == [
        "--- Pulumi.prod.yaml",
        "+++ Pulumi.prod.yaml",
        f"-          weekday: [9{nines}]",
        f"+          weekday: [4{nines}]",
        "-        target_utilisation: 0.7",
        "+        target_utilisation: 0.85",
        "-        reason: set by hand",
        "+        reason: 'q90 floor; replay 28 d: -31 % cost'",
    ]
    assert file.read_bytes() == before
    assert write_capacity(file, capacity) == diff
    assert granted(file) == capacity
    assert write_capacity(file, capacity) == ""


def test_the_diff_is_one_that_git_applies(file: Path) -> None:
    before = file.read_bytes()
    capacity = granted(file)
    del capacity["photos"], capacity["camera"]["gcp:europe-west4"]
    capacity["search"]["aws:us-east-1"] = GRANT
    capacity["added"] = {"aws:eu-west-1": GRANT}
    diff = write_capacity(file, capacity)
    after = file.read_bytes()
    file.write_bytes(before)
    git = ["git", "apply", "-p0", "-"]
    subprocess.run(git, input=diff.encode(), check=True, capture_output=True)
    assert file.read_bytes() == after
    removed = [line for line in diff.splitlines() if line.startswith("-")]
    assert len(removed) == 1 + 8 + 17, "the header and two entries, whole"


def test_the_diff_of_a_file_without_a_last_line_break_applies_too(file: Path) -> None:
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    before = file.read_bytes()
    capacity = granted(file)
    capacity["search"]["gcp:europe-west4"] = GRANT
    diff = write_capacity(file, capacity)
    after = file.read_bytes()
    assert not after.endswith(b"\n")
    file.write_bytes(before)
    git = ["git", "apply", "-p0", "-"]
    subprocess.run(git, input=diff.encode(), check=True, capture_output=True)
    assert file.read_bytes() == after


REASON = (
    "      aws:us-east-1:\n        floor: {weekday: [1, 2]}\n        ceiling: 3\n        reason: "
)
WRITTEN = [
    # Nothing there yet: after our other keys, with the indents of the file.
    ("config:\n   fairweather:apps:\n     camera: 1\n   z: 1\n",
     "config:\n   fairweather:apps:\n     camera: 1\n   fairweather:capacity:\n     camera:\n"
     "       aws:us-east-1:\n         floor:\n           weekday: [1, 2]\n         ceiling: 3\n"
     "         reason: 'a: b'\n   z: 1\n"),
    # Empty: the braces go, the remark stays.
    ("config:\n  fairweather:capacity: {}   # by the planner",
     "config:\n  fairweather:capacity:   # by the planner\n    camera:\n      aws:us-east-1:\n"
     "        floor:\n          weekday: [1, 2]\n        ceiling: 3\n        reason: 'a: b'"),
    # The quotes that stood there stay; a value that means the same stays as it is written.
    ('config: {"fairweather:capacity": {camera: {aws:us-east-1: {reason: "x", ceiling: 3.0,\n'
     " floor: {weekday: [ 01,2 ]}}}}}",
     'config: {"fairweather:capacity": {camera: {aws:us-east-1: {reason: "a: b", ceiling: 3.0,\n'
     " floor: {weekday: [ 1,2 ]}}}}}"),
    # The retired go with the remarks inside them; what stands between entries stays.
    (f"config:\n  fairweather:capacity:\n    old:    # gone\n      # gone\n      x: 1\n"
     f"    # stays\n    camera:\n{REASON}'a: b' # stays\n    last: 1\n",
     f"config:\n  fairweather:capacity:\n    # stays\n    camera:\n{REASON}'a: b' # stays\n"),
    # A new place in the style of its neighbour: quotes, braces.
    ("config:\n  fairweather:capacity:\n    camera:\n      'x': {a: 1}\n",
     "config:\n  fairweather:capacity:\n    camera:\n      'aws:us-east-1': "
     "{floor: {weekday: [1, 2]}, ceiling: 3, reason: 'a: b'}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), WRITTEN)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_new_and_retired_entries_follow_the_style_of_the_file(
    before: str, after: str, newline: str
) -> None:
    before, after = before.replace("\n", newline), after.replace("\n", newline)
    assert rewrite(before, {CAPACITY: NEW}) == after
    assert rewrite(after, {CAPACITY: NEW}) == after
    assert rewrite("\ufeff" + before, {CAPACITY: NEW}) == "\ufeff" + after


def test_single_keys_can_be_set_added_and_removed() -> None:
    text = "a:\n  b: 1  # one\n  c: [1, 2]\n  d: x\n"
    edits: Any = {("a", "b"): 2.50, ("a", "c"): [1, 3], ("a", "d"): None, ("a", "e"): True}
    assert rewrite(text, edits) == "a:\n  b: 2.5  # one\n  c: [1, 3]\n  e: true\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.7, "0.7"), (12.0, "12"), (6.2, "6.2"), (0.00001, "0.00001"), (1e22, "1" + "0" * 22),
        ("plain text", "plain text"), ("2026-01-01", "'2026-01-01'"), ("no", "'no'"),
        ("28 d: x", "'28 d: x'"), ("it's", "it's"), ("- x", "'- x'"), ("", "''"),
        ("a\nb\x85\U0001f680", '"a\\nb\\x85\U0001f680"'), ("x #y", "'x #y'"),
        ("'", "''''"), ("v:", "'v:'"), ("cafe", "cafe"), ("12e", "'12e'"), ("ends ", "'ends '"),
    ],
)  # fmt: skip
def test_values_are_written_the_shortest_way_that_every_reader_takes_alike(
    value: Any, written: str
) -> None:
    assert rewrite("a: {k: 0}\nb:\n  k: 0\n", {("b", "k"): value}) == (
        f"a: {{k: 0}}\nb:\n  k: {written}\n"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_a_value_that_yaml_cannot_hold_is_a_mistake_of_the_caller(value: Any) -> None:
    with pytest.raises(ValueError, match="no place in a stack file"):
        rewrite("b:\n  k: 0\n", {("b", "k"): value})


HEAD = "config:\n  fairweather:capacity:\n    camera:\n"
REFUSED = [
    (HEAD + "      x: &a 1\n", "4: capacity.camera.x: not written: has the anchor &a; "
     "remove it and write the value out where it is used"),
    ("config:\n  a: &a 1\n  fairweather:apps: *a\n",
     "3: apps: not written: is the alias *a; write the value out"),
    ("config:\n  a: &a {x: 1}\n  <<: *a\n",
     "3: config: not written: has a merge key (<<); write the merged keys out"),
    (HEAD + "    camera:\n      x: 1\n",
     "4: capacity.camera: not written: stands twice, first on line 3; remove one"),
    (HEAD + "\t  x: 1\n", "4: not YAML: a tab stands here; use spaces"),
    (HEAD + "      x: {a: 1,\n\t\tb: 2}\n",
     "5: capacity: not written: a tab indents this line; use spaces"),
    ("config:\n  a: 1\n---\nb: 1\n", "3: another document begins here; keep one in a file"),
    ("%YAML 1.1\n---\nconfig:\n  a: 1\n",
     "1: config: not written: a % directive changes how YAML reads; remove it"),
    (HEAD + "      aws:us-east-1:\n        reason: |\n          x\n",
     "5: capacity.camera.aws:us-east-1.reason: not written: "
     "a block of text (| or >) stands there; write it in one line"),
    (HEAD + "      aws:us-east-1:\n        ceiling: !!int 4\n",
     "5: capacity.camera.aws:us-east-1.ceiling: not written: "
     "a tag (!), an anchor or an alias stands there; remove it"),
    (HEAD + "      x: {secure: v1:abc}\n",
     "4: capacity.camera.x: not written: the value is encrypted (secure:)"),
    (HEAD + "      ? x\n      : 1\n",
     "4: capacity.camera: not written: the key does not begin its line"),
    (HEAD + "      ? [x]\n      : 1\n",
     "4: capacity.camera: not written: has a key that is a list or a mapping; use a word"),
    ("config:\n  fairweather:capacity: 3\n",
     "2: capacity: not written: a value or a list stands where a mapping goes"),
    ("config:\n  fairweather:capacity: {x: 1, # c\n    y: 2}\n",
     "2: capacity: not written: a comment stands inside the value; move it"),
    ("other: 1\n", "1: config: not written: no mapping stands there; add it by hand"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_cannot_be_edited_safely_is_refused_with_line_and_reason(text: str, said: str) -> None:
    with pytest.raises(WriteRefused) as refusal:
        rewrite(text, {CAPACITY: NEW}, "Pulumi.x.yaml")
    assert str(refusal.value) == f"Pulumi.x.yaml:{said}"


def test_what_is_unsafe_elsewhere_does_not_hinder() -> None:
    text = (
        "config:\n  aws:a: &a {x: 1}\n  aws:b: {<<: *a}\n  aws:c: !!int 4\n  aws:d: |\n    x\n"
        "  aws:e: {secure: v1:abc}\n  aws:f:\n    x: 1\n    x: 2\n  fairweather:capacity: {}\n"
    )
    result = rewrite(text, {CAPACITY: {"camera": {"x": {"ceiling": 3}}}})
    assert result == text.replace(" {}\n", "\n    camera:\n      x:\n        ceiling: 3\n")


def test_a_failure_while_replacing_leaves_the_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_capacity(file, {"camera": {"aws:us-east-1": GRANT}})
    assert file.read_bytes() == before
    assert list(Path.cwd().iterdir()) == [file.absolute()]


def test_a_file_that_changed_since_it_was_read_is_left_to_its_author(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def edit_meanwhile(descriptor: int) -> None:
        file.write_text("config: {}\n")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", edit_meanwhile)
    with pytest.raises(WriteRefused, match="the file changed meanwhile; run the command again"):
        write_capacity(file, {"camera": {"aws:us-east-1": GRANT}})
    assert file.read_text() == "config: {}\n"
    assert list(Path.cwd().iterdir()) == [file.absolute()]


def test_mode_and_link_are_kept(file: Path) -> None:
    file.chmod(0o640)
    link = Path("link.yaml")
    link.symlink_to(file)
    assert write_capacity(link, {"camera": {"aws:us-east-1": GRANT}}) != ""
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(granted(file)) == ["camera"]


def test_a_stack_without_apps_has_no_capacity(file: Path) -> None:
    write_capacity(file, {"camera": {}})
    assert "fairweather:capacity: {}" in file.read_text()
    assert write_capacity(file, {}) == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff", "Pulumi.prod.yaml: not written: not UTF-8 text; save it as UTF-8"),
        (None, "Pulumi.prod.yaml: not written: no such file or directory; name a stack file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(file: Path, data: bytes | None, said: str) -> None:
    if data is None:
        file.unlink()
    else:
        file.write_bytes(data)
    with pytest.raises(WriteRefused) as refusal:
        write_capacity(file, {})
    assert str(refusal.value) == said
