import json
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from madang.base.errors import MadangError
from madang.lake import Engine, Lake, Version
from madang.node import closed
from madang.node.closed import box
from madang.services.catalog.asking import ask as asking
from madang.services.catalog.asking.ask import Limits, ask
from support import needs

VALUES = """
    SELECT 1::INTEGER AS i, 2::BIGINT AS b, 1.5::DOUBLE AS f, 'nan'::DOUBLE AS n, 1.50::DECIMAL(9, 2) AS m,
    '사람' AS t, DATE '2020-02-29' AS d, TIMESTAMP '2020-02-29 01:02:03' AS s, true AS y, NULL::INTEGER AS z,
    'ab'::BLOB AS o
"""


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


@pytest.fixture
def version(tmp_path: Path) -> Version:
    with (
        Engine() as engine,
        Lake(tmp_path / "lake", tmp_path / "restricted").dataset("people").write(None) as writer,
    ):
        tables = {"person": pa.table({"person_id": range(20_000)}), "kinds": engine.query(VALUES)}
        for name, data in tables.items():
            path = writer.new_file(name)
            pq.write_table(data, path)
            writer.add(name, path)
        return writer.commit("test", {"label": "synthetic"})


def refused(version: Version, sql: str, limits: Limits = Limits()) -> str:
    with pytest.raises(MadangError) as error:
        ask(version, sql, limits=limits)
    assert str(version.dataset.folder) not in str(error.value)
    return error.value.code


def test_values_of_each_type_come_out_as_json(version: Version) -> None:
    answer = ask(version, "SELECT * FROM kinds;")
    moment = "2020-02-29T01:02:03"
    assert answer.rows == ((1, 2, 1.5, "nan", "1.50", "사람", "2020-02-29", moment, True, None, "6162"),)
    assert [name for name, _kind in answer.columns] == list("ibfnmtdsyzo")
    assert json.loads(json.dumps(answer.rows))


def test_rows_beyond_the_limit_are_cut(version: Version) -> None:
    answer = ask(version, "SELECT person_id FROM person ORDER BY person_id")
    assert answer.is_cut
    assert [row[0] for row in answer.rows] == list(range(10_000))
    assert not ask(version, "SELECT person_id FROM person LIMIT 10000").is_cut
    assert len(ask(version, "SELECT " + ", ".join(f"0 c{i}" for i in range(10_000))).columns) == 10_000


@pytest.mark.parametrize(
    "sql",
    [
        "COPY person TO '/tmp/x'",
        "EXPORT DATABASE '/tmp/x'",
        "ATTACH '/tmp/x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA version",
        "CALL duckdb_settings()",
        "SELECT 1; SELECT 2",
        "DROP VIEW person",
        "",
    ],
)
def test_only_one_select_is_accepted(version: Version, sql: str) -> None:
    assert refused(version, sql) in ("ask.one_select", "ask.refused")


def test_no_file_no_secret_and_no_place_can_be_read(version: Version) -> None:
    for source in ("read_text('/etc/passwd')", "glob('/*')", "'/data/9.parquet'"):
        assert refused(version, f"SELECT * FROM {source}") == "ask.refused"
    with pytest.raises(MadangError):
        ask(version, f"SELECT * FROM read_parquet('{version.tables['person'].paths[0]}')")
    assert refused(version, "SELECT getenv('HOME')") == "ask.refused"
    shown = ask(version, "SELECT value FROM duckdb_settings() UNION ALL SELECT sql FROM duckdb_views()")
    assert str(version.dataset.folder) not in str(shown.rows)


def test_text_that_is_no_question_is_refused(version: Version) -> None:
    for sql in ("SELECT '\0'", "SELECT '\ud800'", "SELECT '" + "x" * 100_000 + "'", "SELECT nothing FROM person"):
        assert refused(version, sql) == "ask.refused"
    assert refused(version, "SELECT " + "(" * 50_000) == "ask.refused"


def test_of_very_many_files_only_those_of_the_tables_in_the_question_are_opened(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_FILES", 1)
    assert ask(version, "SELECT count(*) FROM Person").rows == ((20_000,),)
    assert refused(version, "FROM query_table('per' || 'son')") == "ask.refused"
    monkeypatch.setattr(asking, "_MOST_FILES", 1)
    assert ask(version, 'SELECT count(*) FROM "kinds"').rows == ((1,),)
    assert refused(version, "FROM person, kinds") == "ask.too_many_files"


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; -- one;", ";; SELECT 1", "SELECT 1 /* ; */ ;;\n", "-- 하나;\nFROM (VALUES (1));", "SELECT 1 -- x"],
)
def test_semicolons_and_comments_around_a_question_do_no_harm(version: Version, sql: str) -> None:
    assert ask(version, sql).rows == ((1,),)


def test_a_process_that_ends_before_it_answers_is_told_as_that(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, error in ((139, "ask.failed"), (1, "ask.failed"), (137, "ask.memory"), (134, "ask.memory")):
        monkeypatch.setattr(closed.Box, "run", lambda *_, code=code: closed.Finished(code, b"", b""))
        assert refused(version, "SELECT 1") == error


def test_where_nothing_can_be_closed_in_nothing_is_answered(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "why_not", lambda: "bwrap")
    assert refused(version, "SELECT 1") == "closed.missing"


def test_time_memory_and_size_are_bounded(version: Version) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
    assert refused(version, endless, Limits(seconds=1)) == "ask.time"
    hog = "SELECT list(a.person_id::VARCHAR || b.person_id) FROM person a, person b"
    assert refused(version, hog, Limits(memory=100 << 20)) == "ask.memory"
    assert refused(version, "SELECT repeat('x', 20_000_000)") == "ask.too_much"


def test_few_are_answered_at_once(version: Version) -> None:
    codes: list[str] = []

    def one() -> None:
        try:
            ask(version, "SELECT count(*) FROM range(100000000) a, range(100000000) b", limits=Limits(seconds=2))
        except MadangError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["ask.busy", "ask.time", "ask.time"]
    assert ask(version, "SELECT 1").rows == ((1,),)
