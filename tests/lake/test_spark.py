"""Spark beside DuckDB: every construct of the written subset on both engines, one set of files, equal answers."""

import contextlib
import datetime
import decimal
import math
import random
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import commit, new_lake
from spark_cluster import Killing, standalone

from madang.base.errors import Cancelled, MadangError
from madang.lake import Engine, Version
from madang.lake.spark import Script, SparkEngine, as_asked, to_spark
from madang.lake.spark.engine import installed
from madang.lake.spark.faults import explained
from madang.lake.spark.grouping import grouped
from support import EVERYTHING, MISSING

SAME = [
    "SELECT count(*) FROM t",
    "SELECT count(*) FROM (SELECT * FROM t WHERE n > 2)",
    "SELECT count(*) FROM t WHERE n <> 3 AND NOT (n = 4) OR n IS NULL",
    "SELECT count(DISTINCT s) FROM t",
    "SELECT n, count(*) AS c, sum(n), min(s), max(d), avg(x) FROM t WHERE isfinite(x) GROUP BY n HAVING count(*) > 0",
    "SELECT n FROM t WHERE n IS DISTINCT FROM 3",
    "SELECT n FROM t WHERE n IS NOT DISTINCT FROM NULL",
    "SELECT n / 2, -n, n + 1, n - 1, n * 3 FROM t",
    "SELECT n FROM t WHERE n IN (1, 2) AND n BETWEEN 1 AND 2",
    "SELECT n FROM t WHERE n NOT IN (SELECT k FROM u)",
    "SELECT n FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.n)",
    "SELECT t.n, u.k FROM t LEFT JOIN u ON u.k = t.n",
    "SELECT t.n, u.k FROM t JOIN u USING (n)",
    "SELECT n FROM t UNION ALL SELECT k FROM u",
    "SELECT n FROM t UNION SELECT k FROM u",
    "SELECT n FROM t INTERSECT SELECT k FROM u",
    "SELECT n FROM t EXCEPT SELECT k FROM u",
    "WITH w AS (SELECT n FROM t WHERE n > 1) SELECT count(*) FROM w",
    "SELECT CASE WHEN n > 2 THEN 'many' WHEN n IS NULL THEN 'none' ELSE 'few' END FROM t",
    "SELECT coalesce(n, -1), nullif(n, 3), abs(m) FROM t",
    "SELECT n FROM t WHERE x < 1e-07",
    "SELECT n FROM t WHERE x > 1.5",
    "SELECT n, CAST(z AS BIGINT), TRY_CAST(z AS INTEGER), CAST(p AS INTEGER) FROM t WHERE z BETWEEN -9 AND 9000",
    "SELECT trunc(z), floor(z), ceil(z), trunc(p), floor(p), ceil(p), trunc(n), floor(-z) FROM t",
    "SELECT n FROM t WHERE x <> trunc(x) OR floor(x) = x OR NOT isfinite(x)",
    "SELECT p / 3, p / p, n / 2.5, avg(p), avg(n) FROM t WHERE p > 0 GROUP BY p, n",
    "SELECT lower(o), trim(o), length(o), substring(o, 1, 2), substring(o, 2) FROM t",
    "SELECT n FROM t WHERE o LIKE 'a\\%' OR o LIKE '%\\_' OR o LIKE '_ '",
    "SELECT n FROM t WHERE regexp_full_match(o, 'a.') OR regexp_full_match(trim(o), '[+-]?[0-9]+')",
    "SELECT floor(x), ceil(x), trunc(x) FROM t WHERE isfinite(x)",
    "SELECT n FROM t WHERE NOT isfinite(x)",
    "SELECT CAST(x AS BIGINT) FROM t WHERE x = 2.0",
    "SELECT TRY_CAST(s AS BIGINT) FROM t",
    "SELECT lower(s), length(s), trim(s) FROM t",
    "SELECT s || '!' FROM t",
    "SELECT n FROM t WHERE s LIKE '사%'",
    "SELECT n FROM t WHERE regexp_full_match(s, '[0-9]+')",
    "SELECT n FROM t WHERE regexp_full_match(s, '사람.')",
    "SELECT year(d), month(d), day(d) FROM t",
    "SELECT TRY(make_date(y::BIGINT, m::BIGINT, n::BIGINT)) FROM t WHERE y < 10000",
    "SELECT n FROM t WHERE d > DATE '2020-02-29'",
    "SELECT d::DATE, w::DATE FROM t",
    "SELECT n FROM t WHERE w > TIMESTAMP '2020-01-01 12:00:00'",
    "SELECT n, row_number() OVER (PARTITION BY m ORDER BY n NULLS LAST) FROM t WHERE n IS NOT NULL",
    "SELECT n, lag(n) OVER (ORDER BY n) FROM t WHERE n IS NOT NULL",
    "SELECT count(*) FILTER (WHERE n > 2) FROM t",
    "SELECT d + to_days(CAST(-3 AS INTEGER)), w + to_days(n::INTEGER) FROM t WHERE n < 4",
    "SELECT (d + to_days(1)) + to_days(-2) FROM t WHERE n < 4",
    "SELECT n FROM t WHERE d + to_days(CAST(366 AS INTEGER)) > w",
    "SELECT n FROM t WHERE coalesce(w, d + to_days(1)) <= d + to_days(CAST(1 * 30 AS INTEGER)) AND y < 9999",
    "SELECT datediff('day', d, w), datediff('day', w, d), datediff('day', d::DATE, DATE '2000-02-29') FROM t",
    "SELECT w::DATE - d::DATE, (d::DATE - DATE '2000-02-29') >= 30, (w::DATE - (d::DATE)) / 7 FROM t",
    "SELECT power(CAST(2 AS BIGINT), m), sum(power(CAST(2 AS BIGINT), n)) FROM t GROUP BY m",
    "SELECT CAST(2000 AS TEXT) || '-' || CAST(9 AS TEXT) || '-' || CAST(1 AS TEXT) < CAST(d AS TEXT) FROM t",
    "SELECT CAST((CAST(2000 AS TEXT) || '-' || CAST(9 AS TEXT) || '-' || CAST(1 AS TEXT)) AS DATE)",
    "SELECT m, sum(n) OVER (PARTITION BY m ORDER BY n, m DESC ROWS UNBOUNDED PRECEDING) FROM t",
    "SELECT n, max(d) OVER (PARTITION BY m ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM t",
    "SELECT m, n, row_number() OVER (ORDER BY m DESC, n) FROM t",
    "SELECT m, NULL::BIGINT AS who, count(*) FROM t GROUP BY ALL",
    "SELECT trunc(trunc(x)), isfinite(trunc(x)) FROM t WHERE isfinite(x)",
    "SELECT p FROM t WHERE p > 1.25",
    "SELECT n FROM t WHERE s NOT LIKE '%a%' AND NOT o LIKE 'a%'",
    "SELECT floor(n + 1), ceil(z + n), trunc(p + 1), lower(s || 'A'), length(trim(s || ' ')) FROM t WHERE n > 1",
    "SELECT n / 0, 0 / n, x / (x - x), -n / 0.0, p / 0 FROM t",
    "SELECT avg(n), avg(p), avg(p) FILTER (WHERE n > 1), avg(DISTINCT n), avg(x) FROM t WHERE abs(x) > 1",
    "SELECT n, avg(p) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WHERE n IS NOT NULL",
    "SELECT round(p, 1), round(z / 4, 3), round(n, 1), round(p) FROM t WHERE abs(z) < 100",
    "SELECT concat(s, NULL, n, d, p), s || m || d, w || '' FROM t",
    "SELECT '${spark.app.name}' || '${env:HOME}' FROM t",
    "SELECT n FROM t WHERE n NOT IN (SELECT k FROM u WHERE k IS NOT NULL) OR m IN (SELECT k FROM u)",
]
LINKED = [  # whether there is a row in another table, in all shapes: those that are grouped, and those that are not
    f"SELECT count(*) FROM (SELECT t.* FROM t AS t WHERE {condition})"
    for condition in (
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.n)",
        "NOT EXISTS (SELECT * FROM u AS o WHERE o.k = t.n)",
        "t.n IS NOT NULL AND NOT EXISTS (SELECT * FROM u AS o WHERE t.n = o.k)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND o.n > 3)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND (o.n > 3 OR o.n IS NULL) AND t.n = 4)",
        "NOT EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND o.n > 3 AND t.n > 4)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND t.n > o.n)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND t.n + 0 >= o.n + 0 AND o.n < 100)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND o.n < t.n)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND o.n >= t.n) OR t.n = 1",
        "NOT EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND t.n <= o.n)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND t.n <= o.n AND t.y > o.n)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.m AND o.n = t.n)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.n) AND EXISTS (SELECT * FROM t AS o WHERE o.m = t.n AND o.s = '')",
        "EXISTS (SELECT * FROM u AS o WHERE o.n > 3)",
        "EXISTS (SELECT * FROM u AS o WHERE o.k = t.n AND TRUE)",
        "t.n IN (SELECT k FROM u)",
    )
]
KILLS = 4  # of executors
IN_ORDER = [
    "SELECT n FROM t ORDER BY n",
    "SELECT n FROM t ORDER BY n DESC",
    "SELECT s FROM t ORDER BY s NULLS FIRST, n LIMIT 3",
]
REFUSED = {
    "SELECT median(n) FROM t": "median",
    "SELECT * FROM read_parquet('/etc/x')": "read_parquet",
    "SELECT n // 2 FROM t": "",
    "SELECT n % 2 FROM t": "MOD",
    "SELECT * FROM other.t": "other.t",
    "SELECT list(n) FROM t": "",
    "SELECT upper(s) FROM t": "upper",  # ß is SS there and ß here
    "SELECT d + INTERVAL 1 YEAR FROM t": "INTERVAL",  # a date there and a time here
    "SELECT strftime(d, '%Y') FROM t": "",
    "SELECT n::HUGEINT FROM t": "",
    "SELECT exp(n), ln(n) FROM t": "exp",  # the last digit is a matter of the processor
    "SELECT n FROM t WHERE s LIKE o": "LIKE",
    "SELECT substring(s, 0, 2) FROM t": "substring",
    "SELECT substring(s, 2, -1) FROM t": "substring",
    "SELECT CAST('2020' AS DATE)": "2020",
    "SELECT CAST('2.5' AS BIGINT)": "2.5",
    "SELECT n FROM t WHERE regexp_full_match(s, '(?i)a')": "(?i)a",
    "SELECT n FROM t WHERE regexp_full_match(s, '[[:alpha:]]')": "alpha",
    "SELECT n FROM t WHERE regexp_full_match(s, '\\s')": "pattern",
    "SELECT my_function(n) FROM t": "my_function",
    "SELECT datediff('year', d, w) FROM t": "datediff",  # years that begin here, years that are over there
    "SELECT power(n, 2) FROM t": "power",
    "SELECT d - to_days(1) FROM t": "to_days",
    "SELECT to_days(1) FROM t": "to_days",
    "SELECT reflect('java.lang.System', 'exit', 1) FROM t": "reflect",
    "SELECT * FROM t ASOF JOIN u ON t.n >= u.k": "",
    "DELETE FROM t": "Only one SELECT",
    "SELECT 1; SELECT 2": "Only one SELECT",
    "SELECT n FROM t QUALIFY row_number() OVER (ORDER BY n) = 1": "",
    # What would be left out on the way, and so be another question.
    "SELECT n FROM t WHERE regexp_full_match(s, 'A', 'i')": "options",
    "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM t": "exclude",
    "SELECT ltrim(s) FROM t": "position",
    "SELECT trim(s, 'a') FROM t": "trim",
    "SELECT max(n, 2) FROM t": "",
    "SELECT TRY(CAST(s AS BIGINT)) FROM t": "try",
    "SELECT n FROM t UNION ALL BY NAME SELECT k AS n FROM u": "by_name",
    "SELECT DISTINCT ON (n) n, m FROM t": "",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r": "recursive",
    "SELECT n FROM t ORDER BY n LIMIT 2 OFFSET 1": "offset",
    "SELECT n NOT IN (SELECT k FROM u) FROM t": "IN",  # false there where it is not known
    "SELECT round(x, -1) FROM t": "round",
}


