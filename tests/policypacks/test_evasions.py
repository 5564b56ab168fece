# ruff: noqa: E501 - tables, a case a row
"""Ways round a rule that were open once: by other spellings, other types, and conditions that everybody meets."""

from __future__ import annotations

import json

import cost
import pytest
import quotas
import residency
import sight
import tagging
from pricing.declared import UNKNOWN, Declared, Resource, canonical
from samples import IMAGE, TAGS
from security import access, aws, expect, google, kubernetes
from waivers import Waiver, load

EVIL = f"@sha256:{'c' * 64}"


def resource(kind, **inputs):
    return Resource("urn:pulumi:prod::p::t::it", canonical(kind), inputs, provider="urn:p::id")


@pytest.mark.parametrize(
    ("cidrs", "open_to_all"),
    [
        (["0.0.0.0/0"], True),
        (["::/0"], True),
        (["0:0:0:0:0:0:0:0/0"], True),
        (["10.1.2.3/0"], True),
        (["0.0.0.0/1", "128.0.0.0/1"], True),
        (["2000::/3"], True),
        ([f"{first}.0.0.0/8" for first in range(256)], True),
        (["10.0.0.0/8", "172.16.0.0/12", "fd00::/8"], False),
        ([UNKNOWN, None, "everywhere"], False),
        ([], False),
    ],
)
def test_the_world_is_the_world_however_it_is_written(cidrs, open_to_all):
    assert expect.world(cidrs) is open_to_all


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("kubernetes:v1:Service", "kubernetes:core/v1:Service"),
        ("kubernetes:core/v1:ServicePatch", "kubernetes:core/v1:Service"),
        ("kubernetes:apps/v1beta2:Deployment", "kubernetes:apps/v1:Deployment"),
        ("kubernetes:extensions/v1beta1:Ingress", "kubernetes:networking.k8s.io/v1:Ingress"),
        ("kubernetes:karpenter.sh/v1beta1:NodePool", "kubernetes:karpenter.sh/v1:NodePool"),
        ("kubernetes:keda.sh/v1alpha1:ScaledObject", "kubernetes:keda.sh/v1alpha1:ScaledObject"),
        ("aws:s3/bucket:Bucket", "aws:s3/bucket:Bucket"),
    ],
)
def test_a_kubernetes_object_has_one_type(said, meant):
    assert canonical(said) == meant


