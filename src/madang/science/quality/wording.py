"""What a person reads about checks: what each asks, what a failure means, and what to do about it."""

from typing import Any, NamedTuple

from madang.base.translate import _, language
from madang.science.quality.checks import MALE
from madang.science.quality.model import Check, Level, Result, Severity, Status


class Words(NamedTuple):
    """The sentences of one kind of check, with names in braces: what should be so, what is wrong, what to do."""

    rule: str
    failure: str
    hint: str


def rule(check: Check) -> str:
    """What should be so, in one sentence."""
    if "rule" in check.parameters:
        return _in_language(check.parameters["rule"])
    return words(check.name).rule.format_map(_names(check))


def sentence(result: Result) -> str:
    """What came out, in one sentence: of a failure what is wrong and how much of it, else why there is no verdict."""
    if result.reason:
        return result.reason
    if result.status is not Status.FAILED and not result.violated:
        return rule(result.check)
    names = _names(result.check) | {
        "violated": f"{result.violated or 0:,}",
        "denominator": f"{result.denominator or 0:,}",
        "percent": percent(result),
    }
    if result.check.level is Level.CUSTOM:
        found = _("{violated} of {denominator} rows of {table} ({percent}) break a rule:").format_map(names)
        return f"{found} {rule(result.check)}"
    return words(result.check.name).failure.format_map(names)


def hint(check: Check) -> str:
    """What to do about a failure, in one sentence; empty where there is nothing general to say."""
    if "hint" in check.parameters:
        return _in_language(check.parameters["hint"])
    return words(check.name).hint.format_map(_names(check))


def _in_language(text: Any) -> str:
    """A text that somebody wrote, in the reader's language where it has several."""
    if isinstance(text, str):
        return text
    return str(text.get(language()) or next(iter(text.values()), ""))


def percent(result: Result) -> str:
    """The share in percent, never rounded to 0 or 100 where it is neither: `<0.01%`, `>99.99%`."""
    share = result.share * 100
    if 0 < share < 0.01:
        return "<0.01%"
    if 99.99 < share < 100:
        return ">99.99%"
    return f"{share:.2f}".rstrip("0").rstrip(".") + "%"


def severity_name(severity: Severity) -> str:
    """The severity in the reader's language."""
    return {
        Severity.FATAL: _("fatal"),
        Severity.CONVENTION: _("convention"),
        Severity.CHARACTERIZATION: _("characterization"),
    }[severity]


def status_name(status: Status) -> str:
    """The status in the reader's language."""
    return {
        Status.PASSED: _("passed"),
        Status.FAILED: _("failed", "check"),
        Status.NOT_APPLICABLE: _("not applicable"),
        Status.ERROR: _("error"),
    }[status]


def category_name(category: str) -> str:
    """A category or context of Kahn's framework in the reader's language."""
    return {
        "Conformance": _("Conformance"),
        "Completeness": _("Completeness"),
        "Plausibility": _("Plausibility"),
        "Verification": _("Verification"),
        "Validation": _("Validation"),
    }.get(category, category)


def _names(check: Check) -> dict[str, str]:
    more = check.parameters
    return {
        "table": check.table,
        "field": check.field,
        "other": f"{more['table']}.{more['field']}" if "table" in more else str(more.get("field", "")),
        "domain": str(more.get("domain", "")),
        "concept_class": str(more.get("class", "")),
        "standard": str(more.get("standard", "")),
        "bound": _bound(check),
        "days": str(more.get("days", "")),
        "concepts": ", ".join(map(str, check.concepts)),
        "gender": (_("men") if more.get("gender") == MALE else _("women")),
        "units": ", ".join(map(str, more.get("units", ()))) or _("none"),
        "check": check.id,
    }


def _bound(check: Check) -> str:
    more = check.parameters
    if "days_from_today" in more:
        return _("tomorrow") if more["days_from_today"] == 1 else _("today + {n} d").format(n=more["days_from_today"])
    if "year_from_today" in more:
        return _("next year")
    return str(more.get("date", more.get("value", "")))


