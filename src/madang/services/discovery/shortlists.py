"""Shortlists: a library ranked by goals, a diverse pick within a budget, decisions and who made them, lock, files."""

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may, visible
from madang.node.text import clean_line, clean_prose
from madang.services.discovery.acts import DECIDE, LOCK, RANK, SEE_LIST
from madang.services.discovery.lots import read_lines
from madang.services.discovery.models import MoleculeLibrary, Shortlist, Verdict
from madang.services.discovery.service import see
from madang.web.cards import Card

MOST_RANKED = 500  # rows that a shortlist keeps
DECISIONS = ("make", "test", "hold", "drop")


def read_costs(table: str) -> dict[str, float]:
    """What compounds cost, from a table with columns compound and cost. Errors: `shortlist.cost` names the line."""
    found: dict[str, float] = {}
    if not table.strip():
        return found
    for line, row in read_lines(table):
        try:
            name, cost = row["compound"], float(row["cost"].replace(",", ""))
        except (KeyError, ValueError):
            name, cost = "", -1.0
        if not name or not 0 <= cost < 1e12 or found.get(name, cost) != cost:
            raise MadangError(
                "shortlist.cost",
                _("Line {line} of the costs is no cost of a compound.").format(line=line),
                _("Columns compound and cost; a number from 0 on, in one currency, once for each compound."),
            )
        found[name] = cost
    return found


def shortlist(
    node: Node,
    actor: Actor,
    name: str,
    title: str,
    goals: bytes,
    *,
    costs: Mapping[str, float] | None = None,
    pick: int = 0,
    budget: float | None = None,
) -> Shortlist:
    """Rank a library by a table of goals; the best rows are kept with the parts that explain their places.

    `costs` by compound are there as the property `cost`. `pick` marks so many that are unlike each other, of the best
    tenth, whose costs together are at most `budget`.
    """
    from madang.science.chemistry.library import newest, read_table
    from madang.science.chemistry.ranking import picked, rank, read_goals
    from madang.services.discovery.studies import properties_of
    from madang.services.discovery.tables import activity

    found = see(node, actor, name)
    with tempfile.TemporaryDirectory(prefix="madang-goals-") as folder:
        path = Path(folder) / "goals.csv"
        path.write_bytes(goals)
        wanted = read_goals(path)
    version = newest(node.home.lake().dataset(name))
    measured = {row["id"]: row for row in activity(node, actor, name).rows}
    said = properties_of(node, actor, name)
    priced = dict(costs or {})
    rows = [
        {
            **row,
            **measured.get(row["id"], {}),
            **{key: values.get(row["id"]) for key, values in said.items()},
            **({"cost": priced.get(row["id"])} if priced else {}),
        }
        for row in read_table(version, "compound").to_pylist()
    ]
    if priced.keys() - {row["id"] for row in rows}:
        unknown = ", ".join(sorted(priced.keys() - {row["id"] for row in rows})[:5])
        raise MadangError(
            "shortlist.cost",
            _("The costs name what is not in the library: {names}.").format(names=unknown),
            _("Name compounds as the library does."),
        )
    names = {key for row in measured.values() for key in row}
    rows = [{**dict.fromkeys(names), **row} for row in rows]
    places = rank(rows, wanted)
    chosen = set(picked(places, pick, priced or None, budget)) if pick else set()
    kept = [one for one in places if one.place <= MOST_RANKED or one.place in chosen]
    ranked = [asdict(one) | {"cost": priced.get(one.id), "picked": one.place in chosen} for one in kept]
    asked = {"goals": [asdict(goal) for goal in wanted], "pick": pick, "budget": budget}
    digest = sha256_of(asked | {"rows": ranked, "manifest": version.digest})

    def new(session: Session) -> Shortlist:
        return Shortlist(
            library_id=found.id,
            title=clean_line(title, _("The title"), 300, required=True),
            organization_id=found.organization_id,
            project_id=found.project_id,
            owner_id=actor.person_id,
            version=version.number,
            manifest=version.digest,
            goals=json.dumps(asked, ensure_ascii=False),
            rows=json.dumps(ranked, ensure_ascii=False),
            sha256=digest,
            state="open",
            verdicts=[],
        )

    with doing(node, actor, RANK, new) as done:
        done.session.add(done.thing)
        done.tell(library=name, version=version.number, sha256=digest)
    return done.thing


def asked_of(found: Shortlist) -> dict[str, Any]:
    """What a shortlist was made by: goals, pick, budget. Older ones keep their goals alone."""
    kept = json.loads(found.goals)
    return kept if isinstance(kept, dict) else {"goals": kept, "pick": 0, "budget": None}


