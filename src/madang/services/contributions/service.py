"""Statements of use, forgetting, and rules of weights."""

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.node.permissions import check
from madang.node.rooms import plans
from madang.services.contributions.acts import FORGET, RULE, SEE, SIGN
from madang.services.contributions.models import Contributor, WeightRule, WeightSignature
from madang.services.contributions.statement import Link, Statement, Thing, make_statement, weigh

KINDS = (
    *("dataset", "record", "release", "permit", "run", "deposit", "certificate", "cohort", "shortlist", "study"),
    "book",
)
TYP = "madang-statement+jwt"


def statement_of(node: Node, actor: Actor, reference: str) -> Statement:
    """What a result stands on, from what every room knows.

    Errors: `contributions.reference`, `contributions.unknown`.
    """
    check(actor, SEE)
    kind, colon, name = reference.partition(":")
    if not colon or not name or kind not in KINDS:
        raise MadangError(
            "contributions.reference",
            _("{name!r} names no result.").format(name=reference),
            _("Write it as dataset:NAME@3, record:NAME or release:12."),
        )
    if kind == "dataset" and "@" not in name:
        reference = f"dataset:{node.home.lake().find(name).name}"
    tellers = [(plan, plan.load(plan.contributes)) for plan in plans() if plan.contributes and not plan.missing()]
    missing = [plan.name for plan in plans() if plan.contributes and plan.missing()]
    with node.read() as session:
        hidden = _hidden(session)

    def links_of(each: str) -> list[Link]:
        asks = actor if each == reference else None  # whoever may see the result may know what it stands on
        return [_shown(link, hidden) for _plan, teller in tellers for link in teller(node, each, asks)]

    found = make_statement(Thing(reference, reference.partition(":")[2]), links_of, missing)
    if not found.things:
        raise MadangError(
            "contributions.unknown", _("Nothing is known of {name}.").format(name=reference), _("Look at its name.")
        )
    node.audit.read(actor, SEE.name, reference)
    return found


def _hidden(session: Session) -> dict[str, int]:
    query = select(Contributor.reference, Contributor.id).where(Contributor.forgotten.is_not(None))
    return {name: number for name, number in session.execute(query)}


def _shown(link: Link, hidden: Mapping[str, int]) -> Link:
    number = hidden.get(link.on.reference)
    if number is None:
        return link
    unnamed = Thing(f"contributor:{number}", f"contributor {number}")  # in no language: everybody computes the same
    return Link(link.thing, unnamed, link.role)


def document(statement: Statement) -> dict[str, Any]:
    """A statement as JSON: things, links, counts of use; canonical, so that anybody computes the same bytes."""
    return {
        "result": statement.result.reference,
        "things": [
            {"reference": thing.reference, "title": thing.title, "used": statement.used[thing.reference]}
            for thing in statement.things
        ],
        "links": [{"thing": link.thing, "on": link.on.reference, "role": link.role} for link in statement.links],
        "missing": list(statement.missing),
    }


def sign(node: Node, statement: Statement) -> str:
    """The statement, signed by this installation."""
    told = document(statement) | {"issuer": signing.issuer(node.home), "made": now().isoformat(timespec="seconds")}
    return signing.signer(node.home).sign(told, TYP, "json")


def forget(node: Node, actor: Actor, reference: str) -> int:
    """Have a contributor be a pseudonym in every output from now on; the number that stands for them.

    Errors: `contributions.contributor`.
    """

    def find(session: Session) -> Contributor:
        found = session.scalar(select(Contributor).where(Contributor.reference == reference))
        if found is None:
            kind, _colon, number = reference.partition(":")
            if kind not in ("person", "curator", "organization") or not number or len(reference) > 300:
                raise _no_contributor(reference)
            person = None
            if kind == "person":
                person = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
                if session.get(Person, person) is None:
                    raise _no_contributor(reference)
            found = Contributor(reference=reference, owner_id=person)
            session.add(found)
            session.flush()
        return found

    with doing(node, actor, FORGET, find) as done:
        done.thing.forgotten, done.thing.name = now(), ""
        done.tell(number=done.thing.id)
        return done.thing.id


