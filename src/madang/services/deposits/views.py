"""What pages and JSON of deposits show and take."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from madang.web import View


class Row(View):
    """A deposit in a list."""

    name: str
    title: str
    state: str
    files: int
    changed: datetime


class Holder(View):
    """An organization that may hold the data: its short name and its title."""

    name: str
    title: str


class ListView(View):
    """The deposits that the reader may see."""

    deposits: list[Row]
    models: list[str]
    organizations: list[Holder]


class FindingView(View):
    """One thing that was found."""

    severity: str
    file: str
    message: str
    may_swap: bool


class FileView(View):
    """A file of a deposit."""

    id: int
    name: str
    bytes: int
    there: int
    sha256: str
    md5: str
    format: str
    stays: bool
    is_list: bool


class PromiseChoice(View):
    """A promise of a grant that the deposit may keep."""

    number: int
    title: str
    linked: bool


class PromiseLacks(View):
    """What a deposit still lacks for a promise to be kept."""

    number: int
    title: str
    missing: list[str]


class RunView(View):
    """A run: its sample and its files; told by the sheet of runs, or by the names of the files."""

    alias: str
    sample: str
    files: list[str]
    is_told: bool


class WrongCell(View):
    """A wrong cell of the sheet that came last."""

    row: int
    column: str
    value: str
    reason: str


class CheckJob(View):
    """The check that is on its way, or that came to nothing: how far it is, or why; number 0 where it is another's."""

    number: int
    state: str
    text: str
    done: int
    total: int | None
    error: str


class DepositView(View):
    """A deposit."""

    name: str
    title: str
    title_en: str
    description: str
    model: str
    state: str
    checklist: str
    checklists: list[str]
    license: str
    creators: str
    consent: str
    ethics: str
    deidentified: str
    asked: str
    accession: str
    tier: str
    samples: list[dict[str, str]]
    runs: list[RunView]
    umbrella: str
    projects: list[str]
    holds_files: bool
    has_samples: bool
    wrong: list[WrongCell]
    files: list[FileView]
    findings: list[FindingView]
    checked: datetime | None
    job: CheckJob | None
    promises: list[PromiseChoice]
    lacks: list[PromiseLacks]
    may_edit: bool
    may_review: bool


class Begun(View):
    """What a new deposit is called."""

    name: Annotated[str, Field(max_length=100)]
    model: str
    organization: Annotated[str, Field(max_length=100)]
    title: Annotated[str, Field(max_length=300)] = ""


class Described(View):
    """What is said of a deposit."""

    title: Annotated[str, Field(max_length=300)] = ""
    title_en: Annotated[str, Field(max_length=300)] = ""
    description: Annotated[str, Field(max_length=20_000)] = ""
    license: Annotated[str, Field(max_length=200)] = ""
    consent: Annotated[str, Field(max_length=300)] = ""
    ethics: Annotated[str, Field(max_length=100)] = ""
    deidentified: Annotated[str, Field(max_length=2_000)] = ""
    checklist: Annotated[str, Field(max_length=100)] = ""
    umbrella: Annotated[str, Field(max_length=60)] = ""
    creators: Annotated[str, Field(max_length=2_000)] = ""
    then: Literal["", "submit"] = ""


class Sheet(View):
    """A filled sheet of samples, or of runs."""

    sheet: bytes
    kind: Literal["samples", "runs"] = "samples"


class Accession(View):
    """The accession that a national station gave."""

    accession: Annotated[str, Field(max_length=100)]


class File(View):
    """A small file."""

    file: bytes
    file_name: Annotated[str, Field(max_length=400)] = ""


class Pair(View):
    """A file of a pair."""

    file: Annotated[str, Field(max_length=400)]


class Promised(View):
    """A promise of a grant."""

    promise: int = Field(ge=1, le=2**31 - 1)


class Nothing(View):
    """An act that needs nothing more."""


class Question(View):
    """What a curator asks."""

    question: Annotated[str, Field(max_length=4_000)]
