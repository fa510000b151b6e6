"""SQL that somebody wrote (`madang sql --engine spark`): asked only where its answer is one.

Our own questions are in the written subset and compared, each of them. Of somebody's we know nothing, so:

- names and types of the columns are those that DuckDB finds, without reading a row; where Spark has another type, the
  question is refused before anything runs (a date that is a time there, a decimal with other digits);
- the order of operators is told by brackets, after DuckDB has agreed to where they stand;
- what only the order of rows decides, and SQL leaves open, is refused: LIMIT without ORDER BY, or where the last row
  that is taken and the first that is not are alike in it; `row_number`, `lag`, `lead`, and frames of ROWS, where rows
  are alike in the ORDER BY of their window.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.dataset import Version
from madang.lake.engine import Engine
from madang.lake.spark.faults import TIED
from madang.lake.spark.subset import WRITTEN, outside
from madang.lake.spark.translate import parsed, rewritten, to_spark

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Asked:
    """A question in Spark's SQL; names and types of its columns; how many rows it wants, and by which of its columns
    they are in order: with more columns than `schema` where it is ordered by something else."""

    sql: str
    schema: "pa.Schema"
    most: int | None
    keys: tuple[int, ...]

    def rows(self, found: Sequence[list[Any]]) -> list[list[Any]]:
        """The rows that are wanted of those that were found. Errors: `spark.subset` where they are not certain."""
        width = len(self.schema)
        if self.most is not None and self.keys and 0 < self.most < len(found):
            last, next_ = found[self.most - 1], found[self.most]
            if all(repr(last[key]) == repr(next_[key]) for key in self.keys):
                raise MadangError(
                    "spark.subset",
                    _("Which rows LIMIT takes is open: the last one and the next are alike in ORDER BY."),
                    _("Add columns to ORDER BY."),
                )
        return [row[:width] for row in (found if self.most is None else found[: self.most])]


def as_asked(sql: str, version: Version) -> Asked:
    """Somebody's SELECT over a version, as Spark is to be asked. Errors: those of the first engine, where it does not
    take it either; `spark.subset`, `spark.syntax`."""
    from sqlglot import exp

    check_there(version)
    to_spark(sql)  # what is outside of the subset is told with its place, before what DuckDB says of it
    with Engine(threads=1) as engine:
        sql = engine.one_select(sql)
        version.attach(engine)
        engine.confine(path for table in version.tables.values() for path in table.paths)
        schema = _schema(engine, sql)
        (tree,) = parsed(sql)
        if not isinstance(tree, exp.Query):
            raise MadangError("spark.subset", _("Only one SELECT is asked on Spark."), _("Take the rest out."))
        bracketed = _bracketed(tree.copy())
        if _read(engine, bracketed) != _read(engine, tree):
            raise MadangError(
                "spark.subset",
                _("Which operator comes first is not read alike by all."),
                _("Set brackets."),
            )
    most = _limited(tree, sql)
    for window in tree.find_all(exp.Window):
        _check_window(window, sql)
    for node in tree.walk():
        _check_somebodys(node, sql)
    for node in bracketed.find_all(exp.Try):
        node.meta["somebodys"] = True
    tree = rewritten(bracketed, sql)
    _by_all(tree, len(schema))
    keys = _keys(tree, [each.lower() for each in schema.names], most, sql)
    for window in list(tree.find_all(exp.Window)):
        if _is_by_row(window):
            window.replace(_unless_tied(window))
    if most is not None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(most + 1)))
    return Asked(tree.sql(dialect="spark", comments=False), schema, most, keys)


def check_there(version: Version) -> None:
    """Raise `spark.file` where a file that the manifest names is not there."""
    for table in version.tables.values():
        for path in table.paths:
            if not path.is_file():
                raise MadangError(
                    "spark.file",
                    _("{file} of {version} is not there.").format(file=path.name, version=version.name),
                    _("Restore it from a backup."),
                )


def _schema(engine: Engine, sql: str) -> "pa.Schema":
    """Names and types of the columns of a SELECT."""
    import pyarrow as pa

    columns = engine.describe(sql)
    # HUGEINT is DECIMAL(38, 0) in Arrow, a NULL that is nothing else is null there.
    nulls = ", ".join(f"CAST(NULL AS {kind})" if kind != '"NULL"' else "NULL" for _name, kind in columns)
    kinds = engine.query(f"SELECT {nulls} LIMIT 0").schema.types
    return pa.schema([(name, kind) for (name, _kind), kind in zip(columns, kinds, strict=True)])


def _bracketed(tree: Any) -> Any:
    """A tree whose text says by brackets which operator comes first."""
    from sqlglot import exp

    kinds = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In)
    for node in reversed(list(tree.walk())):
        above = node.parent
        alike = isinstance(node, exp.Connector) and type(node) is type(above)
        if isinstance(node, kinds) and isinstance(above, kinds) and not alike:
            node.replace(exp.Paren(this=node.copy()))
    return tree


def _read(engine: Engine, tree: Any) -> Any:
    """How DuckDB reads the text of a tree, without where things stand in it."""
    return _placeless(engine.parse(tree.sql(dialect="duckdb", comments=False))["statements"])


def _placeless(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _placeless(value) for key, value in told.items() if not key.startswith("query_location")}
    return [_placeless(each) for each in told] if isinstance(told, list) else told


def _limited(tree: Any, sql: str) -> int | None:
    """How many rows are wanted. Errors: `spark.subset` where a LIMIT stands within, is no number, or has no order."""
    from sqlglot import exp

    for limit in tree.find_all(exp.Limit):
        number = limit.expression
        if limit.parent is not tree or not isinstance(number, exp.Literal) or not str(number.this).isdecimal():
            raise outside("LIMIT", limit, sql)
        if not tree.args.get("order"):
            raise MadangError("spark.subset", _("Which rows LIMIT takes is open without ORDER BY."), _("Add ORDER BY."))
        return int(str(number.this))
    return None


def _by_all(tree: Any, columns: int) -> None:
    """ORDER BY ALL as by the places of all columns."""
    from sqlglot import exp

    order = tree.args.get("order")
    by = order.expressions[0] if order is not None else None
    if by is None or not isinstance(by.this, exp.Var) or by.this.name.upper() != "ALL":
        return
    made = []
    for place in range(columns):
        made.append(by.copy())
        made[-1].set("this", exp.Literal.number(place + 1))
    order.set("expressions", made)


def _keys(tree: Any, names: list[str], most: int | None, sql: str) -> tuple[int, ...]:
    """The places of what the rows are ordered by among the columns, to which it is added where it is none of them."""
    from sqlglot import exp

    order = tree.args.get("order")
    if most is None or order is None:
        return ()
    keys: list[int] = []
    added: list[Any] = []
    for ordered in order.expressions:
        by = ordered.this.unnest()
        if isinstance(by, exp.Literal) and not by.is_string:
            keys.append(int(str(by.this)) - 1)
        elif isinstance(by, exp.Column) and not by.table and names.count(by.name.lower()) == 1:
            keys.append(names.index(by.name.lower()))
        elif isinstance(tree, exp.Select) and not tree.args.get("distinct"):
            keys.append(len(names) + len(added))
            added.append(exp.alias_(by.copy(), f"madang_key_{len(added)}"))
        else:
            raise outside("ORDER BY", ordered, sql)
    if set(keys) >= set(range(len(names))):  # rows that are alike in it are alike
        return ()
    if added and tree.args.get("group") is not None and tree.args["group"].args.get("all"):
        raise outside("ORDER BY", order, sql)  # what is added would be grouped by, too
    for each in added:
        tree.append("expressions", each)
    return tuple(keys)


def _is_by_row(window: Any) -> bool:
    """Whether what a window says hangs on the order of rows that are alike in its ORDER BY."""
    from sqlglot import exp

    spec = window.args.get("spec")
    if isinstance(window.this, (exp.RowNumber, exp.Lag, exp.Lead)):
        return True
    whole = spec is not None and (spec.args.get("start"), spec.args.get("end")) == ("UNBOUNDED", "UNBOUNDED")
    return spec is not None and str(spec.args.get("kind")).upper() == "ROWS" and not whole


def _check_window(window: Any, sql: str) -> None:
    if _is_by_row(window) and not window.args.get("order"):
        raise MadangError(
            "spark.subset",
            _("{what} is open without ORDER BY in its window.").format(what=window.sql(dialect="duckdb")[:60]),
            _("Add ORDER BY."),
        )


def _unless_tied(window: Any) -> Any:
    """The same window, which raises `TIED` where rows are alike in its order."""
    from sqlglot import exp

    alike = exp.Window(
        this=exp.Count(this=exp.Star()),
        partition_by=[each.copy() for each in window.args.get("partition_by") or []],
        order=window.args["order"].copy(),
        spec=exp.WindowSpec(kind="RANGE", start="CURRENT ROW", end="CURRENT ROW"),
        over="OVER",
    )
    tied = exp.If(
        this=exp.GT(this=alike, expression=exp.Literal.number(1)),
        true=exp.Anonymous(this="raise_error", expressions=[exp.Literal.string(TIED)]),
    )
    return exp.Paren(this=exp.Case(ifs=[tied], default=window.copy()))


def _check_somebodys(node: Any, sql: str) -> None:
    """Refuse what is in the subset for our own questions, which know their data."""
    from sqlglot import exp

    if isinstance(node, exp.DataType) and node.this.name == "FLOAT":
        raise outside("FLOAT", node.parent, sql)
    if isinstance(node, exp.Tuple):
        raise outside("ROW", node, sql)  # which is null, and when two are the same
    if isinstance(node, exp.Star) and isinstance(node.parent, (exp.Select, exp.Column)):
        select = node.find_ancestor(exp.Select)
        if select is not None and any(join.args.get("using") for join in select.args.get("joins") or []):
            raise outside("* of a JOIN with USING", node, sql)  # the columns stand in another order


_NAMES = {"timestamp_ntz": "TIMESTAMP", "long": "BIGINT", "integer": "INT", "short": "SMALLINT", "byte": "TINYINT"}


def check_texts(casts: Sequence[Sequence[str]]) -> None:
    """Refuse (`spark.subset`) written texts that Spark takes as another type in a way that is not proved."""
    for text, kind in casts:
        wanted = WRITTEN.get(_NAMES.get(kind, kind.upper()))
        if (
            kind != "string"
            and text not in ("Infinity", "-Infinity")
            and (wanted is None or not re.fullmatch(wanted, text))
        ):
            raise MadangError(
                "spark.subset",
                _("The text {text} is taken as {kind}, which is not proved to mean the same on Spark.").format(
                    text=repr(text[:60]), kind=kind
                ),
                _("Ask without it, or on one machine: leave --engine spark out."),
            )
