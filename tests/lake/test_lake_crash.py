"""kill -9 at every step: nothing lost, nothing doubled, nothing half-done to be seen.

A forked child runs one operation and kills itself just before its n-th call that changes the file system; n grows
until the operation gets through: one by one with --all, else in strides that begin elsewhere each day. After every
death the lake must be whole, show the old state or the new one, and do the operation when it is asked again.
"""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lakes import add, commit, files, identifiers, new_lake, persons

import support
from madang.lake import Engine, Lake
from madang.lake.persons import remove_persons
from madang.lake.removal import remove_versions
from madang.lake.verify import verify
from support import children, die_at, sampled

CALLS = ("link", "replace", "fsync", "chmod", "mkdir", "unlink", "rmdir", "open")
MOST = 400
STRIDE = 5


def first_version(folder: Path) -> None:
    commit(new_lake(folder).dataset("d"), {"person": persons(1)}, {"fates": persons(1)})


def next_version(folder: Path) -> None:
    dataset = new_lake(folder).dataset("d")
    parent = dataset.version()
    with dataset.write(parent, threads=1) as writer:
        writer.keep("person")
        writer.keep("fates", restricted=True)
        add(writer, "person", persons(2))
        add(writer, "fates", persons(2), restricted=True)
        add(writer, "visit", persons(2))
        writer.commit("test", rebase=False)


def removal(folder: Path) -> None:
    remove_versions(new_lake(folder).dataset("d"), [1], "test")


def removal_of_all(folder: Path) -> None:
    dataset = new_lake(folder).dataset("d")
    remove_versions(dataset, dataset.versions(), "test")


def removal_of_a_person(folder: Path) -> None:
    with Engine(threads=1) as engine:
        remove_persons(new_lake(folder).dataset("d"), [2], engine)


def run(operation: Callable[[Path], None], folder: Path, step: int) -> None:
    die_at(step, CALLS)
    operation(folder)


def deaths(operation: Callable[[Path], None], prepare: list[Callable[[Path], None]], folder: Path) -> Any:
    """Yield the lake after its deaths in the course of `operation`, and at last after its success."""
    for step in sampled(range(1, MOST), STRIDE):
        home = folder / str(step)
        home.mkdir()
        for prior in prepare:
            prior(home)
        child = children.Process(target=run, args=(operation, home, step))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        yield new_lake(home), home, child.exitcode == 0
        if child.exitcode == 0:
            return
    pytest.fail(f"more than {MOST} steps")


def check_states(seen: set[Any], possible: set[Any]) -> None:
    """No other state was seen than may be; each of them where the operation died at each of its steps."""
    assert seen == possible if support.EVERYTHING else seen <= possible


def check_whole(lake: Lake) -> None:
    """Every version is as it was committed, the Delta logs are repaired, and tidying leaves what versions name."""
    dataset = lake.dataset("d")
    if dataset.exists:
        assert verify(dataset, content=True) == []
    lake.tidy()
    assert lake.restricted is not None
    named = {path for n in dataset.versions() for table in dataset.version(n).tables.values() for path in table.paths}
    closed = {path for n in dataset.versions() for t in dataset.version(n).companion.values() for path in t.paths}
    assert {lake.root / name for name in files(lake.root)} == named
    assert {lake.restricted / name for name in files(lake.restricted)} == closed
    assert list(lake.root.glob("**/*.partial")) + list(lake.restricted.glob("**/*.partial")) == []
    if dataset.exists:
        assert verify(dataset, content=True) == []


def test_a_first_version_is_there_or_not(tmp_path: Path) -> None:
    seen = set()
    for lake, home, through in deaths(first_version, [], tmp_path):
        check_whole(lake)
        dataset = lake.dataset("d")
        seen.add((dataset.exists, through))
        if not dataset.exists:
            first_version(home)
        assert identifiers(dataset.version()) == identifiers(dataset.version(), "fates") == [1]
    check_states(seen, {(False, False), (True, False), (True, True)})


def test_a_next_version_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    seen = set()
    for lake, home, through in deaths(next_version, [first_version], tmp_path):
        check_whole(lake)
        dataset = lake.dataset("d")
        seen.add((len(dataset.versions()), through))
        if dataset.versions() == [1]:
            assert identifiers(dataset.version()) == [1]
            next_version(home)
        version = dataset.version()
        assert version.number == 2
        assert [identifiers(version, name) for name in ("person", "fates", "visit")] == [[1, 2], [1, 2], [2]]
    check_states(seen, {(1, False), (2, False), (2, True)})


def test_removing_a_version_never_harms_the_others(tmp_path: Path) -> None:
    seen = set()
    for lake, home, through in deaths(removal, [first_version, next_version, next_version_of_other_rows], tmp_path):
        dataset = lake.dataset("d")
        seen.add((tuple(dataset.versions()), through))
        check_whole(lake)
        assert identifiers(dataset.version()) == [3]
        if 1 in dataset.versions():
            removal(home)
        assert dataset.versions() == [2, 3]
        check_whole(lake)
    check_states(seen, {((1, 2, 3), False), ((2, 3), False), ((2, 3), True)})


def next_version_of_other_rows(folder: Path) -> None:
    commit(new_lake(folder).dataset("d"), {"person": persons(3)})


def test_removing_a_dataset_can_be_taken_up_again(tmp_path: Path) -> None:
    for lake, home, _ in deaths(removal_of_all, [first_version, next_version], tmp_path):
        check_whole(lake)
        if lake.dataset("d").exists:
            removal_of_all(home)
        assert files(lake.root) | files(lake.restricted or Path()) == set()
        assert [stone["number"] for stone in lake.dataset("d").tombstones()] == [1, 2]
        first_version(home)
        assert lake.find("d").number == 3
        check_whole(lake)


def test_removing_a_person_can_be_taken_up_again(tmp_path: Path) -> None:
    seen = set()
    for lake, home, _ in deaths(removal_of_a_person, [first_version, next_version], tmp_path):
        check_whole(lake)
        dataset = lake.dataset("d")
        seen.add(tuple(dataset.versions()))
        removal_of_a_person(home)
        assert dataset.versions() == [3]
        assert [identifiers(dataset.version(), name) for name in ("person", "fates", "visit")] == [[1], [1], []]
        check_whole(lake)
    check_states(seen, {(1, 2), (1, 2, 3), (2, 3), (3,)})
