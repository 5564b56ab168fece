"""The whole pack in its own process, over the protocol that the engine speaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter

import protocol
import pytest
import rules_doc
import samples
from pricing.declared import UNKNOWN
from samples import PACK, budgets, evidence, karpenter, node_group, service, state

MANDATORY = {
    "tags-are-complete", "owner-is-named", "images-by-digest", "machines-are-allowed", "gpus-within-quota",
    "fairness-evidence-holds", "fairness-is-shown", "fairness-is-decided", "claims-hold", "app-cost-within-budget",
    "portfolio-cost-within-budget", "machines-are-priced", "waivers-are-current",
}  # fmt: skip
ADVISORY = {
    "taggability-is-known", "images-are-known", "cost-range-within-budget", "costs-are-known", "waivers-are-used",
    "gke-nodes-are-shielded", "buckets-let-go", "registries-let-go", "subnets-keep-flow-logs",
}  # fmt: skip


@pytest.fixture(scope="module")
def pack():
    with protocol.started(PACK) as started:
        yield started


def sound():
    served = service()
    return [*budgets(), node_group(), served, karpenter(parent=served)]


def blocked(pack, *states):
    return Counter(rule for rule, level, _, _ in pack.judge(states) if level == "mandatory")


def test_it_lists_its_rules_and_their_levels(pack):
    levels = {
        policy.name: protocol.LEVELS[policy.enforcementLevel] for policy in pack.info.policies
    }
    assert levels == {rule.name: rule.level for rule in rules_doc.shipped()}
    assert {name for name, level in levels.items() if level == "advisory"} == set(ADVISORY)
    assert set(MANDATORY) <= set(levels)
    assert all(policy.description.endswith(".") for policy in pack.info.policies)


def test_a_sound_stack_passes(pack):
    assert pack.judge(sound()) == []


def test_an_untagged_bucket_is_blocked(pack):
    bucket = state("aws:s3/bucket:Bucket", "logs")
    [(rule, level, urn, message)] = [one for one in pack.judge([bucket]) if one[1] == "mandatory"]
    assert (rule, level, urn) == ("tags-are-complete", "mandatory", bucket["urn"])
    assert message.startswith("logs lacks app, owner, cost_center, environment, portfolio")


def test_what_costs_more_than_its_budget_is_blocked(pack):
    assert blocked(pack, *budgets(app_usd=1_000), node_group()) == {"app-cost-within-budget": 1}


def test_a_model_whose_fairness_evidence_fails_is_blocked(pack):
    slices = [
        {"slice": "lighter", "n": 10_000, "k": 9_100},
        {"slice": "darker", "n": 9_000, "k": 7_000},
    ]
    about = {"modality": "image", "attribute": "skin_tone", "metric": "true_positive_rate"}
    assert blocked(pack, service(evidence(comparisons=[{**about, "slices": slices}]))) == {
        "fairness-is-shown": 1
    }


@pytest.mark.parametrize(
    ("unknown", "rule"),
    [
        # An unknown id beside them leaves the rules at work.
        (state("aws:s3/bucket:Bucket", "logs", {"arn": UNKNOWN, "tags": {"app": UNKNOWN}}), "tags-are-complete"),
        (node_group(subnetIds=[UNKNOWN], nodeRoleArn=UNKNOWN, instanceTypes=["x2.huge"]), "machines-are-allowed"),
        (state("aws:lambda/function:Function", "f", {"role": UNKNOWN, "imageUri": "f:latest", "tags": samples.TAGS}),
         "images-by-digest"),
    ],
)  # fmt: skip
def test_unknown_values_do_not_switch_a_rule_off(pack, unknown, rule):
    found = pack.judge([unknown])
    assert rule in {name for name, level, _, _ in found if level == "mandatory"}
    assert not [message for *_, message in found if "can't run policy" in message]


def test_budgets_hold_beside_unknown_values(pack):
    group = node_group(nodeRoleArn=UNKNOWN, launchTemplate={"id": UNKNOWN, "version": UNKNOWN})
    assert blocked(pack, *budgets(app_usd=1_000), group) == {"app-cost-within-budget": 1}


def test_a_size_that_is_unknown_is_told_and_not_zero(pack):
    found = pack.judge([*budgets(), node_group(scalingConfig=UNKNOWN)])
    told = {rule: message for rule, _, _, message in found}
    assert "its size is not known before deployment" in told["costs-are-known"]
    assert set(told) == {"costs-are-known", "machines-are-priced", "gpus-within-quota"}


def with_file(tmp_path, name, text):
    """A copy of the pack with one file of its own."""
    copy = tmp_path / "pack"
    shutil.copytree(PACK, copy, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    (copy / name).write_text(text)
    return copy


def test_a_pack_with_a_broken_file_does_not_start_and_says_why(tmp_path):
    copy = with_file(tmp_path, "thresholds.yaml", "tags: {required: [app]\n")
    with pytest.raises(RuntimeError, match=r"thresholds\.yaml:2: not YAML"), protocol.started(copy):
        pass


def test_a_waived_violation_is_not_reported_and_an_expired_waiver_is(tmp_path):
    from datetime import timedelta

    from gate import today

    line = "- {{rule: tags-are-complete, urn: '*::logs', owner: a, reason: b, expires: {}}}\n"
    bucket = state("aws:s3/bucket:Bucket", "logs")
    current = with_file(
        tmp_path, "waivers.yaml", "waivers:\n" + line.format(today() + timedelta(9))
    )
    with protocol.started(current) as pack:
        assert blocked(pack, bucket) == {}
    (current / "waivers.yaml").write_text("waivers:\n" + line.format(today() - timedelta(9)))
    with protocol.started(current) as pack:
        assert blocked(pack, bucket) == {"tags-are-complete": 1, "waivers-are-current": 1}


@pytest.mark.slow
def test_a_copy_of_the_folder_alone_starts_and_blocks(tmp_path):
    copy = with_file(tmp_path, "waivers.yaml", "waivers: []\n")
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    probe = "import pricing.resources, sys; print([p for p in sys.path if 'fairweather' in p])"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=copy,
        env=alone,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    with protocol.started(copy, **alone) as pack:
        assert blocked(pack, *budgets(app_usd=1_000), node_group()) == {"app-cost-within-budget": 1}
        assert pack.judge(sound()) == []


def test_the_pack_imports_nothing_of_the_repository():
    """Its own files, the standard library, pulumi_policy and yaml; boto3 only where prices are fetched."""
    import ast

    own = {file.stem for file in PACK.glob("*.py")} | {"pricing", "security"}
    allowed = own | {"pulumi_policy", "yaml", "cryptography"} | sys.stdlib_module_names
    for file in PACK.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            found = {name.split(".")[0] for name in names} - allowed
            assert found <= ({"boto3"} if file.name == "awslist.py" else set()), file


def test_the_same_resource_asked_again_is_judged_by_what_it_is_now(pack):
    tagged = state("aws:s3/bucket:Bucket", "logs", {"tags": samples.TAGS})
    for _ in range(2):
        assert blocked(pack, state("aws:s3/bucket:Bucket", "logs")) == {"tags-are-complete": 1}
        assert blocked(pack, tagged) == {}


def test_the_same_stack_asked_again_is_judged_by_what_it_is_now(pack):
    for budget, rules in (
        (1_000, {"app-cost-within-budget": 1}),
        (9_000, {}),
        (1_000, {"app-cost-within-budget": 1}),
    ):
        assert blocked(pack, *budgets(app_usd=budget), node_group()) == rules


def test_what_a_provider_could_not_answer_is_judged_by_what_was_asked(pack):
    group = node_group() | {"outputs": {}}
    assert blocked(pack, *budgets(app_usd=1_000), group) == {"app-cost-within-budget": 1}
