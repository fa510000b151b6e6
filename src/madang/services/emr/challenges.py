"""Challenges: records that an assessor draws by lot for a product, signed; a report that answers one is evidence.

The applicant loads the records into the system and tests it; the report names the challenge by its hash. What a
challenge shows is that the report is of this product, made after the draw, by a system that gave back records which
nobody knew before. It does not keep an applicant from changing the kit: only a run by the body itself does.
"""

import datetime
import json
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import database
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.accounts import find_person
from madang.node.people.actor import Actor
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line
from madang.services.emr.acts import ANSWER, DRAW, SEE_CHALLENGE, WITHDRAW
from madang.services.emr.models import ConformanceChallenge
from madang.services.emr.signed import bare

FORMAT, TYPE = "madang.fhir.challenge/1", "madang-challenge+jwt"
MOST, MOST_DAYS, LARGEST = 100, 365, 20_000_000


def draw(
    node: Node, actor: Actor, login: str, product: str, version: str, days: int = 14, persons: int = 3
) -> ConformanceChallenge:
    """Draw records for the product of somebody who has an account here, to be answered within `days`."""
    from madang.node.signing import issuer, public_keys, signer
    from madang.science.fhir.kit.challenge import MOST_PERSONS, drawn_records

    if not 1 <= days <= MOST_DAYS or not 1 <= persons <= MOST_PERSONS:
        raise MadangError(
            "conformance.draw",
            _("A challenge has 1 to {persons} persons and 1 to {days} days.").format(
                persons=MOST_PERSONS, days=MOST_DAYS
            ),
        )
    begun = database.now().replace(microsecond=0)
    due = begun + datetime.timedelta(days=days)
    document: dict[str, Any] = {
        "format": FORMAT,
        "guide": "kr-core",
        "product": clean_line(product, _("The product")),
        "version": clean_line(version, _("The version")),
        "drawn": begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "due": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "records": drawn_records(secrets.token_hex(16), persons),
    }
    digest = sha256_of(document)
    claims = {"iss": issuer(node.home), "iat": document["drawn"], "challenge_sha256": digest}
    document |= {"signature": signer(node.home).sign(claims, TYPE), "keys": [dict(x) for x in public_keys(node.home)]}

    def make(session: Transaction) -> ConformanceChallenge:
        return ConformanceChallenge(
            owner_id=find_person(session, login.strip()).id,
            drawn_by=actor.person_id,
            product=document["product"],
            version=document["version"],
            sha256=digest,
            document=orjson.dumps(document).decode(),
            drawn=begun,
            due=due,
        )

    with doing(node, actor, DRAW, make) as done:
        done.tell(sha256=digest, product=document["product"])
        return done.thing


def read_challenge(data: bytes) -> dict[str, Any]:
    """A challenge in a file, as a body's node wrote it. Errors: `conformance.challenge` if it was changed since."""
    from madang.node.signing import NotBelieved, read_keys, read_signed

    bad = MadangError(
        "conformance.challenge",
        _("The file is no challenge, or it was changed since it was drawn."),
        _("Take it from the page of the challenge, as it is."),
    )
    try:
        read = orjson.loads(data) if len(data) <= LARGEST else None
    except orjson.JSONDecodeError:
        raise bad from None
    if not isinstance(read, dict) or read.get("format") != FORMAT or not isinstance(read.get("records"), list):
        raise bad
    try:
        keys = read_keys(orjson.dumps({"keys": read["keys"]}), _("the challenge"))
        claims = read_signed(str(read["signature"]), keys, TYPE)
    except (NotBelieved, MadangError, KeyError):
        raise bad from None
    if claims.get("challenge_sha256") != sha256_of(bare(read)):
        raise bad
    return read


def kit_part(challenge: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the kit needs of a challenge: its records, and how the report names it."""
    named = {"sha256": sha256_of(bare(dict(challenge))), "drawn": challenge["drawn"], "due": challenge["due"]}
    return list(challenge["records"]), named


def drawn_for(session: Transaction, actor: Actor, number: int, product: str, version: str) -> ConformanceChallenge:
    """A challenge that somebody may still answer for a product. Errors: `conformance.challenge` if not."""
    found = find(session, number)
    check(actor, SEE_CHALLENGE, found)
    why = ""
    if (found.product, found.version) != (product.strip(), version.strip()):
        why = _("It was drawn for {product} {version}.").format(product=found.product, version=found.version)
    elif found.state != "open":
        why = _("It was answered or withdrawn.")
    elif found.due < database.now():
        why = _("Its time is over.")
    if why:
        raise MadangError("conformance.challenge", _("The challenge cannot be answered by this."), why)
    return found


def answered_by(
    session: Transaction, actor: Actor, report: Mapping[str, Any], product: str, version: str
) -> ConformanceChallenge | None:
    """The challenge that a report answers, or None if it names none; refuses one that it does not answer."""
    from madang.science.fhir.kit.challenge import tests

    named = report.get("challenge")
    if named is None:
        return None
    digest = named.get("sha256") if isinstance(named, dict) else None
    found = session.scalar(select(ConformanceChallenge).where(ConformanceChallenge.sha256 == str(digest)))
    if found is None or not may(actor, ANSWER, found):
        raise MadangError(
            "conformance.challenge",
            _("The report names a challenge that was not drawn here for you."),
            _("Hand it in where the challenge was drawn, or test again without it."),
        )
    drawn_for(session, actor, found.id, product, version)
    wanted = {each.id for each in tests(json.loads(found.document)["records"])}
    if wanted - {str(each["id"]) for each in report["tests"]} or not str(report["date"]) >= _moment(found.drawn):
        raise MadangError(
            "conformance.challenge",
            _("The report does not hold every test of its challenge."),
            _("Run the whole kit with the challenge."),
        )
    return found


def _moment(when: datetime.datetime) -> str:
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(session: Transaction, number: int) -> ConformanceChallenge:
    """A challenge by its number."""
    found = session.get(ConformanceChallenge, number)
    if found is None:
        raise MadangError("conformance.none", _("There is no challenge {number}.").format(number=number))
    return found


def see(node: Node, actor: Actor, number: int) -> ConformanceChallenge:
    """A challenge, for whom it was drawn and for assessors."""
    with node.read() as session:
        found = find(session, number)
        check(actor, SEE_CHALLENGE, found)
        session.expunge(found)
    return found


def challenges(node: Node, actor: Actor) -> list[ConformanceChallenge]:
    """The challenges that somebody may see, the newest first."""
    if not actor.is_signed_in:
        return []
    with node.read() as session:
        query = select(ConformanceChallenge).where(visible(actor, SEE_CHALLENGE, ConformanceChallenge))
        found = list(session.scalars(query.order_by(ConformanceChallenge.id.desc()).limit(MOST)))
        for each in found:
            session.expunge(each)
    return found


def withdraw(node: Node, actor: Actor, number: int) -> ConformanceChallenge:
    """Withdraw a challenge that was not answered."""
    with doing(node, actor, WITHDRAW, lambda session: find(session, number)) as done:
        done.tell(sha256=done.thing.sha256, product=done.thing.product)
        return done.thing
