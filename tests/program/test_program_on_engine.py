"""The example stacks on the real engine and the embedded clouds: from an empty cloud to an empty cloud.

The tests of a class go through the life of one deployment, in this order.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.checkouts import PROGRAM, copied

PACK = "policypacks/guardrails"
FLOOR = "          weekday: [7, 7, 7, 7, 7, 7, 7, 7, 7,"
"""Of voice at us-east-1 in the production stack."""
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Checkout:
    """A copy of the program with one stack, pointed at the embedded clouds."""

    folder: Path
    stack: str
    env: dict[str, str]

    @property
    def file(self) -> Path:
        return self.folder / "stacks" / f"Pulumi.{self.stack}.yaml"

    def pulumi(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the engine; a failure shows what it said."""
        done = subprocess.run(
            ["pulumi", *command, "--stack", self.stack, "--non-interactive"],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in (done.stdout + done.stderr).splitlines() if "warning" not in line]
        assert done.returncode == 0, "\n".join(said[-60:])
        return done

    def preview(self) -> dict[str, set[str]]:
        """Operation -> `type::name` of everything that a preview would do."""
        steps = json.loads(self.pulumi("preview", "--json").stdout)["steps"]
        found: dict[str, set[str]] = {}
        for step in steps:
            kind, name = step["urn"].split("::")[2:]
            found.setdefault(step["op"], set()).add(f"{kind.split('$')[-1]}::{name}")
        return found

    def state(self) -> list[dict[str, Any]]:
        told = json.loads(self.pulumi("stack", "export").stdout)
        resources: list[dict[str, Any]] = told["deployment"].get("resources", [])
        return resources


@pytest.fixture(scope="class")
def engine_on_sandbox(sandbox: Path, engine_path: str) -> dict[str, str]:
    """As `sandbox_env`, for all tests of a class."""
    import os
    import sys

    from gitops import engine

    own = {**os.environ, **engine.environment(sandbox), "FAIRWEATHER_PYTHON": sys.executable}
    return {**own, "PATH": engine_path}


@pytest.fixture(scope="class")
def check_out(
    tmp_path_factory: pytest.TempPathFactory, engine_on_sandbox: dict[str, str]
) -> Callable[[str], Checkout]:
    def copy(stack: str) -> Checkout:
        folder = copied(tmp_path_factory.mktemp("checkout"), *PROGRAM)
        made = Checkout(folder, stack, engine_on_sandbox)
        before = made.file.read_bytes()
        made.pulumi("stack", "init")
        made.file.write_bytes(before)  # `stack init` reformats it
        return made

    return copy


@pytest.fixture(scope="class")
def prod(check_out: Callable[[str], Checkout]) -> Checkout:
    return check_out("prod")


@pytest.fixture(scope="class")
def dev(check_out: Callable[[str], Checkout]) -> Checkout:
    return check_out("dev")


