"""Events that cannot be rewritten unseen, on SQLite and PostgreSQL."""

import base64
import hashlib
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from madang.base.errors import MadangError
from madang.node.audit import START, Audit
from madang.node.audit.anchor import export, make_anchor, verify
from madang.node.audit.chain import link, mac
from madang.node.audit.head import Head, HeadFile
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor, Organization

ME = Actor("person", "Kim", 7, via="session", address="192.0.2.1")


def fill(node: Node, count: int = 8) -> list[str]:
    for number in range(count):
        with node.write() as session:
            node.audit.record(session, ME, "record.edit", f"record:{number % 3}", {"title": f"제목 {number}"})
    with node.read() as session:
        return list(node.audit.texts(session))


def rewrite(node: Node, change: Callable[[Connection], object]) -> None:
    """Do to the table what somebody with the database, and without the key, could do."""
    with node.database.engine.begin() as connection:
        change(connection)


def test_an_event_says_who_did_what_when_and_how(node: Node) -> None:
    with node.write() as session:
        node.audit.record(session, ME, "record.edit", "record:5", {"title": "가\x00\ud800", "n": [1, None, True]})
    with node.read() as session:
        (event,) = node.audit.events(session)
        (written,) = node.audit.texts(session)
        row = session.connection().exec_driver_sql("SELECT number, at, act, actor, thing FROM audit_events").one()
    assert (event.number, event.act, event.actor, event.name, event.thing) == (
        1,
        "record.edit",
        "person:7",
        "Kim",
        "record:5",
    )
    assert (event.via, event.address, event.details["n"]) == ("session", "192.0.2.1", [1, None, True])
    assert tuple(row) == (1, event.at, "record.edit", "person:7", "record:5")
    assert json.loads(written)["details"] == event.details
    assert json.dumps(json.loads(written), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == written


def test_an_act_and_its_event_commit_together(node: Node) -> None:
    with pytest.raises(ZeroDivisionError), node.write() as session:
        session.add(Organization(name="lost", title="Lost"))
        node.audit.record(session, ME, "organization.create", "organization:lost")
        raise ZeroDivisionError
    assert node.audit.verify().length == 0
    with node.write() as session:
        node.audit.record(session, ME, "one")
        node.audit.record(session, ME, "two")
    report = node.audit.verify()
    assert (report.length, report.findings) == (2, [])
    assert node.audit.head.read() == Head(2, report.digest)


def test_the_event_of_a_read_is_there_when_the_read_begins(node: Node) -> None:
    node.audit.read(ME, "record.see", "record:1")
    with node.read() as session:
        assert [event.act for event in node.audit.events(session)] == ["record.see"]


def test_a_read_that_cannot_be_written_down_does_not_happen(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Audit, "_append", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        node.audit.read(ME, "record.see", "record:1")
    monkeypatch.undo()
    node.audit.read(ME, "record.see", "record:1")
    assert node.audit.verify().length == 1


def test_events_are_found_by_actor_act_and_thing(node: Node) -> None:
    fill(node)
    node.audit.read(Actor.owner(), "record_x.see", "record:1")
    with node.read() as session:
        find = node.audit.events
        assert [event.number for event in find(session, thing="record:1")] == [9, 8, 5, 2]
        assert [event.number for event in find(session, thing="record:1", actor="person:7")] == [8, 5, 2]
        assert len(find(session, act="record.*")) == 8
        assert len(find(session, act="record_x.see")) == 1
        assert [event.number for event in find(session, before=4, limit=2)] == [3, 2]


def test_the_chain_is_what_the_docs_say(node: Node) -> None:
    texts = fill(node, 3)
    key, digest = node.home.key("audit"), START
    with node.read() as session:
        rows = session.connection().exec_driver_sql("SELECT text, digest, mac FROM audit_events ORDER BY number").all()
    for written, row in zip(texts, rows, strict=True):
        digest = link(digest, written)
        assert tuple(row) == (written, digest, mac(key, digest))


NUMBERS = st.integers(1, 8)
COLUMNS = st.sampled_from(["text", "digest", "mac"])
CHANGES = st.one_of(
    st.tuples(st.just("edit"), NUMBERS, COLUMNS, st.integers(0, 10_000)),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("swap"), NUMBERS, NUMBERS).filter(lambda change: change[1] != change[2]),
    st.tuples(st.just("cut"), NUMBERS),
    st.tuples(st.just("copy"), NUMBERS),
    st.tuples(st.just("forge"), NUMBERS),
)


def apply(connection: Connection, change: tuple[Any, ...]) -> None:
    """Make one change to the table of eight events."""
    kind, number, *more = change
    rows = {
        row.number: row._asdict()
        for row in connection.execute(text("SELECT number, text, digest, mac FROM audit_events"))
    }
    row = rows[number]
    put = text("UPDATE audit_events SET text = :text, digest = :digest, mac = :mac WHERE number = :number")
    if kind == "edit":
        column, place = more
        if column == "text":
            event = json.loads(row["text"])
            chosen = random.Random(place).choice(["act", "actor", "name", "at", "thing", "address", "via"])
            event[chosen] += "x"
            value = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        else:
            at = place % 64
            value = row[column][:at] + ("0" if row[column][at] != "0" else "1") + row[column][at + 1 :]
        connection.execute(put, row | {column: value})
    elif kind == "delete":
        connection.execute(text("DELETE FROM audit_events WHERE number = :n"), {"n": number})
    elif kind == "cut":
        connection.execute(text("DELETE FROM audit_events WHERE number >= :n"), {"n": number})
    elif kind == "swap":  # the numbers stay in order, the rest changes places
        other = rows[more[0]]
        first, second = json.loads(row["text"]), json.loads(other["text"])
        first["number"], second["number"] = second["number"], first["number"]
        for target, event, source in ((row, second, other), (other, first, row)):
            value = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            connection.execute(put, source | {"text": value, "number": target["number"]})
    elif kind == "copy":  # one more at the end
        event = json.loads(row["text"]) | {"number": 9}
        value = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        insert = text("INSERT INTO audit_events (text, digest, mac) VALUES (:text, :digest, :mac)")
        connection.execute(insert, row | {"text": value})
    elif kind == "forge":  # the whole chain from here on computed anew, by somebody who has not the key
        digest = rows[number - 1]["digest"] if number > 1 else START
        for each in range(number, 9):
            event = json.loads(rows[each]["text"]) | {"name": "Lee"}
            value = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            digest = link(digest, value)
            forged = {"number": each, "text": value, "digest": digest, "mac": mac(b"guessed", digest)}
            connection.execute(put, forged)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, min_size=8, max_size=8))
