"""The registry answers for its versions: what they are, what is wrong with them, and where to roll back."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest

from governance import registry
from stacks import ContractError

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 24)
COMPARISONS = [
    {
        "modality": "image",
        "attribute": "skin_tone",
        "metric": "true_positive_rate",
        "slices": [{"slice": "lighter", "n": 10000, "k": 9100}, {"slice": "darker", "n": 9000, "k": 8181}],
    }
]  # fmt: skip


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class Registry:
    """A registry of a test's own, seen from its parent folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, version: str, rollback_to: str | None = None, /, *, kinds=("fairness",), **told):
        """One version of `cam`; `told` replaces facts of its evidence, None removes them."""
        folder = self.root / "cam"
        (folder / "evidence").mkdir(parents=True, exist_ok=True)
        lines = [
            "name: cam", f"version: {version}", "modality: image",
            f"image: registry.example.com/cam@{digest('image' + version)}",
            f"artifact: s3://models/cam/{version}", f"digest: {digest(version)}",
            "intended_use: Names what is in a picture", "licence: Apache-2.0",
            "training_pipeline: pipelines/cam.yaml",
            "datasets:", "  - {name: street, licence: CC-BY-4.0, personal_data: true}",
        ]  # fmt: skip
        facts = {
            "model": "cam", "version": version, "digest": digest(version), "created": "2026-10-20",
            "expires": "2027-10-20", "comparisons": COMPARISONS, **told,
        }  # fmt: skip
        content = json.dumps({key: value for key, value in facts.items() if value is not None})
        lines += ["evidence:"] if kinds else []
        for kind in kinds:
            path = f"evidence/{version}-{kind}.json"
            (folder / path).write_text(content)
            lines.append(f"  - {{kind: {kind}, path: {path}, sha256: '{digest(content)}'}}")
        lines += [f"rollback_to: {rollback_to}"] if rollback_to else []
        (folder / f"{version}.yaml").write_text("\n".join(lines) + "\n")

    def spoil(self, version: str) -> None:
        """Change evidence after it was measured."""
        place = self.root / "cam" / "evidence" / f"{version}-fairness.json"
        place.write_text(place.read_text().replace("9100", "9900"))

    def problems(self, *names: str) -> list[str]:
        return list(registry.registry_problems(self.root, names or ["cam"], DAY))

    def target(self, version: str) -> registry.Target:
        return registry.rollback_target(self.root, "cam", version, DAY)

    def no_target(self, version: str) -> list[str]:
        with pytest.raises(ContractError) as error:
            self.target(version)
        return str(error.value).splitlines()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    return Registry(Path("models"))


def test_the_committed_registry_has_no_problem():
    root = ROOT / "models"
    assert list(registry.registry_problems(root, registry.models(root), DAY)) == []


def test_versions_are_in_their_order_and_the_newest_is_loaded(models):
    for version in ("2.10.0", "2.9.0", "10.0.0"):
        models.add(version)
    assert registry.versions(models.root, "cam") == ["2.9.0", "2.10.0", "10.0.0"]
    assert registry.load(models.root, "cam").version == "10.0.0"


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("can", None, "can is no model in models; did you mean cam?"),
        ("../etc", None, "../etc is no model in models; known models are cam"),
        ("cam", "9.9.9", "cam has no version 9.9.9; it has 1.0.0"),
        ("cam", "newest", "cam has no version newest; it has 1.0.0"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(models, name, version, said):
    models.add("1.0.0")
    with pytest.raises(ContractError) as error:
        registry.load(models.root, name, version)
    assert str(error.value) == said


def test_a_registry_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ContractError, match="none: does not exist; a registry is a folder"):
        registry.models(tmp_path / "none")


def test_a_sound_version_has_no_problem(models):
    models.add("1.0.0")
    models.add("1.1.0", "1.0.0", kinds=("fairness", "privacy"))
    assert models.problems() == []


