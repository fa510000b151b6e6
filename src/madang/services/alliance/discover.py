"""Which data there are at which partner: what each told of its own, kept as the partner's and shown as that.

A site's agreement says how much it tells (`discover`): nothing, names and columns, or a description (people in tens,
levels that enough people have, coarse ranges), of which made-up people can be drawn for trying.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.services.alliance.acts import SEE
from madang.services.alliance.models import Partner, Share

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


def discovered(node: Node, actor: Actor) -> list[dict[str, Any]]:
    """The data of all partners: whose they are, what they are called, what is told of them."""
    check(actor, SEE)
    with node.read() as session:
        every = session.scalars(select(Partner).where(Partner.state == "confirmed").order_by(Partner.id)).all()
    return [
        {"partner": each.name, "partner_number": each.id, "simulated": each.way == "simulated", **share}
        for each in every
        for share in kept(node, each.id)
    ]


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
