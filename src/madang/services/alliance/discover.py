"""Which data there are at which partner: what each told of its own, kept as the partner's and shown as that.

A site's agreement says how much it tells (`discover`): nothing, names and columns, or a description (people in tens,
levels that enough people have, coarse ranges), of which made-up people can be drawn for trying.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check, may
from madang.node.text import clean_line
from madang.services.alliance.acts import SEE
from madang.services.alliance.models import Partner, Share

if TYPE_CHECKING:
    from madang.services.catalog import Elsewhere

MOST = 200  # shares of one partner


def catalog_of(session: Session, partner: Partner) -> list[dict[str, Any]]:
    """What we tell a partner of our shares, as far as the agreement in force says."""
    from madang.services.alliance.partners import in_force

    try:
        _version, agreement = in_force(partner)
    except MadangError:
        return []
    much, covered = agreement.get("discover", "names"), agreement["datasets"]
    if much == "nothing":
        return []
    found = []
    for share in session.scalars(select(Share).order_by(Share.name).limit(MOST)):
        if covered and share.name not in covered:
            continue
        described = json.loads(share.source).get("described", {"people": 0, "columns": []})
        units = json.loads(share.units)
        columns = [each if much == "described" else {"name": each["name"], "type": each["type"]}
                   for each in described["columns"]]  # fmt: skip
        columns = [each | ({"unit": units[each["name"]]} if each["name"] in units else {}) for each in columns]
        told = {"name": share.name, "vocabulary": share.vocabulary, "country": share.country, "columns": columns}
        found.append(told | {"data": share.digest[:16], "people": described["people"] if much == "described" else 0})
    return found


def hash_of(catalog: Any) -> str:
    """By what two nodes see whether they know the same."""
    return hashlib.sha256(canonical_json(catalog)).hexdigest()


def kept(node: Node, partner_id: int) -> list[dict[str, Any]]:
    """What a partner told of its shares last."""
    path = node.home.folder("alliance") / f"catalog-{partner_id}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    return found


def keep(node: Node, partner_id: int, told: Any) -> None:
    """Keep what a partner tells. Errors: `alliance.catalog`, `federated.description`."""
    from madang.science.federated.twins import checked

    if not isinstance(told, list) or len(told) > MOST or len(json.dumps(told)) > 2_000_000:
        raise MadangError("alliance.catalog", _("This is no list of shared data."))
    found = []
    for each in told:
        if not isinstance(each, dict):
            raise MadangError("alliance.catalog", _("This is no list of shared data."))
        lines = {name: clean_line(str(each.get(name, "")), _("The text"), 100)
                 for name in ("name", "vocabulary", "country", "data")}  # fmt: skip
        found.append(lines | checked(each))
    path = node.home.folder("alliance") / f"catalog-{partner_id}.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    new.replace(path)


def told_by(node: Node, partner: Partner) -> list[dict[str, Any]]:
    """What a partner has told, as far as the agreement that is in force now says: nothing from the moment at which it
    left, or at which a version with less holds."""
    from madang.services.alliance.partners import in_force

    if partner.state != "confirmed":
        return []
    try:
        _version, agreement = in_force(partner)
    except MadangError:
        return []
    much, covered = agreement.get("discover", "names"), agreement["datasets"]
    over = bool(agreement["ends"]) and agreement["ends"] < now().date().isoformat()
    if over or much == "nothing":
        return []
    found = [each for each in kept(node, partner.id) if not covered or each["name"] in covered]
    if much == "described":
        return found
    kinds = ("name", "type", "unit")
    return [
        each | {"people": 0, "columns": [{k: c[k] for k in kinds if k in c} for c in each["columns"]]} for each in found
    ]


def _every(session: Session) -> Sequence[Partner]:
    query = select(Partner).where(Partner.state == "confirmed").options(selectinload(Partner.agreements))
    return session.scalars(query.order_by(Partner.id)).all()


def forget(node: Node, partner_id: int) -> None:
    """Keep nothing of what a partner told, which left."""
    (node.home.folder("alliance") / f"catalog-{partner_id}.json").unlink(missing_ok=True)


def discovered(node: Node, actor: Actor) -> list[dict[str, Any]]:
    """The data of all partners: whose they are, what they are called, what is told of them."""
    check(actor, SEE)
    with node.read() as session:
        every = _every(session)
    return [
        {"partner": each.name, "partner_number": each.id, "simulated": each.way == "simulated", **share}
        for each in every
        for share in told_by(node, each)
    ]


def in_catalog(node: Node, actor: Actor, words: Sequence[str]) -> "list[Elsewhere]":
    """For the catalog: what partners describe and has all these words, for whoever signed in here. Simulated sites
    have none."""
    from madang.services.catalog import Elsewhere  # who only waits for questions does not load it

    if not actor.is_signed_in:
        return []
    with node.read() as session:
        every = [each for each in _every(session) if each.way != "simulated" and _level(each) == "described"]
    found = []
    for partner in every:
        address = f"/alliance/partners/{partner.id}" if may(actor, SEE) else ""
        for share in told_by(node, partner):
            names = tuple(str(each["name"]) for each in share["columns"])
            texts = [share["name"], partner.name, share["vocabulary"], share["country"], *names]
            texts += [str(level) for each in share["columns"] for level in each.get("levels", ())]
            if all(word in " ".join(texts).casefold() for word in words):
                about = share["people"], names, share["country"], share["vocabulary"]
                found.append(Elsewhere(share["name"], partner.name, *about, address))
    return found


def _level(partner: Partner) -> str:
    from madang.services.alliance.partners import in_force

    try:
        return str(in_force(partner)[1].get("discover", "names"))
    except MadangError:
        return "nothing"


def found_share(node: Node, actor: Actor, partner: str, name: str) -> dict[str, Any]:
    """What a partner told of one of its shares. Errors: `alliance.not_shared`."""
    for each in discovered(node, actor):
        if each["partner"] == partner and each["name"] == name:
            return each
    raise MadangError(
        "alliance.not_shared",
        _("{partner} has told of no data {name}.").format(partner=partner[:80], name=name[:80]),
        "madang alliance discover",
    )


def noted(node: Node, study: Any, partner: str, rule: str) -> None:
    """Write down a question that was refused because its answer would have told of a few."""
    line = {"study": study.id, "title": study.title, "partner": partner, "rule": rule}
    with (node.home.folder("alliance") / "watch.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def watched(node: Node) -> list[dict[str, Any]]:
    """Questions that were refused because their answers, with earlier ones, would have told of a few: once each."""
    path = node.home.folder("alliance") / "watch.jsonl"
    if not path.exists():
        return []
    found = {}
    for line in path.read_text("utf-8").splitlines()[-1_000:]:
        each = json.loads(line)
        found[each["study"], each["rule"]] = each
    return list(found.values())
