"""Manufacturing: campaigns, runs and equipment of a project, for whoever develops a bioprocess.

Real equipment is read only. What an optimizer, a prediction or a soft sensor says is marked as for development use.
Words follow ISA-88 (recipe, unit, batch) and OPC UA (IEC 62541).
"""

from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="manufacturing",
    package=__package__,
    title=later("Manufacturing"),
    acts=(".acts",),
    states=(".acts:CAMPAIGN",),
    models=(".models",),
    pages=(".routes",),
    commands=(
        Command(
            "manufacturing",
            later("Develop a bioprocess: campaigns, runs, monitoring, a twin, a foundry."),
            ".commands:app",
        ),
    ),
    folders={"runs": 0o700, "plant": 0o700},
    not_in_backup=("plant",),
    menu=(MenuItem("labs", later("Manufacturing"), "/manufacturing", signed_in=True),),
    project=".service:of_project",
    demo=".demo:make",
    docs="manufacturing.md",
)