def words(name: str) -> Words:
    """The sentences of a kind of check; general ones for a kind of somebody's own."""
    return _WORDS.get(name, _custom)()


def _custom() -> Words:
    return Words(
        _("The check {check} finds no rows."),
        _("The check {check} found {violated} of {denominator} ({percent})."),
        _("List the rows with: madang quality rows NAME {check}"),
    )


def _table() -> Words:
    return Words(
        _("Table {table} is there."),
        _("Table {table} is missing."),
        _("Create it, empty if there are no such data."),
    )


def _person_completeness() -> Words:
    return Words(
        _("Persons have records in {table}."),
        _("{violated} of {denominator} persons ({percent}) have no record in {table}."),
        _("See whether a source was left out, or whether these persons should not be here."),
    )


def _era() -> Words:
    return Words(
        _("Persons with conditions have condition eras."),
        _("{violated} of {denominator} persons with conditions ({percent}) have no condition era."),
        _("Build the eras again from condition_occurrence."),
    )


def _overlap() -> Words:
    return Words(
        _("Observation periods of a person neither overlap nor touch."),
        _("{violated} of {denominator} persons ({percent}) have observation periods that overlap or touch."),
        _("Join such periods into one."),
    )


def _field() -> Words:
    return Words(
        _("Field {table}.{field} is there."),
        _("Field {table}.{field} is missing."),
        _("Add it, with nulls if the source does not say it."),
    )


def _required() -> Words:
    return Words(
        _("Every row of {table} has a {field}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have no {field}."),
        _("Fill it, with concept 0 where nothing fits, or reject such rows with a reason."),
    )


def _datatype() -> Words:
    return Words(
        _("{table}.{field} holds whole numbers."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} that is no whole number."),
        _("Give whole numbers to text from the source, and store the field as an integer."),
    )


def _primary_key() -> Words:
    return Words(
        _("{field} occurs once in {table}."),
        _("{violated} of {denominator} rows of {table} ({percent}) share their {field} with another row."),
        _("See whether rows were loaded twice, or identifiers given twice."),
    )


def _foreign_key() -> Words:
    return Words(
        _("Every {field} of {table} occurs in {other}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} that is not in {other}."),
        _("Add what is missing to the other table, or see whether the vocabulary is older than the data."),
    )


def _domain() -> Words:
    return Words(
        _("Concepts in {table}.{field} are of the domain {domain}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} outside the domain {domain}."),
        _("Put such records where the domain of their concept belongs, or correct the mapping."),
    )


def _class() -> Words:
    return Words(
        _("Concepts in {table}.{field} are of the class {concept_class}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} not of class {concept_class}."),
        _("Roll the concept up to its ancestor of that class."),
    )


def _standard() -> Words:
    return Words(
        _("Concepts in {table}.{field} are standard and valid."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} not standard or no longer valid."),
        _("Map the source codes again with the current vocabulary."),
    )


def _value() -> Words:
    return Words(
        _("{table}.{field} is filled."),
        _("{violated} of {denominator} rows of {table} ({percent}) have no {field}."),
        _("See whether the source has it and the conversion leaves it out."),
    )


def _standard_record() -> Words:
    return Words(
        _("Records of {table} have a standard concept in {field}."),
        _("{violated} of {denominator} records of {table} ({percent}) have no standard concept in {field}."),
        _("Map the most frequent source codes first: madang mappings lists them."),
    )


def _source_record() -> Words:
    return Words(
        _("Records of {table} have a source concept in {field}."),
        _("{violated} of {denominator} records of {table} ({percent}) have no source concept in {field}."),
        _("Name the vocabulary of the source codes, or load the vocabulary that holds them."),
    )


def _source_value() -> Words:
    return Words(
        _("Distinct values of {table}.{field} have a concept in {standard}."),
        _("{violated} of {denominator} distinct values of {table}.{field} ({percent}) have no concept in {standard}."),
        _("Map the most frequent source codes first: madang mappings lists them."),
    )


