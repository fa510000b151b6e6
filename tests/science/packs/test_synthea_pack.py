"""The Synthea pack on a real export of 27 synthetic people, compared with plain Python over the same files."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from plain_vocabulary import KEY, TABLE_OF_DOMAIN, PlainVocabulary, event_rows, pseudonym, rows, texts_in

from madang.lake import Lake
from madang.science.standardize import Standardized, standardize
from support import shared_data

EXTRACT = date(2024, 2, 29)
SUMS_OF_A_LIFE = ("QALY", "DALY", "QOLS")
STREET = "56799-0"


@pytest.fixture(scope="module")
def source() -> Path:
    return shared_data("synthea-csv")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synthea")


@pytest.fixture(scope="module")
def result(source: Path, home: Path) -> Standardized:
    into = Lake(home / "lake", home / "restricted").dataset("synthea")
    return standardize("synthea-csv", source, shared_data("vocabulary"), into, key=KEY, threads=2)


def test_every_line_is_accounted_for(source: Path, result: Standardized) -> None:
    for path in source.glob("*.csv"):
        files, lines, used, rejected, unused = result.report.sources[path.stem]
        assert (files, lines) == (1, len(rows(path)))
        assert used + rejected + unused == lines
        assert rejected == 0
    unused = {(reason.source, reason.reason): reason.lines for reason in result.report.reasons}
    assert unused == {
        ("claims", "its money is taken from encounters and medications"): 1267,
        ("claims_transactions", "its money is taken from encounters and medications"): 5228,
        ("imaging_studies", "its procedure is in procedures.csv"): 1,
        ("observations", "sum over a life, kept by the simulator"): 75,
        ("payer_transitions", "no insurance"): 258,
        ("payers", "joined by no row that made something"): 2,
    }


def test_rows_per_table(result: Standardized) -> None:
    """One row per line of patients, encounters, ..., as counted in the files; events by the twin below."""
    tables = result.report.tables
    assert (tables["person"], tables["visit_occurrence"], tables["provider"], tables["care_site"]) == (27, 604, 166, 63)
    assert (tables["death"], tables["drug_exposure"], tables["device_exposure"]) == (2, 663 + 29, 3 + 72)
    assert tables["cost"] == 604 + 663
    events = sum(tables[table] for table in TABLE_OF_DOMAIN.values())
    assert events == 438 + 40 + 663 + 29 + 249 + (990 - 75) + 49 + 3 + 72


def expected_events(source: Path) -> Iterator[tuple[str, str, str]]:
    """(person, start, vocabulary, code, domain if unmapped, source value) of every record, file by file."""
    for row in rows(source / "conditions.csv"):
        yield row["PATIENT"], row["START"], "SNOMED", row["CODE"], "Condition", row["CODE"]
    for row in rows(source / "procedures.csv"):
        yield row["PATIENT"], row["START"], "SNOMED", row["CODE"], "Procedure", row["CODE"]
    for row in rows(source / "medications.csv"):
        yield row["PATIENT"], row["START"], "RxNorm", row["CODE"], "Drug", row["CODE"]
    for row in rows(source / "immunizations.csv"):
        yield row["PATIENT"], row["DATE"], "CVX", row["CODE"], "Drug", row["CODE"]
    for row in rows(source / "careplans.csv"):
        yield row["PATIENT"], row["START"], "SNOMED", row["CODE"], "Procedure", row["CODE"]
    for row in rows(source / "devices.csv"):
        yield row["PATIENT"], row["START"], "SNOMED", row["CODE"], "Device", row["CODE"]
    for row in rows(source / "supplies.csv"):
        yield row["PATIENT"], row["DATE"], "SNOMED", row["CODE"], "Device", row["CODE"]
    for row in rows(source / "observations.csv"):
        domain = "Measurement" if row["CATEGORY"] in ("laboratory", "vital-signs") else "Observation"
        if row["CODE"] not in SUMS_OF_A_LIFE:
            yield row["PATIENT"], row["DATE"], "LOINC", row["CODE"], domain, row["CODE"]
    general = {"medication": "416098002", "food": "414285001", "environment": "426232007"}
    for row in rows(source / "allergies.csv"):
        yield row["PATIENT"], row["START"], "SNOMED", general[row["CATEGORY"]], "Observation", row["CODE"]


def test_mapping_and_routing_agree_with_plain_python(source: Path, result: Standardized) -> None:
    vocabulary = PlainVocabulary(shared_data("vocabulary"))
    expected = Counter(
        (table, pseudonym(person), start[:10], concept, source_concept, value)
        for person, start, vocabulary_id, code, domain, value in expected_events(source)
        for table, concept, source_concept in vocabulary.places(vocabulary_id, code, domain)
    )
    got = Counter(row for table in TABLE_OF_DOMAIN.values() for row in event_rows(result, table))
    assert got == expected
    assert len({table for table, *_ in expected}) == len(TABLE_OF_DOMAIN), "every table is exercised"
    assert (
        sum(1 for _, _, _, concept, source_concept, _ in expected if concept != source_concept and source_concept) > 5
    )


def test_conditions_of_one_boy(result: Standardized) -> None:
    """Read off conditions.csv and CONCEPT.csv by eye: a sore throat in January 2023, its days from the file."""
    found = result.sql(
        "SELECT condition_concept_id, condition_start_date, condition_end_date, condition_type_concept_id "
        "FROM condition_occurrence JOIN person USING (person_id) "
        f"WHERE person_source_value = '{pseudonym('3edac2e3-d223-6fae-d515-daf96ef6bc76')}'"
    ).to_pylist()
    assert [tuple(row.values()) for row in found] == [(4112343, date(2023, 1, 27), date(2023, 2, 9), 32817)]


def test_values_of_observations(source: Path, result: Standardized) -> None:
    def number(row: dict[str, str]) -> float | None:
        return float(row["VALUE"]) if row["TYPE"] == "numeric" else None

    expected = Counter(
        (
            pseudonym(row["PATIENT"]),
            row["DATE"][:10],
            row["CODE"],
            number(row),
            "" if row["CODE"] == STREET else row["VALUE"][:50],
        )
        for row in rows(source / "observations.csv")
        if row["CODE"] not in SUMS_OF_A_LIFE
    )
    got = Counter()
    for table in ("measurement", "observation"):
        answer = result.sql(
            f"SELECT person_source_value, {table}_date::VARCHAR, {table}_source_value, value_as_number, "
            f"coalesce(value_source_value, '') FROM {table} JOIN person USING (person_id) "
            f"WHERE {table}_source_value LIKE '%-_'"
        )
        got.update(tuple(row.values()) for row in answer.to_pylist())
    assert got == expected


def test_visits(source: Path, result: Standardized) -> None:
    kinds = {
        "inpatient": 9201,
        "ambulatory": 9202,
        "outpatient": 9202,
        "wellness": 9202,
        "emergency": 9203,
        "urgentcare": 8782,
    }
    expected = Counter(
        (
            pseudonym(row["PATIENT"]),
            kinds[row["ENCOUNTERCLASS"]],
            row["START"][:10],
            row["STOP"][:10],
            pseudonym(row["PROVIDER"]),
        )
        for row in rows(source / "encounters.csv")
    )
    got = result.sql(
        "SELECT person_source_value, visit_concept_id, visit_start_date::VARCHAR, visit_end_date::VARCHAR, "
        "provider_source_value FROM visit_occurrence v JOIN person USING (person_id) "
        "JOIN provider ON provider.provider_id = v.provider_id"
    )
    assert Counter(tuple(row.values()) for row in got.to_pylist()) == expected
    outside = result.sql("SELECT count(*) AS n FROM condition_occurrence WHERE visit_occurrence_id IS NULL")
    assert outside["n"].to_pylist() == [0]


def test_drugs_end(source: Path, result: Standardized) -> None:
    died = {row["Id"]: row["DEATHDATE"] for row in rows(source / "patients.csv")}
    expected = Counter()
    for row in rows(source / "medications.csv"):
        start, end = date.fromisoformat(row["START"][:10]), row["STOP"][:10]
        if not end:
            until = [start + timedelta(30 * int(row["DISPENSES"]) - 1), EXTRACT]
            until += [date.fromisoformat(died[row["PATIENT"]])] if died[row["PATIENT"]] else []
            end = max(start, min(until)).isoformat()
        expected[
            pseudonym(row["PATIENT"]),
            row["CODE"],
            str(start),
            end,
            float(row["BASE_COST"]),
            float(row["PAYER_COVERAGE"]),
        ] += 1
    got = result.sql(
        "SELECT person_source_value, drug_source_value, drug_exposure_start_date::VARCHAR, "
        "drug_exposure_end_date::VARCHAR, total_charge, paid_by_payer FROM drug_exposure JOIN person USING (person_id) "
        "JOIN cost ON cost_domain_id = 'Drug' AND cost_event_id = drug_exposure_id"
    )
    assert Counter(tuple(row.values()) for row in got.to_pylist()) == expected


def test_each_dollar_once(source: Path, result: Standardized) -> None:
    (sums,) = result.sql(
        "SELECT sum(total_charge) AS charged, sum(paid_by_payer) AS paid, "
        "count(*) FILTER (currency_concept_id = 44818668) AS dollars FROM cost"
    ).to_pylist()
    visits, drugs = rows(source / "encounters.csv"), rows(source / "medications.csv")
    charged = [float(row["TOTAL_CLAIM_COST"]) for row in visits] + [float(row["BASE_COST"]) for row in drugs]
    assert sums["charged"] == pytest.approx(sum(charged))
    assert sums["paid"] == pytest.approx(sum(float(row["PAYER_COVERAGE"]) for row in visits + drugs))
    assert sums["dollars"] == len(charged)


def test_insurance(source: Path, result: Standardized) -> None:
    names = {row["Id"]: row["NAME"] for row in rows(source / "payers.csv")}
    died = {row["Id"]: row["DEATHDATE"] for row in rows(source / "patients.csv")}
    periods: list[list[str]] = []  # person, payers, begin, the day after the end
    given = rows(source / "payer_transitions.csv")
    for row in sorted(
        given, key=lambda r: (r["PATIENT"], r["PAYER"], r["SECONDARY_PAYER"], r["START_YEAR"], r["END_YEAR"])
    ):
        begin, after = row["START_YEAR"][:10], row["END_YEAR"][:10]
        who = [row["PATIENT"], row["PAYER"], row["SECONDARY_PAYER"]]
        if names[row["PAYER"]] == "NO_INSURANCE":
            continue
        if periods and periods[-1][:3] == who and periods[-1][4] == begin:
            periods[-1][4] = after
        else:
            periods.append([*who, begin, after])
    expected = Counter()
    for person, payer, _, begin, after in periods:
        last = min(date.fromisoformat(after) - timedelta(1), EXTRACT, date.fromisoformat(died[person] or "9999-12-31"))
        expected[pseudonym(person), names[payer], begin, max(begin, last.isoformat())] += 1
    got = result.sql(
        "SELECT person_source_value, payer_source_value, payer_plan_period_start_date::VARCHAR, "
        "payer_plan_period_end_date::VARCHAR FROM payer_plan_period JOIN person USING (person_id)"
    )
    assert Counter(tuple(row.values()) for row in got.to_pylist()) == expected


def test_nothing_that_names_a_person_is_in_any_file(source: Path, home: Path, result: Standardized) -> None:
    named = {
        row[column]
        for row in rows(source / "patients.csv")
        for column in (
            "Id",
            "SSN",
            "DRIVERS",
            "PASSPORT",
            "FIRST",
            "LAST",
            "MAIDEN",
            "BIRTHPLACE",
            "ADDRESS",
            "LAT",
            "LON",
        )
    }
    named |= {row["Id"] for row in rows(source / "encounters.csv")}
    named |= {row["NAME"] for row in rows(source / "providers.csv")}
    named |= {row["OWNERNAME"] for row in rows(source / "payer_transitions.csv")}
    named |= {row["VALUE"] for row in rows(source / "observations.csv") if row["CODE"] == STREET}
    named -= {""}
    assert len(named) > 900
    kept = texts_in(home)
    assert pseudonym("3edac2e3-d223-6fae-d515-daf96ef6bc76") in kept, "texts of the companion are looked at, too"
    assert named.isdisjoint(kept)
    everything = "\n".join(kept)
    assert [name for name in named if len(name) > 5 and name in everything] == []
