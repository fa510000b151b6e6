"""How an event becomes a row of the CDM: one expression per field and table, as data.

Expressions read `e` (the event, columns as in docs/architecture.md), `t` (one target of its code: `source_concept_id`,
`target_concept_id`, `value_as_concept_id`, `k`), and the mapped side codes `unit`, `valued`, `routed`
(each with `target_concept_id` and `source_concept_id`). Fields that are not named here stay NULL.
"""

from types import MappingProxyType

from madang.science.omop.cdm import DOMAIN_TABLES

# Where an event goes by the domain of its standard concept; those not named go to OBSERVATION, as the CDM's
# conventions say for facts without a table of their own. A visit is an entity, so an event cannot make one.
TABLE_OF_DOMAIN = MappingProxyType({domain: table for domain, table in DOMAIN_TABLES.items() if domain != "Visit"})
EVENT_TABLES = tuple(TABLE_OF_DOMAIN.values())

CONDITION_STATUS = MappingProxyType(
    {
        "primary": 32902,
        "secondary": 32908,
        "admission": 32890,
        "discharge": 32896,
        "preliminary": 32899,
        "confirmed": 32893,
    }
)
OPERATORS = MappingProxyType({"<": 4171756, "<=": 4171754, "=": 4172703, ">=": 4171755, ">": 4172704})

# PostgreSQL's CDM counts characters, so Korean text is cut by characters too, never by bytes.
SHORT, LONG = 50, 60
WIDTHS = MappingProxyType(
    {"source_value": SHORT, "status": SHORT, "route": SHORT, "unit": SHORT, "value": SHORT, "lot_number": SHORT}
    | {"stop_reason": 20, "unique_device_id": 255}
)
"""The most characters of each text of an event; what is longer is cut, and counted."""
MOST_DAYS, MANY_DAYS = 36_525, 3_660
"""Days of supply that are taken for such: more are kept as they are, but make no exposure longer; and those that
are told as many."""


def _case(column: str, mapping: "MappingProxyType[str, int]", otherwise: str) -> str:
    whens = " ".join(f"when '{text}' then {concept}" for text, concept in mapping.items())
    return f"case {column} {whens} else {otherwise} end"


def _short(column: str, length: int = SHORT) -> str:
    return f"left({column}, {length})"


def _finite(column: str) -> str:
    """A number, or null: a cast of `NaN` and `inf` gives what makes every mean of the column none."""
    return f"case when isfinite({column}) then {column} end"


_STATUS = _case("e.status", CONDITION_STATUS, "case when e.status is not null then 0 end")
_OPERATOR = _case("e.value_operator", OPERATORS, "NULL")
_VALUE_CONCEPT = (
    "coalesce(t.value_as_concept_id, valued.target_concept_id, case when e.value_code is not null then 0 end)"
)
_UNIT = "coalesce(unit.target_concept_id, case when e.unit is not null then 0 end)"
_WHO = {
    "person_id": "e.person_id",
    "provider_id": "e.provider_id",
    "visit_occurrence_id": "e.visit_occurrence_id",
    "visit_detail_id": "e.visit_detail_id",
}


def _coded(name: str) -> dict[str, str]:
    return {
        f"{name}_concept_id": "coalesce(t.target_concept_id, 0)",
        f"{name}_type_concept_id": "e.type_concept_id",
        f"{name}_source_value": _short("e.source_value"),
        f"{name}_source_concept_id": "coalesce(t.source_concept_id, 0)",
    }


