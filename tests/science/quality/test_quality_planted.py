"""In a model without a fault one error of every kind is planted: it is found with its rows, and nothing else is."""

from dataclasses import dataclass

import pytest

from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_name
from madang.science.omop import cdm
from madang.science.quality import assess, default_checks
from madang.science.quality.checks import KINDS
from madang.science.quality.rows import find

# Concepts have made-up names; what they are (domain, class, standard) is what the checks ask.
CONCEPTS = {
    0: "Metadata Undefined N",
    8507: "Gender Gender S",
    8532: "Gender Gender S",
    8527: "Race Race S",
    38003564: "Ethnicity Ethnicity S",
    9201: "Visit Visit S",
    32817: "Type_Concept Type S",
    756265: "Metadata CDM S",
    100: "Condition Finding S",
    101: "Condition Finding N",  # once standard, no more
    26662: "Condition Finding S",  # of men only
    4090861: "Condition Finding S",  # of men only, with all below it
    102: "Condition Finding S",  # below that
    200: "Drug Ingredient S",
    201: "Drug Product S",
    3006315: "Measurement Test S",  # in a few units only
    8784: "Unit Unit S",
    9529: "Unit Unit S",
}
DAY = "DATE '2020-03-02'"
MODEL = {
    "cdm_source": f"""SELECT 'Planted' AS cdm_source_name, 'P' AS cdm_source_abbreviation, 'us' AS cdm_holder,
        {DAY} AS source_release_date, {DAY} AS cdm_release_date, '5.4' AS cdm_version,
        756265 AS cdm_version_concept_id, 'v' AS vocabulary_version""",
    "person": """SELECT range + 1 AS person_id, CASE range WHEN 0 THEN 8507 ELSE 8532 END AS gender_concept_id,
        1960 AS year_of_birth, 5 AS month_of_birth, 6 AS day_of_birth, TIMESTAMP '1960-05-06' AS birth_datetime,
        8527 AS race_concept_id, 38003564 AS ethnicity_concept_id FROM range(3)""",
    "observation_period": f"""SELECT person_id AS observation_period_id, person_id, DATE '2020-01-01' AS
        observation_period_start_date, {DAY} AS observation_period_end_date, 32817 AS period_type_concept_id
        FROM person""",
    "visit_occurrence": f"""SELECT person_id * 10 AS visit_occurrence_id, person_id, 9201 AS visit_concept_id,
        DATE '2020-03-01' AS visit_start_date, {DAY} AS visit_end_date, 32817 AS visit_type_concept_id FROM person""",
    "condition_occurrence": f"""SELECT person_id * 100 AS condition_occurrence_id, person_id, 100 AS
        condition_concept_id, {DAY} AS condition_start_date, {DAY} AS condition_end_date, 32817 AS
        condition_type_concept_id, person_id * 10 AS visit_occurrence_id, 'c' AS condition_source_value,
        101 AS condition_source_concept_id FROM person""",
    "condition_era": f"""SELECT person_id AS condition_era_id, person_id, 100 AS condition_concept_id, {DAY} AS
        condition_era_start_date, {DAY} AS condition_era_end_date, 1 AS condition_occurrence_count FROM person""",
    "drug_era": f"""SELECT person_id AS drug_era_id, person_id, 200 AS drug_concept_id, {DAY} AS drug_era_start_date,
        {DAY} AS drug_era_end_date, 1 AS drug_exposure_count, 0 AS gap_days FROM person""",
    "measurement": f"""SELECT person_id * 1000 AS measurement_id, person_id, 3006315 AS measurement_concept_id,
        {DAY} AS measurement_date, 32817 AS measurement_type_concept_id, 1.5 AS value_as_number,
        8784 AS unit_concept_id, person_id * 10 AS visit_occurrence_id FROM person""",
    "death": f"SELECT 3 AS person_id, {DAY} AS death_date, 32817 AS death_type_concept_id",
    "concept_ancestor": """SELECT 4090861 AS ancestor_concept_id, 102 AS descendant_concept_id,
        1 AS min_levels_of_separation, 1 AS max_levels_of_separation""",
    "concept": "SELECT * FROM (VALUES "
    + ", ".join(
        f"({number}, 'made up {number}', '{domain}', 'None', '{kind}', "
        f"{'NULL' if standard == 'N' else repr(standard)}, '{number}', DATE '1970-01-01', DATE '2099-12-31')"
        for number, (domain, kind, standard) in (
            (number, [word.replace("_", " ") for word in words.split()]) for number, words in CONCEPTS.items()
        )
    )
    + """) t(concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code,
        valid_start_date, valid_end_date)""",
}


@dataclass(frozen=True)
class Planted:
    """An error: SQL that makes it, the check that must find it, the keys of its rows (None: it has no rows), and
    identifiers of other checks that this very error breaks as well."""

    sql: str
    check: str
    keys: tuple[int, ...] | None
    also: tuple[str, ...] = ()


