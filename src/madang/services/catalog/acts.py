"""What can be done with records, and by whom."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import (
    Details,
    administrator,
    allow,
    anyone,
    auditor,
    granted,
    role,
    role_anywhere,
    signed_in,
    where,
)


class Made(Details):
    """A record was begun for a version of a dataset, or took another one in."""

    dataset: str


class Described(Details):
    """A record was described anew."""

    tier: str
    edition: int


class Widened(Details):
    """Who may have data who could not before, and from which moment on."""

    before: str
    after: str
    at: str


class Published(Details):
    """A version that everybody can find now."""

    version: int
    manifest: str


class Identified(Details):
    """The persistent identifier that a record was given, and what DataCite was asked to do."""

    doi: str
    event: str


class Withdrawn(Details):
    """Why a record was taken back."""

    reason: str


class Wished(Details):
    """What somebody misses."""

    words: str


class Rule(Details):
    """The fewest persons that anything told of a holder's data may be about."""

    minimum: int


steward = role("steward")
is_public = where("state", "published", "withdrawn")  # of one withdrawn, the tombstone
is_published = where("state", "published")

SEARCH = allow("record.search", anyone, reads=True, title=later("search the catalog"))
SEE = allow("record.see", is_public | steward | auditor, reads=True, title=later("see a record"))
# What is in the data (pictures, quality report) follows the tier, as do the data themselves; `access` knows of
# embargoes that are over.
READ = allow(
    "record.read",
    (is_published & (where("access", "open") | (where("access", "registered") & signed_in) | granted)) | steward,
    reads=True,
    title=later("read the data of a record"),
)
LOOK = allow(
    "record.look",
    (is_published & where("access", "open", "registered", "controlled")) | steward,
    reads=True,
    title=later("see what is in the data of a record"),
)
WISH = allow("wish.leave", signed_in, title=later("leave a wish for data"), details=Wished)
CHECK_FILES = allow("record.check_files", administrator, title=later("hash the files of what is published"))
MANAGE = allow("record.manage", role_anywhere("steward"), reads=True, title=later("see the steward's desk"))
MAKE = allow("record.make", steward, title=later("begin a record"), to="draft", details=Made)
ADD = allow("record.add", steward, title=later("take a version into a record"), details=Made)
HOLDER = allow("holder.edit", steward, title=later("set the rule of an organization's data"), details=Rule)
EDIT = allow("record.edit", steward, title=later("describe a record"), frm=("draft", "published"), details=Described)
WIDEN = allow("record.widen", steward, title=later("open a record to more people"), details=Widened)
IDENTIFY = allow(
    "record.identify",
    steward,
    title=later("give a record a persistent identifier"),
    frm=("published",),
    details=Identified,
)
PUBLISH = allow(
    "record.publish",
    steward,
    title=later("publish a version"),
    frm=("draft", "published"),
    to="published",
    details=Published,
)
WITHDRAW = allow(
    "record.withdraw",
    steward,
    title=later("take a record back for good"),
    frm=("published",),
    to="withdrawn",
    details=Withdrawn,
    lasts=True,
)
RECORD_STATES = States(
    "record",
    "draft",
    {"draft": later("draft"), "published": later("published"), "withdrawn": later("withdrawn")},
)
