"""Search parameters on parsed resources: what a parameter looks at, and whether a resource matches a value.

The expressions of search parameters are paths with few forms (`|`, `as`, `ofType`, `where(resolve() is ...)`,
`extension(url)`), so they are read here and not by a FHIRPath engine. The kit that tests an endpoint uses the same
functions to look at every hit.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from madang.science.fhir.definitions import Definitions

KR = "http://www.hl7korea.or.kr/fhir/krcore/StructureDefinition/krcore-"
# What parameters of the server statement look at that have no definition of their own.
UNDEFINED = {
    ("DiagnosticReport", "request-date"): f"DiagnosticReport.extension('{KR}testRequestDateTime').value",
    ("Encounter", "insurance-type"): f"Encounter.extension('{KR}insuranceTypes').value",
    ("MedicationRequest", "ingredient-code"): (
        f"MedicationRequest.medicationCodeableConcept.extension('{KR}medicationIngredient').value"
    ),
    ("Observation", "issued"): "Observation.issued",
    ("Organization", "telecom"): "Organization.telecom",
    ("Practitioner", "_id"): "Practitioner.id",
    ("Practitioner", "code"): "Practitioner.qualification.code",
}
COMMON = {"_id": ("token", "id"), "_lastUpdated": ("date", "meta.lastUpdated"), "_profile": ("uri", "meta.profile")}
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_AS = re.compile(r"^\((.+) as (\w+)\)(.*)$")
_CALL = re.compile(r"\.(as|ofType)\((\w+)\)")
_WHERE = re.compile(r"\.where\(resolve\(\) is (\w+)\)")


class Unsearchable(ValueError):
    """A value that the parameter cannot have."""


@dataclass(frozen=True)
class Parameter:
    """One search parameter of a resource type."""

    type: str  # of resource
    code: str
    kind: str  # token, reference, date, string, quantity, number, uri, composite
    expression: str
    parts: tuple[tuple[str, str], ...] = ()  # of a composite: (kind, expression)
    expectation: str = ""
    definition: str = ""


def parameters_of(definitions: Definitions) -> dict[str, dict[str, Parameter]]:
    """By resource type and code: the parameters that the server statement of the guide names, and the common ones."""
    by_url = {each["url"]: each for each in definitions.search}
    made: dict[str, dict[str, Parameter]] = {}
    for resource in definitions.capability.get("resources", []):
        name = resource["type"]
        own = made[name] = {
            code: Parameter(name, code, kind, f"{name}.{path}") for code, (kind, path) in COMMON.items()
        }
        for code, kind, url, expectation in resource["search"]:
            said = by_url.get(url) or next(
                (each for each in definitions.search if each["code"] == code and name in each["base"]), None
            )
            expression = said["expression"] if said else UNDEFINED.get((name, code), "")
            parts = tuple(
                (_kind(by_url, part["definition"]), part["expression"]) for part in (said or {}).get("component", [])
            )
            if expression:
                own[code] = Parameter(name, code, kind, expression, parts, expectation, url)
    return made


def _kind(by_url: dict[str, dict[str, Any]], url: str) -> str:
    said = by_url.get(url)
    return said["type"] if said else {"concept": "token"}.get(url.rpartition("-")[2], url.rpartition("-")[2])


@lru_cache(maxsize=2000)
def _ways(expression: str, name: str) -> tuple[tuple[str, ...], ...]:
    """The paths of an expression that begin at a resource type, as steps."""
    ways = []
    for part in expression.split(" | "):
        part = part.strip()
        found = _AS.match(part)
        if found:
            part = f"{found.group(1)}.as({found.group(2)}){found.group(3)}"
        part = _WHERE.sub("", part)
        part = _CALL.sub(lambda x: "." + ("@" + x.group(2)[:1].upper() + x.group(2)[1:]), part)
        steps = tuple(_steps(part))
        if steps and steps[0] == name:
            ways.append(steps[1:])
        elif steps and not steps[0][:1].isupper():
            ways.append(steps)
    return tuple(ways)


def _steps(path: str) -> Iterator[str]:
    depth, word = 0, ""
    for letter in path:
        if letter == "." and depth == 0:
            yield word
            word = ""
            continue
        depth += (letter == "(") - (letter == ")")
        word += letter
    if word:
        yield word


def values(resource: Any, expression: str, name: str) -> Iterator[Any]:
    """What an expression finds in a resource, or in a part of one."""
    for steps in _ways(expression, name):
        yield from _walk(resource, steps)


def _walk(node: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _walk(each, steps)
        return
    if not steps:
        if node is not None:
            yield node
        return
    if not isinstance(node, dict):
        return
    step, rest = steps[0], steps[1:]
    if step.startswith("extension("):
        url = step[10:-1].strip("'\"")
        for each in node.get("extension", ()):
            if isinstance(each, dict) and each.get("url") == url:
                yield from _walk(each, rest)
    elif step.startswith("@"):
        yield from _walk(node, rest)
    elif step in node:
        yield from _walk(node[step], rest)
    else:
        wanted = rest[0][1:] if rest and rest[0].startswith("@") else ""
        for key, value in node.items():
            if key.startswith(step) and key[len(step) : len(step) + 1].isupper() and wanted in ("", key[len(step) :]):
                yield from _walk(value, rest[1:] if wanted else rest)


def matches(resource: dict[str, Any], parameter: Parameter, value: str, modifier: str = "") -> bool:
    """Whether a resource matches `parameter=value`; commas mean or. Raises `Unsearchable` for what it cannot be."""
    wanted = [part for part in re.split(r"(?<!\\),", value)]
    if not any(wanted):
        raise Unsearchable(value)
    if modifier == "missing":
        if value not in ("true", "false"):
            raise Unsearchable(value)
        return (not any(True for _ in values(resource, parameter.expression, parameter.type))) == (value == "true")
    if parameter.kind == "composite":
        tests: list[Callable[[Any], bool]] = [_composite(parameter, part) for part in wanted]
        return any(test(resource) for test in tests)
    found = list(values(resource, parameter.expression, parameter.type))
    tests = [_test(parameter.kind, part.replace("\\,", ","), modifier) for part in wanted]
    answer = any(test(each) for each in found for test in tests)
    return not answer if modifier == "not" else answer


def _composite(parameter: Parameter, value: str) -> Callable[[Any], bool]:
    parts = re.split(r"(?<!\\)\$", value)
    if len(parts) != len(parameter.parts):
        raise Unsearchable(value)
    tests = [
        (expression, _test(kind, part, "")) for (kind, expression), part in zip(parameter.parts, parts, strict=True)
    ]

    def test(resource: Any) -> bool:
        for node in (
            values(resource, parameter.expression, parameter.type) if "." in parameter.expression else [resource]
        ):
            if all(any(one(each) for each in values(node, expression, "")) for expression, one in tests):
                return True
        return False

    return test


def _test(kind: str, value: str, modifier: str) -> Callable[[Any], bool]:
    if kind == "token":
        return _token(value)
    if kind == "reference":
        return _reference(value, modifier)
    if kind == "date":
        return _date(value)
    if kind == "string":
        return _string(value, modifier)
    if kind in ("quantity", "number"):
        return _quantity(value)
    return lambda each: each == value or (isinstance(each, str) and each.partition("|")[0] == value)


def _token(value: str) -> Callable[[Any], bool]:
    system, bar, code = value.rpartition("|")

    def one(found_system: Any, found_code: Any) -> bool:
        if bar and not system:  # |code: no system
            return found_system is None and found_code == code
        if bar and system != found_system:
            return False
        return not code or found_code == code

    def test(each: Any) -> bool:
        if isinstance(each, dict):
            if "coding" in each or ("text" in each and "value" not in each):
                return any(one(x.get("system"), x.get("code")) for x in each.get("coding", ()) if isinstance(x, dict))
            return one(each.get("system"), each.get("code") or each.get("value"))
        if isinstance(each, bool):
            return value == str(each).lower()
        return one(None, each) or (bool(code) and each == code)

    return test


def _reference(value: str, modifier: str) -> Callable[[Any], bool]:
    wanted = f"{modifier}/{value}" if modifier and "/" not in value else value

    def test(each: Any) -> bool:
        if not isinstance(each, dict) or not isinstance(each.get("reference"), str):
            return False
        text = each["reference"].partition("/_history/")[0]
        if "/" not in wanted:
            return text.rpartition("/")[2] == wanted
        return text == wanted or text.endswith("/" + wanted) or (":" in wanted and wanted.endswith("/" + text))

    return test


def plain(text: str) -> str:
    """A text without case and accents, composed, for comparison."""
    broken = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize(
        "NFC", "".join(each for each in broken if unicodedata.category(each) != "Mn")
    ).casefold()


def _string(value: str, modifier: str) -> Callable[[Any], bool]:
    wanted = plain(value)

    def test(each: Any) -> bool:
        texts = list(_texts(each))
        if modifier == "exact":
            return value in texts
        if modifier == "contains":
            return any(wanted in plain(text) for text in texts)
        return any(plain(text).startswith(wanted) for text in texts)

    return test


def _texts(each: Any) -> Iterator[str]:
    if isinstance(each, str):
        yield each
    elif isinstance(each, list):
        for one in each:
            yield from _texts(one)
    elif isinstance(each, dict):
        for key, part in each.items():
            if key not in ("use", "system", "period", "type", "url"):
                yield from _texts(part)


def span(text: str) -> tuple[datetime, datetime]:
    """The time that a date or time covers: from, and up to but without. Raises `Unsearchable` for what is none."""
    try:
        if len(text) == 4:
            return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
        if len(text) == 7:
            year, month = int(text[:4]), int(text[5:])
            return datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        start = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Unsearchable(text) from None
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    if len(text) == 10:
        return start, start + timedelta(days=1)
    return start, start + (timedelta(minutes=1) if text.count(":") == 1 else timedelta(seconds=1))


FOREVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _date(value: str) -> Callable[[Any], bool]:
    prefix, text = (value[:2], value[2:]) if value[:2] in PREFIXES else ("eq", value)
    low, high = span(text)

    def test(each: Any) -> bool:
        try:
            if isinstance(each, dict):
                start = span(each["start"])[0] if isinstance(each.get("start"), str) else FOREVER[0]
                end = span(each["end"])[1] if isinstance(each.get("end"), str) else FOREVER[1]
            else:
                start, end = span(each)
        except (Unsearchable, TypeError, AttributeError):
            return False
        if prefix == "ap":
            return start < high and end > low
        inside = low <= start and end <= high
        return {
            "eq": inside,
            "ne": not inside,
            "gt": end > high,
            "lt": start < low,
            "ge": end > high or inside,
            "le": start < low or inside,
            "sa": start >= high,
            "eb": end <= low,
        }[prefix]

    return test


def _quantity(value: str) -> Callable[[Any], bool]:
    prefix, text = (value[:2], value[2:]) if value[:2] in PREFIXES else ("eq", value)
    number, *rest = text.split("|")
    try:
        wanted = float(number)
    except ValueError:
        raise Unsearchable(value) from None
    half = 0.5 * 10 ** -len(number.partition(".")[2]) if "e" not in number.lower() else abs(wanted) * 0.005
    system, code = [*rest, "", ""][:2]

    def test(each: Any) -> bool:
        given = each.get("value") if isinstance(each, dict) else each
        if not isinstance(given, int | float) or isinstance(given, bool):
            return False
        if isinstance(each, dict) and code and code not in (each.get("code"), each.get("unit")):
            return False
        if isinstance(each, dict) and system and each.get("system") != system:
            return False
        near = wanted - half <= given < wanted + half
        return {
            "eq": near,
            "ne": not near,
            "gt": given > wanted,
            "lt": given < wanted,
            "ge": given >= wanted,
            "le": given <= wanted,
            "sa": given > wanted,
            "eb": given < wanted,
            "ap": abs(given - wanted) <= abs(wanted) * 0.1,
        }[prefix]

    return test
