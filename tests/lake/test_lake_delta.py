"""Delta logs, read back by an independent implementation of the protocol."""

import datetime
import decimal
import shutil
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lakes import add, commit, new_lake, persons

from madang.lake import Dataset, Lake
from madang.lake.removal import remove_versions
from madang.lake.verify import verify


def by_delta(dataset: Dataset, table: str, version: int | None = None) -> deltalake.DeltaTable:
    return deltalake.DeltaTable(str(dataset.folder / table), version=version)


def rows_by_delta(dataset: Dataset, table: str, version: int | None = None) -> list[int]:
    return sorted(by_delta(dataset, table, version).to_pyarrow_table()["person_id"].to_pylist())


def test_each_delta_version_is_the_version_of_that_number(lake: Lake) -> None:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1, 2)})
    second = commit(dataset, {"visit": persons(7)}, parent=first)
    third = commit(dataset, {"person": persons(3)}, parent=second)
    with dataset.write(third) as writer:
        writer.keep("visit")
        writer.commit("test")
    assert [rows_by_delta(dataset, "person", n) for n in range(5)] == [[], [1, 2], [1, 2], [1, 2, 3], []]
    assert [rows_by_delta(dataset, "visit", n) for n in range(5)] == [[], [], [7], [7], [7]]
    assert by_delta(dataset, "person").version() == 4


def test_columns_keep_their_types_and_may_change(lake: Lake) -> None:
    time = datetime.datetime(2020, 2, 29, 13, 5, 0, 7)
    table = pa.table(
        {
            "flag": pa.array([True]),
            "tiny": pa.array([1], pa.int8()),
            "small": pa.array([1], pa.int16()),
            "int": pa.array([1], pa.int32()),
            "long": pa.array([2**62], pa.int64()),
            "float": pa.array([0.5], pa.float32()),
            "double": pa.array([0.1], pa.float64()),
            "text": pa.array(["한글 \"'"]),
            "bytes": pa.array([b"\x00"]),
            "date": pa.array([time.date()]),
            "time": pa.array([time], pa.timestamp("us")),
            "zoned": pa.array([time], pa.timestamp("us", "UTC")),
            "money": pa.array([decimal.Decimal("1.25")], pa.decimal128(9, 2)),
        }
    )
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(1)})
    commit(dataset, {"person": table})
    found = by_delta(dataset, "person").to_pyarrow_table()
    assert found.to_pylist() == table.to_pylist()
    fields = {field.name: field.type.type for field in by_delta(dataset, "person").schema().fields}
    assert list(fields.values()) == [
        *("boolean", "byte", "short", "integer", "long", "float", "double", "string", "binary", "date"),
        *("timestamp_ntz", "timestamp", "decimal(9,2)"),
    ]


def break_log(folder: Path, how: str) -> None:
    log = folder / "_delta_log"
    commits = sorted(log.glob("*.json"))
    if how == "none":
        shutil.rmtree(log)
    elif how == "behind":
        commits[-1].unlink()
    elif how == "gap":
        commits[1].unlink()
    elif how == "cut":
        commits[-2].chmod(0o644)
        commits[-2].write_bytes(commits[-2].read_bytes()[:30])
        commits[-1].unlink()
    elif how == "foreign":
        deltalake.write_deltalake(str(folder), persons(99), mode="append")
    elif how == "optimized":
        deltalake.DeltaTable(str(folder)).optimize.compact()


@pytest.mark.parametrize("how", ["none", "behind", "gap", "cut", "foreign", "optimized"])
def test_a_log_is_repaired_at_the_next_open(lake: Lake, how: str) -> None:
    dataset = lake.dataset("d")
    version = commit(dataset, {"person": persons(1, 2), "visit": persons(7)})
    version = commit(dataset, {"person": persons(3)}, parent=version)
    break_log(dataset.folder / "person", how)
    if how == "gap":  # nothing looks into a log that ends where it should, but verify does
        assert [finding.path.parent.name for finding in verify(dataset)] == ["person"]
        commit(dataset, {"person": persons(4)}, parent=version)
    else:
        lake.dataset("d")
    expected = [1, 2, 3, 4] if how == "gap" else [1, 2, 3]
    assert rows_by_delta(dataset, "person") == expected
    assert rows_by_delta(dataset, "person", 1) == [1, 2]
    assert rows_by_delta(dataset, "visit") == [7]
    assert verify(dataset) == []


def test_logs_go_on_after_removals(lake: Lake) -> None:
    dataset = lake.dataset("d")
    for number in (1, 2, 3):
        commit(dataset, {"person": persons(number)})
    remove_versions(dataset, [1, 2], "test")
    assert rows_by_delta(dataset, "person") == [3]
    shutil.rmtree(dataset.folder / "person" / "_delta_log")
    lake.dataset("d")
    assert rows_by_delta(dataset, "person", 3) == [3]
    remove_versions(dataset, [3], "test")
    assert not (dataset.folder / "person" / "_delta_log").exists()
    commit(dataset, {"person": persons(4)})
    assert rows_by_delta(dataset, "person") == [4]
    assert by_delta(dataset, "person").version() == 4


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "drop", "replace", "leave out", "remove version", "break"]),
        st.sampled_from(["person", "visit", "death"]),
    ),
    min_size=1,
    max_size=8,
)


@given(STEPS)
def test_whatever_is_done_delta_and_manifest_agree(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    lake = new_lake(tmp_path_factory.mktemp("delta"))
    dataset = lake.dataset("d")
    version = commit(dataset, {"person": persons(0)})
    for number, (step, table) in enumerate(steps, 1):
        if step == "remove version":
            remove_versions(dataset, dataset.versions()[:-1][:1], "test")
            continue
        if step == "break":
            shutil.rmtree(dataset.folder / table / "_delta_log", ignore_errors=True)
            continue
        with dataset.write(version) as writer:
            writer.keep(*(name for name in version.tables if name != table or step in ("add", "drop")))
            if step == "drop" and table in version.tables:
                writer.drop_file(table, version.tables[table].files[0].name)
            if step in ("add", "replace"):
                add(writer, table, persons(number))
            version = writer.commit("test")
    lake.dataset("d")
    assert verify(dataset) == []
    for name, table in version.tables.items():
        found = by_delta(dataset, name)
        assert sorted(Path(uri).name for uri in found.file_uris()) == sorted(file.name for file in table.files)
        assert found.version() == dataset.numbers()[-1]
