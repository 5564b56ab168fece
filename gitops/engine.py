"""The Pulumi engine, run through the Automation API on this checkout and its policy pack.

Without a sandbox the user's own environment is used as it is: their login, backend and credentials. With one, the
engine gets a home, a backend and cloud endpoints of the sandbox's own, and never looks at the user's.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops.checkout import stack_file
from tools.locate import locate

if TYPE_CHECKING:
    from pulumi import automation

PACK = "policypacks/guardrails"
USERS_OWN = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "KUBECONFIG", "PULUMI_")
"""How the variables begin that lead to a user's accounts, clusters and Pulumi login."""
Line = Callable[[str], None]


class EngineError(RuntimeError):
    """The engine or a provider failed; the text is what Pulumi said, without the noise."""


@dataclass(frozen=True)
class Finding:
    """One word of the gate about one resource."""

    rule: str
    level: str
    message: str
    urn: str

    @property
    def blocks(self) -> bool:
        return self.level == "mandatory"

    @property
    def text(self) -> str:
        """What the rule said of this resource, without the description that Pulumi puts in front."""
        return self.message.split("\n", 1)[-1].strip()

    @property
    def resource(self) -> str:
        """`type name`, as a person would look for it."""
        parts = self.urn.split("::")
        return f"{parts[-2].split('$')[-1]} {parts[-1]}" if len(parts) > 2 else "the whole stack"


@dataclass
class Outcome:
    """What one run of the engine did or would do."""

    changes: dict[str, int] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)
    """(operation, urn) for everything that is not the same."""
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def blocked(self) -> bool:
        return any(finding.blocks for finding in self.findings)

    @property
    def failed(self) -> bool:
        return self.blocked or bool(self.errors)

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**dataclasses.asdict(self), "blocked": self.blocked, "failed": self.failed}


def environment(sandbox_home: Path | None = None) -> dict[str, str]:
    """What the engine needs on top of this process's environment."""
    tools = locate()
    if tools.pulumi is None:
        raise EngineError("no Pulumi engine was found; run `make setup`")
    folders = [str(tools.pulumi.parent)]
    if tools.language_host_dir is not None:
        folders.insert(0, str(tools.language_host_dir))
    added = {
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", "")]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if sandbox_home is None:
        return added
    from sandbox import lifecycle

    own = sandbox_home.resolve() / "pulumi"
    (own / "state").mkdir(parents=True, exist_ok=True)
    return {
        **added,
        **lifecycle.environment(sandbox_home),
        "PULUMI_HOME": str(own / "home"),
        "PULUMI_BACKEND_URL": f"file://{own / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # The state of a throw-away deployment is written once, at the end.
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
    }


class Engine:
    """One stack of one checkout, previewed and deployed together with the policy pack."""

    def __init__(self, root: Path, stack: str, *, throw_away: bool) -> None:
        """Select the stack; with `throw_away` (a sandbox) it is made where it does not exist yet.

        Raises Refusal where there is no such stack file, EngineError when the stack or its backend
        cannot be reached.
        """
        from pulumi import automation

        self.root, self._throw_away = root, throw_away
        self._file = stack_file(root, stack)
        try:
            if throw_away:
                made(root, stack)
            self.stack = automation.select_stack(stack, work_dir=str(root))
        except automation.CommandError as error:
            raise EngineError(reason(str(error))) from error

    def preview(self, on_line: Line | None = None, *, refresh: bool = False) -> Outcome:
        """What `pulumi preview` with the pack says. Nothing is changed."""
        return self._run("preview", on_line, policy_packs=[str(self.root / PACK)], refresh=refresh)

    def up(self, on_line: Line | None = None, *, refresh: bool = False) -> Outcome:
        """Deploy what a preview has passed.

        The pack judges each resource again before it is touched, and the whole stack at the end.
        """
        return self._run("up", on_line, policy_packs=[str(self.root / PACK)], refresh=refresh)

    def destroy(self, on_line: Line | None = None) -> Outcome:
        """Delete everything the stack holds; its stack file stays."""
        return self._run("destroy", on_line)

    def resources(self) -> list[dict[str, Any]]:
        """What the program declares, as the engine sees it at preview: urn, type, inputs, parent, propertyDependencies.

        Raises EngineError when the preview fails.
        """
        command = ("pulumi", "preview", "--json", "--stack", self.stack.name, "--non-interactive")
        with self._config() as file:
            own = ("--config-file", file) if file else ()
            done = subprocess.run(
                (*command, *own), cwd=self.root, capture_output=True, text=True, check=False
            )
        try:
            told = json.loads(done.stdout)
        except ValueError as error:
            raise EngineError(reason(done.stderr or done.stdout)) from error
        if done.returncode:
            said = [
                plain(d["message"])
                for d in told.get("diagnostics", ())
                if d.get("severity") == "error"
            ]
            raise EngineError("\n".join(said) or reason(done.stderr))
        return [step["newState"] for step in told["steps"] if "newState" in step]

    @contextmanager
    def _config(self) -> Iterator[str | None]:
        """A copy of the stack file for a throw-away stack, whose salt the engine would write into it."""
        if not self._throw_away:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="fairweather-") as folder:
            yield shutil.copy(self._file, folder)

    def _run(self, verb: str, on_line: Line | None, **options: Any) -> Outcome:
        from pulumi import automation

        outcome, started = Outcome(), time.monotonic()

        def listen(event: automation.EngineEvent) -> None:
            record(outcome, event, on_line)

        try:
            with self._config() as file:
                run = getattr(self.stack, verb)
                run(on_event=listen, color="never", config_file=file, **options)
        except automation.CommandError as error:
            if not outcome.failed:  # nothing in the events says why
                outcome.errors.append(reason(str(error)))
        outcome.seconds = time.monotonic() - started
        return outcome


