"""The page of rules is what the rules say, of exactly the rules that ship."""

from __future__ import annotations

import json

import protocol
import pytest
import rules_doc
import settings
from samples import PACK


@pytest.fixture(scope="module")
def rules():
    return rules_doc.shipped()


def test_the_page_in_docs_is_up_to_date():
    assert rules_doc.main(["--check"]) == 0, "run policypacks/guardrails/rules_doc.py --write"


def test_it_tells_of_the_rules_that_the_pack_serves_and_of_no_others(rules):
    with protocol.started(PACK) as pack:
        served = {
            policy.name: (policy.description, protocol.LEVELS[policy.enforcementLevel])
            for policy in pack.info.policies
        }
    assert {rule.name: (rule.description, rule.level) for rule in rules} == served


def test_every_rule_has_a_row_with_its_remedy(rules):
    page = rules_doc.page(rules)
    for rule in rules:
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{rule.name}` |")]
        assert row.endswith(f"| {rule.remedy} |")
        assert row.count("|") == 7


WHOLE = {"machines", "registries", "charts", "residency"}
"""Keys that are one limit, whatever they hold."""


def test_the_limits_are_keys_of_the_thresholds_and_each_key_belongs_to_a_rule(rules):
    root = settings.read(PACK / "thresholds.yaml").mapping()
    keys = {
        f"{top}.{key}" for top, node in root.items() if top not in WHOLE for key in node.mapping()
    } | {*WHOLE, "gpus.apps"}  # without an app of its own quota, `apps` is not there
    named = {key for rule in rules for key in rule.limits if not key.startswith("fairweather:")}
    assert named == keys


def test_for_machines_it_says_the_same(rules, capsys):
    assert rules_doc.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [rule["name"] for rule in told] == [rule.name for rule in rules]
    keys = {"name", "level", "severity", "frameworks", "description", "remedy", "limits"}
    assert set(told[0]) == keys


@pytest.mark.parametrize("before", [None, "# What the gate asked\n"])
def test_a_page_that_is_absent_or_stale_fails_the_check_until_it_is_written(
    tmp_path, monkeypatch, capsys, before
):
    page = tmp_path / "rules.md"
    if before is not None:
        page.write_text(before)
    monkeypatch.setattr(rules_doc, "PAGE", page)
    assert rules_doc.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        "docs/rules.md: is not what the rules say; run it with --write\n"
    )
    assert rules_doc.main(["--write"]) == 0
    assert rules_doc.main(["--check"]) == 0


def test_the_engines_server_is_not_started_and_comes_back_afterwards():
    import pulumi_policy

    before = pulumi_policy.PolicyPack
    rules_doc.shipped()
    assert pulumi_policy.PolicyPack is before
