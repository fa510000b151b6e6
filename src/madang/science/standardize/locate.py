"""Where a SELECT failed: the line of the source whose value it cannot convert."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.identify import file_and_line
from madang.science.standardize.pack import Pack

_VALUES = ("engine.conversion", "engine.value")


@contextmanager
def located(engine: Engine, pack: Pack, select: Select, names: Mapping[int, str]) -> Iterator[None]:
    """Have an error about a value name the SELECT, the file and the line; `names` are those of the files."""
    try:
        yield
    except MadangError as error:
        if error.code not in _VALUES:
            raise
        of = pack.entities.get(select.name) if select.kind == "entity" else pack.events.get(select.name)
        path = of.sql_path.relative_to(pack.folder).as_posix() if of else select.name
        row = _first_bad(engine, select)
        where = ""
        if row is not None:
            file, line = file_and_line(row)
            where = f", at {names.get(file, f'file {file}')}:{line}"
        hint = error.hint or "A CAST that fails on one row stops the run: say TRY_CAST, or try_strptime."
        raise MadangError(error.code, f"{pack.folder.name}/{path}{where}: {error.message}", hint) from None


def _first_bad(engine: Engine, select: Select) -> int | None:
    """The first row of the driving source that the SELECT cannot do, by halving; None where it is no single one."""
    name, probe = quote_name(select.source), quote_name(f"_probe_{select.source}")
    sql = select.members_sql if select.grouped else select.rows_sql
    try:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {probe} AS FROM {name}")
        rows = [row for (row,) in engine.rows(f"SELECT _row FROM {probe} ORDER BY _row")]
        kind = engine.value(
            "SELECT CASE WHEN count(*) > 0 THEN 'TABLE' ELSE 'VIEW' END FROM duckdb_tables() WHERE table_name = ?",
            [select.source],
        )
        engine.execute(f"DROP {kind} {name}")
        low, high = 0, len(rows)
        while low < high:  # all before `low` can be done
            middle = (low + high) // 2
            engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {probe} WHERE _row <= {rows[middle]}")
            if _works(engine, sql):
                low = middle + 1
            else:
                high = middle
        return rows[low] if low < len(rows) else None
    except MadangError:
        return None


def _works(engine: Engine, sql: str) -> bool:
    try:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE _tried AS {sql}")
    except MadangError as error:
        if error.code not in _VALUES:
            raise
        return False
    return True
