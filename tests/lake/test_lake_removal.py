"""Removing versions and persons: what is gone is gone from the disk, what is needed stays."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lakes import add, commit, files, identifiers, new_lake, persons

from madang.base.errors import MadangError
from madang.lake import Dataset, Engine, Lake
from madang.lake.persons import Link, remove_persons
from madang.lake.removal import remove_versions
from madang.lake.verify import verify


def test_a_file_goes_when_no_version_names_it_any_more(lake: Lake) -> None:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1), "visit": persons(7)})
    with dataset.write(first) as writer:
        writer.keep("visit")
        add(writer, "person", persons(2))
        second = writer.commit("test")
    [gone] = remove_versions(dataset, [1], "too old")
    assert gone == first.tables["person"].paths[0]
    assert identifiers(second, "visit") == [7]
    assert dataset.versions() == [2]
    assert verify(dataset, content=True) == []


def test_a_tombstone_stays_and_the_number_is_never_given_again(lake: Lake) -> None:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1)})
    commit(dataset, {"person": persons(2)}, parent=first)
    remove_versions(dataset, [1, 2], "the study has ended")
    assert not dataset.exists
    assert lake.datasets() == []
    assert files(lake.root) == set()
    stone = dataset.tombstones()[0]
    assert (stone["number"], stone["manifest"], stone["reason"]) == (1, first.digest, "the study has ended")
    assert "tables" not in stone
    assert commit(dataset, {"person": persons(3)}).number == 3
    with pytest.raises(MadangError) as refused:
        lake.find("d@1")
    assert refused.value.code == "lake.removed"
    with pytest.raises(MadangError) as refused:
        commit(dataset, {"person": persons(4)}, parent=first)
    assert refused.value.code == "lake.removed"


@pytest.mark.parametrize(
    ("numbers", "code"), [([2], "lake.newest"), ([3], "lake.no_version"), ([0, 1], "lake.no_version")]
)
def test_what_cannot_be_removed(lake: Lake, numbers: list[int], code: str) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(1)})
    commit(dataset, {"person": persons(2)})
    before = files(lake.root)
    with pytest.raises(MadangError) as refused:
        remove_versions(dataset, numbers, "test")
    assert refused.value.code == code
    assert files(lake.root) == before
    with pytest.raises(MadangError) as refused:
        remove_versions(lake.dataset("other"), [1], "test")
    assert refused.value.code == "lake.no_dataset"


LINKS = [
    Link("note_nlp", "note_id", "note", "note_id"),
    Link("cost", "event_id", "visit", "visit_id", "domain = 'Visit'"),
    Link("cost", "event_id", "note", "note_id", "domain = 'Note'"),
    Link("sources", "pseudonym", "person", "source"),
]


def hospital(dataset: Dataset, owners: list[int], chunks: int) -> None:
    """Rows of visits, notes, costs and source lines, row i of each belonging to person owners[i]."""
    rows = list(range(len(owners)))
    people = sorted(set(owners))
    tables = {
        "person": pa.table({"person_id": people, "source": [f"p{person}" for person in people]}),
        "visit": pa.table({"visit_id": rows, "person_id": owners}),
        "note": pa.table({"note_id": rows, "person_id": owners}),
        "note_nlp": pa.table({"note_id": rows, "term": [f"term {row}" for row in rows]}),
        "cost": pa.table({"event_id": [*rows, *rows], "domain": ["Visit"] * len(rows) + ["Note"] * len(rows)}),
        "concept": pa.table({"concept_id": [1, 2]}),
    }
    closed = {
        "sources": pa.table({"pseudonym": [f"p{owner}" for owner in owners], "line": rows}),
        "members": pa.table({"person_id": owners}),
        "fates": pa.table({"line": rows}),
    }
    names = []
    with dataset.write() as writer:
        for restricted, group in ((False, tables), (True, closed)):
            for name, table in group.items():
                size = -(-table.num_rows // chunks)
                for start in range(0, table.num_rows, size):
                    names.append(add(writer, name, table.slice(start, size), restricted).name)
        writer.commit("standardize", {"parts": {"all": names}, "text": "x"})


def all_rows(dataset: Dataset) -> dict[str, list[tuple[object, ...]]]:
    version = dataset.version()
    with Engine(threads=1) as engine:
        version.attach(engine)
        version.attach(engine, "closed", restricted=True)
        found = {name: engine.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in version.tables}
        return found | {
            f"restricted.{n}": engine.rows(f"SELECT * FROM closed.{n} ORDER BY ALL") for n in version.companion
        }


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.sets(st.integers(1, 6), min_size=1), st.integers(1, 4))
def test_removing_persons_leaves_what_would_be_there_without_them(
    tmp_path_factory: pytest.TempPathFactory, owners: list[int], gone: set[int], chunks: int
) -> None:
    lake = new_lake(tmp_path_factory.mktemp("persons"))
    dataset = lake.dataset("d")
    hospital(dataset, owners, chunks)
    before = all_rows(dataset)
    kept = [row for row, owner in enumerate(owners) if owner not in gone]
    with Engine(threads=1) as engine:
        done = remove_persons(dataset, gone, engine, links=LINKS)
    after = all_rows(dataset)
    assert after["person"] == [(p, f"p{p}") for p in sorted(set(owners) - gone)]
    assert after["visit"] == after["note"] == [(row, owners[row]) for row in kept]
    assert after["note_nlp"] == [(row, f"term {row}") for row in kept]
    assert after["cost"] == [(row, domain) for row in kept for domain in ("Note", "Visit")]
    assert after["restricted.sources"] == sorted((f"p{owners[row]}", row) for row in kept)
    assert after["restricted.members"] == sorted((owners[row],) for row in kept)
    assert (after["concept"], after["restricted.fates"]) == (before["concept"], before["restricted.fates"])
    assert done.untouched == ("concept", "restricted.fates")
    assert done.rows == {name: len(before[name]) - len(after[name]) for name in before if before[name] != after[name]}
    version = dataset.version()
    assert (done.version is None) == (set(owners).isdisjoint(gone))
    assert verify(dataset, content=True) == []
    names = {f.name for tables in (version.tables, version.companion) for t in tables.values() for f in t.files}
    assert set(version.info["parts"]["all"]) == names == {name.rsplit("/", 1)[1] for name in files(lake.root.parent)}
    assert version.kind == "standardize"
    if done.version:
        assert dataset.versions() == [2]
        assert version.info["removed_persons"] == len(gone)


def test_earlier_versions_go_even_if_the_newest_does_not_hold_the_person(lake: Lake) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(1, 2)})
    commit(dataset, {"person": persons(2)})
    with Engine(threads=1) as engine:
        done = remove_persons(dataset, [1], engine)
        assert (done.version, done.purged, len(done.files)) == (None, (1,), 1)
        assert remove_persons(dataset, [1], engine).purged == ()
    assert dataset.versions() == [2]


def test_persons_are_not_removed_without_a_list_or_in_a_circle_or_without_the_companion(lake: Lake) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"a": pa.table({"x": [1]}), "b": pa.table({"x": [1]})}, {"fates": persons(1)})
    circle = [Link("a", "x", "b", "x"), Link("b", "x", "a", "x")]
    with Engine(threads=1) as engine:
        for refused, action in [
            ("lake.no_persons", lambda: remove_persons(dataset, [], engine)),
            ("lake.links", lambda: remove_persons(dataset, [1], engine, links=circle)),
            ("lake.restricted", lambda: remove_persons(Lake(lake.root).dataset("d"), [1], engine)),
            ("lake.no_dataset", lambda: remove_persons(lake.dataset("e"), [1], engine)),
        ]:
            with pytest.raises(MadangError) as error:
                action()
            assert error.value.code == refused
    assert dataset.versions() == [1]