CONDITION = "UPDATE condition_occurrence SET {} WHERE condition_occurrence_id = 200"
PLANTED = {
    "cdmTable": Planted("DROP TABLE specimen", "table_cdmtable_specimen", None, ("field_cdmfield_specimen_*",)),
    "cdmField": Planted("ALTER TABLE person DROP COLUMN provider_id", "field_cdmfield_person_provider_id", None),
    "measurePersonCompleteness": Planted(
        "DELETE FROM observation_period WHERE person_id = 2", "table_measurepersoncompleteness_observation_period", (2,)
    ),
    "measureConditionEraCompleteness": Planted(
        "DELETE FROM condition_era WHERE person_id = 2",
        "table_measureconditioneracompleteness_condition_era",
        (2,),
        ("table_measurepersoncompleteness_condition_era",),
    ),
    "measureObservationPeriodOverlap": Planted(
        "INSERT INTO observation_period BY NAME SELECT * REPLACE (9 AS observation_period_id) FROM observation_period "
        "WHERE person_id = 2",
        "table_measureobservationperiodoverlap_observation_period",
        (2,),
    ),
    "isRequired": Planted(
        "UPDATE visit_occurrence SET visit_type_concept_id = NULL WHERE visit_occurrence_id = 20",
        "field_isrequired_visit_occurrence_visit_type_concept_id",
        (20,),
        ("field_measurevaluecompleteness_visit_occurrence_visit_type_concept_id",),
    ),
    "cdmDatatype": Planted(
        "ALTER TABLE person ALTER year_of_birth TYPE VARCHAR; UPDATE person SET year_of_birth = '1960.5' WHERE "
        "person_id = 2",
        "field_cdmdatatype_person_year_of_birth",
        (2,),
    ),
    "isPrimaryKey": Planted(
        "UPDATE condition_era SET condition_era_id = 1 WHERE condition_era_id = 2",
        "field_isprimarykey_condition_era_condition_era_id",
        (1, 1),
    ),
    "isForeignKey": Planted(
        CONDITION.format("visit_occurrence_id = 77"),
        "field_isforeignkey_condition_occurrence_visit_occurrence_id",
        (200,),
    ),
    "fkDomain": Planted(
        CONDITION.format("condition_concept_id = 3006315"),
        "field_fkdomain_condition_occurrence_condition_concept_id",
        (200,),
    ),
    "fkClass": Planted(
        "UPDATE drug_era SET drug_concept_id = 201 WHERE drug_era_id = 2",
        "field_fkclass_drug_era_drug_concept_id",
        (2,),
    ),
    "isStandardValidConcept": Planted(
        CONDITION.format("condition_concept_id = 101"),
        "field_isstandardvalidconcept_condition_occurrence_condition_concept_id",
        (200,),
    ),
    "measureValueCompleteness": Planted(
        "UPDATE condition_occurrence SET condition_end_date = NULL WHERE condition_occurrence_id = 200",
        "field_measurevaluecompleteness_condition_occurrence_condition_end_date",
        (200,),
    ),
    "standardConceptRecordCompleteness": Planted(
        "UPDATE visit_occurrence SET visit_concept_id = 0 WHERE visit_occurrence_id = 20",
        "field_standardconceptrecordcompleteness_visit_occurrence_visit_concept_id",
        (20,),
        ("field_sourcevaluecompleteness_visit_occurrence_visit_source_value",),
    ),
    "sourceConceptRecordCompleteness": Planted(
        CONDITION.format("condition_source_concept_id = 0"),
        "field_sourceconceptrecordcompleteness_condition_occurrence_condition_source_concept_id",
        (200,),
    ),
    "sourceValueCompleteness": Planted(
        CONDITION.format("condition_concept_id = 0, condition_source_value = 'd'"),
        "field_sourcevaluecompleteness_condition_occurrence_condition_source_value",
        None,
        ("field_standardconceptrecordcompleteness_condition_occurrence_condition_concept_id",),
    ),
    "plausibleValueLow": Planted(
        "UPDATE drug_era SET gap_days = -1 WHERE drug_era_id = 2", "field_plausiblevaluelow_drug_era_gap_days", (2,)
    ),
    "plausibleValueHigh": Planted(
        "UPDATE person SET month_of_birth = 13 WHERE person_id = 2",
        "field_plausiblevaluehigh_person_month_of_birth",
        (2,),
    ),
    "plausibleTemporalAfter": Planted(
        "UPDATE visit_occurrence SET visit_start_date = DATE '2020-03-03' WHERE visit_occurrence_id = 20",
        "field_plausibletemporalafter_visit_occurrence_visit_end_date",
        (20,),
        ("field_plausiblestartbeforeend_visit_occurrence_visit_start_date",),
    ),
    "plausibleDuringLife": Planted(
        "UPDATE condition_era SET condition_era_start_date = DATE '2020-06-01', condition_era_end_date = "
        "DATE '2020-06-01' WHERE condition_era_id = 3",
        "field_plausibleduringlife_condition_era_condition_era_start_date",
        (3,),
        ("field_plausibleduringlife_condition_era_*", "field_plausiblebeforedeath_condition_era_*"),
    ),
    "withinVisitDates": Planted(
        "UPDATE measurement SET measurement_date = DATE '2020-05-01' WHERE person_id = 2",
        "field_withinvisitdates_measurement_measurement_date",
        (2000,),
    ),
    "plausibleAfterBirth": Planted(
        "UPDATE condition_era SET condition_era_start_date = DATE '1959-12-01' WHERE condition_era_id = 2",
        "field_plausibleafterbirth_condition_era_condition_era_start_date",
        (2,),
        ("field_plausibletemporalafter_condition_era_condition_era_start_date",),
    ),
    "plausibleBeforeDeath": Planted(
        "UPDATE condition_era SET condition_era_end_date = DATE '2020-06-01' WHERE condition_era_id = 3",
        "field_plausiblebeforedeath_condition_era_condition_era_end_date",
        (3,),
        ("field_plausibleduringlife_condition_era_condition_era_end_date",),
    ),
    "plausibleStartBeforeEnd": Planted(
        "UPDATE condition_era SET condition_era_start_date = DATE '2020-03-03' WHERE condition_era_id = 2",
        "field_plausiblestartbeforeend_condition_era_condition_era_start_date",
        (2,),
        ("field_plausibletemporalafter_condition_era_condition_era_end_date",),
    ),
    "plausibleGender": Planted(
        CONDITION.format("condition_concept_id = 26662"),
        "concept_plausiblegender_condition_occurrence_condition_concept_id_26662",
        (200,),
    ),
    "plausibleGenderUseDescendants": Planted(
        CONDITION.format("condition_concept_id = 102"),
        "concept_plausiblegenderusedescendants_condition_occurrence_condition_concept_id_4090861,4025213",
        (200,),
    ),
    "plausibleUnitConceptIds": Planted(
        "UPDATE measurement SET unit_concept_id = 9529 WHERE measurement_id = 2000",
        "concept_plausibleunitconceptids_measurement_measurement_concept_id_3006315",
        (2000,),
    ),
}
CHECKS = {check.id: check for check in default_checks()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Version, dict[str, int | None]]:
    """The model without a fault, and what each check counts on it."""
    lake = Lake(tmp_path_factory.mktemp("lake"), tmp_path_factory.mktemp("restricted"))
    version = written(lake, "")
    return version, counted(version)


