"""Projects and what waits for whom: people with a purpose, and the pages on which everything of theirs comes together.

For principal investigators and members of projects, and for everybody who signs in: the start page says what waits for
them in all rooms. A project is what permits, workspaces, jobs, deposits and releases name (`madang.node.people`).
"""

from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="projects",
    package=__package__,
    title=later("Projects"),
    acts=("madang.node.people.projects",),
    states=("madang.node.people.projects:PROJECT_STATES",),
    pages=(".routes",),
    commands=(Command("project", later("Begin projects; members, approvals, everything of one."), ".commands:app"),),
    card=".cards:ending",
    demo=".demo:make",
    menu=(MenuItem("access", later("Projects"), "/projects", signed_in=True),),
    docs="node.md",
)
