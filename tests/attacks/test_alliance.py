"""Attacks on an alliance: on messages, by sites that lie, and by questions that single people out."""

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from madang.base.errors import MadangError
from madang.node.database import now
from madang.science.federated import masks
from madang.science.federated.disclosure import Limits, Refused
from madang.science.federated.pooling import pooled
from madang.science.federated.rounds import Part, Site, check_part, layout
from madang.science.federated.study import read_study
from madang.services.alliance import answering, discover, exchange, partners, shares, wire
from madang.services.alliance.serving import application
from portal_house import OWNER
from services.alliance.alliance_house import OPEN, Alliance, link, make_nodes, study_text
from services.alliance.conftest import tables
from web.served import serving

ME, OTHER = wire.Identity(b"m" * 32), wire.Identity(b"o" * 32)
Headers = dict[str, str]


def forged(change: Callable[[Headers, bytes], tuple[Headers, bytes]]) -> tuple[Headers, bytes]:
    body = wire.pack({"kind": "poll"}, {"x": np.ones(3)})
    return change(wire.signed_request(ME, OTHER.name, 5, body), body)


def resigned(headers: Headers, name: str, value: str) -> Headers:
    return {**headers, name: value}


MESSAGES: dict[str, Callable[[Headers, bytes], tuple[Headers, bytes]]] = {
    "cut": lambda h, b: (h, b[:-1]),
    "one bit": lambda h, b: (h, b[:40] + bytes([b[40] ^ 1]) + b[41:]),
    "empty": lambda h, b: (h, b""),
    "another body with its digest": lambda h, b: (resigned(h, "content-digest", wire.digest_of(b"x")), b"x"),
    "another number": lambda h, b: (resigned(h, "madang-number", "6"), b),
    "to another": lambda h, b: (resigned(h, "madang-to", ME.name), b),
    "another type": lambda h, b: (resigned(h, "content-type", "application/json"), b),
    "no signature": lambda h, b: ({k: v for k, v in h.items() if k != "signature"}, b),
    "no input": lambda h, b: ({k: v for k, v in h.items() if k != "signature-input"}, b),
    "signature of zeros": lambda h, b: (resigned(h, "signature", "madang=:" + "A" * 86 + "==:"), b),
    "fewer parts signed": lambda h, b: (
        resigned(h, "signature-input", h["signature-input"].replace(' "madang-number"', "")), b,
    ),
    "another algorithm": lambda h, b: (
        resigned(h, "signature-input", h["signature-input"].replace("ed25519", "none")), b,
    ),
    "another key named": lambda h, b: (
        resigned(h, "signature-input", h["signature-input"].replace(ME.name, OTHER.name)), b,
    ),
    "another time": lambda h, b: (
        resigned(h, "signature-input", h["signature-input"].replace("created=1", "created=2")), b,
    ),
    "another tag": lambda h, b: (resigned(h, "signature-input", h["signature-input"].replace("alliance", "other")), b),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_a_changed_message_is_not_believed(name: str) -> None:
    headers, body = forged(lambda h, b: (h, b))
    wire.verify(ME.public, OTHER.name, headers, body)  # the true one is
    headers, body = forged(MESSAGES[name])
    with pytest.raises(MadangError) as error:
        wire.verify(ME.public, OTHER.name, headers, body)
    assert error.value.code == "alliance.signature"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_off_by_an_hour_is_said(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    headers, body = forged(lambda h, b: (h, b))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    with pytest.raises(MadangError) as error:
        wire.verify(ME.public, OTHER.name, headers, body)
    assert error.value.code == "alliance.clock"


@pytest.mark.parametrize(
    "body", [b"", b"x", b"\xff" * 100, wire.pack({"version": 99}), wire.pack({}, {"a": b"x"})[:-30]]
)
def test_what_is_no_body_is_one_sentence(body: bytes) -> None:
    with pytest.raises(MadangError) as error:
        wire.unpack(body)
    assert error.value.code in ("alliance.body", "alliance.version")


def test_a_courier_file_that_was_changed_or_is_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    good = wire.sealed(ME, "k", OTHER.name, b"content")
    assert wire.opened_file(good, "k", ME.public, OTHER.name) == b"content"
    head = json.loads(good)
    bad = [
        {**head, "content": base64.b64encode(b"other").decode()},
        {**head, "to": ME.name},
        {**head, "madang": "other"},
        {**head, "made": 1},
        {**head, "signature": "AAAA"},
        {k: v for k, v in head.items() if k != "content"},
    ]
    for each in [json.dumps(b).encode() for b in bad] + [b"", b"[]", good[:-9]]:
        with pytest.raises(MadangError):
            wire.opened_file(each, "k", ME.public, OTHER.name)
    with pytest.raises(MadangError):
        wire.opened_file(good, "k", OTHER.public, OTHER.name)


# Sites that lie

SURVIVAL = read_study(study_text("kaplan-meier", time="time", event="status", bin=30))
GLM = read_study(study_text("glm", outcome="sick", terms=["age"], family="binomial"))


def part_at(study: Any, step: str, told: Any) -> Part:
    return Site(study, tables(1)[0], Limits(exact_times=True)).answer(step, told)


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "not a number": lambda s: s["n"][0].__setitem__((), np.nan),
    "infinite": lambda s: s["gram"][0].__setitem__((0, 0), np.inf),
    "another shape": lambda s: s.__setitem__("gram", (np.ones((5, 5)), np.zeros((5, 5)))),
    "a sum left out": lambda s: s.pop("gram"),
    "one more sum": lambda s: s.__setitem__("more", s["n"]),
    "fewer than none": lambda s: s["n"][0].__setitem__((), -3.0),
    "half a person": lambda s: s["n"][0].__setitem__((), 60.5),
    "negative squares": lambda s: s["gram"][0].__setitem__((1, 1), -1.0),
    "not symmetric": lambda s: s["gram"][0].__setitem__((0, 1), 9e9),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_that_cannot_be_is_found(name: str) -> None:
    told = {"coef": None, "levels": {}}
    part = part_at(GLM, "glm", told)
    check_part(GLM, "glm", told, part)
    sums = {key: (np.array(a), np.array(b)) for key, (a, b) in part.sums.items()}
    LIES[name](sums)
    with pytest.raises(MadangError) as error:
        check_part(GLM, "glm", told, Part(sums))
    assert error.value.code == "federated.answer"


@pytest.mark.parametrize("what", ["at_risk", "deaths"])
def test_curves_that_cannot_be_are_found(what: str) -> None:
    told = {"grid": [30.0, 60.0, 90.0], "groups": [""]}
    part = part_at(SURVIVAL, "survival", told)
    sums = {key: (np.array(a), np.array(b)) for key, (a, b) in part.sums.items()}
    sums[what][0][0, 2] = 1e6
    with pytest.raises(MadangError):
        check_part(SURVIVAL, "survival", told, Part(sums))


@pytest.mark.parametrize("facts", [{"times": ["x"]}, {"times": [1e400]}, {"times": [1] * 6000}, {"other": 1}, {}])
def test_facts_that_are_none_are_found(facts: dict[str, Any]) -> None:
    with pytest.raises(MadangError):
        check_part(SURVIVAL, "times", {}, Part(facts=facts))


# Questions that single people out

PEOPLE = pa.table(
    {"age": np.arange(100) % 50 + 20, "sex": np.arange(100) % 2, "rare": (np.arange(100) == 7).astype(int),
     "name": [f"person {k}" for k in range(100)], "time": np.arange(100) + 1.0, "status": np.arange(100) % 2}
)  # fmt: skip
CONSTANT = {"outcome": "sex", "family": "binomial"}
QUESTIONS = {
    "a variable that singles one out": study_text("count", where='["rare = 1"]'),
    "a cell at a time": study_text("count", where='["age = 20"]'),
    "a rare cell": study_text("table", columns=["sex", "rare"]),
    "names as levels": study_text("table", columns=["name"]),
    "more terms than people": study_text("linear", where='["age < 24"]', outcome="age", terms=["name"]),
    "a rare covariate": study_text("glm", terms=["rare"], **CONSTANT),
    "a rare outcome": study_text("glm", outcome="rare", terms=["age"], family="binomial"),
    "exact times": study_text("kaplan-meier", time="time", event="status"),
    "exact times by cox": study_text("cox", time="time", event="status", terms=["age"]),
    "exact quantiles": study_text("quantiles", columns=["age"], shares=[0.0]),
    "a long text": study_text("count", where=json.dumps(["name = " + "x" * 90])),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_that_singles_out_is_refused_by_rule_without_a_count(name: str) -> None:
    study = read_study(QUESTIONS[name])
    with pytest.raises(Refused) as error:
        site = Site(study, PEOPLE, Limits())
        levels = site.answer("levels", {}).facts["levels"] if "levels" in answer_steps(study) else {}
        told = {"levels": levels, "coef": None}
        for step in ("count", "glm", "center", "times", "range", "cells"):
            if step in answer_steps(study):
                columns = study.estimator.get("columns", [])
                site.answer(step, {**told, "levels": [levels[c] for c in columns]} if step == "cells" else told)
    assert error.value.rule and error.value.hint and " 1 " not in error.value.message


def answer_steps(study: Any) -> tuple[str, ...]:
    from madang.science.federated.rounds import steps_of

    return steps_of(study)


@pytest.mark.parametrize("step", ["glm", "sql", "__init__", "estimate", ""])
def test_a_step_that_the_study_has_not_is_refused(step: str) -> None:
    with pytest.raises(MadangError):
        Site(read_study(study_text("count")), PEOPLE, Limits()).answer(step, {})


# Over the line


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alliance]:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    center, sites = make_nodes(tmp_path, 1)
    with serving(application(center)) as served:
        made = Alliance(center, sites, served.address)
        link(made, [PEOPLE])
        yield made
    made.close()


def raw(pair: Alliance, number: int, meta: dict[str, Any], seed: bytes | None = None) -> httpx.Response:
    me = wire.identity(pair.sites[0].home) if seed is None else wire.Identity(seed)
    body = wire.pack(meta)
    headers = wire.signed_request(me, wire.identity(pair.center.home).name, number, body)
    return httpx.post(pair.address + wire.PATH, headers=headers, content=body)


def test_messages_are_done_once_and_in_order(pair: Alliance) -> None:
    pair.turn(pair.sites[0])
    number = pair.partner(pair.sites[0]).sent
    first = raw(pair, number + 1, {"kind": "poll"})
    assert first.status_code == 200
    assert raw(pair, number + 1, {"kind": "poll"}).content == first.content  # lost on the way: the same answer
    assert raw(pair, number + 1, {"kind": "leave"}).status_code == 409  # another message with its number
    assert raw(pair, number, {"kind": "poll"}).status_code == 409  # replayed
    assert raw(pair, number + 3, {"kind": "poll"}).status_code == 409  # one left out
    assert raw(pair, number + 2, {"kind": "poll"}, b"s" * 32).status_code == 401  # a stranger's key
    host, port = pair.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:  # it says that it has 10 GB
        line.sendall(f"POST {wire.PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n".encode())
        assert b" 413 " in line.recv(100)


def test_an_expired_key_and_a_partner_that_was_left_are_strangers(pair: Alliance) -> None:
    number = pair.partner(pair.sites[0]).sent
    with pair.center.write() as session:
        partners.find(session, "site0").until = now()
    assert raw(pair, number + 1, {"kind": "poll"}).status_code == 401
    partners.leave(pair.center, OWNER, "site0")
    assert raw(pair, number + 1, {"kind": "poll"}).status_code == 401


def test_an_invitation_is_used_once(pair: Alliance, tmp_path: Path) -> None:
    from madang.node.home import Home
    from madang.node.node import Node

    _made, code = partners.invite(pair.center, OWNER, "x", None, pair.address)
    one, two = (Node.open(Home(tmp_path / name)) for name in ("one", "two"))
    partners.join(one, OWNER, code)
    with pytest.raises(MadangError) as error:
        partners.join(two, OWNER, code)
    assert error.value.code == "alliance.code"
    address, secret, _key = partners.read_code(code)
    swapped = base64.urlsafe_b64encode(f"{address}\n{secret}\n{OTHER.name}".encode()).decode().rstrip("=")
    with pytest.raises(MadangError):  # another node answers at that address
        partners.join(two, OWNER, partners.PREFIX + swapped)
    with pytest.raises(MadangError):
        partners.join(pair.center, OWNER, code)  # its own
    one.close()
    two.close()


def given(pair: Alliance, text: str, uid: str) -> int:
    study = read_study(text)
    told = {"uid": uid, "digest": study.digest, "document": dict(study.document)}
    site = pair.sites[0]
    return answering.receive(site, OWNER, pair.partner(site).id, told).id


def asked(pair: Alliance, text: str, uid: str, step: str, told: Any) -> dict[str, Any]:
    """What a site answers to a question that it approved, or the refusal."""
    site = pair.sites[0]
    number = given(pair, text, uid)
    answering.approve(site, OWNER, number)
    question = {"study": uid, "step": step, "told": told}
    digest = answering.question_digest(question)
    return wire.unpack(answering.answer(site, OWNER, number, {**question, "digest": digest, "round": 1}))[0]


def test_the_same_with_one_person_fewer_is_refused_whoever_asks(pair: Alliance) -> None:
    assert "refused" not in asked(pair, study_text("count"), "a", "count", {})
    with pytest.raises(Refused) as error:
        given_number = given(pair, study_text("count", where='["rare = 0"]'), "b")
        answering.approve(pair.sites[0], OWNER, given_number)
    assert error.value.rule == "difference"


def test_overlapping_intervals_do_not_solve_for_a_few(pair: Alliance) -> None:
    asked(pair, study_text("count", where='["time <= 50"]'), "a", "count", {})
    asked(pair, study_text("count", where='["time > 30", "time <= 80"]'), "b", "count", {})
    number = given(pair, study_text("count", where='["time <= 52"]'), "c")
    with pytest.raises(Refused):
        answering.approve(pair.sites[0], OWNER, number)


def test_a_study_cannot_change_after_it_was_asked(pair: Alliance) -> None:
    given(pair, study_text("count"), "a")
    with pytest.raises(MadangError) as error:
        given(pair, study_text("count", where='["sex = 1"]'), "a")
    assert error.value.code == "alliance.changed"
    site = pair.sites[0]
    told = {"uid": "z", "digest": "0" * 64, "document": dict(read_study(study_text("count")).document)}
    with pytest.raises(MadangError):
        answering.receive(site, OWNER, pair.partner(site).id, told)


def test_nothing_leaves_without_approval_and_a_question_needs_its_hash(pair: Alliance) -> None:
    site = pair.sites[0]
    number = given(pair, study_text("count"), "a")
    question = {"study": "a", "step": "count", "told": {}}
    digest = answering.question_digest(question)
    meta, arrays = wire.unpack(answering.answer(site, OWNER, number, {**question, "digest": digest}))
    assert "refused" in meta and not arrays
    with pytest.raises(MadangError):
        answering.answer(site, OWNER, number, {**question, "digest": "0" * 64})
    answering.refuse(site, OWNER, number, "no")
    assert "refused" in wire.unpack(answering.answer(site, OWNER, number, {**question, "digest": digest}))[0]


def test_answers_to_no_question_and_of_others_are_refused(pair: Alliance) -> None:
    study = pair.ask(study_text("count"))
    pair.approve_all()
    with pair.center.read() as session:
        partner = partners.find(session, "site0")
    for meta in (
        {"kind": "answer", "study": study.uid, "digest": "yesterday", "facts": {}},
        {"kind": "answer", "study": "of somebody else", "digest": "x", "facts": {}},
        {"kind": "decide", "study": study.uid, "digest": "other", "decision": "approved"},
        {"kind": "decide", "study": study.uid, "digest": study.digest, "decision": "perhaps"},
        {"kind": "sql", "text": "DROP TABLE persons"},
        {"kind": "poll", "agreements": [{"version": 2, "document": {}, "signature": "AAAA"}]},
        {"kind": "poll", "agreements": [{"version": 1, "document": {"law": "none"}, "signature": ""}]},
    ):
        with pair.center.read() as session:
            number = partners.find(session, "site0").received + 1
        assert "error" in exchange._done(pair.center, partner, meta, {}, number, b"")


def test_masks_need_three_sites_that_signed_their_keys(pair: Alliance) -> None:
    text = study_text("count", secure=True)
    names = [wire.identity(pair.sites[0].home).name, OTHER.name, ME.name]
    for together in ({}, {names[0]: {}}, {name: {"mask": "x", "key": "y", "signature": "z"} for name in names}):
        site = pair.sites[0]
        number = given(pair, text, "m")
        if not together:
            answering.approve(site, OWNER, number)
        question = {"study": "m", "step": "count", "told": {}, "together": together}
        digest = answering.question_digest(question)
        meta, arrays = wire.unpack(answering.answer(site, OWNER, number, {**question, "digest": digest}))
        assert meta["refused"]["code"] == "alliance.together" and not arrays
    shapes = layout(read_study(text), "count", {})
    assert shapes == {"n": ()}
    with pytest.raises(MadangError):
        masks.from_bytes(b"\xff" * 16)


def test_a_missing_value_does_not_single_out(pair: Alliance, tmp_path: Path) -> None:
    """Two fits, of which one leaves two people out for a missing value, would tell of these two by their difference."""
    site = pair.sites[0]
    people = PEOPLE.append_column("lab", pa.array([None, None, *range(98)], pa.float64()))
    pq.write_table(people, tmp_path / "lab.parquet")
    shares.share(site, OWNER, "lab", file=tmp_path / "lab.parquet")
    whole = study_text("linear", "lab", outcome="age", terms=["sex"])
    assert "refused" not in asked(pair, whole, "a", "glm", {"levels": {}, "coef": None})
    for uid, text in {
        "b": study_text("linear", "lab", outcome="age", terms=["sex", "lab"]),
        "c": study_text("moments", "lab", columns=["lab"]),
        "d": study_text("feasibility", "lab", where='["lab is known"]'),
    }.items():
        with pytest.raises(Refused) as error:
            answering.approve(site, OWNER, given(pair, text, uid))
        assert error.value.rule == "difference"
    assert {each["study"] for each in discover.watched(site)} == {2, 3, 4}


def test_over_two_alliances_the_history_is_one(pair: Alliance, tmp_path: Path) -> None:
    from madang.node.home import Home
    from madang.node.node import Node

    site, other = pair.sites[0], Node.open(Home(tmp_path / "other"))
    with serving(application(other)) as served:
        _made, code = partners.invite(other, OWNER, "site", OPEN, served.address)
        second = partners.join(site, OWNER, code, "second")
    asked(pair, study_text("count"), "a", "count", {})
    study = read_study(study_text("count", where='["rare = 0"]'))
    told = {"uid": "b", "digest": study.digest, "document": dict(study.document)}
    received = answering.receive(site, OWNER, second.id, told)
    with pytest.raises(Refused) as error:
        answering.approve(site, OWNER, received.id)
    assert error.value.rule == "difference"
    other.close()


def test_a_unit_that_differs_is_found_before_anything_is_told(pair: Alliance, tmp_path: Path) -> None:
    site = pair.sites[0]
    pq.write_table(PEOPLE, tmp_path / "people.parquet")
    shares.share(site, OWNER, "units", file=tmp_path / "people.parquet", units={"age": "months"})
    text = study_text("moments", "units", columns=["age"]) + '\n[variables]\nage = { unit = "a" }'
    with pytest.raises(MadangError) as error:
        answering.approve(site, OWNER, given(pair, text, "u"))
    assert error.value.code == "federated.differs" and "age" in error.value.message and "months" in error.value.message


def test_a_variable_that_is_constant_at_one_site_is_no_trouble_and_one_that_is_everywhere_is_said() -> None:
    constant = PEOPLE.filter(pa.array(np.arange(100) % 2 == 1))
    study = read_study(study_text("linear", outcome="age", terms=["sex"]))
    sites = [Site(study, each, Limits()) for each in (PEOPLE, constant)]
    found = pooled(study, lambda step, told: [(str(k), site.answer(step, told)) for k, site in enumerate(sites)])
    alone = Site(study, pa.concat_tables([PEOPLE, constant]), Limits())
    wanted = pooled(study, lambda step, told: [("all", alone.answer(step, told))])
    assert found["coef"] == pytest.approx(wanted["coef"], rel=1e-13)
    with pytest.raises(MadangError) as error:
        pooled(study, lambda step, told: [("one", sites[1].answer(step, told))])
    assert error.value.code == "federated.singular"


def test_a_message_of_ten_gigabytes_is_not_read(pair: Alliance) -> None:
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(pair.address)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    line.putrequest("POST", wire.PATH)
    line.putheader("Content-Length", str(10 * 1024**3))
    line.endheaders()
    assert line.getresponse().status == 413
    line.close()


@pytest.mark.parametrize(
    "told",
    [
        "no list",
        [{"name": "x", "columns": "none"}],
        [{"name": "x", "columns": [{"name": "a", "type": "blob"}]}],
        [{"name": "x", "columns": [{"name": "a\u202e", "type": "text"}]}],
        [{"name": "x", "columns": [], "people": -5}],
        [{"name": "x", "columns": [{"name": "a", "type": "number", "low": float("nan")}]}],
        [{"name": "x", "columns": []}] * 201,
    ],
)
def test_a_description_that_is_none_is_not_kept(pair: Alliance, told: Any) -> None:
    with pytest.raises(MadangError):
        discover.keep(pair.center, 1, told)
    assert discover.kept(pair.center, 1) != told


def test_an_agreement_that_was_changed_on_the_way_is_no_agreement(pair: Alliance) -> None:
    partners.amend(pair.center, OWNER, "site0", {"limits": {"minimum": 1}})
    with pair.center.read() as session:
        (first, second) = partners.ours_signed(partners.find(session, "site0"))
    for told in (
        [{**second, "document": {**second["document"], "law": "none"}}],
        [{**second, "version": 3}],
        [{**first, "signature": second["signature"]}],
        [{**second, "signature": ""}],
    ):
        site = pair.sites[0]
        with site.write() as session, pytest.raises(MadangError) as error:
            partners.told_agreements(site, partners.find(session, "center"), told)
        assert error.value.code == "alliance.agreement"
        assert partners.in_force(pair.partner(site))[0] == 1
