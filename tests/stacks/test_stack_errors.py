"""Each mistake in a stack file gives one line: file, line, key, what is wrong, what to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stacks
from stacks import ContractError, Stack
from stacks.errors import SHAPES

ROOT = Path(__file__).resolve().parents[2]
PLACE = "is not a place such as aws:us-east-1 or gcp:europe-west4"
KEYS = (
    "fairweather:portfolio, fairweather:telemetry, fairweather:apps, fairweather:events, "
    "fairweather:capacity"
)
CAMERA = "apps.camera"
EAST = "capacity.camera.aws:us-east-1"
REPAIR = "run `fairweather plan --write`"

GOOD = """\
config:
  fairweather:portfolio:
    name: lumen
    environment: prod
    owner: platform-team
    cost_center: cc-1000
    budget: {monthly_usd: 90000}
    aws: {account_id: "123456789012"}
  fairweather:telemetry:
    demand: {path: demand.csv}
  fairweather:apps:
    camera:
      owner: vision-team
      cost_center: cc-1042
      data_class: personal
      model: {name: scene-caption, version: 2.3.1}
      serving:
        target: gpu
        gpu: t4
        rps_per_replica: 40
      regions: [aws:us-east-1]
      edge:
        - aws:us-east-1-bos-1a
        - cdn
      slo: {latency_p95_ms: 300}
      budget: {monthly_usd: 16000, alert_at: [0.5, 1.0]}
  fairweather:capacity:
    camera:
      aws:us-east-1:
        floor:
          weekday: [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]
          weekend: [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]
        ceiling: 14
        target_utilisation: 0.7
        expected_replicas: 9
        reason: set by hand
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stacks").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complaint(text: str | bytes) -> str:
    """What loading such a file says."""
    file = Path("stacks/Pulumi.prod.yaml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ContractError) as error:
        stacks.load(file)
    return str(error.value)


# What is written, what instead, and what is said after the file's name.
MISTAKES = [
    ("gpu: t4", "gpu: l4",
     f"19: {CAMERA}.serving.gpu: aws:us-east-1-bos-1a has no machine with 1 x l4 on aws Local Zones; "
     "choose one of t4"),
    ("gpu: t4", "gpu: l5",
     f"19: {CAMERA}.serving.gpu: 'l5' is not one of t4, a10g, l4, l40s, a100, h100"),
    ("target: gpu", "target: gpus",
     f"18: {CAMERA}.serving.target: 'gpus' is not one of gpu, serverless"),
    ("        target: gpu\n", "", f"17: {CAMERA}.serving.target: is missing; add it"),
    ("rps_per_replica: 40", "rps_per_replica: 0",
     f"20: {CAMERA}.serving.rps_per_replica: 0 is too low; it must be above 0"),
    ("rps_per_replica: 40", "rps_per_replica: forty",
     f"20: {CAMERA}.serving.rps_per_replica: 'forty' is not a number"),
    ("rps_per_replica: 40", "rps_per_replica: '40'",
     f"20: {CAMERA}.serving.rps_per_replica: '40' is text; remove the quotes"),
    ("rps_per_replica: 40", "rps_per_replica: .inf",
     f"20: {CAMERA}.serving.rps_per_replica: Infinity is not a finite number"),
    ("rps_per_replica: 40", "rps_per_replica: 40\n        cold_start_minutes: 61",
     f"21: {CAMERA}.serving.cold_start_minutes: 61 is too high; it must be at most 60"),
    ("      data_class: personal\n", "", f"12: {CAMERA}.data_class: is missing; add it"),
    ("latency_p95_ms: 300", "latency_p95: 300",
     f"25: {CAMERA}.slo.latency_p95_ms: is missing; add it\n"
     f"25: {CAMERA}.slo.latency_p95: is not a known key; did you mean latency_p95_ms?"),
    ("gpu: t4", "gpu: t4\n        zzz: 1",
     f"20: {CAMERA}.serving.zzz: is not a known key; known keys are target, gpu, gpus_per_replica, "
     "rps_per_replica, cold_start_minutes, resources, autoscaler, spot_share, own_cluster"),
    ("owner: vision-team", "owner: 12", f"13: {CAMERA}.owner: 12 is not text; put it in quotes"),
    ("owner: vision-team", "owner:", f"13: {CAMERA}.owner: is empty; give it text"),
    ("owner: vision-team", "owner: [a]", f"13: {CAMERA}.owner: a list is not text"),
    ("owner: vision-team", "owner: {secure: v1:abc}",
     f"13: {CAMERA}.owner: is encrypted; write it in the clear, credentials never stand here"),
    ("slo: {latency_p95_ms: 300}", "slo:",
     f"25: {CAMERA}.slo: is empty; give it a mapping of keys to values"),
    ("slo: {latency_p95_ms: 300}", "slo: fast",
     f"25: {CAMERA}.slo: 'fast' is not a mapping of keys to values"),
    ("version: 2.3.1", "version: 2.3",
     f"16: {CAMERA}.model.version: 2.3 is not text; put it in quotes"),
    ("version: 2.3.1", "version: '2.3'",
     f"16: {CAMERA}.model.version: '2.3' is not a version such as 2.3.1"),
    ("    camera:\n      owner", "    Camera:\n      owner",
     "12: apps.Camera: 'Camera' is not a name: 2 to 31 lower-case letters, digits and dashes"),
    ('account_id: "123456789012"', 'account_id: "1234"',
     "8: portfolio.aws.account_id: '1234' is not an account of twelve digits"),
    ("regions: [aws:us-east-1]", "regions: [aws:us-east-1, europe]",
     f"21: {CAMERA}.regions[1]: 'europe' {PLACE}"),
    ("regions: [aws:us-east-1]", "regions: []",
     f"21: {CAMERA}.regions: has 0 entries; give at least 1"),
    ("regions: [aws:us-east-1]", "regions: aws:us-east-1",
     f"21: {CAMERA}.regions: 'aws:us-east-1' is not a list, such as [a, b]"),
    ("        - cdn", "        - moon",
     f"24: {CAMERA}.edge[1]: 'moon' is not cdn or a Local Zone such as aws:us-east-1-bos-1a"),
    ("        - cdn", "        - cdn\n        - cdn",
     f"25: {CAMERA}.edge[2]: cdn stands there already; remove one"),
    ("aws:us-east-1-bos-1a", "aws:us-west-2-lax-1a",
     f"23: {CAMERA}.edge[0]: aws:us-west-2-lax-1a needs its region; "
     "add aws:us-west-2 under regions"),
    ("        target: gpu\n        gpu: t4\n", "        target: serverless\n",
     f"22: {CAMERA}.edge[0]: aws:us-east-1-bos-1a takes GPU apps only; use cdn instead"),
    ("alert_at: [0.5, 1.0]", "alert_at: [50]",
     f"26: {CAMERA}.budget.alert_at[0]: 50 is too high; it must be at most 1"),
    ("slo: {latency_p95_ms: 300}",
     "slo: {latency_p95_ms: 300}\n      hold: {reason: x, until: soon}",
     f"26: {CAMERA}.hold.until: 'soon' is not a date such as 2026-12-31"),
    ("slo: {latency_p95_ms: 300}", "slo: {latency_p95_ms: 300, network_p95_ms: 300}",
     f"25: {CAMERA}.slo.network_p95_ms: 300 leaves nothing of latency_p95_ms; give it less"),
    ("slo: {latency_p95_ms: 300}", "slo: {latency_p95_ms: 300}\n      users: {us-east: 0.6, japan: 0.3}",
     f"26: {CAMERA}.users: the shares add up to 0.9; make them 1"),
    ("slo: {latency_p95_ms: 300}",
     "slo: {latency_p95_ms: 300}\n      placement: {rps_per_replica: {t4: 9}}",
     f"26: {CAMERA}.placement.rps_per_replica.t4: is the GPU that the app has; "
     "its claim stands under serving, so remove this"),
    ("slo: {latency_p95_ms: 300}", "slo: {latency_p95_ms: 300}\n      placement: {moves: no}",
     f"26: {CAMERA}.placement.moves: 'no' is not one of allowed, never"),
    ("    budget: {monthly_usd: 90000}", "    budget: {monthly_usd: 90000}\n    quotas: {aws:us-east-1: {l4: -1}}",
     "8: portfolio.quotas.aws:us-east-1.l4: -1 is too low; it must be at least 0"),
    ("demand: {path: demand.csv}", "demand: {}",
     "10: telemetry.demand: give either url and query (Prometheus) or path (a file)"),
    ("demand: {path: demand.csv}", "demand: {url: x}",
     "10: telemetry.demand: the url needs a query beside it; add one in PromQL"),
    ("demand: {path: demand.csv}", "demand: {path: x, query: y}",
     "10: telemetry.demand.query: belongs to a url, and this source is a path; remove it"),
    ("ceiling: 14", "ceiling: 3",
     f"33: {EAST}.ceiling: 3 is below the floor, which reaches 9; {REPAIR}\n"
     f"35: {EAST}.expected_replicas: 9 lies above the ceiling 3; {REPAIR}"),
    ("weekday: [9, ", "weekday: [",
     f"31: {EAST}.floor.weekday: has 23 entries; give at least 24"),
    ("weekday: [9, ", "weekday: [9, 9, ",
     f"31: {EAST}.floor.weekday: has 25 entries; give at most 24"),
    ("weekday: [9, ", "weekday: [9.5, ",
     f"31: {EAST}.floor.weekday[0]: 9.5 is not a whole number"),
    ("    camera:\n      aws", "    camra:\n      aws",
     "28: capacity.camra: belongs to no app; `fairweather plan --write` removes it"),
    ("      aws:us-east-1:\n        floor", "      aws:us-east-2:\n        floor",
     "29: capacity.camera.aws:us-east-2: the app is not there; "
     "`fairweather plan --write` removes it"),
    ("      aws:us-east-1:\n        floor", "      us-east-1:\n        floor",
     f"29: capacity.camera.us-east-1: 'us-east-1' {PLACE}"),
    ('    aws: {account_id: "123456789012"}\n', "",
     "2: portfolio.aws: is missing, and apps have regions on aws; add it"),
    ("fairweather:capacity", "fairweather:capcity",
     "27: capcity: is not a known key; did you mean capacity?"),
    ("  fairweather:telemetry:\n    demand: {path: demand.csv}\n", "",
     "1: telemetry: is missing; add fairweather:telemetry under config"),
    ("config:", "configs:", f"1: config: is missing; add it with {KEYS}"),
    ("    camera:\n      owner: vision-team", "    camera:\n      owner: a\n      owner: b",
     f"14: {CAMERA}.owner: stands twice, first on line 13; remove one"),
    ("owner: vision-team", "owner: &who vision-team",
     f"13: {CAMERA}.owner: has the anchor &who; remove it and "
     "write the value out where it is used"),
    ("    camera:\n      owner", "    camera:\n\towner",
     "13: not YAML: a tab stands here; use spaces"),
    ("    camera:\n      owner", "    camera: [\n      owner",
     "14: not YAML: expected ',' or ']', but got ':'; correct this or what begins on line 12"),
]  # fmt: skip


EVENT = (
    "{name: sale, kind: campaign, start: 2026-11-27T06:00:00Z, end: 2026-11-28T00:00:00Z, "
    "apps: [camera], expected_multiplier: 3}"
)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("T06:00:00Z", "T06:00:00", "start: '2026-11-27T06:00:00' is not a time with its zone, "
         "such as 2026-11-27T06:00:00Z"),
        ("2026-11-27T06:00:00Z", "friday",
         "start: 'friday' is not a time such as 2026-11-27T06:00:00Z"),
        ("2026-11-28", "2026-11-26",
         "end: is not after start; give the first moment after the event"),
        ("[camera]", "[radio]", "apps[0]: radio is not an app; known apps are camera"),
        ("campaign", "party",
         "kind: 'party' is not one of launch, campaign, holiday, maintenance"),
        ("_multiplier: 3", "_multiplier: 0",
         "expected_multiplier: 0 is too low; it must be above 0"),
        ("expected_multiplier", "multiplier", "multiplier: is not a known key; did you mean "
         "expected_multiplier?"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_event_is_named(folder: Path, right: str, wrong: str, said: str) -> None:
    events = f"  fairweather:events:\n    - {EVENT}\n"
    text = GOOD.replace("  fairweather:capacity:\n", events + "  fairweather:capacity:\n")
    line = text.split(EVENT)[0].count("\n") + 1
    assert right in EVENT
    where = f"stacks/Pulumi.prod.yaml:{line}: events[0]."
    assert complaint(text.replace(right, wrong)) == where + said


@pytest.mark.parametrize("events", ["", f"\n    - {EVENT}"])
def test_events_may_be_there_or_not_yet(folder: Path, events: str) -> None:
    file = folder / "stacks" / "Pulumi.prod.yaml"
    file.write_text(f"{GOOD}  fairweather:events:{events}\n")
    assert [event.name for event in stacks.load(file).events] == (["sale"] if events else [])


def test_the_example_that_the_mistakes_are_made_in_is_good(folder: Path) -> None:
    file = folder / "stacks" / "Pulumi.prod.yaml"
    file.write_text(GOOD)
    assert stacks.load(file).apps["camera"].serving.target == "gpu"


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_mistake_is_named_with_its_line_and_remedy(
    folder: Path, right: str, wrong: str, said: str, newline: str
) -> None:
    assert right in GOOD
    expected = "\n".join(f"stacks/Pulumi.prod.yaml:{line}" for line in said.split("\n"))
    assert complaint(GOOD.replace(right, wrong, 1).replace("\n", newline)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f": is empty; a stack file has config: with {KEYS}"),
        ("# only a comment\n", f": is empty; a stack file has config: with {KEYS}"),
        ("config:\n", f":1: config: holds no keys; give it {KEYS}"),
        ("# x\nconfig: 3\n", f":2: config: holds no keys; give it {KEYS}"),
        ("- 1\n", f":1: config: is missing; add it with {KEYS}"),
        ("a: 1\n---\nb: 2\n", ":2: another document begins here; keep one in a file"),
        ("a: 1\nb: \a\n", ":2: not YAML: the character U+0007; remove it"),
        ("[" * 5000, ": nested too deeply; make it flatter"),
        (b"\xff\xfe", ": is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_stack_file_says_so(folder: Path, text: str | bytes, said: str) -> None:
    assert complaint(text) == f"stacks/Pulumi.prod.yaml{said}"


def test_a_file_that_is_not_there_lists_those_that_are(folder: Path) -> None:
    (folder / "stacks" / "Pulumi.dev.yaml").write_text(GOOD)
    with pytest.raises(ContractError) as error:
        stacks.load(Path("stacks/Pulumi.prod.yaml"))
    expected = "stacks/Pulumi.prod.yaml: does not exist; there are Pulumi.dev.yaml"
    assert str(error.value) == expected


def test_all_mistakes_are_reported_in_the_order_of_the_file(folder: Path) -> None:
    text = GOOD.replace("gpu: t4", "gpu: l5").replace("ceiling: 14", "ceiling: x")
    lines = complaint(text.replace("environment: prod", "environment: moon")).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "portfolio.environment", f"{CAMERA}.serving.gpu", f"{EAST}.ceiling",
    ]  # fmt: skip


def test_keys_of_others_and_their_anchors_are_left_alone(folder: Path) -> None:
    file = folder / "stacks" / "Pulumi.prod.yaml"
    file.write_text(f"{GOOD}  aws:a: &x {{b: 1}}\n  aws:c: *x\n  aws:d: {{secure: v1:abc}}\n")
    assert stacks.load(file) == stacks.parse(values_of(GOOD), file)


def test_an_alias_among_our_keys_is_refused_because_the_planner_cannot_edit_it(
    folder: Path,
) -> None:
    text = GOOD.replace("config:", "config:\n  x:y: &who team").replace("vision-team", "*who")
    assert complaint(text) == (
        "stacks/Pulumi.prod.yaml:14: apps.camera.owner: is the alias *who; write the value out"
    )


def values_of(text: str) -> dict[str, Any]:
    """What Pulumi hands to the program."""
    import yaml

    config = yaml.safe_load(text)["config"]
    values = {key.removeprefix("fairweather:"): value for key, value in config.items()}
    return dict(json.loads(json.dumps(values)))


def test_values_from_pulumi_are_read_like_the_file_and_their_errors_name_its_lines(
    folder: Path,
) -> None:
    file = folder / "stacks" / "Pulumi.prod.yaml"
    file.write_text(GOOD)
    values = values_of(GOOD)
    assert stacks.parse(stacks.config_values(values.get), file) == stacks.load(file)
    values["apps"]["camera"]["serving"]["gpu"] = "l5"
    with pytest.raises(
        ContractError, match=r"^stacks/Pulumi.prod.yaml:19: apps.camera.serving.gpu"
    ):
        stacks.parse(values, file)
    with pytest.raises(ContractError, match=r"^elsewhere.yaml: apps.camera.serving.gpu: 'l5' is"):
        stacks.parse(values, Path("elsewhere.yaml"))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_committed_stacks_fit_the_contract(name: str) -> None:
    stack = stacks.load(ROOT / "stacks" / f"Pulumi.{name}.yaml")
    assert len(stack.apps) == 8
    assert {place for app in stack.apps for place in stack.capacity[app]} == {
        place for app in stack.apps.values() for place in app.locations
    }


@settings(max_examples=100, deadline=None)
@given(
    at=st.integers(0, len(GOOD)),
    cut=st.integers(0, 5),
    put=st.text(st.sampled_from("ab19:#[]{}-'\"&*!|>?%@,\t\n\r ~\\é🚀\u2028"), max_size=4),
)
def test_whatever_stands_in_the_file_the_answer_is_records_or_lines(
    at: int, cut: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("stack") / "Pulumi.prod.yaml"
    file.write_bytes((GOOD[:at] + put + GOOD[at + cut :]).encode())
    try:
        assert isinstance(stacks.load(file), Stack)
    except ContractError as error:
        for line in str(error).splitlines():
            assert re.match(rf"{re.escape(str(file))}:\d+: .+", line)


def test_every_pattern_of_the_contract_has_words() -> None:
    patterns = re.findall(r'"pattern": ("[^\n]*")', json.dumps(_schemas(), indent=0))
    places = {pattern for pattern in map(json.loads, patterns) if "aws" in pattern}
    assert {json.loads(pattern) for pattern in patterns} - places == set(SHAPES)


def _schemas() -> list[dict[str, Any]]:
    stack = Stack.model_json_schema()
    return [stack, stacks.ModelVersion.model_json_schema(), {"pattern": next(iter(SHAPES))}]


def test_importing_the_contract_is_fast() -> None:
    code = "import time; s = time.perf_counter(); import stacks; print(time.perf_counter() - s)"
    run = [sys.executable, "-c", code]
    took = [
        float(subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    # Twice what an idle machine needs; ruamel.yaml, pandas or pulumi among the imports exceed it.
    assert min(took) < 0.7
    code = "import sys, stacks; print([m for m in ('ruamel.yaml', 'pulumi') if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
