"""Every source line ends as used, rejected with a reason, or unused by a rule; here the sum is made and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.identify import LINE_BITS, Registered
from madang.science.standardize.pack import Source

REJECTED, UNUSED = "rejected", "unused"


@dataclass(frozen=True)
class FileAccount:
    """The sum of one file: its rows (`lines`; without the header) = used + rejected + unused."""

    number: int
    name: str
    source: str
    lines: int
    used: int
    rejected: int
    unused: int


class Ledger:
    """Notes in the engine which lines are not used and why, as numbers: there may be tens of millions.

    `lasting` notes come from files that later runs do not read again; the others are found anew in every run.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reasons: dict[tuple[str, str], int] = {}
        self._selects: dict[str, int] = {}
        self.rows: dict[int, int] = {}
        engine.execute(
            """
            CREATE OR REPLACE TEMP TABLE _skipped (selected SMALLINT, _row BIGINT, reason INTEGER);
            CREATE OR REPLACE TEMP TABLE _fates (_row BIGINT, reason INTEGER, lasting BOOLEAN);
            CREATE OR REPLACE TEMP TABLE _repairs (file BIGINT, line BIGINT, field VARCHAR)
            """
        )

    def note_rows(self, file: Registered, source: Source, rows: int) -> None:
        """Note how many rows a file gave, typed or rejected: one per physical line, unless line breaks are quoted."""
        header = 0 if source.format == "ndjson" else 1
        if not source.quoted_newlines and rows != max(0, file.lines - header):
            raise MadangError(
                "standardize.lines_lost",
                f"{file.name} has {file.lines - header} lines below its header, but {rows} were read.",
                "This is a fault of Madang; nothing was committed.",
            )
        self.rows[file.number] = rows

    def note(self, found: Sequence[tuple[int, str, str]], *, lasting: bool) -> None:
        """Note lines (row number, fate, reason) that no SELECT will see."""
        if found:
            numbers = [self._reason(fate, reason) for _, fate, reason in found]
            table = pa.table({"_row": pa.array([row for row, _, _ in found], pa.int64()), "reason": numbers})
            self._insert("_fates", table, f"SELECT _row, reason, {lasting} FROM _noted")

    def note_repairs(self, found: Sequence[tuple[int, int, str]]) -> None:
        """Note optional fields (file, line, field) that were emptied because they could not be read."""
        if found:
            file, line, name = (list(column) for column in zip(*found, strict=True))
            self._insert("_repairs", pa.table({"file": file, "line": line, "field": name}), "FROM _noted")

    def note_skipped(self, select: Select, rules: Sequence[tuple[str, str]], rows: str) -> None:
        """Note the rows of the relation `rows` (`_row`, `_rule`) that one of the rules (fate, reason) takes out."""
        if rules:
            values = ", ".join(f"({i}, {self._reason(fate, reason)})" for i, (fate, reason) in enumerate(rules))
            self.engine.execute(
                f"INSERT INTO _skipped SELECT {self._select(select.name)}, r._row, v.reason "
                f"FROM {rows} r JOIN (VALUES {values}) AS v(rule, reason) ON v.rule = r._rule"
            )

    def settle(self, selects: Sequence[str], *, lasting: bool, deliveries: str | None = None) -> None:
        """Note the fate of the rows that no SELECT of one source uses; `selects` are all SELECTs driven by it.

        Rejected outweighs unused, then the first SELECT gives the reason. `deliveries` maps rows of a delta source to
        the lines whose content they show: the fate is about those.
        """
        if not selects:
            return
        numbers = [self._select(name) for name in selects]
        unused = [number for (fate, _), number in self._reasons.items() if fate == UNUSED]
        rank = f"selected + CASE WHEN list_contains({unused}, reason) THEN {len(self._selects)} ELSE 0 END"
        within = ", ".join(map(str, numbers))
        rows = f"SELECT _row, reason FROM _skipped WHERE selected IN ({within})"
        if len(numbers) > 1:
            rows = (
                f"SELECT _row, arg_min(reason, {rank}) AS reason FROM _skipped WHERE selected IN ({within}) "
                f"GROUP BY _row HAVING count(*) = {len(numbers)}"
            )
        if deliveries:
            rows = (
                f"SELECT coalesce(d.delivered, r._row), r.reason FROM ({rows}) r LEFT JOIN {deliveries} d "
                "ON d._row = r._row AND d.age = 1 AND NOT d.again"
            )
        self.engine.execute(f"INSERT INTO _fates SELECT *, {lasting} FROM ({rows})")

    def sql(self, lasting: bool) -> str:
        """SELECT of (file, line, fate, reason) of the lasting or the other notes."""
        values = ", ".join(
            f"({number}, {quote_text(fate)}, {quote_text(reason)})" for (fate, reason), number in self._reasons.items()
        )
        reasons = f"(VALUES {values or '(-1, NULL, NULL)'}) AS v(number, fate, reason)"
        return (
            f"SELECT (f._row >> {LINE_BITS})::BIGINT AS file, (f._row & {(1 << LINE_BITS) - 1})::BIGINT AS line, "
            f"v.fate::VARCHAR AS fate, v.reason::VARCHAR AS reason FROM _fates f JOIN {reasons} ON v.number = f.reason "
            f"WHERE f.lasting = {lasting}"
        )

    def _reason(self, fate: str, reason: str) -> int:
        return self._reasons.setdefault((fate, reason), len(self._reasons))

    def _select(self, name: str) -> int:
        return self._selects.setdefault(name, len(self._selects))

    def _insert(self, table: str, rows: pa.Table, sql: str) -> None:
        self.engine.register("_noted", rows)
        self.engine.execute(f"INSERT INTO {table} {sql}")
        self.engine.unregister("_noted")


