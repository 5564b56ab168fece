"""What the pack knows of each type: where it carries tags, and how it is billed. `types.csv` is the table.

Its sources are the argument lists of pulumi-aws 7 and pulumi-gcp 10 (a test holds it against the
installed packages) and each service's pages on tagging and pricing. Kubernetes objects carry
`metadata.labels` and run inside their cluster.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Billed = Literal["priced", "free", "usage", "inside", "unpriced"]
TABLE = Path(__file__).with_name("types.csv")


@dataclass(frozen=True)
class Kind:
    """One type of resource."""

    labels: str
    """The property that holds its tags or labels; empty where it can have none."""
    billed: Billed
    by: str
    """What is billed, where use is; or where its cost is counted."""


def read() -> Mapping[str, Kind]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            row["type"]: Kind(
                "" if row["labels"] == "none" else row["labels"],
                cast("Billed", row["billed"]),
                row["by"],
            )
            for row in csv.DictReader(file)
        }


KINDS = read()
