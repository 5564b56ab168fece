"""Tables that may be larger than memory: Parquet and CSV files, asked through DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from stacks.errors import shown


class TableError(ValueError):
    """A table that no evidence can be made from: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Table:
    """Files of rows, open for counting as the view `data`."""

    files: tuple[Path, ...]
    connection: duckdb.DuckDBPyConnection
    columns: tuple[str, ...]

    @classmethod
    def open(cls, files: Sequence[Path]) -> Table:
        """Raises TableError for files that are missing, of two kinds, or not what their name says."""
        for file in files:
            if not file.is_file():
                raise TableError(f"{shown(file)}: does not exist; name a Parquet or CSV file")
        kinds = {file.name.removesuffix(".gz").rpartition(".")[2] for file in files}
        if len(kinds) != 1 or not kinds <= {"csv", "parquet"}:
            raise TableError(f"{shown(files[0])}: files are all .parquet or all .csv (.csv.gz)")
        connection = duckdb.connect()
        names = [str(file) for file in files]
        try:
            if kinds == {"parquet"}:
                relation = connection.read_parquet(names, union_by_name=True)
            else:
                relation = connection.read_csv(names)
            relation.create_view("data")
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise TableError(f"{shown(files[0])}: cannot be read: {first}") from None
        return cls(tuple(files), connection, tuple(relation.columns))

    @property
    def place(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{shown(self.files[0])}{more}"

    def frame(self) -> pd.DataFrame:
        """All rows, in memory."""
        try:
            rows: pd.DataFrame = self.connection.table("data").df()
        except duckdb.Error as error:
            raise TableError(f"{self.place}: {str(error).splitlines()[0]}") from None
        return rows

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(query, values).fetchall()
        except duckdb.Error as error:
            raise TableError(f"{self.place}: {str(error).splitlines()[0]}") from None


def quoted(column: str) -> str:
    """A column's name as SQL."""
    return '"' + column.replace('"', '""') + '"'
