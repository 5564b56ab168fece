"""Fairness evidence from prediction logs: counts for each slice, streamed by DuckDB from files of any size.

A log has a row a prediction: `time`, `model`, `version`, `digest`, a column for each protected attribute, and what is
counted: `prediction` (0 or 1) alone or with `label`; `words` and `word_errors` for speech; `hit` (0 or 1) for a metric
that is named by who asks. The verdict over the counts is the gate's, not ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

from governance.binding import Window, head
from governance.tables import Table, TableError, quoted
from stacks import ModelVersion

IDENTITY = ("model", "version", "digest")
BINARY = ("prediction", "label", "hit")
JOINED = " & "
"""Between the values of an intersection of attributes."""


@dataclass(frozen=True)
class Metric:
    """What is counted: `k` of the rows for which `among` holds, both SQL over a log's columns."""

    name: str
    k: str
    among: str = "true"


CLASSIFICATION = (
    Metric("true_positive_rate", "prediction = 1", "label = 1"),
    Metric("false_positive_rate", "prediction = 1", "label = 0"),
    Metric("error_rate", "prediction <> label"),
)
SELECTION = Metric("selection_rate", "prediction = 1")


def evidence(
    log: Table,
    model: ModelVersion,
    *,
    attributes: Sequence[str],
    window: Window,
    population: str,
    created: date,
    valid_days: int,
    hit_metric: str | None = None,
    intersections: bool = False,
) -> dict[str, Any]:
    """Counts as a fairness evidence file, bound to the version's digest.

    Args:
        log: of this version alone.
        model: the version that the log must be of.
        attributes: columns with the slices, such as skin_tone; several are compared one by one.
        window: the days that the log may hold.
        population: whom the log stands for, in words.
        created: the day of the evidence.
        valid_days: after which it expires.
        hit_metric: what `hit` counts, such as recall_at_10.
        intersections: also compare every combination of two attributes.

    Raises:
        TableError: the log is of another version, leaves the window, or lacks or misstates a column.
    """
    metrics = metrics_of(log, hit_metric)
    of_this_version(log, model, attributes, window)
    groups: list[tuple[str, ...]] = [(attribute,) for attribute in attributes]
    if intersections:
        groups += [(a, b) for i, a in enumerate(attributes) for b in attributes[i + 1 :]]
    compared = [
        {
            "modality": model.modality,
            "attribute": JOINED.join(group),
            "metric": metric.name,
            "slices": slices,
        }
        for group in groups
        for metric in metrics
        if len(slices := list(_slices(log, metric, group))) > 1
    ]
    if not compared:
        raise TableError(f"{log.place}: no attribute has two slices with something to count")
    unstated = {name: _unstated(log, name) for name in attributes}
    return {
        **head("fairness", model, window, population, created, valid_days),
        "rows": log.ask("SELECT count(*) FROM data")[0][0],
        "rows_without_attribute": {name: count for name, count in unstated.items() if count},
        "comparisons": compared,
    }


def metrics_of(log: Table, hit_metric: str | None) -> tuple[Metric, ...]:
    """What the columns allow to count."""
    found: tuple[Metric, ...] = ()
    if "prediction" in log.columns:
        found += (SELECTION,)
        found += CLASSIFICATION if "label" in log.columns else ()
    if {"words", "word_errors"} <= set(log.columns):
        found += (Metric("word_accuracy", "words"),)
    if "hit" in log.columns:
        if hit_metric is None:
            raise TableError(f"{log.place}: hit: say what it counts, such as --metric recall_at_10")
        found += (Metric(hit_metric, "hit = 1"),)
    if not found:
        wanted = "prediction (and label), words and word_errors, or hit"
        raise TableError(f"{log.place}: has none of the columns {wanted}; log one of them")
    return found


def of_this_version(
    log: Table, model: ModelVersion, attributes: Sequence[str], window: Window | None = None
) -> None:
    """Raise TableError where the log is not of this version, leaves the window or misstates a column."""
    for column in ("time", *IDENTITY, *attributes):
        if column not in log.columns:
            raise TableError(f"{log.place}: has no column {column}; log it with each prediction")
    checks = (_other_window(log, window), _other_version(log, model), _miscounted(log))
    problem = next(chain.from_iterable(checks), None)
    if problem:
        raise TableError(f"{log.place}: {problem}")