def forget_the_users_clouds() -> None:
    """Nothing that this process starts from now on finds them."""
    for name in [name for name in os.environ if name.startswith(USERS_OWN)]:
        del os.environ[name]


def made(root: Path, stack: str) -> None:
    """Make the stack in its backend, where it is not there yet, from a folder of its own.

    In the checkout `pulumi stack init` would reformat the stack file and add a salt to it.
    """
    from pulumi import automation

    named = re.search(r"(?m)^name: *(\S+)", (root / "Pulumi.yaml").read_text())
    assert named is not None, "Pulumi.yaml names the project"
    with tempfile.TemporaryDirectory(prefix="fairweather-") as folder:
        Path(folder, "Pulumi.yaml").write_text(f"name: {named[1]}\nruntime: python\n")
        automation.create_or_select_stack(stack, work_dir=folder)


def record(outcome: Outcome, event: automation.EngineEvent, on_line: Line | None) -> None:
    """Add one engine event to the outcome; tell `on_line` of each step."""
    if event.policy_event is not None:
        said = event.policy_event
        outcome.findings.append(
            Finding(
                said.policy_name,
                said.enforcement_level,
                plain(said.message),
                said.resource_urn or "",
            )
        )
    elif event.diagnostic_event is not None:
        text = plain(event.diagnostic_event.message)
        known = {"error": outcome.errors, "warning": outcome.warnings}.get(
            event.diagnostic_event.severity
        )
        if known is not None and text and text not in known and not text.startswith(NOISE):
            known.append(text)
    elif event.summary_event is not None:
        outcome.changes = {
            op.value if hasattr(op, "value") else str(op): count
            for op, count in event.summary_event.resource_changes.items()
        }
    elif event.resource_pre_event is not None:
        step = event.resource_pre_event.metadata
        operation = step.op.value if hasattr(step.op, "value") else str(step.op)
        if operation not in ("same", "read"):
            outcome.steps.append((operation, step.urn))
            if on_line is not None:
                on_line(f"{operation} {step.urn.split('::')[-1]}")


NOISE = (
    "update failed",
    "preview failed",
    "resource registration failed",
    "Destroy failed",
    # Found where we put it.
    "using pulumi-language-python from $PATH",
)
"""What the engine says on top of the reason itself, and what changes nothing for the user."""


def plain(text: str) -> str:
    """Engine text without its colour marks, `<{%fg 1%}>`, and without blank ends."""
    return re.sub(r"<\{%.*?%\}>|\x1b\[[0-9;]*m", "", text).strip()


def reason(text: str) -> str:
    """The lines of a failed command that say why."""
    lines = [plain(line) for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("error:")]
    return "\n".join(errors or [line for line in lines if line][-3:])
