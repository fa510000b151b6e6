"""The home folder and its keys."""

import os
from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.node import Home
from support import children


def test_the_environment_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MADANG_HOME", raising=False)
    assert Home.find().path == tmp_path / ".local" / "share" / "madang"
    monkeypatch.setenv("MADANG_HOME", "~/elsewhere")
    assert Home.find().path == tmp_path / "elsewhere"
    monkeypatch.setenv("MADANG_HOME", "")
    assert Home.find().path == tmp_path / ".local" / "share" / "madang"


def test_looking_makes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.lake().datasets() == []
    assert not home.path.exists()


def test_a_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    key = home.key("pseudonym")
    assert len(key) == 32
    assert home.key("pseudonym") == Home(tmp_path / "home").key("pseudonym") == key
    assert home.key("other") != key
    path = home.path / "keys" / "pseudonym.key"
    assert path.read_bytes() == key
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir() if entry.suffix == ".partial"] == []


def ask(home: Path, start: Any, answers: Any) -> None:
    start.wait()
    answers.put(Home(home).key("pseudonym"))


def test_processes_that_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    start, answers = children.Barrier(4), children.Queue()
    asking = [children.Process(target=ask, args=(tmp_path / "home", start, answers)) for _ in range(4)]
    for child in asking:
        child.start()
    keys = {answers.get(timeout=60) for _ in asking}
    for child in asking:
        child.join()
    assert keys == {Home(tmp_path / "home").key("pseudonym")}


def test_a_key_that_is_damaged_or_open_is_not_used_and_not_replaced(tmp_path: Path) -> None:
    home = Home(tmp_path)
    key = home.key("pseudonym")
    path = tmp_path / "keys" / "pseudonym.key"
    path.chmod(0o640)
    with pytest.raises(MadangError) as refused:
        home.key("pseudonym")
    assert refused.value.code == "home.key_open"
    path.chmod(0o600)
    path.write_bytes(key[:31])
    with pytest.raises(MadangError) as refused:
        home.key("pseudonym")
    assert refused.value.code == "home.key_damaged"
    assert path.read_bytes() == key[:31]


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a\n"])
def test_names_that_are_no_key_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(MadangError) as refused:
        Home(tmp_path).key(name)
    assert refused.value.code == "home.key_name"


def test_secrets_do_not_go_where_others_may_look(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.key("pseudonym")
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(MadangError) as refused:
        home.key("pseudonym")
    assert refused.value.code == "home.folder_open"
    (tmp_path / "restricted").mkdir(mode=0o755)
    with pytest.raises(MadangError) as refused:
        home.lake()
    assert refused.value.code == "home.folder_open"


def test_a_file_where_the_home_should_be(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    for path in (tmp_path / "home", tmp_path / "home" / "inside"):
        with pytest.raises(MadangError):
            Home(path).key("pseudonym")


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(MadangError) as refused:
        Home(tmp_path / "home").key("pseudonym")
    assert refused.value.code == "lake.permission"
    with pytest.raises(MadangError):
        Home(tmp_path / "home").sources()