def _no_contributor(reference: str) -> MadangError:
    return MadangError(
        "contributions.contributor",
        _("{name!r} names nobody who contributed.").format(name=reference[:80]),
        _("Write it as person:12 or curator:NAME, as the statement does."),
    )


def weight_rules(node: Node) -> list[WeightRule]:
    """All rules of weights with their signatures, the newest first; they are public among those who sign in."""
    with node.read() as session:
        query = select(WeightRule).options(selectinload(WeightRule.signatures)).order_by(WeightRule.id.desc())
        return list(session.scalars(query))


def propose_rule(node: Node, actor: Actor, name: str, weights: Mapping[str, str], parties: list[str]) -> WeightRule:
    """A rule of weights by role, to be signed by every party that it names. Errors: `contributions.rule`."""
    fractions = _fractions(weights)
    if sum(fractions.values()) != 1 or any(weight < 0 for weight in fractions.values()) or not parties:
        raise MadangError(
            "contributions.rule", _("The weights of the rule do not add up to one."), _("Look at the rule once more.")
        )

    def new(session: Session) -> WeightRule:
        names = sorted({find_organization(session, party).name for party in parties})
        last = session.scalar(select(WeightRule.version).where(WeightRule.name == name).order_by(WeightRule.id.desc()))
        told = {"weights": {role: str(weight) for role, weight in fractions.items()}, "parties": names}
        digest = hashlib.sha256(canonical_json(told | {"name": name, "version": (last or 0) + 1})).hexdigest()
        return WeightRule(
            name=name,
            version=(last or 0) + 1,
            weights=json.dumps(told["weights"]),
            parties=json.dumps(names),
            digest=digest,
        )

    with doing(node, actor, RULE, new) as done:
        done.session.add(done.thing)
        done.tell(rule=f"{name} {done.thing.version}", digest=done.thing.digest)
    return done.thing


def sign_rule(node: Node, actor: Actor, rule: int, party: str) -> None:
    """Sign a rule for a party. Errors: `contributions.party`."""

    def find(session: Session) -> WeightRule:
        found = session.get(WeightRule, rule)
        if found is None or party not in json.loads(found.parties):
            raise MadangError("contributions.party", _("The rule does not name {party}.").format(party=party))
        place = find_organization(session, party).id
        if actor.kind != "owner" and not actor.holds("steward", place):
            raise MadangError("contributions.party", _("You do not sign for {party}.").format(party=party))
        return found

    with doing(node, actor, SIGN, find) as done:
        known = {each.party for each in done.thing.signatures}
        if party not in known:
            done.session.add(
                WeightSignature(rule_id=rule, party=party, person_id=actor.person_id, digest=done.thing.digest)
            )
        done.tell(rule=f"{done.thing.name} {done.thing.version}", digest=done.thing.digest)


def weights_of(node: Node, statement: Statement, rule: int) -> dict[str, Fraction]:
    """How the whole goes to contributors under a rule that all named parties signed.

    Errors: `contributions.unsigned`.
    """
    with node.read() as session:
        found = session.get(WeightRule, rule)
        if found is None:
            raise MadangError("contributions.rule", _("There is no such rule."))
        signed = {each.party for each in found.signatures if each.digest == found.digest}
        lacking = sorted(set(json.loads(found.parties)) - signed)
        weights = json.loads(found.weights)
    if lacking:
        raise MadangError(
            "contributions.unsigned",
            _("The rule is not signed by {parties}.").format(parties=", ".join(lacking)),
            _("A weight is computed only under a rule that all named parties signed."),
        )
    return weigh(statement, _fractions(weights))


def _fractions(weights: Mapping[str, str]) -> dict[str, Fraction]:
    try:
        return {role: Fraction(text) for role, text in weights.items()}
    except (ValueError, ZeroDivisionError, TypeError):
        raise MadangError("contributions.rule", _("A weight is a number such as 0.25 or 1/4.")) from None
