"""What resources cost: by hand, and by properties that hold for all of them."""

from __future__ import annotations

import math
from datetime import date

import hypothesis.strategies as st
import pytest
import samples
from hypothesis import given
from pricing.book import PriceBook, Row
from pricing.capacity import fleets
from pricing.declared import UNKNOWN, of_preview
from pricing.kinds import KINDS
from pricing.resources import price
from pricing.services import PRICERS
from pricing.week import Range, over_a_week
from samples import GROUP, KARPENTER, SCHEDULE, TAGS, TEMPLATE, karpenter, node_group, state

BOOK = PriceBook.load()
G6 = 0.8048 * 730
GP3 = 0.08


def estimate(*states):
    return price(of_preview(states), BOOK)


def cost(*states):
    """(low, expected, high) of everything, in USD a month."""
    total = estimate(*states).total()
    return tuple(round(usd, 4) for usd in (total.low, total.expected, total.high))


def usd(*amounts):
    return tuple(round(amount, 4) for amount in amounts)


def disks(count, gib=20):
    return count * gib * GP3


def test_a_node_group_costs_by_its_bounds_and_desired_size():
    assert cost(node_group()) == usd(*(n * G6 + disks(n) for n in (2, 3, 4)))


def test_a_schedule_tells_what_is_expected():
    group = node_group(scalingConfig={"minSize": 0, "desiredSize": 9, "maxSize": 12})
    needs = {"autoscalingGroupName": [group]}
    day = state(SCHEDULE, "day", {"recurrence": "0 8 * * *", "desiredCapacity": 6}, needs=needs)
    night = state(
        SCHEDULE, "night", {"recurrence": "0 20 * * *", "desiredCapacity": 2}, needs=needs
    )
    assert cost(group, day, night) == usd(*(n * G6 + disks(n) for n in (2, 4, 6)))


def test_a_schedule_nobody_can_read_leaves_the_bounds():
    group = node_group()
    odd = state(
        SCHEDULE,
        "odd",
        {"recurrence": "*/5 * * * *", "desiredCapacity": 6},
        needs={"autoscalingGroupName": [group]},
    )
    assert cost(group, odd) == cost(group)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([("0 0 * * *", 3)], Range(3, 3, 3)),
        ([("0 12 * * *", 4), ("0 0 * * *", 2)], Range(2, 3, 4)),
        ([("0 0 * * 1", 7), ("0 0 * * 6", 0)], Range(0, 5, 7)),
        ([("0 0 * * 1-5", 7), ("0 0 * * 6", 0)], Range(0, 5, 7)),
        ([("cron(0 0 ? * 2 *)", 7), ("cron(0 0 ? * 7 *)", 0)], Range(0, 5, 7)),
        ([("0 0 1 * *", 3)], None),
        ([("60 0 * * *", 3)], None),
        ([("@daily", 3)], None),
        ([("0 0 * * MON", 3)], None),
        ([], None),
    ],
)
def test_cron_lines_make_a_week(moves, expected):
    assert over_a_week(moves) == expected


def launched(kind="g6.xlarge", gib=200):
    disk = {"deviceName": "/dev/xvda", "ebs": {"volumeSize": gib, "volumeType": "gp3"}}
    return state(TEMPLATE, "template", {"instanceType": kind, "blockDeviceMappings": [disk]})


def test_disks_come_from_the_launch_template():
    template = launched()
    group = samples.state(
        GROUP, "nodes", node_group()["inputs"], needs={"launchTemplate": [template]}
    )
    assert cost(template, group)[1] == usd(3 * G6 + disks(3, 200))[0]


def test_a_group_in_a_local_zone_is_priced_there():
    template = launched("g4dn.2xlarge")
    subnet = state(
        "aws:ec2/subnet:Subnet", "bos", {"availabilityZone": "us-east-1-bos-1a", "tags": TAGS}
    )
    group = state(
        "aws:autoscaling/group:Group",
        "edge",
        {"minSize": 1, "maxSize": 3, "desiredCapacity": 2, "region": "us-east-1"},
        needs={"launchTemplate": [template], "vpcZoneIdentifiers": [subnet]},
    )
    [machines, disk] = [
        line for line in estimate(template, subnet, group).lines if line.name == "edge"
    ]
    assert machines.location == "aws:us-east-1-bos-1a"
    assert machines.usd.expected == pytest.approx(2 * 1.015 * 730)
    # Nobody typed in what disks cost in Boston, and that is said.
    assert (disk.state, disk.usd) == ("unpriced", None)


