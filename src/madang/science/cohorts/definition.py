"""A cohort definition as a frozen value: the expression that ATLAS and circe read, its name, and its hash."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.canonical import canonical_json, sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import explain

LIMIT = 4 << 20
"""Bytes of a definition; the largest of the PhenotypeLibrary has 0.2 MB, and SQL of more takes long to translate."""
DEPTH = 64
SUFFIXES = (".json", ".toml", ".xlsx", ".csv")


@dataclass(frozen=True)
class Definition:
    """A cohort definition: `text` is the canonical JSON of its circe expression, so that equal ones are equal texts."""

    name: str
    text: str
    description: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The expression as JSON has it; a fresh copy, which the caller may change."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the expression: what is asked, whatever it is called."""
        return sha256_of(self.document)

    @property
    def concept_sets(self) -> list[dict[str, Any]]:
        """The concept sets of the expression, as JSON has them."""
        return [each for each in self.document.get("ConceptSets") or [] if isinstance(each, dict)]

    @property
    def rules(self) -> list[str]:
        """The names of the inclusion rules in their order."""
        return [
            str(rule.get("name") or _("rule {number}").format(number=place))
            for place, rule in enumerate(self.document.get("InclusionRules") or [], 1)
        ]


def wrong(message: str, hint: str = "") -> MadangError:
    """The error of something that is no definition that can be run."""
    return MadangError("cohort.definition", message, hint)


def of_document(document: Mapping[str, Any], name: str = "") -> Definition:
    """The definition of a JSON document: a bare expression, or ATLAS's record with a name around one.

    Errors: `cohort.definition` where it is neither.
    """
    description = ""
    if "PrimaryCriteria" not in document and "expression" in document:
        inner = document["expression"]
        if isinstance(inner, str):  # WebAPI keeps the expression as a text within the record
            inner = parse(inner)
        if not isinstance(inner, Mapping):
            raise wrong(_("The expression of the definition is no JSON object."))
        name = str(document.get("name") or name)
        description = str(document.get("description") or "")
        document = inner
    if not isinstance(document.get("PrimaryCriteria"), Mapping):
        raise wrong(
            _("This JSON is no cohort definition: it has no PrimaryCriteria."),
            _("Export the definition from ATLAS as JSON."),
        )
    _check_depth(document)
    text = canonical_json(document).decode()
    return Definition(str(document.get("Title") or name), text, description)


def parse(text: str) -> Any:
    """JSON of a definition. Errors: `cohort.definition` with the line where it breaks off."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        message = _("The definition is no JSON: line {line}, column {column}.")
        raise wrong(message.format(line=error.lineno, column=error.colno)) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # NaN, Infinity, or a number with thousands of digits
        raise wrong(_("The definition holds a number that JSON does not know: {value}.").format(value=error)) from None


def of_bytes(data: bytes, name: str = "") -> Definition:
    """The definition in the bytes of an ATLAS JSON file, which is UTF-8 with or without a byte order mark."""
    if len(data) > LIMIT:
        raise MadangError(
            "cohort.too_large",
            _("The definition has {size:.1f} MB; at most {most:g} MB are read.").format(
                size=len(data) / 1e6, most=LIMIT / (1 << 20)
            ),
            _("Use concepts with their descendants instead of long lists."),
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise wrong(_("The definition is not in UTF-8."), _("Save it as UTF-8.")) from None
    document = parse(text)
    if not isinstance(document, Mapping):
        raise wrong(_("This JSON is no cohort definition: it has no PrimaryCriteria."))
    return of_document(document, name)


def read_json(path: Path) -> Definition:
    """The definition in an ATLAS JSON file, named as the file unless it has a name of its own."""
    return of_bytes(read_bytes(path), path.stem)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that somebody named, one more than are read as a definition at most."""
    try:
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise explain(error, f"read {path}") from None


def walk(value: Any, visit: Callable[[str, dict[str, Any]], None], place: str = "") -> None:
    """Call `visit(place, object)` for every object of a JSON document, places written as `A.B[2].C`."""
    if isinstance(value, dict):
        visit(place, value)
        for key, inner in value.items():
            walk(inner, visit, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            walk(inner, visit, f"{place}[{number}]")


def _check_depth(document: Any) -> None:
    level: list[Any] = [document]
    for _depth in range(DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ())
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> MadangError:
    return wrong(_("The definition is nested more than {depth} deep.").format(depth=DEPTH))
