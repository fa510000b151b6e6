"""Random questions on both engines: equal answers, names and types of columns, or a refusal; never another answer."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from lakes import commit, new_lake
from spark_questions import Questions, tables
from test_spark import _needed

import support
from madang.app.commands.sql_output import _values
from madang.base.errors import MadangError
from madang.lake import Engine, Version
from madang.lake.spark import SparkEngine, as_asked

FEW, MANY = 40, 600
REFUSED = ("spark.subset", "spark.syntax", "spark.failed", "spark.value")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return commit(new_lake(tmp_path_factory.mktemp("asked")).dataset("d"), tables(Random(23)))


@pytest.fixture(scope="module")
def spark(version: Version) -> Iterator[SparkEngine]:
    _needed()
    with SparkEngine(memory="1g", threads=2, master="local[2]") as engine:
        engine.attach(version)
        yield engine


def test_random_questions_have_one_answer_or_none(version: Version, spark: SparkEngine) -> None:
    draw = Random(support.SEED if support.EVERYTHING else 23)
    questions, told, differing = Questions(draw), Counter[str](), []
    with Engine(threads=1) as duck:
        version.attach(duck)
        for _question in range(MANY if support.EVERYTHING else FEW):
            sql = questions.question()
            outcome, why = compare(sql, version, duck, spark)
            told[outcome] += 1
            if outcome == "differs":
                differing.append((sql, why))
    assert not differing
    assert told["equal"] > sum(told.values()) / 3, told


def compare(sql: str, version: Version, duck: Engine, spark: SparkEngine) -> tuple[str, Any]:
    """What became of a question: equal, refused, wrong on both, differs; and why."""
    try:
        here = duck.query(sql)
    except MadangError as error:
        here = error
    try:
        there = spark.table(as_asked(sql, version))
    except MadangError as error:
        if error.code in REFUSED or isinstance(here, MadangError):
            return ("refused" if not isinstance(here, MadangError) else "wrong"), f"{error.code}: {error.message}"
        return "differs", f"{error.code}: {error.message}"
    if isinstance(here, MadangError):
        return "differs", f"here: {here.message} there: {there.to_pylist()[:3]}"
    if here.schema != there.schema:
        return "differs", f"{here.schema} {there.schema}"
    one, two = (_rows(each) for each in (here, there))
    _before, ordered, by = sql.rpartition(")")[2].rpartition("ORDER BY ")
    whole = by.startswith("ALL") or by.count(",") + 1 >= here.num_columns
    if not (ordered and whole):  # rows that are alike in it come in any order
        one, two = sorted(one), sorted(two)
    if one == two:
        return "equal", ""
    return "differs", [each for each in zip(one, two, strict=False) if each[0] != each[1]][:3] or (len(one), len(two))


def _rows(table: Any) -> list[tuple[str, ...]]:
    """Rows as text: what is no number is itself, and a zero has no sign."""
    columns = [list(map(_said, _values(column))) for column in table.columns]
    return list(zip(*columns, strict=True))


def _said(value: Any) -> str:
    if isinstance(value, float):  # the last digit of a sum depends on the order of rows, on either engine
        return "0.0" if value == 0 else f"{value:.12g}"
    return repr(value)


OPEN = {
    "SELECT k FROM t LIMIT 3": "ORDER BY",
    "SELECT k FROM t ORDER BY b LIMIT 3": "alike",
    "SELECT count(*) FROM (SELECT k FROM t ORDER BY k LIMIT 3)": "LIMIT",
    "SELECT k, row_number() OVER (ORDER BY b) FROM t": "alike",
    "SELECT k, row_number() OVER () FROM t": "ORDER BY",
    "SELECT k, lag(k) OVER (PARTITION BY b ORDER BY o) FROM t": "alike",
    "SELECT k, sum(i) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING) FROM t": "alike",
    "SELECT round(2.675::DOUBLE, 2) FROM t": "digits",
    "SELECT (d + 1)::VARCHAR FROM t": "year",
    "SELECT k FROM t WHERE TRY(make_date(k, 1, 1)) IS NULL": "year",
    "SELECT k FROM t WHERE d > '2020'": "2020",
    "SELECT k FROM t WHERE x < 'nan'": "nan",
    "SELECT k FROM t WHERE CAST(k AS FLOAT) = 0.1": "FLOAT",
    "SELECT CAST(1e-07 AS VARCHAR) AS c FROM t": "text",
    "SELECT k FROM t WHERE (k, n) = (1, 2)": "ROW",
    "SELECT d - e AS days FROM t": "days",
    "SELECT * FROM t JOIN u USING (k)": "USING",
}


@pytest.mark.parametrize("sql", OPEN)
def test_what_sql_or_an_engine_leaves_open_is_refused(sql: str, version: Version, spark: SparkEngine) -> None:
    with pytest.raises(MadangError) as caught:
        spark.table(as_asked(sql, version))
    assert caught.value.code == "spark.subset"
    assert OPEN[sql] in str(caught.value)


CERTAIN = [
    "SELECT k FROM t ORDER BY k DESC LIMIT 3",
    "SELECT o FROM t ORDER BY o LIMIT 3",
    "SELECT k, s FROM t ORDER BY n + 1e0 NULLS FIRST, k LIMIT 4",
    "SELECT o, count(*) FROM t GROUP BY o ORDER BY count(*) DESC, o LIMIT 2",
    "SELECT x, k FROM t ORDER BY ALL DESC LIMIT 5",
    "SELECT k, row_number() OVER (PARTITION BY b ORDER BY o, k) FROM t",
    "SELECT count(*), sum(k), k, k AS \"a`b\" FROM t GROUP BY k",
    "SELECT NULL, 1.50, count(*) / 3 FROM t",
    "SELECT isnan(x), count_if(b), count_if(k > NULL) FROM u GROUP BY 1 ORDER BY ALL",
    "SELECT count_if(b) FILTER (WHERE b IS NULL) FROM u",
    "SELECT 'a' || k + 1, -k || '', k * 2 - 1 - 1, NOT b = TRUE, NOT b IS NULL FROM t",
    "SELECT k FROM t WHERE d > '2020-01-01' AND k < '30' -- */ , reflect('java.lang.System', 'exit', 1)",
]  # fmt: skip


@pytest.mark.parametrize("sql", CERTAIN)
def test_what_is_certain_is_answered_with_names_and_types(sql: str, version: Version, spark: SparkEngine) -> None:
    with Engine(threads=1) as duck:
        version.attach(duck)
        assert compare(sql, version, duck, spark) == ("equal", "")


def test_every_letter_is_read_alike(tmp_path: Path, spark: SparkEngine) -> None:
    """All that Unicode has, with --all, but those that never are letters; else those below U+3100 and a tenth more."""
    never = {*range(0xD800, 0xE000), *range(0xFDD0, 0xFDF0)}
    some = (n for n in range(1, 0x110000) if support.EVERYTHING or n < 0x3100 or n % 10 == 0)
    letters = [chr(n) for n in some if n not in never and n % 0x10000 < 0xFFFE]
    made = commit(new_lake(tmp_path).dataset("l"), {"l": pa.table({"c": letters})})
    sql = """SELECT count(*), count(DISTINCT c), sum(length(c)), sum(length(trim(c))), count_if(c LIKE '_'),
        count_if(regexp_full_match(c, '.')), min(c), max(c), count_if(substring(c || 'b', 2, 1) = 'b') FROM l"""
    changed = "SELECT c, lower(c), trim(c) FROM l WHERE lower(c) <> c OR trim(c) <> c ORDER BY c"
    spark.attach(made)
    with Engine(threads=1) as duck:
        made.attach(duck)
        for each in (sql, changed):
            assert spark.table(as_asked(each, made)).to_pylist() == duck.query(each).to_pylist()
