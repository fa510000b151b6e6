"""Partners: an invitation by a one-time code, keys that both operators compare, an agreement that both sign."""

import base64
import hashlib
import json
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.services.alliance import discover, wire
from madang.services.alliance.acts import AMEND, CONFIRM, INVITE, JOIN, LEAVE, SEE, STAND
from madang.services.alliance.models import Agreement, Partner

CODE_DAYS, KEY_DAYS = 7, 730
PREFIX = "madang-alliance-"
PARTS = {  # of an agreement, beside its limits
    "purposes": [],
    "datasets": [],
    "who": "",
    "ends": "",
    "ending": "",
    "law": "",
    "place": "",
    "intellectual_property": "",
    "authorship": "",
    "visitors": "",
    "ethics": {},
    "members": [],
}
DISCOVER = ("nothing", "names", "described")  # how much a node tells of what it shares; `names` if not said


def address_of(node: Node) -> str:
    """Where partners reach this node."""
    web = node.settings.web
    return (web.address or f"http://{web.host}:{web.port}").rstrip("/")


def read_agreement(data: bytes) -> dict[str, Any]:
    """An agreement of TOML text. Errors: `alliance.agreement`."""
    try:
        given = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MadangError("alliance.agreement", _("The agreement is no TOML: {reason}.").format(reason=error)) from None
    return agreement_of(given)


def agreement_of(given: Any) -> dict[str, Any]:
    """An agreement with all its parts. Errors: `alliance.agreement`, `federated.limits`."""
    from madang.science.federated.disclosure import Limits

    if not isinstance(given, dict) or len(json.dumps(given, default=str)) > 200_000:
        raise MadangError("alliance.agreement", _("This is no agreement."))
    unknown = set(given) - set(PARTS) - {"limits", "discover"}
    if given.get("discover", "names") not in DISCOVER:
        unknown.add("discover")
    for name, default in PARTS.items():
        if name in given and not isinstance(given[name], type(default)):
            unknown.add(name)
    if unknown or not isinstance(given.get("limits", {}), dict):
        raise MadangError(
            "alliance.agreement",
            _("An agreement has no {names}, or not so.").format(names=", ".join(sorted(unknown)) or "limits"),
            ", ".join([*PARTS, "limits", "discover"]),
        )
    limits = Limits.of(given.get("limits", {}))
    made = {**PARTS, **given, "limits": asdict(limits)}
    canonical_json(made)
    return made


def invite(node: Node, actor: Actor, name: str = "", agreement: Any = None, address: str = "") -> tuple[Partner, str]:
    """Invite a node; gives the partner to be and the code, which is shown this once."""
    document = agreement_of(agreement or {})
    secret, me = secrets.token_urlsafe(16), wire.identity(node.home)
    label = clean_line(name, _("The name"), 80) or f"invited-{secrets.token_hex(3)}"
    made = Partner(name=label, code_hash=_hash(secret), until=now() + timedelta(days=CODE_DAYS))
    made.agreements = [Agreement(version=1, document=canonical_json(document).decode())]
    with doing(node, actor, INVITE, lambda session: _unused(session, made)) as done:
        done.tell(partner=label)
    where = (address or address_of(node)).rstrip("/")
    code = base64.urlsafe_b64encode(f"{where}\n{secret}\n{me.name}".encode()).rstrip(b"=").decode()
    return made, PREFIX + code


def _unused(session: Session, made: Partner) -> Partner:
    if session.scalar(select(Partner.id).where(Partner.name == made.name)) is not None:
        raise MadangError("alliance.taken", _("There is a partner {name} already.").format(name=made.name))
    return made


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def read_code(code: str) -> tuple[str, str, str]:
    """The address, the secret and the thumbprint of an invitation. Errors: `alliance.code`."""
    text = code.strip().removeprefix(PREFIX)
    try:
        address, secret, key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\n")
    except ValueError:
        address = secret = key = ""
    if not address.startswith(("https://", "http://")) or len(key) != 43 or len(secret) < 16 or len(code) > 1_000:
        raise MadangError(
            "alliance.code", _("This is no code of an invitation."), _("Copy all of it, from madang-alliance- on.")
        )
    return address, secret, key


