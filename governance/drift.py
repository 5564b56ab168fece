"""Drift of a model's inputs and scores, in all and for each slice, with bounds that hold however often one looks.

How far two distributions lie apart is told as their total variation distance: the share of people for whom the answer
to "which bin?" would have to change. Its bounds come from a confidence sequence for each bin of what is live and a
Wilson interval for each bin of the reference, all together at the stated confidence. The population stability index is
told beside it because people know it; it has no bound of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import norm

from governance.prediction_logs import of_this_version
from governance.sequences import Array, State, sequence
from governance.tables import Table, TableError, quoted
from stacks import ModelVersion

BINS = 10
MOST_CATEGORIES = 12
"""A column with more different values than this is cut into BINS, as far as it is a number."""
EVERYBODY = "everybody"
MISSING, OTHER = "missing", "other"


@dataclass(frozen=True)
class Drift:
    """How far one column has moved, in one slice."""

    column: str
    slice: str
    state: State
    """Alarm: further than the tolerance; clear: within it; open: not known yet."""
    low: float
    """The distance is at least this, from 0 to 1."""
    high: float
    """It is at most this."""
    stability_index: float
    """PSI as seen: below 0.1 is called stable, above 0.25 shifted, by custom."""
    most_moved: str
    """The bin whose share changed most."""
    rows: int
    """Of the live log."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def drifted(
    reference: Table,
    log: Table,
    model: ModelVersion,
    *,
    columns: Sequence[str],
    attributes: Sequence[str] = (),
    tolerance: float = 0.1,
    confidence: float = 0.95,
) -> list[Drift]:
    """Each column in all and in each slice; the confidence is that of all of them, at all times, together.

    Args:
        reference: rows that the version was accepted on, with the same columns.
        log: live predictions of this version.
        model: the version that the log must be of.
        columns: inputs and scores to look at.
        attributes: columns with slices; each of their values is looked at by itself.
        tolerance: the largest total variation distance that is allowed.
        confidence: that nothing told here is wrong, however often it is asked.

    Raises:
        TableError: the log is of another version, or a table lacks a column.
    """
    of_this_version(log, model, attributes)
    for table in (reference, log):
        for column in (*columns, *attributes):
            if column not in table.columns:
                raise TableError(f"{table.place}: has no column {column}; log it, or leave it out")
    asked = [(column, slice_) for column in columns for slice_ in _slices(log, attributes)]
    alpha = (1 - confidence) / max(len(asked), 1)
    return [_one(reference, log, column, slice_, tolerance, alpha) for column, slice_ in asked]


def _slices(log: Table, attributes: Sequence[str]) -> Iterator[tuple[str, str] | None]:
    """None is everybody; else a column and its value."""
    yield None
    for attribute in attributes:
        name = quoted(attribute)
        rows = f"SELECT DISTINCT {name}::VARCHAR FROM data WHERE {name} IS NOT NULL ORDER BY 1"  # noqa: S608
        yield from ((attribute, value) for (value,) in log.ask(rows))


def _one(
    reference: Table,
    log: Table,
    column: str,
    slice_: tuple[str, str] | None,
    tolerance: float,
    alpha: float,
) -> Drift:
    bin_ = _binned(reference, column)
    was, now = (_counts(table, bin_, slice_) for table in (reference, log))
    names = sorted({*was, *now})
    before, live = (np.array([float(c.get(name, 0)) for name in names]) for c in (was, now))
    low, high = distance(before, live, alpha)
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(names)) for counts in (before, live))
    state: State = "alarm" if low > tolerance else "clear" if high <= tolerance else "open"
    return Drift(
        column=column,
        slice=EVERYBODY if slice_ is None else f"{slice_[0]}={slice_[1]}",
        state=state,
        low=low,
        high=high,
        stability_index=float(((q - p) * np.log(q / p)).sum()),
        most_moved=names[int(np.abs(q - p).argmax())] if names else "nothing",
        rows=int(live.sum()),
    )


def distance(before: Array, live: Array, alpha: float) -> tuple[float, float]:
    """Bounds of the total variation distance, from 0 to 1, true with 1 - alpha at every look.

    Args:
        before: [bin] counts of the reference, seen once.
        live: [bin] cumulative counts.
        alpha: chance that they are ever wrong, of all bins together.
    """
    if not before.sum() or not live.sum():
        return 0.0, 1.0
    each = alpha / (2 * len(before))
    low_q, high_q = sequence(live, np.full_like(live, live.sum()), each)
    low_p, high_p = _wilson(before, before.sum(), each)
    least = np.maximum(np.maximum(low_q - high_p, low_p - high_q), 0)
    most = np.maximum(np.maximum(high_q - low_p, high_p - low_q), 0)
    return float(least.sum() / 2), float(min(most.sum() / 2, 1.0))


def _wilson(k: Array, n: float, alpha: float) -> tuple[Array, Array]:
    """Score intervals (Wilson 1927) of shares."""
    z = float(norm.ppf(1 - alpha / 2))
    centre, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (centre - spread) / (n + z * z), (centre + spread) / (n + z * z)


def _binned(reference: Table, column: str) -> str:
    """SQL that names the bin of a row, by what the reference holds."""
    name = quoted(column)
    distinct, numbers, known = reference.ask(
        f"SELECT count(DISTINCT {name}), count(TRY_CAST({name} AS DOUBLE)), count({name}) FROM data"  # noqa: S608
    )[0]
    if distinct > MOST_CATEGORIES and numbers == known:
        parts = [at / BINS for at in range(1, BINS)]
        [(cuts,)] = reference.ask(
            f"SELECT quantile_cont(TRY_CAST({name} AS DOUBLE), {parts}) FROM data"  # noqa: S608
        )
        edges = sorted(set(cuts))
        labels = [f"up to {edges[0]:.4g}"]
        labels += [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
        cases = " ".join(
            f"WHEN TRY_CAST({name} AS DOUBLE) <= {edge!r} THEN '{label}'"
            for edge, label in zip(edges, labels, strict=True)
        )
        return f"CASE WHEN {name} IS NULL THEN '{MISSING}' {cases} ELSE 'above {edges[-1]:.4g}' END"
    rows = f"SELECT {name}::VARCHAR FROM data WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MOST_CATEGORIES}"  # noqa: S608, E501
    values = ", ".join(
        "'" + str(value).replace("'", "''") + "'" for (value,) in reference.ask(rows)
    )
    return (
        f"CASE WHEN {name} IS NULL THEN '{MISSING}' WHEN {name}::VARCHAR IN ({values or 'NULL'}) "
        f"THEN {name}::VARCHAR ELSE '{OTHER}' END"
    )


def _counts(table: Table, bin_: str, slice_: tuple[str, str] | None) -> dict[str, int]:
    of_slice = "true" if slice_ is None else f"{quoted(slice_[0])}::VARCHAR = ?"
    given = () if slice_ is None else (slice_[1],)
    rows = f"SELECT {bin_}, count(*) FROM data WHERE {of_slice} GROUP BY 1"  # noqa: S608
    return {str(name): int(count) for name, count in table.ask(rows, *given)}
