"""What writers and readers of a dataset may rely on."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import add, commit, files, identifiers, persons

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.lake import Engine, Lake
from madang.lake.compare import compare


def test_a_dataset_begins_to_exist_with_its_first_version(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    assert (dataset.exists, dataset.versions(), lake.datasets()) == (False, [], [])
    with pytest.raises(MadangError) as refused:
        dataset.version()
    assert refused.value.code == "lake.no_dataset"
    version = commit(dataset, {"person": persons(1, 2, 3)})
    assert (version.number, version.name, version.kind) == (1, "hospital@1", "test")
    assert version.info == {"label": "synthetic"}
    assert lake.datasets() == [dataset]
    assert identifiers(lake.find("hospital")) == [1, 2, 3]


def test_nothing_is_seen_before_the_commit_and_nothing_stays_without_it(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    with dataset.write() as writer:
        add(writer, "person", persons(1))
        add(writer, "secret", persons(1), restricted=True)
        assert not dataset.exists
    assert not dataset.exists
    assert files(lake.root) | files(lake.restricted or Path()) == set()


def test_versions_share_the_files_that_are_kept(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1, 2), "visit": persons(7)})
    with dataset.write(first) as writer:
        writer.keep("visit")
        writer.drop_file("person", first.tables["person"].files[0].name)
        add(writer, "person", persons(3))
        second = writer.commit("test")
    assert second.manifest["parent"] == {"number": 1, "manifest": first.digest}
    assert second.tables["visit"] == first.tables["visit"]
    assert identifiers(second) == [3]
    assert identifiers(dataset.version(1)) == [1, 2]
    assert dataset.versions() == [1, 2]


def test_what_is_not_kept_is_left_out(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1), "visit": persons(7)}, restricted={"fates": persons(1)})
    with dataset.write(first) as writer:
        writer.keep("visit")
        second = writer.commit("test")
    assert list(second.tables) == ["visit"]
    assert second.companion == {}


def test_the_manifest_says_everything_about_its_files(lake: Lake) -> None:
    version = commit(lake.dataset("hospital"), {"person": persons(3, 1)})
    path = lake.root / "hospital" / "_versions" / "1.json"
    document = json.loads(path.read_bytes())
    assert path.read_bytes() == canonical_json(document)
    assert version.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert document["tables"]["person"]["schema"] == [["person_id", "BIGINT"], ["name", "VARCHAR"]]
    [entry] = document["tables"]["person"]["files"]
    data = (lake.root / "hospital" / "person" / entry["name"]).read_bytes()
    assert (entry["rows"], entry["bytes"], entry["sha256"]) == (2, len(data), hashlib.sha256(data).hexdigest())


def test_the_content_does_not_depend_on_order_and_files(lake: Lake) -> None:
    one = commit(lake.dataset("one"), {"person": persons(1, 2, 3)})
    two = commit(lake.dataset("two"), {"person": persons(3)})
    two = commit(lake.dataset("two"), {"person": persons(2, 1)}, parent=two)
    assert one.tables["person"].content == two.tables["person"].content
    assert one.digest != two.digest


def test_committed_files_are_read_only_and_companions_are_closed(lake: Lake) -> None:
    version = commit(lake.dataset("hospital"), {"person": persons(1)}, restricted={"fates": persons(1)})
    assert lake.restricted is not None
    modes = {path: oct(path.stat().st_mode & 0o777) for path in lake.root.glob("**/*.*") if path.is_file()}
    assert set(modes.values()) == {"0o444"}
    assert {oct(path.stat().st_mode & 0o777) for path in [lake.restricted, *lake.restricted.glob("**")]} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in lake.restricted.glob("**/*.*")} == {"0o400"}
    assert list(version.tables) == ["person"]
    assert list(version.companion) == ["fates"]


def test_an_open_lake_cannot_reach_companions(lake: Lake) -> None:
    commit(lake.dataset("hospital"), {"person": persons(1)}, restricted={"fates": persons(1)})
    version = Lake(lake.root).find("hospital")
    assert identifiers(version) == [1]
    with pytest.raises(MadangError) as refused:
        _ = version.companion
    assert refused.value.code == "lake.restricted"


def test_a_version_becomes_views(lake: Lake) -> None:
    version = commit(lake.dataset("hospital"), {"person": persons(1, 2)}, restricted={"fates": persons(9)})
    with Engine(threads=1) as engine:
        version.attach(engine)
        version.attach(engine, schema="companion", restricted=True)
        assert engine.value("SELECT sum(person_id) FROM person") == 3
        assert engine.value("SELECT person_id FROM companion.fates") == 9
        with pytest.raises(MadangError):
            engine.value("SELECT * FROM fates")


def test_a_late_writer_that_only_adds_goes_on_from_the_newest(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1)})
    commit(dataset, {"person": persons(2), "visit": persons(7)}, parent=first)
    third = commit(dataset, {"person": persons(3)}, {"fates": persons(3)}, parent=first)
    assert third.number == 3
    assert third.manifest["parent"]["number"] == 2
    assert identifiers(third) == [1, 2, 3]
    assert identifiers(third, "visit") == [7]
    assert identifiers(third, "fates") == [3]


def test_a_late_writer_that_replaces_goes_on_if_the_other_added_elsewhere(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1), "death": persons(1)})
    with dataset.write(first) as writer:
        writer.drop_file("person", first.tables["person"].files[0].name)
        add(writer, "person", persons(5))
        commit(dataset, {"visit": persons(7)}, parent=first)
        third = writer.commit("test")
    assert identifiers(third) == [5]
    assert identifiers(third, "visit") == [7]
    assert "death" not in third.tables


@pytest.mark.parametrize("both", ["replace", "same table", "no parent", "no rebase"])
def test_a_late_writer_that_could_lose_something_is_told_so(lake: Lake, both: str) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1)})
    with dataset.write(None if both == "no parent" else first) as writer:
        if both in ("replace", "same table"):
            writer.drop_file("person", first.tables["person"].files[0].name)
        elif both == "no rebase":
            writer.keep_all()
        add(writer, "person", persons(2))
        if both == "replace":
            commit(dataset, {"visit": persons(7)})
        else:
            commit(dataset, {"person": persons(8)}, parent=first)
        with pytest.raises(MadangError) as refused:
            writer.commit("test", rebase=both != "no rebase")
    assert refused.value.code == "lake.conflict"
    assert dataset.versions() == [1, 2]
    named = {f.name for n in (1, 2) for table in dataset.version(n).tables.values() for f in table.files}
    assert {Path(name).name for name in files(lake.root)} == named


def test_a_late_writer_with_other_columns_is_told_so(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1)})
    commit(dataset, {"visit": persons(1)}, parent=first)
    with pytest.raises(MadangError) as refused:
        commit(dataset, {"visit": pa.table({"other": [1]})}, parent=first)
    assert refused.value.code == "lake.conflict"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (pa.uint8(), "SMALLINT"),
        (pa.uint64(), "BIGINT"),
        (pa.time64("us"), "VARCHAR"),
        (pa.timestamp("ns"), "TIMESTAMP"),
        (pa.list_(pa.int64()), "VARCHAR"),
        (pa.struct([("x", pa.int64())]), "VARCHAR"),
        (pa.duration("s"), "VARCHAR"),
    ],
)
def test_types_that_spark_does_not_read_are_refused(lake: Lake, kind: pa.DataType, hint: str) -> None:
    with lake.dataset("hospital").write() as writer, pytest.raises(MadangError) as refused:
        add(writer, "person", pa.table({"x": pa.array([], kind)}))
    assert refused.value.code == "lake.column_type"
    assert "'x'" in refused.value.message


@pytest.mark.parametrize(
    ("columns", "code"),
    [(["a", "A"], "lake.column_twice"), (["a b"], "lake.column_name"), ([""], "lake.column_name"), ([], None)],
)
def test_names_of_columns_that_spark_does_not_read_are_refused(
    lake: Lake, columns: list[str], code: str | None
) -> None:
    table = pa.Table.from_arrays([pa.array([1])] * len(columns), names=columns)
    with lake.dataset("hospital").write() as writer, pytest.raises(MadangError) as refused:
        add(writer, "person", table)
    assert refused.value.code == (code or "lake.no_columns")


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "한글", "a b", "-x", "_versions", "x" * 101, "a\n"])
def test_names_that_are_no_names_are_refused(lake: Lake, name: str) -> None:
    with pytest.raises(MadangError) as refused:
        lake.dataset(name)
    assert refused.value.code == "lake.dataset_name"
    with lake.dataset("hospital").write() as writer, pytest.raises(MadangError) as refused:
        writer.new_file(name if name != "A" else "_A")
    assert refused.value.code in ("lake.table_name",)


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("hospital@2", "lake.no_version"),
        ("hospital@", "lake.reference"),
        ("hospital@x", "lake.reference"),
        ("hospital@٣", "lake.reference"),
        ("other@1", "lake.no_version"),
        ("other", "lake.no_dataset"),
    ],
)
def test_references_that_lead_nowhere(lake: Lake, reference: str, code: str) -> None:
    commit(lake.dataset("hospital"), {"person": persons(1)})
    assert lake.find("hospital@1").number == 1
    with pytest.raises(MadangError) as refused:
        lake.find(reference)
    assert refused.value.code == code


def test_a_name_that_is_nearly_right_is_recognized(lake: Lake) -> None:
    commit(lake.dataset("hospital"), {"person": persons(1)})
    hints = []
    for name in ("hospitl", "insurer"):
        with pytest.raises(MadangError) as refused:
            lake.find(name)
        hints.append(refused.value.hint)
    assert hints == ['Did you mean "hospital"?', "`madang datasets` lists them."]


def test_files_that_are_no_parquet_or_not_ours_are_refused(lake: Lake, tmp_path: Path) -> None:
    with lake.dataset("hospital").write() as writer:
        cut = writer.new_file("person")
        pq.write_table(persons(1), cut)
        cut.write_bytes(cut.read_bytes()[:-9])
        with pytest.raises(MadangError) as refused:
            writer.add("person", cut)
        assert refused.value.code == "lake.not_parquet"
        with pytest.raises(MadangError) as refused:
            writer.add("person", writer.new_file("person"))
        assert refused.value.code == "lake.files"
        elsewhere = tmp_path / "x.parquet"
        pq.write_table(persons(1), elsewhere)
        with pytest.raises(MadangError) as refused:
            writer.add("person", elsewhere)
        assert refused.value.code == "lake.not_ours"
        path = add(writer, "person", persons(1))
        for table in ("person", "visit"):
            with pytest.raises(MadangError) as refused:
                writer.add(table, path)
            assert refused.value.code == "lake.not_ours"
        with pytest.raises(MadangError) as refused:
            add(writer, "person", pa.table({"person_id": ["text"]}))
        assert refused.value.code == "lake.schema"
        assert identifiers(writer.commit("test")) == [1]


def test_info_that_is_no_json_is_refused(lake: Lake) -> None:
    for info in ({"x": 2**53}, {"x": float("nan")}, {"x": b""}, {1: 2}):
        with lake.dataset("hospital").write() as writer:
            add(writer, "person", persons(1))
            with pytest.raises(MadangError):
                writer.commit("test", info)  # type: ignore[arg-type]  # that is the point
    assert not lake.dataset("hospital").exists


def test_an_empty_table_is_a_table(lake: Lake) -> None:
    version = commit(lake.dataset("hospital"), {"person": persons()})
    assert (version.tables["person"].rows, version.tables["person"].content) == (0, "0" * 32)
    with Engine(threads=1) as engine:
        version.attach(engine)
        assert engine.describe("FROM person") == [("person_id", "BIGINT"), ("name", "VARCHAR")]


def test_compare_tells_what_changed(lake: Lake) -> None:
    dataset = lake.dataset("hospital")
    first = commit(dataset, {"person": persons(1, 2), "visit": persons(7), "death": persons(1), "note": persons(4)})
    with dataset.write(first) as writer:
        writer.keep("person", "note")
        add(writer, "person", persons(3))
        add(writer, "visit", persons(7))
        add(writer, "drug", persons(5, 6))
        writer.drop_file("note", first.tables["note"].files[0].name)
        add(writer, "note", persons(5))
        second = writer.commit("test")
    found = {change.table: change for change in compare(first, second)}
    kinds = {name: (change.kind, change.rows_before, change.rows_after) for name, change in found.items()}
    assert kinds == {
        "person": ("changed", 2, 3),
        "visit": ("same", 1, 1),
        "death": ("removed", 1, None),
        "drug": ("added", None, 2),
        "note": ("changed", 1, 1),
    }
    assert (found["person"].files_added, found["person"].files_removed) == (1, 0)
    third = commit(dataset, {"person": pa.table({"person_id": ["1"]})})
    [change] = [change for change in compare(first, third) if change.table == "person"]
    assert change.columns_added == ("person_id VARCHAR",)
    assert change.columns_removed == ("person_id BIGINT", "name VARCHAR")
