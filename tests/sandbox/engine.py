"""The real engine on a small program, for stories about the embedded clouds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VENV = Path(sys.executable).parent.parent
HEAD = "import json, pulumi, pulumi_aws as aws, pulumi_gcp as gcp, pulumi_kubernetes as k8s\n"
RUN_SECONDS = 180


@dataclass(frozen=True)
class Ran:
    """What one run of the engine said."""

    code: int
    text: str

    @property
    def changes(self) -> dict[str, int]:
        """`{"create": 2, "unchanged": 1}` from the last summary."""
        found = self.text[self.text.rindex("Resources:") :] if "Resources:" in self.text else ""
        counts = re.findall(r"(\d+) (?:to )?(create|update|replace|delete|unchange)", found)
        return {verb: int(count) for count, verb in counts}


class Program:
    """A Pulumi project with one stack, on the clouds of one sandbox."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.folder.mkdir()
        runtime = f"{{name: python, options: {{toolchain: pip, virtualenv: {VENV}}}}}"
        (folder / "Pulumi.yaml").write_text(f"name: story\nruntime: {runtime}\n")
        settings = {"aws:region": "us-east-1", "gcp:project": "story-1"}
        (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": settings}))
        assert self.run("stack", "init", "dev").code == 0

    def write(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(HEAD + text)

    def run(self, *command: str) -> Ran:
        done = subprocess.run(
            ("pulumi", *command, "--non-interactive", "--color", "never"),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def preview(self, *options: str) -> Ran:
        return self.run("preview", "-s", "dev", *options)

    def up(self, text: str | None = None, *options: str) -> Ran:
        """Deploy, and fail the test where that fails."""
        if text is not None:
            self.write(text)
        ran = self.run("up", "-s", "dev", "--yes", "--skip-preview", *options)
        assert ran.code == 0, ran.text
        return ran

    def refresh(self) -> Ran:
        ran = self.run("refresh", "-s", "dev", "--yes", "--skip-preview")
        assert ran.code == 0, ran.text
        return ran

    def destroy(self) -> Ran:
        ran = self.run("destroy", "-s", "dev", "--yes", "--skip-preview")
        assert ran.code == 0, ran.text
        return ran

    def outputs(self) -> dict[str, Any]:
        done = subprocess.run(
            ("pulumi", "stack", "output", "--json", "-s", "dev"),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found