def test_every_change_without_the_key_is_found(node: Node, changes: list[tuple[Any, ...]]) -> None:
    if node.audit.verify().length == 0:
        fill(node)
    for change in changes:
        with node.database.engine.connect() as connection:
            apply(connection, change)
            report = node.audit.check(connection)
            assert report.findings, change
            broken = node.audit._check_quickly(connection, frozenset()) is None
            plainly, _seen = node.audit._check_plainly(connection, frozenset())
            assert broken == bool(plainly.findings), "the quick check and the plain one agree"
            connection.rollback()
    assert node.audit.verify().findings == []


def test_columns_that_no_longer_follow_the_text_are_found(node: Node) -> None:
    fill(node, 3)

    def uncouple(connection: Connection) -> None:
        columns = "text, digest, mac, number, at, act, actor, thing"
        connection.execute(text(f"CREATE TABLE other AS SELECT {columns} FROM audit_events"))
        connection.execute(text("DROP TABLE audit_events"))
        connection.execute(text("ALTER TABLE other RENAME TO audit_events"))
        connection.execute(text("UPDATE audit_events SET actor = 'person:8' WHERE number = 2"))

    rewrite(node, uncouple)
    assert [finding.number for finding in node.audit.verify().findings] == [2]
    rewrite(node, lambda connection: connection.execute(text("UPDATE audit_events SET text = '{' WHERE number = 2")))
    assert {finding.number for finding in node.audit.verify().findings} == {2}


def test_what_was_cut_off_stays_found_when_more_is_written(node: Node) -> None:
    fill(node)
    rewrite(node, lambda connection: connection.execute(text("DELETE FROM audit_events WHERE number > 5")))
    assert node.audit.verify().findings
    fill(node, 20)
    assert node.audit.verify().findings


def test_a_head_that_is_gone_changed_or_put_back_is_found(node: Node) -> None:
    fill(node, 3)
    path = node.home.path / "keys" / "audit.head"
    good = path.read_bytes()
    for bad in (b"", b"x" * 512, good.replace(b'"length":3', b'"length":2').replace(b'"length":2', b'"length":1')):
        path.write_bytes(bad)
        assert node.audit.verify().findings
        fill(node, 1)
        assert node.audit.verify().findings, "the proof must stay"
    path.unlink()
    assert node.audit.verify().findings


