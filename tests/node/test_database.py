"""Reading and writing, on SQLite and PostgreSQL; what happens when the database cannot."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from madang.base.errors import MadangError
from madang.node.database import after_commit
from madang.node.home import Home
from madang.node.models import Base
from madang.node.node import Node
from madang.node.people import Organization
from madang.node.text import Line, Machine, Prose
from support import small_file_system


def names(node: Node) -> list[str]:
    with node.read() as session:
        return list(session.scalars(select(Organization.name).order_by(Organization.name)))


def test_changes_are_committed_together_or_not_at_all(node: Node) -> None:
    told: list[str] = []
    with pytest.raises(ZeroDivisionError), node.write() as session:
        session.add(Organization(name="a", title="A"))
        after_commit(session, lambda: told.append("a"))
        session.flush()
        raise ZeroDivisionError
    with node.write() as session:
        session.add_all([Organization(name="b", title="B"), Organization(name="c", title="C")])
        after_commit(session, lambda: told.append(",".join(names(node))))
    assert names(node) == ["b", "c", "house"]
    assert told == ["b,c,house"]


def test_a_transaction_for_reading_sees_one_moment_and_changes_nothing(node: Node) -> None:
    with node.read() as reader:
        before = reader.scalar(select(func.count()).select_from(Organization))
        with node.write() as session:
            session.add(Organization(name="b", title="B"))
        assert reader.scalar(select(func.count()).select_from(Organization)) == before
    with pytest.raises(MadangError) as refused, node.read() as reader:
        reader.execute(update(Organization).values(title="X"))
    assert refused.value.code == "database.read_only"
    with pytest.raises(MadangError) as refused, node.read() as reader:
        reader.add(Organization(name="d", title="D"))
    assert refused.value.code == "database.read_only"
    assert names(node) == ["b", "house"]
    with node.write() as session:  # the connection that was for reading is one for writing again
        session.execute(update(Organization).values(title="X"))


def test_many_threads_count_without_losing_any(node: Node) -> None:
    def add(worker: int) -> None:
        for turn in range(5):
            with node.write() as session:
                count = session.scalar(select(func.count()).select_from(Organization))
                session.add(Organization(name=f"o{worker}-{turn}", title=f"{count}"))

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(node)) == 21


def test_writing_does_not_nest(node: Node) -> None:
    with pytest.raises(RuntimeError), node.write(), node.write():
        pass
    with node.write():
        pass


def test_columns_keep_the_rule_for_texts(node: Node) -> None:
    with pytest.raises(MadangError) as refused, node.write() as session:
        session.add(Organization(name="evil", title="a\u202eb"))
    assert refused.value.code == "text.character"
    with pytest.raises(IntegrityError), node.write() as session:
        session.add_all([Organization(name="twice", title="1"), Organization(name="twice", title="2")])


def test_every_column_of_text_says_whose_text_it_is() -> None:
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.type.python_type is str:
                assert isinstance(column.type, Line | Prose | Machine), f"{table.name}.{column.name}"


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    database = Node.open(Home(tmp_path)).database
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("node.db*")} == {0o600}
    with database.write() as session:
        ask = session.connection().exec_driver_sql
        assert ask("PRAGMA journal_mode").scalar() == "wal"
        assert ask("PRAGMA synchronous").scalar() == 2
        assert ask("PRAGMA foreign_keys").scalar() == 1


def test_a_database_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madang.node.database.BUSY_SECONDS", 0.1)
    holder, other = Node.open(Home(tmp_path)), Node.open(Home(tmp_path))
    with holder.write(), pytest.raises(MadangError) as refused, other.write():
        pass
    assert refused.value.code == "database.busy"
    with other.write() as session:
        session.add(Organization(name="after", title="After"))


@pytest.mark.root
def test_a_disk_that_is_full_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "2m") as folder:
        node = Node.open(Home(folder))
        with pytest.raises(MadangError) as refused:
            for number in range(2_000):
                with node.write() as session:
                    session.add(Organization(name=f"o{number}", title="x" * 200, title_en="x" * 200))
        assert refused.value.code == "database.disk_full"
        assert len(names(node)) == number + 1
        node.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://x/y", "database.url"),
        ("nonsense", "database.url"),
        ("postgresql://nobody@127.0.0.1:1/none", "database.unreachable"),
    ],
)
def test_addresses_that_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, code: str) -> None:
    monkeypatch.setenv("MADANG_DATABASE_URL", url)
    with pytest.raises(MadangError) as refused:
        Node.open(Home(tmp_path))
    assert refused.value.code == code


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(MadangError) as refused:
        Node.open(Home(tmp_path))
    assert refused.value.code == "database.damaged"
