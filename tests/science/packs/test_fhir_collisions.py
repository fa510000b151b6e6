"""Generated exports in which all that can collide does, beside plain Python: person by person, value by value.

Ids are the same few words for every type, numbers of patients are ids of others, references go to other types and
servers, versions of one resource lie in several files and runs, offsets are mixed, units of supply are words, and
numbers sit at the edges of their types.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

BASE, SEOUL = "https://here.org/r4", timezone(timedelta(hours=9))
IDS = ("1", "2", "3")
SYSTEMS = ("urn:a", "urn:b", None)
NUMBERS = (0.1, 120, 2**53 - 1, 1e-7, -5, 0.775)
UNITS = {"d": 1, "wk": 7, "mo": 30, "days": 1, "weeks": 7, "주": 7}
FORMS = ("relative", "version", "absolute", "foreign", "other type", "urn", "search", "logical", "bare")


@dataclass
class World:
    """What a draw wrote: patients by id with year of birth and identifier, and resources by kind, id and version."""

    patients: dict[str, tuple[int, str | None, str]] = field(default_factory=dict)
    resources: dict[tuple[str, str], tuple[int, dict[str, Any], tuple[Any, ...]]] = field(default_factory=dict)
    runs: list[dict[str, list[dict[str, Any]]]] = field(default_factory=list)

    def named(self, form: str, word: str, system: str | None) -> int | None:
        """The year of birth of the patient that a reference names, by the rules as they are written."""
        if form in ("relative", "version", "absolute", "urn"):
            return self.patients[word][0] if word in self.patients else None
        if form in ("search", "logical"):
            exact = [
                year for year, s, value in self.patients.values() if value == word and (system is None or s == system)
            ]
            return exact[0] if len(exact) == 1 else None
        return None


def reference(form: str, word: str, system: str | None) -> dict[str, Any]:
    token = word if system is None else f"{system}|{word}"
    logical = {"value": word} | ({"system": system} if system else {})
    return {
        "relative": {"reference": f"Patient/{word}"},
        "version": {"reference": f"Patient/{word}/_history/7"},
        "absolute": {"reference": f"{BASE}/Patient/{word}"},
        "foreign": {"reference": f"https://there.org/r4/Patient/{word}"},
        "other type": {"reference": f"Practitioner/{word}"},
        "urn": {"reference": f"urn:uuid:{word}"},
        "search": {"reference": f"Patient?identifier={token}"},
        "logical": {"identifier": logical, "type": "Patient"},
        "bare": {"reference": word},
    }[form]


def moment(draw: st.DrawFn) -> tuple[str, str]:
    """A moment as some offset writes it, and its day in Seoul."""
    local = datetime(2021, 2, 3, tzinfo=SEOUL) + timedelta(minutes=draw(st.integers(0, 3000)))
    offset = draw(st.sampled_from([SEOUL, UTC, timezone(timedelta(hours=-5))]))
    written = local.astimezone(offset).isoformat()
    return (written.replace("+00:00", "Z") if offset is UTC else written), local.date().isoformat()


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    first: list[dict[str, Any]] = []
    for number, word in enumerate(draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True))):
        system, value = draw(st.sampled_from(SYSTEMS)), draw(st.sampled_from(IDS))
        world.patients[word] = (1950 + number, system, value)
        identifier = {"value": value} | ({"system": system} if system else {})
        first.append(
            {"resourceType": "Patient", "id": word, "identifier": [identifier], "birthDate": str(1950 + number)}
        )
    world.runs.append({"Patient": first})
    for serial in range(draw(st.integers(1, 10))):
        kind, identity = draw(st.sampled_from(["Observation", "MedicationRequest"])), draw(st.sampled_from("abcd"))
        form, word = draw(st.sampled_from(FORMS)), draw(st.sampled_from(IDS))
        system = draw(st.sampled_from(SYSTEMS))
        written, day = moment(draw)
        who = world.named(form, word, system)
        one = {"resourceType": kind, "id": identity, "subject": reference(form, word, system)}
        one["meta"] = {"lastUpdated": f"2021-01-01T00:00:{serial:02}Z"}
        if kind == "Observation":
            number = draw(st.sampled_from(NUMBERS))
            one |= {"code": {"text": "x"}, "effectiveDateTime": written, "valueQuantity": {"value": number}}
            truth: tuple[Any, ...] = (kind, who, day, float(number))
        else:
            unit, amount = draw(st.sampled_from(sorted(UNITS))), draw(st.integers(1, 9))
            supply = {"value": amount, "unit": unit}
            one |= {"authoredOn": written, "medicationCodeableConcept": {"text": "y"}, "intent": "order"}
            one |= {"dispenseRequest": {"expectedSupplyDuration": supply}}
            truth = (kind, who, day, amount * UNITS[unit])
        world.resources[kind, identity] = (serial, one, truth)
        if draw(st.booleans()) and len(world.runs) < 3:
            world.runs.append({})
        world.runs[-1].setdefault(f"{kind}.{serial}", []).append(one)
    return world


def found(result: Standardized) -> Counter[tuple[Any, ...]]:
    sql = (
        "SELECT 'Observation' AS kind, year_of_birth, observation_date::VARCHAR AS day, value_as_number AS value "
        "FROM observation JOIN person USING (person_id) UNION ALL "
        "SELECT 'MedicationRequest', year_of_birth, drug_exposure_start_date::VARCHAR, days_supply "
        "FROM drug_exposure JOIN person USING (person_id)"
    )
    return Counter(tuple(row.values()) for row in result.sql(sql).to_pylist())


@settings(deadline=None, max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(worlds())
def test_whatever_collides_everything_is_whose_it_is(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    folder = tmp_path_factory.mktemp("world")
    into = Lake(folder / "lake", folder / "restricted").dataset("world")
    source = Path(folder / "in")
    source.mkdir()
    result = None
    for files in world.runs:
        for name, lines in files.items():
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            (source / f"{name}.ndjson").write_text(text, encoding="utf-8")
        result = standardize(
            "fhir-r4", source, starter_path(), into, key=b"sixteen bytes or more",
            parameters={"base": BASE, "timezone": "Asia/Seoul"},
        )  # fmt: skip
    assert result is not None
    expected = Counter(truth for _, _, truth in world.resources.values() if truth[1] is not None)
    assert found(result) == expected
    for _, lines, used, rejected, unused in result.report.sources.values():
        assert lines == used + rejected + unused
