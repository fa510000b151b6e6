"""What is in the data, in words that people look for: names of concepts, tables and columns, and years.

Names of concepts come from the vocabulary that the data were mapped with (synonyms in whichever language the operator
loaded) and from the names that the source's own codes have in their maps. A concept is named only if as many persons
have it as the tier asks for, the rule that the profile follows.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from madang.base.translate import _
from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_name
from madang.node import files
from madang.node.home import Home

MOST = 3_000  # concepts of a version, those of most persons
NAMES = 12  # of a concept
# The tables of events, and the column that says what happened.
EVENTS = {
    "condition_occurrence": "condition_concept_id",
    "drug_exposure": "drug_concept_id",
    "measurement": "measurement_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "observation": "observation_concept_id",
    "device_exposure": "device_concept_id",
    "visit_occurrence": "visit_concept_id",
    "specimen": "specimen_concept_id",
    "death": "cause_concept_id",
    "drug_era": "drug_concept_id",
}


def named_concepts(lake: Lake, version: Version, minimum: int) -> list[dict[str, Any]]:
    """The concepts that enough persons have, each with its table, its persons and all its names."""
    from madang.science.omop.release import mapped_with

    vocabulary = mapped_with(lake, version)
    counted: dict[int, tuple[str, int]] = {}
    names: dict[int, list[str]] = {}
    with Engine() as engine:
        version.attach(engine)
        for table, column in EVENTS.items():
            columns = {name for name, _kind in version.tables[table].schema} if table in version.tables else set()
            if not {column, "person_id"} <= columns:
                continue
            sql = (
                f"SELECT {column}, count(DISTINCT person_id) FROM {quote_name(table)} WHERE {column} > 0 "
                f"GROUP BY ALL HAVING count(DISTINCT person_id) >= ?"
            )
            for concept, persons in engine.rows(sql, [minimum]):
                counted[concept] = max(counted.get(concept, ("", 0)), (table, persons), key=lambda each: each[1])
        chosen = sorted(counted, key=lambda each: (-counted[each][1], each))[:MOST]
        if "source_codes" in version.tables:
            sql = "SELECT code_name, target_concept_ids FROM source_codes WHERE persons >= ? AND code_name <> ''"
            for name, targets in engine.rows(sql, [minimum]):
                for target in str(targets or "").replace(";", " ").replace(",", " ").split():
                    if target.strip("[]").isdigit():
                        names.setdefault(int(target.strip("[]")), []).append(name)
    official = _in_vocabulary(vocabulary, chosen) if vocabulary is not None and chosen else {}
    found = []
    for concept in chosen:
        every = list(dict.fromkeys([*official.get(concept, []), *names.get(concept, [])]))[:NAMES]
        if every:
            found.append({"concept": concept, "table": counted[concept][0], "names": every})
    return found


def _in_vocabulary(vocabulary: Version, chosen: Iterable[int]) -> dict[int, list[str]]:
    """The names that a vocabulary has for concepts: its own first, then its synonyms."""
    found: dict[int, list[str]] = {}
    listed = ", ".join(str(int(each)) for each in chosen)
    with Engine() as engine:
        vocabulary.attach(engine)
        for concept, name in engine.rows(
            f"SELECT concept_id, concept_name FROM concept WHERE concept_id IN ({listed})"
        ):
            found.setdefault(concept, []).append(name)
        if "concept_synonym" in vocabulary.tables:
            sql = f"SELECT concept_id, concept_synonym_name FROM concept_synonym WHERE concept_id IN ({listed})"
            for concept, name in engine.rows(f"{sql} ORDER BY ALL"):
                found.setdefault(concept, []).append(name)
    return found


def said(home: Home, documents: Mapping[str, str]) -> list[str]:
    """What the documents of a version say is in it: names of tables, columns and concepts."""
    found: list[str] = []
    if "outline" in documents:
        for table in orjson.loads(files.read(home, documents["outline"]))["tables"]:
            if table["rows"] == 0:
                continue
            found += [table["name"], table["name"].replace("_", " "), *TABLE_WORDS.get(table["name"], ())]
            for column, _kind in table["columns"]:
                found += [column, column.replace("_", " ")]
    if "words" in documents:
        for each in orjson.loads(files.read(home, documents["words"])):
            found += each["names"]
    elif "profile" in documents:  # prepared by an earlier release
        for table in orjson.loads(files.read(home, documents["profile"]))["tables"]:
            found += [each["name"] for each in table["concepts"] if each["name"]]
    return found


def years(home: Home, documents: Mapping[str, str]) -> list[int]:
    """The years in which the data have records."""
    return years_of(orjson.loads(files.read(home, documents["profile"]))) if "profile" in documents else []


def years_of(profile: Mapping[str, Any]) -> list[int]:
    """The years, in order, in which the document of a profile has records; none that is still to come."""
    found, this_year = set(), datetime.date.today().year
    for table in profile["tables"]:
        for each in table["periods"]:
            if each["records"]:
                found |= {int(each["start"][:4]), int(each["end"][:4])}
    return sorted(year for year in found if year <= this_year)


@dataclass(frozen=True)
class Summary:
    """What a profile tells at a glance; None where it may not be told."""

    persons: int | None
    women: float | None  # share of persons whose sex is known
    first: int | None
    last: int | None
    observed: str  # how long most people are observed, in years: "4"
    domains: tuple[tuple[str, int], ...]  # tables of events with their rows, the largest first
    rows: int


@lru_cache(maxsize=500)
def summary(home: Home, digest: str) -> Summary:
    """The summary of the profile with this hash."""
    profile = orjson.loads(files.read(home, digest))
    by_sex = {
        sex: sum(each["persons"] or 0 for each in profile["people"] if each["sex"] == sex) for sex in (8507, 8532)
    }
    known = sum(by_sex.values())
    spanned = years_of(profile)
    domains = sorted(
        ((table["table"], table["rows"]) for table in profile["tables"] if table["rows"]), key=lambda each: -each[1]
    )
    return Summary(
        persons=profile["persons"],
        women=by_sex[8532] / known if known and all(by_sex.values()) else None,
        first=spanned[0] if spanned else None,
        last=spanned[-1] if spanned else None,
        observed=_observed(profile["observed"]),
        domains=tuple(each for each in domains if each[0] not in ("visit_detail", "death")),
        rows=sum(rows for _table, rows in domains),
    )


def _observed(spans: list[dict[str, Any]]) -> str:
    """Between which years the median of how long people are observed lies."""
    total, seen = sum(each["persons"] or 0 for each in spans), 0
    for each in spans:
        seen += each["persons"] or 0
        if total and seen * 2 >= total:
            return str(each["least"]) if each["least"] == each["most"] else f"{each['least']}–{each['most']}"
    return ""


# What people call the tables of the OMOP CDM, in both languages.
TABLE_WORDS = {
    "condition_occurrence": ("진단", "질병", "diagnoses conditions"),
    "drug_exposure": ("약", "처방 약", "투약", "drugs prescriptions medication"),
    "measurement": ("검사", "검사 결과", "활력징후", "laboratory results vital signs"),
    "procedure_occurrence": ("처치", "수술", "procedures operations"),
    "observation": ("관찰", "문진", "observations"),
    "visit_occurrence": ("방문", "진료", "입원 외래", "visits"),
    "device_exposure": ("의료기기", "devices"),
    "death": ("사망", "deaths"),
    "specimen": ("검체", "specimens"),
    "note": ("기록지", "notes"),
    "cost": ("비용", "진료비", "costs"),
    "payer_plan_period": ("보험", "자격", "insurance"),
    "person": ("사람", "환자", "persons patients"),
    "observation_period": ("관찰 기간", "observation periods"),
}


def table_title(table: str) -> str:
    """What a table of the OMOP CDM is called; its own name where it has no other."""
    return {
        "condition_occurrence": _("Diagnoses"),
        "drug_exposure": _("Drugs"),
        "measurement": _("Test results"),
        "procedure_occurrence": _("Procedures"),
        "observation": _("Observations"),
        "visit_occurrence": _("Visits"),
        "visit_detail": _("Parts of visits"),
        "device_exposure": _("Medical devices"),
        "death": _("Deaths"),
        "specimen": _("Specimens"),
        "note": _("Clinical notes"),
        "cost": _("Costs"),
        "payer_plan_period": _("Insurance periods"),
        "person": _("Persons", "table"),
        "observation_period": _("Observation periods"),
        "condition_era": _("Episodes of diagnoses"),
        "drug_era": _("Episodes of drugs"),
        "dose_era": _("Episodes of doses"),
        "care_site": _("Places of care"),
        "provider": _("Providers"),
        "location": _("Locations"),
        "cdm_source": _("About the source"),
        "source_codes": _("Codes of the source"),
        "source_to_concept_map": _("Maps from codes to concepts"),
        "cohort": _("Cohorts"),
        "cohort_definition": _("Definitions of cohorts"),
        "episode": _("Episodes"),
        "episode_event": _("Events of episodes"),
        "fact_relationship": _("Ties between facts"),
        "metadata": _("Metadata"),
        "note_nlp": _("Findings in notes"),
    }.get(table, table)


def table_sentence(table: str) -> str:
    """One sentence on what the rows of a table are; nothing where we do not know."""
    return {
        "condition_occurrence": _("A row is a diagnosis that a person was given on a day."),
        "drug_exposure": _("A row is a drug that a person was prescribed or given, with its days and amount."),
        "measurement": _("A row is one result of a test or a vital sign, with its value and unit."),
        "procedure_occurrence": _("A row is an operation, a treatment or an examination on a day."),
        "observation": _("A row is a fact about a person that has no other table, such as an answer or a habit."),
        "visit_occurrence": _("A row is a stay or a visit at a place of care, from its first day to its last."),
        "visit_detail": _("A row is a part of a visit, such as a ward or a claim within it."),
        "device_exposure": _("A row is a device or material that was used on a person."),
        "death": _("A row is a person who died, with the day and, where known, the cause."),
        "specimen": _("A row is a sample that was taken from a person."),
        "note": _("A row is a text that was written about a person."),
        "cost": _("A row is what an event cost, and who paid how much."),
        "payer_plan_period": _("A row is a span in which a person was insured in the same way."),
        "person": _("A row is a person, with sex and year of birth."),
        "observation_period": _("A row is a span in which it would be known if something had happened to a person."),
        "condition_era": _("A row is a span in which a person had the same diagnosis again and again."),
        "drug_era": _("A row is a span in which a person took the same ingredient."),
        "dose_era": _("A row is a span in which a person took the same dose of an ingredient."),
        "care_site": _("A row is a place where people are treated."),
        "provider": _("A row is somebody who treats people, without a name."),
        "location": _("A row is a place, no finer than a district."),
        "cdm_source": _("One row says who made these data, from what, and when."),
        "source_codes": _("A row is a code of the source, how often it is used, and to which concepts it was mapped."),
    }.get(table, "")