def _needed() -> None:
    """Skip aloud where Spark cannot run."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{MISSING}Spark in an environment of its own, and Java 17: engines are not compared")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Rows with what engines differ in: nulls, negatives, what is no number, texts of both scripts, odd dates."""
    day, at = datetime.date, datetime.datetime
    t = pa.table(
        {
            "n": pa.array([1, 2, 3, 4, 5, None], pa.int64()),
            "m": pa.array([-7, 13, 0, 2, 2, None], pa.int32()),
            "y": pa.array([2020, 2021, 1900, 10000, 9999, None], pa.int64()),
            "x": pa.array([-1.5, 2.0, math.nan, math.inf, 1e-9, None], pa.float64()),
            "z": pa.array([1980.5, 1981.5, -2.5, 1e19, -1e300, None], pa.float64()),
            "o": pa.array(["İΟΔΟΣ", "\u300042\u00a0", "a\\b", "a\r", "e\u0301 ", None]),
            "p": pa.array([decimal.Decimal(text) for text in ("1.20", "1.25", "1.30", "-1.00", "0.00")] + [None]),
            "s": pa.array(["사람1", " a ", "42", "", "Straße", None]),
            "d": pa.array([day(2020, 2, 29), day(1970, 1, 1), day(1582, 10, 4), day(1, 1, 1), day(9999, 12, 31), None]),
            "w": pa.array([at(2020, 2, 29, 23, 59, 59), at(1969, 12, 31), at(2038, 1, 19), None, None, None]),
        }
    )
    u = pa.table({"k": pa.array([2, 3, 9, 2, 2, None], pa.int64()), "n": pa.array([3, 4, 5, None, 6, 1], pa.int64())})
    return commit(new_lake(tmp_path_factory.mktemp("spark")).dataset("two"), {"t": t, "u": u})


