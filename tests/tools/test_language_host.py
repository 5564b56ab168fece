"""The language host, driven by the real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

VENV = Path(sys.executable).parent.parent
PROJECT = """
name: tiny
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {venv}}}}}
"""
PACK = """
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {venv}}}}}
version: 0.0.1
"""
COMPONENT = """
import pulumi
from thing import Thing   # beside the program

settings = pulumi.Config()
levels = settings.require_object("levels")
thing = Thing("one", {"owner": settings.require("owner"), "levels": levels})
pulumi.export("owner", thing.owner)
pulumi.export("where", pulumi.runtime.get_root_directory())
"""
THING = """
import pulumi


class Thing(pulumi.ComponentResource):
    def __init__(self, name, facts):
        super().__init__("test:index:Thing", name, facts)
        self.owner = facts["owner"]
        self.register_outputs(facts)
"""
RULES = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def owned_by_vision(args, report):
    if args.resource_type == "test:index:Thing" and args.props["owner"] != "vision":
        report(f"{args.name} belongs to {args.props['owner']}", args.urn)


PolicyPack("pack", [ResourceValidationPolicy(
    name="owned-by-vision", description="All things belong to vision.",
    enforcement_level=EnforcementLevel.MANDATORY, validate=owned_by_vision)])
"""


class Project:
    """A Pulumi project of one stack, and the engine to run it."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env

    def write(self, program: str, venv: Path = VENV) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text(PROJECT.format(venv=venv))
        (self.folder / "__main__.py").write_text(program)
        (self.folder / "thing.py").write_text(THING)
        (self.folder / "Pulumi.dev.yaml").write_text(
            "config: {'tiny:owner': vision, 'tiny:levels': [0.5, 0.8]}\n"
        )
        self.run("stack", "init", "dev", check=True)

    def pack(self) -> Path:
        folder = self.folder / "pack"
        folder.mkdir()
        (folder / "PulumiPolicy.yaml").write_text(PACK.format(venv=VENV))
        (folder / "__main__.py").write_text(RULES)
        return folder

    def run(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *command, "--color=never", "--non-interactive"],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=check, timeout=120,
        )  # fmt: skip

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", *command, "--color=never", "--non-interactive"],
            cwd=self.folder, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, engine_env: dict[str, str]) -> Project:
    ours = Path(__file__).resolve().parents[2] / "tools" / "language_host"
    # Ours, even where the official host is present.
    env = {**engine_env, "PATH": os.pathsep.join([str(ours), engine_env["PATH"]])}
    return Project(tmp_path / "tiny", env)


def processes_below(folder: Path) -> list[str]:
    """The command lines of processes that were started in a folder, or name it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                where = str((entry / "cwd").readlink())
            except OSError:
                continue
            if where.startswith(str(folder)) or str(folder) in words:
                found.append(words)
    return found


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_a_program_gets_its_configuration_and_neighbours_and_is_deployed(project: Project) -> None:
    project.write(COMPONENT)
    done = project.run("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = json.loads(project.run("stack", "output", "--json").stdout)
    assert outputs == {"owner": "vision", "where": str(project.folder)}
    state = json.loads(project.run("stack", "export").stdout)
    [thing] = [r for r in state["deployment"]["resources"] if r["type"] == "test:index:Thing"]
    assert thing["outputs"]["levels"] == [0.5, 0.8]


def test_a_run_error_is_one_line_without_a_traceback(project: Project) -> None:
    project.write('import pulumi\nraise pulumi.RunError("camera has no capacity; plan it")\n')
    done = project.run("preview")
    assert done.returncode != 0
    diagnostics = done.stdout.split("Diagnostics:")[1]
    errors = [line.strip() for line in diagnostics.splitlines() if "error:" in line]
    assert errors == ["error: camera has no capacity; plan it"]
    assert "Traceback" not in done.stdout + done.stderr


def test_a_traceback_shows_the_programs_frames_and_none_of_ours(project: Project) -> None:
    project.write("def divide(by):\n    return 1 / by\n\n\ndivide(0)\n")
    done = project.run("preview")
    assert done.returncode != 0
    assert "Program failed with an unhandled exception:" in done.stdout
    assert "Traceback (most recent call last):" in done.stdout
    assert "line 5, in <module>" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    for ours in ("program.py", "runpy", "run_in_stack"):
        assert ours not in done.stdout


def test_a_program_that_exits_by_itself_fails_the_preview(project: Project) -> None:
    project.write("import os\nos._exit(7)\n")
    done = project.run("preview")
    assert done.returncode != 0
    assert "Program exited with non-zero exit code: 7" in done.stdout


def test_what_a_program_prints_is_shown(project: Project) -> None:
    project.write('print("planning for three apps")\n')
    assert "planning for three apps" in project.run("preview").stdout


def test_a_missing_virtual_environment_says_what_to_run(project: Project) -> None:
    project.write("pass\n", venv=Path("no-venv"))
    done = project.run("preview")
    assert done.returncode != 0
    python = project.folder / "no-venv" / "bin" / "python"
    assert f"there is no Python at {python}; run `make setup`" in done.stdout


def test_the_virtual_environments_own_tools_are_found_first(project: Project) -> None:
    project.write(
        'import os, shutil\nprint("pip is", shutil.which("pip"), os.environ["VIRTUAL_ENV"])\n'
    )
    assert f"pip is {VENV}/bin/pip {VENV}" in project.run("preview").stdout


def test_a_policy_pack_started_by_the_host_stops_a_preview(project: Project) -> None:
    project.write(COMPONENT)
    pack = str(project.pack())
    good = project.run("preview", "--policy-pack", pack)
    assert good.returncode == 0, good.stdout + good.stderr
    project.run("config", "set", "owner", "audio", check=True)
    bad = project.run("preview", "--policy-pack", pack)
    assert bad.returncode != 0
    assert "one belongs to audio" in bad.stdout
    wait_until(lambda: not processes_below(project.folder), 5, "something outlived the engine")


def test_a_policy_pack_that_crashes_is_shown_with_its_error(project: Project) -> None:
    project.write(COMPONENT)
    pack = project.pack()
    (pack / "__main__.py").write_text('raise SystemExit("thresholds.yaml: no such key")\n')
    done = project.run("preview", "--policy-pack", str(pack))
    assert done.returncode != 0
    assert "thresholds.yaml: no such key" in done.stdout + done.stderr


def test_pulumi_about_names_the_interpreter_and_the_packages(project: Project) -> None:
    project.write(COMPONENT)
    about = json.loads(project.run("about", "--json").stdout)
    assert about["runtime"]["executable"] == str(VENV / "bin" / "python")
    assert about["runtime"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert "pytest-xdist" in {package["name"] for package in about["dependencies"]}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
def test_nothing_outlives_an_engine_that_is_ended(project: Project, number: signal.Signals) -> None:
    project.write("import time\nprint('at work')\ntime.sleep(60)\n")
    pack = str(project.pack())
    engine = project.start("up", "--yes", "--skip-preview", "--policy-pack", pack)
    try:
        wait_until(
            lambda: any("program.py" in words for words in processes_below(project.folder)),
            30, "the program did not start",
        )  # fmt: skip
        engine.send_signal(number)
        if number == signal.SIGINT:
            time.sleep(1)
            engine.send_signal(number)  # the second one ends it at once
        said, _ = engine.communicate(timeout=30)
        wait_until(lambda: not processes_below(project.folder), 10, "something outlived the engine")
        assert "Traceback" not in said
        assert "KeyboardInterrupt" not in said
    finally:
        engine.kill()
