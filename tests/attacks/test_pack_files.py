"""What is tried with the pack's own files, and with values that only the deployment tells."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops.engine import Outcome
from tests.attacks.attacks_on_resources import TRUST, role
from tests.attacks.engine import PACK, ROOT, Declared, Project, state
from tests.attacks.samples import (
    CONTAINER,
    INSTANCE,
    TAGS,
    app,
    attack,
    aws,
    fine,
    pods,
    portfolio,
    shared,
)  # fmt: skip

pytestmark = pytest.mark.slow

NAKED = attack("naked", "tags-are-complete", aws("s3/bucket:Bucket", tags={}))


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def waiver(**fields: str) -> str:
    usual = {
        "rule": "tags-are-complete",
        "urn": "'*::naked'",
        "owner": "me",
        "reason": "later",
        "expires": day(30),
    }
    body = ", ".join(f"{key}: {value}" for key, value in {**usual, **fields}.items())
    return f"waivers:\n  - {{{body}}}\n"


@pytest.fixture(scope="module")
def program(new_project: Callable[[], Project]) -> Project:
    """One bucket without tags."""
    made = new_project()
    made.declare([NAKED], [portfolio(10_000.0), app("camera")])
    return made


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the pack that a test may change."""
    folder = tmp_path / "policypacks" / "guardrails"
    shutil.copytree(PACK, folder, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return folder


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"urn": "'*'"}, "covers too much"),
        ({"urn": "'urn:*::*'"}, "covers too much"),
        ({"urn": "'urn:pulumi:dev::*'"}, "covers too much"),
        ({"urn": "'*attacks*'"}, "covers too much"),
        ({"urn": "'*aws*::*'"}, "covers too much"),
        ({"urn": "'*::??*'"}, "covers too much"),
        ({"owner": "''"}, "owner: should be text"),
        ({"reason": "' '"}, "reason: should be text"),
        ({"expires": "never"}, "expires: should be a day"),
        ({"expires": f"{day(30)}T00:00:00"}, "expires: should be a day"),
        ({"rule": "waivers-are-current", "urn": "stack"}, "cannot be waived"),
        ({"and": "more"}, "is not a key here"),
    ],
    ids=lambda given: ",".join(given.values()) if isinstance(given, dict) else given,
)
def test_a_waiver_that_says_too_much_or_too_little_stops_everything(
    program: Project, pack: Path, fields: dict[str, str], said: str
) -> None:
    (pack / "waivers.yaml").write_text(waiver(**fields))
    outcome = program.run("preview", pack=pack)
    assert outcome.failed
    assert "waivers.yaml:2: waivers[0]." in told(outcome)
    assert said in told(outcome)


@pytest.mark.parametrize(
    "fields",
    [
        {"expires": day(-1)},
        {"expires": day(91)},
        {"expires": "9999-12-31"},
        {"rule": "Tags-Are-Complete"},
        {"rule": "'*'"},
    ],
    ids=lambda fields: ",".join(fields.values()),
)
def test_a_waiver_that_cannot_stand_waives_nothing_and_blocks_itself(
    program: Project, pack: Path, fields: dict[str, str]
) -> None:
    (pack / "waivers.yaml").write_text(waiver(**fields))
    outcome = program.run("preview", pack=pack)
    rules = {one.rule for one in outcome.findings if one.blocks}
    assert {"tags-are-complete", "waivers-are-current"} <= rules


@pytest.mark.parametrize(
    "urn",
    [
        "*::[abcdefghijklmnopqrstuvwxyz]*",
        "*::*attacks*",
        "*::NAKED",
        "*::aws:s3/bucketV2:BucketV2::*",
    ],
)
def test_a_waiver_for_something_else_does_not_cover_it(
    program: Project, pack: Path, urn: str
) -> None:
    (pack / "waivers.yaml").write_text(waiver(urn=f"'{urn}'"))
    outcome = program.run("preview", pack=pack)
    assert [one.rule for one in outcome.findings if one.blocks] == ["tags-are-complete"]


