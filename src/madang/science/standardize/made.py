"""What a run has made so far: which files each table of the new version has, and which SELECT wrote them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths, quote_text
from madang.lake.write import Writer
from madang.science.omop.cdm import TABLES
from madang.science.standardize.entities import table_sql


class Made:
    """The tables of a version in the making.

    `parts` names the files that a part (a SELECT, or the lasting findings of a run) wrote per table, so that the next
    version can carry on those that new source files do not touch. It goes into the manifest.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self.engine = engine
        self.writer = writer
        self.parts: dict[str, dict[str, list[str]]] = {}
        self.paths: dict[tuple[str, bool], list[Path]] = {}

    def carry_on(self, before: Version, lasting: Sequence[str]) -> None:
        """Keep what these SELECTs wrote for earlier files, and what was found in reading them."""
        names: dict[tuple[str, bool], set[str]] = {}
        for part, tables in before.info["parts"].items():
            if part in lasting or part.endswith(" lasting"):
                self.parts[part] = {table: list(files) for table, files in tables.items()}
                for table, files in tables.items():
                    names.setdefault((table, part.endswith(" lasting")), set()).update(files)
        for (table, restricted), kept in names.items():
            self.writer.keep(table, restricted=restricted)
            found = (before.companion if restricted else before.tables)[table]
            for path in found.paths:
                if path.name in kept:
                    self.paths.setdefault((table, restricted), []).append(path)
                else:
                    self.writer.drop_file(table, path.name, restricted=restricted)

    def new_file(self, table: str, restricted: bool = False) -> Path:
        """Where to write one more file of a table."""
        return self.writer.new_file(table, restricted=restricted)

    def add(self, table: str, path: Path, part: str, restricted: bool = False) -> None:
        """Take a written file into a table."""
        self.writer.add(table, path)
        self.parts.setdefault(part, {}).setdefault(table, []).append(path.name)
        self.paths.setdefault((table, restricted), []).append(path)

    def put(self, table: str, sql: str, part: str, restricted: bool = False) -> Path:
        """Write the result of a SELECT as one more file of a table; where it is."""
        path = self.new_file(table, restricted)
        self.engine.copy_to_parquet(sql, path)
        self.add(table, path, part, restricted)
        return path

    def put_arrow(self, table: str, rows: pa.Table, part: str, restricted: bool = True) -> None:
        """Write an Arrow table as one more file of a table."""
        self.engine.register("_rows", rows)
        try:
            self.put(table, "SELECT * FROM _rows", part, restricted)
        finally:
            self.engine.unregister("_rows")

    def sql(self, table: str, restricted: bool = False) -> str:
        """SELECT of all rows of a table so far; a CDM table that nothing was written to is empty."""
        paths = self.paths.get((table, restricted), [])
        if paths:
            return f"SELECT * FROM read_parquet({quote_paths(paths)})"
        return f"{table_sql(table, {}, '(SELECT 1)')} WHERE FALSE"

    def show(self, tables: Iterable[str] = TABLES) -> None:
        """Make a view over what was written so far of each of these CDM tables."""
        for table in tables:
            self.engine.execute(f"CREATE OR REPLACE TEMP VIEW {quote_name(table)} AS {self.sql(table)}")

    def complete(self) -> None:
        """Give the version every table of the model but those of the vocabulary: an absent one is a trap in SQL.

        SOURCE_TO_CONCEPT_MAP counts among the vocabulary's tables, but no release brings it: it is the holder's.
        """
        for name, table in TABLES.items():
            ours = table.kind != "vocabulary" or name == "source_to_concept_map"
            if ours and (name, False) not in self.paths:
                self.put(name, self.sql(name), "derived")

    def rows(self) -> dict[str, int]:
        """Rows per CDM table that was written to."""
        written = [table for table in TABLES if (table, False) in self.paths]
        counts = (f"SELECT {quote_text(table)}, count(*) FROM ({self.sql(table)})" for table in written)
        return {table: int(rows) for table, rows in self.engine.rows(" UNION ALL ".join(counts))}
