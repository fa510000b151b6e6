"""What `standardize` gives: the version, its report, and ways to look at its tables."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from madang.base.errors import MadangError
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.standardize.hints import instead_of
from madang.science.standardize.report import Report


@dataclass(frozen=True)
class Standardized:
    """The result: a version of a dataset and its report; `new` is False where there was nothing to do."""

    version: Version
    report: Report
    new: bool
    keep: object = field(default=None, repr=False)  # the temporary lake of a run that names no dataset

    def attach(self, engine: Engine, schema: str = "main") -> None:
        """Make a view per CDM table in an engine."""
        self.version.attach(engine, schema)

    def table(self, name: str) -> pa.Table:
        """One table in Arrow; CDM tables are empty where the source has nothing for them. Error: `trace.no_table`."""
        table = self.version.tables.get(name)
        if table is None:
            raise MadangError(
                "trace.no_table",
                f"{self.version.name} has no table {name!r}.",
                instead_of(name, self.version.tables) or f"It has {', '.join(self.version.tables)}.",
            )
        return pq.ParquetDataset(table.paths).read()

    def sql(self, query: str) -> pa.Table:
        """The answer of a SELECT over the CDM tables."""
        with Engine() as engine:
            self.attach(engine)
            return engine.query(query)