@pytest.mark.parametrize("urn", ["*::naked", "*::aws:s3/bucket:Bucket::*", "*::nak*"])
def test_a_waiver_as_it_should_be_covers_what_it_names(
    program: Project, pack: Path, urn: str
) -> None:
    (pack / "waivers.yaml").write_text(waiver(urn=f"'{urn}'"))
    outcome = program.run("preview", pack=pack)
    assert not outcome.failed, outcome


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("thresholds.yaml", "max_difference: 0.05", "max_difference: .nan", "should be a number"),
        ("thresholds.yaml", "undeclared_usd: 500", "undeclared_usd: -.inf", "should be a number"),
        ("thresholds.yaml", "insufficient: mandatory", "insufficient: ignore", "mandatory or advisory"),
        ("thresholds.yaml", "  portfolio: 160", "  portfolio: many", "should be a number"),
        ("approved.yaml", "licence: CC-BY-4.0", "licence: ''", "should be text"),
    ],
)  # fmt: skip
def test_limits_that_are_none_stop_everything(
    program: Project, pack: Path, file: str, old: str, new: str, said: str
) -> None:
    text = (pack / file).read_text()
    assert old in text
    (pack / file).write_text(text.replace(old, new, 1))
    outcome = program.run("preview", pack=pack)
    assert outcome.failed
    assert file in told(outcome)
    assert said in told(outcome)


@pytest.mark.parametrize("rule", ["ResourceRule", "StackRule"])
def test_a_rule_that_crashes_blocks(program: Project, pack: Path, rule: str) -> None:
    main = pack / "__main__.py"
    text = main.read_text()
    crash = f'gate.{rule}("crashing-rule", "Crashes.", check=lambda _: [1 / 0], remedy="Mend it."),'
    assert text.count("rules = (\n") == 1
    main.write_text(text.replace("rules = (\n", f"rules = (\n    {crash}\n"))
    outcome = program.run("preview", pack=pack)
    assert outcome.errors, "the engine goes no further"
    assert "ZeroDivisionError" in told(outcome) or "division by zero" in told(outcome)


def test_a_pack_that_does_not_start_blocks(program: Project, pack: Path) -> None:
    (pack / "tagging.py").write_text("raise SystemExit(0)\n")
    assert program.run("preview", pack=pack).failed


def told(outcome: Outcome) -> str:
    return "\n".join([*outcome.errors, *(one.message for one in outcome.findings)])