@pytest.fixture(scope="module")
def spark(version: Version) -> Iterator[SparkEngine]:
    """A session that is started where time zone, order of letters, and what Spark is there are others'."""
    _needed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Seoul")
        patch.setenv("LC_ALL", "tr_TR.UTF-8")
        patch.setenv("LANG", "tr_TR.UTF-8")
        patch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=tr -Duser.country=TR -Duser.timezone=Asia/Seoul")
        patch.setenv("SPARK_HOME", "/opt/another")
        patch.setenv("SPARK_REMOTE", "sc://another")
        patch.setenv("PYSPARK_SUBMIT_ARGS", "--master another")
        engine = SparkEngine(memory="1g", threads=2, master="local[2]").__enter__()
    with contextlib.ExitStack() as stack:
        stack.push(engine)
        engine.attach(version)
        yield engine


def test_every_construct_has_one_answer_on_both_engines(version: Version, spark: SparkEngine) -> None:
    differing: list[tuple[Any, ...]] = []
    with Engine() as duck:
        version.attach(duck)
        for sql in [*SAME, *IN_ORDER]:
            try:
                there, here = spark.rows(sql), duck.rows(sql)
            except MadangError as error:
                differing.append((sql, str(error), ""))
                continue
            if sql not in IN_ORDER:
                there, here = sorted(there, key=repr), sorted(here, key=repr)
            if _told(there) != _told(here):
                differing.append((sql, there, [list(row) for row in here]))
    assert not differing


