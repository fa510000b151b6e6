"""The commands of the node as their owner meets them: admin, audit, backup, restore, doctor."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from madang.app import cli
from madang.node.home import Home
from madang.node.node import Node


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("COLUMNS", "300")
    return Home(tmp_path / "home")


@pytest.fixture
def madang(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str, status: int = 0, typed: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert cli.run(list(arguments)) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return run


def test_people_are_made_and_given_roles(madang: Any) -> None:
    madang(
        "admin", "create", "kim", "--name", "김 연구", "--role", "administrator", "--password-from-input",
        typed="붉은 소나무 and a lake\n",
    )  # fmt: skip
    madang("admin", "organization", "clinic", "--title", "병원")
    madang("admin", "give", "kim", "steward", "--in", "clinic")
    madang("admin", "take", "kim", "administrator")
    madang("admin", "disable", "kim")
    (kim,) = json.loads(madang("admin", "list", "--json"))
    assert (kim["login"], kim["roles"], bool(kim["disabled"])) == ("kim", "member, steward (clinic)", True)
    madang("admin", "enable", "kim")
    madang("admin", "forget-codes", "kim")
    madang("admin", "password", "kim", "--password-from-input", typed="another lake, and a pine\n")
    assert "There is no account lee" in madang("admin", "disable", "lee", status=2)
    assert "12 characters" in madang("admin", "password", "kim", "--password-from-input", typed="x\n", status=2)
    acts = [event["act"] for event in json.loads(madang("audit", "list", "--actor", "owner", "--json"))]
    assert acts[:3] == ["audit.read", "person.password", "account.codes_off"]
    assert [event["act"] for event in json.loads(madang("audit", "list", "--act", "role.*", "--json"))] == [
        "role.take", "role.give", "role.give",
    ]  # fmt: skip


def test_events_are_proved_and_a_change_is_told(madang: Any, home: Home, tmp_path: Path) -> None:
    madang("admin", "create", "kim", "--name", "Kim", "--no-password")
    anchor = tmp_path / "anchor"
    madang("audit", "anchor", "--out", str(anchor))
    assert "is there already" in madang("audit", "anchor", "--out", str(anchor), status=2)
    assert "none changed" in madang("audit", "verify", "--anchor", str(anchor))
    assert "Wrote 4 events" in madang("audit", "export", str(tmp_path / "events"))
    node = Node.open(home)
    with node.write() as session:
        session.execute(text("DELETE FROM audit_events WHERE number = 1"))
    node.close()
    assert "The events are not what was written" in madang("audit", "verify", status=2)


def test_a_backup_is_put_back_elsewhere(
    madang: Any, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    madang("admin", "create", "kim", "--name", "Kim", "--no-password")
    made = madang("backup", str(tmp_path / "backup"))
    assert "2 audit events" in made
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "elsewhere"))
    assert "2 audit events" in madang("restore", str(tmp_path / "backup"))
    assert json.loads(madang("admin", "list", "--json"))[0]["login"] == "kim"
    assert "There is something in" in madang("restore", str(tmp_path / "backup"), status=2)


def test_the_doctor_looks_and_changes_nothing(madang: Any, home: Home) -> None:
    madang("doctor")
    assert not home.path.exists()
    madang("admin", "create", "kim", "--name", "Kim", "--no-password")
    before = sorted(home.path.rglob("*"))
    said = {each["what"]: each for each in json.loads(madang("doctor", "--thorough", "--json"))}
    assert {"versions", "settings", "sandbox", "permissions", "disk", "datasets", "database", "audit"} <= set(said)
    assert {"clock", "backup", "jobs", "mail", "workspaces"} <= set(said)
    assert said["database"]["level"] == said["audit"]["level"] == said["permissions"]["level"] == "good"
    assert said["backup"]["level"] == "doubtful"
    assert sorted(home.path.rglob("*")) == before


def test_the_doctor_finds_what_is_wrong(madang: Any, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    madang("admin", "create", "kim", "--name", "Kim", "--no-password")
    (home.path / "keys").chmod(0o755)
    assert "2 finding(s)" in madang("doctor", status=2)
    (home.path / "keys").chmod(0o700)
    monkeypatch.setenv("MADANG_MAIL_SERVER", "127.0.0.1")
    monkeypatch.setenv("MADANG_MAIL_PORT", "1")
    assert "1 finding(s)" in madang("doctor", status=2)


def test_settings_are_shown_with_their_source_and_without_secrets(
    madang: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.path.mkdir()
    (home.path / "madang.toml").write_text('title = "마당"\n[mail]\npassword = "hidden"\n')
    monkeypatch.setenv("MADANG_WEB_PORT", "9000")
    shown = madang("doctor", "--settings", "--json")
    rows = {row["name"]: row for row in json.loads(shown)}
    assert (rows["title"]["value"], rows["title"]["source"]) == ("마당", "madang.toml")
    assert (rows["web.port"]["value"], rows["web.port"]["source"]) == ("9000", "MADANG_WEB_PORT")
    assert "hidden" not in shown
    (home.path / "madang.toml").write_text("titel = 1\n")
    assert "line 1: there is no setting titel" in madang("doctor", "--settings", status=2)
