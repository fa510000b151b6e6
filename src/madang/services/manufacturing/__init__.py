"""Manufacturing: campaigns, runs and equipment of a project, for whoever develops a bioprocess.

Real equipment is read only. What an optimizer, a prediction or a soft sensor says is marked as for development use.
Words follow ISA-88 (recipe, unit, batch) and OPC UA (IEC 62541).
"""

from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="manufacturing",
    package=__package__,
    title=later("Manufacturing"),
    acts=(".acts",),
    states=(".acts:CAMPAIGN",),
    models=(".models",),
    pages=(".routes", ".routes_campaigns", ".routes_studies"),
    commands=(
        Command(
            "manufacturing",
            later("Develop a bioprocess: campaigns, runs, monitoring, a twin, a foundry."),
            ".commands:app",
        ),
    ),
    jobs=(
        JobKind("manufacturing.twin", ".studies:twin_job", lane="long", failed=".studies:study_failed"),
        JobKind("manufacturing.foundry", ".studies:foundry_job", lane="long", failed=".studies:study_failed"),
        JobKind("manufacturing.watch", ".studies:watch_job", lane="long", failed=".studies:study_failed"),
    ),
    folders={"runs": 0o700, "plant": 0o700, "studies": 0o700},
    opened=".recording:opened",
    not_in_backup=("plant",),
    menu=(
        MenuItem(
            "labs",
            later("Manufacturing"),
            "/manufacturing",
            signed_in=True,
            said=later("Let the next experiments be proposed, compare cultivations, and watch one while it runs."),
        ),
    ),
    project=".service:of_project",
    demo=".demo:make",
    docs="manufacturing.md",
)
