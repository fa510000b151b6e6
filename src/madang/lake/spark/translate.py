"""DuckDB's SQL as Spark's: a written subset, of which a test shows every construct on both engines.

Both engines differ in more than words: division, order of nulls, dates, patterns, overflow. What is listed here means
the same in both once it is rewritten; anything else is refused, with the place where it stands.
"""

import re
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.spark.subset import WHOLE, check, is_natural


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
        check(node, sql)
    for node in reversed(nodes):  # what is inside first, so that what is around it takes it as it is written now
        new = _rewritten(node)
        if node is tree:
            tree = new
        elif new is not node:
            node.replace(new)
    return tree


OPEN = "MADANG_OPEN"  # what Spark is made to raise where the engines may differ
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Letters of the newest Unicode, of which Spark knows the small ones and DuckDB does not, and what stands for each
# meanwhile: none of these is ever a letter.
_NEW = (
    (0x1C89,),
    (0xA7CB, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA, 0xA7DC),
    range(0x10D50, 0x10D66),
    range(0x16EA0, 0x16EB9),
)
_NEWEST = "".join(chr(letter) for several in _NEW for letter in several)
_NO_LETTERS = [*range(0xFDD0, 0xFDF0), *(plane * 0x10000 + end for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))]
_STAND_INS = "".join(map(chr, _NO_LETTERS[: len(_NEWEST)]))
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
    if isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name in WHOLE and not _is_whole(node.this):
        return _rounded(node)
    if isinstance(node, exp.Div):
        return _quotient(node)
    if isinstance(node, exp.Avg):
        return _mean(node)
    if isinstance(node, (exp.Filter, exp.Window)) and node.this.meta.get("mean"):
        return _mean_of(node)
    if isinstance(node, exp.Round):
        return _to_digits(node)
    if isinstance(node, exp.IsNan):  # of nothing false there
        value = _text(node.this)
        return exp.maybe_parse(f"(CASE WHEN {value} IS NOT NULL THEN isnan({value}) END)", dialect="spark")
    if isinstance(node, exp.CountIf):  # of nothing 0 there
        value = _text(node.this)
        return exp.maybe_parse(f"sum(CASE WHEN {value} THEN 1 WHEN NOT {value} THEN 0 END)", dialect="spark")
    if isinstance(node, exp.Trim) and node.args.get("expression") is None:  # spaces of all scripts
        return exp.maybe_parse(f"trim(BOTH '{_SPACES}' FROM {_text(node.this)})", dialect="spark")
    if isinstance(node, exp.Lower):  # letter by letter: no dot over an i, no other sigma at the end of a word
        kept = f"lower(translate({_text(node.this)}, 'İΣ{_NEWEST}', 'iσ{_STAND_INS}'))"
        return exp.maybe_parse(f"translate({kept}, '{_STAND_INS}', '{_NEWEST}')", dialect="spark")
    if isinstance(node, (exp.Cast, exp.TryCast)) and node.to.this.name in ("TEXT", "VARCHAR"):
        return _as_text(node.this)
    if isinstance(node, (exp.DPipe, exp.Concat)):
        for part in list(node.flatten() if isinstance(node, exp.DPipe) else node.expressions):
            if not (isinstance(part.unnest(), exp.Literal) and part.unnest().is_string):
                part.replace(_as_text(part))
        return node
    if isinstance(node, exp.Like):
        pattern = exp.Literal.string(str(node.expression.this).replace("\\", "\\\\"))
        like = exp.Like(this=node.this, expression=pattern)
        return exp.Paren(this=exp.Not(this=like)) if node.args.get("negate") else like
    if isinstance(node, exp.Try) and isinstance(node.this, exp.DateFromParts):
        parts = [node.this.args[name].copy() for name in ("year", "month", "day")]
        year, month, day = (_text(exp.cast(part, "BIGINT")) for part in parts)
        # As DuckDB: no date for a month or day that there is not, null for a null.
        # Years that are no date to Python are null to our own questions, of which no table has any.
        odd = f"WHEN {year} NOT BETWEEN 1 AND 9999 THEN raise_error('{OPEN}') " if node.meta.get("somebodys") else ""
        return exp.maybe_parse(
            f"CASE {odd}WHEN {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {year} BETWEEN 1 AND 9999 THEN "
            f"try_to_date(concat(lpad(CAST({year} AS STRING), 4, '0'), '-', "
            f"lpad(CAST({month} AS STRING), 2, '0'), '-', lpad(CAST({day} AS STRING), 2, '0')), 'yyyy-MM-dd') END",
            dialect="spark",
        )
    if isinstance(node, exp.DateFromParts) and not isinstance(node.parent, exp.Try):
        for name in ("year", "month", "day"):
            node.set(name, exp.cast(node.args[name].copy(), "INT"))
    return node


def _text(node: Any) -> str:
    """A part in Spark's SQL, to be put into a text: in brackets, whatever operators stand there."""
    text = str(node.sql(dialect="spark"))
    return text if re.fullmatch(r"[\w.`]+|\d+", text) else f"({text})"


