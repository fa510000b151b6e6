"""Random questions out of what `madang sql --engine spark` takes, and a little more, over tables of odd values."""

import datetime
import decimal
import math
from collections.abc import Callable
from random import Random

import pyarrow as pa

WHOLE, FLOAT, DECIMAL, TEXT, TRUTH, DAY, TIME = "whole", "float", "decimal", "text", "truth", "day", "time"
COLUMNS = {
    "k": WHOLE, "n": WHOLE, "i": WHOLE, "h": WHOLE, "x": FLOAT, "z": FLOAT, "p": DECIMAL, "q": DECIMAL, "s": TEXT,
    "o": TEXT, "b": TRUTH, "d": DAY, "e": DAY, "w": TIME,
}  # fmt: skip
_TEXTS = ["", " ", "a", "A", "ab", "a%b", "a_b", "a\\b", "사람", "사람1", "각", "e\u0301", "é", "𝒳y", "😀", "ß", "İ",
          "ΟΔΟΣ", "10", "9", " 9", "-1", "1.5", "a\nb", "a'b", "\u3000x", "NULL", "true", "2020-01-01"]  # fmt: skip
_DAYS = [datetime.date(*each) for each in
         ((1, 1, 1), (1582, 10, 4), (1582, 10, 15), (1899, 12, 31), (1969, 12, 31), (1970, 1, 1), (2000, 2, 29),
          (2019, 12, 31), (2020, 1, 1), (2020, 2, 29), (2038, 1, 19), (9999, 12, 31))]  # fmt: skip


def tables(draw: Random) -> dict[str, pa.Table]:
    """Two tables of the same columns, `t` where k is unique and `u` where it is not, and an empty one."""
    return {"t": _table(draw, 40, unique=True), "u": _table(draw, 30, unique=False), "none": _table(draw, 0, True)}


def _table(draw: Random, rows: int, unique: bool) -> pa.Table:
    some = {
        "n": (pa.int64(), [-7, -2, -1, 0, 1, 2, 3, 5, 7, 2**53 + 1, 2**63 - 1, -(2**63) + 1]),
        "i": (pa.int32(), [-7, -1, 0, 1, 2, 3, 10, 2**31 - 1, -(2**31)]),
        "h": (pa.int16(), [-3, 0, 1, 2, 3, 4, 32767]),
        "x": (pa.float64(), [-2.5, -1.5, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 1e16, math.nan, math.inf, -math.inf]),
        "z": (pa.float64(), [-7.25, -3.0, 0.0, 0.125, 1.0, 2.0, 2.675, 1e-7, 12345.5]),
        "p": (pa.decimal128(9, 2), [decimal.Decimal(n) / 100 for n in (-150, -50, -1, 0, 1, 50, 100, 125, 135, 250)]),
        "q": (pa.decimal128(18, 4), [decimal.Decimal(n) / 10_000 for n in (-15000, 0, 1, 3333, 5000, 10000, 25000)]),
        "s": (pa.string(), _TEXTS),
        "o": (pa.string(), ["a", "b", "ab", "B", "사", ""]),
        "b": (pa.bool_(), [True, False]),
        "d": (pa.date32(), _DAYS),
        "e": (pa.date32(), _DAYS[5:]),
        "w": (pa.timestamp("us"), [
            datetime.datetime(2020, 1, 1), datetime.datetime(2020, 2, 29, 23, 59, 59, 999999),
            datetime.datetime(1969, 12, 31, 23, 59, 59), datetime.datetime(2019, 12, 31, 12),
            datetime.datetime(1900, 1, 1, 0, 0, 0, 1)]),
    }  # fmt: skip
    keys = list(range(rows)) if unique else [draw.choice([*range(12), None]) for _row in range(rows)]
    made = {"k": pa.array(keys, pa.int64())}
    for name, (kind, values) in some.items():
        made[name] = pa.array([draw.choice(values) if draw.random() < 0.85 else None for _row in range(rows)], kind)
    return pa.table(made)


