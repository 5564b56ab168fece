"""The commands about models: what they print, and what they exit with."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from gitops import cli

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ("show", "add", "export", "diff", "verify", "rollback-target")


@pytest.fixture
def model(tmp_path, monkeypatch, capsys):
    """Run a command on a copy of two models; returns (exit code, output, errors)."""
    for name in ("moderation", "translate"):
        shutil.copytree(ROOT / "models" / name, tmp_path / "models" / name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return (cli.main(["--root", ".", "model", *arguments]), *capsys.readouterr())

    return run


def successor(old="5.2.0", new="5.3.0"):
    """A next version that rolls back to the last, without evidence of its own."""
    text = (Path("models") / "moderation" / f"{old}.yaml").read_text().split("evidence:")[0]
    text = text.replace(f"version: {old}", f"version: {new}") + f"rollback_to: {old}\n"
    (Path("models") / "moderation" / f"{new}.yaml").write_text(text)


@pytest.mark.parametrize("action", ACTIONS)
def test_help_of_each_action_has_an_example_that_parses(capsys, action):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["model", action, "--help"])
    assert stopped.value.code == 0
    words = capsys.readouterr().out.split("example:\n")[1].split()
    assert words[:3] == ["fairweather", "model", action]
    assert cli.parser().parse_args(words[1:]).run.startswith("commands.model:")


def test_verify_counts_what_holds(model):
    assert model("verify") == (0, "verified: 2 versions of 2 models\n", "")
    assert model("verify", "moderation") == (0, "verified: 1 version of 1 model\n", "")


def test_verify_exits_with_1_and_a_line_a_problem(model):
    successor()
    line = "models/moderation/5.3.0.yaml: evidence: has no fairness evidence; measure it\n"
    assert model("verify") == (1, "", line)
    assert model("verify", "translate")[0] == 0


def test_show_prints_the_newest_version_with_its_problems(model):
    successor()
    code, out, err = model("show", "moderation")
    assert (code, err) == (0, "")
    assert out.startswith("moderation 5.3.0 (text)\n")
    assert "has no fairness evidence" in out
    assert model("show", "moderation", "5.2.0")[1].startswith("moderation 5.2.0 (text)\n")


def test_diff_prints_each_fact_before_and_after(model):
    successor()
    code, out, _ = model("diff", "moderation", "5.2.0", "5.3.0")
    assert code == 0
    assert "- rollback_to: none\n+ rollback_to: 5.2.0\n" in out
    assert "- true_negative_rate by dialect (text), standard: 90.8% of 12,712\n" in out
    assert "digest" not in out
    assert model("diff", "moderation", "5.2.0", "5.2.0")[1] == (
        "moderation 5.2.0 and 5.2.0 say the same\n"
    )


def test_rollback_target_prints_the_version_alone(model):
    successor()
    assert model("rollback-target", "moderation", "5.3.0") == (0, "5.2.0\n", "")


def test_rollback_target_says_what_it_passed_over(model):
    successor()
    successor("5.3.0", "5.4.0")
    file = Path("models") / "moderation" / "5.4.0.yaml"
    file.write_text(file.read_text().replace("rollback_to: 5.2.0\n", "", 1))
    code, out, err = model("rollback-target", "moderation", "5.4.0")
    assert (code, out) == (0, "5.2.0\n")
    assert err.startswith("passed over: models/moderation/5.3.0.yaml: evidence: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "moderatio"), "moderatio is no model in models; did you mean moderation?"),
        (("show", "moderation", "9.0.0"), "moderation has no version 9.0.0; it has 5.2.0"),
        (("diff", "moderation", "5.2.0", "x"), "moderation has no version x; it has 5.2.0"),
        (("verify", "moderatio"), "moderatio is no model in models; did you mean moderation?"),
        (
            ("rollback-target", "moderation", "5.2.0"),
            "models/moderation/5.2.0.yaml: rollback_to: is missing; name a version to roll back to",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_1(model, arguments, line):
    assert model(*arguments) == (1, "", line + "\n")


def next_version(folder, digest=None, version="5.3.0"):
    """Weights, and evidence measured on them."""
    weights = folder / "model.safetensors"
    weights.write_bytes(b"weights")
    found = digest or f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    old = json.loads(Path("models/moderation/evidence/5.2.0-fairness.json").read_text())
    evidence = folder / "fairness.json"
    evidence.write_text(json.dumps({**old, "version": version, "digest": found}))
    return (
        "add", "moderation", version, "--after", "5.2.0", "--weights", str(weights),
        "--artifact", "s3://lumen-models/moderation/5.3.0", "--evidence", f"fairness={evidence}",
        "--image", f"registry.example.com/moderation@sha256:{'a' * 64}",
    )  # fmt: skip


def test_add_shows_the_file_and_writes_nothing(model, tmp_path):
    before = sorted(Path("models").rglob("*"))
    code, out, err = model(*next_version(tmp_path))
    assert code == 0
    assert "version: 5.3.0" in out
    assert "rollback_to: 5.2.0" in out
    assert "nothing written" in err
    assert sorted(Path("models").rglob("*")) == before


def test_a_version_that_was_added_verifies_and_rolls_back(model, tmp_path):
    assert model(*next_version(tmp_path), "--write")[0] == 0
    assert model("verify", "moderation") == (0, "verified: 2 versions of 1 model\n", "")
    assert model("rollback-target", "moderation", "5.3.0") == (0, "5.2.0\n", "")
    code, _, err = model(*next_version(tmp_path), "--write")
    assert code == 1
    assert err == (
        "models/moderation/5.3.0.yaml: exists; a version never changes, so add the next one\n"
    )


def test_evidence_of_other_weights_is_not_written(model, tmp_path):
    code, _, err = model(*next_version(tmp_path, digest=f"sha256:{'b' * 64}"), "--write")
    assert code == 1
    assert "problem: models/moderation/evidence/5.3.0-fairness.json: digest" in err
    assert not Path("models/moderation/5.3.0.yaml").exists()
    assert not Path("models/moderation/evidence/5.3.0-fairness.json").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--evidence", "fairness"), "--evidence fairness: give KIND=FILE"),
        (("--evidence", "fairness=none.json"), "none.json: does not exist"),
        (("--dataset", "chats,MIT"), "--dataset chats,MIT: give NAME,LICENCE,personal"),
        (("--modality", "smell"), "models/moderation/5.3.0.yaml:3: modality: "),
        (("--image", "moderation:latest"), "models/moderation/5.3.0.yaml:4: image: "),
    ],
)
def test_what_cannot_stand_in_the_registry_is_one_line(model, tmp_path, wrong, said):
    code, out, err = model(*next_version(tmp_path), *wrong)
    assert (code, out) == (1, "")
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_new_model_needs_no_earlier_version(model, tmp_path):
    arguments = next_version(tmp_path)
    told = [*arguments[:3], *arguments[5:]]
    told[1] = "toxicity"
    more = (
        "--modality", "text", "--intended-use", "Flags abuse", "--licence", "MIT",
        "--training-pipeline", "train.yaml", "--no-sensitive-domain", "--write",
        "--dataset", "chats,MIT,personal",
    )  # fmt: skip
    evidence = tmp_path / "fairness.json"
    evidence.write_text(evidence.read_text().replace('"moderation"', '"toxicity"'))
    assert model(*told, *more)[0] == 0
    assert model("verify", "toxicity") == (0, "verified: 1 version of 1 model\n", "")


def test_export_writes_a_bill_of_materials_that_its_schema_accepts(model):
    assert model("export", "moderation", "--output", "out/bom.json")[0] == 0
    text = Path("out/bom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert model("export", "moderation")[1] == text


def test_the_model_card_names_weights_data_and_what_was_measured(model):
    code, out, _ = model("export", "moderation", "--format", "card")
    assert code == 0
    assert out.startswith("# moderation 5.2.0\n")
    for part in ("moderated-messages", "digest of the weights", "## What was measured", "95 % int"):
        assert part in out