FIELDS: MappingProxyType[str, dict[str, str]] = MappingProxyType(
    {
        "condition_occurrence": {
            **_WHO,
            **_coded("condition"),
            "condition_start_date": "e.start_date",
            "condition_start_datetime": "e.start_datetime",
            "condition_end_date": "e.end_date",
            "condition_end_datetime": "e.end_datetime",
            "condition_status_concept_id": _STATUS,
            "condition_status_source_value": _short("e.status"),
            "stop_reason": _short("e.stop_reason", 20),
        },
        "drug_exposure": {
            **_WHO,
            **_coded("drug"),
            "drug_exposure_start_date": "e.start_date",
            "drug_exposure_start_datetime": "e.start_datetime",
            # Required by the CDM: the source's end, or the last day of supply, or the day itself. An end in the year
            # 9999 says that there is none yet, and nobody is supplied for more than a hundred years.
            "drug_exposure_end_date": (
                "greatest(e.start_date, coalesce(case when e.end_date < DATE '9000-01-01' then e.end_date end,"
                f" case when e.days_supply between 1 and {MOST_DAYS} and e.start_date < DATE '9000-01-01'"
                " then e.start_date + (e.days_supply - 1)::INTEGER end, e.start_date))"
            ),
            "drug_exposure_end_datetime": "e.end_datetime",
            "verbatim_end_date": "e.end_date",
            "stop_reason": _short("e.stop_reason", 20),
            "refills": "e.refills",
            "quantity": "e.quantity",
            "days_supply": "e.days_supply",
            "sig": "e.sig",
            "route_concept_id": "coalesce(routed.target_concept_id, case when e.route is not null then 0 end)",
            "route_source_value": _short("e.route"),
            "lot_number": _short("e.lot_number"),
            "dose_unit_source_value": _short("e.unit"),
        },
        "procedure_occurrence": {
            **_WHO,
            **_coded("procedure"),
            "procedure_date": "e.start_date",
            "procedure_datetime": "e.start_datetime",
            "procedure_end_date": "e.end_date",
            "procedure_end_datetime": "e.end_datetime",
            "quantity": "round(e.quantity)",
        },
        "device_exposure": {
            **_WHO,
            **_coded("device"),
            "device_exposure_start_date": "e.start_date",
            "device_exposure_start_datetime": "e.start_datetime",
            "device_exposure_end_date": "e.end_date",
            "device_exposure_end_datetime": "e.end_datetime",
            "unique_device_id": "left(e.unique_device_id, 255)",
            "quantity": "round(e.quantity)",
            "unit_concept_id": _UNIT,
            "unit_source_value": _short("e.unit"),
            "unit_source_concept_id": "unit.source_concept_id",
        },
        "measurement": {
            **_WHO,
            **_coded("measurement"),
            "measurement_date": "e.start_date",
            "measurement_datetime": "e.start_datetime",
            "operator_concept_id": _OPERATOR,
            "value_as_number": _finite("e.value_number"),
            "value_as_concept_id": _VALUE_CONCEPT,
            "unit_concept_id": _UNIT,
            "range_low": _finite("e.range_low"),
            "range_high": _finite("e.range_high"),
            "unit_source_value": _short("e.unit"),
            "unit_source_concept_id": "unit.source_concept_id",
            "value_source_value": _short("e.value"),
        },
        "observation": {
            **_WHO,
            **_coded("observation"),
            "observation_date": "e.start_date",
            "observation_datetime": "e.start_datetime",
            "value_as_number": _finite("e.value_number"),
            "value_as_string": f"case when {_finite('e.value_number')} is null then {_short('e.value', LONG)} end",
            "value_as_concept_id": _VALUE_CONCEPT,
            "unit_concept_id": _UNIT,
            "unit_source_value": _short("e.unit"),
            "value_source_value": _short("e.value"),
        },
        "specimen": {
            "person_id": "e.person_id",
            "specimen_concept_id": "coalesce(t.target_concept_id, 0)",
            "specimen_type_concept_id": "e.type_concept_id",
            "specimen_date": "e.start_date",
            "specimen_datetime": "e.start_datetime",
            "quantity": "e.quantity",
            "unit_concept_id": _UNIT,
            "specimen_source_value": _short("e.source_value"),
            "unit_source_value": _short("e.unit"),
        },
    }
)

COST = MappingProxyType(
    {
        "total_charge": "e.total_charge",
        "total_cost": "e.total_cost",
        "total_paid": "e.total_paid",
        "paid_by_payer": "e.paid_by_payer",
        "paid_by_patient": "e.paid_by_patient",
    }
)
