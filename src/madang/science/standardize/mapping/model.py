"""The nouns of the review: source codes and the decisions made on them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from madang.base.errors import MadangError

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)


class Status(StrEnum):
    """How far a mapping is decided; only approved ones take effect."""

    CANDIDATE = "candidate"
    APPROVED = "approved"
    REJECTED = "rejected"


class Equivalence(StrEnum):
    """How the target's meaning relates to the source code's, in Usagi's words (from HL7's concept map equivalence)."""

    EQUAL = "EQUAL"
    EQUIVALENT = "EQUIVALENT"
    WIDER = "WIDER"  # the target is wider in meaning than the source
    NARROWER = "NARROWER"  # the target is narrower in meaning than the source
    INEXACT = "INEXACT"  # they overlap
    UNMATCHED = "UNMATCHED"  # there is no target
    UNREVIEWED = "UNREVIEWED"


class MappingType(StrEnum):
    """What of the record the target gives, in Usagi's words."""

    MAPS_TO = "MAPS_TO"
    MAPS_TO_VALUE = "MAPS_TO_VALUE"
    MAPS_TO_UNIT = "MAPS_TO_UNIT"
    MAPS_TO_OPERATOR = "MAPS_TO_OPERATOR"
    MAPS_TO_TYPE = "MAPS_TO_TYPE"
    MAPS_TO_NUMBER = "MAPS_TO_NUMBER"


@dataclass(frozen=True)
class Concept:
    """A concept of the vocabulary, as far as a review needs it."""

    concept_id: int
    name: str
    domain_id: str
    vocabulary_id: str
    concept_class_id: str
    concept_code: str
    standard: bool
    """Standard and valid: may be a target."""
    valid: bool


@dataclass(frozen=True)
class SourceCode:
    """A code of the source as it is met in the records."""

    vocabulary_id: str
    code: str
    names: tuple[str, ...] = ()
    """The source's own names of the code, the first one shown; others may be translations or synonyms."""
    domain: str = ""
    records: int = 0
    persons: int | None = None
    level: str = "unmapped"
    """How the runner mapped it: own map, exact, other date, undotted, parent code, other vocabulary, unmapped."""
    target_concept_ids: tuple[int, ...] = ()
    first_date: date | None = None
    last_date: date | None = None
    atc_codes: tuple[str, ...] = ()
    ingredients: tuple[str, ...] = ()
    info: tuple[tuple[str, str], ...] = ()
    """Anything else that the source says of the code, as (title, text); Usagi's ADD_INFO columns."""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies a code: vocabulary and code."""
        return self.vocabulary_id, self.code

    @property
    def name(self) -> str:
        """The first name, empty if the source gives none."""
        return self.names[0] if self.names else ""


@dataclass(frozen=True)
class Mapping:
    """One decision: a source code and one target of it. Target 0 says that there is none."""

    source_vocabulary_id: str
    source_code: str
    target_concept_id: int
    mapping_type: MappingType = MappingType.MAPS_TO
    status: Status = Status.CANDIDATE
    equivalence: Equivalence = Equivalence.UNREVIEWED
    reviewer: str = ""
    reviewed_on: datetime | None = None
    source_name: str = ""
    # What the target was when it was chosen, to see later what a new vocabulary release changes.
    target_name: str = ""
    target_domain_id: str = ""
    target_vocabulary_id: str = ""
    valid_start_date: date = FIRST_DAY
    valid_end_date: date = LAST_DAY
    assigned_reviewer: str = ""
    comment: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What identifies a decision in a book: vocabulary, code, target, type."""
        return self.source_vocabulary_id, self.source_code, self.target_concept_id, self.mapping_type.value

    @property
    def code_key(self) -> tuple[str, str]:
        """The source code that is decided on."""
        return self.source_vocabulary_id, self.source_code


def decide(
    code: SourceCode,
    concept: Concept | None,
    status: Status,
    equivalence: Equivalence,
    by: str,
    mapping_type: MappingType = MappingType.MAPS_TO,
    comment: str = "",
) -> Mapping:
    """The decision of `by`, now, on a code and a target (None: there is no target).

    Raises `mapping.not_standard` if a concept that is not standard is approved.
    """
    if concept and status is Status.APPROVED and not concept.standard:
        what = "not standard" if concept.valid else "retired"
        raise MadangError(
            "mapping.not_standard",
            f"{code.code} cannot be mapped to {concept.concept_id} ({concept.name}): it is {what}.",
            "Choose the standard concept that it maps to.",
        )
    mapping = Mapping(
        source_vocabulary_id=code.vocabulary_id,
        source_code=code.code,
        source_name=code.name,
        target_concept_id=concept.concept_id if concept else 0,
        target_name=concept.name if concept else "",
        target_domain_id=concept.domain_id if concept else "",
        target_vocabulary_id=concept.vocabulary_id if concept else "",
        mapping_type=mapping_type,
        status=status,
        equivalence=equivalence,
        reviewer=by,
        reviewed_on=datetime.now(UTC).replace(microsecond=0),
        comment=comment,
    )
    check_mapping(mapping)
    return mapping


def check_mapping(mapping: Mapping, where: str = "") -> None:
    """Raise with one sentence if a decision contradicts itself; `where` names its line."""

    def wrong(sentence: str, hint: str) -> MadangError:
        return MadangError("mapping.contradiction", f"{where}{mapping.source_code}: {sentence}", hint)

    approved, unmatched = mapping.status is Status.APPROVED, mapping.equivalence is Equivalence.UNMATCHED
    if not mapping.source_vocabulary_id or not mapping.source_code:
        raise wrong("a mapping needs a source vocabulary and a source code.", "Fill in both.")
    if mapping.target_concept_id < 0:
        raise wrong("a target concept cannot be negative.", "Use 0 for no target.")
    if approved and unmatched and mapping.target_concept_id:
        raise wrong("it is approved as UNMATCHED, but has a target.", "Use concept 0, or another equivalence.")
    if (
        approved
        and mapping.target_concept_id == 0
        and mapping.equivalence
        not in (
            Equivalence.UNMATCHED,
            Equivalence.UNREVIEWED,
        )
    ):
        raise wrong("it is approved without a target.", "Give a target concept, or the equivalence UNMATCHED.")
    if mapping.status is not Status.CANDIDATE and not mapping.reviewer.strip():
        raise wrong(f"it is {mapping.status} by nobody.", "Say who decided.")
    if mapping.valid_end_date < mapping.valid_start_date:
        raise wrong("its validity ends before it starts.", "Swap the two dates.")


def check_together(mappings: list[Mapping]) -> None:
    """Raise if the decisions on a code contradict each other: approved as UNMATCHED and approved with a target."""
    approved: dict[tuple[str, str, str], set[bool]] = {}
    for mapping in mappings:
        if mapping.status is Status.APPROVED:
            seen = approved.setdefault((*mapping.code_key, mapping.mapping_type.value), set())
            seen.add(mapping.target_concept_id == 0)
            if len(seen) == 2:
                raise MadangError(
                    "mapping.contradiction",
                    f"{' '.join(mapping.code_key)} is approved both as UNMATCHED and with a target.",
                    "Reject one of the two.",
                )
