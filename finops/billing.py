"""Daily cost from billing exports: FOCUS 1.x, or a plain table `time, app, usd`.

Files of any size: DuckDB reads, cleans and sums them; what comes back is a row a day and owner.
Columns and their meaning: FOCUS specification 1.2, focus.finops.org. Cost is EffectiveCost: what
was used that day, with commitments and discounts spread over their term.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stacks.errors import shown

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAG_HOURS = 48.0
"""Clouds go on adding lines to a day for a day or two."""
FOCUS = ("ChargePeriodStart", "EffectiveCost", "BillingCurrency")
PLAIN = ("time", "app", "usd")
ABSENT = {
    "Tags": "all of it is unallocated",
    "RegionId": "no location is known",
    "ServiceName": "no service is known",
}
"""What it means that a FOCUS export lacks one of the columns that say whose cost it is."""
CURRENCY = "USD"
LEVELS = ("app", "team", "model", "location", "service")
TAGS = {"app": "app", "team": "owner", "model": "model"}
"""The tag that says it."""
TAG_FORMS = ("{}", "user:{}", "user_{}", "fairweather.dev/{}")
"""How exports spell a tag: as it is, AWS' user tags, and Kubernetes labels."""
CLOUDS = {"aws": "aws:", "amazon": "aws:", "google": "gcp:", "gcp": "gcp:"}
PARQUET = b"PAR1"


