"""How the columns of a given table become those of the model, and what differs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.cdm import Field, Table, duckdb_type
from madang.science.omop.importing.given import GivenTable

# Names of CDM 5.3 whose columns have another name in 5.4.
_STAYS = {
    "admitting_source_concept_id": "admitted_from_concept_id",
    "admitting_source_value": "admitted_from_source_value",
    "discharge_to_concept_id": "discharged_to_concept_id",
    "discharge_to_source_value": "discharged_to_source_value",
}
RENAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"visit_occurrence": _STAYS, "visit_detail": {**_STAYS, "visit_detail_parent_id": "parent_visit_detail_id"}}
)

# Types of a source that a column of the model takes as they are.
_SAME = {
    "BIGINT": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"},
    "INTEGER": {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT"},
    "DOUBLE": {"DOUBLE", "TINYINT", "SMALLINT", "INTEGER"},  # FLOAT goes by its text: 0.1 stays 0.1
    "VARCHAR": {"VARCHAR"},
    "DATE": {"DATE"},
    "TIMESTAMP": {"TIMESTAMP", "DATE"},
}


# Up to here every whole number is one of the type; the last one may stand for its neighbors.
_EXACT = {"DOUBLE": 2**53, "FLOAT": 2**24}


_FIXED = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_LOOKED = 10_000  # rows of each table whose offsets are looked at


def only_offset(tables: Sequence[GivenTable], engine: Engine) -> str:
    """The offset to which moments in UTC are taken: that of all others, where these have one and the same; else ""."""
    found: set[str] = set()
    for given in tables:
        columns = [
            quote_name(n)
            for n, kind in given.columns
            if n.lower().endswith(("_datetime", "_date")) and kind == "VARCHAR"
        ]
        for column in columns:
            written = f"trim({column})"
            offset = f"regexp_extract({written}, '(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$', 1)"
            told = f"SELECT {column} FROM {given.relation} WHERE {column} IS NOT NULL LIMIT {_LOOKED}"
            rows = engine.rows(f"SELECT DISTINCT {offset} FROM ({told}) WHERE {_HAS_ZONE.format(text=written)}")
            found |= {str(one) for (one,) in rows}
    utc = {one for one in found if one == "Z" or not one.strip("+-0:")}
    others = {one if len(one) > 3 else f"{one}:00" for one in found - utc}
    return others.pop() if utc and len(others) == 1 else ""


def _local(text: str, zone: str) -> str:
    """SQL of the text of a moment without its offset: in the zone, or as it is written."""
    bare = f"regexp_replace({text}, ' ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$', '')"
    if zone:
        there = f"TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE "
        if match := _FIXED.fullmatch(zone):
            minutes = (int(match[2]) * 60 + int(match[3])) * (-1 if match[1] == "-" else 1)
            there = f"({there} 'UTC' + INTERVAL ({minutes}) MINUTE)"
        else:
            there += quote_text(zone)
        moved = f"strftime({there}, '%Y-%m-%d %H:%M:%S.%f')"
        bare = f"coalesce({moved}, {bare})"
    return f"CASE WHEN {_HAS_ZONE.format(text=text)} THEN {bare} ELSE {text} END"


class What(StrEnum):
    """A kind of difference from the model."""

    NO_TABLE = "no table"
    NO_COLUMN = "no column"
    MISSING = "missing"
    REQUIRED = "missing though required"
    RENAMED = "renamed"
    EMPTIED = "emptied"
    SHORTENED = "time of day left out"
    SHIFTED = "moved to UTC"  # by releases before offsets were left as written
    OFFSET = "offset left out"
    ZONED = "moved to the zone"
    CONVERTED = "converted"
    REJECTED = "rejected"
    ODD = "odd"


@dataclass(frozen=True)
class Difference:
    """One difference: where, what, of how many rows (or values), and what else there is to say."""

    what: What
    table: str
    column: str = ""
    count: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Fit:
    """How to read a table: rows in, SQL of each column of the model, the rows to reject, and what differs."""

    rows: int
    relation: str
    """The given table with what is made of its columns on the way."""
    select: str
    rejected: Mapping[str, str]  # reason -> SQL of the rows that it is about
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class _Column:
    """A column of the model: its expression; whether a value is there that cannot be read, or has a time of day."""

    field: Field
    value: str
    bad: str = ""
    shortened: str = ""
    shifted: str = ""
    converted: str = ""  # from which type
    text: str = ""
    """SQL of the text of a moment without its offset, called `_text_NAME` where it is used."""


def fit(table: Table, given: GivenTable, engine: Engine, zone: str = "") -> Fit:
    """Look through a given table once: what of it can be taken, and how. Moments with an offset are taken to `zone`,
    or are local as they are written where there is none."""
    names = {column.lower(): (column, kind) for column, kind in given.columns}
    renamed = {old: new for old, new in RENAMED.get(table.name, {}).items() if old in names and new not in names}
    for old, new in renamed.items():
        names[new] = names.pop(old)
    differences = [Difference(What.RENAMED, table.name, old, detail=new) for old, new in renamed.items()]
    differences += [Difference(What.ODD, table.name, detail=note) for note in given.notes]
    columns = []
    for field in table.fields:
        if field.name in names:
            columns.append(_column(field, *names[field.name], zone))
            continue
        differences.append(Difference(What.REQUIRED if field.required else What.MISSING, table.name, field.name))
        columns.append(_Column(field, f"NULL::{duckdb_type(field)}"))
    extra = [given_name for name, (given_name, _kind) in names.items() if name not in table]
    asked = {("extra", name): f"count({quote_name(name)})" for name in extra}
    asked |= {("bad", c.field.name): f"count(*) FILTER ({c.bad})" for c in columns if c.bad}
    asked |= {("shortened", c.field.name): f"count(*) FILTER ({c.shortened})" for c in columns if c.shortened}
    asked |= {("shifted", c.field.name): f"count(*) FILTER ({c.shifted})" for c in columns if c.shifted}
    value = {c.field.name: c.value for c in columns}
    for name in names:
        day = name.removesuffix("_datetime") + "_date"
        if name.endswith("_datetime") and name in value and day in names and day in value:
            asked["apart", name] = f"count(*) FILTER (CAST({value[name]} AS DATE) <> {value[day]})"
    relation = _prepared(columns, given.relation)
    [counted] = engine.rows(f"SELECT {', '.join(['count(*)', *asked.values()])} FROM {relation}")
    rows, found = int(counted[0]), dict(zip(asked, map(int, counted[1:]), strict=True))
    differences += [Difference(What.NO_COLUMN, table.name, name, found["extra", name]) for name in extra]
    rejected = {}
    for column in columns:
        name = column.field.name
        if count := found.get(("shortened", name)):
            differences.append(Difference(What.SHORTENED, table.name, name, count))
        if count := found.get(("shifted", name)):
            differences.append(Difference(What.ZONED if zone else What.OFFSET, table.name, name, count, zone))
        if count := found.get(("apart", name)):
            day = name.removesuffix("_datetime") + "_date"
            differences.append(Difference(What.ODD, table.name, name, count, f"another day than {day}"))
        if column.converted:
            detail = f"{column.converted} -> {duckdb_type(column.field)}"
            differences.append(Difference(What.CONVERTED, table.name, name, detail=detail))
        if count := found.get(("bad", name)):
            if column.field.required:
                rejected[f"{name} cannot be read as {column.field.type}"] = column.bad
            what = What.REJECTED if column.field.required else What.EMPTIED
            differences.append(Difference(what, table.name, name, count, f"not {column.field.type}"))
    expressions = ", ".join(f"{column.value} AS {quote_name(column.field.name)}" for column in columns)
    return Fit(rows, relation, f"SELECT {expressions}", rejected, tuple(differences))


def _column(field: Field, name: str, kind: str, zone: str) -> _Column:
    """How a column that is there is read."""
    wanted, column = duckdb_type(field), quote_name(name)
    converted = "" if kind == "VARCHAR" or kind in _SAME[wanted] else kind
    if wanted == "VARCHAR":
        return _Column(field, f"CAST({column} AS VARCHAR)", converted=converted)
    if kind in _SAME[wanted]:
        if kind == "DOUBLE":
            return _Column(field, f"CASE WHEN isfinite({column}) THEN {column} END", f"NOT isfinite({column})")
        if wanted not in ("DATE", "TIMESTAMP"):
            return _Column(field, f"{column}::{wanted}")
        value = _WRITABLE.format(moment=f"{column}::{wanted}")
        return _Column(field, value, f"{column} IS NOT NULL AND {value} IS NULL")
    text = f"nullif(trim(CAST({column} AS VARCHAR)), '')"
    if wanted == "BIGINT" and kind in _EXACT:  # beyond this a whole number may be another one than was meant
        text = f"CASE WHEN abs({column}) >= {_EXACT[kind]} THEN 'inexact' ELSE {text} END"
    local = ""
    if wanted in ("DATE", "TIMESTAMP"):
        local, text = _local(text, zone), quote_name(f"_text_{field.name}")
    value = _READ[wanted].format(text=text, moment=quote_name(f"_moment_{field.name}"))
    bad = f"{text} IS NOT NULL AND {value} IS NULL"
    shortened = shifted = ""
    if wanted == "DATE":
        moment = quote_name(f"_moment_{field.name}")
        shortened = f"{moment} <> date_trunc('day', {moment})"
    elif wanted == "TIMESTAMP":
        written = f"trim(CAST({column} AS VARCHAR))"
        shifted = f"{_HAS_ZONE.format(text=written)} AND {value} IS NOT NULL"
    return _Column(field, value, bad, shortened, shifted, converted, local)


def _prepared(columns: Sequence[_Column], relation: str) -> str:
    """A relation with the texts and moments of its columns: each is made once, however often it is asked for."""
    texts = {c.field.name: c.text for c in columns if c.text}
    if not texts:
        return relation
    listed = ", ".join(f"{text} AS {quote_name(f'_text_{name}')}" for name, text in texts.items())
    moments = ", ".join(
        f"{_MOMENT.format(text=quote_name(f'_text_{name}'))} AS {quote_name(f'_moment_{name}')}" for name in texts
    )
    return f"(SELECT *, {moments} FROM (SELECT *, {listed} FROM {relation}))"


# Moments that everybody can read: no infinity, no year before 1 or after 9999.
_WRITABLE = "CASE WHEN isfinite({moment}) AND year({moment}) BETWEEN 1 AND 9999 THEN {moment} END"
_PLAIN = "coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, ['%Y%m%d', '%Y%m%d%H%M%S', '%Y/%m/%d']))"
# The length is looked at first: most texts are days, and the pattern costs more than all else.
_HAS_ZONE = (
    "length({text}) > 10 AND coalesce(regexp_matches({text}, ':[0-9.]+ ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$'), false)"
)
_MOMENT = _WRITABLE.format(moment=f"({_PLAIN})")
# A whole number may be written with zeros behind its point, as programs do that know no whole numbers with gaps.
_WHOLE = "CASE WHEN regexp_full_match({{text}}, '[-+]?[0-9]+([.]0*)?') THEN TRY_CAST({{text}} AS {kind}) END"
_READ = {
    "BIGINT": _WHOLE.format(kind="BIGINT"),
    "INTEGER": _WHOLE.format(kind="INTEGER"),
    # A whole number that a double would change is none.
    "DOUBLE": (
        "CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) AND (abs(TRY_CAST({text} AS DOUBLE)) < 9007199254740992 "
        "OR NOT regexp_full_match({text}, '[-+]?[0-9]+([.]0*)?') "
        "OR TRY_CAST(TRY_CAST({text} AS DOUBLE) AS HUGEINT) = TRY_CAST(string_split({text}, '.')[1] AS HUGEINT)) "
        "THEN TRY_CAST({text} AS DOUBLE) END"
    ),
    "TIMESTAMP": "{moment}",
    "DATE": "CAST({moment} AS DATE)",  # the day as it is written, wherever that was
}
