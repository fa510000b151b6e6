"""The register is in the database: rows say how certificates stand, whatever happens between files and commit."""

import contextlib
import json
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Issuance, assess, bits, certified, certify_in, fresh, make_version
from sqlalchemy import delete, select

from madang.app import cli
from madang.base.errors import MadangError
from madang.node import acts, signing
from madang.node.acts import Intent
from madang.node.backup import backup
from madang.node.doctor import Finding
from madang.node.home import Home
from madang.node.node import Node
from madang.services.certification import (
    adopt,
    adopting,
    current_status_list,
    entry,
    issue,
    issuing,
    load_scheme,
    of_version,
    register,
    reinstate,
    revoke,
    rotate_key,
    status_list,
    suspend,
    times,
)
from madang.services.certification.acts import CERTIFICATE_STATES
from madang.services.certification.doctor import look
from madang.services.certification.models import Registered
from madang.services.certification.store import Store
from portal_house import OWNER
from support import SEED, children, die_at
from templates import DATABASE

SCHEME = load_scheme("omop-ready")
FILES = {"certificate.jwt", "report.json", "sheet.html"}


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """An installation that never certified anything, on each database."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    made = fresh(tmp_path / "home", server, monkeypatch)
    monkeypatch.setenv("MADANG_LANG", "en")
    yield made
    made.close()


@pytest.fixture
def issued(node: Node) -> Issuance:
    return certify_in(node)


def events(node: Node) -> list[Any]:
    with node.read() as session:
        return list(reversed(node.audit.events(session, act="certificate.*", limit=1_000)))


def folded(node: Node) -> dict[str, str]:
    """The state of each certificate by the events alone."""
    found = {}
    for event in events(node):
        if "to" in event.details:
            assert found.get(event.thing, "") == event.details["from"], event
            found[event.thing.partition(":")[2]] = event.details["to"]
            found[event.thing] = event.details["to"]
    return {name: state for name, state in found.items() if ":" not in name}


def states(node: Node) -> dict[str, str]:
    return {each.certificate.number: each.state for each in register(node)}


def findings(node: Node) -> list[Finding]:
    return [finding for finding in look(node) if finding.level != "good"]


def test_rows_events_and_list_say_the_same_after_any_walk(issued: Issuance) -> None:
    node, walk = issued.node, random.Random(SEED)
    numbers = [issued.number, issued.again("second").certificate.number, issued.again("third").certificate.number]
    moves = {(frm, act) for frm, act, _to in CERTIFICATE_STATES.moves()}
    for _turn in range(25):
        number, act = walk.choice(numbers), walk.choice([revoke, suspend, suspend, reinstate, reinstate])
        before = states(node)[number]
        if (before, f"certificate.{act.__name__}") in moves:
            assert act(node, OWNER, number, "because").reason == "because"
        else:
            with pytest.raises(MadangError) as caught:
                act(node, OWNER, number)
            assert caught.value.code == "act.state" and states(node)[number] == before
    assert folded(node) == states(node)
    expected = {2 * int(number) + (state == "suspended") for number, state in states(node).items() if state != "issued"}
    assert bits(node) == expected
    assert findings(node) == []


def test_what_is_read_is_a_row_and_no_file_until_it_is_asked_for(issued: Issuance) -> None:
    other = issued.again("a-dataset-whose-name-is-longer-than-thirty-letters")
    assert other.certificate.dataset == "a-dataset-whose-name-is-longer-than-thirty-letters@1"
    shutil.rmtree(issued.entry.folder)
    assert states(issued.node) == {issued.number: "issued", other.certificate.number: "issued"}
    assert [each.certificate.number for each in of_version(issued.node, issued.version.digest)] == [issued.number]
    assert entry(issued.node, other.certificate.number).report["quality"]["version"] == 1
    with pytest.raises(MadangError) as caught:
        _ = entry(issued.node, issued.number).text
    assert caught.value.code == "certificate.damaged"


def test_a_time_that_is_over_is_seen_and_changes_no_row(issued: Issuance, monkeypatch: pytest.MonkeyPatch) -> None:
    late = issued.entry.certificate.valid_until.replace(year=2999)
    monkeypatch.setattr(times, "now", lambda: late)
    (found,) = register(issued.node)
    assert (found.state, found.stands) == ("issued", "expired")
    revoke(issued.node, OWNER, issued.number)
    assert register(issued.node)[0].stands == "revoked"


def opened(home: str, database: str) -> Node:
    """The installation in a process of its own, whose environment is that of whoever started the first of them."""
    if database:
        os.environ[DATABASE] = database
    return Node.open(Home(Path(home)))


def place_of(node: Node) -> tuple[str, str]:
    return str(node.home.path), node.settings.database_url.get_secret_value()


def test_no_signature_is_made_or_verified_inside_a_transaction_for_writing(
    node: Node, before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign, read = signing.Signer.sign, signing.read_signed
    seen: list[str] = []

    def outside(what: str) -> None:
        assert not getattr(node.database._writer, "busy", False), what
        seen.append(what)

    monkeypatch.setattr(signing.Signer, "sign", lambda *given, **more: (outside("sign"), sign(*given, **more))[1])
    monkeypatch.setattr(signing, "read_signed", lambda *given, **more: (outside("read"), read(*given, **more))[1])
    issued = certify_in(node)  # which adopts the home first
    suspend(node, OWNER, issued.number)
    rotate_key(node, OWNER)
    assert {"sign", "read"} == set(seen) and len(register(node)) == len(before) + 1


def killed(home: str, database: str, where: str) -> None:
    """Issue or rotate in a process that dies between the files and the commit."""
    node = opened(home, database)

    def die(*_given: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "before the files":
        Store.put = die  # type: ignore[method-assign]  # in this process only
    else:
        acts.Intending.done = die  # type: ignore[assignment,method-assign]  # in this process only
    if where == "after the rotation":
        rotate_key(node, OWNER)
    version = node.home.lake().find("other@1")
    issue(node, OWNER, version, SCHEME, assess(version))


@pytest.mark.parametrize("where", ["before the files", "after the files", "after the rotation"])
def test_what_a_kill_left_open_is_finished_or_withdrawn(issued: Issuance, where: str) -> None:
    node = issued.node
    version, keys = make_version(node.home, "other"), signing.public_keys(node.home)
    child = children.Process(target=killed, args=(*place_of(node), where))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert states(node) == {issued.number: "issued"} and findings(node) == []  # begun, and not said to be wrong
    assert len(acts.settle(node)) == 1
    with node.read() as session:
        assert session.scalar(select(Intent.id)) is None
    is_there = where == "after the files"
    assert [each.state for each in of_version(node, version.digest)] == ["issued"] * is_there
    assert folded(node) == states(node) and findings(node) == []
    if where == "after the rotation":
        with node.read() as session:
            (rotated,) = node.audit.events(session, act="key.rotate")
        assert (rotated.details["before"], rotated.details["key"]) == (
            keys[0]["kid"], signing.public_keys(node.home)[0]["kid"],
        )  # fmt: skip
        assert not (node.home.path / "keys/signing-1.key").exists()
    again = issue(node, OWNER, version, SCHEME, assess(version))
    assert again.new != is_there and len(of_version(node, version.digest)) == 1


def test_a_commit_that_fails_leaves_no_certificate(issued: Issuance, monkeypatch: pytest.MonkeyPatch) -> None:
    node = issued.node
    version = make_version(node.home, "other")

    def fails(*_given: object, **_more: object) -> Any:
        raise MadangError("database.disk_full", "The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(acts, "told_of", fails)
        with pytest.raises(MadangError, match="full"):
            issue(node, OWNER, version, SCHEME, assess(version))
    assert Store(node.home).numbers() == [issued.number] and findings(node) == []
    assert issue(node, OWNER, version, SCHEME, assess(version)).new


# A home from before the register was in the database.


@pytest.fixture
def before(node: Node) -> dict[str, str]:
    """Five certificates as files, and their history as the earlier release kept it; the states by number."""
    store, numbers = Store(node.home), []
    with store.lock():
        for name in ("one", "two", "three", "four", "a-dataset-whose-name-is-longer-than-thirty-letters"):
            version = make_version(node.home, name)
            outcomes = issuing.outcomes_met(SCHEME, version, quality := assess(version))
            made = issuing.draft(node.home, version, SCHEME, quality, outcomes, store.numbers())
            store.put(made.certificate.place, made.files)
            numbers.append(made.certificate.number)
    acts_of = {
        numbers[1]: [("suspend", "looked at")],
        numbers[2]: [("suspend", ""), ("revoke", "틀림\x07")],
        numbers[3]: [("suspend", "x"), ("reinstate", "fine")],
    }
    history = {
        name: [{"act": act, "at": "2026-11-01T00:00:00Z", "reason": reason} for act, reason in done]
        for name, done in acts_of.items()
    }
    (store.folder / "history.json").write_text(json.dumps(history))
    led = ["issued", "suspended", "revoked", "issued", "issued"]
    return dict(zip(numbers, led, strict=True))


def test_a_home_from_before_is_adopted_once_at_its_first_use(node: Node, before: dict[str, str]) -> None:
    assert [finding.level for finding in look(node)] == ["doubtful"]
    assert states(node) == before
    history = Store(node.home).folder / "history.json"
    assert not history.exists() and (history.with_name("history-adopted.json")).exists()
    found = {each.certificate.number: each for each in register(node)}
    numbers = list(before)
    assert found[numbers[1]].reason == "looked at" and found[numbers[1]].since == "2026-11-01T00:00:00Z"
    assert found[numbers[2]].reason == "틀림"
    assert found[numbers[4]].certificate.dataset == "a-dataset-whose-name-is-longer-than-thirty-letters@1"
    assert {path.name for path in found[numbers[0]].folder.iterdir()} == FILES
    assert found[numbers[0]].text.count(".") == 2
    assert folded(node) == before and findings(node) == []
    assert adopt(node, OWNER) == [] and len(events(node)) == len(before)
    history.write_text("[]")  # which nobody reads any more
    assert states(node) == before
    assert reinstate(node, OWNER, numbers[1]).state == "issued"


def adopt_and_die(home: str, database: str, step: int) -> None:
    node, left = opened(home, database), step
    enter = adopting._enter

    def or_die(*given: Any) -> None:
        nonlocal left
        enter(*given)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    if step <= 5:
        adopting._enter = or_die
    else:
        die_at(step - 5, ("replace", "rename"))
    register(node)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", [1, 3, 5, 6, 7, 8])
def test_also_if_that_is_killed_half_way(node: Node, before: dict[str, str], step: int) -> None:
    child = children.Process(target=adopt_and_die, args=(*place_of(node), step))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert states(node) == before and folded(node) == before
    assert len(events(node)) == len(before)


def test_a_history_that_cannot_be_read_adopts_nothing(node: Node, before: dict[str, str]) -> None:
    path = Store(node.home).folder / "history.json"
    good = path.read_bytes()
    for damage in ("[]", '{"1": []}', '{"00001": [{"act": "forget"}]}', "{"):
        path.write_text(damage)
        with pytest.raises(MadangError) as caught:
            register(node)
        assert caught.value.code == "certificate.damaged"
    path.write_bytes(good)
    assert states(node) == before


def test_one_that_is_damaged_is_left_and_keeps_what_the_list_says_of_it(node: Node, before: dict[str, str]) -> None:
    suspended = next(number for number, state in before.items() if state == "suspended")
    path = Store(node.home).folder / suspended / "certificate.jwt"
    whole = path.read_bytes()
    signer, url = signing.signer(node.home), Store(node.home).url
    told = {2 * int(number) + (state == "suspended") for number, state in before.items() if state != "issued"}
    text = signer.sign(status_list.make_list(signing.issuer(node.home), url, told, times.now()), "vc+jwt", "vc")
    (Store(node.home).folder / "status.jwt").write_text(text)
    path.chmod(0o644)
    path.write_bytes(whole[:-9])
    assert states(node) == {number: state for number, state in before.items() if number != suspended}
    (found,) = findings(node)
    assert suspended in found.message and found.level == "bad"
    assert bits(node) == told
    path.write_bytes(whole)  # restored from a backup
    (found,) = findings(node)
    assert suspended in found.message and "adopt" in found.hint
    assert adopt(node, OWNER) == [suspended]
    assert states(node) == before and bits(node) == told and findings(node) == []


# Register and files that do not agree.


def test_the_doctor_says_in_one_sentence_what_does_not_agree(issued: Issuance) -> None:
    node = issued.node
    gone, changed, unknown, strange = (issued.again(name) for name in ("gone", "changed", "unknown", "strange"))
    assert findings(node) == []
    shutil.rmtree(gone.folder)
    report = changed.folder / "report.json"
    report.chmod(0o644)
    report.write_bytes(report.read_bytes() + b" ")
    with node.write() as session:
        session.execute(delete(Registered).where(Registered.number == unknown.certificate.number))
    stranger = next(f"{place:05}" for place in range(9) if f"{place:05}" not in states(node))
    shutil.copytree(strange.folder, Store(node.home).folder / stranger)  # under a number that it does not say
    found = findings(node)
    expected = (gone.certificate.number, changed.certificate.number, unknown.certificate.number, stranger)
    assert [number in finding.message for number, finding in zip(expected, found, strict=True)] == [True] * 4
    assert {finding.level for finding in found} == {"bad"} and all(finding.hint for finding in found)
    assert adopt(node, OWNER) == [unknown.certificate.number]


def test_a_row_that_says_something_else_than_its_certificate_is_found(issued: Issuance) -> None:
    with issued.node.write() as session:
        row = session.scalars(select(Registered)).one()
        row.valid_until = row.valid_until.replace(year=2999)
    (found,) = findings(issued.node)
    assert issued.number in found.message


def test_a_restored_database_and_its_folder_agree_or_the_difference_is_said(
    issued: Issuance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = issued.node
    suspend(node, OWNER, issued.number, "looked at")
    later = certified(node, make_version(node.home, "later"))
    backup(node, OWNER, whole := tmp_path / "whole")
    with node.write() as session:  # a copy of the database from before the last was issued
        session.execute(delete(Registered).where(Registered.number == later.certificate.number))
    backup(node, OWNER, older := tmp_path / "older")
    for folder, differs in ((whole, []), (older, [later.certificate.number])):
        if not node.database.is_sqlite:
            server = request.getfixturevalue("postgres")
            monkeypatch.setenv("MADANG_DATABASE_URL", server.url(server.fresh()))
        home = Home(tmp_path / f"restored-{folder.name}")
        monkeypatch.setenv("MADANG_HOME", str(home.path))
        assert cli.run(["restore", str(folder)]) == 0
        said = capsys.readouterr().err
        assert ("does not have" in said, later.certificate.number in said) == (bool(differs), bool(differs))
        with contextlib.closing(Node.open(home)) as again:
            assert states(again)[issued.number] == "suspended"
            assert bits(again) == {2 * int(issued.number) + 1}
            assert entry(again, issued.number).text == issued.entry.text
            assert [number in finding.message for number, finding in zip(differs, findings(again), strict=True)] == [
                True for _number in differs
            ]
            assert adopt(again, OWNER) == differs
            assert findings(again) == []
            assert current_status_list(again).count(".") == 2
