"""The OMOP common data model 5.4 as data: tables, fields, types, keys.

The facts stand in `cdm54.csv` beside this module, in the order of the model. Types are stored as the model names
them; `duckdb_type` and `arrow_schema` say how this house stores them. All identifiers are 64 bits wide, since
identifiers made from file and line outgrow 32 bits.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

VERSION = "5.4"
"""The version of the model that `TABLES` describes."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "clinical": "person observation_period visit_occurrence visit_detail condition_occurrence drug_exposure "
        "procedure_occurrence device_exposure measurement observation death note note_nlp specimen fact_relationship",
        "health system": "location care_site provider",
        "economics": "payer_plan_period cost",
        "derived": "drug_era dose_era condition_era episode episode_event",
        "metadata": "metadata cdm_source",
        "vocabulary": "concept vocabulary domain concept_class concept_relationship relationship concept_synonym "
        "concept_ancestor source_to_concept_map drug_strength",
        "results": "cohort cohort_definition",
    }
)
"""The parts of the model, each with its tables."""

DOMAIN_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "Condition": "condition_occurrence",
        "Drug": "drug_exposure",
        "Procedure": "procedure_occurrence",
        "Device": "device_exposure",
        "Measurement": "measurement",
        "Specimen": "specimen",
        "Visit": "visit_occurrence",
        "Observation": "observation",
    }
)
"""The table that records of a domain go to; those of a domain not named here go to `observation`."""

_IDENTIFIER = re.compile(r"_id(_[12])?$")


@dataclass(frozen=True)
class Field:
    """One column of a table of the model.

    `type` is the model's own: integer, float, date, datetime, varchar(n) or varchar(max). `foreign_key` is the
    (table, field) that a value must occur in; `domain` and `concept_class` say which concepts are meant, or are empty.
    """

    name: str
    type: str
    required: bool
    primary_key: bool
    foreign_key: tuple[str, str] | None
    domain: str
    concept_class: str

    @property
    def identifier(self) -> bool:
        """Whether this is a whole number that names something: a record or a concept."""
        return self.type == "integer" and _IDENTIFIER.search(self.name) is not None

    @property
    def width(self) -> int | None:
        """The most characters that the model allows in this text, None where it sets no limit or it is no text."""
        found = re.fullmatch(r"varchar\((\d+)\)", self.type)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class Table:
    """One table of the model with its fields in order; `kind` is one of `KINDS`."""

    name: str
    kind: str
    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        """The field of that name; KeyError if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name}.{name}")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields in order."""
        return tuple(field.name for field in self.fields)

    @property
    def primary_key(self) -> Field | None:
        """The field that identifies a row, None where the model names none."""
        return next((field for field in self.fields if field.primary_key), None)


_STORED = {"integer": "INTEGER", "float": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP", "varchar": "VARCHAR"}


def duckdb_type(field: Field) -> str:
    """The DuckDB type of `field`: BIGINT for identifiers, else INTEGER, DOUBLE, VARCHAR, DATE or TIMESTAMP."""
    return "BIGINT" if field.identifier else _STORED[field.type.partition("(")[0]]


@cache
def arrow_schema(table: str) -> "pyarrow.Schema":
    """The Arrow schema of a table of the model; required fields are not nullable. KeyError for an unknown table."""
    import pyarrow as pa

    types = {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "DOUBLE": pa.float64(),
        "VARCHAR": pa.string(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    return pa.schema(
        [pa.field(field.name, types[duckdb_type(field)], not field.required) for field in TABLES[table].fields]
    )


def _read() -> Mapping[str, Table]:
    kinds = {table: kind for kind, tables in KINDS.items() for table in tables.split()}
    fields: dict[str, list[Field]] = {}
    text = files(__package__).joinpath("cdm54.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        fields.setdefault(row["table"], []).append(
            Field(
                name=row["field"],
                type=row["type"],
                required=row["required"] == "yes",
                primary_key=row["primary_key"] == "yes",
                foreign_key=(row["foreign_table"], row["foreign_field"]) if row["foreign_table"] else None,
                domain=row["domain"],
                concept_class=row["concept_class"],
            )
        )
    return MappingProxyType({name: Table(name, kinds[name], tuple(of)) for name, of in fields.items()})


TABLES: Mapping[str, Table] = _read()
"""The 39 tables of the model by name, in the order of the model."""
