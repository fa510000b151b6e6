"""The discovery room: from a library of molecules and assay plates to a ranked, explained shortlist.

It serves medicinal chemists and the people of their project. Structures are secret by default: a library, its assays
and shortlists are seen by the people of their project alone; a query never leaves the node and stands in the audit only
as a keyed hash.
"""

from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="discovery",
    package=__package__,
    title=later("Drug discovery"),
    acts=(".acts",),
    states=(".acts:LIBRARY_STATES", ".acts:SHORTLIST_STATES"),
    models=(".models",),
    pages=(".routes", ".routes_series", ".routes_studies", ".routes_shortlists"),
    commands=(
        Command("discovery", later("Search libraries of molecules, predict, fit, dock and rank."), ".commands:app"),
    ),
    jobs=(
        JobKind("discovery.train", ".studies:train_job", lane="long", failed=".studies:study_failed"),
        JobKind("discovery.dock", ".studies:dock_job", lane="long", failed=".studies:study_failed"),
    ),
    folders={"models": 0o700, "docking": 0o700},
    menu=(
        MenuItem(
            "labs",
            later("Drug discovery"),
            "/discovery",
            signed_in=True,
            said=later(
                "Search libraries of compounds, fit assays, train models, dock, and rank candidates with reasons."
            ),
        ),
    ),
    card=".shortlists:waiting",
    demo=".demo:make",
    needs=("rdkit", "numba", "scipy", "python_calamine"),
    contributes=".contributing:of_shortlist",
    docs="discovery.md",
)