def as_document(found: Shortlist) -> dict[str, Any]:
    """All that a shortlist says. Its `sha256` is that of goals, pick, budget, rows and manifest in canonical JSON; the
    signature of a locked one is over that and the decisions."""
    said = [
        {
            "compound": one.compound,
            "decision": one.decision,
            "reason": one.reason,
            "by": one.person.name if one.person else "",
            "at": one.created.isoformat(),
        }
        for one in found.verdicts
    ]
    kept = {"shortlist": found.id, "title": found.title, "library": found.library.name, "version": found.version}
    kept |= {"manifest": found.manifest, "sha256": found.sha256, "signed": found.signed, "state": found.state}
    return kept | asked_of(found) | {"rows": json.loads(found.rows), "decisions": said}


def as_csv(found: Shortlist) -> str:
    """The ranking as CSV, with parts, costs, pick and the newest decision of each; no cell is taken for a formula."""
    from madang.services.discovery.tables import csv_cell

    rows = json.loads(found.rows)
    names = [part["property"] for part in rows[0]["parts"]] if rows else []
    latest = {one.compound: one for one in found.verdicts}
    out = io.StringIO()
    writer = csv.writer(out)
    parts = [text for name in names for text in (name, f"{name} desirability")]
    writer.writerow(
        ["place", "id", "smiles", "score", "front", *parts, "cost", "picked", "decision", "reason", "by", "decided"]
    )
    for row in rows:
        values = [value for part in row["parts"] for value in (part["value"], part["desirability"])]
        told = [row["place"], row["id"], row["smiles"], row["score"], row["front"], *values, row.get("cost")]
        told.append("yes" if row.get("picked") else "")
        verdict = latest.get(row["id"])
        if verdict is not None:
            by = verdict.person.name if verdict.person else ""
            told += [verdict.decision, verdict.reason, by, f"{verdict.created:%Y-%m-%d}"]
        writer.writerow([csv_cell(value) for value in told])
    return out.getvalue()


def shortlists(node: Node, actor: Actor, name: str) -> list[Shortlist]:
    """The shortlists of a library, the newest first."""
    found = see(node, actor, name)
    with node.read() as session:
        mine = select(Shortlist).where(Shortlist.library_id == found.id).order_by(Shortlist.id.desc())
        return list(session.scalars(mine))


def see_shortlist(node: Node, actor: Actor, number: int) -> Shortlist:
    """A shortlist with all that was decided. Errors: `shortlist.none`."""
    with node.read() as session:
        found = _shortlist(session, number)
    if not may(actor, SEE_LIST, found):
        raise MadangError("shortlist.none", _("There is no shortlist {number}.").format(number=number))
    return found


def decide(node: Node, actor: Actor, number: int, compound: str, decision: str, reason: str) -> None:
    """Say what is to become of a compound, and why."""
    see_shortlist(node, actor, number)
    with doing(node, actor, DECIDE, lambda session: _shortlist(session, number)) as done:
        known = {row["id"] for row in json.loads(done.thing.rows)}
        if compound not in known or decision not in DECISIONS:
            raise MadangError("shortlist.compound", _("This compound is not in the shortlist."))
        done.thing.verdicts.append(
            Verdict(
                compound=compound,
                decision=decision,
                reason=clean_prose(reason, _("The reason"), 1_000),
                person_id=actor.person_id,
            )
        )
        done.tell(compound=compound, decision=decision)


def lock(node: Node, actor: Actor, number: int) -> None:
    """Lock a shortlist and sign what it says, with all decisions, by the node's key."""
    see_shortlist(node, actor, number)
    with doing(node, actor, LOCK, lambda session: _shortlist(session, number)) as done:
        thing = done.thing
        said = [[v.compound, v.decision, v.reason, v.person_id] for v in thing.verdicts]
        document = {"shortlist": number, "sha256": thing.sha256, "manifest": thing.manifest, "decisions": said}
        thing.signed = signing.signer(node.home).sign(document, "shortlist+jwt")
        thing.locked = now()


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Shortlists that wait for the principal investigator to lock them."""
    with node.read() as session:
        mine = select(Shortlist).where(visible(actor, SEE_LIST, Shortlist), Shortlist.state == "open")
        found = list(session.scalars(mine.options(selectinload(Shortlist.library)).order_by(Shortlist.id)))
    return [
        Card(_("A shortlist is open for decisions"), each.title, f"/discovery/shortlists/{each.id}", since=each.created)
        for each in found
        if may(actor, LOCK, each)
    ]


def _shortlist(session: Session, number: int) -> Shortlist:
    found = session.scalar(
        select(Shortlist)
        .where(Shortlist.id == number)
        .options(
            selectinload(Shortlist.verdicts).selectinload(Verdict.person),
            selectinload(Shortlist.library).selectinload(MoleculeLibrary.project),
        )
    )
    if found is None:
        raise MadangError("shortlist.none", _("There is no shortlist {number}.").format(number=number))
    return found
