"""From logs to evidence to the registry, as a person does it; and the page in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gitops import cli
from gitops.pages.fairness import page

ROOT = Path(__file__).resolve().parents[2]
ASKED = (
    "--attributes", "skin_tone", "--from", "2026-09-01", "--to", "2026-09-30", "--population", "all",
)  # fmt: skip


@pytest.fixture
def fairness(tmp_path, monkeypatch, capsys):
    """Run `fairweather evidence` on a copy; returns (exit code, output, errors)."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    shutil.copytree(ROOT / "policypacks", tmp_path / "policypacks")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return (cli.main(["--root", ".", "evidence", *arguments]), *capsys.readouterr())

    return run


def log(file, darker=0.92, rows=20000):
    from governance import registry

    model = registry.load(ROOT / "models", "skin-check")
    rng = np.random.default_rng(2)
    tone = rng.choice(["lighter", "darker"], rows)
    label = rng.integers(0, 2, rows)
    right = rng.random(rows) < np.where(tone == "darker", darker, 0.92)
    pd.DataFrame(
        {
            "time": pd.date_range("2026-09-01", "2026-09-30", periods=rows),
            "model": model.name,
            "version": model.version,
            "digest": model.digest,
            "skin_tone": tone,
            "label": label,
            "prediction": np.where(right, label, 1 - label),
        }
    ).to_parquet(file)


@pytest.mark.parametrize("action", ["fairness", "judge", "watch", "drift"])
def test_help_of_each_action_has_an_example(capsys, action):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["evidence", action, "--help"])
    assert stopped.value.code == 0
    assert f"fairweather evidence {action} " in capsys.readouterr().out


def test_evidence_from_logs_is_judged_kept_and_passes_again(fairness):
    log("september.parquet")
    code, out, _ = fairness(
        "fairness", "skin-check", "--logs", "september.parquet", *ASKED, "--output", "made.json"
    )
    assert code == 0
    assert "pass" in out
    assert "made.json written" in out
    assert fairness("judge", "made.json", "--sensitive")[0] == 0
    assert json.loads(Path("made.json").read_text())["rows"] == 20000


def test_without_output_nothing_is_written(fairness):
    log("september.parquet")
    code, out, _ = fairness("fairness", "skin-check", "--logs", "september.parquet", *ASKED)
    assert code == 0
    assert "nothing written; --output FILE keeps the evidence" in out


def test_a_hurt_slice_fails_and_raises_an_alarm(fairness):
    log("september.parquet", darker=0.7)
    logs = ("skin-check", "--logs", "september.parquet")
    _, out, _ = fairness("fairness", *logs, *ASKED, "--output", "made.json")
    assert "darker is worse off than lighter" in out
    assert fairness("judge", "made.json")[0] == 1
    code, out, _ = fairness("watch", *logs, "--attributes", "skin_tone", "--json")
    assert code == 1
    assert {one["state"] for one in json.loads(out) if one["metric"] == "error_rate"} == {"alarm"}


def test_inputs_that_moved_raise_an_alarm(fairness):
    log("september.parquet")
    moved = pd.read_parquet("september.parquet").assign(prediction=1)
    moved.to_parquet("october.parquet")
    asked = ("skin-check", "--reference", "september.parquet", "--columns", "prediction", "--json")
    code, out, _ = fairness("drift", *asked, "--logs", "september.parquet")
    assert (code, [one["state"] for one in json.loads(out)]) == (0, ["clear"])
    code, out, _ = fairness("drift", *asked, "--logs", "october.parquet")
    assert (code, [one["state"] for one in json.loads(out)]) == (1, ["alarm"])


def test_what_cannot_be_judged_is_one_line(fairness):
    Path("bad.json").write_text("{}")
    assert fairness("judge", "bad.json") == (
        1,
        "",
        "bad.json: compares nothing; measure it again\n",
    )
    code, _, err = fairness("judge", "none.json")
    assert (code, err) == (1, "none.json: No such file or directory; name an evidence file\n")
    code, _, err = fairness("fairness", "skin-check", "--logs", "none.parquet", *ASKED)
    assert (code, err) == (1, "none.parquet: does not exist; name a Parquet or CSV file\n")


def test_the_page_escapes_what_it_is_given():
    slices = {
        name: {"low": 0.1, "high": 0.3, "rate": 0.2, "k": 2, "n": 10} for name in ("<b>", "&")
    }
    verdict = {
        "modality": "image", "attribute": "<i>", "metric": "error_rate", "verdict": "insufficient",
        "text": "<script>", "max_difference": 0.05, "min_ratio": None, "lower_is_better": True,
        "slices": slices,
    }  # fmt: skip
    told = page({"window": {}, "model": "<x>"}, [verdict])
    assert "<b>" not in told.replace("<b>1</b>", "")
    assert "<script>" not in told
    assert "&lt;x&gt;" in told


@pytest.mark.browser
def test_the_page_opens_in_a_browser_with_a_plot_a_comparison(fairness, chromium, tmp_path):
    evidence = "models/skin-check/evidence/1.4.3-fairness.json"
    assert fairness("judge", evidence, "--page", "fairness.html")[0] == 0
    dumped = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", Path("fairness.html").resolve().as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert dumped.count("<svg") == 2
    assert dumped.count('class="zone"') == 2
    assert "within tolerance" in dumped
