"""What depends on a concept alone: how often each occurs in a column, and what the vocabulary says of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from madang.base.errors import MadangError
from madang.lake.engine import quote_name
from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import Given
from madang.science.quality.plan.keys import unique

Histogram = Mapping[int, int]  # concept to rows; null is not among them

_VOCABULARY = frozenset({"isForeignKey", "fkDomain", "fkClass", "isStandardValidConcept"})
_ZEROS = frozenset({"standardConceptRecordCompleteness", "sourceConceptRecordCompleteness"})
_GENDERS = frozenset({"plausibleGender", "plausibleGenderUseDescendants"})
_UNITS = "plausibleUnitConceptIds"


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """All checks that one histogram of their column answers, with what the vocabulary knows of its concepts."""
    asked: dict[tuple[str, str], list[Check]] = defaultdict(list)
    for check in checks:
        if _can(given, check):
            asked[check.table, check.field].append(check)
    histograms, pairs = _histograms(given, asked)
    concepts = _concepts(given, {concept for histogram in histograms.values() for concept in histogram})
    counts: dict[str, Count] = {}
    for (table, field), those in asked.items():
        histogram = histograms[table, field]
        for check in those:
            count = None
            if check.name in _VOCABULARY:
                count = _of_vocabulary(given, check, histogram, concepts)
            elif check.name in _ZEROS:
                count = _zeros(given, check, histogram)
            elif check.name == _UNITS:
                count = _units(check, pairs[table, field])
            if count is not None:
                counts[check.id] = count
        counts |= _genders(given, [check for check in those if check.name in _GENDERS], histogram)
    return counts


def _can(given: Given, check: Check) -> bool:
    if not given.whole(check.table, check.field) or given.facts(check.table, check.field) is None:
        return False
    match check.name:
        case "isForeignKey":
            return (check.parameters["table"], check.parameters["field"]) == ("concept", "concept_id")
        case "plausibleUnitConceptIds":
            return given.whole(check.table, "unit_concept_id")
        case name if name in _GENDERS:
            return given.whole("person", "gender_concept_id") and given.rows("person") is not None
    return check.name in _VOCABULARY | _ZEROS


def _histograms(
    given: Given, asked: Mapping[tuple[str, str], list[Check]]
) -> tuple[dict[tuple[str, str], Histogram], dict[tuple[str, str], Counter[tuple[int, int | None]]]]:
    """The histogram of each column, and of columns with units those of both together."""
    pairs: dict[tuple[str, str], Counter[tuple[int, int | None]]] = {}
    histograms: dict[tuple[str, str], Histogram] = {}
    for (table, field), checks in asked.items():
        if any(check.name == _UNITS for check in checks):
            given.progress.check()
            both = f"SELECT {quote_name(field)}, unit_concept_id, count(*) FROM {given.place(table)} GROUP BY ALL"
            pairs[table, field] = Counter({(concept, unit): rows for concept, unit, rows in given.engine.rows(both)})
            for place, name in ((0, field), (1, "unit_concept_id")):
                one: Counter[int] = Counter()
                for pair, rows in pairs[table, field].items():
                    if pair[place] is not None:
                        one[pair[place]] += rows  # type: ignore[index]  # not None
                histograms[table, name] = one
    for table, field in asked:
        if (table, field) in histograms:
            continue
        given.progress.check()
        facts = given.facts(table, field)
        assert facts is not None
        if facts.nulls == facts.rows:
            histograms[table, field] = {}
        elif facts.low is not None and facts.low == facts.high:
            histograms[table, field] = {facts.low: facts.rows - facts.nulls}
        else:
            name = quote_name(field)
            sql = f"SELECT {name}, count(*) FROM {given.place(table)} WHERE {name} IS NOT NULL GROUP BY {name}"
            histograms[table, field] = dict(given.engine.rows(sql))
    return histograms, pairs


def _concepts(given: Given, wanted: set[int]) -> dict[int, tuple[Any, ...]] | None:
    """(domain, class, standard, invalid) of the concepts that occur; None where one has two entries, or there are none.

    What a vocabulary lacks is None, and so fails no comparison, as in SQL.
    """
    columns = given.columns.get("concept", {})
    if not given.whole("concept", "concept_id"):
        return None
    fields = ("domain_id", "concept_class_id", "standard_concept", "invalid_reason")
    listed = ", ".join(f"c.{field}" if field in columns else f"NULL AS {field}" for field in fields)
    given.engine.register("quality_occurring", pa.table({"concept_id": pa.array(sorted(wanted), pa.int64())}))
    try:
        rows = given.engine.rows(
            f"SELECT c.concept_id, {listed} FROM concept c SEMI JOIN quality_occurring USING (concept_id)"
        )
    finally:
        given.engine.unregister("quality_occurring")
    found = {row[0]: row[1:] for row in rows}
    return found if len(found) == len(rows) else None


def _of_vocabulary(
    given: Given, check: Check, histogram: Histogram, concepts: dict[int, tuple[Any, ...]] | None
) -> Count | None:
    if concepts is None:
        return None
    facts = given.facts(check.table, check.field)
    assert facts is not None
    if check.name == "isForeignKey":
        return Count(sum(rows for concept, rows in histogram.items() if concept not in concepts), facts.rows)
    violated = 0
    for concept, rows in histogram.items():
        if concept in concepts and concept != 0:
            domain, class_, standard, invalid = concepts[concept]
            match check.name:
                case "fkDomain":
                    wrong = domain is not None and domain != check.parameters["domain"]
                case "fkClass":
                    wrong = class_ is not None and class_ != check.parameters["class"]
                case _:
                    wrong = standard != "S" or (invalid is not None and (given.compatible or invalid != ""))
            violated += rows if wrong else 0
    return Count(violated, facts.rows - facts.nulls if check.name == "isStandardValidConcept" else facts.rows)


def _zeros(given: Given, check: Check, histogram: Histogram) -> Count | None:
    """Rows with concept 0, and those with a source value and no concept at all."""
    facts = given.facts(check.table, check.field)
    assert facts is not None
    only_source = 0
    source = check.parameters.get("source_value")
    if source and facts.nulls:
        told = given.facts(check.table, source)
        if told is None or told.nulls < told.rows:
            without = f"{quote_name(check.field)} IS NULL AND {quote_name(source)} IS NOT NULL"
            only_source = given.engine.value(f"SELECT count(*) FROM {given.place(check.table)} WHERE {without}")
    return Count(histogram.get(0, 0) + only_source, facts.rows - facts.nulls + only_source)


def _units(check: Check, pairs: Mapping[tuple[int, int | None], int]) -> Count:
    (concept,) = check.concepts
    allowed = {*check.parameters["units"], 0}
    units = {unit: rows for (of, unit), rows in pairs.items() if of == concept}
    return Count(
        sum(rows for unit, rows in units.items() if unit is not None and unit not in allowed),
        sum(rows for unit, rows in units.items() if unit != 0),
    )


def _genders(given: Given, checks: list[Check], histogram: Histogram) -> dict[str, Count]:
    """Concepts that only one gender can have, by the gender of the persons who do."""
    if not checks:
        return {}
    under: dict[str, dict[int, int]] = {}  # check to concept to how often it counts
    for check in checks:
        if check.name == "plausibleGender":
            under[check.id] = {concept: 1 for concept in check.concepts if concept in histogram}
            continue
        ancestors = ", ".join(map(str, check.concepts))
        sql = (
            "SELECT descendant_concept_id, count(*) FROM concept_ancestor "
            f"WHERE ancestor_concept_id IN ({ancestors}) AND descendant_concept_id IS NOT NULL GROUP BY ALL"
        )
        found = given.engine.rows(sql)
        under[check.id] = {c: times if given.compatible else 1 for c, times in found if c in histogram}
    table, field = checks[0].table, quote_name(checks[0].field)
    occurring = sorted({concept for concepts in under.values() for concept in concepts})
    genders: dict[int, list[tuple[int | None, int]]] = defaultdict(list)
    if occurring:
        if not (given.whole(table, "person_id") and unique(given, "person", "person_id")):
            return {}
        listed = ", ".join(map(str, occurring))
        sql = (
            f"SELECT t.{field}, p.gender_concept_id, count(*) FROM {given.place(table)} t "
            f"JOIN {given.place('person')} p ON p.person_id = t.person_id WHERE t.{field} IN ({listed}) GROUP BY ALL"
        )
        try:
            for concept, gender, rows in given.engine.rows(sql):
                genders[concept].append((gender, rows))
        except MadangError:
            return {}
    counts = {}
    for check in checks:
        right = check.parameters["gender"]
        violated = sum(
            times * rows
            for concept, times in under[check.id].items()
            for gender, rows in genders[concept]
            if gender is not None and gender != right
        )
        counts[check.id] = Count(violated, sum(times * histogram[c] for c, times in under[check.id].items()))
    return counts
