"""What the pages of the room show, as values: each is also the JSON twin of its page."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field

from madang.web import View

Name = Annotated[str, Path(max_length=100)]
Text = Annotated[str, Query(max_length=20_000)]
Short = Annotated[str, Query(max_length=1_000)]


class Line(View):
    """A library in a list."""

    name: str
    title: str
    project: str
    state: str
    compounds: int
    created: datetime


class Libraries(View):
    """The libraries that one may see, and the projects that one may begin others for."""

    libraries: list[Line]
    projects: list["Choice"]


class Choice(View):
    """A project that a library may belong to."""

    name: str
    title: str


class Compound(View):
    """A compound as it is shown; `svg` is its drawing. `score` is None where nothing was searched by similarity."""

    id: str
    smiles: str
    svg: str
    score: float | None
    weight: float | None
    logp: float | None
    tpsa: float | None
    qed: float | None
    alerts: str
    notes: str


class FileLine(View):
    """What became of the rows of a file."""

    file: str
    rows: int
    compounds: int
    duplicates: int
    rejects: int
    unused: int


class RejectLine(View):
    """A row that became no compound."""

    file: str
    line: int
    reason: str


class AssayLine(View):
    """A plate workbook or a table of results that was read."""

    number: int
    title: str
    curves: int
    results: int
    created: datetime


class ListLine(View):
    """A shortlist in a list."""

    number: int
    title: str
    state: str
    created: datetime


class StudyLine(View):
    """A model or docking in a list."""

    number: int
    title: str
    state: str
    created: datetime


class QueryView(View):
    """What was looked for."""

    similar: str
    smarts: str
    exact: str
    where: str
    top: int
    threshold: float


class LibraryPage(View):
    """A library: its compounds or the hits of a search, what became of its rows, its plates and shortlists."""

    name: str
    title: str
    project: str
    project_name: str
    state: str
    version: int
    compounds: int
    kind: str
    asked: QueryView
    found: int | None
    most: int | None
    cut: bool
    compared: float | None
    shown: list[Compound]
    files: list[FileLine]
    rejects: list[RejectLine]
    assays: list[AssayLine]
    lots: int
    models: list[StudyLine]
    dockings: list[StudyLine]
    properties: list[str]
    shortlists: list[ListLine]
    may_fill: bool
    may_close: bool


class CurveView(View):
    """A curve with its picture."""

    plate: str
    compound: str
    ic50: float | None
    operator: str
    low: float | None
    high: float | None
    unit: str
    hill: float | None
    r2: float | None
    flags: list[str]
    svg: str


class PlateView(View):
    """A plate and its controls."""

    plate: str
    wells: int
    z_prime: float | None
    flags: list[str]


class ResultView(View):
    """A result of a table: of what, of which kind, its value and where it is from."""

    compound: str
    property: str
    operator: str
    value: float
    unit: str
    date: str
    source: str


class AssayPage(View):
    """A plate workbook with controls and curves, or a table of results with the lines that were refused."""

    library: str
    title: str
    sha256: str
    created: datetime
    plates: list[PlateView]
    curves: list[CurveView]
    results: list[ResultView]
    refused: list[tuple[int, str]]


class PairView(View):
    """Two compounds that differ in one place, and what the exchange did."""

    first: str
    second: str
    change: str
    before: float
    after: float
    difference: float


class Table(View):
    """The structure-activity table of a library: its columns, rows, R groups, matched pairs, unknown names."""

    library: str
    title: str
    columns: list[str]
    groups: list[str]
    rows: list[dict[str, Any]]
    pairs: list[PairView]
    unknown: list[str]
    sort: str
    column: str
    least: float | None
    most: float | None
    core: str
    query: str


class LotLine(View):
    """A lot or sample."""

    name: str
    compound: str
    of: str
    amount: float | None
    unit: str
    purity: float | None
    source: str
    place: str
    made: str


class LotsPage(View):
    """The lots and samples of a library."""

    library: str
    title: str
    lots: list[LotLine]
    may_enter: bool


class LotTable(View):
    """Lots and samples to enter."""

    table: str = Field(title="The table", min_length=1, max_length=1_000_000)


class VerdictView(View):
    """A decision: what, by whom, why, when."""

    compound: str
    decision: str
    reason: str
    person: str
    created: datetime


class Reason(View):
    """What a property gives to a place: its value, and how desirable that is, 0 to 1."""

    property: str
    value: float | None
    desirability: float


class Place(View):
    """A place in a ranking, with the parts that explain it and what was decided last."""

    place: int
    id: str
    smiles: str
    svg: str
    score: float
    front: int
    parts: list[Reason]
    cost: float | None
    picked: bool
    decision: str


class ShortlistPage(View):
    """A shortlist with its places, goals and decisions; `cost` is what the picked compounds cost together."""

    number: int
    library: str
    title: str
    state: str
    state_name: str
    version: int
    sha256: str
    signed: str
    goals: list[dict[str, Any]]
    pick: int
    budget: float | None
    cost: float | None
    places: list[Place]
    verdicts: list[VerdictView]
    open: bool
    may_lock: bool


class Filling(View):
    """Molecules to add."""

    name: str = Field(title="The short name", min_length=2, max_length=60, pattern=r"^[a-z][a-z0-9-]*$")
    project: str = Field(default="", title="The project", max_length=63)
    title: str = Field(default="", title="The title", max_length=300)
    file: bytes = Field(default=b"", title="The file")
    kind: Literal["smi", "sdf", "csv", "xlsx", "parquet"] = Field(default="smi", title="The kind of file")
    text: str = Field(default="", title="The molecules", max_length=1_000_000)


class Workbook(View):
    """A plate workbook or a table of results to read."""

    title: str = Field(title="The title", min_length=1, max_length=300)
    file: bytes = Field(default=b"", title="The file")
    text: str = Field(default="", title="The table", max_length=1_000_000)


class Goals(View):
    """A ranking to make."""

    title: str = Field(title="The title", min_length=1, max_length=300)
    goals: str = Field(title="The goals", min_length=1, max_length=20_000)
    costs: str = Field(default="", title="The costs", max_length=1_000_000)
    pick: int = Field(default=0, title="How many are picked", ge=0, le=200)
    budget: float | None = Field(default=None, title="The budget", ge=0)


class Decision(View):
    """What is decided about a compound."""

    compound: str = Field(title="The compound", min_length=1, max_length=300)
    decision: Literal["make", "test", "hold", "drop"] = Field(title="The decision")
    reason: str = Field(default="", title="The reason", max_length=1_000)


class RiskView(View):
    """A liability of a sequence."""

    kind: str
    motif: str
    place: int
    loop: str


class SequenceView(View):
    """A sequence with its loops and liabilities; `alike` where it was looked for by likeness."""

    id: str
    sequence: str
    chain: str
    found_by: str
    cdr1: str
    cdr2: str
    cdr3: str
    mass: float
    isoelectric: float
    risks: list[RiskView]
    alike: float | None


class SequencesPage(View):
    """The antibodies and peptides of a library."""

    library: str
    title: str
    version: int
    count: int
    near: str
    sequences: list[SequenceView]
    may_add: bool


class NewSequences(View):
    """Sequences to add: FASTA, or a table with columns id and sequence."""

    file: bytes = Field(default=b"", title="The file")
    text: str = Field(default="", title="The sequences", max_length=1_000_000)
