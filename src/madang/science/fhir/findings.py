"""One finding, and the path that grows as it is handed up from where it was made."""

from typing import Any, NamedTuple


class Raw(NamedTuple):
    """What a check found: path and place are relative to the element that it looked at."""

    path: str  # element names without indexes, `:slice` where a slice is meant
    place: str  # the same with indexes, as FHIRPath
    rule: str
    severity: str
    kind: str  # which sentence says it
    about: tuple[Any, ...] = ()  # what the sentence names: elements, types, value sets; never a value of the resource


Found = list[Raw] | None
CARDINALITY, UNKNOWN, FORM, PRIMITIVE = "cardinality", "unknown element", "JSON form", "primitive format"
TARGET, REQUIRED, EXTENSIBLE, SLICING = "reference target", "required binding", "extensible binding", "slicing"
EXTENSION, FIXED, NARRATIVE, TYPE = "extension", "fixed value", "narrative", "resource type"
PROFILE, SYSTEM, REFERENCE, BUNDLE, REFUSED = "profile", "code system", "reference", "bundle", "refused"
ERROR, WARNING, INFORMATION = "error", "warning", "information"


def here(rule: str, kind: str, *about: Any, severity: str = ERROR) -> list[Raw]:
    """A finding at the element itself."""
    return [Raw("", "", rule, severity, kind, about)]


def at(name: str, rule: str, kind: str, *about: Any, severity: str = ERROR) -> list[Raw]:
    """A finding at a child that is not there or that stands wrong as a whole."""
    return [Raw(name, name, rule, severity, kind, about)]


def under(name: str, place: str, found: list[Raw]) -> list[Raw]:
    """The findings of a child, as seen from its parent."""
    return [
        each._replace(
            path=_joined(name, each.path),
            place=_joined(place, each.place),
        )
        for each in found
    ]


def _joined(name: str, rest: str) -> str:
    if not rest:
        return name
    return name + rest if rest[0] in ":[" else f"{name}.{rest}"
