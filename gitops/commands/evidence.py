"""`fairweather evidence explain | privacy | check | sign | keygen`: evidence that is measured, checked and signed."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from gitops import show
from gitops.errors import Refusal
from stacks import ModelVersion, read_evidence
from stacks.errors import nearest, shown

BAR = 24
"""Characters of the longest bar."""


def explain(options: Namespace) -> int:
    """Measure what a model's answers hang on; write it if asked."""
    from governance import explaining, registry

    model = registry.load(options.root / "models", options.name, options.version)
    data, target = rows(options.data, options.target, options.features)
    with show.working(f"explaining {model.name} {model.version}"):
        found = explaining.explained(
            scores(options.model), data, target,
            method=options.method, segment=options.segment, seed=options.seed,
        )  # fmt: skip
    bars = max((abs(one["importance"]) for one in found.importances), default=0) or 1
    columns = ("feature", "importance", "low", "high", "")
    show.console.print(
        show.table(
            columns,
            (
                (
                    one["feature"],
                    *(f"{one[key]:.4f}" for key in columns[1:4]),
                    "█" * round(BAR * max(one["importance"], 0) / bars),
                )
                for one in found.importances
            ),
            right=columns[1:4],
        )
    )
    show.console.print(
        f"faithfulness [bold]{found.faithfulness:.2f}[/bold], stability "
        f"[bold]{found.stability:.2f}[/bold] over {found.samples:,} rows, by {found.method}  "
        "[dim]rank correlations: 1 is best, 0 is chance[/dim]"
    )
    rest = {"target": str(options.target), "modality": model.modality, **asdict(found)}
    return keep(options, bound(options, model, "explanation", rest))


def privacy(options: Namespace) -> int:
    """Count how far the people of each dataset are alike; write it if asked."""
    from governance import anonymity, registry, tables

    model = registry.load(options.root / "models", options.name, options.version)
    known = [item.name for item in model.datasets]
    found = []
    for name, files in map(dataset_and_files, options.dataset):
        if name not in known:
            raise Refusal(
                f"--dataset {name}: {model.name} {model.version} has no such dataset; "
                f"{nearest(name, known, 'datasets')}"
            )
        with show.working(f"counting {name}"):
            found.append(
                anonymity.measured(
                    tables.Table.open(files), name,
                    options.quasi_identifiers.split(","), options.sensitive,
                )
            )  # fmt: skip
    below = [str(size) for size in anonymity.BELOW]
    columns = ("dataset", "rows", "k", *(f"below {size}" for size in below), "l")
    show.console.print(
        show.table(
            columns,
            (
                (
                    one["dataset"], f"{one['rows']:,}", f"{one['k']:,}",
                    *(f"{one['share_below'][size]:.2%}" for size in below),
                    str(one["sensitive"]["l"]) if "sensitive" in one else "–",
                )
                for one in found
            ),
            right=columns[1:],
        )
    )  # fmt: skip
    show.console.print(
        "[dim]k: fewest rows that agree in all quasi-identifiers; below: share of rows in smaller groups; "
        "l: fewest sensitive values in a group[/dim]"
    )
    measured = {one["dataset"] for one in found}
    for item in model.datasets:
        if item.personal_data and item.name not in measured:
            show.console.print(f"[yellow]{item.name} holds personal data, too: measure it[/yellow]")
    return keep(options, bound(options, model, "privacy", {"datasets": found}))


def check(options: Namespace) -> int:
    """Whether explanation or privacy evidence, made by any tool, is in the schema and of its version."""
    from governance import evidence_files

    day = datetime.now(UTC).date()
    model = evidence_files.checked(options.file, options.root / "models", day)
    print(f"{shown(options.file)}: is evidence of {model.name} {model.version}")
    return 0


def sign(options: Namespace) -> int:
    """Sign an evidence file; what its version's file has to say of it then."""
    from governance import signing

    made = signing.signed(read_evidence(options.file), signing.load_key(options.key), options.name)
    return keep(options, made)


def keygen(options: Namespace) -> int:
    """Make a private key; print the public half as trusted_keys.yaml wants it."""
    from governance import signing

    public = signing.new_key(options.output)
    print(
        f"{shown(options.output)} written, for its owner alone; keep it out of Git", file=sys.stderr
    )
    print("under `keys` in policypacks/guardrails/trusted_keys.yaml:", file=sys.stderr)
    print(f"  {options.name}: {public}")
    return 0


