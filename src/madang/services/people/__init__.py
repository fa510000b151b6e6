"""People and their own accounts: signing in, passwords, one-time codes, sessions, API tokens; accounts and roles.

What can be done is in `madang.node.people`; this room has its pages.
"""

from madang.base.translate import later
from madang.node.rooms import MenuItem, RoleKind, RoomPlan

PLAN = RoomPlan(
    name="people",
    package=__package__,
    title=later("People"),
    acts=("madang.node.backup", "madang.node.people.guarded"),
    states=("madang.node.people.guarded:STATES",),
    pages=(".routes", ".account", ".administration", ".invited", ".changes", ".help"),
    keeps="madang.node.people.guarded:keep",
    card=".changes:waiting",
    roles=(
        RoleKind(
            "administrator", later("Administrator"), later("makes accounts, gives roles, looks after jobs"), "node"
        ),
        RoleKind("member", later("Member"), later("belongs to the organization")),
        RoleKind(
            "principal-investigator",
            later("Principal investigator"),
            later("answers for the project: its purpose, its members, what leaves it"),
            "project",
        ),
        RoleKind("project-member", later("Project member"), later("works in the project"), "project"),
    ),
    menu=(
        MenuItem("trust", later("People"), "/people", act="person.list"),
        MenuItem("trust", later("Changes that need two people"), "/people-changes", act="change.see"),
        MenuItem("trust", later("Organizations"), "/organizations", act="person.list"),
    ),
    docs="node.md",
)
