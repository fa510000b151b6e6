"""Lives for the synthetic endpoint out of a version of an OMOP CDM dataset, and resources out of files."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.fhir.reading import BOM, LONGEST_LINE
from madang.science.fhir.server.made_up import Life, Visit

MOST_VISITS, MOST_CODES = 6, 3  # of a person; of a visit
FEMALE, INPATIENT = 8532, (9201, 262)


def lives_of(version: Version, persons: int) -> list[Life]:
    """The first persons of a dataset that have visits, with their newest visits, diagnoses and drugs."""
    needed = ("person", "visit_occurrence", "condition_occurrence", "drug_exposure")
    lacking = [name for name in needed if name not in version.tables]
    if lacking:
        raise MadangError(
            "fhir.not_cdm",
            _("The dataset has no table {tables}.").format(tables=", ".join(lacking)),
            _("Give a dataset in the OMOP CDM, or a folder with FHIR resources."),
        )
    with Engine() as engine:
        version.attach(engine)
        people = engine.rows(
            "select person_id, gender_concept_id, year_of_birth, month_of_birth, day_of_birth from person"
            " where person_id in (select person_id from visit_occurrence)"
            f" order by person_id limit {int(persons)}"
        )
        chosen = (
            f"person_id in (select person_id from person where person_id <= {int(people[-1][0])})"
            if people
            else "false"
        )
        visits = engine.rows(
            "select person_id, visit_occurrence_id, visit_start_date, visit_end_date, visit_concept_id"
            f" from visit_occurrence where {chosen}"
            f" qualify row_number() over (partition by person_id order by visit_start_date desc, 2) <= {MOST_VISITS}"
            " order by 1, 3, 2"
        )
        codes = _by_visit(engine, "condition_occurrence", "condition_source_value, 1", chosen)
        drugs = _by_visit(engine, "drug_exposure", "drug_source_value, coalesce(days_supply, 1)", chosen)
    by_person: dict[int, list[Visit]] = {}
    for person, identifier, start, end, concept in visits:
        diagnoses = tuple(dict.fromkeys(_code(code) for code, _one in codes.get(identifier, []) if _code(code)))
        given = {_code(code): max(1, int(days)) for code, days in drugs.get(identifier, []) if _code(code)}
        by_person.setdefault(person, []).append(
            Visit(start, end or start, concept in INPATIENT, diagnoses[:MOST_CODES], tuple(given.items())[:MOST_CODES])
        )
    return [
        Life(number, row[1] == FEMALE, _born(row), tuple(by_person.get(row[0], ())))
        for number, row in enumerate(people, start=1)
    ]


def _by_visit(engine: Engine, table: str, columns: str, chosen: str) -> dict[int, list[tuple[Any, Any]]]:
    found: dict[int, list[tuple[Any, Any]]] = {}
    for visit, code, number in engine.rows(
        f"select distinct visit_occurrence_id, {columns} from {table} where {chosen} order by all"
    ):
        found.setdefault(visit, []).append((code, number))
    return found


def _code(text: Any) -> str:
    """A code as FHIR takes it, in the letters that an id may have as well; empty where it is none."""
    code = str(text or "").strip()
    return code if code and len(code) <= 30 and all(x.isascii() and (x.isalnum() or x in "-.") for x in code) else ""


def _born(row: tuple[Any, ...]) -> date:
    return date(int(row[2]), int(row[3] or 1), min(int(row[4] or 1), 28))


def resources_in(folder: Path) -> Iterator[dict[str, Any]]:
    """The resources of the NDJSON and JSON files of a folder, of Bundles their entries."""
    files = [
        each for each in sorted(folder.rglob("*")) if each.suffix in (".json", ".ndjson", ".jsonl") and each.is_file()
    ]
    found = 0
    for path in files:
        data = path.read_bytes().removeprefix(BOM)
        for line in data.split(b"\n") if path.suffix != ".json" else [data]:
            if not line.strip() or len(line) > LONGEST_LINE:
                continue
            try:
                read = orjson.loads(line)
            except orjson.JSONDecodeError:
                raise MadangError(
                    "fhir.not_json",
                    _("{path} holds a resource that is no JSON.").format(path=path),
                    _("`madang fhir validate` says where."),
                ) from None
            for each in _unpacked(read):
                found += 1
                yield each
    if not found:
        raise MadangError("fhir.no_resources", _("There are no FHIR resources in {path}.").format(path=folder))


def _unpacked(read: Any) -> Iterator[dict[str, Any]]:
    if isinstance(read, dict) and read.get("resourceType") == "Bundle":
        for entry in read.get("entry") or ():
            yield from _unpacked(entry.get("resource") if isinstance(entry, dict) else None)
    elif isinstance(read, dict) and isinstance(read.get("resourceType"), str) and isinstance(read.get("id"), str):
        yield read
