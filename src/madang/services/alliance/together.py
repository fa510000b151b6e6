"""A site's side of masked sums: its keys, who is in it, its masked answers, and which seeds it tells for whom."""

import base64
import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import canonical_json, sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.science.federated import masks
from madang.science.federated.study import study_of
from madang.services.alliance import wire
from madang.services.alliance.models import AllianceStudy, Partner, StudyPart
from madang.services.alliance.partners import in_force

LEAST_MASKED = 3  # sites whose masked sum may be read


def found_study(session: Session, number: int) -> AllianceStudy:
    """A study by its number. Errors: `alliance.no_study`."""
    found = session.get(AllianceStudy, number, options=[selectinload(AllianceStudy.sites)])
    if found is None:
        raise MadangError(
            "alliance.no_study", _("There is no study {number}.").format(number=number), "madang alliance list"
        )
    return found


def question_digest(question: Any) -> str:
    """The hash by which a question and its answer belong together."""
    if not isinstance(question, dict):
        raise MadangError("alliance.body", _("This is no question."))
    return sha256_of({k: v for k, v in question.items() if k not in ("digest", "round")})


def mask_secret(node: Node, uid: str) -> bytes:
    """The secret of this node's masks in a study."""
    return hashlib.sha256(b"madang alliance mask 1" + node.home.key("alliance-mask") + uid.encode()).digest()


def mask_key(node: Node, uid: str) -> dict[str, str]:
    """The public key of our masks in a study, signed, for the other sites."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    public = X25519PrivateKey.from_private_bytes(mask_secret(node, uid)).public_key().public_bytes_raw()
    told, me = base64.b64encode(public).decode(), wire.identity(node.home)
    signature = base64.b64encode(me.sign(canonical_json({"study": uid, "mask": told}))).decode()
    return {"mask": told, "key": me.public, "signature": signature}


def masked(
    node: Node, study: AllianceStudy, question: dict[str, Any], elements: list[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A masked answer, and with it our own seed, shared out among the others so that each reads its share alone."""
    me = wire.identity(node.home)
    pairs, keys = (_seeds(node, study, question, *about) for about in ((), ("share",)))
    secret = mask_secret(node, study.uid)
    own = masks.seed_of(secret, question["digest"], "own")
    chance = masks.seed_of(secret, question["digest"], "polynomials")
    shares = masks.share_out(own, list(pairs), masks.least_of(len(pairs) + 1), chance)
    told = {name: masks.hidden(share, keys[name]).hex() for name, share in shares.items()}
    return {"facts": {"shares": told}}, {"masked": masks.to_bytes(masks.mask(elements, me.name, own, pairs))}