def test_questions_asked_together_have_the_answers_of_each(version: Version, spark: SparkEngine) -> None:
    questions = {sql: sql for sql in SAME if sql.startswith(("SELECT count(*) FROM t", "SELECT count(*) FROM (SELECT"))}
    questions |= {"nobody": "SELECT sum(n) FROM t WHERE n > 99"}
    questions |= {sql: sql for sql in LINKED}
    with Engine() as duck:
        version.attach(duck)
        assert spark.counts(questions) == {name: duck.value(sql) for name, sql in questions.items()}


def test_questions_of_a_kind_are_one_reading() -> None:
    """So that the test above compares what it says: all but those that are left alone by their shape are grouped."""
    readings, rest = grouped({sql: sql for sql in LINKED})
    assert [len(reading.names) for reading in readings] == [len(LINKED) - len(rest)]
    assert len(rest) == 4


SCRIPT = """
CREATE TEMP TABLE Few (a INTEGER NOT NULL, b BIGINT);
-- what is said between statements
INSERT INTO Few (b, a) SELECT n, m FROM main.t WHERE n < 4;
INSERT INTO Few (a) SELECT DISTINCT k FROM main.u WHERE k IS NOT NULL;
ANALYZE Few;
CREATE TEMP TABLE more AS WITH of AS (SELECT * FROM Few) SELECT a, b FROM of UNION ALL SELECT a + 1, b FROM Few;
DELETE FROM Few WHERE b > 1;
DELETE FROM results.kept WHERE a = 0;
INSERT INTO results.kept (a, b, d) SELECT Few.a, more.b, DATE '2020-02-28' + to_days(more.a::INTEGER)
    FROM Few JOIN more ON Few.a = more.a;
DELETE FROM more;
INSERT INTO results.kept (a) SELECT count(*) FROM more;
DROP TABLE more;
DELETE FROM Few; DROP TABLE Few;
"""