def clients(env: dict[str, str], service: str, region: str = "us-east-1") -> Any:
    import boto3

    client: Any = boto3.client
    return client(
        service,
        region_name=region,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


def drift(checkout: Checkout) -> set[str]:
    """`type::name` of what a refresh would take over from the clouds."""
    steps = json.loads(checkout.pulumi("refresh", "--preview-only", "--json").stdout)["steps"]
    moved = (step["urn"].split("::") for step in steps if step["op"] not in ("refresh", "same"))
    return {f"{kind.split('$')[-1]}::{name}" for _, _, kind, name in moved}


class TestProduction:
    """Deployed through the gate, changed, refreshed, destroyed."""

    def test_it_passes_the_gate_and_is_deployed(self, prod: Checkout) -> None:
        prod.pulumi("up", "--yes", "--skip-preview", "--policy-pack", PACK)
        assert len(prod.state()) > 400

    def test_a_second_preview_says_nothing_changed(self, prod: Checkout) -> None:
        assert set(prod.preview()) == {"same"}

    def test_the_clouds_hold_what_was_declared(
        self, prod: Checkout, engine_on_sandbox: dict[str, str]
    ) -> None:
        assert prod.state()
        eks = clients(engine_on_sandbox, "eks", "eu-west-1")
        assert "lumen-prod-health-eu-west-1" in eks.list_clusters()["clusters"]
        groups = clients(engine_on_sandbox, "autoscaling").describe_scheduled_actions()
        sizes = {
            action["ScheduledActionName"]: action["DesiredCapacity"]
            for action in groups["ScheduledUpdateGroupActions"]
        }
        assert sizes["voice-us-east-1-0000"] == 7

    def test_a_floor_updates_exactly_what_carries_it(self, prod: Checkout) -> None:
        before = prod.file.read_text()
        start = before.index("    voice:\n      aws:us-east-1:\n        floor:")
        assert FLOOR in before[start:]
        changed = FLOOR.replace("[7, 7, 7, 7, 7, 7, 7, 7,", "[7, 7, 7, 7, 7, 7, 7, 8,")
        prod.file.write_text(before[:start] + before[start:].replace(FLOOR, changed, 1))
        found = prod.preview()
        prod.file.write_text(before)
        assert found["update"] == {
            "fairweather:index:ModelService::voice-us-east-1",
            "fairweather:index:GpuPool::voice-us-east-1",
            "kubernetes:keda.sh/v1alpha1:ScaledObject::voice-us-east-1",
        }
        schedule = "aws:autoscaling/schedule:Schedule::voice-us-east-1"
        assert found["create"] == {f"{schedule}-0651-12345", f"{schedule}-0800-12345"}
        assert found["delete"] == {f"{schedule}-0000"}
        assert set(found) == {"same", "update", "create", "delete"}

    def test_refresh_shows_no_drift_and_then_what_drifted(
        self, prod: Checkout, engine_on_sandbox: dict[str, str]
    ) -> None:
        assert drift(prod) == set()
        ec2 = clients(engine_on_sandbox, "ec2", "eu-west-1")
        found = ec2.describe_vpcs(Filters=[{"Name": "tag:app", "Values": ["health"]}])["Vpcs"]
        name = [{"Key": "owner", "Value": "somebody-else"}]
        ec2.create_tags(Resources=[vpc["VpcId"] for vpc in found], Tags=name)
        assert drift(prod) == {"aws:ec2/vpc:Vpc::lumen-prod-health-eu-west-1"}

    def test_destroy_leaves_the_clouds_empty(
        self, prod: Checkout, engine_on_sandbox: dict[str, str]
    ) -> None:
        prod.pulumi("destroy", "--yes", "--skip-preview")
        assert prod.state() == []
        for region in ("us-east-1", "eu-west-1", "eu-central-1"):
            assert clients(engine_on_sandbox, "eks", region).list_clusters()["clusters"] == []
            ec2 = clients(engine_on_sandbox, "ec2", region)
            own = [{"Name": "is-default", "Values": ["false"]}]
            assert ec2.describe_vpcs(Filters=own)["Vpcs"] == []
            assert ec2.describe_launch_templates()["LaunchTemplates"] == []
        from sandbox import lifecycle

        home = Path(engine_on_sandbox["PULUMI_HOME"]).parents[1]
        assert lifecycle.google(home) == {}
        assert sum(lifecycle.recorded(home).values()) == 0


class TestDevelopment:
    """The other example stack."""

    def test_the_example_script_deploys_it_through_the_gate_and_it_goes_again(
        self, dev: Checkout
    ) -> None:
        done = subprocess.run(
            [sys.executable, "examples/automation.py", dev.stack],
            cwd=dev.folder,
            env=dev.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["preview", "update"]
        assert set(dev.preview()) == {"same"}
        dev.pulumi("destroy", "--yes", "--skip-preview")
        assert dev.state() == []
