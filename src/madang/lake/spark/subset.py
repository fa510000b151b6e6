"""The written subset of DuckDB's SQL that Spark is asked: what both engines take for the same once it is rewritten."""

import re
from functools import cache
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _

# Functions whose answers are the same for the types that they are used with; names as DuckDB has them.
FUNCTIONS = frozenset(
    {
        *("count", "sum", "min", "max", "avg", "any_value", "count_if", "bool_and", "bool_or"),
        *("coalesce", "nullif", "abs", "round", "floor", "ceil", "greatest", "least", "sqrt"),
        *("lower", "trim", "length", "substring", "concat", "replace", "starts_with", "contains"),
        *(
            "year",
            "month",
            "day",
            "make_date",
            "datediff",
            "date_diff",
            "row_number",
            "rank",
            "dense_rank",
            "lag",
            "lead",
            "to_days",
            "power",
        ),
        *("regexp_full_match", "isfinite", "trunc", "try", "cast", "if", "exists"),
    }
)


@cache
def _allowed() -> tuple[Any, ...]:
    from sqlglot import exp

    return (
        *(exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Join),
        *(exp.Subquery, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Literal),
        *(
            exp.Null,
            exp.Boolean,
            exp.And,
            exp.Or,
            exp.Not,
            exp.Paren,
            exp.EQ,
            exp.NEQ,
            exp.LT,
            exp.LTE,
            exp.GT,
            exp.GTE,
        ),
        *(exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.In, exp.Between, exp.Like, exp.Case, exp.If, exp.Add, exp.Sub),
        *(exp.Mul, exp.Div, exp.Neg, exp.Cast, exp.TryCast, exp.DataType, exp.Distinct, exp.With, exp.CTE, exp.Union),
        *(
            exp.Intersect,
            exp.Except,
            exp.Exists,
            exp.Anonymous,
            exp.Func,
            exp.Window,
            exp.Filter,
            exp.Var,
        ),
        *(exp.WindowSpec, exp.Tuple, exp.Connector, exp.Try, exp.DPipe, exp.Date, exp.ToDays, exp.Pow, exp.DateDiff),
    )


WHOLE = frozenset({"BIGINT", "INT", "SMALLINT", "TINYINT"})
WRITTEN = {  # texts that both engines read as the same value
    **dict.fromkeys(WHOLE, r"[+-]?\d{1,18}"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), r"[+-]?\d{1,15}(\.\d{1,15})?([eE][+-]?\d{1,2})?"),
    "DATE": r"\d{4}-\d{1,2}-\d{1,2}",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPNTZ"), r"\d{4}-\d{1,2}-\d{1,2}( \d\d:\d\d:\d\d(\.\d{1,6})?)?"),
}


def check(node: Any, sql: str) -> None:
    """Refuse a part of a tree of sqlglot that is outside of the subset. Errors: `spark.subset`, with its place."""
    from sqlglot import exp

    if not isinstance(node, _allowed()):
        raise outside(type(node).__name__.upper(), node, sql)
    kind = type(node).__name__
    more = {name for name, value in node.args.items() if value} - _PARTS - _HOLDS.get(kind, frozenset())
    if more or (kind in _ONE and (node.expressions or (kind == "Trim" and node.expression))):
        raise outside(", ".join(sorted(more)).rstrip("_") or kind.lower(), node, sql)
    if isinstance(node, exp.Try) and not isinstance(node.this, exp.DateFromParts):
        raise outside("try", node, sql)
    if isinstance(node, exp.Round) and not is_natural(node.args.get("decimals") or exp.Literal.number(0)):
        raise outside("round", node, sql)
    if isinstance(node, exp.Table) and (node.db or node.catalog or isinstance(node.this, exp.Func)):
        raise outside(node.sql(dialect="duckdb"), node, sql)
    if isinstance(node, exp.Func) and not isinstance(node, (exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.TryCast)):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        if name not in FUNCTIONS and name not in _SAME_NAMES:
            raise outside(name, node, sql)
    if isinstance(node, exp.ToDays) and not _is_added(node):
        raise outside("to_days", node, sql)
    if isinstance(node, exp.Pow) and not _is_two(node.this):
        raise outside("power", node, sql)  # of another number, the last digit is one engine's own
    if isinstance(node, exp.DateDiff) and (node.args.get("unit") is None or node.args["unit"].name.upper() != "DAY"):
        raise outside("datediff", node, sql)  # years that begin there, years that are over here
    if isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name not in _TYPES:
        raise outside(node.to.sql(dialect="duckdb"), node, sql)
    _check_text(node, sql)
    if isinstance(node, exp.In) and node.args.get("query") and not _is_of_where(node):
        raise outside("IN", node, sql)
    if isinstance(node, exp.Join) and (node.args.get("method") or (node.side == "FULL" and not node.args.get("on"))):
        raise outside("JOIN", node, sql)