def test_a_script_makes_the_same_tables_on_both_engines(version: Version, spark: SparkEngine) -> None:
    wanted = "SELECT a, b, d FROM results.kept ORDER BY a, b, d"
    made = "CREATE TABLE results.kept (a INTEGER, b BIGINT, d DATE)"
    there = Script(spark)
    there.execute("CREATE VIEW main.t AS SELECT * FROM t; CREATE VIEW main.u AS SELECT * FROM u; " + made)
    with Engine() as here:
        version.attach(here)
        here.execute(f"CREATE SCHEMA results; {made}")
        for _again in range(2):
            here.execute(SCRIPT)
            there.execute(SCRIPT)
            assert there.rows(wanted) == here.rows(wanted)
    assert len(there.rows(wanted)) > 10
    with pytest.raises(MadangError, match="Few"):
        there.rows("SELECT * FROM Few")


def test_a_script_that_fails_leaves_nothing_and_says_what_it_may_not(spark: SparkEngine) -> None:
    there = Script(spark)
    with pytest.raises(MadangError) as caught:
        there.execute("CREATE TEMP TABLE half AS SELECT 1 AS a; CREATE TEMP TABLE other AS SELECT median(a) FROM half")
    assert caught.value.code == "spark.subset"
    with pytest.raises(MadangError, match="half"):
        there.rows("SELECT * FROM half")
    for sql in ("COPY t TO '/tmp/x'", "UPDATE t SET n = 1", "INSERT INTO t SELECT 1", "ATTACH 'x'", "SET a = 1"):
        with pytest.raises(MadangError) as caught:
            there.execute(sql)
        assert caught.value.code in ("spark.subset", "spark.syntax"), sql


def test_whoever_stops_it_is_told_so(version: Version) -> None:
    _needed()
    with SparkEngine(memory="1g", threads=1, master="local[1]") as engine:
        engine.attach(version)
        threading.Timer(1, engine.cancel).start()
        with pytest.raises(Cancelled):
            engine.rows("SELECT count(*) FROM " + ", ".join(f"t AS t{n}" for n in range(14)))


