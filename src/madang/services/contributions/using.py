"""How the data of a holder were used, by period: a fold over what rooms know (`RoomPlan.uses`)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.rooms import open_plans
from madang.services.catalog.models import Record
from madang.services.contributions.acts import USE
from madang.services.contributions.statement import Use

KINDS = ("permit", "workspace", "count", "release", "download")
DEEPEST = 9  # extracts of extracts


@dataclass(frozen=True)
class Period:
    """How often a dataset was used in a month (`2026-11`), by kind of use."""

    dataset: str
    month: str
    counts: dict[str, int]


def use_of(node: Node, dataset: str) -> list[Use]:
    """Everything that used a dataset or an extract of it, each once, in order of time. The caller has checked."""
    found = set[Use]()
    waiting, seen = [(dataset, 0)], {dataset}
    tellers = [plan.load(plan.uses) for plan in open_plans() if plan.uses]
    while waiting:
        name, depth = waiting.pop()
        for teller in tellers:
            for use in teller(node, name):
                kind, _colon, rest = use.reference.partition(":")
                made = rest.partition("@")[0]
                if kind != "dataset":
                    found.add(use)
                elif made not in seen and depth < DEEPEST:
                    seen.add(made)
                    waiting.append((made, depth + 1))
    return sorted(found)


def periods(dataset: str, uses: list[Use], since: date | None, until: date | None) -> Iterator[Period]:
    """Uses counted by month, the newest first; from one day to another, both included."""
    kept = [u for u in uses if (since is None or u.at.date() >= since) and (until is None or u.at.date() <= until)]
    for month in sorted({f"{use.at:%Y-%m}" for use in kept}, reverse=True):
        counts = Counter(use.kind for use in kept if f"{use.at:%Y-%m}" == month)
        yield Period(dataset, month, {kind: counts[kind] for kind in KINDS if counts[kind]})


def use_by_holder(
    node: Node, actor: Actor, organization: str, since: date | None = None, until: date | None = None
) -> list[Period]:
    """How the data that an organization holds were used, by record and month. Errors: `contributions.period`."""
    if since is not None and until is not None and since > until:
        raise MadangError("contributions.period", _("The period ends before it begins."))
    with node.read() as session:
        holder = find_organization(session, organization)
        check(actor, USE, Record(organization_id=holder.id))
        query = select(Record.name, Record.dataset).where(Record.organization_id == holder.id).order_by(Record.name)
        records = session.execute(query).all()
    node.audit.read(actor, USE.name, f"organization:{holder.id}")
    return [each for name, dataset in records for each in periods(name, use_of(node, dataset), since, until)]


def holders(node: Node, actor: Actor) -> list[tuple[str, str]]:
    """Name and title of the organizations whose use of data somebody may see."""
    from madang.node.people.models import Organization

    with node.read() as session:
        query = select(Organization).where(Organization.id.in_(select(Record.organization_id))).order_by("name")
        every = session.scalars(query).all()
    mine = set(actor.organizations("steward"))
    sees_all = actor.kind == "owner" or actor.holds("auditor")
    return [(each.name, each.title) for each in every if sees_all or each.id in mine]
