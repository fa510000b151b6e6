"""Many counts as few readings: conditions on one table stand side by side in one SELECT of it.

    SELECT count(*) FROM (SELECT t.* FROM a t WHERE A)
    SELECT count(*) FROM (SELECT t.* FROM a t WHERE EXISTS (SELECT * FROM b o WHERE o.k = t.c AND B AND C))

become, where B is about `o` alone and C about `t` alone,

    SELECT count(CASE WHEN A THEN 1 END), count(CASE WHEN coalesce(C, false) AND coalesce(q0.b0, false) THEN 1 END)
    FROM a t LEFT JOIN (SELECT o.k AS k, bool_or(coalesce(B, false)) AS b0 FROM b o GROUP BY o.k) q0 ON q0.k = t.c

A row of q0 stands for a key, so no row of `a` is counted twice; EXISTS is true exactly where one row of `b` has all
conditions, and never null. One comparison of something of `t` with something of `o` may be among them: a row there is
less than a value here exactly where the least of them is. What has another shape is left as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from madang.lake.spark.translate import tree_of

WIDEST = 150  # conditions of one SELECT: more make code that Java's virtual machine does not compile


@dataclass(frozen=True)
class Reading:
    """One SELECT with one row: the questions that each of its columns answers."""

    sql: str
    names: list[list[str]]


@dataclass(frozen=True)
class _Link:
    """To which rows of another table those of this one lead: its name, its key, our column."""

    table: str
    key: str
    column: str


@dataclass
class _Asked:
    """A condition on one table, and what it needs of others: link, aggregate over its rows, the word for that here."""

    table: str
    text: str
    needs: list[tuple[_Link, str, str]] = field(default_factory=list)


def grouped(questions: Mapping[str, str]) -> tuple[list[Reading], dict[str, list[str]]]:
    """Readings that answer questions (name: SQL of the first engine) together, and all others in Spark's SQL by text.

    Errors: those of `to_spark`.
    """
    tables: dict[str, dict[str, tuple[_Asked, list[str]]]] = {}
    rest: dict[str, list[str]] = {}
    for name, sql in questions.items():
        text, asked = _read(sql)
        if asked is None:
            rest.setdefault(text, []).append(name)
        else:
            tables.setdefault(asked.table, {}).setdefault(text, (asked, []))[1].append(name)
    readings = []
    for table, held in tables.items():
        # Those with the same links beside each other, so that a reading has few of them.
        several = sorted(held.values(), key=lambda each: str([need[0] for need in each[0].needs]))
        readings += [_reading(table, several[at : at + WIDEST]) for at in range(0, len(several), WIDEST)]
    return readings, rest


def _reading(table: str, several: list[tuple[_Asked, list[str]]]) -> Reading:
    links: dict[_Link, dict[str, str]] = {}  # and aggregates over its rows, with the name of each
    columns = []
    for asked, _names in several:
        text = asked.text
        for link, aggregate, word in asked.needs:
            aggregates = links.setdefault(link, {})
            place = list(links).index(link)
            text = text.replace(word, aggregates.setdefault(aggregate, f"q{place}.b{len(aggregates)}"))
        columns.append(f"count(CASE WHEN {text} THEN 1 END)")
    sql = f"SELECT {', '.join(columns)} FROM {table} t"
    for place, (link, aggregates) in enumerate(links.items()):
        told = ", ".join(f"{text} AS {word.partition('.')[2]}" for text, word in aggregates.items())
        inner = f"SELECT o.{link.key} AS k, {told} FROM {link.table} o GROUP BY o.{link.key}"
        sql += f" LEFT JOIN ({inner}) q{place} ON q{place}.k = t.{link.column}"
    return Reading(sql, [names for _asked, names in several])


@cache
def _read(sql: str) -> tuple[str, "_Asked | None"]:
    """A question in Spark's SQL, and as a condition on one table called t, if it is one."""
    from sqlglot import exp

    tree = tree_of(sql)
    text = str(tree.sql(dialect="spark"))
    if not isinstance(tree, exp.Select) or not _is_count(tree):
        return text, None
    inner: Any = tree
    below = _source(tree)
    if isinstance(below, exp.Subquery) and not tree.args.get("where"):
        inner = below.this
        if not isinstance(inner, exp.Select) or not _is_star(inner):
            return text, None
    source = _source(inner)
    if not isinstance(source, exp.Table) or source.alias != "t" or not _is_plain(inner):
        return text, None
    where = inner.args.get("where")
    asked = _Asked(source.name, "true")
    if where is None:
        return text, asked
    condition = where.this
    for exists in list(condition.find_all(exp.Exists)):
        if exists.find_ancestor(exp.Exists, exp.Select) is not inner:
            return text, None
        word = f"link_{len(asked.needs)}_here"
        found = _linked(exists, word)
        if found is None:
            return text, None
        link, aggregate, here = found
        asked.needs.append((link, aggregate, word))
        stand_in: Any = exp.maybe_parse(f"coalesce({here}, false)", dialect="spark")
        if exists is condition:
            condition = stand_in
        else:
            exists.replace(stand_in)
    if list(condition.find_all(exp.Select)):
        return text, None
    asked.text = condition.sql(dialect="spark")
    return text, asked


