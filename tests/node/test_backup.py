"""Backups: made while work goes on, checked, and put back on an empty machine."""

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.lake.verify import verify as verify_dataset
from madang.node import backup as backup_module
from madang.node.backup import backup, read_contents, restore
from madang.node.dump import dump
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor, Organization, accounts, codes, second
from madang.node.people.proof import Proof
from postgres import Postgres
from support import children, die_at

OWNER = Actor.owner()


def live(node: Node) -> None:
    """Some of everything."""
    kim = accounts.create_person(node, OWNER, "kim", "김 연구", password="붉은 소나무 and a lake")
    with node.read() as session:
        actor = Actor.person(session, kim)
    import pyotp

    secret = codes.new_secret()
    second.set_up_codes(node, actor, Proof("붉은 소나무 and a lake"), secret, pyotp.TOTP(secret).now())
    node.home.folder("files").joinpath("ab").mkdir()
    (node.home.path / "files" / "ab" / "cd").write_bytes(b"a deposit")
    (node.home.path / "madang.toml").write_text('title = "백업된 마당"\n')
    commit(node, 1)


def commit(node: Node, value: int) -> None:
    with node.home.lake().dataset("ours").write() as writer:
        path = writer.new_file("t")
        pq.write_table(pa.table({"x": pa.array([value], pa.int64())}), path)
        writer.add("t", path)
        hidden = writer.new_file("fates", restricted=True)
        pq.write_table(pa.table({"line": pa.array([value], pa.int64())}), hidden)
        writer.add("fates", hidden)
        writer.commit(kind="test", info={})


def restore_until(step: int, folder: Path, home: Path) -> None:
    """Restore, and be killed at one of the calls that change files."""
    die_at(step, ("chmod", "open", "rename", "replace"))
    restore(folder, Home(home))


def everything(node: Node, scratch: Path) -> dict[str, Any]:
    """All that has to be the same afterwards."""
    dump(node.database, scratch)
    tables = {path.name: path.read_text() for path in scratch.iterdir()}
    shutil.rmtree(scratch)
    dataset = node.home.lake().dataset("ours")
    assert verify_dataset(dataset, content=True) == []
    report = node.audit.verify()
    assert report.findings == []
    return {
        "tables": tables,
        "head": (report.length, report.digest),
        "datasets": {number: dataset.version(number).digest for number in dataset.versions()},
        "keys": {path.name: path.read_bytes() for path in (node.home.path / "keys").glob("*.key")},
        "files": (node.home.path / "files" / "ab" / "cd").read_bytes(),
        "settings": (node.home.path / "madang.toml").read_text(),
    }


