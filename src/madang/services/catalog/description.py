"""What a record says about its dataset, wide enough for DCAT-AP 3, HealthDCAT-AP, DataCite and schema.org."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from madang.base.translate import _
from madang.node.text import clean_line, clean_prose

Line = Annotated[str, BeforeValidator(lambda text: clean_line(str(text), _("This field"), 300))]
Prose = Annotated[str, BeforeValidator(lambda text: clean_prose(str(text), _("This field")))]


def _words(value: Any) -> Any:
    """Words as a form sends them: separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(word for word in (clean_line(str(part), _("A keyword"), 100) for part in parts) if word)


def _terms(value: Any) -> Any:
    """Data-use terms, each of which is one that is known."""
    from madang.science.privacy.duo import terms_of

    words = _words(value)
    terms_of(words)
    return words


Words = Annotated[tuple[str, ...], BeforeValidator(_words), Field(max_length=50)]
Terms = Annotated[tuple[str, ...], BeforeValidator(_terms), Field(max_length=24)]


class Description(BaseModel):
    """The description, each field named as in DCAT (HealthDCAT-AP where it says so)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Prose = ""
    description_en: Prose = ""
    keyword: Words = ()
    keyword_en: Words = ()
    creator: Words = ()
    publisher: Line = ""
    contact: Line = Field(default="", description="Where questions go: an e-mail address or a page.")
    license: Line = ""
    access_rights: Prose = Field(default="", description="How access is given, and under which conditions.")
    access_rights_en: Prose = ""
    data_use: Terms = Field(
        default=(), description="Conditions of consent, terms of the Data Use Ontology: DUO:0000007 E11, DUO:0000018."
    )
    asks_training: Line = Field(default="", description="A skill that everybody in a project shows by a badge.")
    legal_basis: Line = Field(default="", description="HealthDCAT-AP: hasLegalBasis.")
    purpose: Prose = Field(default="", description="HealthDCAT-AP: purpose.")
    population: Prose = Field(default="", description="HealthDCAT-AP: populationCoverage.")
    health_category: Words = ()
    coding_system: Words = ()
    spatial: Line = ""
    start: date | None = None
    end: date | None = None
    language: Literal["ko", "en", ""] = "ko"
    provenance: Prose = ""
    funding: Line = ""
    related: Words = ()
    synthetic: bool = False
    doi: Line = Field(default="", pattern=r"^(10\.[0-9]{4,9}/\S+)?$", description="Its DOI, where it has one.")


@lru_cache(maxsize=1_000)
def read_description(written: str) -> Description:
    """A description from its JSON; the same one for everybody, since it cannot be changed."""
    return Description.model_validate_json(written)
