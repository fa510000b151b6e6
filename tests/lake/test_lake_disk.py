"""Full disks, missing permission, Ctrl-C, and what has to be on the disk before a commit."""

import contextlib
import errno
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from lakes import add, commit, files, identifiers, new_lake, persons

from madang.base.errors import Cancelled, MadangError
from madang.base.progress import Silent
from madang.lake import Engine, Lake
from madang.lake.persons import remove_persons
from madang.lake.verify import verify
from support import children, ordinary_user, small_file_system


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; skipped where nobody may mount one."""
    with small_file_system(tmp_path / "small", "1m") as folder:
        yield folder


@pytest.mark.root
def test_a_full_disk_is_one_sentence_and_the_last_version_stays(small_disk: Path) -> None:
    lake = new_lake(small_disk)
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1, 2)})
    with pytest.raises(MadangError) as refused, dataset.write(first) as writer, Engine(threads=1) as engine:
        engine.copy_to_parquet("SELECT hash(range)::VARCHAR AS x FROM range(500000)", writer.new_file("person"))
    assert refused.value.code == "engine.disk_full"
    assert files(lake.root) == {str(path.relative_to(lake.root)) for path in first.tables["person"].paths}

    with dataset.write(first) as writer:
        writer.keep_all()
        add(writer, "person", persons(3))
        fill(small_disk / "filler")
        with pytest.raises(MadangError) as refused:
            writer.commit("test")
    assert refused.value.code == "lake.disk_full"
    assert dataset.versions() == [1]
    (small_disk / "filler").unlink()
    assert verify(dataset) == []
    assert identifiers(commit(dataset, {"person": persons(3)}, parent=first)) == [1, 2, 3]


def fill(path: Path) -> None:
    """Write until there is no more room."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(descriptor, b"x" * 4096):
            pass
    os.close(descriptor)


def test_a_log_that_finds_no_room_does_not_undo_the_commit(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def refuse(source: Path, target: Path) -> None:
        if "_delta_log" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        version = commit(lake.dataset("d"), {"person": persons(1)})
    assert {finding.path.name for finding in verify(version.dataset)} == {"_delta_log"}
    assert verify(lake.dataset("d")) == []


def write_with_a_limit(folder: Path, limit: int, answer: Any) -> None:
    dataset = new_lake(folder).dataset("d")
    parent = dataset.version()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        with dataset.write(parent) as writer:
            writer.keep_all()
            pq.write_table(persons(*range(20)), path := writer.new_file("person"))
            writer.add("person", path)
            writer.commit("test")
        answer.put("committed")
    except MadangError as error:
        answer.put(error.code)
    except OSError as error:
        answer.put(type(error).__name__)


@pytest.mark.parametrize(("limit", "said"), [(100, {"OSError"}), (1000, {"lake.disk_full", "committed"})])
def test_a_file_that_cannot_grow_changes_nothing(lake: Lake, tmp_path: Path, limit: int, said: set[str]) -> None:
    """At 100 bytes the caller's own Parquet file fails; at 1000 the data fit and the manifest may not."""
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(100)})
    answer = children.Queue()
    child = children.Process(target=write_with_a_limit, args=(tmp_path, limit, answer))
    child.start()
    result = answer.get(timeout=60)
    child.join()
    assert result in said
    expected = [*range(20), 100] if result == "committed" else [100]
    assert identifiers(lake.dataset("d").version()) == expected
    assert len(files(lake.root)) == len(dataset.version().tables["person"].files)
    assert verify(dataset) == []


def test_without_permission_it_is_one_sentence() -> None:
    with tempfile.TemporaryDirectory() as name, ordinary_user(Path(name)):
        lake = new_lake(Path(name))
        dataset = lake.dataset("d")
        commit(dataset, {"person": persons(1)})
        os.chmod(dataset.folder, 0o500)
        assert identifiers(lake.find("d")) == [1]
        with pytest.raises(MadangError) as refused:
            commit(dataset, {"visit": persons(1)})
        assert refused.value.code == "lake.permission"
        os.chmod(dataset.folder, 0o000)
        with pytest.raises(MadangError) as refused:
            lake.find("d")
        assert refused.value.code == "lake.permission"
        os.chmod(dataset.folder, 0o700)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (13, "lake.permission"),
        (30, "lake.permission"),
        (28, "lake.disk_full"),
        (122, "lake.disk_full"),
        (5, "lake.files"),
    ],
)
def test_whatever_the_file_system_refuses_is_one_sentence(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1)})

    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    for call in ("link", "fsync", "chmod"):
        with monkeypatch.context() as patch, pytest.raises(MadangError) as refused:
            patch.setattr(os, call, refuse)
            commit(dataset, {"visit": persons(1)}, parent=first)
        assert refused.value.code == code
        assert "somewhere" in refused.value.message
    assert dataset.versions() == [1]
    assert len(files(lake.root)) == 1
    assert list(lake.root.glob("**/*.partial")) == []


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Ctrl-C, which a process that was started in the background would not get."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_the_last_version(lake: Lake, ctrl_c: Callable[[], None]) -> None:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1)})
    with pytest.raises(KeyboardInterrupt), dataset.write(first) as writer:
        writer.keep_all()
        add(writer, "person", persons(2))
        add(writer, "fates", persons(2), restricted=True)
        ctrl_c()
    assert dataset.versions() == [1]
    assert len(files(lake.root.parent)) == 1
    assert lake.tidy() == []


def test_removing_persons_can_be_stopped(lake: Lake) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(1, 2), "visit": persons(1, 2)})
    progress = Silent()
    progress.begin = lambda *args: progress.cancel()  # type: ignore[method-assign]  # stop once work has begun
    with pytest.raises(Cancelled), Engine(threads=1) as engine:
        remove_persons(dataset, [1], engine, progress=progress)
    assert dataset.versions() == [1]
    assert len(files(lake.root)) == 2


def test_everything_is_on_the_disk_before_the_manifest_is_put_in_place(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, Path]] = []
    link = os.link

    def synced(descriptor: int) -> None:
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def linked(source: Path, target: Path) -> None:
        done.append(("link", Path(target)))
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    version = commit(lake.dataset("d"), {"person": persons(1)}, {"fates": persons(1)})
    assert lake.restricted is not None
    manifest = version.dataset.manifest_path(1)
    moment = done.index(("link", manifest))
    before, after = {path for _, path in done[:moment]}, [path for what, path in done[moment:] if what == "sync"]
    [data] = version.tables["person"].paths
    [closed] = version.companion["fates"].paths
    companion = lake.restricted / "d" / "_versions" / f"{version.manifest['restricted']}.json"
    needed = {data, data.parent, lake.root / "d", lake.root, closed, closed.parent, companion, companion.parent}
    assert needed <= before
    assert ("link", companion) in done[:moment]
    assert after[0] == manifest.parent


def test_a_writer_that_waits_for_a_removal_says_so(lake: Lake) -> None:
    dataset = lake.dataset("d")
    commit(dataset, {"person": persons(1)})
    started = time.monotonic()
    with (
        dataset.lock(exclusive=True),
        pytest.raises(MadangError) as refused,
        dataset.lock(exclusive=False, patience=0.2),
    ):
        pass
    assert refused.value.code == "lake.busy"
    assert time.monotonic() - started >= 0.2