@pytest.fixture
def elsewhere(postgres: Postgres, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine on which a backup is put back, with the other database."""
    if os.environ.get("MADANG_DATABASE_URL"):
        monkeypatch.delenv("MADANG_DATABASE_URL")
    else:
        monkeypatch.setenv("MADANG_DATABASE_URL", postgres.url(postgres.fresh()))


def test_a_restored_node_is_the_same_also_on_the_other_database(
    node: Node, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    live(node)
    made = backup(node, OWNER, tmp_path / "backup")
    before = everything(node, tmp_path / "scratch")
    assert (made.length, made.digest) == before["head"]
    assert made.datasets == {"ours@1": before["datasets"][1]}
    node.close()
    shutil.rmtree(node.home.path)

    request.getfixturevalue("elsewhere")
    assert restore(tmp_path / "backup", Home(tmp_path / "new")) == made
    again = Node.open(Home(tmp_path / "new"))
    assert again.database.is_sqlite != node.database.is_sqlite
    assert everything(again, tmp_path / "scratch") == before
    for name in ("keys", "files", "files/ab", "restricted"):
        assert (tmp_path / "new" / name).stat().st_mode & 0o777 == 0o700, name
    with again.write() as session:  # it goes on where it was, with numbers that nobody has
        again.audit.record(session, OWNER, "go.on")
        session.add(Organization(name="next", title="Next"))
    assert again.audit.verify().length == made.length + 1
    again.close()


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_a_backup_is_whole_while_others_write(node: Node, tmp_path: Path) -> None:
    live(node)
    stop = threading.Event()

    def go_on() -> None:
        number = 1
        while not stop.is_set():
            number += 1
            commit(node, number)
            with node.write() as session:
                session.add(Organization(name=f"o{number}", title=f"{number}"))
                node.audit.record(session, OWNER, "organization.create", f"organization:{number}")

    worker = threading.Thread(target=go_on)
    worker.start()
    try:
        made = [backup(node, OWNER, tmp_path / f"backup{turn}") for turn in range(3)]
    finally:
        stop.set()
        worker.join()
    for turn, contents in enumerate(made):
        restore(tmp_path / f"backup{turn}", Home(tmp_path / f"new{turn}"))
        again = Node.open(Home(tmp_path / f"new{turn}"))
        report = again.audit.verify()
        assert (report.length, report.digest, report.findings) == (contents.length, contents.digest, [])
        dataset = again.home.lake().dataset("ours")
        assert {f"ours@{n}": dataset.version(n).digest for n in dataset.versions()} == contents.datasets
        assert verify_dataset(dataset) == []
        with again.read() as session:
            count = len(session.scalars(select(Organization.id)).all())
        again.close()
        assert count >= 1


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_what_is_no_whole_backup_is_not_put_back(node: Node, tmp_path: Path) -> None:
    live(node)
    good = tmp_path / "backup"
    backup(node, OWNER, good)
    fresh = Home(tmp_path / "new")

    def refused(code: str) -> Any:
        return pytest.raises(MadangError, check=lambda error: error.code == code)

    def refuses(code: str) -> None:
        with refused(code):
            restore(good, fresh)
        assert not fresh.path.exists()

    victim = good / "home" / "files" / "ab" / "cd"
    victim.write_bytes(b"a depisot")
    refuses("backup.damaged")
    victim.unlink()
    refuses("backup.damaged")
    victim.write_bytes(b"a deposit")
    (good / "home" / "more").touch()
    refuses("backup.damaged")
    (good / "home" / "more").unlink()
    said = json.loads((good / "backup.json").read_text())
    for change, code in [
        ({"revision": "9999"}, "database.newer"),
        ({"format": 2}, "backup.newer"),
        ({"files": said["files"] | {"../../x": "0"}}, "backup.none"),
        ({"surprise": 1}, "backup.none"),
    ]:
        (good / "backup.json").write_text(json.dumps(said | change))
        refuses(code)
    (good / "backup.json").unlink()
    refuses("backup.none")
    (good / "backup.json").write_text(json.dumps(said))
    fresh.path.mkdir()
    (fresh.path / "madang.toml").touch()
    with refused("backup.home_not_empty"):
        restore(good, fresh)
    for target, code in [(good, "backup.target"), (node.home.path / "inside", "backup.inside")]:
        with refused(code):
            backup(node, OWNER, target)
    with refused("permission.denied"):
        backup(node, Actor("person", "Kim", 2, {1: frozenset({"administrator"})}), tmp_path / "another")


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_killed_anywhere_a_restore_is_nothing_and_can_be_repeated(node: Node, tmp_path: Path) -> None:
    live(node)
    made = backup(node, OWNER, tmp_path / "backup")
    for step in (1, 8, 15):
        child = children.Process(target=restore_until, args=(step, tmp_path / "backup", tmp_path / "new"))
        child.start()
        child.join()
        assert child.exitcode == -9
        assert not (tmp_path / "new").exists()
    assert restore(tmp_path / "backup", Home(tmp_path / "new")) == made == read_contents(tmp_path / "backup")
    assert not (tmp_path / "new.restoring").exists()


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_what_programs_in_workspaces_wrote_is_kept_and_no_link_is_followed(node: Node, tmp_path: Path) -> None:
    files = node.home.folder("workspaces") / "1" / "files"
    (files / "deep").mkdir(parents=True)
    (tmp_path / "secret").write_text("a secret of the host")
    (files / "deep" / "code.py").write_text("x = 1")
    (files / "program").write_text("x")
    (files / "program").chmod(0o6755)
    (files / "link").symlink_to(tmp_path / "secret")
    (files / "far").symlink_to(tmp_path)
    os.mkfifo(files / "pipe")
    (files / os.fsdecode(b"\xff")).write_text("no text names it")
    contents = backup(node, OWNER, tmp_path / "to")
    assert contents.unread == ["workspaces/1/files/\\udcff"]
    home = Home(tmp_path / "again")
    restore(tmp_path / "to", home)
    kept = home.path / "workspaces" / "1" / "files"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*")) == ["deep", "deep/code.py", "program"]
    assert (kept / "program").stat().st_mode & 0o7777 == 0o755
    assert (home.path / "workspaces").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_a_file_that_became_a_link_while_it_was_copied_is_not_followed(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from madang.node import backup as module

    files = node.home.folder("workspaces") / "1" / "files"
    files.mkdir(parents=True)
    (tmp_path / "secret").write_text("a secret of the host")
    (files / "file").write_text("x")

    def changed(*given: Any) -> Any:
        (files / "file").unlink(missing_ok=True)
        (files / "file").symlink_to(tmp_path / "secret")
        return real(*given)

    real = module.open_inside
    monkeypatch.setattr(module, "open_inside", changed)
    contents = backup(node, OWNER, tmp_path / "to")
    assert not [name for name in contents.files if name.startswith("home/workspaces")]


def test_what_is_named_by_its_hash_is_copied_once_for_all_backups(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(node)
    whole, store = node.home.path / "deposits" / "whole", tmp_path / "store"

    def deposited(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = whole / digest[:2] / digest
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        return digest

    first, second_ = deposited(b"reads"), deposited(b"pictures")
    one = backup(node, OWNER, tmp_path / "one", store=store)
    assert sorted(one.stored.values()) == sorted((first, second_))
    assert not (tmp_path / "one" / "home" / "deposits").exists()
    third = deposited(b"more")
    (whole / second_[:2] / second_).write_bytes(b"pixtures!")  # a flipped bit, and a byte more
    before = {path: path.stat().st_ino for path in store.rglob("*") if path.is_file()}
    two = backup(node, OWNER, tmp_path / "two", store=store)
    after = {path: path.stat().st_ino for path in store.rglob("*") if path.is_file()}
    assert before.items() <= after.items() and len(after) == 3  # nothing was copied again
    assert sorted(two.stored.values()) == sorted((first, third))
    assert f"home/deposits/whole/{second_[:2]}/{second_}" in two.files  # as it is here
    assert backup_module.verify_backup(tmp_path / "one").stored == one.stored
    moved = store.rename(tmp_path / "elsewhere")
    with pytest.raises(MadangError, match="not what was written"):
        backup_module.verify_backup(tmp_path / "one")
    monkeypatch.delenv("MADANG_DATABASE_URL", raising=False)
    restore(tmp_path / "one", Home(tmp_path / "new"), store=moved)
    for digest, content in ((first, b"reads"), (second_, b"pictures")):
        path = tmp_path / "new" / "deposits" / "whole" / digest[:2] / digest
        assert path.read_bytes() == content and path.stat().st_mode & 0o777 == 0o444
    (moved / first[:2] / first).chmod(0o600)
    (moved / first[:2] / first).write_bytes(b"rEads")
    with pytest.raises(MadangError, match="not what was written"):
        restore(tmp_path / "one", Home(tmp_path / "third"), store=moved)
    with pytest.raises(MadangError, match="cannot lie in the home"):
        backup(node, OWNER, tmp_path / "three", store=node.home.path / "store")
