"""`fairweather place` as people and machines meet it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import stacks
from forecasting.telemetry import synthetic
from gitops import cli
from tests.forecasting.services import END

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A checkout's stack files, and 14 days of synthetic demand."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / "stacks", root / "stacks", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    for name in ("dev", "prod"):
        stack = stacks.load(root / "stacks" / f"Pulumi.{name}.yaml")
        frame = synthetic.generate(stack, days=14, end=END, seed=7)
        synthetic.write(frame, root / f"{name}.csv.gz")
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch) -> Path:
    copy = tmp_path / "checkout"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    return copy


def place(capsys, root: Path, *arguments: str, stack: str = "prod") -> tuple[int, str, str]:
    code = cli.main(
        ["--root", str(root), "place", stack, "--demand", f"{stack}.csv.gz", *arguments]
    )
    out, err = capsys.readouterr()
    return code, out, err


def test_it_says_where_each_app_should_run_what_is_not_judged_and_what_the_slo_costs(capsys, root):
    before = (root / "stacks" / "Pulumi.prod.yaml").read_bytes()
    code, out, err = place(capsys, root)
    assert (code, err) == (0, "")
    assert "not judged: assistant: where its users are is not known" in out
    assert "left out: camera: no price for l4 at aws:eu-west-1" in out
    assert "what your SLO costs" in out
    assert "estimated from distance and a mobile last mile" in out
    assert out.splitlines()[-1].startswith("nothing written; `fairweather place prod --write`")
    assert (root / "stacks" / "Pulumi.prod.yaml").read_bytes() == before


def test_the_same_again_is_the_same_to_the_byte(capsys, root):
    first, second = (place(capsys, root, "--json")[1] for _ in range(2))
    assert first == second
    told = json.loads(first)
    assert set(told["apps"]) == {"camera", "photos", "voice", "translate", "health", "search"}
    assert told["apps"]["health"]["moves"] is False
    assert told["usd_month"]["proposed"] <= told["usd_month"]["now"]


def test_what_is_written_keeps_the_contract_and_says_what_was_shown(capsys, root):
    shown = json.loads(place(capsys, root, "--json")[1])
    code, out, _ = place(capsys, root, "--write")
    assert (code, out.splitlines()[-1].split(";")[0]) == (0, "stacks/Pulumi.prod.yaml written")
    stack = stacks.load(root / "stacks" / "Pulumi.prod.yaml")
    for name, told in shown["apps"].items():
        assert set(stack.apps[name].locations) == set(told["proposed"]["locations"])
        assert set(stack.capacity[name]) == set(told["proposed"]["locations"])


def test_promises_that_clash_are_named_and_exit_with_1(capsys, root):
    (root / "rtt.csv").write_text(
        "area,location,network_ms\n"
        + "".join(f"{area},gcp:europe-west4,900\n" for area in ("uk", "eu-west", "eu-central"))
    )
    code, out, _ = place(capsys, root, "--network", "rtt.csv")
    assert code == 1
    assert "clash search: 0% of its users within 100 ms, not 95%; add candidates near them" in out


def test_the_report_is_one_page_with_a_matrix_for_each_app(capsys, root):
    assert place(capsys, root, "--report", "page.html")[0] == 0
    page = (root / "page.html").read_text()
    assert page.count("<h2>") == 6 + 2  # an app each, what the SLO costs, and the lines to change
    assert 'title="us-east to aws:us-east-1"' in page
    assert "http" not in page.split("</style>")[1]


def test_users_from_a_file_take_the_place_of_those_in_the_stack(capsys, root):
    (root / "users.csv").write_text("app,area,share\nassistant,us-east,1\nvoice,us-east,1\n")
    told = json.loads(place(capsys, root, "--users", "users.csv", "--json")[1])
    assert list(told["apps"]["voice"]["proposed"]["network_ms"]) == ["us-east"]
    assert told["not_judged"]["assistant"].startswith("the network's part of the SLO is not known")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--network", "none.csv"), "none.csv: cannot be read: no such file or directory; name a CSV file"),
        (("--users", "none.csv"), "none.csv: cannot be read: no such file or directory; name a CSV file"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_there_is_one_line(capsys, root, arguments, line):
    assert place(capsys, root, *arguments) == (1, "", line + "\n")
