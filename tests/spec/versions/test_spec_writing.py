"""Writing a version

Files are written first. The commit puts the manifest in its place; before that nobody sees anything.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from examples import Example
from madang.base.errors import MadangError
from madang.lake import Dataset, Engine, Lake, Version, Writer

Read = Callable[[Version, str], pa.Table]


@pytest.fixture
def dataset(example: Example) -> Dataset:
    return Lake(example.folder / "lake", example.folder / "restricted").dataset("clinic")


@pytest.fixture
def read() -> Read:
    def rows(version: Version, sql: str) -> pa.Table:
        with Engine() as engine:
            version.attach(engine)
            return engine.query(sql)

    return rows


def add(writer: Writer, table: str, rows: pa.Table) -> None:
    path = writer.new_file(table)
    pyarrow.parquet.write_table(rows, path)
    writer.add(table, path)


def test_rows_in_rows_out(example: Example, dataset: Dataset, read: Read) -> None:
    """What was committed can be queried

    The version has a view for each of its tables.
    """
    rows = pyarrow.csv.read_csv(
        example.given(
            "person.csv",
            """
            person_id,year_of_birth
            1,1956
            2,1988
            """,
        )
    )
    with dataset.write() as writer:
        add(writer, "person", rows)
        version = writer.commit(kind="example", info={})
    example.expected(
        "SELECT * FROM person ORDER BY person_id",
        """
        person_id | year_of_birth
        1         | 1956
        2         | 1988
        """,
        read(version, "SELECT * FROM person ORDER BY person_id"),
    )


def test_a_version_carries_on_only_what_it_is_told_to_keep(example: Example, dataset: Dataset, read: Read) -> None:
    """The next version keeps what it names

    Files are shared between versions, so keeping a table costs nothing. The earlier version stays as it was.
    """
    person = pyarrow.csv.read_csv(example.given("person.csv", "person_id\n1\n2"))
    death = pyarrow.csv.read_csv(example.given("death.csv", "person_id\n2"))
    with dataset.write() as writer:
        add(writer, "person", person)
        first = writer.commit(kind="example", info={})
    with dataset.write(parent=first) as writer:
        writer.keep("person")
        add(writer, "death", death)
        second = writer.commit(kind="example", info={})
    example.expected("tables of version 1", "person", "\n".join(first.tables))
    example.expected("tables of version 2", "death\nperson", "\n".join(sorted(second.tables)))
    example.expected(
        "SELECT count(*) AS persons FROM person",
        """
        persons
        2
        """,
        read(second, "SELECT count(*) AS persons FROM person"),
    )


def test_without_a_commit_nothing_happened(example: Example, dataset: Dataset) -> None:
    """Without a commit nothing happened

    Whatever stops the work, the dataset is as before and the files are gone.
    """
    person = pyarrow.csv.read_csv(example.given("person.csv", "person_id\n1"))
    with pytest.raises(RuntimeError), dataset.write() as writer:
        add(writer, "person", person)
        raise RuntimeError("something goes wrong")
    example.expected("versions", "none", ", ".join(map(str, dataset.versions())) or "none")
    assert list(dataset.folder.rglob("*.parquet")) == []


def test_of_two_writers_the_slower_is_told(example: Example, dataset: Dataset) -> None:
    """Of two writers that replace the same thing the slower one is told

    Its version is not made; nothing of the faster one is lost.
    """
    person = pyarrow.csv.read_csv(example.given("person.csv", "person_id\n1"))
    with dataset.write() as writer:
        add(writer, "person", person)
        first = writer.commit(kind="example", info={})
    with dataset.write(parent=first) as slow:
        add(slow, "person", person)
        with dataset.write(parent=first) as fast:
            add(fast, "person", person)
            fast.commit(kind="example", info={})
        with pytest.raises(MadangError) as refused:
            slow.commit(kind="example", info={})
    example.expected("error of the slower one", "lake.conflict", refused.value.code)
    assert dataset.versions() == [1, 2]


def test_the_hash_of_the_content_does_not_depend_on_files(example: Example, dataset: Dataset) -> None:
    """Equal rows have equal content hashes

    In whatever order and files they lie. So two ways to the same data can be compared without reading them.
    """
    rows = pyarrow.csv.read_csv(example.given("person.csv", "person_id\n1\n2\n3"))
    with dataset.write() as writer:
        add(writer, "person", rows)
        together = writer.commit(kind="example", info={})
    with dataset.write() as writer:
        add(writer, "person", rows.slice(1))
        add(writer, "person", rows.slice(0, 1))
        apart = writer.commit(kind="example", info={})
    example.expected("files of each version", "1 and 2", f"{files(together)} and {files(apart)}")
    assert together.tables["person"].content == apart.tables["person"].content
    assert together.digest != apart.digest


def files(version: Version) -> int:
    return len(version.tables["person"].files)
