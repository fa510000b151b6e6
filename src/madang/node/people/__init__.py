"""People: who they are, what roles they hold, and how they prove it.

Here are the names that everybody needs; accounts, sessions, tokens, codes, sign_in and openid are modules of their own.
"""

from madang.node.people.actor import Actor, add_house
from madang.node.people.models import HOUSE, Organization, Person, Role

__all__ = ["HOUSE", "Actor", "Organization", "Person", "Role", "add_house"]
