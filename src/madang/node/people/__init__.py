"""People: who they are, what roles they hold, and how they prove it.

Here are the names that everybody needs; accounts, sessions, tokens, codes, sign_in and openid are modules of their own.
"""

from madang.node.people.actor import Actor, Held, add_house
from madang.node.people.models import (
    HOUSE,
    Handover,
    Organization,
    Permit,
    Person,
    Project,
    ProjectApproval,
    ProjectMember,
    Role,
)

__all__ = [
    "HOUSE",
    "Actor",
    "Handover",
    "Held",
    "Organization",
    "Permit",
    "Person",
    "Project",
    "ProjectApproval",
    "ProjectMember",
    "Role",
    "add_house",
]
