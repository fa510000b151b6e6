"""Who may do what with libraries, assays and shortlists: the people of their project, and nobody else."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, in_project


class Filled(Details):
    """A version of a library that files were added to."""

    name: str
    version: int
    manifest: str


class Asked(Details):
    """A search: its kind, and the query as a keyed hash, which names it to whoever has it already."""

    kind: str
    query: str


class Measured(Details):
    """A workbook that was read."""

    sha256: str
    curves: int


class Named(Details):
    """Lots that were entered, or what a study is called."""

    kind: str
    name: str


class Listed(Details):
    """A ranking."""

    library: str
    version: int
    sha256: str


class Decided(Details):
    """What was decided about a compound."""

    compound: str
    decision: str


SEE = allow("library.see", in_project(), reads=True, title=later("see a library of molecules"))
SEARCH = allow("library.search", in_project(), reads=True, title=later("search a library of molecules"), details=Asked)
FILL = allow(
    "library.fill",
    in_project(),
    title=later("add molecules to a library"),
    frm=("open",),
    to="open",
    details=Filled,
)
MEASURE = allow("library.measure", in_project(), title=later("read a plate workbook"), frm=("open",), details=Measured)
ENTER = allow("library.enter_lots", in_project(), title=later("enter lots and samples"), frm=("open",), details=Named)
STUDY = allow(
    "library.study", in_project(), title=later("train a model or dock a library"), frm=("open",), details=Named
)
CLOSE = allow(
    "library.close", in_project("principal-investigator"), title=later("close a library"), frm=("open",), to="closed"
)
SEE_LIST = allow("shortlist.see", in_project(), reads=True, title=later("see a shortlist"))
RANK = allow("shortlist.rank", in_project(), title=later("rank compounds"), frm=("open",), to="open", details=Listed)
DECIDE = allow("shortlist.decide", in_project(), title=later("decide about a compound"), frm=("open",), details=Decided)
LOCK = allow(
    "shortlist.lock",
    in_project("principal-investigator"),
    title=later("lock and sign a shortlist"),
    frm=("open",),
    to="locked",
)
LIBRARY_STATES = States(
    "library",
    "open",
    {"open": later("open", "library"), "closed": later("closed to additions")},
    model="madang.services.discovery.models:MoleculeLibrary",
)
SHORTLIST_STATES = States(
    "shortlist",
    "open",
    {"open": later("open", "library"), "locked": later("locked")},
    model="madang.services.discovery.models:Shortlist",
)
