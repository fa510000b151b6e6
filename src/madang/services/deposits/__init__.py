"""Deposits: publicly funded data on their way into the catalog, checked to the bytes and routed to the right tier.

For depositors with many files and little time, and the curators who answer for what is published. Models of
repositories (INSDC, K-BDS, a short form for tables) and checklists of samples are data; uploads follow tus 1.0.
"""

from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoomPlan

PLAN = RoomPlan(
    name="deposits",
    package=__package__,
    title=later("Deposits"),
    acts=(".acts",),
    states=(".acts:DEPOSIT_STATES",),
    models=(".models",),
    pages=(".routes", ".tus"),
    commands=(Command("deposit", later("Deposit data: begin, put files, check, submit."), ".commands:app"),),
    jobs=(JobKind("deposits.check", ".checks:check_deposit", lane="long"),),
    errors={"deposit.offset": 409, "deposit.space": 507, "deposit.checksum": 460, "deposit.changed": 409},
    folders={"deposits": 0o700},
    named_by_hash=("deposits/whole",),
    menu=(MenuItem("data", later("Deposits"), "/deposits", signed_in=True),),
    listens={"record.publish": ".listening:published"},
    card=".cards:waiting",
    demo=".demo:make",
    originals=".handing:originals",
    contributes=".contributing:of_deposit",
    docs="deposits.md",
)
