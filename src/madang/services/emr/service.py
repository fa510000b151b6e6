"""What people do with conformance reports: hand one in, read it, take it as evidence, return it."""

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing, doing_in
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check, visible
from madang.node.signing import public_keys, read_keys
from madang.node.text import clean_line, clean_prose
from madang.services.emr.acts import ANSWER, HAND_IN, RETURN, SEE, TAKE
from madang.services.emr.challenges import answered_by
from madang.services.emr.models import ConformanceChallenge, ConformanceReport
from madang.services.emr.signed import bare, verify_report
from madang.web.cards import Card

LARGEST, MOST_TESTS, MOST = 12_000_000, 5_000, 200  # bytes of a report; its tests; reports of a list


def hand_in(node: Node, actor: Actor, data: bytes, product: str, version: str) -> ConformanceReport:
    """Take a signed report: it must be what its signature says; whose key it was is noted, not judged."""
    report = _read(data)
    known = public_keys(node.home)
    good, sentence = verify_report(report, known)
    trusted = good
    if not good:
        own = read_keys(orjson.dumps({"keys": report.get("keys") or []}), _("the report"))
        good, sentence = verify_report(report, own)
    if not good:
        raise MadangError(
            "conformance.signature", sentence, _("Hand in the file as `madang fhir test --json` wrote it.")
        )
    digest = sha256_of(bare(report))
    with node.read() as session:
        if session.scalar(select(ConformanceReport.id).where(ConformanceReport.sha256 == digest)) is not None:
            raise MadangError("conformance.taken", _("This report was handed in before."))

    def make(session: Session, challenge: ConformanceChallenge | None) -> ConformanceReport:
        made = ConformanceReport(
            owner_id=actor.person_id,
            product=clean_line(product, _("The product")),
            version=clean_line(version, _("The version")),
            kind=report["kind"],
            guide=report["guide"],
            target=str(report["target"])[:200],
            made=report["date"],
            issuer=_issuer(report),
            known=trusted,
            sha256=digest,
            document=orjson.dumps(report).decode(),
            challenge_id=challenge.id if challenge is not None else None,
        )
        session.add(made)
        session.flush()
        return made

    with node.write() as session:
        answered = answered_by(session, actor, report, product, version)
        with doing_in(session, node, actor, HAND_IN, lambda session: make(session, answered)) as done:
            done.tell(sha256=digest, kind=report["kind"], guide=report["guide"])
        if answered is not None:
            with doing_in(session, node, actor, ANSWER, lambda session: answered) as answering:
                answering.tell(sha256=answered.sha256, product=answered.product)
        return done.thing


def _issuer(report: dict[str, Any]) -> str:
    from madang.node.signing import key_id

    keys = report.get("keys") or [{}]
    return f"madang:{key_id(keys[-1])}" if keys[-1] else ""


def _read(data: bytes) -> dict[str, Any]:
    bad = MadangError(
        "conformance.report",
        _("The file is no conformance report."),
        _("Hand in the file as `madang fhir test --json` wrote it."),
    )
    try:
        read = orjson.loads(data) if len(data) <= LARGEST else None
    except orjson.JSONDecodeError:
        raise bad from None
    if not isinstance(read, dict) or read.get("format") != "madang.fhir.kit/1":
        raise bad
    tests, texts = read.get("tests"), ("kind", "guide", "target", "date", "signature")
    if not isinstance(tests, list) or len(tests) > MOST_TESTS or not all(isinstance(read.get(x), str) for x in texts):
        raise bad
    names = ("id", "group", "outcome", "title", "got", "repair", "clause", "expectation", "requests")
    if not all(isinstance(each, dict) and all(name in each for name in names) for each in tests):
        raise bad
    if not isinstance(read.get("keys"), list) or not all(isinstance(each, dict) for each in read["keys"]):
        raise bad
    return read


def find(session: Session, number: int) -> ConformanceReport:
    """A report by its number."""
    found = session.get(ConformanceReport, number)
    if found is None:
        raise MadangError("conformance.none", _("There is no conformance report {number}.").format(number=number))
    return found


def see(node: Node, actor: Actor, number: int) -> ConformanceReport:
    """A report, for whom it is theirs and for assessors."""
    with node.read() as session:
        found = find(session, number)
        check(actor, SEE, found)
        session.expunge(found)
    return found


def reports(node: Node, actor: Actor) -> list[ConformanceReport]:
    """The reports that somebody may see, the newest first."""
    if not actor.is_signed_in:
        return []
    with node.read() as session:
        query = select(ConformanceReport).where(visible(actor, SEE, ConformanceReport))
        found = list(session.scalars(query.order_by(ConformanceReport.id.desc()).limit(MOST)))
        for each in found:
            session.expunge(each)
    return found


def judge(node: Node, actor: Actor, number: int, take: bool, reason: str) -> ConformanceReport:
    """Take a report as evidence, or return it, with a reason."""
    with doing(node, actor, TAKE if take else RETURN, lambda session: find(session, number)) as done:
        done.thing.reason = clean_prose(reason, _("The reason"))
        done.tell(sha256=done.thing.sha256, reason=done.thing.reason)
        return done.thing


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Reports that wait for an assessor."""
    from madang.node.permissions import may

    found = [each for each in reports(node, actor) if each.state == "handed-in" and may(actor, TAKE, each)]
    return [
        Card(
            _("A conformance report was handed in."),
            f"{each.product} {each.version}",
            f"/emr/reports/{each.id}",
            each.handed_in,
        )
        for each in found
    ]
