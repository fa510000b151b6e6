"""What a reader has to know of each column: the plan of one pass over a source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from madang.base.errors import MadangError
from madang.science.standardize.intake.references import By
from madang.science.standardize.pack import Source

Kind = Literal["text", "integer", "number", "date", "time", "datetime"]

NO_VALUE = {
    "text": "is no readable text",
    "integer": "is no integer",
    "number": "is no number",
    "date": "is no date",
    "time": "is no time",
    "datetime": "is no date and time",
}
NO_IDENTIFIER = "is no readable identifier"
NO_REFERENCE = " is no reference to a "
EMPTY_LINE = "the line is empty"
TOO_FEW = "the line has too few fields"
TOO_MANY = "the line has too many fields"
OPEN_QUOTE = "a quote is not closed"
NO_OBJECT = "the line is no JSON object"
OTHER_TYPE = "the resource is of another type"

_CODES = {
    EMPTY_LINE: "line.empty",
    TOO_FEW: "line.few_fields",
    TOO_MANY: "line.many_fields",
    OPEN_QUOTE: "line.open_quote",
    NO_OBJECT: "line.no_object",
    OTHER_TYPE: "line.other_type",
}
_TAILS = {"is empty": "field.empty", NO_IDENTIFIER: "field.no_text"} | {
    tail: f"field.no_{kind}" for kind, tail in NO_VALUE.items()
}


def reason_code(reason: str) -> str:
    """The stable code of a reason of this reader, as `field.no_date`; empty for any other text."""
    if reason in _CODES:
        return _CODES[reason]
    if NO_REFERENCE in reason:
        return "field.no_reference"
    return next((code for tail, code in _TAILS.items() if reason.endswith(" " + tail)), "")


@dataclass(frozen=True)
class Field:
    """One column as it is read: how to find it, type it, and what a bad value does."""

    name: str
    header: str
    kind: Kind
    required: bool
    strict: bool
    """A bad value rejects the row; otherwise it is nulled and logged as a repair."""
    pseudonym: bool
    kept: bool
    """Goes into the table; others are read only because they can reject a row."""
    format: str | None = None
    thousands: str | None = None
    decimal: str | None = None
    first_year: int = 1969
    """Two digits of a year (%y) are of the hundred years from this one on."""
    path: str | None = None
    extract: str | None = None
    reference: tuple[str, ...] = ()
    """Types of the resources that the value refers to; then `by` says what of a reference is read."""
    besides: tuple[str, ...] = ()
    by: By = "id"
    identifiers: bool = False
    """A list of FHIR identifiers, which becomes a list of `system|value`."""
    searched: tuple[str, ...] = ()
    """How other fields read the same reference: what none of them reads names nothing."""
    base: str = ""
    missing: frozenset[str] = frozenset()
    """Texts that say that there is no value."""
    zoned: bool = False
    zone: str = ""
    """Where moments with an offset are taken to; empty: they stay as they are written."""

    @property
    def empty(self) -> str:
        """Reason of a row without this field."""
        return f"{self.name} is empty"

    @property
    def bad(self) -> str:
        """Reason of a row whose field is no value of its type."""
        if self.reference:
            return f"{self.name}{NO_REFERENCE}{' or '.join(self.reference)} of this export"
        if self.pseudonym and self.kind == "text":
            return f"{self.name} {NO_IDENTIFIER}"
        return f"{self.name} {NO_VALUE[self.kind]}"

    @cached_property
    def regex(self) -> re.Pattern[str] | None:
        """The strict pattern of a date or time format; None where only strptime knows it (names of weekdays, ...)."""
        parts = []
        named = "%b" in (self.format or "") or "%B" in (self.format or "")
        for piece in re.findall(r"%-?.|[^%]", self.format or ""):
            if piece not in _DIRECTIVES and piece[0] == "%" and piece != "%%":
                return None
            if piece == "%d" and named:  # as strptime reads it; digits cannot be mistaken beside the name of a month
                piece = "%-d"
            parts.append(_DIRECTIVES.get(piece) or re.escape(piece[-1]))
        try:
            return re.compile("".join(parts), re.IGNORECASE)
        except re.error:  # a directive that is there twice
            return None


MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
"""Names of months as %B has them; %b takes their first three letters. Whatever the language of the machine."""

_DIRECTIVES = {
    "%Y": "(?P<Y>[0-9]{4})",
    "%y": "(?P<y>[0-9]{2})",
    "%m": "(?P<m>[0-9]{2})",
    "%b": f"(?P<b>{'|'.join(month[:3] for month in MONTHS)})",
    "%B": f"(?P<b>{'|'.join(MONTHS)})",
    "%d": "(?P<d>[0-9]{2})",
    "%H": "(?P<H>[0-9]{2})",
    "%I": "(?P<I>[0-9]{2})",
    "%p": "(?P<p>am|pm|a\\.m\\.|p\\.m\\.|오전|오후)",
    "%M": "(?P<M>[0-9]{2})",
    "%S": "(?P<S>[0-9]{2})",
    "%f": "(?P<f>[0-9]{1,6})",
    "%-m": "(?P<m>[0-9]{1,2})",
    "%-d": "(?P<d>[0-9]{1,2})",
    "%-H": "(?P<H>[0-9]{1,2})",
    "%-I": "(?P<I>[0-9]{1,2})",
    "%-M": "(?P<M>[0-9]{1,2})",
    "%-S": "(?P<S>[0-9]{1,2})",
}
_DAY = ("%d", "%-d", "%j", "%x", "%c")


def _known_directives(format: str) -> bool:
    return all(piece in _DIRECTIVES or piece == "%%" for piece in re.findall(r"%-?.", format))


def plan(source: Source, columns: Sequence[str] | None = None) -> list[Field]:
    """The fields to read, in the order of the pack: the wanted `columns` (None: all but direct identifiers), and
    those that can reject a row. So a row's fate does not depend on which columns are wanted."""
    if columns is not None:
        known = set(source.schema)
        for name in columns:
            if name not in known and name != "_line":
                raise MadangError("source.column", f"Source {source.name} has no readable column {name}.")
    strict = {*source.key, *((source.operation,) if source.operation else ())}
    fields = []
    for column in source.columns.values():
        if column.identifier == "direct":
            continue
        kept = columns is None or column.name in columns
        if not kept and not column.required and column.name not in strict:
            continue
        if column.format and column.type in ("date", "datetime") and not any(d in column.format for d in _DAY):
            raise MadangError(
                "source.format",
                f"The format {column.format} of {source.name}.{column.name} gives no day, so it is no {column.type}.",
                "Declare the column as text and decide in the SELECT which day stands for the month.",
            )
        if column.format and "%-" in column.format and not _known_directives(column.format):
            raise MadangError(
                "source.format",
                f"The format {column.format} of {source.name}.{column.name} has a directive that cannot be read.",
                "Known without leading zeros are %-d, %-m, %-H, %-I, %-M and %-S, beside %Y %y %m %b %B %d %H %I %p.",
            )
        if len(column.thousands or "") > 1:
            raise MadangError(
                "source.format", f"The thousands mark of {source.name}.{column.name} is not one character."
            )
        fields.append(
            Field(
                name=column.name,
                header=column.header or column.name,
                kind=column.type,
                required=column.required,
                strict=column.required or column.name in strict,
                pseudonym=column.identifier == "pseudonym",
                kept=kept,
                format=column.format,
                thousands=column.thousands,
                decimal=column.decimal,
                first_year=column.first_year or 1969,
                path=column.path,
                extract=column.extract,
                reference=column.reference,
                besides=column.besides,
                by=column.by,
                identifiers=column.identifiers,
                searched=tuple(c.by for c in source.columns.values() if column.reference and c.path == column.path),
                base=source.base,
                missing=frozenset((*source.missing, *column.missing)),
                zoned=column.zoned,
                zone=source.zone,
            )
        )
    return fields
