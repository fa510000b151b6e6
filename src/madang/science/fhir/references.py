"""What the text of a reference says: the type that it names, and whether it leads to something in the same file."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.findings import Found, here

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Context


def type_in(text: str, context: "Context") -> str:
    """The resource type that a reference points at, empty where it cannot be told from the text."""
    if text[:1] == "#":
        for each in context.resource.get("contained") or () if type(context.resource) is dict else ():
            if type(each) is dict and each.get("id") == text[1:]:
                return str(each.get("resourceType", ""))
        return ""
    parts = text.partition("/_history/")[0].split("/")
    if len(parts) >= 2 and not text.startswith("urn:"):
        return parts[-2]
    target = context.entries.get(text)
    return str(target.get("resourceType", "")) if type(target) is dict else ""


def type_held(text: str, context: "Context") -> str:
    """The type of the resource that a reference leads to, where that is at hand."""
    target = context.entries.get(text)
    if text[:1] == "#" or type(target) is not dict:
        return type_in(text, context) if text[:1] == "#" else ""
    return str(target.get("resourceType", ""))


RELATIVE = re.compile(r"([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})(/_history/[A-Za-z0-9.-]{1,64})?")
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S")
CONDITIONAL = re.compile(r"[A-Z][A-Za-z]+\?\S+")  # in transactions: the one resource that a search finds


def well_formed(text: str, is_resource: Callable[[str], bool]) -> bool:
    """Whether a text is a local, an absolute, or a relative reference that names a type of FHIR."""
    if RELATIVE.fullmatch(text):
        return is_resource(text.partition("/")[0])
    if text[:1] == "#" or ABSOLUTE.match(text) or not text.strip():
        return True  # an empty text is told as such where the type is checked
    bare = text.partition("#")[0]
    kind = re.split(r"[/?]", bare, maxsplit=1)[0]
    return bool(RELATIVE.fullmatch(bare) or CONDITIONAL.fullmatch(bare)) and is_resource(kind)


def leads_to_something(value: Any, context: "Context") -> Found:
    """That a relative reference leads to a resource of the same file; one to elsewhere cannot be told."""
    text = value.get("reference") if type(value) is dict else None
    match = RELATIVE.fullmatch(text) if type(text) is str else None
    if match is None:
        return None
    if context.held is None:
        context.held = frozenset(_names_in(context.root))
    return None if match[1] in context.held or text in context.entries else here(f.REFERENCE, "reference_lost")


def _names_in(resource: Any) -> Iterator[str]:
    """Type/id of a resource and of all in it."""
    open_ = [resource]
    while open_:
        each = open_.pop()
        if type(each) is dict:
            if type(each.get("resourceType")) is str and type(each.get("id")) is str:
                yield f"{each['resourceType']}/{each['id']}"
            open_.extend(each.values())
        elif type(each) is list:
            open_.extend(each)
