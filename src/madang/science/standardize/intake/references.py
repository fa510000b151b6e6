"""References of FHIR resources: which resource of this export one names, by its id or by an identifier.

Only a literal reference of the right type finds by id: relative (`Patient/5`), under the export's own base
(`https://here.example/fhir/Patient/5`), or the name of an entry in a bundle (`urn:uuid:...`). Only a search for an
identifier (`Patient?identifier=system|value`) and the `identifier` of a reference find by identifier. Whatever else
is there names no resource of this export (https://hl7.org/fhir/R4/references.html).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

By = Literal["id", "identifier", "value"]

_SEARCH = "?identifier="
_BESIDE = "\n"
_LITERAL = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/|?#\s]+)(?:/_history/[^/|?#\s]+)?"
)
_URN = re.compile(r"urn:(?:uuid|oid):(?P<id>[^/|?#\s]+)", re.IGNORECASE)
_ABSOLUTE = re.compile(rb'"reference"\s*:\s*"(?:(https?://[^"?#]+)/)?[A-Z][A-Za-z]+/[^"/?#]+(?:/_history/[^"/?#]+)?"')
_EXPORT = re.compile(r'"request"\s*:\s*"(https?://[^"]+?)(?:/Patient|/Group/[^/"]+)?/\$export[^"]*"')


@dataclass(frozen=True)
class Named:
    """What a reference names: `id`, or `value` with its `system` (None: of any, empty: of none); all None: other."""

    id: str | None = None
    system: str | None = None
    value: str | None = None


def as_text(reference: Any) -> str | None:
    """A Reference of JSON as one text: the literal, and after a line break the identifier."""
    if not isinstance(reference, dict):
        return reference if isinstance(reference, str) else None
    literal, identifier = reference.get("reference"), reference.get("identifier")
    literal = literal.replace(_BESIDE, " ") if isinstance(literal, str) else ""
    if not isinstance(identifier, dict) or not isinstance(identifier.get("value"), str):
        return literal or None
    told, system, value = reference.get("type"), identifier.get("system"), identifier["value"]
    kind = told if isinstance(told, str) else ""
    token = f"{system}|{value}" if isinstance(system, str) and system else f"|{value}" if "|" in value else value
    return f"{literal}{_BESIDE if literal else ''}{kind}{_SEARCH}{token}"


def named(text: str, types: Sequence[str], besides: Sequence[str], base: str) -> Named | None:
    """What a text of `as_text` names among resources of `types`; None where it names none of this export.

    A reference to one of the types `besides`, or to what the resource itself contains (`#1`), is right but names none.
    """
    literal, _, logical = text.partition(_BESIDE)
    by_id, beside = _by_id(literal.strip(), types, besides, base) if literal.strip() else (None, False)
    searched = _by_identifier(literal.strip(), types, base) if _SEARCH in literal else None
    if searched is None and logical:
        searched = _by_identifier(logical, types, base)
    if by_id is None and searched is None:
        return Named() if beside else None
    return Named(by_id, *(searched or (None, None)))


def _by_id(text: str, types: Sequence[str], besides: Sequence[str], base: str) -> tuple[str | None, bool]:
    if match := _URN.fullmatch(text):
        return match["id"], False
    if text.startswith("#"):  # contained in the resource itself
        return None, True
    match = _LITERAL.fullmatch(text)
    if match is None or (match["base"] is not None and match["base"].rstrip("/") != base.rstrip("/")):
        return None, False
    return (match["id"], False) if match["type"] in types else (None, match["type"] in besides)


def _by_identifier(text: str, types: Sequence[str], base: str) -> tuple[str | None, str] | None:
    """System and value of a search by identifier; the type may lack, as in a logical reference."""
    kind, _, token = text.partition(_SEARCH)
    if base and kind.startswith(base.rstrip("/") + "/"):
        kind = kind[len(base.rstrip("/")) + 1 :]
    if kind and kind not in types:
        return None
    token = unquote(token) if "%7C" in token.upper() else token
    system, bar, value = token.partition("|")
    if not value.strip() and not bar:
        system, value = "", system
    if not value.strip():
        return None
    return (system if bar else None), value.strip()


def bases(data: bytes) -> tuple[set[str], bool]:
    """The bases of the absolute references in a piece of NDJSON, and whether relative ones are there."""
    found = {match.decode("utf-8", "replace") for match in _ABSOLUTE.findall(data)}
    return found - {""}, "" in found


def base_of_export(manifest: str) -> str | None:
    """The base of the server in the manifest that it gives with a bulk export (its `request`)."""
    match = _EXPORT.search(manifest)
    return match[1].rstrip("/") if match else None