def join(node: Node, actor: Actor, code: str, name: str = "", authority: str = "", line: Any = None) -> Partner:
    """Accept an invitation: tell who we are, take the partner's key and agreement, sign it.

    Whoever types the code confirms the partner's key, whose thumbprint it holds. Errors: `alliance.code`, those of the
    way out, and what the partner answers.
    """
    from madang.services.alliance.agent import Line

    check(actor, JOIN)
    address, secret, key = read_code(code)
    me = wire.identity(node.home)
    if key == me.name:
        raise MadangError("alliance.code", _("This code is of this very node."), _("Use it at the other one."))
    meta = {"kind": "join", "secret": secret, "key": me.public, "name": node.settings.title}
    with line or Line(node, address, authority) as opened:
        told, _arrays = opened.send(me, key, 1, wire.pack(meta))
    public = str(told.get("key", ""))
    document = agreement_of(told.get("agreement"))
    theirs = str(told.get("signature", ""))
    if wire.thumbprint(public) != key or not _is_signed(public, document, 1, me.name, key, theirs):
        raise MadangError("alliance.code", _("The node at that address is not the one that invited."))
    ours = _sign(me, document, 1, key)
    with node.read() as session:
        known = next((p for p in session.scalars(select(Partner)) if p.key == public), None)
    if known is not None:
        if known.state == "left":
            raise MadangError("alliance.left", _("{name} was left before.").format(name=known.name))
        return known
    label = clean_line(name or str(told.get("name", "")), _("The name"), 80) or "partner"
    made = Partner(
        name=label, address=address, key=public, authority=authority, sent=1, until=now() + timedelta(days=KEY_DAYS)
    )
    made.agreements = [Agreement(version=1, document=canonical_json(document).decode(), ours=ours, theirs=theirs)]
    with doing(node, actor, JOIN, lambda session: _named(session, made)) as done:
        done.tell(partner=made.name, key=key, version=1)
    return made


def _named(session: Session, made: Partner) -> Partner:
    taken = set(session.scalars(select(Partner.name)))
    plain, count = made.name, 1
    while made.name in taken:
        count += 1
        made.name = f"{plain}-{count}"
    return made


def _text(document: Any, version: int, a: str, b: str) -> bytes:
    return canonical_json({"agreement": document, "version": version, "between": sorted([a, b])})


def _sign(me: wire.Identity, document: Any, version: int, other: str) -> str:
    return base64.b64encode(me.sign(_text(document, version, me.name, other))).decode()


