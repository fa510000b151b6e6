"""Generated exports of FHIR beside plain Python: every line its fate, every record its person, day, visit and value.

Statuses and negations of three releases, references of every form, dates from years to leap seconds in mixed offsets,
orders that are none with what was dispensed for them, components, extensions that change a meaning, and lines that are
no resources or of another type; in several files, packed or not, copied, and in several runs.
"""

import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from madang.lake import Lake
from madang.lake.engine import Engine, quote_paths
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.trace import Tracer

Told = tuple[str, float | None, str | None, float | None]
BASE, SEOUL = "https://here.org/r4", timezone(timedelta(hours=9))
PEOPLE = ("1", "2", "3")
BORN = {"1": 1951, "2": 1952, "3": 1953}

# Of each type: shapes of its status that take it out, and some that do not.
NEGATED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "Encounter": (
        [{"status": "planned"}, {"status": "cancelled"}, {"status": "entered-in-error"}],
        [{"status": "finished"}, {"status": "in-progress"}, {}],
    ),
    "Condition": (
        [
            {"verificationStatus": {"coding": [{"code": "refuted"}]}},
            {"verificationStatus": {"coding": [{"code": "7", "system": "urn:local"}, {"code": "entered-in-error"}]}},
            {"verificationStatus": "refuted"},
            {"verificationStatus": {"text": "Entered in Error"}},
        ],
        [{"verificationStatus": {"coding": [{"code": "unconfirmed"}]}}, {"clinicalStatus": "active"}, {}],
    ),
    "Observation": (
        [{"status": "cancelled"}, {"status": "entered-in-error"}, {"status": "registered"}],
        [{"status": "final"}, {"status": "preliminary"}, {"status": "amended"}],
    ),
    "Procedure": (
        [{"status": "not-done"}, {"status": "completed", "notDone": True}, {"status": "preparation"}],
        [{"status": "completed"}, {"status": "stopped"}, {"status": "completed", "notDone": False}],
    ),
    "Immunization": (
        [{"status": "not-done"}, {"status": "completed", "notGiven": True}],
        [{"status": "completed"}, {"status": "completed", "notGiven": False}],
    ),
    "MedicationRequest": (
        [
            {"status": "cancelled", "intent": "order"},
            {"status": "draft", "intent": "order"},
            {"status": "active", "intent": "plan"},
            {"status": "active", "intent": "order", "doNotPerform": True},
        ],
        [{"status": "stopped", "intent": "order"}, {"status": "active", "intent": "instance-order"}],
    ),
    "MedicationDispense": (
        [{"status": "cancelled"}, {"status": "declined"}, {"status": "completed", "notDone": True}],
        [{"status": "completed"}, {"status": "in-progress"}],
    ),
}
DATED = {
    "Condition": "onsetDateTime", "Observation": "effectiveDateTime", "Procedure": "performedDateTime",
    "Immunization": "occurrenceDateTime", "MedicationRequest": "authoredOn", "MedicationDispense": "whenHandedOver",
}  # fmt: skip
TABLES = {
    "Condition": "condition", "Procedure": "procedure", "Immunization": "drug", "MedicationRequest": "drug",
    "MedicationDispense": "drug",
}  # fmt: skip


