"""The pack: a folder that says how the files of one holder become tables of the common data model.

These are its parts as values. `pack.load_pack` reads them; the language is described in docs/packs.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from madang.base.errors import MadangError
from madang.science.standardize.hints import instead_of

Scalar = str | int | float | bool | date
ColumnType = Literal["text", "integer", "number", "date", "time", "datetime"]
Identifier = Literal["none", "direct", "pseudonym"]
Precision = Literal["day", "month", "year", "interval"]

SQL_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text": "VARCHAR",
        "integer": "BIGINT",
        "number": "DOUBLE",
        "date": "DATE",
        "time": "VARCHAR",
        "datetime": "TIMESTAMP",
    }
)
"""The engine's type of each column type of a pack; `time` is text HH:MM:SS."""

RUN_PARAMETERS = ("extract_date", "timezone", "base")
"""Parameters that every pack has, declared or not: they are of the run."""

CAPTURE = re.compile(r"\{([^{}]*)\}")

EACH = "utf-8 or "
"""Encodings that begin so are of each file: UTF-8 if all of it is that, else the one that follows."""


def fallback(encoding: str) -> str:
    """Of an encoding of each file, that of the files which are no UTF-8; empty where all files have the same."""
    return "cp949" if encoding == "each" else encoding.removeprefix(EACH) if encoding.startswith(EACH) else ""


@dataclass(frozen=True)
class Column:
    """One column of a source, as declared."""

    name: str
    type: ColumnType
    required: bool = False
    identifier: Identifier | None = None
    """None: not said. `none`: said to be no identifier, though it looks like one."""
    format: str | None = None
    """strptime format of dates and times; None: ISO 8601."""
    thousands: str | None = None
    decimal: str | None = None
    """The mark before the fraction of a number, where it is not a point."""
    first_year: int | None = None
    """Dates with %y: two digits stand for a year of the hundred that begin with this one."""
    header: str | None = None
    """The name in the file, where it differs from `name`."""
    path: str | None = None
    """Where the value lies in an NDJSON object, as `a.b[0].c`; None: the key `name`."""
    extract: str | None = None
    """Regular expression whose only group is the value within the text, as the identifier within a reference."""

    reference: tuple[str, ...] = ()
    """NDJSON: the value is a FHIR reference to a resource of one of these types; `path` leads to the reference."""
    besides: tuple[str, ...] = ()
    """Types that it may refer to as well, whose resources are not looked up."""
    by: Literal["id", "identifier", "value"] = "id"
    """What is read of it: the id; system and value of an identifier, as `system|value`; a value without a system."""

    identifiers: bool = False
    """NDJSON: `path` leads to a list of FHIR identifiers; the value is a JSON list of texts `system|value`."""

    missing: tuple[str, ...] = ()
    """Texts that say that there is no value, as NULL or 99991231, beside those of the source."""
    zoned: bool = False
    """Text that is a moment of ISO 8601 or a part of one: an offset is taken to the local zone."""

    @property
    def sql_type(self) -> str:
        """The engine's type."""
        return SQL_TYPES[self.type]


