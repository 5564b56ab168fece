"""Each AWS type of the table against moto: made, seen, changed, found drifted, removed."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws import AwsCloud
from sandbox.aws_types import DROPPED, RECORDED, TYPES
from sandbox.provider import Bag, Refused, Request, differences
from tests.sandbox.world import EXAMPLES, Example, World

ROOT = Path(__file__).resolve().parents[2]
OUTLIVES = {"BucketVersioning", "TopicPolicy"}
"""Settings of another object: they go with it."""


def request(example: Example, id_: str = "", warnings: list[str] | None = None) -> Request:
    urn = f"urn:pulumi:s::p::{example.token}::{example.name}"
    say = (warnings if warnings is not None else []).append
    return Request(urn, example.token, example.name.lower(), id_, b"", {}, warn=say)


class Life:
    """What becomes of all examples in one AWS."""

    def __init__(self, cloud: AwsCloud) -> None:
        self.cloud = cloud
        self.world: World = {}
        self.made: dict[str, tuple[str, Bag, Bag]] = {}
        self.warnings: dict[str, list[str]] = {}

    def create(self, example: Example) -> tuple[Bag, Bag]:
        """Make one; returns its inputs and what AWS then says they are."""
        told = self.warnings.setdefault(example.token, [])
        inputs = self.cloud.check(request(example), {}, example.inputs(self.world))
        id_, outputs = self.cloud.create(request(example, warnings=told), inputs)
        self.world[example.name], self.made[example.name] = outputs, (id_, inputs, outputs)
        return inputs, self.seen(example, inputs)

    def seen(self, example: Example, inputs: Bag) -> Bag:
        id_, _, outputs = self.made[example.name]
        found = self.cloud.read(request(example, id_), inputs, outputs)
        assert found is not None, f"{example.token} is not there"
        return found[0]

    def update(self, example: Example) -> tuple[Bag, Bag]:
        id_, old, outputs = self.made[example.name]
        new = {**old, **example.change}
        paths = [path for path, _ in differences(old, new)]
        difference = self.cloud.diff(request(example, id_), old, new, outputs, paths)
        assert not difference.replaces
        outputs = self.cloud.update(request(example, id_), old, new, outputs)
        self.made[example.name] = (id_, new, outputs)
        return new, self.seen(example, new)

    def delete(self, example: Example) -> bool:
        """Remove one; returns whether it is gone."""
        id_, inputs, outputs = self.made[example.name]
        self.cloud.delete(request(example, id_), inputs, outputs)
        return self.cloud.read(request(example, id_), inputs, outputs) is None


@pytest.fixture
def life(aws_cloud: AwsCloud) -> Life:
    return Life(aws_cloud)


def test_every_type_is_made_seen_changed_and_removed(life: Life) -> None:
    for example in EXAMPLES:
        sent, seen = life.create(example)
        assert seen == sent, f"{example.token} drifts without a hand on it"
    for example in EXAMPLES:
        if example.change:
            before = life.made[example.name][1]
            sent, seen = life.update(example)
            assert seen == sent, f"{example.token} does not take its change"
            assert life.seen(example, before) != before, f"{example.token}: drift is not seen"
    for example in reversed(EXAMPLES):
        assert life.delete(example) or example.name in OUTLIVES, f"{example.token} stays"
    lost = {
        token: {re.sub(r"^\w+\.(\S+) is .*", r"\1", text) for text in texts}
        for token, texts in life.warnings.items()
        if texts
    }
    assert lost == {token: set(paths) for token, paths in DROPPED.items()}


def test_every_type_of_the_table_has_an_example() -> None:
    assert {example.token for example in EXAMPLES} == set(TYPES)
    assert not RECORDED & set(TYPES)


def test_the_list_of_dropped_inputs_names_types_of_the_table() -> None:
    assert set(DROPPED) <= set(TYPES)


def declared_types() -> set[str]:
    """`aws.ec2.Vpc` of every AWS type that a component declares."""
    found = set()
    for path in (ROOT / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="aws")))):
                    found.add(ast.unparse(node.func))
    return {name for name in found if re.search(r"\.[A-Z]\w*$", name) and not name.endswith("Args")}


def test_the_table_knows_every_type_that_a_component_declares() -> None:
    known = set()
    for token in {*TYPES, *RECORDED}:
        _, module, kind = token.split(":")
        family = module.split("/")[0]
        known.add(f"aws.{'lambda_' if family == 'lambda' else family}.{kind}")
    declared = declared_types()
    assert len(declared) > 30
    assert declared <= known


def test_an_unknown_type_is_refused_by_name(aws_cloud: AwsCloud) -> None:
    unknown = Example("aws:rds/instance:Instance", lambda _: {})
    with pytest.raises(Refused, match="the sandbox does not know aws:rds/instance:Instance"):
        aws_cloud.check(request(unknown), {}, {})


def test_a_recorded_type_says_so_and_is_found_again(aws_cloud: AwsCloud) -> None:
    addon, told = Example("aws:eks/addon:Addon", lambda _: {}), list[str]()
    id_, outputs = aws_cloud.create(request(addon, warnings=told), {"addonName": "coredns"})
    assert told == ["recorded only: the emulated AWS has no Addon"]
    found = aws_cloud.read(request(addon, id_), {"addonName": "coredns"}, outputs)
    assert found is not None
    assert found[0] == {"addonName": "coredns"}
    aws_cloud.delete(request(addon, id_), {}, outputs)
    assert aws_cloud.read(request(addon, id_), {}, outputs) is None


@pytest.mark.parametrize(
    ("name", "change", "replaced"),
    [
        ("Vpc", {"cidrBlock": "10.1.0.0/16"}, "cidrBlock"),
        ("Subnet", {"availabilityZone": "us-east-1b"}, "availabilityZone"),
        ("NodeGroup", {"instanceTypes": ["g6.2xlarge"]}, "instanceTypes"),
        ("Cluster", {"name": "other"}, "name"),
        ("LoadBalancer", {"internal": False}, "internal"),
        ("Bucket", {"region": "eu-west-1"}, "region"),
    ],
)
def test_what_cannot_change_forces_a_new_object(
    name: str, change: dict[str, Any], replaced: str
) -> None:
    row = next(row for row in TYPES.values() if row.token.endswith(f":{name}"))
    assert list(change) == [replaced]
    assert row.replaces(replaced)


def test_a_preview_refuses_what_the_api_model_does_not_allow(aws_cloud: AwsCloud) -> None:
    key = Example("aws:kms/key:Key", lambda _: {})
    asked = Request("urn:pulumi:s::p::t::n", key.token, "n", "", b"", {}, preview=True)
    with pytest.raises(Refused, match=r"(?s)kms:create_key.*Tags\[0\]\.TagKey"):
        aws_cloud.create(asked, {"tags": {"": "empty"}})
