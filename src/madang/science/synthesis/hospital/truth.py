"""The truth about the hospital's files: what becomes of every line, and the events in terms of the CDM.

Written from the records and from what the dirt layer decided; the text of the files is never read. The rules are those
of `docs/synthesis.md`.
"""

from collections.abc import Iterable
from datetime import date

import pyarrow as pa

from madang.science.synthesis.hospital.damage import follows, read, refused
from madang.science.synthesis.hospital.events import EVENT_TABLES, SCHEMAS, Clinic
from madang.science.synthesis.hospital.records import WITHDRAW, Facts, Line, Record

FATES = pa.schema([("file", pa.string()), ("line", pa.int64()), ("fate", pa.string()), ("reason", pa.string())])

UNUSED = (
    "corrected",
    "withdrawn",
    "withdrawal",
    "canceled visit",
    "ruled out",
    "canceled order",
    "order, its execution is taken",
    "return",
    "returned in full",
    "no result",
    "not performed",
)
"""Classes of reasons for which a line is unused; all others reject it."""


def truth_of(records: list[Record], files: dict[str, tuple[str, list[Line]]], end_year: int) -> dict[str, pa.Table]:
    """All tables of truth by the name of the file."""
    clinic = Clinic(date(end_year, 12, 31))
    now: dict[str, list[tuple[Line, Facts]]] = {}
    for record in records:
        line = _current(record)
        if line is not None:
            now.setdefault(record.table, []).append((line, read(record.table, line)))
    clinic.read(now)
    made = {name: pa.Table.from_pylist(clinic.rows[name], SCHEMAS[name]) for name in (*EVENT_TABLES, *_OTHERS)}
    return made | {"fates": pa.Table.from_pylist(list(_fates(files)), FATES)}


_OTHERS = ("person", "visit_occurrence", "visit_detail", "death", "observation_period", "provider", "care_site")


def _current(record: Record) -> Line | None:
    """The line that tells what the record is now: the last that can be read. Sets the fates of all others."""
    readable = []
    for line in record.lines:
        line.fate = refused(line)
        if not line.fate:
            readable.append(line)
    if not readable:
        return None
    last = readable[-1]
    gone = last.operation == WITHDRAW
    for line in readable if gone else readable[:-1]:
        line.fate = "withdrawal" if line.operation == WITHDRAW else "withdrawn" if gone else "corrected"
    return None if gone else last


def _fates(files: dict[str, tuple[str, list[Line]]]) -> Iterable[dict[str, object]]:
    """The fate of every physical line."""
    for name, (_, lines) in files.items():
        for line in lines:
            yield _row(name, line.number, line.fate)
            if follows(line):
                yield _row(name, line.number + 1, follows(line))


def _row(file: str, line: int, reason: str) -> dict[str, object]:
    fate = "used" if not reason else "unused" if reason in UNUSED else "rejected"
    return {"file": file, "line": line, "fate": fate, "reason": reason}