def _low() -> Words:
    return Words(
        _("{table}.{field} is not below {bound}."),
        _("{violated} of {denominator} values of {table}.{field} ({percent}) are below {bound}."),
        _("Look at these rows in the source: a wrong format, unit or placeholder is likely."),
    )


def _high() -> Words:
    return Words(
        _("{table}.{field} is not above {bound}."),
        _("{violated} of {denominator} values of {table}.{field} ({percent}) are above {bound}."),
        _("Look at these rows in the source: a wrong format, unit or placeholder is likely."),
    )


def _after() -> Words:
    return Words(
        _("{table}.{field} is not before {other}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} before {other}."),
        _("See which of the two dates is wrong in the source."),
    )


def _after_death() -> Words:
    return Words(
        _("{table}.{field} is not more than {days} days after death."),
        _("{violated} of {denominator} rows of {table} of the dead ({percent}) are over {days} days after death."),
        _("See whether the date of death or of the record is wrong, or persons were mixed up."),
    )


def _visit() -> Words:
    return Words(
        _("{table}.{field} lies within {days} days of its visit."),
        _("{violated} of {denominator} rows of {table} with a visit ({percent}) are over {days} days away from it."),
        _("See whether such rows are joined to the wrong visit."),
    )


def _birth() -> Words:
    return Words(
        _("{table}.{field} is not before birth."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} before the person was born."),
        _("See whether the birth or the date is wrong, or a child's record stands with its mother or the reverse."),
    )


def _start() -> Words:
    return Words(
        _("{table}.{field} is not after {other}."),
        _("{violated} of {denominator} rows of {table} ({percent}) have a {field} after {other}."),
        _("See which of the two dates is wrong in the source."),
    )


def _gender() -> Words:
    return Words(
        _("{concepts} in {table}.{field} occurs with {gender} only."),
        _("{violated} of {denominator} records of {table} with {field} {concepts} ({percent}) are not of {gender}."),
        _("See whether the sex or the code is wrong, or a relative's record was taken."),
    )


def _descendants() -> Words:
    return Words(
        _("Concepts under {concepts} in {table}.{field} occur with {gender} only."),
        _("{violated} of {denominator} records of {table} under {concepts} ({percent}) are not of {gender}."),
        _("See whether the sex or the code is wrong, or a relative's record was taken."),
    )


def _unit() -> Words:
    return Words(
        _("{concepts} in {table}.{field} has one of the units {units}."),
        _("{violated} of {denominator} records of {table} with {field} {concepts} ({percent}) have another unit."),
        _("Correct the mapping of the unit, or convert the values. Expected units: {units}."),
    )


_WORDS = {
    "cdmTable": _table,
    "measurePersonCompleteness": _person_completeness,
    "measureConditionEraCompleteness": _era,
    "measureObservationPeriodOverlap": _overlap,
    "cdmField": _field,
    "isRequired": _required,
    "cdmDatatype": _datatype,
    "isPrimaryKey": _primary_key,
    "isForeignKey": _foreign_key,
    "fkDomain": _domain,
    "fkClass": _class,
    "isStandardValidConcept": _standard,
    "measureValueCompleteness": _value,
    "standardConceptRecordCompleteness": _standard_record,
    "sourceConceptRecordCompleteness": _source_record,
    "sourceValueCompleteness": _source_value,
    "plausibleValueLow": _low,
    "plausibleValueHigh": _high,
    "plausibleTemporalAfter": _after,
    "plausibleDuringLife": _after_death,
    "plausibleBeforeDeath": _after_death,
    "withinVisitDates": _visit,
    "plausibleAfterBirth": _birth,
    "plausibleStartBeforeEnd": _start,
    "plausibleGender": _gender,
    "plausibleGenderUseDescendants": _descendants,
    "plausibleUnitConceptIds": _unit,
}
