"""The catalog: records of datasets that people find, trust and cite; their life from draft to tombstone.

For researchers who look for data, stewards who answer for them, and whoever reads a citation years later. A record's
description is wide enough for DCAT-AP 3, HealthDCAT-AP and DataCite; a page carries schema.org JSON-LD.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.catalog.holding import Elsewhere, Holding, Original, begin_described, holder_of

__all__ = ["Elsewhere", "Holding", "Original", "begin_described", "holder_of"]

PLAN = RoomPlan(
    name="catalog",
    package=__package__,
    title=later("Catalog"),
    acts=(".acts",),
    states=(".acts:RECORD_STATES",),
    models=(".models",),
    pages=(".routes", ".questions", ".steward", ".tables", ".exchange", ".wishes", ".changes", ".checks"),
    commands=(Command("record", later("Write records in other forms, and validate them."), ".commands:app"),),
    jobs=(
        JobKind(
            "catalog.prepare",
            ".preparing:prepare_version",
            lane="long",
            aliases=("madang.services.catalog.service:prepare_version",),
            failed=".preparing:preparing_failed",
        ),
        JobKind("catalog.hash", ".hashing:hash_files", lane="long"),
    ),
    roles=(
        RoleKind(
            "steward",
            later("Data steward"),
            later("answers for the organization's datasets: publishes, sets tiers, withdraws"),
        ),
        RoleKind(
            "committee",
            later("Committee member"),
            later("decides with others on requests for the organization's data"),
        ),
    ),
    errors={"ask.busy": 429, "catalog.withheld": 503, "catalog.damaged": 503},
    menu=(
        MenuItem("data", later("Catalog"), "/records"),
        MenuItem("data", later("Steward's desk"), "/steward", act="record.manage"),
    ),
    listens={
        **{
            f"certificate.{act}": ".listening:certified" for act in ("issue", "revoke", "suspend", "reinstate", "adopt")
        },
        "dataset.remove": ".listening:removed",
        "dataset.remove_persons": ".listening:removed",
    },
    keeps=".hashing:keep",
    doctor=".hashing:look",
    card=".hashing:waiting",
    discloses=".disclosure:may_be_known",
    hashed=".hashing:last_whole",
    opened=".service:portal_opened",
    docs="portal.md",
)

__getattr__ = at_first_use(__name__, {"holding": ("Elsewhere", "Holding", "Original", "begin_described", "holder_of")})
