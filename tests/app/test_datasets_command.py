"""`madang datasets` and `madang sql`, as a person uses them."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from madang.app.commands import datasets
from madang.app.registry import Entry
from madang.base.errors import Cancelled, MadangError
from madang.lake import Version
from madang.node import Home
from madang.science.omop.persons import read_identifiers


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    return Home.find()


def make(
    home: Home, people: list[int], companion: dict[str, pa.Table] | None = None, name: str = "synthetic"
) -> Version:
    with home.lake().dataset(name).write() as writer:
        tables = {
            "person": pa.table({"person_id": people, "person_source_value": [f"p{person}" for person in people]}),
            "note": pa.table({"note_id": people, "person_id": people, "note_text": ['한글, "x"\n' for _ in people]}),
            "note_nlp": pa.table({"note_nlp_id": people, "note_id": people}),
            "cost": pa.table({"cost_id": people, "cost_event_id": people, "cost_domain_id": ["Visit"] * len(people)}),
            "visit_occurrence": pa.table({"visit_occurrence_id": people, "person_id": people}),
        }
        for restricted, group in ((False, tables), (True, companion or {})):
            for table, data in group.items():
                pq.write_table(data, path := writer.new_file(table, restricted))
                writer.add(table, path)
        return writer.commit("standardize")


def run(*arguments: str, given: str = "") -> Result:
    """One command, with Madang's own errors let through."""
    name, *rest = arguments
    application = datasets.app
    if name == "sql":
        from madang.app.cli import load

        application = load(Entry("sql", "", "sql:command"))
    result = CliRunner().invoke(application, rest, input=given, catch_exceptions=True)
    if isinstance(result.exception, MadangError):
        raise result.exception
    return result


def as_json(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(*arguments).stdout)
    return found


def test_the_list_of_datasets(home: Home) -> None:
    assert "no dataset yet" in run("datasets").stdout
    assert not home.path.exists()
    make(home, [1, 2])
    make(home, [1, 2, 3])
    [row] = as_json("datasets", "--json")
    assert (row["name"], row["newest"], row["versions"], row["tables"], row["rows"]) == ("synthetic", 2, 2, 5, 15)
    assert "synthetic" in run("datasets").stdout


def test_a_damaged_dataset_does_not_hide_the_others(home: Home) -> None:
    manifest = make(home, [1], name="broken").dataset.manifest_path(1)
    make(home, [1], name="whole")
    manifest.chmod(0o600)
    manifest.write_bytes(b"{")
    assert [(row["name"], row["kind"]) for row in as_json("datasets", "--json")] == [
        ("broken", "damaged"),
        ("whole", "standardize"),
    ]


def test_show_history_and_diff(home: Home) -> None:
    first, second = make(home, [1]), make(home, [1, 2])
    shown = json.loads(run("datasets", "show", "synthetic@1", "--json").stdout)
    assert (shown["manifest"], [table["rows"] for table in shown["tables"]]) == (first.digest, [1] * 5)
    assert second.digest in run("datasets", "show", "synthetic").stdout
    assert [row["manifest"] for row in as_json("datasets", "history", "synthetic", "--json")] == [
        first.digest,
        second.digest,
    ]
    changes = as_json("datasets", "diff", "synthetic@1", "synthetic", "--json")
    assert {(row["table"], row["change"], row["rows before"], row["rows after"]) for row in changes} == {
        (table, "changed", 1, 2) for table in first.tables
    }
    assert "same tables" in run("datasets", "diff", "synthetic", "synthetic@2").stdout


def test_verify_says_what_is_damaged(home: Home) -> None:
    version = make(home, [1, 2])
    assert "as it was committed" in run("datasets", "verify", "synthetic", "--content").stdout
    assert run("datasets", "verify", "synthetic", "--manifest", version.digest).exit_code == 0
    with pytest.raises(MadangError) as refused:
        run("datasets", "verify", "synthetic", "--manifest", "0" * 64)
    assert refused.value.code == "datasets.other_manifest"
    [path] = version.tables["note"].paths
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(MadangError) as refused:
        run("datasets", "verify", "synthetic@1")
    assert refused.value.code == "datasets.damaged"