def test_a_torn_head_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "head"
    for length in (1, 2):
        HeadFile(path, b"key").advance(Head(length, f"{length}" * 64))
    data = path.read_bytes()
    for cut in range(0, 256, 7):
        path.write_bytes(data[:256] + data[256 : 256 + cut] + b"\0" * (256 - cut))
        expected = Head(2, "2" * 64) if path.read_bytes() == data else Head(1, "1" * 64)
        read = HeadFile(path, b"key").read()
        assert read == expected or (read is not None and read.length == 2 and cut > 200)


def test_after_a_kill_between_commit_and_head_the_chain_goes_on(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(node, 2)
    monkeypatch.setattr(HeadFile, "advance", lambda *_: None)
    fill(node, 1)
    monkeypatch.undo()
    assert node.audit.verify().findings == []
    fill(node, 1)
    report = node.audit.verify()
    assert (report.length, report.findings, node.audit.head.read()) == (4, [], Head(4, report.digest))


def test_writers_at_once_do_not_fork_the_chain(node: Node) -> None:
    others = [node, Node.open(Home(node.home.path))]  # two processes, as far as the database can tell

    def work(number: int) -> None:
        mine = others[number % 2]
        for turn in range(6):
            if turn % 2:
                mine.audit.read(ME, "read", f"{number}")
            else:
                with mine.write() as session:
                    mine.audit.record(session, ME, "write", f"{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = node.audit.verify()
    assert (report.length, report.findings) == (36, [])
    assert node.audit.head.read() == Head(36, report.digest)
    others[1].close()


def test_what_the_keys_holder_rewrites_before_a_published_anchor_is_found(node: Node, tmp_path: Path) -> None:
    fill(node, 3)
    anchor = tmp_path / "anchor"
    anchor.write_text(make_anchor(node, Actor.owner()))
    fill(node, 2)
    assert verify(node, Actor.owner(), [anchor]).findings == []
    key = node.home.key("audit")

    def rewrite_with_the_key(connection: Connection) -> None:
        rows = connection.execute(text("SELECT number, text FROM audit_events ORDER BY number")).all()
        digest = START
        for number, written in rows:
            changed = written.replace("Kim", "Lee") if number == 2 else written
            digest = link(digest, changed)
            put = text("UPDATE audit_events SET text = :text, digest = :digest, mac = :mac WHERE number = :number")
            connection.execute(put, {"text": changed, "digest": digest, "mac": mac(key, digest), "number": number})
        (node.home.path / "keys" / "audit.head").unlink()
        HeadFile(node.home.path / "keys" / "audit.head", key).advance(Head(len(rows), digest))

    rewrite(node, rewrite_with_the_key)
    assert node.audit.verify().findings == [], "nothing here can tell"
    assert [finding.number for finding in verify(node, Actor.owner(), [anchor]).findings] == [4]


def test_an_anchor_of_somewhere_else_is_refused(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MADANG_DATABASE_URL", raising=False)
    other = Node.open(Home(tmp_path / "other"))
    anchor = tmp_path / "anchor"
    good = make_anchor(node, Actor.owner())
    for bad in (make_anchor(other, Actor.owner()), "", "x.y.z", good[:-3], good[5:]):
        anchor.write_text(bad)
        with pytest.raises(MadangError, check=lambda error: error.code == "anchor.unknown"):
            verify(node, Actor.owner(), [anchor])
    other.close()


def test_no_anchor_is_made_of_events_that_were_changed(node: Node) -> None:
    fill(node, 3)
    rewrite(node, lambda connection: connection.execute(text("DELETE FROM audit_events WHERE number = 2")))
    with pytest.raises(MadangError, check=lambda error: error.code == "chain.changed"):
        make_anchor(node, Actor.owner())


def test_an_export_can_be_checked_against_an_anchor_without_any_key(node: Node, tmp_path: Path) -> None:
    fill(node, 3)
    claims = make_anchor(node, Actor.owner()).split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert export(node, Actor.owner(), tmp_path / "events") == 5
    digest = START
    for line in (tmp_path / "events").read_text().splitlines()[: said["length"]]:
        digest = hashlib.sha256((digest + line).encode()).hexdigest()
    assert digest == said["digest"]
    with pytest.raises(MadangError):
        export(node, Actor.owner(), tmp_path / "events")
    for act in (lambda: export(node, ME, tmp_path / "x"), lambda: verify(node, ME), lambda: make_anchor(node, ME)):
        with pytest.raises(MadangError, check=lambda error: error.code == "permission.denied"):
            act()