def _function(name: str, given: list[Any]) -> Any:
    from sqlglot import exp

    value = _text(given[0])
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

    value = _text(node.this)
    if not isinstance(node, exp.Trunc):
        value = f"({value} / 1)"  # of whole numbers a floating one, in both
    more = {exp.Floor: f"WHEN {value} % 1 < 0 THEN {value} - {value} % 1 - 1 ", exp.Trunc: ""}.get(
        type(node), f"WHEN {value} % 1 > 0 THEN {value} - {value} % 1 + 1 "
    )
    # round has nothing left to round: of a decimal it takes the digits away.
    whole = f"round(CASE WHEN isnan({value} % 1) THEN {value} {more}ELSE {value} - {value} % 1 END)"
    return exp.maybe_parse(whole, dialect="spark")


def _quotient(node: Any) -> Any:
    """A quotient: of floating numbers, never of decimals, whose digits would be cut off; by zero, what there is no end
    to, with the sign of that zero, or no number."""
    from sqlglot import exp

    above, below = exp.cast(node.this, "DOUBLE"), node.expression
    plain = exp.Div(this=above, expression=below, typed=False, safe=False)
    if isinstance(below.unnest(), exp.Literal) and float(below.unnest().this or 0) != 0:
        return plain
    over, under = _text(above), _text(below)
    return exp.maybe_parse(
        f"(CASE WHEN {under} = 0 THEN {over} * CASE WHEN atan2({under}, -1) < 0 THEN CAST('-Infinity' AS DOUBLE) "
        f"ELSE CAST('Infinity' AS DOUBLE) END ELSE {over} / {under} END)",
        dialect="spark",
    )


def _mean(node: Any) -> Any:
    """A mean: the exact sum, made a floating number, by the count. What stands around it (FILTER, OVER) is said of both
    once it is reached."""
    from sqlglot import exp

    made = exp.Avg(this=node.this)
    made.meta["mean"] = True
    return made if isinstance(node.parent, (exp.Filter, exp.Window)) and node.arg_key == "this" else _mean_of(made)


def _mean_of(node: Any) -> Any:
    from sqlglot import exp

    above = node.parent
    if isinstance(above, exp.Window) and node.arg_key == "this":
        node.meta["mean"] = True
        return node
    told = []
    for kind in (exp.Sum, exp.Count):
        made = node.copy()
        (mean,) = [each for each in made.find_all(exp.Avg) if each.meta.get("mean")][:1]
        new = kind(this=mean.this.copy())
        if mean is made:
            made = new
        else:
            mean.replace(new)
        told.append(made.sql(dialect="spark"))
    total, count = told
    # Of what type the sum is, Spark knows before it begins; what is said of it is then a number, the other branch gone.
    power = f"concat('1e', coalesce(nullif(regexp_extract(typeof({total}), ',([0-9]+)', 1), ''), '0'))"
    whole = f"CAST({total} * CAST(CAST({power} AS DOUBLE) AS DECIMAL(38, 0)) AS DOUBLE)"
    return exp.maybe_parse(
        f"(CASE WHEN typeof({total}) IN ('double', 'float') THEN CAST({total} AS DOUBLE) / nullif({count}, 0) "
        f"ELSE {whole} / nullif({count} * CAST({power} AS DOUBLE), 0) END)",
        dialect="spark",
    )


def _as_text(value: Any) -> Any:
    """A value as text; `OPEN` for days and times of other years than four digits tell."""
    from sqlglot import exp

    text = f"CAST({_text(value)} AS STRING)"
    return exp.maybe_parse(
        f"(CASE WHEN typeof({_text(value)}) IN ('date', 'timestamp_ntz') AND left({text}, 1) IN ('+', '-') "
        f"THEN raise_error('{OPEN}') ELSE {text} END)",
        dialect="spark",
    )


def _to_digits(node: Any) -> Any:
    """round to digits. Where a floating number lies half-way between two of them, or has none left, the engines do not
    agree, and `OPEN` is raised (another branch would be another type for decimals)."""
    from sqlglot import exp

    value, digits = _text(node.this), int(str((node.args.get("decimals") or exp.Literal.number(0)).this))
    if digits == 0:
        return exp.Round(this=node.this)
    moved = f"abs(TRY_CAST({value} AS DOUBLE) * CAST('1e{digits}' AS DOUBLE))"
    half = f"abs({moved} % 1 - CAST('5e-1' AS DOUBLE)) < CAST('1e-6' AS DOUBLE)"
    far = f"{moved} >= CAST('1e9' AS DOUBLE) AND {moved} < CAST('Infinity' AS DOUBLE)"
    return exp.maybe_parse(
        f"(CASE WHEN typeof({value}) IN ('double', 'float') AND ({half} OR {far}) THEN raise_error('{OPEN}') "
        f"ELSE round({value}, {digits}) END)",
        dialect="spark",
    )


def _rounded(cast: Any) -> Any:
    """A cast to a whole number that rounds as ours does: halves of floating numbers to the even one, of decimals away
    from zero. Of what type the value is, Spark knows before it begins; the other branches are then gone."""
    from sqlglot import exp

    value, kind = _text(cast.this), cast.to.sql(dialect="spark")
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
        return _is_whole(node.this) if isinstance(node, exp.Neg) else node.to.this.name in WHOLE
    if isinstance(node, exp.Literal):
        return is_natural(node)
    return isinstance(node, (exp.Null, exp.Count, exp.Year, exp.Month, exp.Day, exp.RowNumber))
