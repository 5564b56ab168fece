"""How long a preview of a large portfolio takes, with and without the pack, and where the time goes.

    python benchmarks/preview.py [--apps 30] [--runs 3]

Makes a throw-away clone with APPS apps in three locations each, starts the embedded clouds, and times in turn: the
Python program alone (its imports apart), `pulumi preview` without and with the pack. The bare engine's own share is
measured in the same run with a program that registers as many component resources and nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ruamel.yaml import YAML  # noqa: E402

from gitops import engine, sandboxing  # noqa: E402
from gitops.git import git  # noqa: E402

LOCATIONS = ("aws:us-east-1", "aws:eu-west-1", "gcp:europe-west4")
BARE = """import pulumi
for n in range({count}):
    pulumi.ComponentResource("bare:index:Thing", f"thing-{{n}}", {{"a": n, "b": "x" * 400}})
"""


def enlarge(file: Path, apps: int) -> None:
    """Rewrite a stack file to `apps` copies of one GPU app, each in three locations."""
    yaml = YAML()
    content = yaml.load(file)
    config = content["config"]
    model, capacity = (
        config["fairweather:apps"]["camera"],
        config["fairweather:capacity"]["camera"]["aws:us-east-1"],
    )
    app = {**model, "regions": list(LOCATIONS), "edge": [], "budget": {"monthly_usd": 100000}}
    capacity["floor"]["weekday"] = [2] * 6 + [4] * 6 + [6] * 8 + [3] * 4
    config["fairweather:portfolio"]["budget"]["monthly_usd"] = 5_000_000
    config["fairweather:apps"] = {f"app-{n:02d}": dict(app) for n in range(apps)}
    config["fairweather:capacity"] = {
        f"app-{n:02d}": {place: dict(capacity) for place in LOCATIONS} for n in range(apps)
    }
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(content, file)


def timed(command: list[str], folder: Path, runs: int) -> float:
    """Median wall seconds of `runs` runs after one that warms the caches."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return statistics.median(seconds[1:])


def resource_count(folder: Path) -> int:
    import json

    done = subprocess.run(
        ["pulumi", "preview", "--json", "--stack", "dev"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return len(json.loads(done.stdout)["steps"])


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
        sandboxing.started(home)
        try:
            os.environ.update(engine.environment(home))
            measure(folder, Path(name), chosen.runs)
        finally:
            from sandbox import lifecycle

            lifecycle.stop(home)


def measure(folder: Path, scratch: Path, runs: int) -> None:
    engine.Engine(folder, "dev", throw_away=True)
    count = resource_count(folder)
    bare = scratch / "bare"
    bare.mkdir()
    (bare / "Pulumi.yaml").write_text(
        f"name: bare\nruntime: {{name: python, options: {{toolchain: pip, virtualenv: {folder / '.venv'}}}}}\n"
    )
    (bare / "__main__.py").write_text(BARE.format(count=count))
    subprocess.run(["pulumi", "stack", "init", "dev"], cwd=bare, check=True, capture_output=True)
    preview = ["pulumi", "preview", "--stack", "dev", "--non-interactive"]
    python = str(folder / ".venv" / "bin" / "python")
    used = "k.core.v1; pulumi_aws.eks; pulumi_aws.ec2; pulumi_gcp.container"
    imports = (
        "import pulumi, components, stacks, pulumi_aws, pulumi_gcp, pulumi_kubernetes as k; " + used
    )
    rows = {
        "imports of the program": timed([python, "-c", imports], folder, runs),
        "bare engine, as many empty components": timed(preview, bare, runs),
        "preview without the pack": timed(preview, folder, runs),
        "preview with the pack": timed([*preview, "--policy-pack", engine.PACK], folder, runs),
    }
    print(f"{count} resources, median of {runs} runs, {os.cpu_count()} cores")
    for label, seconds in rows.items():
        print(f"{label:42s} {seconds:7.2f} s  {1000 * seconds / count:6.1f} ms a resource")
    print(
        f"{'the pack adds':42s} {rows['preview with the pack'] / rows['preview without the pack'] - 1:7.1%}"
    )


if __name__ == "__main__":
    main()
