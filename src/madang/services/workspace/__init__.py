"""Workspaces: closed spaces in which the people of a project work on data that do not leave.

For researchers who hold a permit (or read open data), in notebooks; for stewards who see who read what when; for
operators who see what it costs. A workspace is a box of `madang.node.closed` without a network, with the data mounted
read-only; its notebooks answer through a gateway on a host name of their own, which lets through a written list of
requests and nothing else. It follows the Five Safes' safe settings; SATRE 1.0 is the list of statements it is held to.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

if TYPE_CHECKING:
    from madang.services.workspace.lessons import clear_course, find_course, open_course, put_notebook, source_of_cell
    from madang.services.workspace.service import end, find, folder_of, list_workspaces, open_workspace, see, stop

__all__ = [
    "clear_course",
    "end",
    "find",
    "find_course",
    "folder_of",
    "list_workspaces",
    "open_course",
    "open_workspace",
    "put_notebook",
    "see",
    "source_of_cell",
    "stop",
]

PLAN = RoomPlan(
    name="workspace",
    package=__package__,
    title=later("Workspaces"),
    acts=(".acts",),
    states=(".acts:STATES", ".acts:BROUGHT"),
    models=(".models",),
    pages=(".routes",),
    commands=(Command("workspace", later("Closed workspaces: open, list, stop; what they use."), ".commands:app"),),
    errors={"workspace.busy": 503, "workspace.closed": 409, "workspace.no_right": 403},
    menu=(MenuItem("access", later("Workspaces"), "/workspaces", signed_in=True),),
    card=".cards:waiting",
    demo=".demo:make",
    doctor=".doctor:look",
    uses=".contributing:uses",
    docs="workspace.md",
)

__getattr__ = at_first_use(
    __name__,
    {
        "lessons": ("clear_course", "find_course", "open_course", "put_notebook", "source_of_cell"),
        "service": ("end", "find", "folder_of", "list_workspaces", "open_workspace", "see", "stop"),
    },
)
