"""What a model's answers hang on, and how far that can be relied on: importances with their faithfulness and stability.

A feature is a column of a table, or a segment (a patch, a stretch of time) of arrays [sample, ...]. It is removed in
one of two ways: `permutation` gives it the values of other rows (Breiman 2001, section 10; Fisher, Rudin and Dominici
2019, model reliance), `occlusion` its typical value (Zeiler and Fergus 2014, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import r2_score, roc_auc_score

METHODS = ("permutation", "occlusion")
PARTS = 5
"""Disjoint parts of the data that are explained one by one."""
REPEATS = 10
"""Permutations of each feature in each part."""
FEWEST_FEATURES = 3
"""With two, a rank correlation is 1 or -1 by luck."""
FEWEST_ROWS = 8 * PARTS
FEWEST_OF_A_VALUE = 4 * PARTS
"""So that every part holds both values of a target that has two."""

Data = pd.DataFrame | NDArray[Any]
Floats = NDArray[np.float64]
Score = Callable[[Any], Any]


class ExplainError(ValueError):
    """Data or a model that cannot be explained: what is wrong, what to do."""


@dataclass(frozen=True)
class Explanation:
    """What was measured, in the order of importance."""

    method: str
    samples: int
    faithfulness: float
    stability: float
    importances: tuple[Mapping[str, Any], ...]


def explained(
    score: Score,
    data: Data,
    target: NDArray[Any],
    *,
    method: str = "permutation",
    segment: Sequence[int] = (),
    seed: int = 7,
) -> Explanation:
    """Importances from one half of the rows, held against what happens in the other half.

    The importance of a feature is the drop in quality (ROC AUC for a target of two values, R² for
    numbers) when it is removed; low and high are the least and most in disjoint parts. Stability is
    the mean rank correlation of the importances of two parts. Faithfulness is the rank correlation
    of the importances with the drop on held-out rows when the feature is removed in the other way,
    so that no method is its own judge (deletion test: Samek et al. 2017, section III; why held out
    rows and several removals: Hooker et al. 2019).

    Args:
        score: rows as in `data` -> a score a row.
        data: a table, or arrays [sample, ...].
        target: what the scores are for, one a row.
        method: `permutation` or `occlusion`.
        segment: sizes of a segment along the axes after the first, such as (8, 8); arrays only.
        seed: of the split and the permutations; the same seed gives the same figures.

    Raises:
        ExplainError: too few rows or features, or a target or scores that are no numbers.
    """
    features = dict(_features(data, segment))
    if len(features) < FEWEST_FEATURES:
        few = f"{len(features)} features are too few to rank"
        raise ExplainError(f"{few}; give {FEWEST_FEATURES} or more")
    if len(data) < FEWEST_ROWS or len(data) != len(target):
        few = f"{len(data)} rows with {len(target)} targets are too few"
        raise ExplainError(f"{few}; give {FEWEST_ROWS} or more, each with its target")
    right, quality = _measured_by(target)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(right))
    if quality is roc_auc_score:  # each part gets its share of both values
        order = order[np.argsort(right[order], kind="stable")]
    seen, held_out = order[::2], order[1::2]
    typical = _typical(_rows(data, seen))

    def drops(rows: NDArray[np.intp], how: str) -> Floats:
        part = _rows(data, rows)
        whole = quality(right[rows], _scored(score, part))
        return np.array(
            [
                whole - np.mean([
                    quality(right[rows], _scored(score, _with(part, where, other)))
                    for other in _others(part, typical, how, rng)
                ])
                for where in features.values()
            ]
        )  # fmt: skip

    parts = np.array([drops(seen[at::PARTS], method) for at in range(PARTS)])
    importances = parts.mean(axis=0)
    other = next(name for name in METHODS if name != method)
    return Explanation(
        method=method,
        samples=len(data),
        faithfulness=round(_agreement(importances, drops(held_out, other)), 4),
        stability=round(float(np.mean([_agreement(a, b) for a, b in combinations(parts, 2)])), 4),
        importances=tuple(
            {
                "feature": name,
                "importance": round(float(importances[at]), 6),
                "low": round(float(parts[:, at].min()), 6),
                "high": round(float(parts[:, at].max()), 6),
            }
            for at, name in sorted(enumerate(features), key=lambda one: -importances[one[0]])
        ),
    )


def _measured_by(target: NDArray[Any]) -> tuple[Floats, Callable[..., float]]:
    """The target in numbers, and how well scores meet it: the higher, the better."""
    values, counts = np.unique(target[~pd.isna(target)], return_counts=True)
    if counts.sum() < len(target):
        raise ExplainError(
            f"the target is not said in {len(target) - counts.sum():,} rows; drop them"
        )
    if len(values) == 2:
        if counts.min() < FEWEST_OF_A_VALUE:
            few = f"the target is {values[counts.argmin()]} in {counts.min()} rows"
            raise ExplainError(f"{few}; give {FEWEST_OF_A_VALUE} or more")
        return (target == values[1]).astype(float), roc_auc_score
    if len(values) < 2 or values.dtype.kind not in "iuf":
        raise ExplainError(
            f"the target has {len(values)} values; give numbers, or two values such as yes and no"
        )
    return target.astype(float), r2_score


def _features(data: Data, segment: Sequence[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(data, pd.DataFrame):
        yield from ((str(name), name) for name in data.columns)
        return
    shape = data.shape[1:]
    if data.dtype.kind not in "biuf":
        raise ExplainError(f"the array holds {data.dtype}; give numbers")
    if not segment or len(segment) > len(shape):
        axes = " x ".join(map(str, shape))
        raise ExplainError(f"a sample is {axes}; give a segment of 1 to {len(shape)} sizes")
    stretches = [
        [slice(at, min(at + size, length)) for at in range(0, length, size)]
        for size, length in zip(segment, shape, strict=False)
    ]
    for where in product(*stretches):
        yield " x ".join(f"{one.start}-{one.stop - 1}" for one in where), (slice(None), *where)


def _rows(data: Data, rows: NDArray[np.intp]) -> Data:
    return data.iloc[rows] if isinstance(data, pd.DataFrame) else data[rows]


def _typical(data: Data) -> Data:
    """One row of medians, and of modes where values are no numbers."""
    if not isinstance(data, pd.DataFrame):
        return np.median(data, axis=0, keepdims=True).astype(data.dtype)
    return pd.DataFrame({name: _middle(data[name]) for name in data.columns})


def _middle(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        middle = column.quantile(0.5, interpolation="lower")
    else:
        middle = column.mode(dropna=False).iloc[0]
    return pd.Series([middle], dtype=column.dtype)


def _others(part: Data, typical: Data, how: str, rng: np.random.Generator) -> Iterator[Data]:
    """Rows to take a removed feature from."""
    if how == "occlusion":
        yield _rows(typical, np.zeros(len(part), dtype=np.intp))
        return
    for _ in range(REPEATS):
        yield _rows(part, rng.permutation(len(part)))


def _with(part: Data, where: Any, other: Data) -> Data:
    """The rows with one feature from the others."""
    if isinstance(part, pd.DataFrame):
        assert isinstance(other, pd.DataFrame)
        return part.assign(**{where: other[where].array})
    changed = part.copy()
    changed[where] = np.asarray(other)[where]
    return changed


def _scored(score: Score, rows: Data) -> Floats:
    scores = np.asarray(score(rows), dtype=float)
    if scores.shape != (len(rows),) or not np.isfinite(scores).all():
        raise ExplainError(
            f"the model gave {' x '.join(map(str, scores.shape))} for {len(rows)} rows, or no numbers; "
            "give a score a row"
        )
    return scores


def _agreement(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation; 0 where all of one side is the same, which says nothing."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