def pool_of(least, scheduled, most, *, expected=None, spot=0, on_demand=0):
    """A scheduled group with its burst, as a component declares them."""
    facts = {"app": "camera", "location": "aws:us-east-1"}
    if expected is not None:
        facts |= {"expected_replicas": expected, "replicas_per_node": 1}
    above = state("fairweather:index:GpuPool", "camera", facts)
    inputs = node_group()["inputs"] | {
        "labels": {"fairweather.dev/pool": "camera"},
        "scalingConfig": {"minSize": 0, "desiredSize": most, "maxSize": most},
    }
    group = state(GROUP, "camera", inputs, parent=above)
    needs = {"autoscalingGroupName": [group]}
    moves = [
        state(
            SCHEDULE, "up", {"recurrence": "0 12 * * *", "desiredCapacity": scheduled}, needs=needs
        ),
        state(SCHEDULE, "down", {"recurrence": "0 0 * * *", "desiredCapacity": least}, needs=needs),
    ]
    bursts = [
        karpenter(f"camera-{buys}", gpus=str(room), buys=[buys], pool="camera", parent=above)
        for buys, room in (("spot", spot), ("on-demand", on_demand))
        if room
    ]
    return [above, group, *moves, *bursts]


def counts(states):
    return {fleet.resource.name: fleet.count for fleet in fleets(of_preview(states))}


def test_burst_and_schedule_share_the_room_up_to_the_ceiling():
    # From 2 at night over 6 by day to a ceiling of 10: burst counts from the least floor, so 8.
    found = counts(pool_of(2, 6, 10, expected=5, on_demand=8))
    assert found == {"camera": Range(2, 4, 6), "camera-on-demand": Range(0, 1, 4)}
    assert sum(count.high for count in found.values()) == 10


def test_spot_is_expected_before_machines_on_demand():
    found = counts(pool_of(2, 2, 10, expected=7, spot=4, on_demand=4))
    assert found == {
        "camera": Range(2, 2, 2),
        "camera-spot": Range(0, 4, 4),
        "camera-on-demand": Range(0, 1, 4),
    }


def test_a_claim_is_held_between_what_the_resources_allow():
    assert counts(pool_of(2, 2, 10, expected=999, on_demand=8))["camera-on-demand"] == Range(
        0, 8, 8
    )
    assert counts(pool_of(2, 2, 10, expected=-5, on_demand=8))["camera-on-demand"] == Range(0, 0, 8)


def test_without_a_claim_half_of_the_burst_is_expected():
    assert counts(pool_of(2, 2, 10, on_demand=8))["camera-on-demand"] == Range(0, 4, 8)


def test_burst_in_a_local_zone_is_priced_there():
    eks = state("aws:eks/cluster:Cluster", "eks", {"region": "us-east-1"})
    provider = state("pulumi:providers:kubernetes", "eks", needs={"kubeconfig": [eks]})
    subnet = state(
        "aws:ec2/subnet:Subnet",
        "bos",
        {"availabilityZone": "us-east-1-bos-1a", "region": "us-east-1"},
    )
    kind = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
    disk = {"ebs": {"volumeSize": "200Gi", "volumeType": "gp3"}}
    inputs = {"metadata": {"name": "edge"}, "spec": {"blockDeviceMappings": [disk]}}
    there = state(kind, "edge", inputs, needs={"spec": [subnet]}, provider=provider)
    pool = karpenter(machine="g4dn.2xlarge", provider=provider)
    pool["inputs"]["spec"]["template"]["spec"]["nodeClassRef"] = {"name": "edge"}
    [fleet] = fleets(of_preview([eks, provider, subnet, there, pool]))
    assert (fleet.location, fleet.disk.gib) == ("aws:us-east-1-bos-1a", 200)
    without_its_class = fleets(of_preview([eks, provider, pool]))
    assert [fleet.location for fleet in without_its_class] == ["aws:us-east-1"]


@pytest.mark.parametrize(
    "resource",
    [
        node_group(scalingConfig={"minSize": -9, "desiredSize": -9, "maxSize": 0}),
        state("aws:ebs/volume:Volume", "v", {"region": "us-east-1", "type": "gp3", "size": -1000}),
        karpenter(gpus="-8"),
    ],
)
def test_a_size_below_zero_is_no_discount(resource):
    found = estimate(resource)
    assert found.unpriced() == {resource["type"]: 1}
    assert found.total().low == 0


