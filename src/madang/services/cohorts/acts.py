"""Who may do what with definitions, counts, members and ATLAS."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, auditor, granted, in_project, role, signed_in, theirs, where


class Kept(Details):
    """A version of a definition that was put on a shelf."""

    name: str
    version: int
    sha256: str


class Counted(Details):
    """A definition that is counted on a version of a dataset."""

    name: str
    version: int
    dataset: str


class Started(Details):
    """ATLAS that was started on a version of a dataset."""

    dataset: str
    manifest: str


on_house = where("place", "house")
SEE = allow(
    "cohort.see",
    (on_house & signed_in) | in_project() | theirs | auditor,
    reads=True,
    title=later("see a cohort definition"),
)
KEEP = allow(
    "cohort.keep",
    in_project() | (on_house & role("steward")) | (on_house & theirs),
    title=later("put a definition on the shelf"),
    frm=("kept",),
    to="kept",
    details=Kept,
)
RETIRE = allow(
    "cohort.retire",
    in_project("principal-investigator") | theirs | role("steward"),
    title=later("retire a definition"),
    frm=("kept",),
    to="retired",
)
COUNT = allow(
    "cohort.count",
    (on_house & signed_in) | in_project() | theirs,
    title=later("count a cohort"),
    frm=("kept",),
    details=Counted,
)
# Of a dataset: who may read its rows sees exact numbers and members, and may open ATLAS on it.
reads_rows = granted | role("steward") | (where("open", True) & signed_in)
READ_ROWS = allow("dataset.rows", reads_rows, reads=True, title=later("read the rows of a dataset"))
OPEN_ATLAS = allow("dataset.atlas", reads_rows, reads=True, title=later("open ATLAS on a dataset"), details=Started)
COHORT_STATES = States(
    "cohort",
    "kept",
    {"kept": later("kept"), "retired": later("retired")},
    model="madang.services.cohorts.models:Cohort",
)