def _seeds(node: Node, study: AllianceStudy, question: dict[str, Any], *about: str) -> dict[str, bytes]:
    """The seeds of our pairs for a question (or other secrets of the pairs, `about` something), with all who are said
    to be in it. Errors: `alliance.together`."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    together = question.get("together")
    me = wire.identity(node.home)
    if not isinstance(together, dict) or len(together) < LEAST_MASKED or me.name not in together:
        raise MadangError(
            "alliance.together",
            _("Masked sums need at least {least} sites, this one among them.").format(least=LEAST_MASKED),
        )
    _check_together(node, study, together)
    private = X25519PrivateKey.from_private_bytes(mask_secret(node, study.uid))
    seeds = {}
    for name, told in together.items():
        if name == me.name:
            continue
        try:
            signature, raw = base64.b64decode(told["signature"]), base64.b64decode(told["mask"])
            text = canonical_json({"study": study.uid, "mask": told["mask"]})
            if wire.thumbprint(told["key"]) != name or not wire.is_signed(told["key"], text, signature):
                raise ValueError
            shared = private.exchange(X25519PublicKey.from_public_bytes(raw))
        except (KeyError, TypeError, ValueError):
            raise MadangError("alliance.together", _("The mask key of a site is not signed by it.")) from None
        seeds[name] = masks.seed_of(shared, question["digest"], *about)
    return seeds


def _check_together(node: Node, study: AllianceStudy, together: dict[str, Any]) -> None:
    """Who is in it stays who is in it, and no other study asks the same of all but a few."""
    names = sorted(together)
    keys = {name: str(told.get("mask")) for name, told in together.items() if isinstance(told, dict)}
    with node.write() as session:
        mine = found_study(session, study.id)
        partner = session.get(Partner, mine.partner_id)
        assert partner is not None
        members = in_force(partner)[1]["members"]
        if members and not set(names) <= set(members):
            raise MadangError("alliance.together", _("A site is in it that the agreement does not name."))
        if mine.together:
            if json.loads(mine.together) == keys:
                return
            known = json.loads(mine.together)
            bodies = session.scalars(
                select(StudyPart.body).where(
                    StudyPart.study_id == mine.id, StudyPart.step == "unmask", StudyPart.site_id.is_(None)
                )
            )
            settled = {tuple(wire.unpack(body)[0]["facts"]["answered"]) for body in bodies}
            if settled != {tuple(names)} or any(known.get(name) != key for name, key in keys.items()):
                raise MadangError("alliance.together", _("The sites of a masked study cannot change."))
            mine.together = json.dumps(keys)
            return
        others = session.scalars(
            select(AllianceStudy).where(
                AllianceStudy.id != mine.id, AllianceStudy.together != "", AllianceStudy.partner_id.is_not(None)
            )
        ).all()
        for other in others:
            before = set(json.loads(other.together))
            if 0 < len(before ^ set(names)) < LEAST_MASKED and _alike(other, mine):
                raise MadangError(
                    "federated.disclosure",
                    _("The same was asked of nearly the same sites: their difference would tell of one."),
                    _("Ask the same sites, or at least {least} other ones.").format(least=LEAST_MASKED),
                )
        mine.together = json.dumps(keys)


def _alike(a: AllianceStudy, b: AllianceStudy) -> bool:
    left, right = study_of(json.loads(a.document)), study_of(json.loads(b.document))
    return left.dataset == right.dataset


def unmasking(node: Node, study: AllianceStudy, question: dict[str, Any]) -> dict[str, Any]:
    """Our own seed of a question, and those of our pairs with sites that fell out; once, for one set of sites."""
    me = wire.identity(node.home)
    base, answered = question["unmask"], question.get("answered")
    if (
        not isinstance(base, dict)
        or not isinstance(answered, list)
        or not all(isinstance(each, str) for each in answered)
        or me.name not in answered
    ):
        raise MadangError("alliance.together", _("This node did not answer, so that it has no mask to take off."))
    digest = question_digest(base)
    together = set(base.get("together") or {})
    if not set(answered) <= together or len(set(answered)) < LEAST_MASKED:
        raise MadangError(
            "alliance.together",
            _("Masks come off for the sum of at least {least} sites.").format(least=LEAST_MASKED),
        )
    with node.read() as session:
        given = session.scalar(
            select(StudyPart.id).where(
                StudyPart.study_id == study.id, StudyPart.digest == digest, StudyPart.site_id.is_(None)
            )
        )
        told = session.scalars(
            select(StudyPart.body).where(
                StudyPart.study_id == study.id, StudyPart.step == "unmask", StudyPart.site_id.is_(None)
            )
        ).all()
    if given is None:
        raise MadangError("alliance.together", _("This node did not answer, so that it has no mask to take off."))
    for body in told:
        meta, _arrays = wire.unpack(body)
        if meta["facts"]["base"] == digest:
            raise MadangError("alliance.together", _("The masks of a question come off once."))
        if set(meta["facts"]["answered"]) != set(answered):
            raise MadangError("alliance.together", _("The sites of a masked study cannot change."))
    own = masks.seed_of(mask_secret(node, study.uid), digest, "own")
    seeds = _seeds(node, study, {**base, "digest": digest})
    fallen = {name: seeds[name].hex() for name in sorted(together - set(answered))}
    return {"facts": {"base": digest, "answered": sorted(answered), "own": own.hex(), "fallen": fallen}}


def recovering(node: Node, study: AllianceStudy, question: dict[str, Any]) -> dict[str, Any]:
    """Our shares of the seeds of sites that answered and then fell out: only after our own masks of that question were
    taken off for a set that has those sites in it, so that their pairs' seeds are never told as well."""
    me = wire.identity(node.home)
    base, missing, hidden = question["recover"], question.get("missing"), question.get("shares")
    refused = MadangError("alliance.together", _("These seeds cannot be told."))
    if not isinstance(base, dict) or not isinstance(missing, list) or not isinstance(hidden, dict):
        raise refused
    digest = question_digest(base)
    with node.read() as session:
        bodies = session.scalars(
            select(StudyPart.body).where(
                StudyPart.study_id == study.id, StudyPart.step == "unmask", StudyPart.site_id.is_(None)
            )
        ).all()
    settled = [f["answered"] for f in (wire.unpack(body)[0]["facts"] for body in bodies) if f["base"] == digest]
    if not settled or me.name in missing or not set(missing) <= set(settled[0]):
        raise refused
    keys = _seeds(node, study, {**base, "digest": digest}, "share")
    try:
        shares = {
            each: masks.hidden(bytes.fromhex(hidden[each][me.name]), keys[each]).hex() for each in sorted(missing)
        }
    except (KeyError, TypeError, ValueError):
        raise refused from None
    return {"facts": {"base": digest, "shares": shares}}