def check_rows(
    engine: Engine, select: Select, given: int, answered: str, keys: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    """Every row of the driving source comes out of a SELECT exactly once; else say which entity has a key twice.

    `keys` are the keys by which each entity may be joined. Looking at them only here makes no difference: a key that
    comes twice shows as soon as it is joined.
    """
    came = engine.value(f"SELECT count(*) FROM {answered}")
    if came == given:
        return
    for entity, key in ((entity, key) for entity, found in keys.items() for key in found if key):
        columns = ", ".join(quote_name(column) for column in key)
        known = " AND ".join(f"{quote_name(column)} IS NOT NULL" for column in key)
        if set(key) <= select.columns_read.get(entity, frozenset()) and engine.rows(
            f"SELECT 1 FROM {quote_name(entity)} WHERE {known} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"
        ):
            raise MadangError(
                "standardize.entity_key",
                f"The entity {entity} has two rows with one key ({', '.join(key)}).",
                "Group by the key in its SELECT, or declare the key of its source so that duplicates are rejected.",
            )
    raise MadangError(
        "standardize.rows_changed",
        f"The SELECT {select.name} was given {given} rows of {select.source} and answered with {came}.",
        "A join of it multiplies or loses rows; this is a fault of the pack or of Madang, nothing was committed.",
    )


class Valueless:
    """Counts the rows of events that should tell a value and do not: a form of value that nothing reads looks so."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, int]] = {}
        """By the event: rows without a value, and all of its rows; of events whose SELECT gives values."""

    def note(self, engine: Engine, select: Select) -> None:
        """Count those of the rows that are in `_events` now."""
        told = [name for name, _ in select.columns if name in ("value", "value_number", "value_code")]
        if not told:
            return
        none = " AND ".join(f"{quote_name(name)} IS NULL" for name in told)
        found = engine.rows(f"SELECT count(*) FILTER ({none}), count(*) FROM _events WHERE _rule IS NULL")[0]
        before = self.rows.get(select.name, (0, 0))
        self.rows[select.name] = (before[0] + found[0], before[1] + found[1])

    def told(self) -> list[str]:
        """A sentence for each event that has such rows."""
        return [
            f"{none:,} of {every:,} rows of {name} tell no value." for name, (none, every) in self.rows.items() if none
        ]


def check_deaths(engine: Engine, select: Select, rows: str, before: set[int]) -> None:
    """A person dies once: the model has one row of DEATH for each. `before` are the dead so far, and grows."""
    dead = [person for (person,) in engine.rows(f"SELECT person_id FROM {rows} r WHERE person_id IS NOT NULL")]
    twice = len(dead) - len(set(dead)) + len(before.intersection(dead))
    before.update(dead)
    if twice:
        raise MadangError(
            "standardize.entity_key",
            f"{twice:,} rows of the entity {select.name} tell a second death of a person.",
            "DEATH has one row for each. GROUP BY person_id in its SELECT, with min(...) as death_date, or say by "
            "unused_when which rows tell no death of their own.",
        )


def accounts(engine: Engine, files: Sequence[Registered], rows: Mapping[int, int], fates: str) -> list[FileAccount]:
    """The sum per file over the relation `fates`; a line with two fates is a fault and stops the run."""
    seen = {file.number: np.zeros(file.lines + 1, bool) for file in files}
    twice = 0
    for batch in engine.batches(f"SELECT file, line FROM {fates}"):
        numbers, lines = (batch.column(name).to_numpy() for name in ("file", "line"))
        for number in np.unique(numbers):
            mine = lines[numbers == number]
            marks = seen[int(number)]
            before = np.count_nonzero(marks[mine])
            marks[mine] = True
            twice += int(before) + len(mine) - len(np.unique(mine))
    if twice:
        raise MadangError("standardize.two_fates", f"{twice} source lines have two fates; nothing was committed.")
    counted = {
        number: (rejected, unused)
        for number, rejected, unused in engine.rows(
            "SELECT file, count(*) FILTER (fate = 'rejected'), count(*) FILTER (fate = 'unused') "
            f"FROM {fates} GROUP BY file"
        )
    }
    made = []
    for file in files:
        rejected, unused = counted.get(file.number, (0, 0))
        lines = rows[file.number]
        made.append(
            FileAccount(file.number, file.name, file.source, lines, lines - rejected - unused, rejected, unused)
        )
    return made
