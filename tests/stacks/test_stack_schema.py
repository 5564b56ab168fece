"""The schema says what the records say, and the command line checks files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stacks.__main__ import main
from stacks.schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "stacks" / "schema.json").read_text())
FILES = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))


def problems(values: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(values)]


def test_the_committed_schema_is_what_the_records_say() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = (ROOT / "stacks" / "schema.json").read_text()
    assert written == schema_text(), "run `python -m stacks schema --write`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_committed_stacks_fit_the_schema_and_name_it(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert problems(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fairweather:capcity", {}),
        ("fairweather:apps", {"camera": {"owner": "a"}}),
        ("fairweather:apps", {"Bad Name": {}}),
        ("fairweather:capacity", {"camera": {"nowhere": {}}}),
        ("fairweather:portfolio", 3),
    ],
)
def test_the_schema_refuses_what_the_records_refuse(key: str, value: Any) -> None:
    values = yaml.safe_load(FILES[0].read_text())
    values["config"][key] = value
    assert problems(values)


def test_keys_of_others_are_free() -> None:
    values = yaml.safe_load(FILES[0].read_text())
    values["config"]["aws:anything"] = {"secure": "v1:abc"}
    values["encryptionsalt"] = "v1:x"
    assert problems(values) == []


def test_what_needs_words_has_them_in_the_schema() -> None:
    serving = SCHEMA["$defs"]["GpuServing"]
    assert serving["description"] == "Replicas on GPU nodes of a Kubernetes cluster."
    assert serving["properties"]["rps_per_replica"]["description"] == (
        "What one replica serves inside the SLO."
    )


def test_check_says_what_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check"]) == 0
    assert "stacks/Pulumi.prod.yaml: 8 apps, 11 services: fits" in capsys.readouterr().out


def test_check_says_what_is_wrong_with_every_file_and_every_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("models/translate")
    dev = Path("stacks/Pulumi.dev.yaml")
    dev.write_text(dev.read_text().replace("gpu: t4", "gpu: t5"))
    assert main(["check", "stacks/Pulumi.dev.yaml", "stacks/Pulumi.prod.yaml", "none.yaml"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert said[0].endswith("serving.gpu: 't5' is not one of t4, a10g, l4, l40s, a100, h100")
    assert said[1].startswith("models/translate/3.0.4.yaml: does not exist; known models are ")
    assert said[2].startswith("none.yaml: does not exist")


def test_the_command_runs_by_itself_and_refuses_what_it_does_not_know() -> None:
    run = [sys.executable, "-m", "stacks"]
    schema = subprocess.run([*run, "schema"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (schema.returncode, schema.stdout) == (0, schema_text())
    unknown = subprocess.run(
        [*run, "frobnicate"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert unknown.returncode == 2
