"""What can be done with statements of use, and by whom."""

from madang.base.translate import later
from madang.node.permissions import Details, allow, auditor, role, role_anywhere, signed_in, theirs


class Forgotten(Details):
    """A contributor who is a pseudonym from now on; never who."""

    number: int


class Ruled(Details):
    """A rule of weights, or a signature under it."""

    rule: str
    digest: str


SEE = allow("contribution.see", signed_in, reads=True, title=later("see what a result stands on"))
USE = allow("contribution.use", role("steward") | auditor, reads=True, title=later("see how data were used"))
FORGET = allow("contribution.forget", theirs | auditor, title=later("be forgotten as a contributor"), details=Forgotten)
RULE = allow("contribution.rule", role_anywhere("steward"), title=later("propose a rule of weights"), details=Ruled)
SIGN = allow("contribution.sign", signed_in, title=later("sign a rule of weights"), details=Ruled)
