"""Between Pulumi's names and AWS' request models."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.provider import differences, has_unknown, packed, plain, top
from sandbox.shapes import arguments, camel, place, reflect, same


def shape(service: str, operation: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).input_shape


@pytest.mark.parametrize(
    ("service", "operation", "given_", "sent"),
    [
        ("ec2", "CreateVpc", {"cidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.0.0.0/16"}),
        ("kms", "CreateKey", {"tags": {"a": "b"}}, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("iam", "CreateRole", {"tags": {"a": "b"}}, {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("lambda", "CreateFunction", {"memorySize": "128"}, {"MemorySize": 128}),
        ("lambda", "CreateFunction", {"publish": "true"}, {"Publish": True}),
        ("ec2", "RunInstances", {"securityGroupIds": "sg-1"}, {"SecurityGroupIds": ["sg-1"]}),
        ("iam", "CreateRole", {"description": None, "nonsense": 1}, {}),
        (
            "eks",
            "CreateCluster",
            {"encryptionConfig": {"resources": ["secrets"], "provider": {"keyArn": "k"}}},
            {"encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": "k"}}]},
        ),
    ],
)
def test_inputs_go_where_the_request_has_a_place(
    service: str, operation: str, given_: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert arguments(shape(service, operation), given_, {}) == sent


def test_cloudfront_lists_carry_their_length() -> None:
    config = {"aliases": ["a.example.test"], "origins": [{"originId": "o", "domainName": "d"}]}
    bag = {"distributionConfig": config}
    told = arguments(shape("cloudfront", "CreateDistribution"), bag, {"originId": "Id"})
    assert told["DistributionConfig"] == {
        "Aliases": {"Quantity": 1, "Items": ["a.example.test"]},
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "d"}]},
    }


def test_a_name_from_the_table_goes_before_likeness() -> None:
    members = ["Name", "RoleName", "Subnets"]
    assert place(members, "name", {}) == "Name"
    assert place(members, "name", {"name": "RoleName"}) == "RoleName"
    assert place(members, "name", {"name": ()}) is None
    assert place(members, "subnet", {}) == "Subnets"


@pytest.mark.parametrize(
    ("sent", "live", "seen"),
    [
        ({"size": "3"}, {"Size": 3}, {"size": "3"}),
        ({"size": 3}, {"Size": 4}, {"size": 4}),
        ({"on": True}, {"On": "false"}, {"on": "false"}),
        ({"tags": {"a": "b"}}, {"Tags": [{"Key": "a", "Value": "c"}]}, {"tags": {"a": "c"}}),
        ({"tags": {"a": "b"}}, {"Tags": [{"Key": "aws:x", "Value": "c"}]}, {"tags": {}}),
        ({"subnets": ["b", "a"]}, {"Subnets": ["a", "b"]}, {"subnets": ["b", "a"]}),
        ({"subnets": ["a"]}, {"Subnets": ["a", "b"]}, {"subnets": ["a", "b"]}),
        ({"policy": '{"a": 1}'}, {"Policy": {"a": 1}}, {"policy": '{"a": 1}'}),
        ({"policy": '{"a": 1}'}, {"Policy": '{"a":1}'}, {"policy": '{"a": 1}'}),
        ({"policy": '{"a": 1}'}, {"Policy": {"a": 2}}, {"policy": '{"a": 2}'}),
        ({"block": [{"x": 1}]}, {"Block": {"X": 2}}, {"block": [{"x": 2}]}),
        ({"list": ["a"]}, {"List": {"Quantity": 1, "Items": ["b"]}}, {"list": ["b"]}),
    ],
)
def test_what_aws_reports_comes_back_in_the_form_in_which_it_was_sent(
    sent: dict[str, Any], live: dict[str, Any], seen: dict[str, Any]
) -> None:
    unseen: list[str] = []
    assert reflect(sent, live, {}, unseen) == seen
    assert unseen == []


def test_what_aws_does_not_report_is_named_by_its_path() -> None:
    unseen: list[str] = []
    sent = {"origins": [{"id": "o", "lost": 1}], "gone": 2}
    live = {"Origins": {"Quantity": 1, "Items": [{"Id": "o"}]}}
    assert reflect(sent, live, {}, unseen) == sent
    assert unseen == ["origins[].lost", "gone"]


@pytest.mark.parametrize(
    ("name", "told"), [("DNSName", "dnsName"), ("ARN", "arn"), ("VpcId", "vpcId"), ("id", "id")]
)
def test_names_of_outputs(name: str, told: str) -> None:
    assert camel(name) == told


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [("3", 3, True), (3.0, 3, True), (True, "true", True), (True, 1, False), (None, "", False)],
)
def test_the_same_in_other_words(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
BAGS = st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4)


@given(BAGS)
def test_a_bag_survives_the_wire(bag: dict[str, Any]) -> None:
    assert plain(packed(bag)) == bag


@given(BAGS)
def test_nothing_differs_from_itself(bag: dict[str, Any]) -> None:
    assert list(differences(bag, bag)) == []


@given(BAGS, BAGS)
def test_what_differs_has_a_path_to_a_key_of_one_side(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert bool(list(differences(old, new))) == (old != new)


def test_paths_of_differences_are_pulumis() -> None:
    old = {"a": {"b": [1, 2]}, "tags": {"x/y": "1"}, "gone": 1}
    new = {"a": {"b": [1, 3, 4]}, "tags": {"x/y": "2"}, "made": 1}
    assert dict(differences(old, new)) == {
        "a.b[1]": "UPDATE",
        "a.b[2]": "ADD",
        'tags["x/y"]': "UPDATE",
        "gone": "DELETE",
        "made": "ADD",
    }
    assert [top(path) for path in ("a.b[1]", 'tags["x/y"]')] == ["a", "tags"]


def test_an_unknown_is_found_anywhere() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert has_unknown({"a": [{"b": unknown}]})
    assert not has_unknown({"a": [{"b": "known"}]})