def test_spot_is_expected_at_its_price_and_bounded_by_on_demand():
    [line] = [
        line
        for line in estimate(*pool_of(0, 0, 4, expected=2, spot=4)).lines
        if line.name == "camera-spot"
    ]
    assert usd(line.usd.low, line.usd.expected, line.usd.high) == usd(0, 2 * 0.410 * 730, 4 * G6)


def test_a_burst_pool_without_a_limit_is_unpriced_and_says_why():
    found = estimate(karpenter(gpus=None))
    assert found.unpriced() == {KARPENTER: 1}
    assert "nothing bounds what it may cost" in found.lines[0].why


def gke(**more):
    cluster = state(
        "gcp:container/cluster:Cluster",
        "gke",
        {"location": "europe-west4", "removeDefaultNodePool": True},
    )
    node = {"machineType": "g2-standard-4", "diskSizeGb": 100, "diskType": "pd-balanced"}
    pool = state(
        "gcp:container/nodePool:NodePool",
        "pool",
        {"nodeConfig": node, **more},
        needs={"cluster": [cluster]},
    )
    return cluster, pool


@pytest.mark.parametrize(
    ("size", "nodes"),
    [
        ({"autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 5}}, (1, 3, 5)),
        ({"autoscaling": {"minNodeCount": 1, "maxNodeCount": 5}}, (3, 9, 15)),
        (
            {"autoscaling": {"minNodeCount": 1, "maxNodeCount": 5}, "nodeLocations": ["a", "b"]},
            (2, 6, 10),
        ),
        ({"nodeCount": 2}, (6, 6, 6)),
        ({"initialNodeCount": 1}, (3, 3, 3)),
    ],
)
def test_gke_pools_cost_by_zone_or_in_total(size, nodes):
    control = 0.10 * 730
    assert cost(*gke(**size)) == usd(*(control + n * (0.7429 * 730 + 100 * 0.11) for n in nodes))


def test_the_pool_that_gke_makes_by_itself_is_priced():
    inputs = {"location": "europe-west4", "initialNodeCount": 1}
    assert cost(state("gcp:container/cluster:Cluster", "gke", inputs))[1] > 3 * 0.0369 * 730


@pytest.mark.parametrize(
    ("kind", "inputs", "monthly"),
    [
        ("aws:eks/cluster:Cluster", {"region": "eu-west-1"}, 73.0),
        ("aws:ec2/natGateway:NatGateway", {"region": "us-east-1"}, 32.85),
        ("aws:ec2/eip:Eip", {"region": "us-east-1"}, 3.65),
        ("aws:lb/loadBalancer:LoadBalancer", {"region": "us-east-1", "subnets": ["a", "b"]}, (0.0225 + 0.01) * 730),
        ("aws:lb/loadBalancer:LoadBalancer", {"region": "us-east-1", "internal": True, "subnets": ["a"]}, 0.0225 * 730),
        ("aws:kms/key:Key", {}, 1.0),
        ("aws:route53/zone:Zone", {}, 0.5),
        ("aws:route53/healthCheck:HealthCheck", {"type": "HTTPS"}, 2.75),
        ("aws:ebs/volume:Volume", {"availabilityZone": "us-east-1a", "size": 100, "type": "gp3"}, 8.0),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {"region": "us-east-1", "vpcEndpointType": "Interface"}, 7.3),
        ("aws:ec2/instance:Instance", {"availabilityZone": "us-east-1a", "instanceType": "m7i.large"}, 73.584),
        ("gcp:compute/instance:Instance", {"zone": "europe-west4-a", "machineType": "e2-standard-4"}, 107.675),
        ("gcp:compute/disk:Disk", {"zone": "europe-west4-a", "size": 100, "type": "pd-ssd"}, 18.7),
        ("gcp:kms/cryptoKey:CryptoKey", {}, 0.06),
        ("gcp:compute/globalForwardingRule:GlobalForwardingRule", {}, 18.25),
    ],
)  # fmt: skip
def test_ordinary_resources_cost_what_the_price_list_says(kind, inputs, monthly):
    assert cost(state(kind, "it", inputs)) == usd(monthly, monthly, monthly)


def lambda_app(concurrency=(2, 10), expected=4, reserved=10):
    facts = {
        "app": "search",
        "expected_replicas": expected,
        "target_utilisation": 0.5,
        "location": "aws:us-east-1",
    }
    above = state("fairweather:index:ServerlessBackend", "search", facts)
    inputs = {"memorySize": 2048, "reservedConcurrentExecutions": reserved, "region": "us-east-1"}
    function = state("aws:lambda/function:Function", "search", inputs, parent=above)
    alias = state(
        "aws:lambda/alias:Alias", "search", needs={"functionName": [function]}, parent=above
    )
    least, most = concurrency
    bounds = {
        "scalableDimension": "lambda:function:ProvisionedConcurrency",
        "minCapacity": least,
        "maxCapacity": most,
    }
    target = state(
        "aws:appautoscaling/target:Target",
        "search",
        bounds,
        needs={"resourceId": [alias]},
        parent=above,
    )
    return above, function, alias, target


def test_lambda_costs_what_is_kept_warm_and_what_is_busy():
    gib_seconds = 2 * 3600 * 730
    low = 2 * 0.0000041667 * gib_seconds
    busy = 4 * 0.5 * 0.0000097222 * gib_seconds
    # All ten busy, only the two least ones warm: cold ones are billed more a second.
    high = (2 * (0.0000041667 + 0.0000097222) + 8 * 0.0000166667) * gib_seconds
    assert cost(*lambda_app()) == usd(low, low + busy, high)


def test_lambda_without_provisioned_concurrency_is_billed_by_use():
    _, function, *_ = lambda_app()
    [line] = estimate(function).lines
    assert (line.state, line.usd) == ("usage", None)


def cloud_run(least=2, most=10, **resources):
    limits = {"limits": {"cpu": "2", "memory": "4Gi"}, "cpuIdle": True, **resources}
    template = {
        "containers": [{"resources": limits}],
        "scaling": {"minInstanceCount": least, "maxInstanceCount": most},
    }
    facts = {"app": "search", "expected_replicas": 4, "target_utilisation": 0.25}
    above = state("fairweather:index:ServerlessBackend", "search", facts)
    inputs = {"location": "europe-west4", "template": template}
    return above, state("gcp:cloudrunv2/service:Service", "search", inputs, parent=above)


def test_cloud_run_costs_idle_and_busy_instances():
    seconds = 3600 * 730
    idle = (2 * 0.0000025 + 4 * 0.0000025) * seconds
    busy = (2 * 0.000024 + 4 * 0.0000025) * seconds
    assert cost(*cloud_run()) == usd(2 * idle, 1 * idle + 1 * busy, 10 * busy)


def test_cloud_run_without_a_maximum_is_unpriced():
    assert estimate(*cloud_run(most=None)).unpriced() == {"gcp:cloudrunv2/service:Service": 1}


def test_a_bucket_is_billed_by_use_and_not_zero():
    [line] = estimate(state("aws:s3/bucket:Bucket", "logs")).lines
    assert (line.state, line.usd) == ("usage", None)


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([state("aws:rds/instance:Instance", "db")], "the price book does not know this type"),
        ([state("acme:index:Thing", "thing")], "the price book does not know this type"),
        ([node_group(instanceTypes=["z9.mega"])], "no price for z9.mega at aws:us-east-1"),
        (
            [node_group(instanceTypes=["g6.xlarge", "z9.mega"])],
            "no price for z9.mega at aws:us-east-1",
        ),
        ([node_group(region="ap-south-2")], "no price for g6.xlarge at aws:ap-south-2"),
        ([node_group(scalingConfig=UNKNOWN)], "its size is not known before deployment"),
        ([node_group(region=UNKNOWN)], "its location is not known before deployment"),
        (
            [state("aws:ec2/natGateway:NatGateway", "nat")],
            "no price for nat gateway at an unknown location",
        ),
        (
            [state("aws:ebs/volume:Volume", "v", {"region": "us-east-1", "type": "gp3"})],
            "its size is not known",
        ),
    ],
)
def test_what_has_no_price_is_listed_and_in_no_sum(states, why):
    found = estimate(*states)
    assert sum(found.unpriced().values()) == 1
    [line] = found.of_state("unpriced")
    assert line.usd is None
    assert why in line.why


