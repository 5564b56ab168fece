"""The gate inside the real engine: preview and up are blocked, or pass, with a program of components only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from samples import PACK, budgets, evidence, service

pytestmark = pytest.mark.slow

VENV = Path(sys.executable).parent.parent
PROJECT = (
    f"name: tiny\nruntime: {{name: python, options: {{toolchain: pip, virtualenv: {VENV}}}}}\n"
)
PROGRAM = """
import json
import pulumi


class Told(pulumi.ComponentResource):
    def __init__(self, kind, name, facts):
        super().__init__(kind, name, facts)
        self.register_outputs(facts)


for state in json.loads(open("states.json").read()):
    Told(state["type"], state["urn"].split("::")[-1], state["inputs"])
"""


@pytest.fixture
def run(tmp_path, engine_env):
    """Runs the engine with the pack on components that are told as states; returns exit code and output."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)

    def pulumi(*arguments):
        command = ("pulumi", *arguments, "--non-interactive", "--color", "never")
        done = subprocess.run(
            command,
            cwd=folder,
            env=engine_env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    code, output = pulumi("stack", "init", "dev")
    assert code == 0, output

    def with_states(states, *arguments):
        (folder / "states.json").write_text(json.dumps(states))
        return pulumi(*arguments, "--stack", "dev", "--policy-pack", str(PACK))

    with_states.export = lambda: pulumi("stack", "export", "--stack", "dev")[1]
    return with_states


def deployed(run):
    """Names of what the stack holds."""
    held = json.loads(run.export())["deployment"].get("resources", ())
    return [one["urn"].split("::")[-1] for one in held if one["type"].startswith("fairweather:")]


def unfair():
    slices = [
        {"slice": "lighter", "n": 10_000, "k": 9_100},
        {"slice": "darker", "n": 9_000, "k": 7_000},
    ]
    about = {"modality": "image", "attribute": "skin_tone", "metric": "true_positive_rate"}
    return service(evidence(comparisons=[{**about, "slices": slices}]))


def test_a_sound_program_passes_preview_and_up(run):
    states = [*budgets(), service()]
    assert run(states, "preview")[0] == 0
    code, output = run(states, "up", "--yes", "--skip-preview")
    assert code == 0, output


@pytest.mark.parametrize("verb", [("preview",), ("up", "--yes", "--skip-preview")])
def test_a_model_whose_evidence_fails_is_blocked(run, verb):
    code, output = run([*budgets(), unfair()], *verb)
    assert code != 0
    assert "fairness-is-shown" in output
    assert "darker is worse off than lighter" in output


def test_a_budget_that_is_none_is_blocked_by_what_components_register(run):
    code, output = run([*budgets(app_usd=0), service()], "preview")
    assert code != 0
    assert "camera has a budget of 0.0 USD; give it one above zero" in output


def test_what_only_the_whole_stack_shows_blocks_up_before_anything_is_made(run):
    """By the preview that `pulumi up` makes first: stack rules are asked at the end of a run."""
    code, output = run([*budgets(app_usd=0), service()], "up", "--yes")
    assert code != 0
    assert "app-cost-within-budget" in output
    assert deployed(run) == []
