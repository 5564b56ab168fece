"""What the example stacks declare: tags, parents, encryption, bounds, and what pods may do."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from components.tags import IDENTITY

if TYPE_CHECKING:
    from tests.components.conftest import Declared

Resource = Mapping[str, Any]

UNTAGGABLE = (
    "aws:appautoscaling/policy:",
    "aws:appautoscaling/scheduledAction:",
    "aws:autoscaling/schedule:",
    "aws:autoscaling/tag:",
    "aws:ec2/availabilityZoneGroup:",
    "aws:ec2/routeTableAssociation:",
    "aws:iam/rolePolicy:",
    "aws:iam/rolePolicyAttachment:",
    "aws:lambda/alias:",
    "aws:lambda/functionUrl:",
    "aws:route53/record:",
    "aws:sns/topicPolicy:",
    "aws:sns/topicSubscription:",
    "gcp:billing/budget:",
    "gcp:compute/network:",
    "gcp:compute/router:",
    "gcp:compute/routerNat:",
    "gcp:compute/subnetwork:",
    "gcp:kms/cryptoKeyIAMMember:",
    "gcp:kms/keyRing:",
    "gcp:projects/iAMMember:",
    "gcp:serviceaccount/account:",
)
"""Types that cannot carry tags or labels (facts of the providers)."""
GPU = "nvidia.com/gpu"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
COMPONENTS = "fairweather:index:"


def tags_of(resource: Resource) -> Mapping[str, str]:
    """The tags or labels of one resource, under the logical keys."""
    inputs, kind = resource["inputs"], resource["type"]
    if kind == "aws:autoscaling/group:Group":
        return {tag["key"]: tag["value"] for tag in inputs["tags"]}
    if kind.startswith("kubernetes:"):
        labels = inputs["metadata"].get("labels", {})
        ours = {k: v for k, v in labels.items() if k.startswith("fairweather.dev/")}
        return {k.split("/")[1].replace("-", "_"): v for k, v in ours.items()}
    node: Mapping[str, Any] = inputs.get("nodeConfig", {})
    homes = [inputs.get(key) for key in ("tags", "resourceLabels", "userLabels", "labels")]
    return next(filter(None, [*homes, node.get("resourceLabels")]), {})


def own(declared: Declared) -> Iterator[Resource]:
    """Resources of clouds and clusters that can carry tags."""
    for one in declared.resources:
        skip = (*UNTAGGABLE, "pulumi:", COMPONENTS, "kubernetes:helm.sh/")
        if not one["type"].startswith(skip):
            yield one


def test_everything_taggable_says_whose_it_is(declared: Declared) -> None:
    for one in own(declared):
        assert set(IDENTITY) <= set(tags_of(one)), one["urn"]


def test_tags_say_the_app_of_the_component_above(declared: Declared) -> None:
    by_urn = {one["urn"]: one for one in declared.resources}
    for one in own(declared):
        above = by_urn[one["parent"]]
        assert tags_of(one)["app"] == above["inputs"]["app"], one["urn"]


def test_each_cloud_resource_stands_in_a_component(declared: Declared) -> None:
    for one in declared.resources:
        if one["type"].startswith("pulumi:") and not one["type"].startswith("pulumi:providers:kub"):
            continue
        inside = "$" in one["urn"].split("::")[2] or one["type"].startswith(COMPONENTS)
        assert inside, one["urn"]


def test_names_are_unique_for_each_type(declared: Declared) -> None:
    urns = [one["urn"] for one in declared.resources]
    assert len(urns) == len(set(urns))


def test_facts_are_plain_inputs_and_stand_again_in_the_outputs(declared: Declared) -> None:
    for one in declared.of(COMPONENTS):
        registered = declared.outputs[one["urn"]]
        assert one["inputs"], one["urn"]
        for key, value in one["inputs"].items():
            assert registered[key] == value, (one["urn"], key)
        assert "04da6b54-80e4-46f7-96ec-b56ff0331ba9" not in json.dumps(one["inputs"])


def test_services_tell_what_prices_need(declared: Declared) -> None:
    always = {"location", "monthly_budget_usd", "floor_least", "floor_mean", "floor_peak"}
    always |= {"ceiling", "expected_replicas", "target", "cpu", "memory_gib"}
    gpu = {"machine", "gpus_per_replica", "gpus_per_node", "replicas_per_node", "spot_share"}
    for one in declared.of(f"{COMPONENTS}ServerlessBackend"):
        assert always <= set(one["inputs"])
    for one in declared.of(f"{COMPONENTS}ModelService"):
        assert always | gpu <= set(one["inputs"])
    for kind in ("Portfolio", "AppBudget"):
        for one in declared.of(COMPONENTS + kind):
            assert one["inputs"]["monthly_budget_usd"] > 0


def test_every_app_has_its_evidence_and_the_image_by_digest(declared: Declared) -> None:
    images = [
        container["image"]
        for one in declared.of(DEPLOYMENT)
        for container in one["inputs"]["spec"]["template"]["spec"]["containers"]
    ]
    images += [one["inputs"]["imageUri"] for one in declared.of("aws:lambda/function:Function")]
    images += [
        container["image"]
        for one in declared.of("gcp:cloudrunv2/service:Service")
        for container in one["inputs"]["template"]["containers"]
    ]
    assert len(images) >= 8
    assert all(re.search("@sha256:[0-9a-f]{64}$", image) for image in images)
    for one in declared.of(f"{COMPONENTS}ModelService"):
        assert one["inputs"]["model"]["fairness"] is not None


def test_gpu_apps_share_a_cluster_unless_one_asks_for_its_own(prod: Declared) -> None:
    apps = {one["name"]: one["inputs"]["apps"] for one in prod.of(f"{COMPONENTS}InferenceCluster")}
    assert apps == {
        "lumen-prod-us-east-1": ["camera", "photos", "voice", "assistant"],
        "lumen-prod-eu-central-1": ["voice"],
        "lumen-prod-health-eu-west-1": ["health"],
        "lumen-prod-europe-west4": ["camera", "translate"],
    }


def test_disks_and_secrets_are_encrypted_and_metadata_is_out_of_reach(declared: Declared) -> None:
    for one in declared.of("aws:ec2/launchTemplate:"):
        [disk] = one["inputs"]["blockDeviceMappings"]
        assert disk["ebs"]["encrypted"] == "true"
        assert disk["ebs"]["kmsKeyId"]
        assert one["inputs"]["metadataOptions"]["httpTokens"] == "required"
        assert one["inputs"]["metadataOptions"]["httpPutResponseHopLimit"] == 1
        kinds = {spec["resourceType"] for spec in one["inputs"]["tagSpecifications"]}
        assert {"instance", "volume"} <= kinds
    for one in declared.of("aws:eks/cluster:"):
        assert one["inputs"]["encryptionConfig"]["resources"] == ["secrets"]
        assert one["inputs"]["vpcConfig"]["endpointPublicAccess"] is False
    for one in declared.of("gcp:container/cluster:"):
        assert one["inputs"]["databaseEncryption"]["state"] == "ENCRYPTED"
        assert one["inputs"]["workloadIdentityConfig"]["workloadPool"].endswith(".svc.id.goog")
    for one in declared.of("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        spec = one["inputs"]["spec"]
        assert spec["metadataOptions"]["httpTokens"] == "required"
        assert spec["blockDeviceMappings"][0]["ebs"]["encrypted"] is True


def test_each_kms_key_lets_the_account_administer_it(declared: Declared) -> None:
    for one in declared.of("aws:kms/key:"):
        first = json.loads(one["inputs"]["policy"])["Statement"][0]
        assert first["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        assert one["inputs"]["enableKeyRotation"] is True


def test_no_permission_is_for_everything(declared: Declared) -> None:
    for one in declared.of("aws:iam/rolePolicy:"):
        for statement in json.loads(one["inputs"]["policy"])["Statement"]:
            actions = statement["Action"]
            named = [actions] if isinstance(actions, str) else actions
            assert not any(action.endswith(":*") or action == "*" for action in named)
            if statement["Resource"] == "*":
                looks = ("ec2:Describe", "elasticloadbalancing:Describe", "xray:", "pricing:")
                assert all(action.startswith(looks) for action in named), one["urn"]


def test_gpu_nodes_take_pods_of_their_app_only(declared: Declared) -> None:
    for one in declared.of("aws:eks/nodeGroup:"):
        if one["name"].endswith("-system"):
            continue
        assert [taint["effect"] for taint in one["inputs"]["taints"]] == ["NO_SCHEDULE"]
        assert one["inputs"]["labels"]["fairweather.dev/pool"] == one["name"]
    for one in declared.of(DEPLOYMENT):
        pod = one["inputs"]["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"fairweather.dev/pool": one["name"]}
        assert [entry["key"] for entry in pod["tolerations"]] == [GPU]


def test_the_group_behind_a_node_group_is_tagged_and_follows_the_floor(declared: Declared) -> None:
    groups = [n for n in declared.of("aws:eks/nodeGroup:") if not n["name"].endswith("-system")]
    for one in groups:
        tags = [
            t["inputs"]["tag"]["key"]
            for t in declared.of("aws:autoscaling/tag:")
            if t["parent"] == one["parent"]
        ]
        assert set(IDENTITY) <= set(tags)
        moves = [
            s for s in declared.of("aws:autoscaling/schedule:") if s["parent"] == one["parent"]
        ]
        assert moves
        assert all(move["inputs"]["autoscalingGroupName"] == "behind" for move in moves)
        assert one["ignore_changes"] == ["scalingConfig"]


def test_burst_is_bought_in_the_mix_asked_for(prod: Declared) -> None:
    limits = {
        one["name"]: int(one["inputs"]["spec"]["limits"][GPU])
        for one in prod.of("kubernetes:karpenter.sh/v1:NodePool")
    }
    # voice: ceiling 12, floor 7, one GPU a node, at most 0.3 of the five spot
    assert limits["voice-us-east-1-spot"] == 1
    assert limits["voice-us-east-1-on-demand"] == 4
    assert "health-eu-west-1-spot" not in limits  # spot_share 0
    pools = {one["name"]: one["inputs"] for one in prod.of("gcp:container/nodePool:")}
    spot, burst = pools["camera-europe-west4-spot"], pools["camera-europe-west4-on-demand"]
    most = [pool["autoscaling"]["totalMaxNodeCount"] for pool in (spot, burst)]
    assert most == [2, 2]
    assert spot["nodeConfig"]["spot"] is True
    assert burst["nodeConfig"]["spot"] is False


def test_pods_are_restricted_limited_and_probed(declared: Declared) -> None:
    for one in declared.of(DEPLOYMENT):
        pod = one["inputs"]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        [container] = pod["containers"]
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        assert asked[GPU] == most[GPU]
        assert asked["memory"] == most["memory"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert "replicas" not in one["inputs"]["spec"]
        assert one["ignore_changes"] == ["spec.replicas"]


def test_a_namespace_has_its_quota_policies_and_disruption_budget(declared: Declared) -> None:
    spaces = {
        one["inputs"]["metadata"]["name"] for one in declared.of("kubernetes:core/v1:Namespace")
    }
    for kind in (
        "core/v1:ResourceQuota",
        "policy/v1:PodDisruptionBudget",
        "networking.k8s.io/v1:NetworkPolicy",
    ):
        found = {
            one["inputs"]["metadata"]["namespace"] for one in declared.of(f"kubernetes:{kind}")
        }
        assert found == spaces
    for one in declared.of("kubernetes:core/v1:Namespace"):
        labels = one["inputs"]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_quota_has_room_for_the_ceiling_and_one_more_while_rolling_out(prod: Declared) -> None:
    hard = prod.one("kubernetes:core/v1:ResourceQuota", "assistant-us-east-1")["inputs"]["spec"][
        "hard"
    ]
    assert hard == {
        "requests.nvidia.com/gpu": "15",
        "requests.cpu": "45",
        "limits.memory": "360Gi",
        "services.loadbalancers": "0",
    }


def test_the_autoscaler_stays_inside_floor_and_ceiling(declared: Declared) -> None:
    services = {one["name"]: one["inputs"] for one in declared.of(f"{COMPONENTS}ModelService")}
    for one in declared.of(SCALED):
        spec, told = one["inputs"]["spec"], services[one["name"]]
        assert spec["minReplicaCount"] == told["floor_least"]
        assert spec["maxReplicaCount"] == told["ceiling"]
        load = spec["triggers"][-1]
        assert load["type"] == "prometheus"
        aim = told["rps_per_replica"] * told["target_utilisation"]
        assert float(load["metadata"]["threshold"]) == pytest.approx(aim)
    for one in declared.of("kubernetes:autoscaling/v2:HorizontalPodAutoscaler"):
        spec, told = one["inputs"]["spec"], services[one["name"]]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (told["floor_peak"], told["ceiling"])


def test_one_autoscaler_for_each_deployment(declared: Declared) -> None:
    scaled = [one["name"] for one in declared.of(SCALED)]
    scaled += [one["name"] for one in declared.of("kubernetes:autoscaling/v2:Horizontal")]
    assert sorted(scaled) == sorted(one["name"] for one in declared.of(DEPLOYMENT))


def test_a_local_zone_has_nodes_subnets_and_a_name_of_its_own(prod: Declared) -> None:
    zone = "lumen-prod-us-east-1-us-east-1-bos-1a"
    for kind in ("private", "public"):
        subnet = prod.one("aws:ec2/subnet:", f"{zone}-{kind}")
        assert subnet["inputs"]["availabilityZone"] == "us-east-1-bos-1a"
    group = prod.one("aws:autoscaling/group:", "photos-us-east-1-bos-1a")["inputs"]
    assert group["vpcZoneIdentifiers"] == [f"id-of-{zone}-private"]
    record = prod.one("aws:route53/record:", "photos-us-east-1-bos-1a")["inputs"]
    assert record["name"] == "photos-us-east-1-bos-1a.apps.lumen.example"
    assert "latencyRoutingPolicies" not in record


def test_a_node_of_a_local_zone_knows_its_cluster_labels_and_taint(prod: Declared) -> None:
    template = prod.one("aws:ec2/launchTemplate:", "photos-us-east-1-bos-1a")["inputs"]
    text = base64.b64decode(template["userData"]).decode()
    config = json.loads(text[text.index("{") : text.rindex("}") + 1])["spec"]
    assert config["cluster"]["name"] == "lumen-prod-us-east-1"
    assert config["cluster"]["cidr"] == "172.20.0.0/16"
    assert f"--register-with-taints={GPU}=present:NoSchedule" in config["kubelet"]["flags"]


def test_subnets_of_a_network_do_not_overlap(declared: Declared) -> None:
    import ipaddress

    by_network: dict[str, list[ipaddress.IPv4Network]] = {}
    for one in declared.of("aws:ec2/subnet:"):
        block = ipaddress.IPv4Network(one["inputs"]["cidrBlock"])
        by_network.setdefault(one["inputs"]["vpcId"], []).append(block)
    for subnets in by_network.values():
        pairs = [(a, b) for n, a in enumerate(subnets) for b in subnets[n + 1 :]]
        assert not any(a.overlaps(b) for a, b in pairs)


def test_names_lead_to_the_nearest_region_and_no_two_records_are_alike(prod: Declared) -> None:
    keys = []
    for one in prod.of("aws:route53/record:"):
        routing = one["inputs"].get("latencyRoutingPolicies") or [{"region": None}]
        keys.append((one["inputs"]["name"], routing[0]["region"]))
    assert ("camera.apps.lumen.example", "us-east-1") in keys
    assert ("camera.apps.lumen.example", "eu-central-1") in keys  # for europe-west4
    assert len(keys) == len(set(keys))


def test_budgets_tell_of_actual_and_of_forecast_spend(declared: Declared) -> None:
    found = list(declared.of("aws:budgets/budget:"))
    assert found
    for one in found:
        kinds = [notice["notificationType"] for notice in one["inputs"]["notifications"]]
        assert kinds[-1] == "FORECASTED"
        assert "ACTUAL" in kinds
        assert all(notice["subscriberSnsTopicArns"] for notice in one["inputs"]["notifications"])
        [by_tag] = one["inputs"]["costFilters"]
        assert re.fullmatch(r"user:(app|portfolio)\$[a-z-]+", by_tag["values"][0])
    for one in declared.of("gcp:billing/budget:"):
        bases = {rule["spendBasis"] for rule in one["inputs"]["thresholdRules"]}
        assert bases == {"CURRENT_SPEND", "FORECASTED_SPEND"}


def test_functions_are_warm_by_schedule_and_bounded(declared: Declared) -> None:
    [target] = declared.of("aws:appautoscaling/target:")
    actions = list(declared.of("aws:appautoscaling/scheduledAction:"))
    assert target["ignore_changes"] == ["minCapacity"]
    assert actions
    for action in actions:
        assert re.fullmatch(r"cron\(\d+ \d+ \? \* [\d,*]+ \*\)", action["inputs"]["schedule"])
    [function] = declared.of("aws:lambda/function:")
    most = target["inputs"]["maxCapacity"]
    assert function["inputs"]["reservedConcurrentExecutions"] == most


def test_what_runs_in_a_cluster_waits_for_its_controllers(declared: Declared) -> None:
    urns = {one["urn"]: one for one in declared.resources}
    for kind, chart in ((SCALED, "keda"), ("kubernetes:karpenter.sh/v1:", "karpenter")):
        for one in declared.of(kind):
            needs = [urns[urn]["name"] for urn in one["dependencies"]]
            assert any(name.endswith(f"-{chart}") for name in needs), one["urn"]


def test_nodes_come_after_the_network_of_pods(declared: Declared) -> None:
    urns = {one["urn"]: one for one in declared.resources}
    for one in declared.of("aws:eks/nodeGroup:"):
        if one["name"].endswith("-system"):
            needs = {urns[urn]["name"] for urn in one["dependencies"]}
            assert one["name"].replace("-system", "-vpc-cni") in needs
