"""Every check of DataQualityDashboard 2.8 on the common data model 5.4, made from a few tables of facts.

The facts stand in `facts/`: which kinds of check there are, which table, field or concept each applies to, and the
thresholds. Identifiers, thresholds and meaning are those of the dashboard (https://ohdsi.github.io/DataQualityDashboard);
what a person reads about a check is in `wording`.

What a kind needs besides table and field stands in `Check.parameters`:

| kind | keys |
|---|---|
| cdmDatatype | `type`: "integer" |
| isForeignKey | `table`, `field`: what the value must occur in |
| fkDomain | `domain`: of the concept |
| fkClass | `class`: of the concept |
| standardConceptRecordCompleteness | `source_value`: null also counts where this field has a value; not there: 0 only |
| sourceConceptRecordCompleteness | the same |
| sourceValueCompleteness | `standard`: the field with the concept |
| plausibleValueLow | `value` (number), `date` (ISO), `days_from_today` (a date) or `year_from_today` (a year) |
| plausibleValueHigh | the same |
| plausibleTemporalAfter | `table`, `field`: the earlier date, of the person (`table` is person) or of the same row |
| plausibleDuringLife, plausibleBeforeDeath | `days`: 60 after death are allowed |
| withinVisitDates | `days`: 7 on both sides of the visit are allowed |
| plausibleStartBeforeEnd | `field`: the end |
| plausibleGender, plausibleGenderUseDescendants | `gender`: the concept that the person must have |
| plausibleUnitConceptIds | `units`: the concepts that the unit may be; none, 0 and null are always allowed |

Every check has `cohort`: whether an assessment of a cohort narrows it to the cohort's persons.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from madang.base.canonical import sha256_of
from madang.science.omop import cdm
from madang.science.quality.model import Check, Level, Severity

MALE, FEMALE = 8507, 8532
"""The concepts of the two genders that a concept may belong to."""

VOCABULARY_TABLES = frozenset(
    "concept vocabulary concept_ancestor concept_relationship concept_class concept_synonym relationship domain".split()
)
"""Tables whose own checks are left out unless asked for."""


@dataclass(frozen=True)
class Kind:
    """A kind of check: what all checks of one name have in common. `deprecated` kinds say the same as newer ones."""

    name: str
    level: Level
    context: str
    category: str
    subcategory: str
    severity: Severity
    deprecated: bool


def _facts(name: str) -> list[dict[str, str]]:
    text = files("madang.science.quality").joinpath("facts", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        row["name"]: Kind(
            row["name"],
            Level(row["level"]),
            row["context"],
            row["category"],
            row["subcategory"],
            Severity(row["severity"]),
            row["deprecated"] == "yes",
        )
        for row in _facts("kinds")
    }
)
"""All kinds of check by name, in the order in which a report shows them."""


def check_id(
    level: str, name: str, table: str, field: str = "", concepts: Iterable[int] = (), unit: int | None = None
) -> str:
    """The identifier that the dashboard gives a check, as `field_isrequired_person_person_id`."""
    parts = [level, name, table, field, ",".join(map(str, concepts)), "" if unit is None else str(unit)]
    return "_".join(part for part in parts if part).lower()


@cache
def default_checks(vocabulary: bool = False, compatible: bool = False) -> tuple[Check, ...]:
    """The checks of a dataset: 2,374, or with those of the `vocabulary` tables 2,533.

    `compatible` gives them as the dashboard runs them, where its definition of a check is at fault: the release of the
    source must not be after itself (instead of the release of the CDM), and a cohort does not narrow checks of tables
    and of some fields.
    """
    fields = [row for row in _facts("fields") if vocabulary or row["table"] not in VOCABULARY_TABLES]
    tables = [row for row in _facts("tables") if vocabulary or row["table"] not in VOCABULARY_TABLES]
    concepts = _facts("concepts")
    made: list[Check] = []
    for kind in KINDS.values():
        if kind.level is Level.TABLE:
            made += [
                _check(kind, row["table"], threshold=row.get(kind.name, ""), cohort=not compatible)
                for row in tables
                if row.get(kind.name, "always")
            ]
        elif kind.level is Level.FIELD:
            made += [_field_check(kind, row, compatible) for row in fields if row.get(kind.name, "always")]
        else:
            made += [_concept_check(kind, row) for row in concepts if row["name"] == kind.name]
    return tuple(made)


def fingerprint(checks: Iterable[Check]) -> str:
    """A SHA-256 over checks and thresholds; assessments with the same one answer the same questions."""
    facts = [
        [check.id, check.threshold, check.severity.value, dict(check.parameters)]
        for check in sorted(checks, key=lambda check: check.id)
    ]
    return sha256_of(facts)


_WHOLE = frozenset({"cdmTable", "cdmField", "cdmDatatype"})  # not about persons: the same for every cohort


def _check(
    kind: Kind,
    table: str,
    field: str = "",
    concepts: tuple[int, ...] = (),
    *,
    threshold: str,
    cohort: bool,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Check:
    return Check(
        id=check_id(kind.level, kind.name, table, field, concepts),
        name=kind.name,
        level=kind.level,
        table=table,
        field=field,
        concepts=concepts,
        threshold=float(threshold) if threshold else None,
        severity=kind.severity,
        context=kind.context,
        category=kind.category,
        subcategory=kind.subcategory,
        parameters=MappingProxyType({**parameters, "cohort": cohort and kind.name not in _WHOLE}),
    )


def _field_check(kind: Kind, row: Mapping[str, str], compatible: bool) -> Check:
    table = cdm.TABLES[row["table"]]
    cohort = row["cohort"] == "yes" if compatible else "person_id" in table
    parameters: dict[str, Any] = {}
    if kind.name == "cdmDatatype":
        parameters = {"type": "integer"}
    elif kind.name == "isForeignKey":
        parameters = _reference(row["references"])
    elif kind.name == "fkDomain":
        parameters = {"domain": row["domain"]}
    elif kind.name == "fkClass":
        parameters = {"class": row["concept_class"]}
    elif kind.name in ("standardConceptRecordCompleteness", "sourceConceptRecordCompleteness") and row["source_value"]:
        parameters = {"source_value": row["source_value"]}
    elif kind.name == "sourceValueCompleteness":
        parameters = {"standard": row["standard"]}
    elif kind.name == "plausibleValueLow":
        parameters = _bound(row["low"])
    elif kind.name == "plausibleValueHigh":
        parameters = _bound(row["high"])
    elif kind.name == "plausibleTemporalAfter":
        parameters = _reference(row["not_before"])
    elif kind.name in ("plausibleDuringLife", "plausibleBeforeDeath"):
        parameters = {"days": 60}
    elif kind.name == "withinVisitDates":
        parameters = {"days": 7}
    elif kind.name == "plausibleStartBeforeEnd":
        end = row["end"]
        if end == row["field"] and not compatible:
            end = "cdm_release_date"  # the one row of the dashboard that compares a field with itself
        parameters = {"field": end}
    return _check(
        kind, row["table"], row["field"], threshold=row.get(kind.name, ""), cohort=cohort, parameters=parameters
    )


def _concept_check(kind: Kind, row: Mapping[str, str]) -> Check:
    concepts = tuple(int(concept) for concept in row["concepts"].split())
    if kind.name == "plausibleUnitConceptIds":
        parameters: dict[str, Any] = {"units": [int(unit) for unit in row["value"].split() if unit != "-1"]}
    else:
        parameters = {"gender": MALE if row["value"] == "male" else FEMALE}
    return _check(
        kind, row["table"], row["field"], concepts, threshold=row["threshold"], cohort=True, parameters=parameters
    )


def _reference(text: str) -> dict[str, Any]:
    table, _, field = text.partition(".")
    return {"table": table, "field": field}


def _bound(text: str) -> dict[str, Any]:
    if text.startswith("today+"):
        return {"days_from_today": int(text.removeprefix("today+"))}
    if text.startswith("year+"):
        return {"year_from_today": int(text.removeprefix("year+"))}
    if "-" in text:
        return {"date": text}
    return {"value": float(text) if "." in text else int(text)}
