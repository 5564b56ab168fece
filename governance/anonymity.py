"""How far the people in a dataset are alike in what could single them out, counted by DuckDB in files of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.tables import Table, TableError, quoted

BELOW = (2, 5, 10)
"""Sizes of groups below which the share of rows is told."""


def measured(
    rows: Table, dataset: str, quasi_identifiers: Sequence[str], sensitive: str | None = None
) -> dict[str, Any]:
    """k-anonymity (Sweeney 2002, definition 3) and distinct l-diversity (Machanavajjhala et al. 2007, section 4.1).

    A value that is not said is a value of its own, which is how an attacker sees it.

    Args:
        rows: the dataset, a row a person.
        dataset: its name in the version's file.
        quasi_identifiers: columns that somebody outside could know, such as birth year and area.
        sensitive: a column that nobody outside should be able to tell.

    Returns:
        The entry of the dataset in privacy evidence; k is the size of the smallest group of rows
        that agree in all quasi-identifiers, l the fewest sensitive values in a group.

    Raises:
        TableError: a column is not there, or the dataset is empty.
    """
    wanted = [*quasi_identifiers, *([sensitive] if sensitive else [])]
    for column in wanted:
        if column not in rows.columns:
            raise TableError(
                f"{rows.place}: has no column {column}; it has {', '.join(rows.columns)}"
            )
    by = ", ".join(map(quoted, quasi_identifiers))
    split = ", ".join(map(quoted, wanted))
    shares = ", ".join(f"sum(n) FILTER (WHERE n < {size}) / sum(n)" for size in BELOW)
    [(k, count, diversity, *below)] = rows.ask(
        f"SELECT min(n), sum(n), min(l), {shares} FROM (SELECT sum(m) AS n, count(*) AS l FROM "  # noqa: S608
        f"(SELECT {by}, count(*) AS m FROM data GROUP BY {split}) GROUP BY {by})"
    )
    if k is None:
        raise TableError(f"{rows.place}: is empty; give the rows that the model learned from")
    return {
        "dataset": dataset,
        "rows": int(count),
        "quasi_identifiers": list(quasi_identifiers),
        "k": int(k),
        "share_below": {
            str(size): round(share or 0.0, 6) for size, share in zip(BELOW, below, strict=True)
        },
        **({"sensitive": {"column": sensitive, "l": int(diversity)}} if sensitive else {}),
    }
