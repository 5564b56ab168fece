"""Model versions are read with their evidence, and what does not fit is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import stacks
from stacks import ContractError, ModelRef

ROOT = Path(__file__).resolve().parents[2]
REF = ModelRef(name="scene-caption", version="2.3.1")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the registry, seen from its parent folder."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return Path("models")


def complaint(root: Path, ref: ModelRef = REF) -> str:
    with pytest.raises(ContractError) as error:
        stacks.load_model(root, ref)
    return str(error.value)


def change(root: Path, old: str, new: str) -> None:
    file = root / "scene-caption" / "2.3.1.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_every_model_of_the_committed_stacks_is_there_with_its_evidence() -> None:
    for name in ("dev", "prod"):
        stack = stacks.load(ROOT / "stacks" / f"Pulumi.{name}.yaml")
        for app, place in stack.services():
            service = stacks.service(stack, app, place, ROOT / "models")
            assert service.fairness is not None
            assert service.fairness["digest"] == service.model.digest


def test_evidence_of_a_kind_that_a_version_lacks_is_none(models: Path) -> None:
    model = stacks.load_model(models, REF)
    assert stacks.evidence(models, model, "explanation") is None


def test_a_version_that_does_not_exist_lists_those_that_do_in_their_order(models: Path) -> None:
    for version in ("2.10.0", "2.4.0"):
        (models / "scene-caption" / f"{version}.yaml").touch()
    assert complaint(models, ModelRef(name="scene-caption", version="9.9.9")) == (
        "models/scene-caption/9.9.9.yaml: does not exist; scene-caption has 2.3.1, 2.4.0, 2.10.0"
    )


def test_a_model_that_does_not_exist_is_answered_with_the_closest(models: Path) -> None:
    assert complaint(models, ModelRef(name="scene-captain", version="1.0.0")) == (
        "models/scene-captain/1.0.0.yaml: does not exist; did you mean scene-caption?"
    )


def test_a_registry_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint(Path("models")) == (
        "models/scene-caption/2.3.1.yaml: does not exist; no model is in models"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 2.3.1", "version: 2.3.2",
         "2: version: '2.3.2' is not '2.3.1', as the file's place says; correct one"),
        ("name: scene-caption", "name: other",
         "1: name: 'other' is not 'scene-caption', as the file's place says; correct one"),
        ("modality: multimodal", "modality: video",
         "3: modality: 'video' is not one of image, audio, text, tabular, multimodal"),
        ("licence: Apache-2.0", "license: Apache-2.0",
         "1: licence: is missing; add it\n"
         "models/scene-caption/2.3.1.yaml:9: license: is not a known key; did you mean licence?"),
        ("path: evidence/2.3.1-fairness.json", "path: ../../secret.json",
         "15: evidence[0].path: '../../secret.json' lies outside the model's folder; "
         "move it inside"),
        ("path: evidence/2.3.1-fairness.json", "path: evidence/none.json",
         "15: evidence[0].path: models/scene-caption/evidence/none.json does not exist; "
         "measure it or remove the entry"),
        ("name: scene-caption", "name: &n scene-caption",
         "1: name: has the anchor &n; remove it and write the value out where it is used"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_version_is_named_with_its_line(
    models: Path, old: str, new: str, said: str
) -> None:
    change(models, old, new)
    assert complaint(models) == f"models/scene-caption/2.3.1.yaml:{said}"


def test_evidence_that_was_edited_after_the_measurement_is_refused(models: Path) -> None:
    place = models / "scene-caption" / "evidence" / "2.3.1-fairness.json"
    place.write_text(place.read_text().replace("10666", "11666"))
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    assert complaint(models) == (
        "models/scene-caption/2.3.1.yaml:16: evidence[0].sha256: "
        f"models/scene-caption/evidence/2.3.1-fairness.json has sha256:{digest}; "
        "restore the file, or name this digest"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"n": 1,\n}', "2: not JSON: "),
        ("[1]", "1: is not a JSON object; measure it again"),
    ],
)
def test_evidence_that_is_not_json_is_named_with_its_line(
    models: Path, content: str, said: str
) -> None:
    model = stacks.load_model(models, REF)
    place = models / "scene-caption" / "evidence" / "2.3.1-fairness.json"
    place.write_text(content)
    with pytest.raises(ContractError) as error:
        stacks.evidence(models, model, "fairness")
    assert str(error.value).startswith(f"{place}:{said}")


def test_an_empty_version_is_refused_with_all_that_it_lacks(models: Path) -> None:
    (models / "scene-caption" / "2.3.1.yaml").write_text("")
    lines = complaint(models).splitlines()
    assert "models/scene-caption/2.3.1.yaml: digest: is missing; add it" in lines
    assert len(lines) == 9


def test_a_service_without_capacity_says_how_to_get_it(models: Path) -> None:
    stack = stacks.load(ROOT / "stacks" / "Pulumi.prod.yaml").model_copy(update={"capacity": {}})
    with pytest.raises(ContractError) as error:
        stacks.service(stack, "camera", "aws:us-east-1", models)
    assert str(error.value) == (
        "camera has no planned capacity at aws:us-east-1; run `fairweather plan prod --write`"
    )


def test_evidence_is_returned_as_it_was_measured(models: Path) -> None:
    model = stacks.load_model(models, REF)
    place = models / "scene-caption" / "evidence" / "2.3.1-fairness.json"
    assert stacks.evidence(models, model, "fairness") == json.loads(place.read_text())
