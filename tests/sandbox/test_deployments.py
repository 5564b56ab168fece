"""Small programs, deployed by the real engine to the embedded clouds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from sandbox import crds, lifecycle
from tests.sandbox.engine import Program

pytestmark = pytest.mark.slow

AWS = """
vpc = aws.ec2.Vpc("net", cidr_block={cidr!r}, tags={{"app": "camera"}})
queue = aws.sqs.Queue("jobs", message_retention_seconds={seconds})
pulumi.export("queue", queue.url)
pulumi.export("vpc", vpc.id)
"""
CLUSTER_OBJECTS = """
space = k8s.core.v1.Namespace("team", metadata={{"name": "team"}})
into = pulumi.ResourceOptions(depends_on=[space])
k8s.core.v1.ConfigMap("settings", metadata={{"name": "settings", "namespace": "team"}},
                      data={{"level": {level!r}}}, opts=into)
k8s.apps.v1.Deployment("web", metadata={{"name": "web", "namespace": "team"}}, spec={{
    "selector": {{"match_labels": {{"app": {label!r}}}}},
    "template": {{"metadata": {{"labels": {{"app": {label!r}}}}}, "spec": {{"containers": [{{
        "name": "c", "image": "registry.example/c:1",
        "resources": {{"requests": {{"cpu": {cpu!r}}}}}}}]}}}}}}, opts=into)
"""
TWO_CLOUDS = """
role = aws.iam.Role("role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": []}))
vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16")
subnet = aws.ec2.Subnet("a", vpc_id=vpc.id, cidr_block="10.0.0.0/24")
eks = aws.eks.Cluster("eks", name="east", role_arn=role.arn, vpc_config={"subnet_ids": [subnet.id]})
gke = gcp.container.Cluster("gke", name="west", location="europe-west4", deletion_protection=False)

def settings(name, endpoint):
    return endpoint.apply(lambda url: json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [], "contexts": [{"name": name, "context": {"cluster": name, "user": "nobody"}}]}))

for name, cluster in (("east", eks), ("west", gke)):
    provider = k8s.Provider(name, kubeconfig=settings(name, cluster.endpoint))
    k8s.core.v1.ConfigMap(f"in-{name}", metadata={"name": "where", "namespace": "default"},
                          data={"cloud": name}, opts=pulumi.ResourceOptions(provider=provider))
