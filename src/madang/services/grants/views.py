"""What the pages of grants show and take."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from madang.services.grants import plans
from madang.web import View


class Line(View):
    """A promise and what became of it."""

    promise: int
    title: str
    award: str
    funder: str
    award_title: str
    institution: str
    status: str
    due: date | None
    tier: str
    excused_until: date | None
    released_on: date | None
    records: int


class Ledger(View):
    """All promises that one may see, counted and listed."""

    at: str
    status: str
    counts: dict[str, int]
    by_program: list["Group"]
    by_institution: list["Group"]
    by_year: list["Group"]
    lines: list[Line]
    may_import: bool


class Group(View):
    """How many promises of each status there are of one program, institution or year."""

    name: str
    counts: dict[str, int]


class AwardView(View):
    """An award and its promises."""

    number: str
    title: str
    funder: str
    program: str
    institution: str
    leader: str
    begins: date | None
    rule: str
    rule_source: str
    lines: list[Line]
    funder_name: str
    uses: dict[str, int]
    funds: list["FundsView"]
    sums: dict[str, int]
    may_promise: bool
    may_cancel: bool


class FundsView(View):
    """Private funds that somebody entered."""

    at: datetime
    promise: int
    amount: int
    currency: str
    text: str


class EventView(View):
    """Something that happened to a promise."""

    at: datetime
    topic: str
    kind: str
    record: str
    day: date | None
    tier: str
    evidence: str
    reason: str
    text: str
    counts: bool
    by: str
    by_rule_now: str | None


class PromiseView(View):
    """A promise with everything that happened to it."""

    line: Line
    rule: str
    missing: list[str]
    events: list[EventView]
    may_link: bool
    may_excuse: bool
    may_decide: bool
    may_cancel: bool
    asked: bool
    linked: list[str]


class Import(View):
    """A plan or a table to take in."""

    file: bytes = Field(title="The file", max_length=plans.LARGEST)
    kind: Literal["json", "csv", "xlsx"] = Field(default="json", title="The kind")
    organization: str = Field(default="house", title="The funder", max_length=70)
    project: str = Field(default="", title="The project", max_length=70)


class PromiseGiven(View):
    """A dataset to promise."""

    title: str = Field(title="The title", min_length=1, max_length=500)
    due: str = Field(default="", title="The day", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")
    tier: Literal["open", "controlled", "metadata-only"] = Field(default="open", title="The tier")
    license: str = Field(default="", title="The license", max_length=200)


class Prolonged(View):
    """By how many days an award goes on."""

    days: int = Field(title="The days", ge=1, le=3_650)


class Reason(View):
    """Why something is taken back."""

    reason: str = Field(title="The reason", min_length=1, max_length=2_000)


class FundsGiven(View):
    """Private funds to enter."""

    amount: int = Field(title="The amount", ge=-(10**15), le=10**15)
    currency: str = Field(default="KRW", title="The currency", pattern=r"^[A-Z]{3}$")
    text: str = Field(title="The text", min_length=1, max_length=2_000)


class Linked(View):
    """A record to link."""

    record: str = Field(title="The record", min_length=1, max_length=100)


class Nothing(View):
    """An act that needs nothing more."""


class Excuse(View):
    """An excuse to ask for."""

    reason: Literal["illness", "no data", "patent", "consent", "publication", "other"] = Field(title="The reason")
    text: str = Field(title="The text", min_length=1, max_length=4_000)
    until: str = Field(default="", title="The end", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")


class Decision(View):
    """What is decided on an excuse."""

    decision: Literal["allow", "refuse"] = Field(title="The decision")
    text: str = Field(default="", title="The text", max_length=4_000)
