"""What can be done to datasets, and by whom."""

from madang.base.translate import later
from madang.node.permissions import Details, allow, role

engineer = role("data-engineer", node=True)


class Made(Details):
    """A version that was made: from what, and its manifest."""

    source: str = ""
    before: int = 0  # the newest version when it was begun
    version: int = 0
    manifest: str = ""
    detail: str = ""


class Removed(Details):
    """Versions that went, and how many people; never which."""

    before: int = 0
    persons: int = 0
    version: int = 0
    gone: tuple[int, ...] = ()


class Asked(Details):
    """What was read."""

    version: int = 0
    what: str = ""


STANDARDIZE = allow("dataset.standardize", engineer, title=later("turn raw files into a version"), details=Made)
IMPORT = allow("dataset.import", engineer, title=later("import a common data model"), details=Made)
LOAD_VOCABULARY = allow("dataset.load_vocabulary", engineer, title=later("load a vocabulary"), details=Made)
REVIEW = allow("dataset.review", engineer, title=later("review how codes are mapped"), details=Made)
REMOVE = allow("dataset.remove", engineer, title=later("remove versions for good"), details=Removed, lasts=True)
REMOVE_PERSONS = allow(
    "dataset.remove_persons", engineer, title=later("remove people from a dataset"), details=Removed, lasts=True
)
SQL = allow("dataset.sql", engineer, reads=True, title=later("ask a version by SQL"))
EXPORT = allow("dataset.export", engineer, reads=True, title=later("export a version"))
TRACE = allow("dataset.trace", engineer, reads=True, title=later("follow a row to its source"))
IDENTIFY = allow("dataset.identify", engineer, title=later("see source lines with identifiers"), reads=True)
ASSESS = allow("dataset.assess", engineer, reads=True, title=later("assess the quality of a version"))