def test_a_question_that_fails_leaves_the_engine_standing(spark: SparkEngine) -> None:
    """What is wrong is told as what it is: the question, or a value of the data."""
    for sql, code in (
        ("SELECT nothing FROM t", "spark.failed"),
        ("SELECT count(*) FROM t WHERE n > DATE '2020-01-01'", "spark.failed"),
        ("SELECT CAST(s AS BIGINT) FROM t", "spark.value"),
        ("SELECT sum(n * 9223372036854775807) FROM t", "spark.value"),
    ):
        with pytest.raises(MadangError) as caught:
            spark.rows(sql)
        assert caught.value.code == code, sql
        assert "Exception" not in str(caught.value) and "calling o" not in str(caught.value)
    assert spark.value("SELECT count(*) FROM t") == 6
    asked = {"whole": "SELECT count(*) FROM t", "bad": "SELECT count(*) FROM t WHERE CAST(s AS BIGINT) > 1"}
    found = spark.counts(asked | {"none": "SELECT count(*) FROM t WHERE nothing > 1"})
    told = {name: each.code if isinstance(each, MadangError) else each for name, each in found.items()}
    assert told == {"whole": 6, "bad": "spark.value", "none": "spark.failed"}


@pytest.mark.parametrize("fault", ["lost", "cut short", "garbled"])
def test_a_file_that_breaks_on_the_way_ends_all_questions(fault: str, spark: SparkEngine, tmp_path: Path) -> None:
    """It is named, and not told of each question as a value of it."""
    path = tmp_path / "broken.parquet"
    rows = {"n": list(range(5000)), "s": [f"{n} is a number" for n in range(5000)]}
    pq.write_table(pa.table(rows), path, compression="none", use_dictionary=False)
    spark.open({"broken": [str(path)]})
    whole = path.read_bytes()
    path.unlink()
    if fault != "lost":
        half = len(whole) // 2
        path.write_bytes(whole[:half] if fault == "cut short" else b"x" * half + whole[half:])
    with pytest.raises(MadangError) as caught:
        spark.counts({str(n): f"SELECT count(*) FROM (SELECT t.* FROM broken t WHERE n < {n})" for n in range(5)})
    assert caught.value.code == "spark.file"
    assert "broken.parquet" in caught.value.message


def test_what_it_cannot_work_out_is_no_fault_of_the_question() -> None:
    lost = "Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times: ExecutorLostFailure"
    told = {"error": lost, "state": "", "condition": ""}
    assert (explained(told).code, explained(told | {"stopped": True}).code) == ("spark.job", "spark.stopped")
    assert explained(told | {"condition": "OUT_OF_MEMORY"}).code == "spark.stopped"
    assert lost in explained(told).message


def test_nobody_else_on_this_machine_reads_what_spark_puts_aside(version: Version) -> None:
    _needed()
    with SparkEngine(memory="1g", threads=1, master="local[1]") as engine:
        engine.attach(version)
        engine.make("kept", "SELECT * FROM t", keep=True)
        assert engine.value("SELECT count(*) FROM kept") == 6
        assert engine._room is not None
        room = Path(engine._room.name)
        assert stat.S_IMODE(room.stat().st_mode) == 0o700
        assert list(room.rglob("*"))
    assert not room.exists()


