"""`fairweather evidence explain | privacy | check | sign | keygen`, as a person runs them, on to the registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gitops import cli

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
BOUND = (
    "--from", "2026-08-01", "--to", "2026-10-15", "--population", "synthetic example data",
)  # fmt: skip
SKIN = MODELS / "skin-check" / "evidence"


@pytest.fixture
def evidence(tmp_path, monkeypatch, capsys):
    """Run `fairweather evidence` on a copy of the registry; returns (exit code, output, errors)."""
    shutil.copytree(MODELS, tmp_path / "models")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return (cli.main(["--root", ".", "evidence", *map(str, arguments)]), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """What examples/evidence/synthetic.py writes."""
    folder = tmp_path_factory.mktemp("synthetic")
    script = ROOT / "examples" / "evidence" / "synthetic.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


def patients(rows=600):
    rng = np.random.default_rng(6)
    made = pd.DataFrame({name: rng.normal(size=rows) for name in ("age", "size", "dark", "other")})
    ill = made["dark"] * 3 + made["size"] * 2 + made["age"] + rng.normal(size=rows) > 0
    return made.assign(ill=np.where(ill, "yes", "no"), patient=np.arange(rows))


@pytest.mark.parametrize("action", ["explain", "privacy", "check", "sign", "keygen"])
def test_help_of_each_action_has_an_example(capsys, action):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["evidence", action, "--help"])
    assert stopped.value.code == 0
    assert f"fairweather evidence {action} " in capsys.readouterr().out.partition("example:")[2]


def test_the_help_warns_that_reading_a_pickle_runs_code(capsys):
    with pytest.raises(SystemExit):
        cli.main(["evidence", "explain", "--help"])
    assert "only open your own" in " ".join(capsys.readouterr().out.split())


def test_the_example_explanation_is_what_the_command_measures(evidence, synthetic, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    code, said, _ = evidence(
        "explain", "skin-check", "--data", synthetic / "lesions.npz", "--target", "see_a_doctor",
        "--segment", "8x8", "--model", "examples.evidence.synthetic:score", *BOUND,
        "--output", "build/explanation.json",
    )  # fmt: skip
    assert code == 0
    assert "faithfulness" in said
    same(json.loads(Path("build/explanation.json").read_text()), SKIN / "1.4.3-explanation.json")
    assert evidence("check", "build/explanation.json")[0] == 0


@pytest.mark.parametrize(
    ("name", "version", "dataset", "sensitive"),
    [
        ("skin-check", "1.4.3", "dermatology-consented", ("--sensitive", "condition")),
        ("photo-enhance", "1.8.0", "portraits-2025", ()),
        ("scene-caption", "2.3.1", "scenes-2025", ()),
        ("speech-to-text", "4.1.2", "spoken-14-accents", ()),
    ],
)
def test_the_example_privacy_evidence_is_what_the_command_counts(
    evidence, synthetic, name, version, dataset, sensitive
):
    code, said, _ = evidence(
        "privacy", name, "--dataset", f"{dataset}={synthetic / dataset}.parquet", *sensitive,
        "--quasi-identifiers", "age_band,gender,region", *BOUND, "--output", "privacy.json",
    )  # fmt: skip
    assert code == 0
    assert dataset in said
    committed = MODELS / name / "evidence" / f"{version}-privacy.json"
    same(json.loads(Path("privacy.json").read_text()), committed)
    assert evidence("check", committed)[0] == 0


def same(made, committed):
    """Equal but for the days on which they were made."""
    kept = json.loads(committed.read_text())
    assert {**made, "created": 0, "expires": 0} == {**kept, "created": 0, "expires": 0}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(n_estimators=20, random_state=1),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=["forest", "pipeline"],
)
def test_an_estimator_is_explained_from_its_file(evidence, kind, model):
    frame, columns = patients(), ["age", "size", "dark", "other"]
    train, rest = frame.iloc[:200], frame.iloc[200:]
    joblib.dump(model.fit(train[columns], train["ill"]), "model.joblib")
    rest.to_parquet("rows.parquet") if kind == "parquet" else rest.to_csv("rows.csv", index=False)
    code, said, _ = evidence(
        "explain", "skin-check", "--data", f"rows.{kind}", "--target", "ill", "--features",
        ",".join(columns), "--model", "model.joblib", *BOUND, "--output", "made.json",
    )  # fmt: skip
    assert code == 0
    made = json.loads(Path("made.json").read_text())
    assert [one["feature"] for one in made["importances"]] == ["dark", "size", "age", "other"]
    assert made["faithfulness"] > 0.7
    assert made["stability"] > 0.7
    assert said.index("dark") < said.index("other")


def test_a_regression_is_explained_and_nothing_is_written_unasked(evidence):
    frame = patients()
    frame["days"] = frame["dark"] * 2 + frame["size"]
    columns = ["age", "size", "dark"]
    joblib.dump(LinearRegression().fit(frame[columns], frame["days"]), "model.joblib")
    frame.to_parquet("rows.parquet")
    before = sorted(Path.cwd().iterdir())
    code, said, _ = evidence(
        "explain", "skin-check", "--data", "rows.parquet", "--target", "days",
        "--features", "age,size,dark", "--model", "model.joblib", *BOUND,
    )  # fmt: skip
    assert code == 0
    assert "nothing written" in said
    assert sorted(Path.cwd().iterdir()) == before


def test_measured_signed_and_added_evidence_holds_in_the_registry(evidence, synthetic, capsys):
    evidence("keygen", "--name", "board", "--output", "private.pem")
    file = f"dermatology-consented={synthetic}/dermatology-consented.parquet"
    evidence(
        "privacy", "skin-check", "--dataset", file, "--quasi-identifiers", "age_band,gender",
        *BOUND, "--output", "privacy.json",
    )  # fmt: skip
    code, said, _ = evidence(
        "sign", "privacy.json", "--key", "private.pem", "--name", "board", "--output", "signed.json"
    )
    assert code == 0
    assert "signed.json written, sha256:" in said
    assert evidence("check", "signed.json")[0] == 0
    made = Path("models/skin-check/1.4.3.yaml").read_text()
    kept = Path("models/skin-check/evidence/1.4.3-privacy.json")
    digest = said.split()[-1]
    before = made.partition("1.4.3-privacy.json\n    sha256: ")[2].strip()
    shutil.copy("signed.json", kept)
    Path("models/skin-check/1.4.3.yaml").write_text(made.replace(before, digest))
    assert cli.main(["--root", ".", "model", "verify", "skin-check"]) == 0


def test_a_key_is_told_for_trusted_keys_and_never_overwritten(evidence):
    code, said, _ = evidence("keygen", "--name", "board", "--output", "private.pem")
    assert code == 0
    assert said.startswith("  board: ")
    assert Path("private.pem").stat().st_mode & 0o777 == 0o600
    code, _, error = evidence("keygen", "--name", "board", "--output", "private.pem")
    assert (code, error) == (1, "private.pem: exists; a key is never overwritten\n")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"faithfulness": 1.2}, "faithfulness: 1.2 is "),
        ({"faithfulness": "0.9"}, "faithfulness: '0.9' is text"),
        ({"stability": None}, "stability: "),
        ({"method": None}, "method: "),
        ({"importances": []}, "importances: has 0 entries"),
        ({"importances": [{"feature": "a", "importance": 1, "low": 0}]}, "importances[0].high: is missing"),
        ({"faithfullness": 0.9}, "faithfullness: is not a known key; did you mean faithfulness?"),
        ({"expires": "soon"}, "expires: 'soon' is not"),
        ({"expires": "2026-11-01"}, "expires: 2026-11-01 has passed"),
        ({"digest": "sha256:" + "0" * 64}, "digest: "),
        ({"model": "skin-chek"}, "skin-chek is no model in"),
        ({"version": "9.9.9"}, "skin-check has no version 9.9.9"),
        ({"window": {"from": "2026-10-15", "to": "2026-08-01"}}, "window: ends before it begins"),
        ({"schema": "fairweather/explanation/2"}, "schema: 'fairweather/explanation/2' is not one of"),
    ],
)  # fmt: skip
def test_evidence_of_another_tool_is_refused_in_a_line_where_it_is_wrong(
    evidence, changed, problem
):
    made = json.loads((SKIN / "1.4.3-explanation.json").read_text())
    Path("made.json").write_text(json.dumps({**made, **changed}, indent=1))
    code, said, error = evidence("check", "made.json")
    assert (code, said) == (1, "")
    assert problem in error
    assert error.count("\n") == 1


def test_privacy_evidence_has_to_speak_of_all_personal_data_once(evidence):
    made = json.loads((SKIN / "1.4.3-privacy.json").read_text())
    made["datasets"] = [{**made["datasets"][0], "dataset": "another"}] * 2
    Path("made.json").write_text(json.dumps(made))
    code, _, error = evidence("check", "made.json")
    assert code == 1
    assert error.splitlines() == [
        "made.json: datasets: another stands there twice; remove one",
        "made.json: datasets: says nothing of dermatology-consented, which holds personal data; "
        "measure it",
    ]


@pytest.mark.parametrize("days", [("2026-10-15", "2026-08-01"), ("2026-08-01", "2999-01-01")])
def test_days_out_of_order_or_ahead_are_refused(evidence, days):
    patients().to_parquet("people.parquet")
    code, _, error = evidence(
        "privacy", "skin-check", "--dataset", "dermatology-consented=people.parquet",
        "--quasi-identifiers", "ill", "--from", days[0], "--to", days[1], "--population", "all",
    )  # fmt: skip
    assert code == 1
    assert error.startswith(f"--from {days[0]} --to {days[1]}: give days in order, up to ")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"--data": "none.parquet"}, "none.parquet: does not exist"),
        ({"--data": "bad.parquet"}, "bad.parquet: cannot be read"),
        ({"--data": "none.npz"}, "none.npz: No such file"),
        ({"--data": "bad.npz"}, "bad.npz: cannot be read"),
        ({"--data": "many.npz", "--target": "y"}, "many.npz: holds a, b; name one with --features"),
        ({"--data": "rows.txt"}, "rows.txt: files are all .parquet or all .csv"),
        ({"--target": "il"}, "rows.parquet: has no il; did you mean ill?"),
        ({"--features": "age,siz"}, "has no siz; did you mean size?"),
        ({"--model": "nowhere"}, "--model nowhere: ValueError: give MODULE:FUNCTION"),
        ({"--model": "nowhere:score"}, "--model nowhere:score: ModuleNotFoundError"),
        ({"--model": "none.joblib"}, "--model none.joblib: FileNotFoundError"),
        ({"--model": "json:loads"}, "--model json:loads: TypeError"),
        ({"--features": "age,size"}, "2 features are too few to rank"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_refused_in_one_line(evidence, changed, problem):
    patients().to_parquet("rows.parquet")
    Path("bad.parquet").write_text("words")
    Path("bad.npz").write_text("words")
    np.savez("many.npz", a=np.zeros(3), b=np.zeros(3), y=np.zeros(3))
    Path("rows.txt").write_text("words")
    asked = {"--data": "rows.parquet", "--target": "ill", "--model": "json:loads", **changed}
    words = [word for pair in asked.items() for word in pair]
    code, said, error = evidence("explain", "skin-check", *words, *BOUND)
    assert (code, said) == (1, "")
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("dataset", "by", "problem"),
    [
        ("people.parquet", "age", "--dataset people.parquet: give NAME=FILE"),
        ("people=people.parquet", "age", "skin-check 1.4.3 has no such dataset"),
        ("dermatology-consented=none.csv", "age", "none.csv: does not exist"),
        ("dermatology-consented=people.parquet", "agee", "people.parquet: has no column agee"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(evidence, dataset, by, problem):
    patients().to_parquet("people.parquet")
    code, _, error = evidence(
        "privacy", "skin-check", "--dataset", dataset, "--quasi-identifiers", by, *BOUND
    )
    assert code == 1
    assert problem in error
    assert error.count("\n") == 1
