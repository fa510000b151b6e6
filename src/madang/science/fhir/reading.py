"""Files to resources: NDJSON line by line, JSON and XML whole, gzip unpacked on the way, what is cut or hostile said.

Nothing that is read is kept in a message: a finding names what is wrong and where, never the text itself.
"""

import json
from typing import TYPE_CHECKING, Any

import orjson

from madang.science.fhir import findings as f
from madang.science.fhir.findings import Raw, here

if TYPE_CHECKING:
    from madang.science.fhir.validator import Validator, Verdict

LONGEST_LINE = 64_000_000  # bytes of one resource
BOM = b"\xef\xbb\xbf"


class Doubled(Exception):
    """An object names a member twice."""


def parse(data: bytes) -> tuple[Any, list[Raw]]:
    """A parsed JSON text, and what is wrong with the text itself; None with a finding where it cannot be read."""
    if len(data) > LONGEST_LINE:
        return None, here(f.FORM, "too_long")
    try:
        return orjson.loads(data), []
    except orjson.JSONDecodeError as error:
        return None, here(f.FORM, _why(data, str(error)))


def _why(data: bytes, error: str) -> str:
    if not data.strip():
        return "empty"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    return "nested" if "recursion" in error else "not_json"


def doubled(data: bytes, keys: int) -> bool:
    """Whether an object in the text names a member twice. `keys` members were seen; a plain count answers mostly."""
    if data.count(b'":') - data.count(b'\\":') == keys:
        return False
    try:
        json.loads(data, object_pairs_hook=_once)
    except Doubled:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Doubled
    return made


def judged(data: bytes, validator: "Validator") -> "Verdict":
    """The verdict on one JSON text."""
    from madang.science.fhir.validator import Verdict

    resource, trouble = parse(data)
    if trouble:
        return Verdict("", "", (), trouble)
    verdict = validator.validate(resource)
    if doubled(data, verdict.context.keys):
        path = verdict.type or "Resource"
        verdict.findings.append(Raw(path, path, f.FORM, f.ERROR, "doubled", ()))
    return verdict


def judged_xml(data: bytes, validator: "Validator") -> "Verdict":
    """The verdict on one XML text."""
    from madang.science.fhir.validator import Verdict
    from madang.science.fhir.xml import XmlTrouble, resource_of

    try:
        read = resource_of(data, validator.definitions)
    except XmlTrouble as trouble:
        return Verdict("", "", (), here("XML form", trouble.kind))
    verdict = validator.validate(read.resource)
    verdict.findings[:0] = read.findings
    return verdict


def is_xml(data: bytes) -> bool:
    """Whether a text begins as XML does."""
    return data.removeprefix(BOM).lstrip()[:1] == b"<"


def parse_one(data: bytes, name: str, validator: "Validator") -> list[Raw]:
    """The findings of a file with one resource."""
    data = data.removeprefix(BOM)
    return (judged_xml if is_xml(data) else judged)(data, validator).findings