def counted_by_hour(log: Table, metric: Metric, attribute: str) -> list[tuple[Any, ...]]:
    """(hour, slice, k, n) of the rows that state the attribute."""
    column = quoted(attribute)
    return log.ask(
        f"SELECT date_trunc('hour', time), {column}::VARCHAR, count(*) FILTER (WHERE {metric.k}), count(*) "  # noqa: S608
        f"FROM data WHERE {column} IS NOT NULL AND {metric.among} GROUP BY ALL ORDER BY ALL"
    )


def _other_window(log: Table, window: Window | None) -> Iterator[str]:
    first, last, rows = log.ask("SELECT min(time)::DATE, max(time)::DATE, count(*) FROM data")[0]
    if not rows:
        yield "is empty; give logs with predictions"
    elif window and (first is None or first < window.start or last > window.end):
        yield (
            f"time: goes from {first} to {last}, outside the window of {window.start} to "
            f"{window.end}; correct the one or the other"
        )


def _other_version(log: Table, model: ModelVersion) -> Iterator[str]:
    for column, meant in zip(IDENTITY, (model.name, model.version, model.digest), strict=True):
        others = f"SELECT any_value({column}), count(*) FROM data WHERE {column} IS DISTINCT FROM ?"  # noqa: S608
        said, count = log.ask(others, meant)[0]
        if count:
            told = f"{count:,} rows are of {said!r}, asked for is {meant!r}"
            yield f"{column}: {told}; give the logs of this version alone"


def _miscounted(log: Table) -> Iterator[str]:
    for column in (column for column in BINARY if column in log.columns):
        other = f"coalesce(TRY_CAST({column} AS DOUBLE), -1) NOT IN (0, 1)"
        count = log.ask(f"SELECT count(*) FROM data WHERE {other}")[0][0]  # noqa: S608
        if count:
            yield f"{column}: {count:,} rows are not 0 or 1; mend them"
    if "request_id" in log.columns:
        twice = log.ask("SELECT count(*) - count(DISTINCT request_id) FROM data")[0][0]
        if twice:
            yield f"request_id: {twice:,} rows stand there twice; drop them"


def _slices(log: Table, metric: Metric, group: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Each slice with its counts; rows that do not say the attribute belong to none."""
    columns = [quoted(attribute) for attribute in group]
    stated = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    label = f" || '{JOINED}' || ".join(f"{column}::VARCHAR" for column in columns)
    if metric.name == "word_accuracy":
        yield from _words(log, label, stated)
        return
    rows = log.ask(
        f"SELECT {label} AS slice, count(*) FILTER (WHERE {metric.k}), count(*) FROM data "  # noqa: S608
        f"WHERE {stated} AND {metric.among} GROUP BY slice ORDER BY slice"
    )
    yield from ({"slice": slice_, "n": n, "k": k} for slice_, k, n in rows)


def _words(log: Table, label: str, stated: str) -> Iterator[dict[str, Any]]:
    """Words of one utterance go wrong together: counts are cut down by the design effect of Kish.

    Its variance is that of a ratio by linearisation (Cochran, Sampling Techniques, 1977, section 6.4).
    """
    rows = log.ask(
        f"SELECT {label} AS slice, count(*), sum(words), sum(word_errors), sum(word_errors ** 2), "  # noqa: S608
        f"sum(word_errors * words), sum(words ** 2) FROM data WHERE {stated} AND words > 0 "
        "GROUP BY slice ORDER BY slice"
    )
    for slice_, utterances, words, errors, errors2, both, words2 in rows:
        rate = min(errors / words, 1.0)
        seen = (errors2 - 2 * rate * both + rate**2 * words2) / words**2
        seen *= utterances / max(utterances - 1, 1)
        expected = rate * (1 - rate) / words
        effect = max(1.0, seen / expected) if expected else 1.0
        n = max(int(words / effect), 1)
        yield {
            "slice": slice_,
            "n": n,
            "k": min(max(round((1 - rate) * n), 0), n),
            "words": int(words),
            "design_effect": round(effect, 3),
        }


def _unstated(log: Table, attribute: str) -> int:
    return int(log.ask(f"SELECT count(*) FROM data WHERE {quoted(attribute)} IS NULL")[0][0])  # noqa: S608
