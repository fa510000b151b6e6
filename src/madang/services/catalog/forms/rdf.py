"""Turtle from the JSON-LD documents of this package: resources in resources, each with @id or not, @type and values."""

from collections.abc import Iterator
from typing import Any

_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x08": "\\b", "\x0c": "\\f"}
)


def turtle(document: dict[str, Any]) -> str:
    """The document as Turtle; a resource that stands in it twice is written for each place, which says the same."""
    prefixes = "".join(f"@prefix {name}: <{address}> .\n" for name, address in document["@context"].items())
    body = {name: value for name, value in document.items() if name != "@context"}
    apart: list[dict[str, Any]] = []
    written = [_block(body, apart)]
    while apart:
        written.append(_block(apart.pop(0), apart))
    return prefixes + "\n" + "\n".join(dict.fromkeys(written))


def _block(resource: dict[str, Any], apart: list[dict[str, Any]]) -> str:
    return f"<{resource['@id']}>\n    " + " ;\n    ".join(_pairs(resource, apart)) + " .\n"


def _pairs(resource: dict[str, Any], apart: list[dict[str, Any]]) -> Iterator[str]:
    for name, value in resource.items():
        if name == "@type":
            yield f"a {value}"
        elif name != "@id":
            values = value if isinstance(value, list) else [value]
            yield f"{name} " + ", ".join(_value(each, apart) for each in values)


def _value(value: Any, apart: list[dict[str, Any]]) -> str:
    if not isinstance(value, dict):
        return f'"{str(value).translate(_ESCAPES)}"'
    if "@value" in value:
        text = f'"{str(value["@value"]).translate(_ESCAPES)}"'
        return f"{text}@{value['@language']}" if "@language" in value else f"{text}^^{value['@type']}"
    if "@id" in value:
        if len(value) > 1:
            apart.append(value)
        return f"<{value['@id']}>"
    return "[ " + " ; ".join(_pairs(value, apart)) + " ]"