def test_whoever_kills_spark_is_told_and_nothing_is_lost(version: Version) -> None:
    _needed()
    before = {path: path.stat().st_mtime_ns for table in version.tables.values() for path in table.paths}
    with SparkEngine(memory="1g", threads=1, master="local[1]") as engine:
        engine.attach(version)
        assert engine._process is not None
        engine._process.kill()
        with pytest.raises(MadangError) as caught:
            engine.rows("SELECT count(*) FROM t")
    assert caught.value.code == "spark.lost"
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_outside_of_the_subset_is_refused_with_its_place(sql: str) -> None:
    with pytest.raises(MadangError) as caught:
        to_spark(sql)
    assert caught.value.code == "spark.subset"
    assert REFUSED[sql].lower() in str(caught.value).lower()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT TRY_CAST(s AS INTEGER) FROM t",
        "SELECT n FROM t WHERE n = 1 AND x::VARCHAR <> '1.0'",
        "SELECT 'it is ' || half FROM (SELECT x / 2 AS half FROM t)",
        "SELECT n FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.n AND t.s::DATE > DATE '2020-01-01')",
        "SELECT n FROM t WHERE (SELECT max(x)::VARCHAR FROM t) = s",
        "SELECT n FROM t WHERE s = n",
    ],
)
def test_somebodys_casts_of_text_are_refused(sql: str, version: Version, spark: SparkEngine) -> None:
    """Each engine reads and writes texts of numbers and times in its own way; written as a cast or not."""
    with pytest.raises(MadangError) as caught:
        spark.table(as_asked(sql, version))
    assert caught.value.code in ("spark.subset", "engine.columns")


def test_somebodys_other_casts_are_answered(version: Version, spark: SparkEngine) -> None:
    sql = "SELECT n::INTEGER, x::BIGINT, n::VARCHAR || '-' || m, d::VARCHAR FROM t WHERE isfinite(x) ORDER BY n"
    with Engine() as duck:
        version.attach(duck)
        there, here = spark.table(as_asked(sql, version)), duck.query(sql)
    assert there.schema == here.schema
    assert there.to_pylist() == here.to_pylist()


def test_a_column_that_is_compared_otherwise_is_refused(tmp_path: Path, spark: SparkEngine) -> None:
    made = commit(new_lake(tmp_path).dataset("f"), {"g": pa.table({"f": pa.array([0.1], pa.float32())})})
    with pytest.raises(MadangError) as caught:
        spark.attach(made)
    assert caught.value.code == "spark.type" and "f of g" in caught.value.message


def test_sql_that_cannot_be_read_is_one_sentence() -> None:
    with pytest.raises(MadangError) as caught:
        to_spark("SELECT FROM WHERE (")
    assert caught.value.code == "spark.syntax" and "\x1b" not in caught.value.message


def _told(rows: list[Any]) -> list[list[str]]:
    """Rows as what they say: 2 and 2.0 and Decimal('2') are one number, and what is no number is itself."""
    return [[_said(value) for value in row] for row in rows]


def _said(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.date):
        return f"{value.isoformat()}"
    if isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value)


@pytest.mark.big
@pytest.mark.skipif(not EVERYTHING, reason="only with --all: a cluster takes minutes to start")
def test_executors_that_are_killed_change_nothing(tmp_path: Path) -> None:
    """On a standalone cluster of two workers, one of whose executors is killed at random moments."""
    _needed()
    draw = random.Random(23)
    version = commit(
        new_lake(tmp_path).dataset("many"),
        {"t": pa.table({"n": list(range(200_000)), "g": [draw.randrange(500) for _row in range(200_000)]})},
    )
    questions = [
        "SELECT g, count(*) AS c, sum(n) AS s FROM t GROUP BY g",
        "SELECT count(*) FROM t AS a JOIN t AS b ON a.g = b.g WHERE a.n < 2000",
        "SELECT count(DISTINCT g) FROM t WHERE n > 1000",
    ]
    with Engine() as duck:
        version.attach(duck)
        wanted = [sorted(map(list, duck.rows(sql))) for sql in questions]
    with standalone(tmp_path) as cluster, SparkEngine(memory="512m", threads=2, master=cluster.address) as engine:
        engine.attach(version)
        killing = Killing(cluster, 23)
        for _round in range(30):
            with killing.during():
                assert [sorted(engine.rows(sql)) for sql in questions] == wanted
            if len(killing.killed) >= KILLS:
                break
    assert len(set(killing.killed)) == len(killing.killed) >= KILLS
