"""From a row of the CDM to the source lines that made it, and from a source line to all rows that it made.

Most of it is arithmetic on identifiers (`identify`); the restricted companion adds the members of grouped entities
and the lines that corrected a row later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.omop.cdm import TABLES
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.hints import did_you_mean
from madang.science.standardize.identify import (
    Registered,
    Writer,
    file_and_line,
    identifiers,
    origin,
    row_number,
)
from madang.science.standardize.originals import Originals

# Tables that are computed from others: (table, its concept, from, the others' concept, their date).
_DERIVED = {
    "condition_era": ("condition_concept_id", "condition_occurrence", "condition_concept_id", "condition_start_date"),
    "drug_era": (None, "drug_exposure", None, "drug_exposure_start_date"),
    "dose_era": (None, "drug_exposure", None, "drug_exposure_start_date"),
}


@dataclass(frozen=True)
class Line:
    """One physical line of a registered file, and what it has to do with the row."""

    file: Registered
    line: int
    role: str  # 'source', 'member', 'correction'


@dataclass(frozen=True)
class Row:
    """One row of a CDM table by its identifier."""

    table: str
    identifier: int


@dataclass(frozen=True)
class Trace:
    """A CDM row with the lines it comes from, the rows it was computed from, and the rows of the same lines."""

    row: Row
    values: dict[str, object]
    lines: tuple[Line, ...]
    computed_from: tuple[Row, ...]
    siblings: tuple[Row, ...]


class Tracer:
    """Answers for one version that `standardize` made."""

    def __init__(self, version: Version, engine: Engine) -> None:
        if version.kind != "standardize":
            raise MadangError(
                "trace.not_standardized",
                f"{version.name} was not made by standardize, so its rows have no source lines.",
                "Name a dataset that `madang standardize` made.",
            )
        self.version, self.engine = version, engine
        self.files = [Registered.from_json(entry) for entry in version.info["files"]]
        self.writers = [
            Writer(w["select"], w["source"], tuple(w["tables"]), w["items"], w["fan_out"])
            for w in version.info["writers"]
        ]
        self._by_number = {file.number: file for file in self.files}

    def row(self, table: str, identifier: int) -> Trace:
        """Where the row of `table` with this identifier comes from. Errors: `trace.no_table`, `trace.no_row`."""
        if table not in TABLES or table not in self.version.tables:
            known = ", ".join(name for name in TABLES if name in self.version.tables)
            raise MadangError("trace.no_table", f"{self.version.name} has no table {table!r}.", f"It has {known}.")
        key = self._key(table)
        found = self._query(table, f"{quote_name(key)} = {int(identifier)}")
        if not found:
            raise MadangError("trace.no_row", f"{table} of {self.version.name} has no row {identifier}.")
        lines = tuple(self._lines(table, identifier, found[0]))
        computed = tuple(self._computed_from(table, found[0]))
        rows = {Row(table, identifier)}
        siblings = [row for line in lines for row in self.made_by(line.file.number, line.line) if row not in rows]
        return Trace(Row(table, identifier), found[0], lines, computed, tuple(dict.fromkeys(siblings)))

    def line(self, file: str, line: int) -> Line:
        """The line of the file of that name. Errors: `trace.no_file`, `trace.no_line`."""
        found = next((one for one in self.files if one.name == file), None)
        if found is None:
            names = [one.name for one in self.files]
            few = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise MadangError(
                "trace.no_file",
                f"{self.version.name} was not made from a file {file!r}.",
                did_you_mean(file, names) or f"It was made from {few}.",
            )
        if not 1 <= line <= found.lines:
            raise MadangError("trace.no_line", f"{file} has {found.lines:,} lines; there is no line {line:,}.")
        return Line(found, line, "source")

    def made_by(self, file: int, line: int) -> Iterator[Row]:
        """All rows that a source line (file number, physical line) made, alone or as a member."""
        registered = self._by_number[file]
        number = self._identity(row_number(file, line))
        owner, own_line = file_and_line(number)
        for table in TABLES:
            if table not in self.version.tables or identifier_of(table) is None:
                continue
            key = quote_name(self._key(table))
            for ids in identifiers(table, self._by_number.get(owner, registered), own_line, self.writers):
                for found in self._query(table, f"{key} >= {ids.start} AND {key} < {ids.stop}", key):
                    yield Row(table, int(str(found[self._key(table)])))
        if "members" in self.version.companion:
            tables = {w.select: w.tables[0] for w in self.writers}
            for entity, identifier in self.engine.rows(
                f"SELECT entity, id FROM {self._companion('members')} WHERE _row = {number} AND id IS NOT NULL"
            ):
                if entity in tables:
                    yield Row(tables[entity], identifier)

    def fate(self, file: int, line: int) -> tuple[str, str] | None:
        """(fate, reason) of a line that is not used; None for a used one."""
        found = self.engine.rows(
            f"SELECT fate, reason FROM {self._companion('fates')} WHERE file = {int(file)} AND line = {int(line)}"
        )
        if not found and "not_joined" in self.version.companion:
            where = f"WHERE file = {int(file)} AND line = {int(line)}"
            found = self.engine.rows(f"SELECT fate, reason FROM {self._companion('not_joined')} {where}")
        return (found[0][0], found[0][1]) if found else None

    def joined_by(self, file: int, line: int) -> tuple[str, ...]:
        """The SELECTs whose rows joined a line and made something of it."""
        if "joined" not in self.version.companion:
            return ()
        number = self._identity(row_number(file, line))
        sql = f"SELECT DISTINCT selected FROM {self._companion('joined')} WHERE _row = {number} ORDER BY 1"
        return tuple(name for (name,) in self.engine.rows(sql))

    @property
    def folder(self) -> Path | None:
        """The folder that the files came from, as the restricted companion remembers it."""
        found = self.engine.rows(f"SELECT folder FROM {self._companion('folders')} ORDER BY run DESC LIMIT 1")
        return Path(found[0][0]) if found else None

    def originals(self, folder: Path | None = None, *, identifiers: bool = False) -> Originals:
        """What reads the source lines again, from `folder` or where the last run found them."""
        info = self.version.info
        return Originals(folder or self.folder, info["encodings"], info.get("layouts", {}), identifiers=identifiers)

    def person(self, person_id: int) -> dict[str, int]:
        """Rows of one person per table. Error: `trace.no_row` if there is no such person."""
        self.row("person", person_id)
        counts = {}
        for table in self.version.tables:
            if table in TABLES and "person_id" in TABLES[table]:
                sql = f"SELECT count(*) FROM {self._table(table)} WHERE person_id = {int(person_id)}"
                counts[table] = int(self.engine.value(sql))
        return {table: n for table, n in counts.items() if n}

    def _lines(self, table: str, identifier: int, values: dict[str, object]) -> Iterator[Line]:
        found = origin(table, identifier, self.files, self.writers) if identifier_of(table) else None
        numbers = [(row_number(found.file.number, found.line), "source")] if found else []
        if "members" in self.version.companion and found:
            numbers += [
                (row, "member")
                for (row,) in self.engine.rows(
                    f"SELECT _row FROM {self._companion('members')} WHERE entity = ? AND id = ? ORDER BY _row",
                    [found.select, identifier],
                )
                if row != numbers[0][0]
            ]
        for number, role in numbers:
            file, line = file_and_line(number)
            yield Line(self._by_number[file], line, role)
            if "deliveries" in self.version.companion:
                for (delivered,) in self.engine.rows(
                    f"SELECT delivered FROM {self._companion('deliveries')} WHERE _row = {number}"
                ):
                    file, line = file_and_line(delivered)
                    yield Line(self._by_number[file], line, "correction")

    def _identity(self, number: int) -> int:
        """The row whose content this line brought: its own, unless it corrected an earlier one."""
        if "deliveries" not in self.version.companion:
            return number
        found = self.engine.rows(f"SELECT _row FROM {self._companion('deliveries')} WHERE delivered = {number}")
        return int(found[0][0]) if found else number

    def _computed_from(self, table: str, values: dict[str, object]) -> Iterator[Row]:
        if table not in _DERIVED:
            return
        concept, source, their_concept, date = _DERIVED[table]
        if source not in self.version.tables:
            return
        key = self._key(source)
        start, end = (values[f"{table}_{edge}_date"] for edge in ("start", "end"))
        same = f"{their_concept} = {values[concept]} AND " if concept else ""
        condition = f"{same}person_id = {values['person_id']} AND {date} BETWEEN DATE '{start}' AND DATE '{end}'"
        for found in self._query(source, condition, quote_name(key)):
            yield Row(source, int(str(found[key])))

    def _key(self, table: str) -> str:
        key = TABLES[table].primary_key
        return key.name if key else "person_id"

    def _table(self, table: str) -> str:
        return f"read_parquet({quote_paths(self.version.tables[table].paths)})"

    def _companion(self, table: str) -> str:
        return f"read_parquet({quote_paths(self.version.companion[table].paths)})"

    def _query(self, table: str, condition: str, columns: str = "*") -> list[dict[str, object]]:
        sql = f"SELECT {columns} FROM {self._table(table)} WHERE {condition} ORDER BY 1"
        found: list[dict[str, object]] = self.engine.query(sql).to_pylist()
        return found
