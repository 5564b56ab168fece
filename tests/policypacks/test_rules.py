"""The rules one by one, on plain records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import claims
import cost
import gate
import images
import pytest
import quotas
import settings
import tagging
import waiver_rules
import waivers
from pricing.book import PriceBook
from pricing.declared import UNKNOWN, of_preview
from samples import (
    DIGEST,
    IMAGE,
    LABELS,
    PACK,
    TAGS,
    budgets,
    karpenter,
    node_group,
    service,
    state,
)

THRESHOLDS = settings.thresholds(PACK / "thresholds.yaml")
RULES = {
    rule.name: rule
    for rule in (
        *tagging.rules(THRESHOLDS),
        *images.rules(),
        *quotas.rules(THRESHOLDS),
        *claims.rules(),
        *cost.rules(THRESHOLDS, PriceBook.load()),
    )
}


def messages(rule, *states, thresholds=None):
    """What a rule says of a stack."""
    found = RULES[rule] if isinstance(rule, str) else rule
    return [finding.message for finding in found.findings(of_preview(states))]


def bucket(**tags):
    return state("aws:s3/bucket:Bucket", "logs", {"tags": tags} if tags else {})


def pod(image):
    container = {"name": "model", "image": image}
    spec = {"template": {"spec": {"containers": [container]}}}
    return state(
        "kubernetes:apps/v1:Deployment", "model", {"metadata": {"labels": LABELS}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (bucket(), "logs lacks app, owner, cost_center, environment, portfolio of 5 required"),
        (bucket(**{**TAGS, "owner": ""}), "logs lacks owner of 5 required; set them under `tags`."),
        (bucket(**{**TAGS, "owner": " "}), "logs lacks owner of 5 required"),
        (bucket(**{k: v for k, v in TAGS.items() if k != "owner"}, Owner="me"), "lacks owner (Owner is not owner)"),
        (state("aws:autoscaling/group:Group", "asg", {"tags": [{"key": "app", "value": "x"}]}), "asg lacks owner,"),
        (state("gcp:container/cluster:Cluster", "gke", {"resourceLabels": {}}), "set them under `resourceLabels`."),
        (state("gcp:container/nodePool:NodePool", "np", {"nodeConfig": {"labels": TAGS}}), "`nodeConfig.resource"),
        (state("kubernetes:core/v1:ConfigMap", "cm"), "cm lacks fairweather.dev/app, fairweather.dev/owner,"),
        (state("kubernetes:core/v1:ConfigMap", "cm", {"metadata": {"labels": TAGS}}), "under `metadata.labels`"),
        (state("aws:future/gadget:Gadget", "g", {"tags": {"app": "x"}}), "g lacks owner, cost_center"),
    ],
)  # fmt: skip
def test_what_can_carry_tags_must_carry_them(resource, said):
    [message] = messages("tags-are-complete", resource)
    assert said in message


@pytest.mark.parametrize(
    "resource",
    [
        bucket(**TAGS),
        bucket(**{**TAGS, "owner": UNKNOWN}),
        state("kubernetes:core/v1:ConfigMap", "cm", {"metadata": {"labels": LABELS}}),
        state("aws:route53/record:Record", "a record cannot be tagged"),
        state("fairweather:index:GpuPool", "a component"),
        state("pulumi:providers:aws", "a provider"),
    ],
)
def test_tagged_and_not_taggable_resources_pass(resource):
    assert messages("tags-are-complete", resource) == []
    assert messages("taggability-is-known", resource) == []


def test_a_type_that_the_pack_does_not_know_is_told_and_not_passed_silently():
    [message] = messages("taggability-is-known", state("aws:future/gadget:Gadget", "g"))
    assert "does not know whether aws:future/gadget:Gadget can be tagged" in message
    assert RULES["taggability-is-known"].level == "advisory"


@pytest.mark.parametrize(
    ("resource", "blocks"),
    [
        (state("fairweather:index:AppBudget", "camera", {"owner": "vision-team"}), False),
        (state("fairweather:index:AppBudget", "camera", {"owner": " "}), True),
        (state("fairweather:index:AppBudget", "camera"), True),
        (bucket(**{**TAGS, "owner": "TBD"}), True),
        (bucket(**TAGS), False),
    ],
)
def test_each_app_names_its_owner(resource, blocks):
    assert bool(messages("owner-is-named", resource)) == blocks


def run_on_lambda(image):
    return state("aws:lambda/function:Function", "search", {"imageUri": image})


def run_on_cloud_run(image):
    return state(
        "gcp:cloudrunv2/service:Service", "search", {"template": {"containers": [{"image": image}]}}
    )


def run_by_cron(image):
    spec = {"jobTemplate": {"spec": {"template": {"spec": {"initContainers": [{"image": image}]}}}}}
    return state("kubernetes:batch/v1:CronJob", "nightly", {"spec": spec})


@pytest.mark.parametrize("run", [pod, run_on_lambda, run_on_cloud_run, run_by_cron])
def test_images_are_named_by_digest(run):
    assert messages("images-by-digest", run(IMAGE)) == []
    for image in ("camera:latest", "camera", "camera@sha256:abc", IMAGE.upper(), f"{IMAGE}0", ""):
        [message] = messages("images-by-digest", run(image))
        assert "name it by digest" in message
    assert messages("images-by-digest", run(UNKNOWN)) == []
    assert "is judged then" in messages("images-are-known", run(UNKNOWN))[0]


def test_images_of_an_ecs_task_are_read_out_of_its_text():
    def task(text):
        return state("aws:ecs/taskDefinition:TaskDefinition", "t", {"containerDefinitions": text})

    assert messages("images-by-digest", task(f'[{{"image": "{IMAGE}"}}]')) == []
    assert messages("images-by-digest", task('[{"image": "nginx"}]'))
    assert messages("images-by-digest", task("not JSON"))


@pytest.mark.parametrize(
    ("resource", "machine"),
    [
        (node_group(instanceTypes=["g6.xlarge", "p4de.24xlarge"]), "p4de.24xlarge"),
        (state("aws:ec2/instance:Instance", "i", {"instanceType": "x2iedn.32xlarge"}), "x2iedn.32xlarge"),
        (state("aws:ec2/launchTemplate:LaunchTemplate", "t", {"instanceType": "trn1.2xlarge"}), "trn1.2xlarge"),
        (karpenter(machine="p5en.48xlarge"), "p5en.48xlarge"),
        (state("gcp:compute/instance:Instance", "i", {"machineType": "zones/z/machineTypes/m3-ultra"}), "m3-ultra"),
        (karpenter(machine=None), "machines of any type"),
    ],
)  # fmt: skip
def test_machines_are_of_allowed_types(resource, machine):
    [message] = messages("machines-are-allowed", resource)
    assert machine in message


def test_allowed_machines_pass():
    assert messages("machines-are-allowed", node_group(), karpenter()) == []


def group_of(count, machine="g6.12xlarge", **more):
    return node_group(
        instanceTypes=[machine], scalingConfig={"minSize": 0, "maxSize": count}, **more
    )


def test_gpus_are_counted_at_the_ceiling():
    quota = replace(THRESHOLDS, gpus_default=40, gpus_portfolio=100, gpus_by_app={})
    rule = next(rule for rule in quotas.rules(quota) if rule.name == "gpus-within-quota")
    assert messages(rule, group_of(10)) == []
    assert messages(rule, group_of(11)) == [
        "camera can reach 44 GPUs, its quota is 40; lower its ceilings in fairweather:capacity."
    ]
    allowed = next(
        r
        for r in quotas.rules(replace(quota, gpus_by_app={"camera": 60}))
        if r.name == "gpus-within-quota"
    )
    assert messages(allowed, group_of(11)) == []
    apps = [
        group_of(9, tags={**TAGS, "app": app}) | {"urn": f"urn::{app}"} for app in ("a", "b", "c")
    ]
    assert messages(rule, *apps) == [
        "the portfolio can reach 108 GPUs, its quota is 100; lower ceilings."
    ]


def test_what_is_said_of_an_app_can_be_waived_for_that_app():
    rule = next(
        r
        for r in quotas.rules(replace(THRESHOLDS, gpus_default=8))
        if r.name == "gpus-within-quota"
    )
    [finding] = rule.findings(of_preview([*budgets(), group_of(10)]))
    assert finding.urn.endswith("fairweather:index:AppBudget::camera")


def test_gpus_that_cannot_be_counted_are_a_finding():
    assert "has no limit on GPUs" in messages("gpus-within-quota", karpenter(gpus=None))[0]
    assert (
        "GPUs of g99.huge are not known"
        in messages("gpus-within-quota", group_of(1, "g99.huge"))[0]
    )
    assert messages("gpus-within-quota", group_of(99, "m7i.large")) == []


def test_the_pack_counts_gpus_as_the_contract_does():
    from pricing.machines import gpus

    from stacks.machines import GPU_MACHINES

    for cloud in GPU_MACHINES.values():
        for machine in (
            one for offered in cloud.values() for one in offered if not one.name.startswith("n1-")
        ):
            assert gpus(machine.name) == machine.gpus


MACHINES_USD = 3 * (0.8048 * 730 + 20 * 0.08)


def test_an_app_over_its_budget_is_told_with_what_costs_most():
    [message] = messages("app-cost-within-budget", *budgets(app_usd=MACHINES_USD - 1), node_group())
    assert message == (
        "camera is expected to cost $1,767 a month ($1,178 to $2,356); its budget is $1,766. Most of it: nodes, "
        "3.00 x g6.xlarge at $0.8048/h; 2 to 4, 3 desired. Lower its capacity or raise the budget."
    )


def test_an_app_within_its_budget_passes_and_its_range_is_told():
    states = [*budgets(app_usd=MACHINES_USD + 1), node_group()]
    assert messages("app-cost-within-budget", *states) == []
    [message] = messages("cost-range-within-budget", *states)
    assert message.startswith(
        "camera may cost up to $2,356 a month with every ceiling reached; the budget is $1,768"
    )


@pytest.mark.parametrize("usd", [0, -5, "nan", "lots", None, UNKNOWN])
def test_a_budget_that_is_none_blocks(usd):
    assert "give it one above zero" in messages("app-cost-within-budget", *budgets(app_usd=usd))[0]
    assert (
        "give it one above zero"
        in messages("portfolio-cost-within-budget", *budgets(portfolio_usd=usd))[0]
    )


def test_a_budget_said_twice_is_the_smaller_one():
    twice = [*budgets(app_usd=9_000), *budgets(app_usd=100)[1:]]
    assert "its budget is $100" in messages("app-cost-within-budget", *twice, node_group())[0]


@pytest.mark.parametrize(
    ("limit", "blocked"), [(MACHINES_USD - 1, True), (MACHINES_USD + 100, False)]
)
def test_a_team_has_a_limit_over_all_its_apps(limit, blocked):
    limits = replace(THRESHOLDS, team_budgets_usd={"vision-team": limit, "speech-team": 1})
    rules = {rule.name: rule for rule in cost.rules(limits, PriceBook.load())}
    declared = of_preview([*budgets(app_usd=10 * MACHINES_USD), node_group()])
    found = [one.message for one in rules["team-cost-within-budget"].findings(declared)]
    assert bool(found) is blocked
    if blocked:
        assert found[0].startswith("vision-team is expected to spend $")
        assert "on camera; it may spend $" in found[0]


def test_the_portfolio_has_a_budget_too():
    [message] = messages(
        "portfolio-cost-within-budget", *budgets(portfolio_usd=1_000), node_group()
    )
    assert "the portfolio's budget is $1,000" in message
    assert (
        messages("portfolio-cost-within-budget", *budgets(portfolio_usd=2_000), node_group()) == []
    )


def test_cost_of_an_app_without_a_budget_blocks():
    strange = node_group(tags={**TAGS, "app": "stowaway"})
    [message] = messages("app-cost-within-budget", *budgets(), strange)
    assert message.startswith("stowaway has no budget and is expected to cost $1,767")


def test_a_stack_that_declares_no_budget_may_cost_little():
    nat = state("aws:ec2/natGateway:NatGateway", "nat", {"region": "us-east-1"})
    assert messages("portfolio-cost-within-budget", nat) == []
    assert (
        "declares no budget; without one it may cost $500"
        in messages("portfolio-cost-within-budget", node_group())[0]
    )


def test_unpriced_machines_beyond_a_share_block_and_others_are_listed():
    lost = node_group("lost", instanceTypes=["g6.xlarge"], region="eu-west-1")
    [message] = messages("machines-are-priced", node_group(), lost)
    assert message.startswith(
        "4 of 8 machines have no price (50%), the limit is 15%: lost: no price for g6.xlarge"
    )
    many = [node_group(f"n{i}") for i in range(9)]
    assert messages("machines-are-priced", *many, lost) == []
    [listed] = messages("costs-are-known", *many, lost)
    assert listed.startswith(
        "1 of aws:eks/nodeGroup:NodeGroup in no sum: no price for g6.xlarge at aws:eu-west-1"
    )


def inside_of(kind, facts, name, inputs):
    above = state("fairweather:index:GpuPool", "camera-us-east-1", {"app": "camera", **facts})
    return above, state(kind, name, inputs, parent=above)


KEY, GROUP = "aws:kms/key:Key", "aws:eks/nodeGroup:NodeGroup"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (
            inside_of(KEY, {}, "key", {"tags": {"app": "voice"}}),
            "tagged app=voice inside a component of camera",
        ),
        (
            inside_of(GROUP, {"location": "aws:us-east-1"}, "n", {"region": "eu-west-1"}),
            "n is at aws:eu-west-1, its component says aws:us-east-1",
        ),
        (
            inside_of(GROUP, {"machine": "g6.xlarge"}, "n", {"instanceTypes": ["p5.48xlarge"]}),
            "n runs on p5.48xlarge, its component says g6.xlarge",
        ),
        (
            (*budgets(), state(KEY, "key", {"tags": {"app": "ghost"}})),
            "tagged app=ghost, which has no budget here; apps: camera",
        ),
    ],
)
def test_claims_are_held_against_resources(states, said):
    [message] = messages("claims-hold", *states)
    assert said in message


def serving(image=IMAGE, digest=DIGEST):
    above = service()
    container = {"image": image, "env": [{"name": "MODEL_DIGEST", "value": digest}]}
    inputs = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return above, state("kubernetes:apps/v1:Deployment", "camera", inputs, parent=above)


def test_what_runs_is_what_the_evidence_is_for():
    assert messages("claims-hold", *serving()) == []
    assert (
        "its evidence is for" in messages("claims-hold", *serving(image=IMAGE.replace("b", "c")))[0]
    )
    assert (
        "loads weights sha256:cc"
        in messages("claims-hold", *serving(digest="sha256:" + "c" * 64))[0]
    )
    assert messages("claims-hold", *serving(image=UNKNOWN, digest=UNKNOWN)) == []


TODAY = gate.today()


def waiver(**more):
    about = {"rule": "tags-are-complete", "urn": "*::logs", "owner": "platform", "reason": "moving"}
    return waivers.Waiver(
        **{**about, "expires": TODAY + timedelta(30), "place": "waivers.yaml:3", **more}
    )


@pytest.mark.parametrize(
    ("change", "waived"),
    [
        ({}, True),
        ({"expires": TODAY}, True),
        ({"expires": TODAY - timedelta(1)}, False),
        ({"expires": TODAY + timedelta(90)}, True),
        ({"expires": TODAY + timedelta(91)}, False),
        ({"urn": "*::lo?s"}, True),
        ({"urn": "*::other"}, False),
        ({"urn": "stack"}, False),
        ({"rule": "owner-is-named"}, False),
    ],
)
def test_a_waiver_covers_its_rule_its_resources_and_its_time(change, waived):
    urn = bucket()["urn"]
    assert waivers.waived([waiver(**change)], "tags-are-complete", urn, TODAY) == waived


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"expires": TODAY - timedelta(1)},
            f"by platform expired on {TODAY - timedelta(1)}; mend the resource",
        ),
        ({"expires": TODAY + timedelta(91)}, "the limit is 90 days; shorten it."),
        ({"rule": "tags-are-nice"}, "names no rule of this pack; name one of tags-are-complete"),
    ],
)
def test_a_waiver_that_cannot_stand_blocks(change, said):
    rules = waiver_rules.rules(tuple(RULES.values()), [waiver(**change)])
    current = next(rule for rule in rules if rule.name == "waivers-are-current")
    [message] = messages(current)
    assert message.startswith("waivers.yaml:3: the waiver of ")
    assert said in message
    assert current.level == "mandatory"


def test_a_waiver_that_covers_nothing_is_told():
    rules = waiver_rules.rules(tuple(RULES.values()), [waiver(), waiver(urn="*::gone")])
    used = next(rule for rule in rules if rule.name == "waivers-are-used")
    assert messages(used, bucket()) == [
        "waivers.yaml:3: the waiver of tags-are-complete for *::gone covers nothing; remove it."
    ]
    assert used.level == "advisory"


ABOUT = "owner: b, reason: c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waivers: 3", "1: waivers: should be a list"),
        ("other: []", "1: other: is not a key here; use waivers"),
        (
            f"waivers:\n- {{rule: a, urn: '*::logs', {ABOUT}}}",
            "2: waivers[0]: lacks expires; add it",
        ),
        (
            f"waivers:\n- {{rule: a, urn: '*', {ABOUT}, expires: 2026-01-01}}",
            "2: waivers[0].urn: covers too much",
        ),
        (
            "waivers:\n- {rule: a, urn: '*::l', owner: '', reason: c, expires: 2026-01-01}",
            "2: waivers[0].urn: covers",
        ),
        (
            "waivers:\n- {rule: a, urn: '*::logs', owner: '', reason: c, expires: 2026-01-01}",
            "2: waivers[0].owner: should be",
        ),
        (
            f"waivers:\n- {{rule: a, urn: '*::logs', {ABOUT}, expires: soon}}",
            "2: waivers[0].expires: should be a day",
        ),
        ("waivers: []\nwaivers: []", "2: waivers: stands there twice"),
        ("waivers: [", "1: not YAML"),
    ],
)
def test_the_waivers_file_is_read_strictly(tmp_path, text, said):
    file = tmp_path / "waivers.yaml"
    file.write_text(text)
    with pytest.raises(settings.SettingsError) as refused:
        waivers.load(file)
    assert str(refused.value).startswith(f"waivers.yaml:{said}")


def test_what_is_said_of_the_whole_stack_is_waived_by_that_word():
    assert waivers.waived([waiver(urn="stack")], "tags-are-complete", "", TODAY)
    assert not waivers.waived([waiver()], "tags-are-complete", "", TODAY)


def test_a_waiver_is_read_with_its_place(tmp_path):
    file = tmp_path / "waivers.yaml"
    file.write_text(
        "waivers:\n- {rule: a, urn: '*::logs', owner: b, reason: c, expires: 2026-12-15}\n"
    )
    assert waivers.load(file) == (
        waivers.Waiver("a", "*::logs", "b", "c", date(2026, 12, 15), "waivers.yaml:2"),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "app: 40 ",
            "app: many ",
            "thresholds.yaml:{line}: gpus.app: should be a number at least 0, not 'many'",
        ),
        ("app: 40 ", "app: -1 ", "gpus.app: should be a number at least 0, not -1"),
        ("app: 40 ", "app: .nan ", "gpus.app: should be a number at least 0, not nan"),
        (
            "confidence: 0.95",
            "confidence: 95",
            "fairness.confidence: should be a number from 0.5 to 0.9999, not 95",
        ),
        (
            "insufficient: mandatory",
            "insufficient: ignore",
            "fairness.insufficient: should be mandatory or advisory",
        ),
        (
            "selection_rate: {min_ratio: 0.8}",
            "selection_rate: {}",
            "needs either max_difference or min_ratio",
        ),
        (
            "  unpriced_machines: 0.15",
            "  unpriced: 0.15",
            "budget.unpriced: is not a key here; use undeclared_usd",
        ),
        (
            "tags:",
            "labels:",
            "labels: is not a key here; use tags, budget, machines, registries, charts, residency, gpus, fairness",
        ),
    ],
)
def test_thresholds_are_read_strictly(tmp_path, old, new, said):
    text = (PACK / "thresholds.yaml").read_text()
    assert old in text
    file = tmp_path / "thresholds.yaml"
    file.write_text(text.replace(old, new))
    line = text[: text.index(old)].count("\n") + 1
    with pytest.raises(settings.SettingsError) as refused:
        settings.thresholds(file)
    assert said.format(line=line) in str(refused.value)
    assert "\n" not in str(refused.value)