aws.eks.Addon("dns", cluster_name=eks.name, addon_name="coredns")
"""


def core(kubeconfig: Path) -> Any:
    return client.CoreV1Api(crds.reach(kubeconfig))


def test_aws_objects_are_made_kept_changed_replaced_and_removed(
    program: Program, boto: Callable[[str], Any]
) -> None:
    assert program.up(AWS.format(cidr="10.0.0.0/16", seconds=3600)).changes["create"] == 3
    assert program.preview().changes == {"unchange": 3}
    changed = program.up(AWS.format(cidr="10.1.0.0/16", seconds=7200))
    assert changed.changes == {"update": 1, "replace": 1, "unchange": 1}
    told = program.outputs()
    vpcs = boto("ec2").describe_vpcs(VpcIds=[told["vpc"]])["Vpcs"]
    assert vpcs[0]["CidrBlock"] == "10.1.0.0/16"
    assert {"Key": "app", "Value": "camera"} in vpcs[0]["Tags"]
    # Somebody's hand, then the refresh that finds it.
    attributes = {"MessageRetentionPeriod": "60"}
    boto("sqs").set_queue_attributes(QueueUrl=told["queue"], Attributes=attributes)
    boto("ec2").create_tags(Resources=[told["vpc"]], Tags=[{"Key": "by", "Value": "hand"}])
    assert program.preview().changes == {"unchange": 3}
    assert program.refresh().changes == {"update": 2, "unchange": 1}
    assert program.up().changes == {"update": 2, "unchange": 1}
    boto("sqs").delete_queue(QueueUrl=told["queue"])
    assert program.refresh().changes["delete"] == 1
    program.destroy()
    assert boto("sqs").list_queues().get("QueueUrls", []) == []
    left = [vpc for vpc in boto("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    assert left == []


def test_kubernetes_objects_live_in_a_real_api_server(program: Program, sandbox: Path) -> None:
    def text(level: str = "1", label: str = "web", cpu: str = "1") -> str:
        return CLUSTER_OBJECTS.format(level=level, label=label, cpu=cpu)

    program.up(text())
    assert program.preview().changes == {"unchange": 4}
    program.write(text(cpu="1000m"))  # the same in other words
    assert program.preview().changes == {"unchange": 4}
    api = core(Path(lifecycle.environment(sandbox)["KUBECONFIG"]))
    api.patch_namespaced_config_map("settings", "team", {"data": {"level": "9"}})
    assert "~ data" in program.preview("--refresh", "--diff").text
    # A selector never changes: the server says so, and Pulumi replaces.
    changed = program.up(text(level="2", label="other"), "--refresh")
    assert changed.changes == {"update": 1, "replace": 1, "unchange": 2}
    assert api.read_namespaced_config_map("settings", "team").data == {"level": "2"}
    program.destroy()
    assert "team" not in [space.metadata.name for space in api.list_namespace().items]


def test_each_cluster_is_an_api_server_of_its_own(program: Program, sandbox: Path) -> None:
    ran = program.up(TWO_CLOUDS)
    assert "recorded only: the emulated AWS has no Addon" in ran.text
    assert "Cluster on Google Cloud: its API server is real, the rest is recorded" in ran.text
    assert program.preview().changes == {"unchange": 11}
    found = lifecycle.clusters(sandbox)
    assert set(found) == {"eks-us-east-1-east", "gke-europe-west4-west"}
    for name, cloud in (("eks-us-east-1-east", "east"), ("gke-europe-west4-west", "west")):
        assert core(found[name]).read_namespaced_config_map("where", "default").data == {
            "cloud": cloud
        }
    assert lifecycle.recorded(sandbox) == {
        "aws:eks/addon:Addon": 1,
        "gcp:container/cluster:Cluster": 1,
    }
    assert [page["name"] for page in lifecycle.google(sandbox).values()] == ["west"]
    program.destroy()
    now = lifecycle.status(sandbox)
    assert (now.clusters, now.recorded, now.held) == ((), {}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'aws.rds.Instance("db", instance_class="db.t3.micro")',
            "the sandbox does not know aws:rds/instance:Instance; add it to sandbox/aws_types.py",
        ),
        (
            'aws.kms.Key("key", tags={"": "nameless"})',
            "Invalid length for parameter Tags[0].TagKey, value: 0, valid min length: 1",
        ),
        (
            'k8s.core.v1.Service("s", spec={"type": "Sideways", "ports": [{"port": 80}]})',
            'spec.type: Unsupported value: "Sideways"',
        ),
        (
            'gcp.compute.Network("n", name="Not_Valid")',
            "Invalid value for field 'name': 'Not_Valid'",
        ),
    ],
)
def test_a_preview_shows_the_refusal_of_the_cloud(program: Program, text: str, said: str) -> None:
    program.write(text)
    ran = program.preview()
    assert ran.code != 0
    assert said in ran.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'aws.ec2.Vpc("net", cidr_block="10.0.0.0/8")',
            "(InvalidVpc.Range) when calling the CreateVpc operation",
        ),
        (
            'role = aws.iam.Role("r", assume_role_policy=json.dumps({"Statement": []}))\n'
            'aws.lambda_.Function("f", package_type="Image", image_uri="registry.example/f:1",\n'
            "    role=role.arn, reserved_concurrent_executions=980)",
            "decreases account's UnreservedConcurrentExecution below its minimum value of [100]",
        ),
    ],
)
def test_a_refusal_of_aws_and_its_quotas_reach_the_user_in_its_own_words(
    program: Program, text: str, said: str
) -> None:
    program.write(text)
    ran = program.run("up", "-s", "dev", "--yes", "--skip-preview")
    assert ran.code != 0
    assert said in ran.text