One = Callable[[str], str]
"""What makes an expression of a kind, one step deeper."""


class Questions:
    """Questions by chance; `tables` are those that can be asked at a place, by the names they have there."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw

    def question(self) -> str:
        draw = self.draw
        made = draw.choice([self.rows, self.rows, self.groups, self.groups, self.windows, self.sets, self.within])()
        return made if draw.random() < 0.9 else f"WITH w AS ({made}) SELECT count(*) AS c FROM w"

    def one(self, *of: str) -> str:
        return self.draw.choice(of)

    # -- expressions

    def column(self, kind: str, names: tuple[str, ...]) -> str:
        return f"{self.draw.choice(names)}.{self.one(*(name for name, of in COLUMNS.items() if of == kind))}"

    def value(self, kind: str, names: tuple[str, ...], deep: int = 2) -> str:
        """An expression of a kind over the columns of tables."""
        draw = self.draw
        if deep <= 0 or draw.random() < 0.3:
            return self.column(kind, names) if draw.random() < 0.75 else self.constant(kind)

        def one(of: str) -> str:
            return self.value(of, names, deep - 1)

        if draw.random() < 0.2:
            return self.one(
                f"coalesce({one(kind)}, {one(kind)})",
                f"nullif({one(kind)}, {one(kind)})",
                f"CASE WHEN {one(TRUTH)} THEN {one(kind)} ELSE {one(kind)} END",
                f"CASE {self.column(WHOLE, names)} WHEN {self.constant(WHOLE)} THEN {one(kind)} END",
                f"greatest({one(kind)}, {one(kind)})",
                f"least({one(kind)}, {one(kind)}, NULL)",
                f"if({one(TRUTH)}, {one(kind)}, {one(kind)})",
            )
        return str(getattr(self, f"_{kind}")(one))

    def constant(self, kind: str) -> str:
        return {
            WHOLE: self.one("0", "1", "2", "-1", "-7", "3", "100", "CAST(2 AS SMALLINT)", "CAST(3 AS BIGINT)"),
            FLOAT: self.one("1e0", "-5e-1", "25e-1", "CAST(0 AS DOUBLE)", "1e-07", "CAST(2 AS DOUBLE)", "333e-3"),
            DECIMAL: self.one("0.5", "1.25", "-2.50", "0.0001", "3.0", "0.00"),
            TEXT: self.one("'a'", "''", "'사람'", "'%'", "'B'", "'a''b'", "'10'", "'\\'", "'${x}'", "'2020-01-01'"),
            TRUTH: self.one("TRUE", "FALSE", "NULL"),
            DAY: self.one("DATE '2020-01-01'", "DATE '2000-02-29'", "DATE '1969-12-31'", "DATE '2020-2-9'"),
            TIME: self.one("TIMESTAMP '2020-01-01 00:00:00'", "TIMESTAMP '1969-12-31 23:59:59.5'"),
        }[kind]

    def _whole(self, one: One) -> str:
        return self.one(
            f"{one(WHOLE)} + {one(WHOLE)}",
            f"({one(WHOLE)} - {one(WHOLE)})",
            f"{one(WHOLE)} * {one(WHOLE)}",
            f"-{one(WHOLE)}",
            f"-({one(WHOLE)})",
            f"abs({one(WHOLE)})",
            f"length({one(TEXT)})",
            f"{self.one('year', 'month', 'day')}({one(self.one(DAY, TIME))})",
            f"date_diff('day', {one(DAY)}, {one(self.one(DAY, TIME))})",
            f"CAST({one(self.one(WHOLE, FLOAT, DECIMAL, TRUTH))} AS {self.one('BIGINT', 'INTEGER', 'SMALLINT')})",
            f"TRY_CAST({one(self.one(WHOLE, FLOAT, DECIMAL))} AS {self.one('BIGINT', 'INTEGER', 'TINYINT')})",
            f"{one(WHOLE)}::{self.one('BIGINT', 'INTEGER')} + 1",
            f"round({one(WHOLE)}, {self.one('0', '1')})",
            f"trunc({one(WHOLE)})",
            f"strpos({one(TEXT)}, {one(TEXT)})",
            f"{one(DAY)} - {one(DAY)}",
            f"CAST({one(DAY)} AS DATE) - CAST({one(DAY)} AS DATE)",
        )

    def _float(self, one: One) -> str:
        return self.one(
            f"{one(FLOAT)} + {one(self.one(FLOAT, WHOLE, DECIMAL))}",
            f"({one(FLOAT)} - {one(FLOAT)})",
            f"{one(FLOAT)} * {one(self.one(FLOAT, WHOLE, DECIMAL))}",
            f"{one(self.one(FLOAT, WHOLE, DECIMAL))} / {one(self.one(FLOAT, WHOLE, DECIMAL))}",
            f"-{one(FLOAT)}",
            f"abs({one(FLOAT)})",
            f"round({one(FLOAT)}, {self.one('0', '1', '2')})",
            f"round({one(FLOAT)})",
            f"{self.one('trunc', 'floor', 'ceil', 'sqrt')}({one(FLOAT)})",
            f"floor({one(WHOLE)})",
            f"CAST({one(self.one(WHOLE, DECIMAL, FLOAT, TRUTH))} AS DOUBLE)",
            f"power(CAST(2 AS BIGINT), {self.one('0', '3', '-2')})",
        )

    def _decimal(self, one: One) -> str:
        return self.one(
            f"{one(DECIMAL)} + {one(self.one(DECIMAL, WHOLE))}",
            f"({one(DECIMAL)} - {one(DECIMAL)})",
            f"{one(DECIMAL)} * {one(self.one(DECIMAL, WHOLE))}",
            f"-{one(DECIMAL)}",
            f"abs({one(DECIMAL)})",
            f"round({one(DECIMAL)}, {self.one('0', '1', '3')})",
            f"{self.one('trunc', 'floor', 'ceil')}({one(DECIMAL)})",
        )

    def _text(self, one: One) -> str:
        return self.one(
            f"{one(TEXT)} || {one(self.one(TEXT, TEXT, WHOLE, DAY))}",
            f"lower({one(TEXT)})",
            f"trim({one(TEXT)})",
            f"substring({one(TEXT)}, {self.one('1', '2', '3')}, {self.one('0', '1', '2')})",
            f"substring({one(TEXT)}, 2)",
            f"replace({one(TEXT)}, {one(TEXT)}, {one(TEXT)})",
            f"concat({one(TEXT)}, {one(self.one(TEXT, WHOLE, DAY, TRUTH, DECIMAL))}, {one(TEXT)})",
            f"CAST({one(self.one(WHOLE, TRUTH, DECIMAL, DAY, TIME, FLOAT))} AS VARCHAR)",
            f"{one(WHOLE)}::VARCHAR || {one(WHOLE)}",
        )

    def _truth(self, one: One) -> str:
        kind = self.one(WHOLE, FLOAT, DECIMAL, TEXT, DAY, TIME)
        other = self.one(kind, kind, *{WHOLE: (FLOAT, DECIMAL), FLOAT: (WHOLE, DECIMAL), DAY: (TIME,)}.get(kind, ()))
        sign = self.one("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM", "!=")
        return self.one(
            f"{one(kind)} {sign} {one(other)}",
            f"{one(kind)} {sign} {one(other)}",
            f"{one(kind)} {self.one('IS', 'IS NOT')} NULL",
            f"{one(kind)} BETWEEN {one(kind)} AND {one(other)}",
            f"{one(kind)} {self.one('IN', 'NOT IN')} ({one(kind)}, {one(other)}, {self.one('NULL', one(kind))})",
            f"{one(TRUTH)} AND {one(TRUTH)} OR {one(TRUTH)}",
            f"NOT {one(TRUTH)}",
            f"NOT ({one(TRUTH)} OR {one(TRUTH)})",
            f"({one(TRUTH)}) = ({one(TRUTH)})",
            f"({one(TRUTH)}) IS {self.one('', 'NOT ')}{self.one('TRUE', 'FALSE', 'NULL')}",
            f"{one(TEXT)} {self.one('LIKE', 'NOT LIKE')} {self.one(*_LIKES)}",
            f"{self.one('starts_with', 'contains')}({one(TEXT)}, {one(TEXT)})",
            f"regexp_full_match({one(TEXT)}, {self.one(*_PATTERNS)})",
            f"isfinite({one(FLOAT)})",
            f"isnan({one(FLOAT)})",
            f"{one(DAY)} {sign} '{self.one('2020-01-01', '2020', '1999-12-31 00:00:00', '2020-1-1')}'",
            f"{one(WHOLE)} {sign} '{self.one('1', '-7', ' 1', '1.5')}'",
            f"CAST({one(self.one(WHOLE, FLOAT, DECIMAL))} AS BOOLEAN)",
            f"{one(TEXT)} IN ('a', {one(TEXT)})",
        )

    def _day(self, one: One) -> str:
        return self.one(
            f"{one(DAY)} {self.one('+', '-')} {self.one('1', '30', '365', 'CAST(2 AS INTEGER)')}",
            f"CAST({one(TIME)} AS DATE)",
            f"{one(TIME)}::DATE",
            f"TRY(make_date({one(WHOLE)}, {self.one('1', '2', '13')}, {self.one('1', '29', '31', '0')}))",
            f"make_date(2020, {self.one('1', '12')}, {self.one('1', '31')})",
        )

    def _time(self, one: One) -> str:
        return self.one(
            f"CAST({one(DAY)} AS TIMESTAMP)",
            f"{one(self.one(DAY, TIME))} + to_days({self.one('1', '-3', 'CAST(30 AS INTEGER)')})",
        )

    def any_value(self, names: tuple[str, ...], deep: int = 2) -> str:
        return self.value(self.one(WHOLE, FLOAT, DECIMAL, TEXT, TRUTH, DAY, TIME), names, deep)

    def total(self, names: tuple[str, ...]) -> str:
        """An aggregate."""
        number = self.value(self.one(WHOLE, FLOAT, DECIMAL), names, 1)
        told = self.one(
            "count(*)",
            f"count({self.any_value(names, 1)})",
            f"count(DISTINCT {self.any_value(names, 1)})",
            f"{self.one('sum', 'sum', 'avg', 'avg')}({self.one('', '', 'DISTINCT ')}{number})",
            f"{self.one('min', 'max')}({self.any_value(names, 1)})",
            f"{self.one('bool_and', 'bool_or', 'count_if')}({self.value(TRUTH, names, 1)})",
        )
        if self.draw.random() < 0.2:
            told += f" FILTER (WHERE {self.value(TRUTH, names, 1)})"
        return told if self.draw.random() < 0.8 else f"coalesce({told}, NULL)"

    # -- questions

    def source(self) -> tuple[str, tuple[str, ...]]:
        """Tables, and the names by which they are asked."""
        on = f"{self.one('a.k = b.k', 'a.k = b.k', 'a.n = b.n', 'a.s = b.s', 'a.x = b.x', 'a.d = b.e')}"
        if self.draw.random() < 0.3:
            on += f" AND {self.value(TRUTH, ('a', 'b'), 1)}"
        u = self.one("u", "u", "none")
        kind = self.one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "INNER JOIN")
        return self.draw.choice([
            ("t AS a", ("a",)),
            ("t AS a", ("a",)),
            ("u AS a", ("a",)),
            ("none AS a", ("a",)),
            (f"t AS a {kind} {u} AS b ON {on}", ("a", "b")),
            (f"t AS a {self.one('SEMI', 'ANTI')} JOIN {u} AS b ON {on}", ("a",)),
            (f"t AS a CROSS JOIN {u} AS b", ("a", "b")),
            ("t AS a, u AS b", ("a", "b")),
            (f"t AS a {self.one('JOIN', 'LEFT JOIN')} u AS b USING ({self.one('k', 'k, o')})", ("a", "b")),
            (f"(SELECT * FROM t WHERE {self.value(TRUTH, ('t',), 1)}) AS a", ("a",)),
        ])  # fmt: skip

    def where(self, names: tuple[str, ...]) -> str:
        a = names[0]
        inner = f"SELECT {self.one('c.k', 'c.n')} FROM {self.one('u', 'none')} AS c"
        return self.one(
            "",
            "",
            f" WHERE {self.value(TRUTH, names, 3)}",
            f" WHERE {self.value(TRUTH, names, 2)}",
            f" WHERE {self.one('', 'NOT ')}EXISTS (SELECT 1 FROM u AS c WHERE c.k = {a}.k AND "
            f"{self.value(TRUTH, ('c', a), 1)})",
            f" WHERE {a}.{self.one('k', 'n')} {self.one('IN', 'NOT IN')} ({inner})",
            f" WHERE {a}.{self.one('k', 'n')} {self.one('IN', 'NOT IN')} ({inner} WHERE c.o = {a}.o)",
            f" WHERE {a}.n > (SELECT {self.one('max', 'min', 'count', 'avg')}(c.n) FROM u AS c WHERE c.k = {a}.k)",
        )

    def rows(self) -> str:
        source, names = self.source()
        told = [f"{self.any_value(names, 3)} AS c{n}" for n in range(self.draw.randint(1, 4))]
        if self.draw.random() < 0.1:
            told = [self.one("*", f"{names[0]}.*", "* EXCLUDE (x)")]
        distinct = self.one("", "", "", "", "DISTINCT ", "DISTINCT ")
        return f"SELECT {distinct}{', '.join(told)} FROM {source}{self.where(names)}" + self.order(told)

    def order(self, told: list[str]) -> str:
        if self.draw.random() < 0.4 or "*" in told[0]:
            return ""
        how = [f"c{n} {self.one('', 'ASC', 'DESC')} {self.one('', 'NULLS FIRST', 'NULLS LAST')}"
               for n in range(len(told))]  # fmt: skip
        self.draw.shuffle(how)
        return self.one(
            f" ORDER BY {', '.join(how)}",
            f" ORDER BY {', '.join(how)}",
            f" ORDER BY {', '.join(how)} LIMIT {self.one('0', '1', '3', '100')}",
            f" ORDER BY {how[0]} LIMIT {self.one('1', '100', '1000')}",
            f" ORDER BY {self.one('1', '1 DESC', 'ALL')} LIMIT 3",
        )

    def groups(self) -> str:
        source, names = self.source()
        keys = [self.any_value(names, 1) for _key in range(self.draw.randint(0, 2))]
        if self.draw.random() < 0.3:
            keys = keys[:1] and [self.column(self.one(TEXT, TRUTH, FLOAT, DAY, WHOLE), names)]
        told = [f"{key} AS c{n}" for n, key in enumerate(keys)]
        told += [f"{self.total(names)} AS c{len(keys) + n}" for n in range(self.draw.randint(1, 3))]
        by = ", ".join(str(n + 1) for n in range(len(keys))) if self.draw.random() < 0.4 else ", ".join(keys)
        by = self.one(by, by, by, "ALL") if keys else ""
        having = f" HAVING {self.total(names)} {self.one('>', '<', '=')} {self.constant(WHOLE)}"
        text = f"SELECT {', '.join(told)} FROM {source}{self.where(names)}" + (f" GROUP BY {by}" if by else "")
        return text + (having if self.draw.random() < 0.3 else "") + self.order(told)

    def windows(self) -> str:
        source, names = self.source()
        part = f"PARTITION BY {self.any_value(names, 0)} " if self.draw.random() < 0.6 else ""
        how = self.one("", "DESC", "NULLS FIRST", "DESC NULLS LAST")
        order = f"ORDER BY {self.one(f'{names[0]}.k {how}', f'{self.any_value(names, 0)} {how}')}"
        frame = self.one(
            *("", "", "ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING"),
            *("ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "RANGE UNBOUNDED PRECEDING"),
            *("ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"),
            "RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING",
        )  # fmt: skip
        kind = self.one(WHOLE, FLOAT, DECIMAL)
        told = self.one(
            f"{self.one('row_number', 'rank', 'dense_rank')}() OVER ({part}{order})",
            f"{self.one('row_number', 'rank', 'dense_rank')}() OVER ({part}{order})",
            f"{self.one('lag', 'lead')}({self.any_value(names, 1)}{self.one('', ', 2')}) OVER ({part}{order})",
            f"{self.one('sum', 'avg', 'count')}({self.value(kind, names, 0)}) OVER ({part}{order} {frame})",
            f"{self.one('sum', 'avg', 'count')}({self.value(kind, names, 0)}) OVER ({part}{order} {frame})",
            f"{self.one('min', 'max')}({self.any_value(names, 0)}) OVER ({part}{order} {frame})",
            f"count(*) OVER ({part})",
        )
        columns = [f"{names[0]}.k AS c0", f"{told} AS c1"]
        if self.draw.random() < 0.2:
            columns[1] = f"{told} + 1 AS c1"
        return f"SELECT {', '.join(columns)} FROM {source}{self.where(names)}" + self.order(columns)

    def sets(self) -> str:
        kinds = [self.one(WHOLE, FLOAT, DECIMAL, TEXT, DAY, TRUTH) for _column in range(self.draw.randint(1, 2))]
        parts = []
        for _part in range(self.draw.randint(2, 3)):
            source, names = self.source()
            mixed = [self.one(kind, kind, kind, WHOLE if kind in (FLOAT, DECIMAL) else kind) for kind in kinds]
            told = ", ".join(f"{self.value(kind, names, 1)} AS c{n}" for n, kind in enumerate(mixed))
            parts.append(f"SELECT {told} FROM {source}{self.where(names)}")
        words = ("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL")
        text = parts[0]
        for part in parts[1:]:
            text += f" {self.one(*words)} {part}"
        return text + self.order(kinds)

    def within(self) -> str:
        """A question about the rows of another."""
        inner = self.one(self.rows(), self.groups(), self.windows())
        return self.one(
            f"SELECT count(*) AS c, count(DISTINCT c0) AS d FROM ({inner}) AS v",
            f"WITH v AS ({inner}) SELECT * FROM v WHERE c0 IS NOT NULL",
            f"WITH v AS ({inner}) SELECT p.c0 AS c0 FROM v AS p JOIN v AS r ON p.c0 = r.c0",
            f"SELECT v.c0, (SELECT count(*) FROM u WHERE u.n = v.c0) AS c1 FROM ({inner}) AS v",
            f"SELECT c0, count(*) AS c1 FROM ({inner}) AS v GROUP BY c0 ORDER BY c1 DESC, c0",
        )


_LIKES = ["'a%'", "'%b'", "'_'", "'__'", "'%\\%'", "'사%'", "''", "'a_b'", "'%''%'"]
_PATTERNS = ["'[a-z]*'", "'a.b'", "'[0-9]+'", "'.'", "'..'", "'[가-힣]+'", "'(a|ab)+'", "'\\d+'", "'[^a]*'", "'a{1,2}'",
             "'.*\\n.*'", "'\\w+'", "'^a$'", "'|a'"]  # fmt: skip