def written(lake: Lake, plant: str) -> Version:
    """The next version: the model, with an error planted by SQL."""
    dataset = lake.dataset("planted")
    parent = dataset.version() if dataset.exists else None
    with Engine() as engine, dataset.write(parent) as writer:
        for table in cdm.TABLES.values():
            columns = ", ".join(f"NULL::{cdm.duckdb_type(field)} AS {quote_name(field.name)}" for field in table.fields)
            engine.execute(f"CREATE TABLE {table.name} AS SELECT {columns} WHERE false")
        for name, sql in MODEL.items():
            engine.execute(f"INSERT INTO {name} BY NAME {sql}")
        if plant:
            engine.execute(plant)
        for (name,) in engine.rows("SELECT table_name FROM duckdb_tables()"):
            path = writer.new_file(name)
            engine.copy_to_parquet(f"FROM {name}", path)
            writer.add(name, path)
        return writer.commit("import", {})


def counted(version: Version) -> dict[str, int | None]:
    return {result.check.id: result.violated for result in assess(version).results}


def matches(check: str, names: tuple[str, ...]) -> bool:
    return any(check == name or (name.endswith("*") and check.startswith(name[:-1])) for name in names)


def test_every_kind_of_check_has_its_error() -> None:
    assert set(PLANTED) == set(KINDS)
    assert {kind: CHECKS[planted.check].name for kind, planted in PLANTED.items()} == {kind: kind for kind in PLANTED}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kind", sorted(PLANTED))
def test_a_planted_error_is_found_with_its_rows_and_nothing_else_is(
    sound: tuple[Version, dict[str, int | None]], kind: str
) -> None:
    before, planted = sound[1], PLANTED[kind]
    version = written(sound[0].dataset.lake, planted.sql)
    after = counted(version)
    more = {check for check, violated in after.items() if (violated or 0) > (before[check] or 0)}
    assert planted.check in more
    assert {check for check in more - {planted.check} if not matches(check, planted.also)} == set()
    if planted.keys is not None:
        found = find(version, CHECKS[planted.check])
        assert tuple(found.column(0).to_pylist()) == planted.keys


def test_the_model_without_a_fault_fails_only_where_nobody_has_records(
    sound: tuple[Version, dict[str, int | None]],
) -> None:
    bad = {result.check.id for result in assess(sound[0]).results if result.status in ("failed", "error")}
    empty = ("drug_exposure", "procedure_occurrence", "observation")
    assert bad == {f"table_measurepersoncompleteness_{table}" for table in empty}
