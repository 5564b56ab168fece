"""How long a preview of a large portfolio takes, with and without the pack, and where the time goes.

    python benchmarks/preview.py [--apps 30] [--runs 3]

Makes a throw-away clone with APPS apps in three locations each, starts the embedded clouds, and
times in turn: the imports alone, the program without an engine, a program that registers as many
empty resources and nothing else, and `pulumi preview` without and with the pack.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from gitops import engine, sandboxing  # noqa: E402  # run by path
from gitops.git import git  # noqa: E402

LOCATIONS = ("aws:us-east-1", "aws:eu-central-1", "gcp:europe-west4")
ENGINE_MS, IMPORT_SECONDS, FACTOR = 12, 2, 1.5
"""What the bare engine needs for a resource, imports need at all, and what ours may add."""
BARE = """import pulumi
for n in range({count}):
    pulumi.ComponentResource("bare:index:Thing", f"thing-{{n}}", {{"a": n, "b": "x" * 400}})
"""
IMPORTS = (
    "import stacks, components, pulumi_aws as a, pulumi_gcp as g, pulumi_kubernetes as k;"
    "a.ec2.Vpc, a.eks.Cluster, a.autoscaling.Tag, a.lb.Listener, a.budgets.Budget, a.iam.Role,"
    "g.compute.Network, g.container.Cluster, g.billing.Budget, g.kms.KeyRing,"
    "k.core.v1.Namespace, k.apps.v1.Deployment, k.networking.v1.Ingress, k.helm.v3.Release"
)


class Timed(NamedTuple):
    """Median of the runs, in seconds."""

    wall: float
    cpu: float
    """Of the command and what it started: steadier than wall time on a busy machine."""


def enlarge(file: Path, apps: int) -> None:
    """Make of a stack file one with `apps` copies of one GPU app, each in three locations."""
    yaml = YAML()
    content = yaml.load(file)
    config = content["config"]
    portfolio = config["fairweather:portfolio"]
    portfolio["budget"]["monthly_usd"] = 5_000_000
    # Without a certificate a balancer speaks plain HTTP, and the gate says so.
    certificates = portfolio["aws"]["certificate_arns"]
    certificates["aws:eu-central-1"] = certificates["aws:us-east-1"]
    app = {
        **config["fairweather:apps"]["camera"],
        "regions": list(LOCATIONS),
        "edge": [],
        "budget": {"monthly_usd": 100_000},
    }
    weekday, weekend = [2] * 6 + [4] * 6 + [6] * 8 + [3] * 4, [2] * 8 + [3] * 14 + [2] * 2
    grant = {
        "floor": {"weekday": weekday, "weekend": weekend},
        "ceiling": 10,
        "target_utilisation": 0.7,
        "expected_replicas": 4,
        "reason": "benchmark",
    }
    names = [f"app-{number:02d}" for number in range(apps)]
    config["fairweather:apps"] = {name: dict(app) for name in names}
    config["fairweather:capacity"] = {
        name: {place: dict(grant) for place in LOCATIONS} for name in names
    }
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(content, file)


def allow(file: Path) -> None:
    """Raise the quota of GPUs and the teams' limits: the gate has to judge everything and find nothing."""
    text = re.sub(r"(?m)^  portfolio: \d+$", "  portfolio: 10000", file.read_text())
    file.write_text(re.sub(r"(?m)^  teams: \{.*?\}", "  teams: {vision-team: 10000000}", text))


def timed(command: list[str], folder: Path, runs: int) -> Timed:
    """Run `runs` times; a failure ends the program, and so does a refusal of the gate."""
    seen = []
    for _ in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seen.append(Timed(wall, cpu))
    return Timed(*(statistics.median(kind) for kind in zip(*seen, strict=True)))


def resource_count(folder: Path) -> int:
    command = ["pulumi", "preview", "--json", "--stack", "dev", "--non-interactive"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the preview failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return len(json.loads(done.stdout)["steps"])


def bare_program(folder: Path, python_home: Path, count: int) -> None:
    """A program of as many resources that nobody has to check, and its stack."""
    folder.mkdir()
    options = f"{{toolchain: pip, virtualenv: {python_home}}}"
    project = f"name: bare\nruntime: {{name: python, options: {options}}}\n"
    (folder / "Pulumi.yaml").write_text(project)
    (folder / "__main__.py").write_text(BARE.format(count=count))
    init(folder)


def init(folder: Path) -> None:
    """Make the stack `dev`."""
    command = ["pulumi", "stack", "init", "dev", "--non-interactive"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def measure(folder: Path, scratch: Path, runs: int) -> None:
    init(folder)
    count = resource_count(folder)  # which warms the caches
    bare_program(scratch / "bare", folder / ".venv", count)
    python = str(folder / ".venv" / "bin" / "python")
    preview = ["pulumi", "preview", "--stack", "dev", "--non-interactive"]
    declare = [python, "tests/components/declare.py", str(folder), "stacks/Pulumi.dev.yaml"]
    commands = {
        "imports": ([python, "-c", IMPORTS], folder),
        "imports and program, no engine": (declare, folder),
        "bare engine, as many empty resources": (preview, scratch / "bare"),
        "preview without the pack": (preview, folder),
        "preview with the pack": ([*preview, "--policy-pack", engine.PACK], folder),
    }
    print(f"{count} resources, median of {runs} runs, {os.cpu_count()} cores")
    print(f"{'':38s} {'wall s':>8s} {'cpu s':>8s} {'wall ms a resource':>20s}")
    rows = {}
    for label, (command, place) in commands.items():
        rows[label] = wall, cpu = timed(command, place, runs)
        print(f"{label:38s} {wall:8.2f} {cpu:8.2f} {1000 * wall / count:20.1f}", flush=True)
    whole = rows["preview without the pack"][0]
    program = rows["imports and program, no engine"][0]
    bare = rows["bare engine, as many empty resources"][0]
    print(f"providers and the rest: {max(0.0, whole - program - bare):.2f} s")
    print(f"the pack adds {rows['preview with the pack'][0] / whole - 1:.0%}")
    allowed = FACTOR * (ENGINE_MS / 1000 * count + IMPORT_SECONDS)
    full = rows["preview with the pack"][0]
    print(f"budget {allowed:.1f} s for everything: {'kept' if full <= allowed else 'MISSED'}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--apps", type=int, default=30)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="fairweather-bench-") as name:
        folder, home = Path(name) / "clone", Path(name) / "sandbox"
        git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
        (folder / ".venv").symlink_to(ROOT / ".venv")
        enlarge(folder / "stacks" / "Pulumi.dev.yaml", chosen.apps)
        allow(folder / engine.PACK / "thresholds.yaml")
        home.mkdir()
        sandboxing.started(home)
        try:
            os.environ.update(engine.environment(home))
            measure(folder, Path(name), chosen.runs)
        finally:
            from sandbox import lifecycle

            lifecycle.stop(home)


if __name__ == "__main__":
    main()
