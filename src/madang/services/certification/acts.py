"""What can be done with certificates, and by whom; the states that they go through."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, role

certifier = role("certifier", node=True)


class Certified(Details):
    """A certificate that was issued, or whose state was changed."""

    dataset: str = ""
    manifest: str = ""
    scheme: str = ""
    number: str = ""
    state: str = ""
    until: str = ""
    reason: str = ""


class Rotated(Details):
    """A new key signs from now on, in place of the one of `before`."""

    before: str = ""
    key: str = ""
    reason: str = ""


ISSUE = allow(
    "certificate.issue", certifier, title=later("certify a version"), to="issued", details=Certified, lasts=True
)
REVOKE = allow(
    "certificate.revoke",
    certifier,
    title=later("revoke a certificate"),
    frm=("issued", "suspended"),
    to="revoked",
    details=Certified,
    lasts=True,
)
SUSPEND = allow(
    "certificate.suspend",
    certifier,
    title=later("suspend a certificate"),
    frm=("issued",),
    to="suspended",
    details=Certified,
    lasts=True,
)
REINSTATE = allow(
    "certificate.reinstate",
    certifier,
    title=later("reinstate a certificate"),
    frm=("suspended",),
    to="issued",
    details=Certified,
    lasts=True,
)
ADOPT = allow(  # its files are there, and no row is: of an earlier release, or of a backup that is older than they
    "certificate.adopt",
    certifier,
    title=later("take a certificate into the register"),
    to=("issued", "suspended", "revoked"),
    details=Certified,
)
ROTATE = allow("key.rotate", certifier, by_token=False, title=later("sign with a new key"), details=Rotated)

CERTIFICATE_STATES = States(
    "certificate",
    "issued",
    {
        "issued": later("in force"),
        "suspended": later("suspended"),
        "revoked": later("revoked"),
        "expired": later("expired"),
    },
    model=".models:Registered",
    by_clock=("expired",),
)