EVIDENCE = "models/cam/evidence/1.0.0-fairness.json"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"digest": digest("other")},
         f"digest: {digest('other')!r} is not {digest('1.0.0')!r}, as the version says; measure this version"),
        ({"version": "0.9.0"}, "version: '0.9.0' is not '1.0.0', as the version says; measure this version"),
        ({"model": None}, "model: None is not 'cam', as the version says; measure this version"),
        ({"expires": "2026-11-23"}, "expires: 2026-11-23 has passed; measure it again"),
        ({"expires": None}, "expires: None is not a day such as 2026-10-20; measure it again"),
        ({"expires": "never"}, "expires: 'never' is not a day such as 2026-10-20; measure it again"),
        ({"created": "2026-11-25"}, "created: 2026-11-25 lies ahead of 2026-11-24; measure it again"),
    ],
)  # fmt: skip
def test_evidence_of_something_else_or_out_of_date_is_one_line(models, told, said):
    models.add("1.0.0", **told)
    assert models.problems() == [f"{EVIDENCE}: {said}"]


@pytest.mark.parametrize("expires", ["2026-11-24", "2026-11-25"])
def test_evidence_holds_on_its_last_day(models, expires):
    models.add("1.0.0", expires=expires)
    assert models.problems() == []


def test_evidence_that_was_changed_is_one_line(models):
    models.add("1.0.0")
    models.spoil("1.0.0")
    [line] = models.problems()
    assert line.startswith("models/cam/1.0.0.yaml:13: evidence[0].sha256: ")
    assert line.endswith("; restore the file, or name this digest")


def test_a_version_without_fairness_evidence_is_a_problem_and_never_a_pass(models):
    models.add("1.0.0", kinds=("privacy",))
    assert models.problems() == [
        "models/cam/1.0.0.yaml: evidence: has no fairness evidence; measure it"
    ]


def test_evidence_of_one_kind_stands_there_once(models):
    models.add("1.0.0", kinds=("fairness", "fairness"))
    assert models.problems() == [
        "models/cam/1.0.0.yaml: evidence: fairness stands there twice; remove one"
    ]


def test_evidence_that_cannot_be_read_is_a_problem_with_its_line(models):
    models.add("1.0.0")
    file, text = models.root / "cam" / "1.0.0.yaml", "{"
    (models.root / "cam" / "evidence" / "1.0.0-fairness.json").write_text(text)
    old = file.read_text().split("sha256: '")[1].split("'")[0]
    file.write_text(file.read_text().replace(old, digest(text)))
    [line] = models.problems()
    assert line.startswith(f"{EVIDENCE}:1: not JSON")


@pytest.mark.parametrize(
    ("rollback_to", "said"),
    [
        ("0.9.0", "0.9.0 does not exist; cam has 1.0.0"),
        ("1.0.0", "is the version itself; name an earlier one"),
    ],
)
def test_a_rollback_to_nowhere_is_a_problem_and_no_target(models, rollback_to, said):
    models.add("1.0.0", rollback_to)
    line = f"models/cam/1.0.0.yaml: rollback_to: {said}"
    assert models.problems() == [line]
    assert models.no_target("1.0.0") == [line]


def test_files_that_are_no_version_and_empty_models_are_problems(models):
    models.add("1.0.0")
    (models.root / "cam" / "latest.yaml").touch()
    (models.root / "cam" / "1.0.1.yml").touch()
    (models.root / "empty").mkdir()
    assert models.problems("cam", "empty") == [
        "models/cam/1.0.1.yml: is not named as a version, such as 2.3.1.yaml; rename it",
        "models/cam/latest.yaml: is not named as a version, such as 2.3.1.yaml; rename it",
        "models/empty: has no version; add one, or remove the folder",
    ]


def test_each_version_that_is_wrong_has_its_lines(models):
    models.add("1.0.0", expires="2026-01-01", version="0.1.0")
    models.add("1.1.0", "1.0.0")
    models.add("1.2.0", "1.1.9")
    assert [line.split(": ")[0] for line in models.problems()] == [
        EVIDENCE,
        EVIDENCE,
        "models/cam/1.2.0.yaml",
    ]


def test_the_target_is_the_version_that_is_named(models):
    models.add("1.0.0")
    models.add("1.1.0", "1.0.0")
    assert models.target("1.1.0") == registry.Target("1.0.0", ())


def test_targets_whose_evidence_does_not_hold_are_passed_over_with_the_reason(models):
    models.add("1.0.0")
    models.add("1.1.0", "1.0.0", expires="2026-01-01")
    models.add("1.2.0", "1.1.0")
    models.spoil("1.2.0")
    models.add("1.3.0", "1.2.0")
    target = models.target("1.3.0")
    assert target.version == "1.0.0"
    assert [line.split(": ")[1] for line in target.passed_over] == [
        "evidence[0].sha256",
        "expires",
    ]