@pytest.mark.parametrize(
    ("name", "budgets", "resources", "rule", "said"),
    [
        ("negative", [portfolio(-1.0)], [], "portfolio-cost-within-budget", "give it one above zero"),
        ("nan", [portfolio("NaN")], [], "portfolio-cost-within-budget", "give it one above zero"),
        ("none declared", [], [state("aws:ec2/instance:Instance", "raw", {**INSTANCE, "instanceType": "g6.12xlarge"})],
         "portfolio-cost-within-budget", "declares no budget"),
        ("two of them", [portfolio(10_000_000.0), {**portfolio(10.0), "name": "other"}, app("camera")],
         [state("aws:ec2/instance:Instance", "raw", INSTANCE)], "portfolio-cost-within-budget", "$10"),
        ("two of an app", [portfolio(1e6), app("camera"), {**app("camera", 1.0), "name": "second"}],
         [state("aws:ec2/instance:Instance", "raw", INSTANCE)], "app-cost-within-budget", "$1"),
        ("a machine without a price", [portfolio(1e6), app("camera", 1e6)],
         [state("aws:ec2/instance:Instance", "raw", {**INSTANCE, "instanceType": "g6.48xlarge"})],
         "machines-are-priced", "1 of 1 machines"),
        ("gpus of all apps", [portfolio(1e9), *(app(f"app{at}", 1e9) for at in range(5))],
         [state("aws:ec2/instance:Instance", f"raw-{at}-{each}", {**INSTANCE, "instanceType": "p5.48xlarge",
                "tags": {**TAGS, "app": f"app{at}"}}) for at in range(5) for each in range(5)],
         "gpus-within-quota", "the portfolio can reach 200 GPUs"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_no_trick_with_the_budgets_or_quotas_of_the_whole_stack(
    new_project: Callable[[], Project],
    name: str,
    budgets: list[dict[str, object]],
    resources: list[dict[str, object]],
    rule: str,
    said: str,
) -> None:
    program = new_project()
    program.declare([], [*budgets, *resources])
    outcome = program.run("preview")
    messages = [one.text for one in outcome.findings if one.blocks and one.rule == rule]
    assert any(said in message for message in messages), (name, outcome.findings)


def later(name: str) -> dict[str, str]:
    return {"$": "unknown", "of": f"seed-of-{name}"}


UNKNOWN_UNTIL_UP = {
    "acl": ("buckets-are-not-public-by-acl", "public-read",
            lambda value: aws("s3/bucketAcl:BucketAcl", bucket="b", acl=value)),
    "tag": ("tags-are-complete", "", lambda value: aws("s3/bucket:Bucket", tags={**TAGS, "owner": value})),
    "image": ("images-by-digest", "registry.example.com/c:1", lambda value: pods(image=value)),
    "machine": ("machines-are-allowed", "p5e.48xlarge",
                lambda value: aws("ec2/instance:Instance", **{**INSTANCE, "instanceType": value})),
    "policy": ("policies-name-what-they-allow", '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
               lambda value: aws("iam/policy:Policy", policy=value)),
    "privileged": ("pods-are-not-privileged", "true",
                   lambda value: pods(securityContext={**CONTAINER["securityContext"], "privileged": value})),
    "administrator": ("nobody-is-administrator", "arn:aws:iam::aws:policy/AdministratorAccess",
                      lambda value: role(TRUST, managedPolicyArns=[value])),
    "tokens": ("metadata-asks-for-tokens", "optional",
               lambda value: aws("ec2/instance:Instance", **{**INSTANCE, "metadataOptions": {"httpTokens": value}})),
}  # fmt: skip
"""Name -> the rule, what it turns out to be, and the resource. Preview cannot know it."""


@pytest.mark.parametrize("name", UNKNOWN_UNTIL_UP)
def test_a_value_unknown_at_preview_is_judged_before_anything_is_made_of_it(
    new_project: Callable[[], Project], name: str
) -> None:
    rule, becomes, make = UNKNOWN_UNTIL_UP[name]
    seed = state("aws:kms/key:Key", f"seed-of-{name}",
                 {"enableKeyRotation": True, "tags": TAGS, "becomes": becomes})  # fmt: skip
    program = new_project()
    one: Declared = make(later(name))
    program.declare(
        [attack(name, rule, one)], [portfolio(100_000.0), app("camera"), *shared(1e5)[-1:], seed]
    )
    outcome = program.run("up", "--yes", "--skip-preview")
    assert attack(name, rule, one).stopped_by(outcome.findings), outcome
    exported = program.pulumi("stack", "export").stdout
    assert f"seed-of-{name}" in exported
    assert f'::{name}"' not in exported, "it was made all the same"


def test_what_another_stack_says_is_judged_before_anything_is_made_of_it(
    new_project: Callable[[], Project],
) -> None:
    """A StackReference brings a public ACL from a stack that the pack never saw."""
    program = new_project()
    program.declare([fine("elsewhere")], [portfolio(10_000.0)])
    (program.folder / "elsewhere").mkdir()
    other = program.folder / "elsewhere"
    (other / "Pulumi.yaml").write_text(
        (program.folder / "Pulumi.yaml").read_text().replace("attacks", "elsewhere")
    )
    (other / "__main__.py").write_text('import pulumi\npulumi.export("value", "public-read")\n')
    there = Project(other, program.env)
    assert there.pulumi("stack", "init").returncode == 0
    assert there.pulumi("up", "--yes", "--skip-preview").returncode == 0
    acl = aws("s3/bucketAcl:BucketAcl", bucket="b", acl={"$": "of another stack"})
    attempt = attack("imported", "buckets-are-not-public-by-acl", acl)
    program.declare([attempt], [portfolio(10_000.0)])
    assert attempt.stopped_by(program.run("preview").findings)
