"""The engine: one sentence for every error, limits, cancel, safe names, syntax trees."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import Cancelled, MadangError
from madang.lake import Engine, quote_name, quote_text

LONG = "SELECT count(*) FROM range(100000000000) t(a) WHERE a * a % 7 = 3"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(memory_limit="500MB", threads=1) as engine:
        yield engine


@given(TEXT)
def test_any_text_is_a_name_and_a_literal(text: str) -> None:
    with Engine(threads=1) as engine:
        table = engine.query(f"SELECT {quote_text(text)} AS {quote_name(text)}")
    assert table.to_pydict() == {text: [text]}


def test_ways_to_get_rows(engine: Engine) -> None:
    sql = "SELECT a, a * $factor AS b FROM range(3) t(a)"
    assert engine.query(sql, {"factor": 2}).to_pydict() == {"a": [0, 1, 2], "b": [0, 2, 4]}
    assert engine.rows("SELECT ? + 1", [1]) == [(2,)]
    assert engine.value("SELECT NULL WHERE false") is None
    assert engine.describe("SELECT 1::BIGINT AS a, 'x' AS b") == [("a", "BIGINT"), ("b", "VARCHAR")]
    assert sum(batch.num_rows for batch in engine.batches("FROM range(300000)", rows=1000)) == 300000
    [empty] = engine.batches("SELECT 1 AS a WHERE false")
    assert (empty.num_rows, empty.schema.names) == (0, ["a"])


def test_arrow_data_are_views(engine: Engine) -> None:
    engine.register("given", pa.table({"a": [1, 2]}))
    assert engine.value("SELECT sum(a) FROM given") == 3
    engine.unregister("given")
    with pytest.raises(MadangError) as refused:
        engine.rows("FROM given")
    assert refused.value.code == "engine.unknown"


def test_variables_of_the_caller_are_no_tables(engine: Engine) -> None:
    local = pa.table({"a": [1]})
    assert local.num_rows == 1
    with pytest.raises(MadangError):
        engine.rows("FROM local")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT nope FROM (SELECT 1 AS note)", "engine.columns"),
        ("FROM nope", "engine.unknown"),
        ("SELECT 'a'::INTEGER", "engine.conversion"),
        ("SELECT 9223372036854775807::BIGINT + 1", "engine.conversion"),
        ("SELECT 1 /", "engine.syntax"),
        ("SELECT error('boom')", "engine.value"),
        ("FROM read_csv('/nowhere/x.csv')", "engine.files"),
        ("LOAD httpfs", "engine.files"),
        ("COPY (SELECT 1) TO '/nowhere/x.csv'", "engine.files"),
    ],
)
def test_every_error_is_one_sentence(engine: Engine, sql: str, code: str) -> None:
    for call in (engine.execute, engine.rows, engine.query, lambda sql: list(engine.batches(sql))):
        with pytest.raises(MadangError) as refused:
            call(sql)
        assert refused.value.code == code
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Engine(memory_limit="much"),
        lambda: Engine(threads=0),
        lambda: Engine(database=Path("/nowhere/x.db")),
        lambda: Engine(memory_limit=0).execute("CREATE TABLE t AS FROM range(1000000)"),
    ],
)
def test_limits_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(MadangError):
        make()


def test_memory_that_does_not_suffice_is_one_sentence() -> None:
    with Engine(memory_limit=30_000_000, threads=1) as small, pytest.raises(MadangError) as refused:
        small.query("SELECT count(DISTINCT hash(a)) FROM range(20000000) t(a)")
    assert refused.value.code == "engine.memory"


def test_a_scratch_database_lets_tables_exceed_memory(tmp_path: Path) -> None:
    with Engine(memory_limit=60_000_000, threads=1, spill=tmp_path / "spill", database=tmp_path / "x.db") as small:
        small.execute("CREATE TEMP TABLE t AS SELECT hash(a)::VARCHAR AS h FROM range(4000000) r(a)")
        assert small.value("SELECT count(*) FROM t") == 4000000


@pytest.mark.parametrize("way", ["rows", "query", "batches", "execute"])
def test_cancel_stops_a_statement_from_another_thread(engine: Engine, way: str) -> None:
    done = threading.Event()

    def cancel() -> None:
        while not done.wait(0.2):  # again and again: on a busy machine the statement may begin after the first time
            engine.cancel()

    canceler = threading.Thread(target=cancel)
    canceler.start()
    with pytest.raises(Cancelled):
        list(getattr(engine, way)(LONG) or ())
    done.set()
    canceler.join()
    assert engine.value("SELECT 1") == 1


def test_parquet_files_are_written_whole_or_not_at_all(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    assert engine.copy_to_parquet("SELECT a FROM range(10) t(a)", path, codec="snappy", row_group_size=2048) == 10
    assert pq.read_table(path)["a"].to_pylist() == list(range(10))
    with pytest.raises(MadangError):
        engine.copy_to_parquet("SELECT CASE WHEN a = 900000 THEN error('x') ELSE a END FROM range(1000000) t(a)", path)
    assert not path.exists()
    with pytest.raises(MadangError) as refused:
        engine.copy_to_parquet("SELECT 1 AS a", path, codec="zip; DROP")
    assert refused.value.code == "engine.codec"


@pytest.mark.parametrize(
    "expression",
    [
        "1::HUGEINT",
        "sum(1)",
        "1::UTINYINT",
        "1::UBIGINT",
        "TIME '10:00'",
        "'a'::ENUM('a')",
        "uuid()",
        "INTERVAL 1 DAY",
        "[1]",
        "{'a': 1}",
        "'1'::JSON",
        "TIMESTAMP_NS '2020-01-01'",
    ],
)
def test_columns_that_spark_does_not_read_are_refused_before_anything_runs(
    engine: Engine, tmp_path: Path, expression: str
) -> None:
    with pytest.raises(MadangError) as refused:
        engine.copy_to_parquet(f"SELECT {expression} AS x", tmp_path / "x.parquet")
    assert refused.value.code == "lake.column_type"
    assert not (tmp_path / "x.parquet").exists()


def test_syntax_trees_go_there_and_back(engine: Engine) -> None:
    tree = engine.parse("WITH a AS (SELECT 1 AS x) SELECT x + 1 AS y FROM a LEFT JOIN range(3) r(z) ON x = z")
    assert engine.rows(engine.unparse(tree)) == [(2,)]
    assert len(engine.parse("SELECT 1; SELECT 2")["statements"]) == 2


@pytest.mark.parametrize("before", ["", ";", "-- first\n;", "/* é; */"])
@pytest.mark.parametrize("after", ["", " ;", "-- x", " /* 1 */ ; -- ;\n--", ";;"])
def test_one_select_fits_into_brackets_whatever_stands_around_it(engine: Engine, before: str, after: str) -> None:
    for select in ("SELECT 'é; -- no' AS x", "FROM range(1) -- within\nWHERE range = 0", "VALUES (1)"):
        only = engine.one_select(before + select + after)
        assert only == select
        assert len(engine.rows(f"SELECT * FROM ({only})")) == 1


@pytest.mark.parametrize("sql", ["DROP TABLE x", "COPY x TO 'y'", "SET threads = 1", "ATTACH 'x'", "PRAGMA version"])
def test_only_selects_have_a_tree(engine: Engine, sql: str) -> None:
    with pytest.raises(MadangError) as refused:
        engine.parse(sql)
    assert refused.value.code == "engine.select_only"
    assert refused.value.hint == "Begin with SELECT."


def test_syntax_errors_name_the_line(engine: Engine) -> None:
    with pytest.raises(MadangError, match="line 3") as refused:
        engine.parse("SELECT\n1\n+")
    assert refused.value.code == "engine.syntax"


def test_a_confined_engine_reads_nothing_else(tmp_path: Path) -> None:
    open_, closed = tmp_path / "open.parquet", tmp_path / "closed.parquet"
    for path in (open_, closed):
        pq.write_table(pa.table({"a": [1]}), path)
    with Engine(threads=1) as confined:
        confined.confine([open_])
        assert confined.value(f"SELECT a FROM read_parquet({quote_text(str(open_))})") == 1
        for sql in (
            f"FROM read_parquet({quote_text(str(closed))})",
            f"FROM read_text({quote_text(str(closed))})",
            f"FROM glob({quote_text(str(tmp_path / '*'))})",
            f"COPY (SELECT 1) TO {quote_text(str(tmp_path / 'new.csv'))}",
            "SET enable_external_access = true",
            f"ATTACH {quote_text(str(tmp_path / 'x.db'))}",
        ):
            with pytest.raises(MadangError):
                confined.rows(sql)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed.parquet", "open.parquet"]
