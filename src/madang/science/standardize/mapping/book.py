"""A book of mappings: all decisions on the codes of one dataset, in a CSV file that people can read, diff and merge.

`NAME.csv` holds one row per code and target, sorted, so that two branches of it merge line by line. `NAME.log.jsonl`
beside it is the history: only ever appended to, one JSON object per line (kinds `decision`, `void`, `outside`).

A write happens under a lock of `NAME.lock`: the file is read again, each change is compared with what its reviewer had
seen, the history is appended and synced, and the file is replaced by a new one. Killed in between, the history holds
decisions that the file does not have; the next write sees that the file is still the one before and marks them void.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.lake.files import locked, make_folder, put_instead, sentences
from madang.science.standardize.mapping.model import (
    FIRST_DAY,
    LAST_DAY,
    Equivalence,
    Mapping,
    MappingType,
    Status,
    check_mapping,
    check_together,
)
from madang.science.standardize.mapping.table import Line, read_table, whole_number

COLUMNS = (
    "source_vocabulary_id",
    "source_code",
    "source_name",
    "target_concept_id",
    "target_name",
    "target_domain_id",
    "target_vocabulary_id",
    "mapping_type",
    "status",
    "equivalence",
    "reviewer",
    "reviewed_on",
    "valid_start_date",
    "valid_end_date",
    "assigned_reviewer",
    "comment",
)
_REQUIRED = ("source_vocabulary_id", "source_code", "target_concept_id", "status", "equivalence")
Rows = dict[tuple[str, str, int, str], Mapping]
"""The rows of a book by `Mapping.key`."""
Edit = Callable[[Rows], None]
"""Changes rows in place; raises to change nothing."""

_TEXTS = ("source_name", "target_name", "comment", "reviewer", "assigned_reviewer")
_WAIT = 10.0  # seconds that a writer waits for another one


@dataclass(frozen=True)
class Change:
    """A decision to write: the mapping as it shall be, and as its reviewer saw it (None: not in the book).

    With `mapping` None the row is removed.
    """

    before: Mapping | None
    mapping: Mapping | None


class MappingBook:
    """The decisions in one file. Reading takes no lock; writing does."""

    def __init__(self, path: Path) -> None:
        """A book at `path` (`NAME.csv`), which may not exist yet."""
        self.path = path
        self.log_path = path.with_suffix(".log.jsonl")

    def mappings(self) -> list[Mapping]:
        """All decisions, sorted by vocabulary, code, type and target; empty if there is no file yet.

        Raises `MadangError` with the line for a row that cannot be understood, contradicts another or is there twice.
        """
        return self._parse() if self.path.exists() else []

    def by_code(self) -> dict[tuple[str, str], list[Mapping]]:
        """The decisions of each (vocabulary, code)."""
        found: dict[tuple[str, str], list[Mapping]] = {}
        for mapping in self.mappings():
            found.setdefault(mapping.code_key, []).append(mapping)
        return found

    def write(self, changes: Iterable[Change], by: str) -> int:
        """Make all `changes` or none; returns how many rows differ from before.

        Raises `mapping.conflict` if somebody else decided otherwise since the reviewer looked.
        """
        wanted = list(changes)
        return self.update(lambda current: _apply(current, wanted), by)

    def update(self, change: Edit, by: str) -> int:
        """Read, let `change` edit the rows by key, check them and write, as one step that nobody comes between."""
        if not by.strip():
            raise MadangError("mapping.reviewer", "A decision needs the name of who makes it.", "Give --by NAME.")
        busy = MadangError("mapping.busy", f"{self.path.name} is being written by somebody else.", "Try again.")
        with sentences(f"write {self.path.name}"):
            make_folder(self.path.parent, 0o755)
            with locked(self.path.with_suffix(".lock"), exclusive=True, patience=_WAIT, busy=busy):
                return self._update(change, by)

    def _update(self, change: Edit, by: str) -> int:
        before = {mapping.key: mapping for mapping in self.mappings()}
        after = dict(before)
        change(after)
        rows = sorted(after.values(), key=_order)
        for mapping in rows:
            check_mapping(mapping)
        check_together(rows)
        changed = [key for key in {*before, *after} if _row(before.get(key)) != _row(after.get(key))]
        if changed:
            self._replace(rows, [(before.get(key), after.get(key)) for key in sorted(changed)], by)
        return len(changed)

    def history(self) -> Iterator[dict[str, Any]]:
        """All entries of the history, oldest first: `kind`, `at`, `by`, `from`, `to` (rows as in the file, or null).

        Decisions that were not written (see the module) are left out, with the entry that says so.
        """
        entries = self._entries()
        void = {entry["of"] for entry in entries if entry["kind"] == "void"}
        if entries and entries[-1]["before"] == self._digest() != entries[-1]["after"]:
            void.add(entries[-1]["write"])
        for entry in entries:
            if entry["kind"] != "void" and entry["write"] not in void:
                yield entry

    # The file

    def _parse(self) -> list[Mapping]:
        mappings: list[Mapping] = []
        seen: dict[tuple[str, str, int, str], int] = {}
        for line in read_table(self.path, _REQUIRED):
            mapping = read_mapping(line)
            if mapping.key in seen:
                first = f"is there twice, first in line {seen[mapping.key]}."
                raise line.error("mapping.duplicate", f"{mapping.source_code} {first}", "Keep one.")
            seen[mapping.key] = line.number
            mappings.append(mapping)
        check_together(mappings)
        return sorted(mappings, key=_order)

    def _replace(self, rows: list[Mapping], changed: list[tuple[Mapping | None, Mapping | None]], by: str) -> None:
        data = mappings_csv(rows).encode()
        self._append(changed, by, hashlib.sha256(data).hexdigest())
        put_instead(self.path, data, 0o644)

    # The history

    def _entries(self) -> list[dict[str, Any]]:
        entries = []
        for line in self.log_path.read_bytes().splitlines() if self.log_path.exists() else []:
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue  # the torn end of a write that was killed
        return entries

    def _digest(self) -> str:
        """SHA-256 of the file as it is, empty if there is none."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.exists() else ""

    def _append(self, changed: list[tuple[Mapping | None, Mapping | None]], by: str, after: str) -> None:
        before = self._digest()
        now, last = datetime.now(UTC).isoformat(timespec="seconds"), next(iter(self._entries()[-1:]), None)
        write = int(last["write"]) + 1 if last else 1
        head = {"at": now, "by": by}
        entries: list[dict[str, Any]] = []
        if last and last["after"] != before:
            if last["before"] == before:
                entries.append({"kind": "void", "of": last["write"], "write": write, **head})
            else:
                entries.append({"kind": "outside", "write": write, **head})  # edited or merged by hand
            entries[0] |= {"before": last["before"] if last["before"] == before else last["after"], "after": before}
            write += 1
        for old, new in changed:
            entries.append({"kind": "decision", "write": write, **head, "from": _row(old), "to": _row(new)})
            entries[-1] |= {"before": before, "after": after}
        with open(self.log_path, "a+b") as file:
            # A torn last line stays as it is; the next entry starts on a line of its own.
            torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
            file.write(b"\n" * torn + text.encode())
            file.flush()
            os.fsync(file.fileno())