def test_a_target_that_itself_leads_nowhere_is_still_a_target(models):
    models.add("1.0.0", "0.9.0")
    models.add("1.1.0", "1.0.0")
    assert models.target("1.1.0").version == "1.0.0"


def test_a_broken_version_can_still_be_left(models):
    models.add("1.0.0")
    models.add("1.1.0", "1.0.0")
    models.spoil("1.1.0")
    assert models.target("1.1.0").version == "1.0.0"


def test_without_a_version_to_roll_back_to_it_says_so_after_what_was_passed_over(models):
    models.add("1.0.0", kinds=())
    models.add("1.1.0", "1.0.0")
    assert models.no_target("1.1.0") == [
        "models/cam/1.0.0.yaml: evidence: has no fairness evidence; measure it",
        "models/cam/1.0.0.yaml: rollback_to: is missing; name a version to roll back to",
    ]


def test_a_circle_of_versions_without_evidence_ends(models):
    models.add("1.0.0", "1.1.0", kinds=())
    models.add("1.1.0", "1.0.0")
    assert models.no_target("1.1.0")[-1] == (
        "models/cam/1.0.0.yaml: rollback_to: comes back to 1.1.0; name an earlier version"
    )


def test_a_version_that_cannot_be_read_ends_the_way_and_is_told_once(models):
    models.add("1.1.0", "1.0.0")
    (models.root / "cam" / "1.0.0.yaml").write_text("name: [cam\n")
    lines = models.no_target("1.1.0")
    assert len(lines) == len(set(lines)) == 1
    assert lines[0].startswith("models/cam/1.0.0.yaml:")


def test_the_card_says_what_it_is_how_fair_and_what_is_wrong(models):
    models.add("1.1.0", "1.0.0")
    lines = registry.card(models.root, registry.load(models.root, "cam"), DAY).splitlines()
    assert lines[:2] == ["cam 1.1.0 (image)", "Names what is in a picture"]
    for line in (
        "sensitive domain  no",
        "trained on        street (CC-BY-4.0), personal data",
        "evidence          fairness, until 2027-10-20: evidence/1.1.0-fairness.json",
        "rolls back to     1.0.0",
        "problems          models/cam/1.1.0.yaml: rollback_to: 1.0.0 does not exist; cam has 1.1.0",
    ):
        assert line in lines
    assert lines[-3].strip() == (
        "true_positive_rate by skin_tone (image): lighter 91.0% of 10,000, darker 90.9% of 9,000"
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"slice": "a", "n": 0, "k": 0}, "no count: 0 of 0"),
        ({"slice": "a", "n": 10, "k": 11}, "no count: 11 of 10"),
        ({"slice": "a", "n": "10", "k": 1}, "no count: 1 of 10"),
        ({"slice": "a", "n": True, "k": True}, "no count: True of True"),
        ({"slice": "a"}, "no count: None of None"),
    ],
)
def test_what_is_no_count_is_never_a_rate(entry, said):
    about = {"metric": "m", "attribute": "b", "modality": "text"}
    told = registry.figures({"comparisons": [{**about, "slices": [entry, "x"]}, 3]})
    assert told == {"m by b (text)": {"a": said}}


@pytest.mark.parametrize("comparisons", [None, 3, {}, [], [None]])
def test_evidence_without_comparisons_has_no_figures(comparisons):
    assert registry.figures({"comparisons": comparisons}) == {}


def test_the_difference_of_two_versions_names_what_changed_and_nothing_else(models):
    models.add("1.0.0")
    better = json.loads(json.dumps(COMPARISONS))
    better[0]["slices"][1]["k"] = 8280
    models.add("1.1.0", "1.0.0", kinds=("fairness", "privacy"), comparisons=better)
    old, new = (registry.load(models.root, "cam", version) for version in ("1.0.0", "1.1.0"))
    changed = {change.key: change for change in registry.changes(models.root, old, new)}
    slice_ = "true_positive_rate by skin_tone (image), darker"
    assert set(changed) == {
        "image", "artifact", "digest", "rollback_to", "evidence.fairness", "evidence.privacy", slice_,
    }  # fmt: skip
    assert changed[slice_] == registry.Change(slice_, "90.9% of 9,000", "92.0% of 9,000")
    assert changed["rollback_to"].before == "none"
    assert changed["evidence.privacy"].before is None
    assert registry.changes(models.root, old, old) == []
