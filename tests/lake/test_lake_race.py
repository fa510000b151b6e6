"""Several processes write one dataset at once."""

import time
from pathlib import Path
from typing import Any

import pytest
from lakes import add, commit, files, identifiers, new_lake, persons

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.lake.removal import remove_versions
from madang.lake.verify import verify
from support import children

WRITERS, TIMES = 4, 6


def append(folder: Path, start: Any, writer: int) -> None:
    dataset = new_lake(folder).dataset("d")
    start.wait()
    for turn in range(TIMES):
        commit(dataset, {"person": persons(writer * 100 + turn)}, {"fates": persons(writer)}, dataset.version())


def replace(folder: Path, start: Any, writer: int, told: Any) -> None:
    """Put one more row into a table's only file; on a conflict, do it again."""
    dataset = new_lake(folder).dataset("d")
    start.wait()
    for turn in range(TIMES):
        while True:
            parent = dataset.version()
            old = parent.tables["person"]
            with dataset.write(parent, threads=1) as w:
                for file in old.files:
                    w.drop_file("person", file.name)
                add(w, "person", persons(*identifiers(parent), writer * 100 + turn))
                try:
                    w.commit("replace")
                    break
                except MadangError as error:
                    told.put(error.code)


def together(target: Any, folder: Path, *rest: Any) -> None:
    start = children.Barrier(WRITERS)
    running = [children.Process(target=target, args=(folder, start, writer, *rest)) for writer in range(1, WRITERS + 1)]
    for child in running:
        child.start()
    for child in running:
        child.join(60)
    assert [child.exitcode for child in running] == [0] * WRITERS


EVERYBODY = [0, *(writer * 100 + turn for writer in range(1, WRITERS + 1) for turn in range(TIMES))]


def test_all_that_was_added_at_once_is_there_once(lake: Lake, tmp_path: Path) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(0)})
    together(append, tmp_path)
    version = dataset.version()
    assert version.number == 1 + WRITERS * TIMES
    assert identifiers(version) == EVERYBODY
    assert identifiers(version, "fates") == sorted([1, 2, 3, 4] * TIMES)
    assert [dataset.version(n).tables["person"].rows for n in dataset.versions()] == [
        1 + n for n in range(version.number)
    ]
    assert verify(dataset) == []
    assert lake.tidy() == []


def test_replacing_at_once_loses_nothing_because_the_loser_is_told(lake: Lake, tmp_path: Path) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(0)})
    told = children.Queue()
    together(replace, tmp_path, told)
    assert identifiers(dataset.version()) == EVERYBODY
    assert dataset.version().number == 1 + WRITERS * TIMES
    assert verify(dataset) == []
    assert lake.tidy() == []
    codes = set()
    while not told.empty():
        codes.add(told.get())
    assert codes == {"lake.conflict"}


def write_and_wait(folder: Path, ready: Any) -> None:
    with new_lake(folder).dataset("d").write() as writer:
        add(writer, "person", persons(1))
        add(writer, "fates", persons(1), restricted=True)
        ready.set()
        time.sleep(600)


def test_files_of_a_living_writer_are_left_alone_those_of_a_dead_one_go(lake: Lake, tmp_path: Path) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(0)})
    commit(dataset, {"person": persons(9)})
    before = files(tmp_path)
    ready = children.Event()
    writer = children.Process(target=write_and_wait, args=(tmp_path, ready))
    writer.start()
    try:
        assert ready.wait(60)
        assert len(files(tmp_path)) == len(before) + 2
        assert lake.tidy() == []
        with pytest.raises(MadangError) as refused:
            remove_versions(dataset, [1], "test")
        assert refused.value.code == "lake.busy"
    finally:
        writer.kill()
        writer.join()
    assert len(lake.tidy()) == 2
    assert files(tmp_path) == before
