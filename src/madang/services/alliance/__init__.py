"""Alliance: questions travel between nodes, rows are not sent, checked aggregates are.

For institutes that study together and keep their data: partners by a code that both confirm, an agreement that both
sign, studies that each site approves, answers exact where no noise or binning was added. Messages are signed and
numbered (RFC 9421, RFC 9530); a site only ever asks outward. What is computed is in `madang.science.federated`.
"""

from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="alliance",
    package=__package__,
    title=later("Alliance"),
    acts=(".acts",),
    states=(".acts:PARTNER", ".acts:STUDY"),
    models=(".models",),
    pages=(".routes",),
    commands=(
        Command(
            "alliance", later("Ask questions of other nodes' data, and answer theirs; rows stay."), ".commands:app"
        ),
    ),
    jobs=(JobKind("alliance.run", ".running:run_job", lane="long"),),
    errors={"alliance.clock": 401, "alliance.signature": 401, "alliance.stranger": 401, "alliance.order": 409},
    folders={"alliance": 0o700, "simulated": 0o700},
    not_in_backup=("simulated",),
    menu=(MenuItem("trust", later("Alliance"), "/alliance", act="alliance.see"),),
    card=".cards:waiting",
    demo=".demo:make",
    contributes=".contributing:of_study",
    elsewhere=".discover:in_catalog",
    docs="alliance.md",
)
