"""DuckDB's SQL as Spark's: a written subset, of which a test shows every construct on both engines.

Both engines differ in more than words: division, order of nulls, dates, patterns, overflow. What is listed here means
the same in both once it is rewritten; anything else is refused, with the place where it stands.
"""

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


def to_spark(sql: str) -> str:
    """One SELECT of DuckDB as Spark SQL. Errors: `spark.syntax`, `spark.subset` (what it is, and where it stands)."""
    return str(tree_of(sql).sql(dialect="spark"))


def tree_of(sql: str) -> Any:
    """The same as a tree of sqlglot."""
    from sqlglot import exp

    found = parsed(sql)
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise MadangError("spark.subset", _("Only one SELECT is asked on Spark."), _("Take the rest out."))
    return rewritten(found[0], sql)


def parsed(sql: str) -> list[Any]:
    """The statements of a text in DuckDB's SQL, as trees of sqlglot. Errors: `spark.syntax`."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return list(sqlglot.parse(sql, dialect="duckdb"))
    except SqlglotError as error:
        reason = re.sub(r"\x1b\[\d*m", "", " ".join(str(error).split()))[:300].rstrip(".")  # it underlines the place
        raise MadangError("spark.syntax", _("The SQL cannot be read: {reason}.").format(reason=reason)) from None


def rewritten(tree: Any, sql: str) -> Any:
    """A SELECT, or a part of one, as Spark has it; places are told in the text `sql`. Errors: `spark.subset`."""
    nodes = list(tree.walk())
    for node in nodes:
        _check(node, sql)
    for node in reversed(nodes):  # what is inside first, so that what is around it takes it as it is written now
        new = _rewritten(node)
        if node is tree:
            tree = new
        elif new is not node:
            node.replace(new)
    return tree


def _check(node: Any, sql: str) -> None:
    from sqlglot import exp

    if not isinstance(node, _allowed()):
        raise _outside(type(node).__name__.upper(), node, sql)
    if isinstance(node, exp.Table) and (node.db or node.catalog or isinstance(node.this, exp.Func)):
        raise _outside(node.sql(dialect="duckdb"), node, sql)
    if isinstance(node, exp.Func) and not isinstance(node, (exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.TryCast)):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        if name not in FUNCTIONS and name not in _SAME_NAMES:
            raise _outside(name, node, sql)
    if isinstance(node, exp.ToDays) and not _is_added(node):
        raise _outside("to_days", node, sql)
    if isinstance(node, exp.Pow) and not _is_two(node.this):
        raise _outside("power", node, sql)  # of another number, the last digit is one engine's own
    if isinstance(node, exp.DateDiff) and (node.args.get("unit") is None or node.args["unit"].name.upper() != "DAY"):
        raise _outside("datediff", node, sql)  # years that begin there, years that are over here
    if isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name not in _TYPES:
        raise _outside(node.to.sql(dialect="duckdb"), node, sql)
    _check_text(node, sql)
    if isinstance(node, exp.Join) and (node.args.get("method") or (node.side == "FULL" and not node.args.get("on"))):
        raise _outside("JOIN", node, sql)


def _check_text(node: Any, sql: str) -> None:
    """Refuse what is told by a text that the engines read otherwise."""
    from sqlglot import exp

    if isinstance(node, (exp.Cast, exp.TryCast)) and isinstance(node.this, exp.Literal) and node.this.is_string:
        wanted = _WRITTEN.get(node.to.this.name)
        if wanted is not None and not re.fullmatch(wanted, node.this.this):
            raise _outside(node.sql(dialect="duckdb"), node, sql)  # '2020' is a date there, '2.5' 3 here
    if isinstance(node, exp.Like) and not isinstance(node.expression, exp.Literal):
        raise _outside("LIKE", node, sql)  # a backslash in it stands for itself here
    if isinstance(node, exp.Substring):
        start, length = node.args.get("start"), node.args.get("length")
        if (
            start is None
            or not _is_natural(start)
            or str(start.this) == "0"
            or not (length is None or _is_natural(length))
        ):
            raise _outside("substring", node, sql)  # a place before the first one, or a length below 0


def _is_natural(node: Any) -> bool:
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


_WHOLE = frozenset({"BIGINT", "INT", "SMALLINT", "TINYINT"})
_WRITTEN = {  # texts that both engines read as the same value
    **dict.fromkeys(_WHOLE, r"[+-]?\d{1,18}"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), r"[+-]?\d{1,15}(\.\d{1,15})?([eE][+-]?\d{1,2})?"),
    "DATE": r"\d{4}-\d{1,2}-\d{1,2}",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPNTZ"), r"\d{4}-\d{1,2}-\d{1,2}( \d\d:\d\d:\d\d(\.\d{1,6})?)?"),
}
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_PATTERN = re.compile(r"(?:[^\\]|\\[-.+*()\[\]{}?^$|/\\dD])*")  # what both kinds of patterns read alike


def _rewritten(node: Any) -> Any:
    """What is written otherwise in Spark, or means something else there."""
    from sqlglot import exp

    if isinstance(node, exp.Add) and isinstance(node.expression, exp.ToDays):  # a time in both, of days without a zone
        days = [exp.cast(node.expression.this, "INT"), *(exp.Literal.number(0) for _part in range(3))]
        interval = exp.Anonymous(this="make_dt_interval", expressions=days)
        return exp.Add(this=exp.cast(node.this, "TIMESTAMPNTZ"), expression=interval)
    # Days that begin between the two; of one date less another an interval there.
    if isinstance(node, exp.DateDiff) or (isinstance(node, exp.Sub) and _is_date(node.this) and _is_date(node.right)):
        ends = [exp.cast(each, "DATE") for each in (node.this, node.expression)]
        return exp.Anonymous(this="datediff", expressions=ends)
    if isinstance(node, exp.Literal) and not node.is_string and "e" in str(node.this).lower():
        return exp.cast(exp.Literal.string(str(node.this)), "DOUBLE")  # as DuckDB reads 1e-07; Spark's is a decimal
    if isinstance(node, exp.Anonymous) and node.name.lower() in ("regexp_full_match", "isfinite"):
        return _function(node.name.lower(), list(node.expressions))
    if isinstance(node, exp.Func) and node.sql_name().lower() in ("regexp_full_match",):
        return _function("regexp_full_match", [node.this, node.args.get("expression")])
    if isinstance(node, (exp.Trunc, exp.Floor, exp.Ceil)):
        return _whole_part(node)
    if isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name in _WHOLE and not _is_whole(node.this):
        return _rounded(node)
    if isinstance(node, exp.Div):  # never of decimals, whose digits would be cut off
        return exp.Div(this=exp.cast(node.this, "DOUBLE"), expression=node.expression, typed=False, safe=False)
    if isinstance(node, exp.Avg) and not isinstance(node.this, exp.Distinct):
        return exp.Avg(this=exp.cast(node.this, "DOUBLE"))
    if isinstance(node, exp.Trim) and node.args.get("expression") is None:  # spaces of all scripts
        return exp.maybe_parse(f"trim(BOTH '{_SPACES}' FROM {node.this.sql(dialect='spark')})", dialect="spark")
    if isinstance(node, exp.Lower):  # letter by letter: no dot over an i, no other sigma at the end of a word
        return exp.maybe_parse(f"lower(translate({node.this.sql(dialect='spark')}, 'İΣ', 'iσ'))", dialect="spark")
    if isinstance(node, exp.Like):
        pattern = exp.Literal.string(str(node.expression.this).replace("\\", "\\\\"))
        return exp.Like(this=node.this, expression=pattern)
    if isinstance(node, exp.Try) and isinstance(node.this, exp.DateFromParts):
        parts = [node.this.args[name].copy() for name in ("year", "month", "day")]
        year, month, day = (exp.cast(part, "BIGINT").sql(dialect="spark") for part in parts)
        # As DuckDB: no date for a month or day that there is not, null for a null.
        return exp.maybe_parse(
            f"CASE WHEN {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {year} BETWEEN 1 AND 9999 THEN "
            f"try_to_date(concat(lpad(CAST({year} AS STRING), 4, '0'), '-', "
            f"lpad(CAST({month} AS STRING), 2, '0'), '-', lpad(CAST({day} AS STRING), 2, '0')), 'yyyy-MM-dd') END",
            dialect="spark",
        )
    if isinstance(node, exp.DateFromParts) and not isinstance(node.parent, exp.Try):
        for name in ("year", "month", "day"):
            node.set(name, exp.cast(node.args[name].copy(), "INT"))
    return node


def _function(name: str, given: list[Any]) -> Any:
    from sqlglot import exp

    value = given[0].sql(dialect="spark")
    if name == "regexp_full_match":
        pattern = given[1].this if isinstance(given[1], exp.Literal) else None
        if pattern is None:
            raise MadangError("spark.subset", _("A pattern on Spark is written as a text."))
        if not _PATTERN.fullmatch(pattern) or any(odd in pattern for odd in ("[[", "[:", "&&", "(?")):
            raise MadangError(
                "spark.subset",
                _("The pattern {pattern} is not proved to mean the same on Spark.").format(pattern=pattern[:60]),
                _("Ask without it, or on one machine: leave --engine spark out."),
            )
        quoted = ("(?d)\\A(?:" + pattern + ")\\z").replace("\\", "\\\\").replace("'", "\\'")
        return exp.maybe_parse(f"({value} RLIKE '{quoted}')", dialect="spark")
    if name == "isfinite":
        infinite = "CAST('Infinity' AS DOUBLE)"
        return exp.maybe_parse(f"(NOT isnan({value}) AND abs({value}) < {infinite})", dialect="spark")
    raise AssertionError(name)


def _whole_part(node: Any) -> Any:
    """trunc, floor, ceil of a number of any size: what the functions of that name do there ends at 64 bits."""
    from sqlglot import exp

    value = node.this.sql(dialect="spark")
    more = {exp.Floor: f"WHEN {value} % 1 < 0 THEN {value} - {value} % 1 - 1 ", exp.Trunc: ""}.get(
        type(node), f"WHEN {value} % 1 > 0 THEN {value} - {value} % 1 + 1 "
    )
    whole = f"(CASE WHEN isnan({value} % 1) THEN {value} {more}ELSE {value} - {value} % 1 END)"
    return exp.maybe_parse(whole, dialect="spark")


def _rounded(cast: Any) -> Any:
    """A cast to a whole number that rounds as ours does: halves of floating numbers to the even one, of decimals away
    from zero. Of what type the value is, Spark knows before it begins; the other branches are then gone."""
    from sqlglot import exp

    value, kind = cast.this.sql(dialect="spark"), cast.to.sql(dialect="spark")
    word = "TRY_CAST" if isinstance(cast, exp.TryCast) else "CAST"
    return exp.maybe_parse(
        f"(CASE WHEN typeof({value}) IN ('double', 'float') THEN {word}(bround(TRY_CAST({value} AS DOUBLE)) AS {kind}) "
        f"WHEN typeof({value}) LIKE 'decimal%' AND typeof({value}) NOT LIKE '%,0)' "
        f"THEN {word}(round(TRY_CAST({value} AS DECIMAL(38, 10))) AS {kind}) ELSE {word}({value} AS {kind}) END)",
        dialect="spark",
    )


def _is_date(node: Any) -> bool:
    """Whether something is a date by what it is."""
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return _is_date(node.this)
    return isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name == "DATE"


def _is_whole(node: Any) -> bool:
    """Whether something is a whole number by what it is."""
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return _is_whole(node.this)
    if isinstance(node, (exp.Neg, exp.Cast, exp.TryCast)):
        return _is_whole(node.this) if isinstance(node, exp.Neg) else node.to.this.name in _WHOLE
    if isinstance(node, exp.Literal):
        return _is_natural(node)
    return isinstance(node, (exp.Null, exp.Count, exp.Year, exp.Month, exp.Day, exp.RowNumber))


def _outside(what: str, node: Any, sql: str) -> MadangError:
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
