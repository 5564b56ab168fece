"""Whose cost it is: app, team, model; what no tag names stays a line of its own, and every cent stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import pandas as pd

from finops.billing import LEVELS
from stacks.records import Stack

SHARED, UNALLOCATED = "shared", "unallocated"
Key = Literal["own-line", "cost", "replicas"]
"""How shared cost is split: not at all, by the apps' own cost of the day, by expected replicas."""
KEYS: tuple[Key, ...] = ("own-line", "cost", "replicas")


def allocate(daily: pd.DataFrame, stack: Stack, shared_by: Key = "own-line") -> pd.DataFrame:
    """The rows with every level named, and shared cost split.

    Tags win; where they name the app only, the stack file says its team and model. Cost of the app
    `shared` is split over the stack's apps by `shared_by`; on a day on which the key is zero
    everywhere it stays. The sum of each day is unchanged.
    """
    rows = daily.reset_index(drop=True)
    rows["app"] = rows["app"].replace("", UNALLOCATED)
    owners = {name: app.owner for name, app in stack.apps.items()} | {SHARED: stack.portfolio.owner}
    models = {name: app.model.name for name, app in stack.apps.items()} | {SHARED: SHARED}
    for level, named in (("team", owners), ("model", models)):
        rows[level] = rows[level].where(rows[level] != "", rows["app"].map(named))
        rows[level] = rows[level].fillna(UNALLOCATED)
    for level in ("location", "service"):
        rows[level] = rows[level].replace("", "unknown")
    if shared_by == "own-line":
        return rows
    return _split(rows, stack, WEIGHTS[shared_by], owners, models)


def by_cost(own: pd.DataFrame, _stack: Stack) -> pd.DataFrame:
    """[day, app] the apps' own cost of the day; a credit takes no share."""
    return own.pivot_table(index="day", columns="app", values="usd", aggfunc="sum").clip(lower=0)


def by_replicas(own: pd.DataFrame, stack: Stack) -> pd.DataFrame:
    """[day, app] replicas that the stack file expects, the same every day."""
    replicas = {
        name: sum(place.expected_replicas for place in stack.capacity.get(name, {}).values())
        for name in stack.apps
    }
    return pd.DataFrame(replicas, index=pd.Index(own["day"].unique(), name="day"))


WEIGHTS: Mapping[str, Callable[[pd.DataFrame, Stack], pd.DataFrame]] = {
    "cost": by_cost,
    "replicas": by_replicas,
}


def _split(
    rows: pd.DataFrame,
    stack: Stack,
    weights: Callable[[pd.DataFrame, Stack], pd.DataFrame],
    owners: Mapping[str, str],
    models: Mapping[str, str],
) -> pd.DataFrame:
    shared = rows[rows["app"] == SHARED]
    own = rows[rows["app"].isin(list(stack.apps))]
    key = weights(own, stack).reindex(shared["day"].unique()).fillna(0.0).rename_axis(index="day")
    total = key.sum(axis=1)
    shares = key[total > 0].div(total[total > 0], axis=0)
    split = shared[shared["day"].isin(shares.index)]
    long = shares.reset_index().melt(id_vars="day", var_name="app", value_name="share")
    parts = split.drop(columns="app").merge(long[long["share"] > 0], on="day")
    parts["usd"] *= parts["share"]
    parts["team"], parts["model"] = parts["app"].map(owners), parts["app"].map(models)
    kept = rows.drop(index=split.index)
    together = pd.concat([kept, parts[list(kept.columns)]], ignore_index=True)
    return together.groupby(["day", *LEVELS], as_index=False).agg({"usd": "sum"})