def test_the_region_of_a_provider_counts_where_the_resource_says_none():
    provider = state("pulumi:providers:aws", "ireland", {"region": "eu-west-1"})
    nat = state("aws:ec2/natGateway:NatGateway", "nat", provider=provider)
    assert cost(provider, nat)[0] == usd(0.048 * 730)[0]


def test_a_kubernetes_object_is_where_the_cluster_of_its_provider_is():
    cluster = state("aws:eks/cluster:Cluster", "eks", {"region": "us-east-1"})
    provider = state("pulumi:providers:kubernetes", "eks", needs={"kubeconfig": [cluster]})
    balancer = state(
        "kubernetes:core/v1:Service", "web", {"spec": {"type": "LoadBalancer"}}, provider=provider
    )
    inside = state(
        "kubernetes:core/v1:Service", "db", {"spec": {"type": "ClusterIP"}}, provider=provider
    )
    found = {line.name: line for line in estimate(cluster, provider, balancer, inside).lines}
    assert found["web"].usd.expected == pytest.approx(0.0225 * 730)
    assert found["db"].state == "inside"


def test_cost_goes_to_the_tag_then_to_the_component_then_to_nobody():
    component = state("fairweather:index:GpuPool", "pool", {"app": "voice"})
    tagged = state("aws:kms/key:Key", "tagged", {"tags": {"app": "camera"}}, parent=component)
    inside = state("aws:kms/key:Key", "inside", parent=component)
    shared = state("aws:kms/key:Key", "shared", {"tags": {"app": "shared"}})
    loose = state("aws:kms/key:Key", "loose")
    by_app = estimate(component, tagged, inside, shared, loose).by_app()
    assert list(by_app) == ["camera", "voice", "shared", "unallocated"]
    assert all(amount.expected == pytest.approx(1) for amount in by_app.values())