@dataclass
class World:
    """Lines by run and file with the fate of each, and the rows that they make."""

    runs: list[dict[str, list[tuple[str, str]]]] = field(default_factory=list)
    rows: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    visits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of the encounters that took place: person and day."""
    orders: set[str] = field(default_factory=set)
    """Those that are exposures."""


def reference(draw: random.Random) -> tuple[dict[str, Any], str | None]:
    """A reference to a person, and who that is."""
    word = draw.choice((*PEOPLE, "4"))
    who = word if word in PEOPLE else None
    number = draw.choice(PEOPLE)
    theirs = PEOPLE[PEOPLE.index(number) - 1]  # see `patient`
    forms: list[tuple[dict[str, Any], str | None]] = [
        ({"reference": f"Patient/{word}"}, who),
        ({"reference": f"Patient/{word}"}, who),
        ({"reference": f"Patient/{word}"}, who),
        ({"reference": f"{BASE}/Patient/{word}/_history/3"}, who),
        ({"reference": f"urn:uuid:{word}"}, who),
        ({"identifier": {"system": "urn:mrn", "value": number}}, theirs),
        ({"reference": f"Patient?identifier=urn:mrn|{number}"}, theirs),
        ({"reference": f"https://there.org/r4/Patient/{word}"}, None),
        ({"reference": f"Group/{word}"}, None),
        ({"reference": word}, None),
        ({"display": "somebody"}, None),
    ]
    return draw.choice(forms)


def patient(word: str) -> dict[str, Any]:
    """A person whose number is the id of the next one."""
    number = PEOPLE[(PEOPLE.index(word) + 1) % 3]
    return {
        "resourceType": "Patient", "id": word, "birthDate": str(BORN[word]),
        "identifier": [{"system": "urn:mrn", "value": number}],
    }  # fmt: skip


def moment(draw: random.Random) -> tuple[str, str | None, str | None]:
    """A date as it may be written, its day and its moment in Seoul; None for what is no day."""
    local = datetime(2021, 2, 3, tzinfo=SEOUL) + timedelta(minutes=draw.randrange(3000))
    offset = draw.choice([SEOUL, UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=13, minutes=45))])
    written = local.astimezone(offset).isoformat().replace("+00:00", "Z")
    leap = local.replace(minute=59, second=59)
    day = local.date().isoformat()
    return draw.choice(
        [
            (written, day, f"{local:%Y-%m-%d %H:%M:%S}"),
            (written, day, f"{local:%Y-%m-%d %H:%M:%S}"),
            (written.replace(":00+", ":00.987654321+"), day, f"{local:%Y-%m-%d %H:%M:%S}"),
            (day, day, None),
            (day[:7], f"{day[:7]}-01", None),
            (day[:4], f"{day[:4]}-01-01", None),
            (f"{leap.astimezone(UTC):%Y-%m-%dT%H:%M}:60Z", day, f"{leap:%Y-%m-%d %H:%M:%S}"),
            ("2021-02-03T24:00:00+09:00", "2021-02-04", "2021-02-04 00:00:00"),
            ("2021-02-30", None, None),
            ("soon", None, None),
        ]
    )


def value(draw: random.Random) -> tuple[dict[str, Any], float | None, str | None]:
    """A value of an observation, its number, and its text."""
    values: list[tuple[dict[str, Any], float | None, str | None]] = [
        ({"valueQuantity": {"value": 0.775, "unit": "mg"}}, 0.775, "0.775"),
        ({"valueQuantity": {"value": 9007199254740993}}, None, "9007199254740993"),
        ({"valueQuantity": {"value": 5, "comparator": "<"}}, 5.0, "<5"),
        ({"valueInteger": -3}, -3.0, "-3"),
        ({"valueBoolean": False}, None, "false"),
        ({"valueString": "음성"}, None, "음성"),
        ({"valueCodeableConcept": {"coding": [{"system": "urn:x", "code": "POS"}]}}, None, "POS"),
        ({"valueCodeableConcept": {"text": "many"}}, None, "many"),
        ({"valueSampledData": {"data": "1 2 E"}}, None, "1 2 E"),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2}}}, None, "1 - 2"),
        ({"dataAbsentReason": {"coding": [{"code": "masked"}]}}, None, "absent: masked"),
        ({"valueAttachment": {"title": "trace"}}, None, None),
    ]
    return draw.choice(values)


def fate_of(draw: random.Random, kind: str, one: dict[str, Any], who: str | None, day: str | None) -> str:
    """Adds to a resource what takes it out, or does not, and says what becomes of it."""
    out, within = NEGATED[kind]
    negated = draw.random() < 0.25
    one |= draw.choice(out if negated else within)
    modified = draw.random() < 0.05
    if modified:
        one["modifierExtension"] = [{"url": "urn:x", "valueBoolean": True}]
    if who is None or modified:
        return "rejected"
    return "unused" if negated else "rejected" if day is None else "used"


def add(world: World, draw: random.Random, kind: str, name: str) -> None:
    """One resource of a kind, its fate, and its rows."""
    subject, who = reference(draw)
    written, day, at = moment(draw)
    one: dict[str, Any] = {"resourceType": kind, "id": name}
    one["patient" if kind == "Immunization" else "subject"] = subject
    if kind == "Encounter":
        one |= {"class": {"code": "AMB"}, "period": {"start": written}}
        fate = fate_of(draw, kind, one, who, day)
        if fate == "used":
            assert who is not None and day is not None
            world.visits[name] = who, day
            world.rows["visit", who, day, at, None, None, None] += 1
        put(world, draw, kind, one, fate)
        return
    one[DATED[kind]] = written
    visit = draw.choice([*sorted(world.visits), "e-nowhere"])
    if kind in ("Condition", "Observation", "Procedure") and draw.random() < 0.5:
        one[draw.choice(["encounter", "context"])] = {"reference": f"Encounter/{visit}"}
        came = world.visits.get(visit)
    else:
        came = None
    if kind == "Procedure" and draw.random() < 0.3:
        del one[DATED[kind]]
        day, at = None, None
    if day is None and came and kind != "Observation":
        day = came[1]  # without a day that can be read it is of its encounter's
    text = {"text": name}
    one |= {
        "Immunization": {"vaccineCode": text},
        "MedicationRequest": {"medicationCodeableConcept": text},
        "MedicationDispense": {"medicationCodeableConcept": text},
    }.get(kind, {"code": text})
    fate = fate_of(draw, kind, one, who, day)
    if kind == "MedicationDispense":
        order = draw.choice([*(f"r{i}" for i in range(8)), "r-nowhere"])
        one["authorizingPrescription"] = [{"reference": f"MedicationRequest/{order}"}]
        if order in world.orders and who is not None and "modifierExtension" not in one:
            fate = "unused"
    if kind == "MedicationRequest" and fate == "used":
        world.orders.add(name)
    stay = came[1] if came else None
    if kind == "Observation":
        rows = observed(draw, one, name)
        if fate == "used":
            for source, number, said, low in rows:
                world.rows["observation", who, day, at, source, (number, said, low), stay] += 1
    elif fate == "used":
        world.rows[TABLES[kind], who, day, None if TABLES[kind] == "drug" and at is None else at, name, None, stay] += 1
    put(world, draw, kind, one, fate)


def observed(draw: random.Random, one: dict[str, Any], name: str) -> list[Told]:
    """Gives an observation values; the rows that it tells."""
    told, number, said = value(draw)
    components = [(value(draw), draw.choice([None, 1.5])) for _ in range(draw.choice([0, 0, 1, 3]))]
    own = bool(draw.random() < 0.7 or not components)
    if own:
        one |= told
    shows = own and (number is not None or (said is not None and not said.startswith("absent")))
    rows: list[Told] = [(name, number, said, None)] if shows or not components else []
    listed = []
    for place, ((shape, n, s), low) in enumerate(components):
        text = f"{name}.{place}"
        listed.append(
            {"code": {"text": text}, **shape} | ({"referenceRange": [{"low": {"value": low}}]} if low else {})
        )
        rows.append((text, n, s, low))
    if components:
        one["component"] = listed
    one["category"] = [{"coding": [{"code": "laboratory"}]}]
    return rows


def put(world: World, draw: random.Random, kind: str, one: dict[str, Any], fate: str) -> None:
    """Writes a line to one of the files of a kind in the run at work, and now and then one that is no such resource."""
    name = f"{kind}.{len(world.runs)}{draw.choice(['a.ndjson', 'b.ndjson.gz'])}"
    lines = world.runs[-1].setdefault(name, [])
    if draw.random() < 0.1:
        other = "Basic" if kind != "Basic" else "List"
        odd = draw.choice(["", "{", "[1]", json.dumps(one | {"resourceType": other, "id": f"x{one['id']}"})])
        lines.append((odd, "rejected"))
    lines.append((json.dumps(one, ensure_ascii=False), fate))


def a_world(seed: int) -> World:
    draw = random.Random(seed)
    world = World()
    world.runs.append({"Patient.ndjson": [(json.dumps(patient(word)), "used") for word in PEOPLE]})
    for run in range(2):
        if run:
            world.runs.append({})
        for i in range(6 * run, 6 * run + 6):
            add(world, draw, "Encounter", f"e{i}")
        for kind, letter in (
            ("MedicationRequest", "r"), ("Condition", "c"), ("Observation", "o"), ("Procedure", "p"),
            ("Immunization", "i"), ("MedicationDispense", "d"),
        ):  # fmt: skip
            if kind == "MedicationRequest" and run:
                continue  # a later order would make a dispense of the first run unused: that is another test
            for i in range(12 * run, 12 * run + 12):
                add(world, draw, kind, f"{letter}{i}")
    return world


ROWS = """
WITH stay AS (SELECT visit_occurrence_id, visit_start_date::VARCHAR AS stay FROM visit_occurrence),
told AS (
SELECT 'visit' AS kind, person_id, visit_start_date AS day, visit_start_datetime AS moment, NULL AS source,
    NULL::DOUBLE AS number, NULL AS said, NULL::DOUBLE AS low, NULL::BIGINT AS visit_occurrence_id FROM visit_occurrence
UNION ALL SELECT 'condition', person_id, condition_start_date, condition_start_datetime, condition_source_value,
    NULL, NULL, NULL, visit_occurrence_id FROM condition_occurrence
UNION ALL SELECT 'procedure', person_id, procedure_date, procedure_datetime, procedure_source_value,
    NULL, NULL, NULL, visit_occurrence_id FROM procedure_occurrence
UNION ALL SELECT 'drug', person_id, drug_exposure_start_date, drug_exposure_start_datetime, drug_source_value,
    NULL, NULL, NULL, visit_occurrence_id FROM drug_exposure
UNION ALL SELECT 'observation', person_id, measurement_date, measurement_datetime, measurement_source_value,
    value_as_number, value_source_value, range_low, visit_occurrence_id FROM measurement)