def _check_text(node: Any, sql: str) -> None:
    """Refuse what is told by a text that the engines read otherwise."""
    from sqlglot import exp

    if isinstance(node, (exp.Cast, exp.TryCast)) and isinstance(node.this, exp.Literal) and node.this.is_string:
        wanted = WRITTEN.get(node.to.this.name)
        if wanted is not None and not re.fullmatch(wanted, node.this.this):
            raise outside(node.sql(dialect="duckdb"), node, sql)  # '2020' is a date there, '2.5' 3 here
    if isinstance(node, exp.Like) and not isinstance(node.expression, exp.Literal):
        raise outside("LIKE", node, sql)  # a backslash in it stands for itself here
    if isinstance(node, exp.Substring):
        start, length = node.args.get("start"), node.args.get("length")
        if (
            start is None
            or not is_natural(start)
            or str(start.this) == "0"
            or not (length is None or is_natural(length))
        ):
            raise outside("substring", node, sql)  # a place before the first one, or a length below 0


def _is_of_where(found: Any) -> bool:
    """Whether an IN of rows stands in WHERE, where what is not known is as good as false: elsewhere it is made so."""
    from sqlglot import exp

    above = found.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    if isinstance(above, exp.Not):
        above = above.parent
    while isinstance(above, (exp.And, exp.Or, exp.Paren)):
        above = above.parent
    return isinstance(above, exp.Where)


def is_natural(node: Any) -> bool:
    """Whether a part is a whole number, written, from 0 on."""
    from sqlglot import exp

    return isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdecimal()


def _is_added(days: Any) -> bool:
    """Whether days are added to what stands before them."""
    from sqlglot import exp

    above = days.parent
    return isinstance(above, exp.Add) and above.expression is days


def _is_two(base: Any) -> bool:
    from sqlglot import exp

    return bool(base.unnest().this == exp.Literal.number(2)) if isinstance(base, exp.Cast) else False


# What a node may hold besides the parts that it is made of; whatever else is said there would be left out on the way.
_PARTS = frozenset({"this", "expression", "expressions"})
_SET = frozenset({"with_", "distinct", "order", "limit"})
_HOLDS: dict[str, frozenset[str]] = {
    "Alias": frozenset({"alias"}),
    "Between": frozenset({"low", "high"}),
    "Case": frozenset({"ifs", "default"}),
    "Cast": frozenset({"to"}),
    "Column": frozenset({"table"}),
    "Concat": frozenset({"safe", "coalesce"}),
    "Count": frozenset({"big_int"}),
    "CTE": frozenset({"alias"}),
    "DPipe": frozenset({"safe"}),
    "DateDiff": frozenset({"unit", "big_int", "date_part_boundary"}),
    "DateFromParts": frozenset({"year", "month", "day"}),
    "Div": frozenset({"safe", "typed"}),
    "Except": _SET,
    "Greatest": frozenset({"ignore_nulls"}),
    "Group": frozenset({"all"}),
    "Identifier": frozenset({"quoted"}),
    "If": frozenset({"true", "false"}),
    "In": frozenset({"query"}),
    "Is": frozenset({"negate"}),
    "Intersect": _SET,
    "Join": frozenset({"side", "kind", "on", "using"}),
    "Lag": frozenset({"offset", "default"}),
    "Lead": frozenset({"offset", "default"}),
    "Least": frozenset({"ignore_nulls"}),
    "Like": frozenset({"negate"}),
    "Literal": frozenset({"is_string"}),
    "Ordered": frozenset({"desc", "nulls_first"}),
    "Replace": frozenset({"replacement"}),
    "Round": frozenset({"decimals"}),
    "Select": frozenset({"from_", "joins", "where", "group", "having", "order", "limit", "distinct", "with_"}),
    "StrPosition": frozenset({"substr"}),
    "Subquery": frozenset({"alias", "with_"}),
    "Substring": frozenset({"start", "length"}),
    "Table": frozenset({"alias", "db", "joins"}),
    "TableAlias": frozenset({"columns"}),
    "Trim": frozenset(),
    "TryCast": frozenset({"to", "safe"}),
    "Union": _SET,
    "Window": frozenset({"partition_by", "order", "spec", "over"}),
    "WindowSpec": frozenset({"kind", "start", "start_side", "end", "end_side"}),
}
_ONE = frozenset({"Max", "Min", "Abs", "Sqrt", "Floor", "Ceil", "Trunc", "RegexpFullMatch", "Trim"})  # of one thing

_SAME_NAMES = frozenset(
    {
        *("date_from_parts", "str_position", "is_nan", "logical_and", "logical_or", "date_diff"),
        *("ts_or_ds_to_date", "variance_pop", "exists", "date", "try", "substring", "nullif", "any_value", "count_if"),
    }
)
_TYPES = frozenset(
    {
        "BIGINT",
        "INT",
        "SMALLINT",
        "TINYINT",
        "DOUBLE",
        "FLOAT",
        "DATE",
        "TIMESTAMP",
        "TIMESTAMPNTZ",
        "VARCHAR",
        "TEXT",
        "BOOLEAN",
    }
)


def outside(what: str, node: Any, sql: str) -> MadangError:
    """What is not in the subset, and where it stands."""
    text = node.sql(dialect="duckdb")[:60]
    place = sql.lower().find(text.lower()) + 1
    where = _("at character {place}").format(place=place) if place else _("in it")
    return MadangError(
        "spark.subset",
        _("{what} ({where}: {text}) is not proved to mean the same on Spark.").format(
            what=what, where=where, text=text
        ),
        _("Ask without it, or on one machine: leave --engine spark out."),
    )