@pytest.mark.parametrize(
    ("condition", "narrow"),
    [
        (None, False),
        ({}, False),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": "1"}}, False),
        ({"Null": {"aws:PrincipalArn": "false"}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": []}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}, "ArnLike": {"aws:SourceArn": "arn:x:*"}}, True),
        (UNKNOWN, True),
    ],
)
def test_a_condition_narrows_only_where_not_everybody_meets_it(condition, narrow):
    document = {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": "x"}
    text = json.dumps({"Statement": {**document, "Condition": condition}})
    found = list(access.trusting(resource("aws:s3/bucketPolicy:BucketPolicy", policy=text)))
    assert bool(found) is not narrow


@pytest.mark.parametrize(
    ("action", "where", "sweeps"),
    [
        ("*", "arn:aws:s3:::models/*", True),
        ("**", "*", True),
        ("*:*", "arn:aws:s3:::models/*", True),
        ("iam:?*", "arn:aws:*", True),
        ("s3:*", "arn:aws:s3:::*", True),
        ("s3:*", "arn:aws:s3:::models", False),
        ("ec2:Describe*", "*", False),
    ],
)
def test_wildcards_are_wildcards_in_any_spelling(action, where, sweeps):
    text = json.dumps({"statement": [{"EFFECT": "allow", "action": action, "Resource": where}]})
    for kind, inputs in (
        ("aws:iam/policy:Policy", {"policy": text}),
        ("aws:iam/role:Role", {"inlinePolicies": [{"policy": text}]}),
    ):
        assert bool(list(access.sweeping(resource(kind, **inputs)))) is sweeps


@pytest.mark.parametrize(
    ("image", "known"),
    [
        (IMAGE, True),
        (f"1.dkr.ecr.eu-west-1.amazonaws.com/a/b{EVIL}", True),
        (f"europe-docker.pkg.dev/p/r/i{EVIL}", True),
        (f"evil.io/a.dkr.ecr.b.amazonaws.com/c{EVIL}", False),
        (f"evil.io/x-docker.pkg.dev/p/c{EVIL}", False),
        (f"registry.example.com.evil.io/c{EVIL}", False),
        (f"registry.example.com{EVIL}", False),
    ],
)
def test_a_registry_is_a_host_and_no_part_of_a_path(image, known):
    pod = {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}
    registries = ("registry.example.com", "*.dkr.ecr.*.amazonaws.com", "*-docker.pkg.dev/*")
    found = kubernetes.strange_images(resource("kubernetes:apps/v1:Deployment", spec=pod), registries)  # fmt: skip
    assert bool(list(found)) is not known


@pytest.mark.parametrize("owner", ["", " \t", "\u200b\u2060", "--", None])
def test_a_tag_that_nobody_can_read_is_absent(owner):
    found = tagging.lacking(resource("aws:s3/bucket:Bucket", tags={**TAGS, "owner": owner}), tuple(TAGS))  # fmt: skip
    assert "lacks owner" in next(found)


@pytest.mark.parametrize(
    ("kind", "inputs", "said"),
    [
        ("aws-native:ec2:Instance", {}, "no rule knows"),
        ("command:local:Command", {}, "no rule knows"),
        ("aws:cloudformation/stack:Stack", {}, "no rule sees"),
        ("kubernetes:helm.sh/v3:Release", {"chart": "x", "version": "1"}, "allowed charts are"),
        ("kubernetes:helm.sh/v3:Release", {"chart": "keda", "repositoryOpts": {"repo": "https://k/"}}, "set version"),
        ("kubernetes:helm.sh/v3:Release", {"chart": "keda", "version": "1", "repositoryOpts": {"repo": "https://k"}}, ""),
        ("kubernetes:helm.sh/v3:Release", {"chart": UNKNOWN}, ""),
        ("random:index/randomId:RandomId", {}, ""),
        ("aws:s3/bucket:Bucket", {}, ""),
    ],
)  # fmt: skip
def test_what_no_rule_can_look_into_is_said(kind, inputs, said):
    found = " ".join(sight.hidden(resource(kind, **inputs), ["https://k/keda"]))
    assert said in found
    assert bool(found) is bool(said)


def test_a_component_of_any_package_is_judged_by_its_children():
    component = Resource("urn:pulumi:prod::p::awsx:ec2:Vpc::it", "awsx:ec2:Vpc", {})
    assert list(sight.hidden(component, ())) == []


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("aws:batch/computeEnvironment:ComputeEnvironment", {"computeResources": {"instanceTypes": ["x1.32xlarge"]}}),
        ("aws:sagemaker/endpointConfiguration:EndpointConfiguration", {"productionVariants": [{"instanceType": "ml.x1.32xlarge"}]}),
        ("aws:ec2/launchTemplate:LaunchTemplate", {"instanceRequirements": {"vcpuCount": {"min": 96}}}),
        ("gcp:container/cluster:Cluster", {"nodePools": [{"nodeConfig": {"machineType": "a3-mega"}}]}),
    ],
)  # fmt: skip
def test_machines_are_found_wherever_they_are_named(kind, inputs):
    allowed = {"aws": ("g6.*",), "gcp": ("e2-*",)}
    assert "Choose one" in next(quotas.foreign(resource(kind, **inputs), allowed))
    sound = {"productionVariants": [{"instanceType": "ml.g6.xlarge"}]}
    endpoint = resource("aws:sagemaker/endpointConfiguration:EndpointConfiguration", **sound)
    assert list(quotas.foreign(endpoint, allowed)) == []


@pytest.mark.parametrize("kind", cost.UNCOUNTED)
def test_machines_that_nobody_counts_are_said(kind):
    [finding] = cost.uncounted(Declared([resource(kind)]))
    assert "no budget and no quota counts" in finding.message


def test_google_copies_and_cdns_are_places():
    copies = {"userManaged": {"replicas": [{"location": "asia-south1"}, {"location": "europe-west4"}]}}  # fmt: skip
    secret = resource("gcp:secretmanager/secret:Secret", replication=copies)
    assert list(residency.places(secret, Declared([secret]))) == ["gcp:asia-south1", "gcp:europe-west4"]  # fmt: skip
    served = resource("gcp:compute/backendService:BackendService", enableCdn=True)
    assert list(residency.places(served, Declared([served]))) == ["cdn"]


@pytest.mark.parametrize(
    ("check", "found"),
    [
        (aws.open_ports, resource("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", ingress=[
            {"protocol": "ALL", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}])),
        (google.open_ports, resource("gcp:compute/firewall:Firewall", direction="ingress", sourceRanges=["0.0.0.0/1"],
                                     allows=[{"ports": ["22"]}])),
        (kubernetes.exposed, resource("kubernetes:v1:Service", spec={"externalIPs": ["203.0.113.7"]})),
        (kubernetes.exposed, resource("kubernetes:v1:Service", metadata={"annotations": {"x/internal": "true"}},
                                      spec={"type": "LoadBalancer", "loadBalancerSourceRanges": ["0.0.0.0/0"]})),
        (kubernetes.plain_ingress, resource("kubernetes:networking.k8s.io/v1:Ingress", metadata={
            "annotations": {"x/certificate": "no"}}, spec={})),
        (access.broad_grant, resource("gcp:storage/bucketACL:BucketACL", roleEntities=["READER:allUsers"])),
        (access.broad_grant, resource("gcp:projects/iAMPolicy:IAMPolicy", policyData=json.dumps(
            {"bindings": [{"role": "roles/owner", "members": ["user:a"]}]}))),
        (access.bound, resource("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", subjects=[
            {"name": "system:serviceaccounts"}])),
        (access.plain_secrets, resource("gcp:cloudrun/service:Service", template={"spec": {"containers": [
            {"envs": [{"name": "PASSWORD", "value": "x"}]}]}})),
    ],
)  # fmt: skip
def test_the_same_by_another_name_is_found(check, found):
    assert list(check(found))


def test_a_step_that_may_be_missing_is_nothing_where_it_is():
    assert list(expect.values({}, "disks?.*.encrypted")) == []
    assert list(expect.values({"disks": [{}]}, "disks?.*.encrypted")) == [expect.ABSENT]
    assert list(expect.values({}, "disks.*.encrypted")) == [expect.ABSENT]


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*::logs", True),
        ("*::log?*", True),
        ("*::aws:s3/bucket:Bucket::*", True),
        ("*::acme*", False),
        ("*::[abcdefghijklmnopqrstuvwxyz]*", False),
        ("*::LOGS", False),
    ],
)
def test_a_waiver_covers_by_the_name_and_not_by_the_project(tmp_path, pattern, covers):
    file = tmp_path / "waivers.yaml"
    about = "owner: a, reason: b, expires: 2026-12-01"
    file.write_text(f"waivers:\n- {{rule: r, urn: '{pattern}', {about}}}\n")
    [waiver] = load(file)
    assert isinstance(waiver, Waiver)
    urn = "urn:pulumi:prod::acme::aws:s3/bucket:Bucket::logs"
    assert waiver.covers("r", urn) is covers
