"""What rooms say for pages that are not theirs: what waits for somebody, and what they have of a project."""

from dataclasses import dataclass
from datetime import datetime

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.rooms import open_plans


@dataclass(frozen=True)
class Card:
    """One thing that waits for a person: why, what is the case, where it is done, since when and until when.

    Texts are in the reader's language.
    """

    why: str
    what: str
    address: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Row:
    """A line of what a room has of a project: what, where it is seen, how it stands, when."""

    what: str
    address: str
    state: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Part:
    """What a room has of a project (`RoomPlan.project`): a title and lines, in the reader's language."""

    title: str
    rows: list[Row]


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Everything that waits for a reader in all rooms: what is due first comes first, then what has waited longest."""
    if not actor.is_signed_in:
        return []
    cards = [card for plan in open_plans() if plan.card for card in plan.load(plan.card)(node, actor)]
    return sorted(cards, key=lambda card: (card.until is None, card.until or card.since or datetime.max.astimezone()))