@dataclass(frozen=True)
class Source:
    """The files of one kind, which a SELECT sees as one table."""

    name: str
    files: tuple[str, ...]
    """Patterns relative to the source folder; `{word}` captures text."""
    columns: Mapping[str, Column]
    format: Literal["csv", "tsv", "ndjson", "xlsx", "sas", "spss", "stata"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    quoted_newlines: bool = False
    kind: Literal["snapshot", "delta"] = "snapshot"
    key: tuple[str, ...] = ()
    latest: str | None = None
    """A column with the moment of a row's version: of rows with one key the last version counts."""
    version: str | None = None
    """A column with the number of a row's version, which tells where moments do not."""
    operation: str | None = None
    withdraw: tuple[str, ...] = ()
    period: str | None = None
    within: bool = False
    optional: bool = False
    """True: that there is no file is no error."""
    missing: tuple[str, ...] = ()
    """Texts that in any column say that there is no value."""
    other_layouts: Mapping[str, str] = field(default_factory=dict)
    """Columns of files that are laid out otherwise, as by another release of what wrote them, and what to say then."""
    sheet: str = ""
    """XLSX: the sheet to read; empty: the first."""
    resource: str = ""
    """NDJSON of FHIR: the type of its resources; one of another type (`resourceType`) is rejected. Empty: any."""
    extra_columns: Literal["refuse", "ignore"] = "refuse"
    """What to do with columns of a file that the pack does not declare."""
    base: str = ""
    """The address under which the resources of this export lie; of a run, not of a pack."""
    zone: str = ""
    """The local time zone; of a run. Empty: moments are local as they are written."""

    @property
    def captures(self) -> tuple[str, ...]:
        """The words captured from file names; each is a text column."""
        return tuple(dict.fromkeys(word for pattern in self.files for word in CAPTURE.findall(pattern)))

    @property
    def schema(self) -> dict[str, str]:
        """Column name to engine type, as SELECTs see the source: declared columns but direct identifiers, captures."""
        kept = {c.name: c.sql_type for c in self.columns.values() if c.identifier != "direct"}
        return kept | dict.fromkeys(self.captures, "VARCHAR")


@dataclass(frozen=True)
class Entity:
    """Rows of one CDM table that later SELECTs may join: persons, visits, providers."""

    name: str
    table: str
    key: tuple[str, ...]
    sql_path: Path
    sql: str = field(repr=False)
    type_concept_id: int | None = None
    """Record type of all rows, unless the SELECT gives it."""
    alternate_keys: tuple[tuple[str, ...], ...] = ()
    """Other columns by which later SELECTs may join; rows where one of them is null have no such key."""
    names: tuple[str, ...] = ()
    """Columns with lists of texts that a row is known by: later SELECTs join `<entity>_<column>(name, id)`, in
    which a name that several rows have has no id."""
    extra: tuple[str, ...] = ()
    """Columns that the CDM has not and that are written all the same, to the table `<name>_extra`."""

    @property
    def name_tables(self) -> dict[str, str]:
        """The tables of its `names`, and the column of each."""
        return {f"{self.name}_{column}": column for column in self.names}


@dataclass(frozen=True)
class Event:
    """What happened to persons; each row goes to the table of its standard concept's domain."""

    name: str
    domain: str
    sql_path: Path
    sql: str = field(repr=False)
    type_concept_id: int | None = None
    vocabulary: str | None = None
    """Vocabulary of all codes, unless the SELECT gives `vocabulary_id`."""
    fan_out: int = 8
    items: int = 1


@dataclass(frozen=True)
class Imputed:
    """A column whose values the source does not tell as exactly as the CDM wants them."""

    of: str
    """The entity or event whose SELECT gives it."""
    column: str
    precision: Precision
    """What is sure: the day, the month, the year, or only an interval."""
    rule: str
    """How the value is found, in words."""


@dataclass(frozen=True)
class Pack:
    """A mapping pack as loaded; `sha256` is over the names and bytes of all its files."""

    name: str
    version: str
    license: str
    title: Mapping[str, str]
    folder: Path
    parameters: Mapping[str, Scalar]
    cdm_source: Mapping[str, Scalar]
    sources: Mapping[str, Source]
    entities: Mapping[str, Entity]
    events: Mapping[str, Event]
    sha256: str
    imputed: tuple[Imputed, ...] = ()
    lines: Mapping[tuple[str | int, ...], int] = field(repr=False, compare=False, default_factory=dict)
    """Line in pack.toml of each key path, for errors found later."""

    @property
    def maps(self) -> tuple[Path, ...]:
        """The holder's own source-to-concept maps, by name."""
        return tuple(sorted(self.folder.glob("maps/*.csv")))

    @property
    def cases(self) -> tuple[Path, ...]:
        """Files of given and expected rows, by name."""
        return tuple(sorted(self.folder.glob("cases/*.toml")))

    @property
    def undecided(self) -> int:
        """Places that a draft marked DECIDE and that nobody has decided yet."""
        selects: list[Entity | Event] = [*self.entities.values(), *self.events.values()]
        files = [self.folder / "pack.toml", *(one.sql_path for one in selects)]
        return sum(
            path.read_text(encoding="utf-8", errors="replace").count("DECIDE") for path in files if path.is_file()
        )

    def line(self, *path: str | int) -> int:
        """The line of a key of pack.toml, or of its nearest enclosing table."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    @property
    def extract_date(self) -> date | None:
        """The day of the extract, as the parameter says; None where it says nothing."""
        value = self.parameters.get("extract_date")
        return date.fromisoformat(str(value)[:10]) if value else None

    def of_run(self, base: str, zone: str) -> "Pack":
        """This pack for an export whose resources lie under the address `base`, and whose local time is of `zone`."""
        sources = {name: replace(source, base=base, zone=zone) for name, source in self.sources.items()}
        return replace(self, sources=MappingProxyType(sources))

    def with_parameters(self, values: Mapping[str, str | Scalar]) -> "Pack":
        """This pack with other parameter values; text is read as the type of the default.

        Errors: `pack.unknown_parameter`, `pack.bad_parameter`.
        """
        merged = dict(self.parameters)
        for name, value in values.items():
            if name in RUN_PARAMETERS:
                merged.setdefault(name, "")
            if name not in merged:
                raise MadangError(
                    "pack.unknown_parameter",
                    f'The pack {self.name} has no parameter "{name}".',
                    instead_of(name, merged) or "It declares no parameters.",
                )
            merged[name] = _as_type_of(merged[name], value, name)
        if merged.get("extract_date"):
            _as_type_of(date.min, merged["extract_date"], "extract_date")
        return replace(self, parameters=MappingProxyType(merged))


def _as_type_of(default: Scalar, value: Scalar, name: str) -> Scalar:
    """`value` in the type of `default`."""
    kind = type(default)
    if type(value) is kind:
        return value
    try:
        if kind is bool:
            return {"true": True, "false": False}[str(value).lower()]
        if isinstance(default, date):
            return date.fromisoformat(str(value))
        return int(str(value)) if kind is int else float(str(value)) if kind is float else str(value)
    except (ValueError, KeyError, AttributeError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a date like 2023-12-31")
        raise MadangError(
            "pack.bad_parameter", f'The parameter "{name}" is {value!r}, but it has to be {wanted}.'
        ) from None
