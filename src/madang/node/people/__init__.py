"""People: who they are, what roles they hold, and how they prove it."""

from madang.node.people.actor import Actor, add_house
from madang.node.people.models import HOUSE, Organization, Person, Role

__all__ = ["HOUSE", "Actor", "Organization", "Person", "Role", "add_house"]
