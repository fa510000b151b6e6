"""Scripts of several statements on Spark: the tables that they make on the way are views, and nothing is written.

Of DuckDB's SQL, a script may make views and tables (with columns, or as a SELECT), put rows into them, take rows out of
them and drop them; each SELECT in it is of the proven subset. A table is a view whose rows Spark keeps in memory and on
its own disk until it is dropped, and works out anew where an executor that held them is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.spark.engine import SparkEngine
from madang.lake.spark.translate import parsed, rewritten
from madang.lake.spark.values import Found


@dataclass(frozen=True)
class Step:
    """A view to be made of a SELECT in Spark's SQL; one to be dropped where there is none.

    `keep`: with its rows; `more`: beside those that it has.
    """

    name: str
    sql: str = ""
    keep: bool = True
    more: bool = False


class Script:
    """Runs scripts on a session. A table of a schema is the view of `viewed`, wherever it is named."""

    def __init__(self, spark: SparkEngine) -> None:
        self.spark = spark
        self._columns: dict[str, dict[str, Any]] = {}  # of tables that were made with columns: name to type
        self._empty: set[str] = set()
        self._made: dict[str, None] = {}

    def execute(self, sql: str) -> None:
        """Run a script. Errors: `spark.syntax`, `spark.subset`, those of the session; then what it made is dropped."""
        before = set(self._made)
        try:
            for tree in parsed(sql):
                for step in self._steps(tree, sql):
                    self._take(step)
        except MadangError as error:
            if error.code not in ("spark.lost", "spark.stopped", "cancelled"):
                self._drop([name for name in self._made if name not in before])
            raise

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one SELECT. Errors as of `execute`."""
        return [tuple(row) for row in self._found(sql).rows]

    def query(self, sql: str) -> pa.Table:
        """The same as a table. Errors as of `execute`."""
        return self._found(sql).table()

    def _found(self, sql: str) -> Found:
        return self.spark.query_as_it_is(self._select(parsed(sql)[0], sql))

    def _take(self, step: Step) -> None:
        if not step.sql:
            self._drop([step.name])
            return
        self.spark.make(step.name, step.sql, keep=step.keep, more=step.more)
        self._made[step.name] = None

    def _drop(self, names: list[str]) -> None:
        self.spark.drop(names)
        for name in names:
            self._made.pop(name, None)
            self._columns.pop(name, None)
            self._empty.discard(name)

    def _steps(self, tree: Any, sql: str) -> Iterator[Step]:
        """What a statement comes to."""
        from sqlglot import exp

        if tree is None or isinstance(tree, (exp.Analyze, exp.Semicolon)):  # a comment, or what changes no answer
            return
        name = _name(tree)
        if isinstance(tree, exp.Create) and tree.kind in ("TABLE", "VIEW") and isinstance(tree.expression, exp.Query):
            yield Step(name, self._select(tree.expression, sql), keep=tree.kind == "TABLE")
        elif isinstance(tree, exp.Create) and tree.kind == "TABLE" and isinstance(tree.this, exp.Schema):
            self._columns[name] = {each.name: each.kind for each in tree.this.expressions}
            yield self._emptied(name)
        elif isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Query) and name in self._columns:
            yield self._filled(name, tree, sql)
        elif isinstance(tree, exp.Delete) and name in self._columns | self._made:
            yield from self._taken_out(name, tree.args.get("where"), sql)
        elif isinstance(tree, exp.Drop) and tree.kind == "TABLE":
            yield Step(name)
        else:
            raise MadangError(
                "spark.subset",
                _("{what} is not run on Spark.").format(what=tree.sql(dialect="duckdb")[:60]),
                _("Ask without it, or on one machine: leave --engine spark out."),
            )

    def _emptied(self, name: str) -> Step:
        self._empty.add(name)
        columns = (f"CAST(NULL AS {kind.sql(dialect='spark')}) AS `{of}`" for of, kind in self._columns[name].items())
        return Step(name, f"SELECT {', '.join(columns)} WHERE false", keep=False)

    def _filled(self, name: str, tree: Any, sql: str) -> Step:
        """The rows that there are, and those of the SELECT as the types of the columns that it names."""
        from sqlglot import exp

        named = (
            [each.name for each in tree.this.expressions]
            if isinstance(tree.this, exp.Schema)
            else list(self._columns[name])
        )
        given = {of.lower(): f"given.`c{place}`" for place, of in enumerate(named)}
        columns = ", ".join(
            f"CAST({given.get(of.lower(), 'NULL')} AS {kind.sql(dialect='spark')}) AS `{of}`"
            for of, kind in self._columns[name].items()
        )
        places = ", ".join(f"`c{place}`" for place in range(len(named)))
        new = f"SELECT {columns} FROM ({self._select(tree.expression, sql)}) AS given({places})"
        if name in self._empty:
            self._empty.discard(name)
            return Step(name, new)
        return Step(name, new, more=True)

    def _taken_out(self, name: str, where: Any, sql: str) -> Iterator[Step]:
        if name in self._empty:
            return
        if where is None and name in self._columns:
            yield self._emptied(name)
        elif where is None:
            yield Step(name, f"SELECT * FROM `{name}` WHERE false", keep=False)
        else:
            condition = self._select(where.this, sql)
            yield Step(name, f"SELECT * FROM `{name}` WHERE NOT coalesce({condition}, false)")

    def _select(self, tree: Any, sql: str) -> str:
        """A SELECT, or a condition, in Spark's SQL; tables of schemas by the names of their views."""
        from sqlglot import exp

        for table in list(tree.find_all(exp.Table)):
            if table.db and not table.catalog:
                flat = exp.to_table(viewed(table.db, table.name))
                named = table.alias or table.name
                table.replace(exp.alias_(flat, named, table=True))
        return str(rewritten(tree, sql).sql(dialect="spark"))


def viewed(*parts: str) -> str:
    """The name of the view of a table: `cdm.person` is cdm__person."""
    return "__".join(parts).lower()


def _name(tree: Any) -> str:
    """The name of the view that a statement is about."""
    from sqlglot import exp

    table = tree.find(exp.Table)  # the first on the way down: what is made, filled, emptied or dropped
    return "" if table is None else viewed(*(part for part in (table.db, table.name) if part))
