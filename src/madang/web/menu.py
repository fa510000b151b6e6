"""The menu: five places, the same for everybody, and in each what one may see; made from the rooms' plans."""

from dataclasses import dataclass
from functools import cache

from madang.base.translate import _, later
from madang.node.people.actor import Actor
from madang.node.permissions import may
from madang.node.rooms import MenuItem, Place, open_plans

PLACES: dict[Place, str] = {
    "data": later("Data"),
    "access": later("Access", "place"),
    "labs": later("Labs"),
    "learning": later("Learning"),
    "trust": later("Trust"),
}


@dataclass(frozen=True)
class Link:
    """A line of the menu, in the reader's language; `current` where its page is shown."""

    title: str
    address: str
    current: bool


@dataclass(frozen=True)
class Menu:
    """The five places, and what is in the one that is shown."""

    places: list[Link]
    inside: list[Link]


def menu(actor: Actor, path: str) -> Menu:
    """The menu for a reader on the page at `path`."""
    found = [item for item in items() if path == item.address or path.startswith(item.address + "/")]
    here = max(found, key=lambda item: len(item.address), default=None)
    places, inside = [], []
    for place, title in PLACES.items():
        seen = [item for item in items() if item.place == place and is_for(actor, item)]
        current = here is not None and here.place == place
        address = seen[0].address if seen else f"/places/{place}"
        places.append(Link(_(title, "place") if place == "access" else _(title), address, current))
        if current:
            inside = [Link(_(item.title), item.address, item == here) for item in seen]
    return Menu(places, inside)


def is_for(actor: Actor, item: MenuItem) -> bool:
    """Whether a line is shown to a reader."""
    if item.signed_in and not actor.is_signed_in:
        return False
    return not item.act or may(actor, item.act)


@cache
def items() -> list[MenuItem]:
    """Every line, in the order of rooms."""
    return [item for plan in open_plans() for item in plan.menu]