def _is_signed(public: str, document: Any, version: int, a: str, b: str, signature: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    return wire.is_signed(public, _text(document, version, a, b), raw)


def arrived(session: Session, node: Node, partner: Partner, public: str, name: str) -> dict[str, Any]:
    """Within the partner's message: an invitation is used; what it is told."""
    me = wire.identity(node.home)
    partner.key = public
    partner.until = now() + timedelta(days=KEY_DAYS)
    if partner.name.startswith("invited-") and name:
        partner.name = clean_line(name, _("The name"), 80) or partner.name
        taken = set(session.scalars(select(Partner.name).where(Partner.id != partner.id)))
        plain, count = partner.name, 1
        while partner.name in taken:
            count += 1
            partner.name = f"{plain}-{count}"
    first = partner.agreements[0]
    document = json.loads(first.document)
    first.ours = _sign(me, document, first.version, wire.thumbprint(public))
    return {"key": me.public, "name": node.settings.title, "agreement": document, "signature": first.ours}


def confirm(node: Node, actor: Actor, name: str) -> Partner:
    """Say that the partner's key is the one that its operator read out."""
    with doing(node, actor, CONFIRM, lambda session: find(session, name)) as done:
        done.tell(partner=done.thing.name, key=wire.thumbprint(done.thing.key))
        return done.thing


def leave(node: Node, actor: Actor, name: str, reason: str = "") -> Partner:
    """Leave a partner, at once: its studies are answered no more, and ours are not asked of it."""
    with doing(node, actor, LEAVE, lambda session: find(session, name)) as done:
        done.thing.pending = None
        done.tell(partner=done.thing.name, reason=clean_line(reason, _("The reason"), 500))
    discover.forget(node, done.thing.id)
    return done.thing


def amend(node: Node, actor: Actor, name: str, agreement: Any) -> Agreement:
    """Propose the next version of the agreement, signed by us; it holds once the partner has signed it."""
    document = agreement_of(agreement)
    me = wire.identity(node.home)
    with doing(node, actor, AMEND, lambda session: find(session, name)) as done:
        partner = done.thing
        version = partner.agreements[-1].version + 1
        made = Agreement(version=version, document=canonical_json(document).decode())
        made.ours = _sign(me, document, version, wire.thumbprint(partner.key))
        partner.agreements.append(made)
        done.tell(partner=partner.name, version=version)
        return made


def agree(node: Node, actor: Actor, name: str) -> Agreement:
    """Sign the version of the agreement that the partner proposed."""
    me = wire.identity(node.home)
    with doing(node, actor, AMEND, lambda session: find(session, name)) as done:
        last = done.thing.agreements[-1]
        if last.ours or not last.theirs:
            raise MadangError("alliance.agreed", _("There is no agreement to sign."))
        last.ours = _sign(me, json.loads(last.document), last.version, wire.thumbprint(done.thing.key))
        done.tell(partner=done.thing.name, version=last.version)
        return last


def told_agreements(node: Node, partner: Partner, told: Any) -> None:
    """Within a message: versions that the partner has signed, believed only with its signature."""
    me = wire.identity(node.home)
    for each in told if isinstance(told, list) else []:
        if not isinstance(each, dict) or not isinstance(each.get("version"), int):
            raise MadangError("alliance.agreement", _("This is no agreement."))
        document, version, signature = agreement_of(each.get("document")), each["version"], str(each.get("signature"))
        if not _is_signed(partner.key, document, version, me.name, wire.thumbprint(partner.key), signature):
            raise MadangError("alliance.agreement", _("An agreement is not signed by the partner."))
        text = canonical_json(document).decode()
        known = next((a for a in partner.agreements if a.version == version), None)
        if known is None and version == partner.agreements[-1].version + 1:
            partner.agreements.append(Agreement(version=version, document=text, theirs=signature))
        elif known is None or known.document != text:
            raise MadangError(
                "alliance.agreement",
                _("Version {version} of the agreement is not the one that is known here.").format(version=version),
            )
        else:
            known.theirs = signature


def knows(partner: Partner, told: Any) -> bool:
    """Whether these are the versions that are kept here, with the partner's signature: nothing is to be done then."""
    held = {each.version: (each.document, each.theirs) for each in partner.agreements}
    return isinstance(told, list) and all(
        isinstance(each, dict)
        and held.get(each.get("version", 0)) == (canonical_json(each.get("document")).decode(), each.get("signature"))
        for each in told
    )


def ours_signed(partner: Partner) -> list[dict[str, Any]]:
    """The versions that we signed and of which the partner may not know."""
    return [
        {"version": a.version, "document": json.loads(a.document), "signature": a.ours}
        for a in partner.agreements[-3:]
        if a.ours
    ]


def in_force(partner: Partner) -> tuple[int, dict[str, Any]]:
    """The agreement that both have signed, the newest. Errors: `alliance.agreement`."""
    for each in reversed(partner.agreements):
        if each.ours and each.theirs:
            return each.version, json.loads(each.document)
    raise MadangError("alliance.agreement", _("There is no agreement with {name}.").format(name=partner.name))


def stand(node: Node, actor: Actor, name: str, kinds: Sequence[str]) -> None:
    """Set the estimators of a partner that are approved by rule."""
    from madang.science.federated.study import KINDS

    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise MadangError("study.value", _("There is no estimator {kind}.").format(kind=", ".join(sorted(unknown))))
    with doing(node, actor, STAND, lambda session: find(session, name)) as done:
        done.thing.standing = ",".join(sorted(kinds))
        done.tell(partner=done.thing.name, reason=done.thing.standing)


def by_id(session: Session, number: int) -> Partner:
    """A partner that is known to be there, with its agreements."""
    found = session.get(Partner, number, options=[selectinload(Partner.agreements)])
    assert found is not None  # partners are never deleted
    return found


def find(session: Session, name: str) -> Partner:
    """A partner by its name or number. Errors: `alliance.none`."""
    query = select(Partner).options(selectinload(Partner.agreements))
    found = session.scalar(query.where(Partner.name == name))
    if found is None and name.isdigit() and len(name) < 10:
        found = session.scalar(query.where(Partner.id == int(name)))
    if found is None:
        raise MadangError(
            "alliance.none", _("There is no partner {name}.").format(name=name[:100]), "madang alliance list"
        )
    return found


def listed(node: Node, actor: Actor) -> Sequence[Partner]:
    """All partners."""
    check(actor, SEE)
    with node.read() as session:
        return session.scalars(select(Partner).options(selectinload(Partner.agreements)).order_by(Partner.id)).all()
