"""Certification: a scheme says what has to be shown, a report shows it, a certificate proves it to strangers.

For holders who want to be believed, and for whoever is asked to believe them. A certificate is a W3C Verifiable
Credential 2.0 secured with JOSE; whether it still holds is in a Bitstring Status List 1.0. Everything is files: issuing
needs no server, and verifying needs the certificate, a public key, the status list and the data, not Madang.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.certification.evaluate import Outcome, Verdict, outcomes_of
    from madang.services.certification.issuing import Issued, current_status_list, hold_against, in_force, register
    from madang.services.certification.scheme import Automatic, Scheme, Slot, load_scheme
    from madang.services.certification.service import certificate_of, issue, reinstate, revoke, rotate_key, suspend
    from madang.services.certification.store import Entry
    from madang.services.certification.verification import Answer, Data, Verification, data_in, verify

__all__ = [
    "Answer",
    "Automatic",
    "Data",
    "Entry",
    "Issued",
    "Outcome",
    "Scheme",
    "Slot",
    "Verdict",
    "Verification",
    "certificate_of",
    "current_status_list",
    "data_in",
    "hold_against",
    "in_force",
    "issue",
    "load_scheme",
    "outcomes_of",
    "register",
    "reinstate",
    "revoke",
    "rotate_key",
    "suspend",
    "verify",
]

PLAN = RoomPlan(
    name="certification",
    package=__package__,
    title=later("Certification"),
    acts=(".acts",),
    models=(".models",),
    pages=(".routes",),
    roles=(
        RoleKind(
            "certifier", later("Certifier"), later("issues, suspends and revokes certificates of datasets"), "node"
        ),
    ),
    commands=(
        Command(
            "certificate",
            later("Certify a version by a scheme; verify, revoke, suspend certificates."),
            ".commands:app",
        ),
    ),
    errors={"certificate.busy": 503, "certificate.data_removed": 410, "certificate.not_public": 403},
    folders={"certificates": 0o755},
    settles={f"certificate.{act}": ".service:settle" for act in ("issue", "revoke", "suspend", "reinstate")},
    menu=(MenuItem("trust", later("Certificates"), "/certificates"),),
    docs="certificates.md",
)

# Where a public name is; imported at first use, so that help is instant.
_HOMES = {
    "issuing": ("Issued", "current_status_list", "hold_against", "in_force", "register"),
    "evaluate": ("Outcome", "Verdict", "outcomes_of"),
    "scheme": ("Automatic", "Scheme", "Slot", "load_scheme"),
    "store": ("Entry",),
    "verification": ("Answer", "Data", "Verification", "data_in", "verify"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), "service")
    return getattr(import_module(f"{__name__}.{home}"), name)