def test_removing_asks_first(home: Home) -> None:
    make(home, [1])
    make(home, [2])
    assert run("datasets", "remove", "synthetic@1", given="n\n").exit_code == 1
    assert home.lake().dataset("synthetic").versions() == [1, 2]
    assert run("datasets", "remove", "synthetic@1", given="y\n").exit_code == 0
    assert home.lake().dataset("synthetic").versions() == [2]
    run("datasets", "remove", "synthetic", "--yes")
    assert not home.lake().dataset("synthetic").exists
    assert run("datasets", "tidy").exit_code == 0


def test_removing_persons_takes_all_that_hangs_on_them(home: Home, tmp_path: Path) -> None:
    companion = {
        "src_visits": pa.table({"PT": ["p1", "p2", "p3"], "_row": [1, 2, 3]}),
        "src_wards": pa.table({"ward": ["a"]}),
    }
    make(home, [1, 2, 3], companion)
    listed = tmp_path / "list.txt"
    listed.write_text("\ufeff1\r\n\r\n3\r\n")
    with pytest.raises(MadangError) as refused:
        run("datasets", "remove-persons", "synthetic", "--file", str(listed), "--yes", "--person-column", "PT")
    assert refused.value.code == "datasets.unlinked"
    assert "src_wards" in refused.value.message
    options = ["--person-column", "PT", "--without-persons", "wards", "--yes"]
    done = run("datasets", "remove-persons", "synthetic", "--file", str(listed), *options)
    assert done.exit_code == 0
    version = home.lake().find("synthetic")
    assert home.lake().dataset("synthetic").versions() == [version.number] == [2]
    assert {name: table.rows for name, table in version.tables.items()} == dict.fromkeys(version.tables, 1)
    assert {name: table.rows for name, table in version.companion.items()} == {"src_visits": 1, "src_wards": 1}


def test_pseudonyms_lead_to_the_rows_of_kept_source_tables(home: Home) -> None:
    """The column is found by what stands in it; tables without pseudonyms hold nothing about persons."""
    pseudonyms = [f"{person:032x}" for person in (1, 2, 3)]
    tables = {"person": pa.table({"person_id": [1, 2, 3], "person_source_value": pseudonyms})}
    companion = {
        "src_visits": pa.table({"PT": [*pseudonyms, None], "other": ["1"] * 4, "_row": [1, 2, 3, 4]}),
        "src_wards": pa.table({"ward": ["1"], "_row": [5]}),
    }
    with home.lake().dataset("synthetic").write() as writer:
        for restricted, group in ((False, tables), (True, companion)):
            for table, data in group.items():
                pq.write_table(data, path := writer.new_file(table, restricted))
                writer.add(table, path)
        writer.commit("standardize")
    done = run("datasets", "remove-persons", "synthetic", "--ids", "1,3", "--yes")
    assert done.exit_code == 0
    assert "restricted.src_wards" in done.stdout
    version = home.lake().find("synthetic")
    assert {name: table.rows for name, table in version.companion.items()} == {"src_visits": 2, "src_wards": 1}


@pytest.mark.parametrize("text", ["", ",", "1,x", "-1", "1.5", str(1 << 63)])
def test_lists_of_persons_that_are_none(text: str) -> None:
    with pytest.raises(MadangError) as refused:
        read_identifiers(text, None)
    assert refused.value.code in ("datasets.person_id", "datasets.no_persons")
    assert "x" not in refused.value.message.replace("Entry", "")