SELECT kind, year_of_birth, day::VARCHAR AS day, moment::VARCHAR AS moment, source, number, said, low, stay
FROM told JOIN person USING (person_id) LEFT JOIN stay USING (visit_occurrence_id)
"""


def made(result: Standardized) -> Counter[tuple[Any, ...]]:
    people = {year: word for word, year in BORN.items()}
    return Counter(
        (
            row["kind"], people[row["year_of_birth"]], row["day"], row["moment"], row["source"],
            (row["number"], row["said"], row["low"]) if row["kind"] == "observation" else None, row["stay"],
        )
        for row in result.sql(ROWS).to_pylist()
    )  # fmt: skip


def fates(result: Standardized) -> list[Path]:
    return list(result.version.companion["fates"].paths)


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(12))
def test_every_line_has_its_fate_and_every_record_its_place(tmp_path: Path, seed: int) -> None:
    world, source = a_world(seed), tmp_path / "in"
    source.mkdir()
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("world")
    result = None
    for files in world.runs:
        for name, lines in files.items():
            data = "".join(f"{line}\n" for line, _ in lines).encode()
            (source / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        first = next(iter(files))
        (source / first.replace(".ndjson", ".z.ndjson", 1)).write_bytes((source / first).read_bytes())
        result = standardize(
            "fhir-r4", source, starter_path(), into, key=b"sixteen bytes or more",
            parameters={"base": BASE, "timezone": "Asia/Seoul"},
        )  # fmt: skip
    assert result is not None
    assert made(result) == world.rows
    expected = {
        (name, n): fate for run in world.runs for name, lines in run.items() for n, (_, fate) in enumerate(lines, 1)
    }
    assert sum(lines for _, lines, *_ in result.report.sources.values()) == len(expected)
    with Engine() as engine:
        tracer = Tracer(result.version, engine)
        number = {file.name: file.number for file in tracer.files}
        kept = engine.query(f"SELECT file, line, fate FROM read_parquet({quote_paths(fates(result))})").to_pylist()
        told = {(row["file"], row["line"]): row["fate"] for row in kept}
        assert {place: told.get((number[place[0]], place[1]), "used") for place in expected} == expected
        for name, line in sorted(expected)[::9]:
            fate = tracer.fate(number[name], line)
            assert (fate[0] if fate else "used") == expected[name, line]
            if expected[name, line] != "used":
                assert not list(tracer.made_by(number[name], line)), (name, line)