def set_mapping(mapping: Mapping, alone: bool = False) -> Edit:
    """An update that puts one decision into a book; with `alone`, other approved targets of its type are rejected."""

    def change(rows: Rows) -> None:
        if alone and mapping.status is Status.APPROVED:
            for key, other in rows.items():
                same = other.code_key == mapping.code_key and other.mapping_type is mapping.mapping_type
                if same and key != mapping.key and other.status is Status.APPROVED:
                    rows[key] = replace(
                        other, status=Status.REJECTED, reviewer=mapping.reviewer, reviewed_on=mapping.reviewed_on
                    )
        rows[mapping.key] = mapping

    return change


def read_mapping(line: Line) -> Mapping:
    """The decision in one row of a book."""
    mapping = Mapping(
        source_vocabulary_id=line.get("source_vocabulary_id"),
        source_code=line.get("source_code"),
        target_concept_id=line.take("target_concept_id", whole_number, 0, "a concept identifier"),
        mapping_type=line.take("mapping_type", MappingType, MappingType.MAPS_TO, f"one of {_words(MappingType)}"),
        status=line.take("status", Status, Status.CANDIDATE, f"one of {_words(Status)}"),
        equivalence=line.take("equivalence", Equivalence, Equivalence.UNREVIEWED, f"one of {_words(Equivalence)}"),
        reviewer=line.get("reviewer"),
        reviewed_on=line.take("reviewed_on", _moment, None, "a date and time"),
        source_name=line.get("source_name"),
        target_name=line.get("target_name"),
        target_domain_id=line.get("target_domain_id"),
        target_vocabulary_id=line.get("target_vocabulary_id"),
        valid_start_date=line.take("valid_start_date", date.fromisoformat, FIRST_DAY, "a date"),
        valid_end_date=line.take("valid_end_date", date.fromisoformat, LAST_DAY, "a date"),
        assigned_reviewer=line.get("assigned_reviewer"),
        comment=line.get("comment"),
    )
    check_mapping(mapping, line.where)
    return mapping


def mappings_csv(mappings: Iterable[Mapping]) -> str:
    """Rows of a book as CSV text with its header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(mapping) or {} for mapping in mappings)
    return out.getvalue()


def _row(mapping: Mapping | None) -> dict[str, str] | None:
    if mapping is None:
        return None
    row = {column: getattr(mapping, column) for column in COLUMNS}
    row["reviewed_on"] = mapping.reviewed_on.isoformat(timespec="seconds") if mapping.reviewed_on else ""
    # Line breaks in a name would take a row over several lines, which no merge by lines understands.
    return {column: " ".join(str(value).split()) if column in _TEXTS else str(value) for column, value in row.items()}


def _order(mapping: Mapping) -> tuple[str, str, str, int]:
    return (*mapping.code_key, mapping.mapping_type.value, mapping.target_concept_id)


def _apply(rows: Rows, changes: list[Change]) -> None:
    for change in changes:
        subject = change.mapping or change.before
        if subject is None:
            continue
        current = rows.get(subject.key)
        if _row(current) not in (_row(change.before), _row(change.mapping)):
            said = f"{current.status} by {current.reviewer}" if current else "removed"
            raise MadangError(
                "mapping.conflict",
                f"{subject.source_vocabulary_id} {subject.source_code}: was {said} while you looked at it.",
                "Look at it again and decide anew; nothing was changed.",
            )
        if change.mapping is None:
            rows.pop(subject.key, None)
        else:
            rows[subject.key] = change.mapping


def _words(kind: type[MappingType] | type[Status] | type[Equivalence]) -> str:
    return ", ".join(member.value for member in kind)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