def test_secrets_are_priced_by_what_they_hold():
    wrapped = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"gp3"',
    }
    volume = {"region": "us-east-1", "size": 100, "type": wrapped}
    assert cost(state("aws:ebs/volume:Volume", "v", volume))[0] == 8


def test_the_table_of_types_agrees_with_what_is_priced():
    from pricing.capacity import MAKERS

    priced = {kind for kind, known in KINDS.items() if known.billed == "priced"}
    cloud = {kind for kind in {*PRICERS, *MAKERS} if not kind.startswith("kubernetes:")}
    assert priced == cloud


sizes = st.one_of(st.none(), st.just(UNKNOWN), st.integers(-2, 40), st.floats(0, 40), st.just("7"))


@given(
    least=sizes, wanted=sizes, most=sizes,
    kinds=st.lists(st.sampled_from(["g6.xlarge", "g5.xlarge", "m7i.large", "z9.mega"]), max_size=3),
    place=st.sampled_from(["us-east-1", "eu-west-1", "mars-1", None]),
    gpus=st.one_of(st.none(), st.integers(0, 40).map(str), st.just("many")),
    buys=st.lists(st.sampled_from(["spot", "on-demand"]), max_size=2),
    expected=st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
    per_node=st.sampled_from([None, 0, 1, 4, -1]),
)  # fmt: skip
def test_low_is_at_most_expected_and_that_at_most_high(
    least, wanted, most, kinds, place, gpus, buys, expected, per_node
):
    facts = {"app": "camera", "expected_replicas": expected, "replicas_per_node": per_node}
    above = state("fairweather:index:GpuPool", "camera", facts)
    inputs = {
        "instanceTypes": kinds,
        "region": place,
        "labels": {"fairweather.dev/pool": "camera"},
        "scalingConfig": {"minSize": least, "desiredSize": wanted, "maxSize": most},
    }
    group = state(GROUP, "nodes", inputs, parent=above)
    found = estimate(above, group, karpenter(gpus=gpus, buys=buys, pool="camera", parent=above))
    for line in found.lines:
        assert (line.usd is None) == (line.state != "priced")
        if line.usd is not None:
            assert 0 <= line.usd.low <= line.usd.expected <= line.usd.high
            assert math.isfinite(line.usd.high)
    total = found.total()
    assert total.low <= total.expected <= total.high


@given(st.dictionaries(st.sampled_from(sorted({*KINDS, *PRICERS})), st.dictionaries(
    st.sampled_from(["region", "size", "type", "template", "subnets", "tags", "location", "scalingConfig", "spec"]),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(UNKNOWN),
                 lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
                 max_leaves=4)), max_size=4))  # fmt: skip
def test_no_input_makes_pricing_fail(declared):
    states = [state(kind, "it", inputs) for kind, inputs in declared.items()]
    found = estimate(*states)
    assert {line.urn for line in found.lines} == {one["urn"] for one in states}


def test_a_price_that_doubles_doubles_the_cost():
    double = PriceBook.of(
        Row(r.service, r.item, r.location, r.unit, r.usd * 2, date(2026, 1, 1), r.source)
        for r in BOOK.rows.values()
    )
    states = of_preview([node_group(), *lambda_app(), *gke(nodeCount=1)])
    assert price(states, double).total().expected == pytest.approx(
        2 * price(states, BOOK).total().expected
    )
