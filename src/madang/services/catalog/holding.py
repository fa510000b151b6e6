"""Who answers for a dataset, for other rooms."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.node.rooms import open_plans
from madang.services.catalog.disclosure import is_being_removed
from madang.services.catalog.models import Record


@dataclass(frozen=True)
class Holding:
    """The organization that answers for a dataset, the fewest persons that its numbers are about, and its record.

    `open` says whether everybody who signed in may have the data: published, open or registered, not withheld.
    `data_use` are conditions of consent (DUO), `asks_training` a skill that everybody in a project has to have shown.
    """

    dataset: str
    organization_id: int
    minimum: int
    record: str
    open: bool
    data_use: tuple[str, ...] = ()
    asks_training: str = ""


@dataclass(frozen=True)
class Original:
    """A file as it came, which another room keeps (`RoomPlan.originals`): name, address within the portal, media type,
    format, bytes and SHA-256; for those who may read it what is in it in a few words, a small picture of it (PNG in
    base64), its first rows, and where it lies (which may refuse to tell, as of a file that changed)."""

    name: str
    address: str
    media: str
    format: str
    bytes: int
    sha256: str
    said: str = ""
    picture: str = ""
    head: tuple[tuple[str, ...], ...] = ()
    path: Callable[[], Path] | None = None


@dataclass(frozen=True)
class Elsewhere:
    """Data that somebody else keeps and has told of, which another room knows (`RoomPlan.elsewhere`).

    `source` is who keeps them, `people` how many there are at least (0: not told), `address` the page here that says
    more, empty where the reader may not see it.
    """

    name: str
    source: str
    people: int
    columns: tuple[str, ...]
    country: str
    vocabulary: str
    address: str = ""


def elsewhere_of(node: Node, actor: Actor, question: str) -> list[Elsewhere]:
    """Data of others that have all words of the question, as every room tells that knows some."""
    asked = question.casefold().split()
    tellers = [plan.load(plan.elsewhere) for plan in open_plans() if plan.elsewhere]
    return [each for teller in tellers for each in teller(node, actor, asked)]


def originals_of(node: Node, dataset: str, record: str) -> list[Original]:
    """The files of a dataset as they came, from every room that keeps some."""
    tellers = [plan.load(plan.originals) for plan in open_plans() if plan.originals]
    return [each for teller in tellers for each in teller(node, dataset, record)]


def holder_of(session: Session, dataset: str) -> Holding | None:
    """Who answers for a dataset of the lake; None where it has no record."""
    row = session.execute(
        select(Record, Organization.minimum)
        .join(Organization, Organization.id == Record.organization_id)
        .where(Record.dataset == dataset)
    ).first()
    if row is None:
        return None
    record, minimum = row
    is_open = record.state == "published" and record.access in ("open", "registered")
    is_open = is_open and not is_being_removed(session, dataset)
    told = record.told
    return Holding(dataset, record.organization_id, minimum, record.name, is_open, told.data_use, told.asks_training)


def begin_described(
    node: Node,
    actor: Actor,
    dataset: str,
    organization: str,
    titles: tuple[str, str],
    tier: str,
    *,
    kind: str = "cdm",
    **told: Any,
) -> str:
    """A draft of a record for a dataset that another room made, described at once; its name. `told`: of `Description`.

    Errors: those of `service.make` and `service.edit`.
    """
    from madang.services.catalog import service

    name = service.make(node, actor, dataset, organization, kind=kind)
    record = service.see(node, actor, name)
    description = record.told.model_validate(record.told.model_dump() | told)
    given = service.Edited(record.edition, titles[0], titles[1], tier, tier, "", None, description)
    service.edit(node, actor, name, given)
    return name