def test_sql_in_all_formats(home: Home, tmp_path: Path) -> None:
    make(home, [7, 8])
    query = "select person_id, note_text, 1.5 as d, date '2020-01-02' as t, null as n, [1, 2] as l from note order by 1"
    assert "7" in run("sql", "synthetic", query).stdout
    rows = as_json("sql", "synthetic@1", query, "--format", "json")
    expected = {"person_id": 7, "note_text": '한글, "x"\n', "d": 1.5, "t": "2020-01-02", "n": None, "l": [1, 2]}
    assert rows[0] == expected
    text = run("sql", "synthetic", query, "--format", "csv").stdout
    assert text.startswith('person_id,note_text,d,t,n,l\n7,"한글, ""x""\n",1.5,2020-01-02,,"[1, 2]"\n8,')
    for name in ("json", "csv", "parquet"):
        run("sql", "synthetic", query, "--format", name, "--output", str(tmp_path / f"x.{name}"))
    assert pq.read_table(tmp_path / "x.parquet")["person_id"].to_pylist() == [7, 8]
    assert (tmp_path / "x.csv").read_text(encoding="utf-8") == text
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == rows
    assert as_json("sql", "synthetic", "select 1 as a where false", "--format", "json") == []
    odd = as_json("sql", "synthetic", "select 'nan'::double as a, 2::hugeint ** 70 as b", "--format", "json")
    assert odd == [{"a": None, "b": 2**70}]


def test_sql_limits(home: Home) -> None:
    make(home, [1])
    sql = "select * from range(100000)"
    assert len(as_json("sql", "synthetic", sql, "--format", "json", "--limit", "3")) == 3
    assert as_json("sql", "synthetic", sql, "--format", "json", "--limit", "0") == []
    assert len(run("sql", "synthetic", sql).stdout.split()) < 120
    with pytest.raises(MadangError) as refused:
        run("sql", "synthetic", "select count(*) from range(100000000000)", "--seconds", "0.2")
    assert refused.value.code == "sql.time"
    assert not isinstance(refused.value, Cancelled)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("drop table person", "engine.select_only"),
        ("select 1; select 2", "engine.select_only"),
        ("", "engine.select_only"),
        ("select", "engine.syntax"),
        ("copy person to 'x.csv'", "engine.select_only"),
        ("set threads = 1", "engine.select_only"),
        ("from read_text('/etc/hostname')", "engine.permission"),
        ("from read_csv('/etc/passwd')", "engine.permission"),
        ("from glob('/*')", "engine.permission"),
        ("from src_visits", "engine.unknown"),
        ("select nope from person", "engine.columns"),
    ],
)
def test_sql_that_is_refused(home: Home, query: str, code: str) -> None:
    make(home, [1], {"src_visits": pa.table({"a": [1]})})
    with pytest.raises(MadangError) as refused:
        run("sql", "synthetic", query)
    assert refused.value.code == code


def test_sql_cannot_read_companions_by_path(home: Home) -> None:
    version = make(home, [1], {"src_visits": pa.table({"a": [1]})})
    [path] = version.companion["src_visits"].paths
    with pytest.raises(MadangError) as refused:
        run("sql", "synthetic", f"from read_parquet('{path}')")
    assert refused.value.code == "engine.permission"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--format", "xml"], "sql.format"),
        (["--format", "parquet"], "sql.output"),
        (["--output", "x"], "sql.output"),
        (["--format", "csv", "--output", "/nowhere/x.csv"], "sql.file"),
    ],
)
def test_options_of_sql_that_make_no_sense(home: Home, options: list[str], code: str) -> None:
    make(home, [1])
    with pytest.raises(MadangError) as refused:
        run("sql", "synthetic", "select 1", *options)
    assert refused.value.code == code


def test_sql_never_overwrites_and_leaves_nothing_half_written(home: Home, tmp_path: Path) -> None:
    make(home, [1])
    there = tmp_path / "x.csv"
    there.write_text("mine")
    with pytest.raises(MadangError) as refused:
        run("sql", "synthetic", "select 1", "--format", "csv", "--output", str(there))
    assert refused.value.code == "sql.exists"
    assert there.read_text() == "mine"
    failing = "select case when range = 500000 then error('x') else range end from range(600000)"
    with pytest.raises(MadangError):
        run("sql", "synthetic", failing, "--format", "csv", "--output", str(tmp_path / "y.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "x.csv"]


def test_references_are_checked_by_every_command(home: Home) -> None:
    for arguments in (["show", "x"], ["verify", "x"], ["history", "x"], ["remove", "x"], ["diff", "x", "y"]):
        with pytest.raises(MadangError) as refused:
            run("datasets", *arguments)
        assert refused.value.code == "lake.no_dataset"
