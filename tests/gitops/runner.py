"""Runs a job of a workflow as a runner does: its steps in order, their lines by bash.

What `uses:` names is given by the test, and an expression is looked up in a table, never guessed:
an action or an expression that the test does not know fails it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}", re.DOTALL)
# What `shell: bash` and no shell at all mean, by GitHub's reference of the workflow syntax.
SHELLS = {
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"),
    None: ("bash", "-e"),
}


def read(file: Path) -> Any:
    return YAML(typ="safe", pure=True).load(file)


@dataclass
class Runner:
    """One runner with a workspace, for one job."""

    workspace: Path
    temporary: Path
    environment: dict[str, str]
    values: Mapping[str, str]
    """Expression -> what it stands for."""
    actions: Mapping[str, Callable[[Runner, dict[str, str]], None]]
    """`owner/name` -> what it does here, with its inputs."""
    said: list[str] = field(default_factory=list)
    failed: bool = False
    summary: str = ""

    def run(self, job: Mapping[str, Any]) -> None:
        for step in job["steps"]:
            self.step(step, {})

    def step(self, step: Mapping[str, Any], inner: dict[str, dict[str, str]]) -> None:
        """Run a step unless its condition, or a failure before it, says no."""
        condition = step.get("if", "success()")
        goes = {"success()": not self.failed, "always()": True}.get(condition)
        if goes is None:
            goes = not self.failed and self.values[condition] == "true"
        if not goes:
            return
        if "uses" in step:
            self.use(step["uses"], self.filled(step.get("with", {}), inner), step, inner)
        else:
            self.shell(step, inner)

    def use(self, name: str, inputs: dict[str, str], step: Any, inner: Any) -> None:
        if not name.startswith("./"):
            self.actions[name.partition("@")[0]](self, inputs)
            return
        action = read(self.workspace / name / "action.yml")
        steps: dict[str, dict[str, str]] = {}
        for below in action["runs"]["steps"]:
            self.step(below, steps)
        told = {key: value["value"] for key, value in action.get("outputs", {}).items()}
        inner[step.get("id", "")] = self.filled(told, steps)
        self.values = {**self.values, **named(inner)}

    def shell(self, step: Mapping[str, Any], inner: dict[str, dict[str, str]]) -> None:
        assert "${{" not in step["run"], "values come by the environment, not into the line"
        files = {
            name: self.temporary / name
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        }
        for file in files.values():
            file.write_text("")
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            (*SHELLS[step.get("shell")], str(script)),
            cwd=self.workspace,
            env={
                **self.environment,
                **self.filled(step.get("env", {}), inner),
                **{name: str(file) for name, file in files.items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said.append(done.stdout)
        self.failed = self.failed or done.returncode != 0
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        inner[step.get("id", "")] = dict(line.split("=", 1) for line in lines)

    def filled(self, texts: Mapping[str, Any], inner: dict[str, dict[str, str]]) -> dict[str, str]:
        """The texts with their expressions looked up."""
        known = {**self.values, **named(inner)}
        return {
            key: EXPRESSION.sub(lambda found: known[found[1]], str(text))
            for key, text in texts.items()
        }


def named(steps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"steps.{step}.outputs.{key}": value
        for step, outputs in steps.items()
        for key, value in outputs.items()
    }


def bare_environment(home: Path) -> dict[str, str]:
    """What every step of a hosted runner sees: no token, no login, an empty home."""
    home.mkdir(exist_ok=True)
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "FAIRWEATHER_RUN", "KUBEBUILDER_ASSETS")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(home),
        "XDG_CACHE_HOME": cache,  # what actions/cache brings back
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