def _linked(exists: Any, word: str) -> tuple[_Link, str, str] | None:
    """The link of an EXISTS, an aggregate over the rows there, and the condition here on it (`word`); else None."""
    from sqlglot import exp

    select = exists.this
    source = _source(select) if isinstance(select, exp.Select) else None
    if not isinstance(source, exp.Table) or not _is_plain(select) or not _is_star(select):
        return None
    alias, where = source.alias or source.name, select.args.get("where")
    if where is None or list(where.find_all(exp.Exists, exp.Select)) or alias == "t":
        return None
    link, compared, theirs, ours = None, None, [], []
    for part in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        plain = part.unnest()
        sides = {column.table for column in part.find_all(exp.Column)}
        if sides == {alias, "t"} and link is None and (found := _key(plain)) is not None:
            there, here = found
            link = _Link(source.name, there.this.sql(dialect="spark"), here.this.sql(dialect="spark"))
        elif sides == {alias, "t"} and compared is None and (compared := _compared(plain, alias)) is not None:
            continue
        elif sides == {alias}:
            theirs.append(_of_other(part))
        elif sides <= {"t"}:
            ours.append(part.sql(dialect="spark"))
        else:
            return None
    if link is None:
        return None
    if compared is None:
        return link, f"bool_or(coalesce({_all_of(theirs)}, false))", f"{_all_of(ours)} AND {word}"
    here, sign, there, extreme = compared
    aggregate = f"{extreme}(CASE WHEN {_all_of(theirs)} THEN {there} END)"
    return link, aggregate, f"{_all_of(ours)} AND {here} {sign} {word}"


def _key(part: Any) -> tuple[Any, Any] | None:
    """The two columns of an equality of a column there and one here."""
    from sqlglot import exp

    if not isinstance(part, exp.EQ) or not all(isinstance(end, exp.Column) for end in (part.this, part.expression)):
        return None
    there, here = sorted((part.this, part.expression), key=lambda end: end.table == "t")
    return there, here


def _compared(part: Any, alias: str) -> tuple[str, str, str, str] | None:
    """A comparison as (what is here, sign, what is there, which aggregate of that decides); else None."""
    from sqlglot import exp

    signs = {exp.GT: (">", "<"), exp.GTE: (">=", "<="), exp.LT: ("<", ">"), exp.LTE: ("<=", ">=")}
    if type(part) not in signs:
        return None
    left = {column.table for column in part.this.find_all(exp.Column)}
    right = {column.table for column in part.expression.find_all(exp.Column)}
    if (left, right) == ({"t"}, {alias}):
        sign, here, there = signs[type(part)][0], part.this, part.expression
    elif (left, right) == ({alias}, {"t"}):
        sign, here, there = signs[type(part)][1], part.expression, part.this
    else:
        return None
    return f"({here.sql(dialect='spark')})", sign, _of_other(there), "min" if ">" in sign else "max"


def _of_other(part: Any) -> str:
    """An expression about the other table, which is called `o`."""
    from sqlglot import exp

    for column in part.find_all(exp.Column):
        column.set("table", exp.to_identifier("o"))
    return f"({part.sql(dialect='spark')})"


def _all_of(parts: list[str]) -> str:
    return " AND ".join(f"({part})" for part in parts) or "true"


def _is_plain(select: Any) -> bool:
    """Whether a SELECT has nothing but columns, a source and a condition."""
    known = {"expressions", "from", "from_", "where", "operation_modifiers"}
    return not any(value for key, value in select.args.items() if key not in known)


def _source(select: Any) -> Any:
    found = select.args.get("from_") or select.args.get("from")
    return found.this if found is not None else None


def _is_star(select: Any) -> bool:
    from sqlglot import exp

    return len(select.expressions) == 1 and (
        isinstance(select.expressions[0], exp.Star)
        or (isinstance(select.expressions[0], exp.Column) and isinstance(select.expressions[0].this, exp.Star))
    )


def _is_count(select: Any) -> bool:
    from sqlglot import exp

    found = select.expressions[0]
    return len(select.expressions) == 1 and isinstance(found, exp.Count) and isinstance(found.this, exp.Star)
