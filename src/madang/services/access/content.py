"""What an application says: purpose, basis, people's reasons, population, tables and columns, recipe, duration."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from madang.base.errors import MadangError
from madang.base.translate import _

PLACES = ("closed space", "results only")
PURPOSES = ("public health", "treatment", "product safety", "methods", "health services", "marketing", "underwriting")
BASES = ("scientific research", "statistics", "archiving", "consent", "contract")


class CodeList(BaseModel):
    """Codes of one kind; a person needs one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["diagnosis", "drug", "procedure"]
    codes: list[str] = Field(max_length=2_000)


class Who(BaseModel):
    """The population: persons with a code of every list between two days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criteria: list[CodeList] = Field(default_factory=list, max_length=20)
    begins: str = Field(default="", max_length=10)
    ends: str = Field(default="", max_length=10)
    atlas: str = Field(default="", max_length=500_000)  # a definition of ATLAS, as JSON: its members only


class Wanted(BaseModel):
    """Columns of one table, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: list[str] = Field(min_length=1, max_length=100)
    why: str = Field(default="", max_length=1_000)


class Content(BaseModel):
    """The content of an application; bound by its edition and, once permitted, by the signed terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: str = Field(default="", max_length=5_000)
    purpose_kind: str = Field(default="public health", max_length=60)
    legal_basis: str = Field(default="scientific research", max_length=60)
    population: Who = Field(default_factory=Who)
    tables: dict[str, Wanted] = Field(default_factory=dict, max_length=40)
    methods: str = Field(default="", max_length=5_000)
    outputs: str = Field(default="", max_length=2_000)
    recipe: str = Field(default="closed-space", max_length=60)
    place: Literal["closed space", "results only"] = "closed space"
    months: int = Field(default=12, ge=1, le=120)
    ethics: Literal["approved", "exempt", "later", "none"] = "none"
    ethics_number: str = Field(default="", max_length=100)
    genomic: bool = False
    linkage: bool = False
    reduction: bool = False  # of the fee
    promises_no_reidentification: bool = True
    urgent_reason: str = Field(default="", max_length=1_000)  # why it cannot wait; empty: it can
    # What conditions of consent (DUO) ask about; not said where it is None or empty.
    research: Literal["", "general", "health", "disease", "ancestry", "methods", "clinical care"] = ""
    diseases: list[str] = Field(default_factory=list, max_length=100)
    genetic: bool | None = None
    publishes: bool | None = None
    waits_to_publish: bool | None = None
    collaborates: bool | None = None
    returns_results: bool | None = None
    region: str = Field(default="", max_length=60)

    def columns(self) -> list[str]:
        """All that is asked for, as `table.column`."""
        return [f"{table}.{column}" for table, wanted in self.tables.items() for column in wanted.columns]

    def facts(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What rules look at."""
        return {
            **settings,
            "columns": self.columns(),
            "columns_without_reason": sum(not wanted.why.strip() for wanted in self.tables.values()),
            "months": self.months,
            "legal_basis": self.legal_basis,
            "purpose_kind": self.purpose_kind,
            "place": self.place,
            "genomic": self.genomic,
            "ethics": None if self.ethics == "later" else self.ethics,
            "pseudonym_method": "hmac-sha256",
            "keys_apart": True,
            "keeps_record": True,
            "promises_no_reidentification": self.promises_no_reidentification,
        }


def read_content(given: dict[str, Any]) -> Content:
    """The content from JSON or TOML, checked. Raises `access.content`."""
    try:
        return Content.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MadangError(
            "access.content",
            _("The application cannot be read: {place}: {what}.").format(place=place or "?", what=first["msg"]),
            _("docs/access.md shows a whole one."),
        ) from None
