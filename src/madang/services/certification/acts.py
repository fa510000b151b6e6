"""What can be done with certificates, and by whom."""

from madang.base.translate import later
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
    """A new key signs from now on."""

    key: str = ""
    reason: str = ""


ISSUE = allow("certificate.issue", certifier, title=later("certify a version"), details=Certified, lasts=True)
REVOKE = allow("certificate.revoke", certifier, title=later("revoke a certificate"), details=Certified, lasts=True)
SUSPEND = allow("certificate.suspend", certifier, title=later("suspend a certificate"), details=Certified, lasts=True)
REINSTATE = allow(
    "certificate.reinstate", certifier, title=later("reinstate a certificate"), details=Certified, lasts=True
)
ROTATE = allow("key.rotate", certifier, by_token=False, title=later("sign with a new key"), details=Rotated)
