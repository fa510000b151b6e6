"""Certification: a scheme says what has to be shown, a report shows it, a certificate proves it to strangers.

For holders who want to be believed, and for whoever is asked to believe them. A certificate is a W3C Verifiable
Credential 2.0 secured with JOSE; whether it still holds is in a Bitstring Status List 1.0. What was said is in signed
files, how it stands in the register. Issuing needs no server, and verifying needs the certificate, a public key, the
status list and the data, not Madang.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.certification.adopting import adopt, first_use
    from madang.services.certification.entries import Entry, Issued, entry, holding, in_force, of_version, register
    from madang.services.certification.evaluate import Outcome, Verdict, outcomes_of
    from madang.services.certification.issuing import check_for_data, hold_against
    from madang.services.certification.projecting import current_status_list
    from madang.services.certification.scheme import Automatic, Scheme, Slot, load_scheme
    from madang.services.certification.service import issue, reinstate, revoke, rotate_key, suspend
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
    "adopt",
    "check_for_data",
    "current_status_list",
    "data_in",
    "entry",
    "first_use",
    "hold_against",
    "holding",
    "in_force",
    "issue",
    "load_scheme",
    "of_version",
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
    states=(".acts:CERTIFICATE_STATES",),
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
    settles={
        "key.rotate": ".service:settle",
        **{f"certificate.{act}": ".service:settle" for act in ("issue", "revoke", "suspend", "reinstate")},
    },
    doctor=".doctor:look",
    opened=".adopting:opened",
    menu=(MenuItem("trust", later("Certificates"), "/certificates"),),
    docs="certificates.md",
)

# Where a public name is; imported at first use, so that help is instant.

__getattr__ = at_first_use(
    __name__,
    {
        "adopting": ("adopt", "first_use"),
        "entries": ("Entry", "Issued", "entry", "holding", "in_force", "of_version", "register"),
        "evaluate": ("Outcome", "Verdict", "outcomes_of"),
        "issuing": ("check_for_data", "hold_against"),
        "projecting": ("current_status_list",),
        "scheme": ("Automatic", "Scheme", "Slot", "load_scheme"),
        "service": ("issue", "reinstate", "revoke", "rotate_key", "suspend"),
        "verification": ("Answer", "Data", "Verification", "data_in", "verify"),
    },
)
