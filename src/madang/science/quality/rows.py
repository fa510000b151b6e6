"""The offending rows of one check: primary keys and the fields that the check looks at."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Protocol

import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import quote_name
from madang.science.omop import cdm
from madang.science.omop.release import mapped_with
from madang.science.quality import custom
from madang.science.quality.assess import confined, opened
from madang.science.quality.columns import needs, obstacle, read_columns
from madang.science.quality.model import Check, Level
from madang.science.quality.questions import Questions

LIMIT = 1000
_COUNTED = ("cdmTable", "cdmField")  # these find no rows, only that something is missing


class Second(Protocol):
    """Another engine than ours."""

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The rows of one SELECT, at least one batch."""


def find(
    version: Version,
    check: Check,
    vocabulary: Version | None = None,
    *,
    limit: int = LIMIT,
    cohort: int | None = None,
    today: date | None = None,
    second: Second | None = None,
) -> pa.Table:
    """At most `limit` rows that violate `check`, in the order of their primary key.

    The columns are the primary key, `person_id`, and the fields of the table that the check reads; for checks that
    count persons or distinct values, these. `second` is another engine that sees the same tables and finds the rows
    instead of ours. Raises `quality.no_rows` where a check has no rows or cannot be asked, `quality.spark` for a check
    of one's own on another engine.
    """
    if second is not None and (check.level is Level.CUSTOM or cohort is not None):
        raise MadangError(
            "quality.spark",
            _("On Spark, a whole version is asked: no cohorts, no checks of one's own, not `compatible`."),
            _("Leave these out, or leave --engine spark out."),
        )
    if check.name in _COUNTED:
        raise MadangError(
            "quality.no_rows",
            _("Check {check} asks whether something is there: it has no rows.").format(check=check.id),
            _("`madang datasets show` lists the tables."),
        )
    if check.level is Level.CUSTOM:
        with confined(version, vocabulary or mapped_with(version.dataset.lake, version)) as engine:
            select = custom.rows(engine, check, cohort)
            key = custom.key_of(check)
            others = [name for name, _kind in engine.describe(select) if name.lower() != key]
            listed = ", ".join(map(quote_name, [key, *others] if key else others))
            with custom.in_time(engine, check):
                return engine.query(f"SELECT {listed} FROM ({select}) ORDER BY ALL LIMIT {int(limit)}")
    with opened(version, vocabulary) as tables:
        columns = read_columns(tables.engine)
        reason = obstacle(check, columns)
        if reason:
            raise MadangError("quality.no_rows", reason, _("Choose another check."))
        select = Questions(columns, today or datetime.now(UTC).date(), cohort).rows(check)
        found = [name for name, _kind in tables.engine.describe(select)]
        wanted = _fields(check, {name.lower() for name in found}) or found
        listed = ", ".join(map(quote_name, wanted))
        if second is not None:
            found_there = second.batches(f"SELECT {listed} FROM ({select}) ORDER BY {listed} LIMIT {int(limit)}")
            return pa.Table.from_batches(list(found_there))
        return tables.engine.query(f"SELECT {listed} FROM ({select}) ORDER BY ALL LIMIT {int(limit)}")


def _fields(check: Check, found: set[str]) -> list[str]:
    """The fields to show, the primary key first."""
    table = "person" if check.name == "measurePersonCompleteness" else check.table
    model = cdm.TABLES.get(table)
    key = model.primary_key if model else None
    names = [key.name] if key else []
    names += ["person_id", check.field, *(field for of, field, _what in needs(check) if of == table)]
    return [name for name in dict.fromkeys(names) if name in found]