def bound(
    options: Namespace, model: ModelVersion, kind: str, rest: Mapping[str, Any]
) -> dict[str, Any]:
    """What was measured, with what binds it to the version."""
    from governance.binding import Window, head

    window = Window(options.start, options.end)
    today = datetime.now(UTC).date()
    if not window.start <= window.end <= today:
        raise Refusal(f"--from {window.start} --to {window.end}: give days in order, up to {today}")
    return {**head(kind, model, window, options.population, today, options.valid_days), **rest}


def keep(options: Namespace, made: Mapping[str, Any]) -> int:
    """Write the evidence where `--output` says, with the digest that the version's file has to name."""
    import hashlib

    if not options.output:
        print("nothing written; --output FILE keeps the evidence, for `fairweather model add`")
        return 0
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(f"{shown(options.output)} written, sha256:{hashlib.sha256(text.encode()).hexdigest()}")
    return 0


def dataset_and_files(words: list[str]) -> tuple[str, list[Path]]:
    """`NAME=FILE`, and more files."""
    name, equals, first = words[0].partition("=")
    if not equals or not name or not first:
        raise Refusal(f"--dataset {words[0]}: give NAME=FILE, such as people=people.parquet")
    return name, [Path(first), *map(Path, words[1:])]


def rows(file: Path, target: str, features: str | None) -> tuple[Any, Any]:
    """The rows to explain and their target, of a table or of arrays (.npz).

    Raises Refusal and TableError for files that are neither, and for names that are not in them.
    """
    from governance.tables import Table

    stored = arrays(file) if file.suffix == ".npz" else Table.open([file]).frame()
    names = list(map(str, stored))
    wanted = features.split(",") if features else [name for name in names if name != target]
    for name in (target, *wanted):
        if name not in names:
            raise Refusal(f"{shown(file)}: has no {name}; {nearest(name, names, 'names')}")
    if not isinstance(stored, dict):
        return stored[wanted], stored[target].to_numpy()
    if len(wanted) != 1:
        raise Refusal(f"{shown(file)}: holds {', '.join(wanted)}; name one with --features")
    return stored[wanted[0]], stored[target]


def arrays(file: Path) -> dict[str, Any]:
    """By name; pickled objects are not read."""
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, BadZipFile) as error:
        raise Refusal(f"{shown(file)}: cannot be read: {str(error).splitlines()[0]}") from None


def scores(name: str) -> Any:
    """What gives a score a row: an estimator that was kept by joblib, or a function of ours to call.

    Raises Refusal where there is neither, and where it fails on the rows.
    """
    try:
        score = estimator(Path(name)) if name.endswith(".joblib") else function(name)
    except Exception as error:  # noqa: BLE001  (whatever somebody else's code raises)
        raise Refusal(f"--model {name}: {type(error).__name__}: {error}") from None

    def asked(data: Any) -> Any:
        try:
            return score(data)
        except Exception as error:
            line = str(error).strip().partition("\n")[0]
            raise Refusal(f"--model {name}: {type(error).__name__}: {line}") from error

    return asked


def function(name: str) -> Any:
    module, _, wanted = name.partition(":")
    if not module or not wanted:
        raise ValueError("give MODULE:FUNCTION or FILE.joblib")
    sys.path.insert(0, str(Path.cwd()))
    return getattr(import_module(module), wanted)


def estimator(file: Path) -> Any:
    """Scores of a scikit-learn estimator: of the second class where there are two, else what it predicts."""
    import joblib

    kept = joblib.load(file)
    names = getattr(kept, "feature_names_in_", None)
    classes = getattr(kept, "classes_", ())
    if len(classes) > 2:
        raise ValueError("has more than two classes; give a function that scores one of them")

    def score(data: Any) -> Any:
        if names is not None:
            data = data[list(names)]
        elif data.ndim > 2:
            data = data.reshape(len(data), -1)
        if hasattr(kept, "predict_proba"):
            return kept.predict_proba(data)[:, 1]
        return getattr(kept, "decision_function", kept.predict)(data)

    return score