class BillingError(ValueError):
    """Billing that cannot be used: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Billing:
    """Cost by day and owner."""

    daily: pd.DataFrame
    """`day` (UTC midnight), the LEVELS ('' where nothing says it), `usd`."""
    complete_until: pd.Timestamp
    """The first day that is not complete: it and later ones are in no forecast."""
    findings: tuple[str, ...]
    files: tuple[str, ...]
    synthetic: bool

    @property
    def known(self) -> pd.DataFrame:
        """The complete days."""
        return self.daily[self.daily["day"] < self.complete_until]


def read(
    files: Sequence[Path], *, at: datetime | None = None, lag_hours: float = LAG_HOURS
) -> Billing:
    """Sum billing files by day and owner; the order of files and rows changes nothing.

    A row that stands alike in several files is counted once, charges over several days are spread
    over them, nothing from `at` on is read, and days younger than `lag_hours` before `at` (before
    the end of the newest day, if that is earlier) are incomplete.

    Raises:
        BillingError: a file cannot be read, a column is missing, currencies other than USD.
    """
    import duckdb

    if not files:
        raise BillingError("no billing file; name one with --billing, or in telemetry.spend.path")
    names = tuple(sorted(shown(path) for path in files))
    # On disk, so that an export may be larger than memory.
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(str(Path(folder, "billing.duckdb"))) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE delivered (file INTEGER, content UBIGINT, start TIMESTAMPTZ,"
            " until TIMESTAMPTZ, usd DECIMAL(38, 12), currency VARCHAR, tags VARCHAR,"
            " location VARCHAR, service VARCHAR, synthetic BOOLEAN)"
        )
        findings: dict[str, None] = {}
        for number, path in enumerate(sorted(files)):
            try:
                findings |= dict.fromkeys(_deliver(connection, number, path))
            except duckdb.Error as error:
                problem = str(error).strip().splitlines()[0]
                raise BillingError(f"{shown(path)}: {problem}; export it again") from None
        _check(connection, ", ".join(names))
        findings |= dict.fromkeys(_owners(connection))
        return _summed(connection, names, list(findings), at, timedelta(hours=lag_hours))


def _deliver(connection: DuckDBPyConnection, number: int, path: Path) -> list[str]:
    """Append one file's rows; what is odd about its columns."""
    place = shown(path)
    try:
        with path.open("rb") as file:
            parquet = file.read(len(PARQUET)) == PARQUET
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BillingError(f"{place}: cannot be read: {reason}; name a file") from None
    if parquet:
        rows = connection.read_parquet(str(path))
    else:
        rows = connection.read_csv(str(path), all_varchar=True, comment="#", header=True)
    kinds = {name: str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
    rows.create_view("file_rows", replace=True)
    if all(name in kinds for name in PLAIN):
        values, findings = _plain(kinds), list[str]()
    else:
        values, findings = _focus(kinds, place)
    # The words are ours; what the file says comes in as values only.
    statement = f"INSERT INTO delivered SELECT ?, hash(struct_pack(*COLUMNS(*))), {', '.join(values)} FROM file_rows"  # noqa: S608
    connection.execute(statement, [number])
    return findings


def _plain(kinds: Mapping[str, str]) -> list[str]:
    """SQL for each column of `delivered`, out of a table `time, app, usd` and what else it has."""
    owners = ", ".join(f"'{tag}', {text(level)}" for level, tag in TAGS.items() if level in kinds)
    location, service = (text(name) if name in kinds else "''" for name in ("location", "service"))
    amount = 'TRY_CAST("usd" AS DECIMAL(38, 12))'
    synthetic = 'CAST("synthetic" AS BOOLEAN)' if "synthetic" in kinds else "false"
    tags = f"json_object({owners})"
    return [time("time"), "NULL", amount, f"'{CURRENCY}'", tags, location, service, synthetic]


def _focus(kinds: Mapping[str, str], place: str) -> tuple[list[str], list[str]]:
    """SQL for each column of `delivered`, out of a FOCUS export; what it lacks."""
    missing = [name for name in FOCUS if name not in kinds]
    if missing:
        found = ", ".join(list(kinds)[:8]) + (", …" if len(kinds) > 8 else "")
        raise BillingError(
            f"{place}: column {', '.join(missing)} is missing; found {found}; "
            "give a FOCUS 1.x export, or a table time, app, usd"
        )
    absent = [
        f"{place}: no column {name}: {what}" for name, what in ABSENT.items() if name not in kinds
    ]
    location = text("RegionId") if "RegionId" in kinds else "''"
    if "RegionId" in kinds and "ProviderName" in kinds:
        cloud = " ".join(
            f"WHEN starts_with(lower({text('ProviderName')}), '{start}') THEN '{prefix}'"
            for start, prefix in CLOUDS.items()
        )
        location = (
            f"CASE WHEN {location} = '' THEN '' ELSE CASE {cloud} ELSE '' END || {location} END"
        )
    return [
        time("ChargePeriodStart"),
        time("ChargePeriodEnd") if "ChargePeriodEnd" in kinds else "NULL",
        'TRY_CAST("EffectiveCost" AS DECIMAL(38, 12))',
        text("BillingCurrency"),
        _tags(kinds.get("Tags")),
        location,
        text("ServiceName") if "ServiceName" in kinds else "''",
        'coalesce(TRY_CAST("x_Synthetic" AS BOOLEAN), false)'
        if "x_Synthetic" in kinds
        else "false",
    ], absent


def time(column: str) -> str:
    return f'TRY_CAST("{column}" AS TIMESTAMPTZ)'


def text(column: str) -> str:
    return f"""coalesce(trim(CAST("{column}" AS VARCHAR)), '')"""


def _tags(kind: str | None) -> str:
    """SQL for the tags as JSON: exports hold a map, a list of key and value, or JSON as text."""
    if kind is None:
        return "NULL"
    if kind.startswith("STRUCT") and kind.endswith("[]"):
        return 'to_json(map_from_entries("Tags"))'
    return '"Tags"' if kind == "VARCHAR" else 'to_json("Tags")'


def _owners(connection: DuckDBPyConnection) -> list[str]:
    """The table `owners`: what each set of tags says; there are far fewer sets than rows."""
    values = ", ".join(f"{tag_value(tag)} AS {level}" for level, tag in TAGS.items())
    connection.execute(
        f"""
        CREATE TABLE owners AS SELECT tags, {values}, coalesce(tags, '') <> '' AND NOT json_valid(tags) AS broken
        FROM (SELECT DISTINCT tags FROM delivered)
        """  # noqa: S608 - the words are ours
    )
    broken = connection.execute("SELECT min(tags) FROM owners WHERE broken").fetchone()
    if broken and broken[0] is not None:
        return [f"tags: {str(broken[0])[:40]!r} is no JSON object; such rows are unallocated"]
    return []


def tag_value(tag: str) -> str:
    """SQL for the value of a tag in any of its spellings, '' without one."""
    paths = ", ".join(
        f"""json_extract_string(tags, '$."{form.format(tag)}"')""" for form in TAG_FORMS
    )
    return f"CASE WHEN json_valid(tags) THEN coalesce({paths}, '') ELSE '' END"


def _check(connection: DuckDBPyConnection, place: str) -> None:
    """Raise BillingError for rows that no sum can be made of."""
    found = connection.execute(
        "SELECT count(*), count(*) FILTER (start IS NULL), count(*) FILTER (usd IS NULL) FROM delivered"
    ).fetchone()
    assert found is not None
    rows, timeless, unpriced = found
    if not rows:
        raise BillingError(f"{place}: has no rows; export some days of billing")
    for count, what in ((timeless, "start of the charge"), (unpriced, "cost")):
        if count:
            problem = f"{count} of {rows} rows have no {what} that can be read"
            raise BillingError(f"{place}: {problem}; missing is not zero, so export them again")
    currencies = connection.execute("SELECT DISTINCT currency FROM delivered ORDER BY 1").fetchall()
    if currencies != [(CURRENCY,)]:
        named = ", ".join(currency or "none" for (currency,) in currencies)
        raise BillingError(f"{place}: the currency is {named}; convert the export to {CURRENCY}")


def _summed(
    connection: DuckDBPyConnection,
    names: tuple[str, ...],
    findings: list[str],
    at: datetime | None,
    lag: timedelta,
) -> Billing:
    levels = ", ".join(LEVELS)
    # Alike within one file: that many charges. Alike in two files: an export handed in twice,
    # and each of its copies counts for a part.
    connection.execute(
        """
        CREATE TABLE twice AS
        SELECT content, max(n) / sum(n) AS part, sum(n) - max(n) AS extra
        FROM (SELECT content, file, count(*) AS n FROM delivered WHERE ? GROUP BY ALL)
        GROUP BY content HAVING count(*) > 1
        """,
        [len(names) > 1],
    )
    extra = connection.execute("SELECT sum(extra) FROM twice").fetchone()
    if extra and extra[0]:
        findings.append(f"duplicates: {extra[0]:,.0f} rows stand in two files; counted once")
    daily = connection.execute(
        f"""
        WITH spans AS (
            SELECT *, date_trunc('day', start) AS first,
                greatest(1, ceil(epoch(coalesce(until, start) - start) / 86400))::INT AS days
            FROM delivered
        ), days AS (
            SELECT *, first + to_days(unnest(range(days))::INT) AS day FROM spans
        )
        SELECT day, {levels}, bool_or(synthetic) AS synthetic,
            sum(CAST(usd::DOUBLE * coalesce(part, 1) / days AS DECIMAL(38, 12)))::DOUBLE AS usd
        FROM days LEFT JOIN twice USING (content) LEFT JOIN owners ON days.tags IS NOT DISTINCT FROM owners.tags
        WHERE day < coalesce(?, 'infinity'::TIMESTAMPTZ) GROUP BY ALL ORDER BY ALL
        """,  # noqa: S608 - the names are ours
        [at],
    ).df()
    if daily.empty:
        raise BillingError(f"{', '.join(names)}: has no charges before {at}; name a later time")
    daily["day"] = pd.DatetimeIndex(daily["day"]).tz_convert("UTC").as_unit("ns")
    newest = pd.Timestamp(
        connection.execute(
            "SELECT max(start) FROM delivered WHERE start < coalesce(?, 'infinity'::TIMESTAMPTZ)",
            [at],
        ).fetchone()[0]  # type: ignore[index]
    ).tz_convert("UTC")
    end = newest.normalize() + pd.Timedelta(days=1)
    as_of = end if at is None else min(end, pd.Timestamp(at).tz_convert("UTC"))
    complete_until = (as_of - lag).floor("D")
    present = pd.DatetimeIndex(daily["day"].unique())
    gaps = pd.date_range(present[0], complete_until, freq="D", inclusive="left").difference(present)
    if len(gaps):
        findings.append(
            f"gaps: no charge at all on {len(gaps)} days, the last {gaps[-1]:%d %b %Y}; "
            "history up to it is not forecast from: export those days again"
        )
    late = int((daily["day"].drop_duplicates() >= complete_until).sum())
    if late:
        findings.append(
            f"late days: billing of {complete_until:%d %b} and later may still grow; not forecast from"
        )
    return Billing(
        daily.drop(columns="synthetic"),
        complete_until,
        tuple(findings),
        names,
        bool(daily["synthetic"].any()),
    )
