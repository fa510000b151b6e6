"""Every source line ends as used, rejected with a reason, or unused by a rule; here the sum is made and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.identify import LINE_BITS, Registered, file_and_line
from madang.science.standardize.sources import Findings

FATES = pa.schema([("file", pa.int64()), ("line", pa.int64()), ("fate", pa.string()), ("reason", pa.string())])
REPAIRS = pa.schema([("file", pa.int64()), ("line", pa.int64()), ("field", pa.string())])


@dataclass(frozen=True)
class FileAccount:
    """The sum of one file: `lines` without the header = used + rejected + unused."""

    number: int
    name: str
    source: str
    lines: int
    used: int
    rejected: int
    unused: int


def check_rows(engine: Engine, select: Select, given: int, answered: str) -> None:
    """Every row of the driving source comes out of a SELECT exactly once."""
    came = engine.value(f"SELECT count(*) FROM {answered}")
    if came != given:
        raise MadangError(
            "standardize.rows_changed",
            f"The SELECT {select.name} was given {given} rows of {select.source} and answered with {came}.",
            "A join of it multiplies or loses rows; this is a fault of the pack or of Madang, nothing was committed.",
        )


def settle(engine: Engine, selects: Mapping[str, Sequence[str]], sources: Sequence[str]) -> None:
    """Make `_settled(_row, fate, reason)` of the rows that no SELECT of their source uses.

    `selects` are the names of the SELECTs driven by each source; rejected outweighs unused, the first SELECT of the
    pack gives the reason.
    """
    engine.execute("CREATE OR REPLACE TEMP TABLE _settled (_row BIGINT, fate VARCHAR, reason VARCHAR)")
    for source in sources:
        names = list(selects.get(source, ()))
        if not names:
            continue
        order = " ".join(f"WHEN {quote_text(name)} THEN {i}" for i, name in enumerate(names))
        within = ", ".join(quote_text(name) for name in names)
        rank = f"CASE selected {order} END + CASE fate WHEN 'unused' THEN {len(names)} ELSE 0 END"
        engine.execute(
            f"""
            INSERT INTO _settled
            SELECT _row, arg_min(fate, {rank}), arg_min(reason, {rank}) FROM _skipped
            WHERE selected IN ({within}) GROUP BY _row HAVING count(DISTINCT selected) = {len(names)}
            """
        )


def deliver(engine: Engine, delta_sources: Sequence[str]) -> None:
    """Move the fate of a corrected row to the line that was delivered last: that is the line it is about."""
    for source in delta_sources:
        engine.execute(
            f"""
            UPDATE _settled SET _row = d.delivered FROM {quote_name(f"_deliveries_{source}")} d
            WHERE d._row = _settled._row AND d.age = 1 AND NOT d.again AND d.delivered <> d._row
            """
        )


def fates_table(findings: Findings, others: Sequence[tuple[int, str, str]], engine: Engine | None = None) -> pa.Table:
    """All lines that are not used: rejects of reading, `others` (row, fate, reason), and `_settled`."""
    number = [file for file, _, _ in findings.rejects] + [file_and_line(row)[0] for row, _, _ in others]
    line = [line for _, line, _ in findings.rejects] + [file_and_line(row)[1] for row, _, _ in others]
    fate = ["rejected"] * len(findings.rejects) + [fate for _, fate, _ in others]
    reason = [reason for _, _, reason in findings.rejects] + [reason for _, _, reason in others]
    table = pa.table([number, line, fate, reason], schema=FATES)
    if engine is None:
        return table
    mask = (1 << LINE_BITS) - 1
    settled = engine.query(f"SELECT _row >> {LINE_BITS} AS file, _row & {mask} AS line, fate, reason FROM _settled")
    return pa.concat_tables([table, settled.cast(FATES)])


def repairs_table(findings: Findings) -> pa.Table:
    """Optional fields that were nulled because they could not be read."""
    return pa.table([list(column) for column in zip(*findings.repairs, strict=True)] or [[], [], []], schema=REPAIRS)


def accounts(engine: Engine, files: Sequence[Registered], headers: Mapping[str, int], fates: str) -> list[FileAccount]:
    """The sum per file over the relation `fates`; a line with two fates is a fault and stops the run."""
    twice = engine.value(f"SELECT count(*) - count(DISTINCT (file, line)) FROM {fates}")
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
        lines = max(0, file.lines - headers[file.source])
        made.append(
            FileAccount(file.number, file.name, file.source, lines, lines - rejected - unused, rejected, unused)
        )
    return made
