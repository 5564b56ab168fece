"""The whole loop as a new user runs it, and what is left when it is killed half-way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def tree_state() -> str:
    return subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory, pulumi, kubernetes_binaries):
    """(folder, output) of one demo."""
    assert pulumi
    assert kubernetes_binaries
    folder = tmp_path_factory.mktemp("demo")
    home = tmp_path_factory.mktemp("home")
    before = tree_state()
    done = subprocess.run(
        [ROOT / "fairweather", "demo", "--folder", folder],
        capture_output=True,
        text=True,
        check=False,
        # Were anything of the user's touched, it would be in this home.
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": cache_home()},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_state() == before
    assert list(home.iterdir()) == []
    return folder, done.stdout


def cache_home() -> str:
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


def section(text: str, number: int) -> str:
    found = re.search(rf"(?ms)^{number}\. .*?(?=^{number + 1}\. |\Z)", text)
    assert found, f"no section {number} in:\n{text}"
    return found[0]


def test_the_demo_tells_the_ten_steps_in_order(told):
    _, text = told
    assert re.findall(r"(?m)^(\d+)\. ", text) == [str(step) for step in range(1, 11)]


def test_the_tour_answers_each_question_and_leaves_its_pages(told):
    folder, text = told
    seen = section(text, 9)
    for said in (
        "assistant   aws:us-east-1               6", "2 open in", "month end", "commit now",
        "users within", "pass ", "fail ", "insufficient ", "CycloneDX",
    ):  # fmt: skip
        assert said in seen, said
    assert "Traceback" not in seen
    pages = {page.name for page in folder.glob("*.html")}
    assert pages == {
        "report.html", "anomalies.html", "spend.html", "placement.html", "fairness.html",
    }  # fmt: skip


def test_the_plan_becomes_a_commit_with_trailers_and_nothing_else_changes(told):
    folder, text = told
    checkout = folder / "checkout"
    files = subprocess.run(
        ["git", "diff", "--name-only", "HEAD~1", "HEAD"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert files == "stacks/Pulumi.dev.yaml\n"
    for key in ("Fairweather-Data-Sha256", "Fairweather-Model", "Fairweather-Cost-After"):
        assert f"{key}: " in section(text, 4)


def test_the_gate_passes_and_the_deployment_goes_through(told):
    _, text = told
    assert "gate: passed" in section(text, 5)
    assert re.search(r"up: \d+ created", section(text, 6))
    assert "error" not in section(text, 6)


def test_the_clouds_themselves_hold_what_the_plan_says(told):
    folder, text = told
    from stacks import load

    stack = load(folder / "checkout" / "stacks" / "Pulumi.dev.yaml")
    seen = section(text, 7)
    capacity = stack.capacity["camera"]["aws:us-east-1"]
    floors = f"floor {capacity.floor.least}-{capacity.floor.peak}"
    assert re.search(rf"camera/camera: {floors} .*ceiling {capacity.ceiling}", seen)


def test_each_bad_change_is_stopped_with_a_reason(told):
    _, text = told
    stops = section(text, 8)
    assert stops.count("stopped: ") == 4, stops
    assert stops.count("✗") == 4
    assert "data-stays-where-it-may" in stops


def test_nothing_is_left_running(told):
    folder, _ = told
    listed = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(folder) not in listed


@pytest.mark.browser
def test_the_report_opens_in_a_browser_offline(told, chromium, tmp_path):
    folder, _ = told
    dumped = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            (folder / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert dumped.count("<svg") >= 8
    assert "camera" in dumped
    page = (folder / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_a_demo_that_is_killed_leaves_nothing_behind_and_can_be_run_again(tmp_path, pulumi):
    assert pulumi
    demo = subprocess.Popen(
        [ROOT / "fairweather", "demo", "--folder", tmp_path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    ready = tmp_path / "sandbox" / "running.json"
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    sandbox = json.loads(ready.read_text())["pid"]
    os.killpg(demo.pid, signal.SIGKILL)
    demo.wait()
    while Path(f"/proc/{sandbox}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{sandbox}").exists()
    listed = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(tmp_path) not in listed
