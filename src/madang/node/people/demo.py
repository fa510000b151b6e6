"""Accounts of `madang demo`: known by how their names begin, with passwords of this installation alone."""

import base64
import hashlib
import hmac

from sqlalchemy import select

from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.accounts import create_person, give_role
from madang.node.people.actor import Actor
from madang.node.people.models import Person

PREFIX = "demo-"


def demo_password(home: Home, login: str) -> str:
    """The password of an account of the demo; made from a key of the home: kept nowhere, and always the same."""
    digest = hmac.digest(home.key("demo"), login.encode(), hashlib.sha256)
    return base64.b32encode(digest[:10]).decode().lower()


def demo_person(node: Node, login: str, role: str, *organizations: int) -> int:
    """An account of the demo with a role in these organizations; the number of its person, who may be there already."""
    with node.read() as session:
        known = session.scalar(select(Person.id).where(Person.login == login))
    owner = Actor.owner()
    number = known or create_person(node, owner, login, login, password=demo_password(node.home, login))
    for organization in organizations:
        give_role(node, owner, number, role, organization)
    return number


def demo_accounts(node: Node) -> dict[str, list[str]]:
    """The roles of each account of the demo that has any, by login."""
    with node.read() as session:
        found = session.scalars(select(Person).where(Person.login.startswith(PREFIX)).order_by(Person.login)).unique()
        return {person.login: sorted({role.role for role in person.roles}) for person in found if person.roles}
