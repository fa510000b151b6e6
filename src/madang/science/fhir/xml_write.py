"""A parsed resource as FHIR XML, its elements in the order of their definitions."""

from functools import cache
from typing import Any
from xml.sax.saxutils import quoteattr

from madang.science.fhir.definitions import Definitions
from madang.science.fhir.facts import Row

NAMESPACE = 'xmlns="http://hl7.org/fhir"'


def xml_of(resource: dict[str, Any], definitions: Definitions) -> str:
    """The resource as XML text. What R4 does not define is left out."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _resource(resource, definitions, top=True)


def _resource(resource: dict[str, Any], definitions: Definitions, top: bool = False) -> str:
    name = str(resource.get("resourceType", ""))
    inner = "".join(_children(resource, name, name, definitions))
    return f"<{name}{' ' + NAMESPACE if top else ''}>{inner}</{name}>"


@cache
def _order(kind: str, prefix: str, definitions: int) -> list[tuple[str, Row]]:
    profile = _known[definitions].profile(kind)
    rows = profile.rows if profile else ()
    return [(row.path[len(prefix) + 1 :], row) for row in rows if row.path.rpartition(".")[0] == prefix]


_known: dict[int, Definitions] = {}


def _children(node: dict[str, Any], kind: str, prefix: str, definitions: Definitions) -> list[str]:
    _known[id(definitions)] = definitions
    attributes = (
        () if definitions.is_resource(kind) and prefix == kind else ("id", "url") if kind == "Extension" else ("id",)
    )
    out = []
    for name, row in _order(kind, prefix, id(definitions)):
        if name.endswith("[x]"):
            for ref in row.types:
                key = name[:-3] + ref.code[:1].upper() + ref.code[1:]
                if key in node or "_" + key in node:
                    out.append(_element(node, key, ref.code, row, kind, definitions))
        elif name not in attributes and (name in node or "_" + name in node):
            code = row.types[0].code if row.types else "BackboneElement"
            out.append(_element(node, name, code, row, kind, definitions))
    return out


def _element(node: dict[str, Any], name: str, code: str, row: Row, kind: str, definitions: Definitions) -> str:
    values, hidden = node.get(name), node.get("_" + name)
    if not isinstance(values, list):
        values, hidden = [values], [hidden]
    hidden = list(hidden or []) + [None] * (len(values) - len(hidden or []))
    return "".join(
        _one(name, value, extra, code, row, kind, definitions) for value, extra in zip(values, hidden, strict=False)
    )


def _one(name: str, value: Any, extra: Any, code: str, row: Row, kind: str, definitions: Definitions) -> str:
    if code == "xhtml":
        return str(value)
    if code in ("Resource", "DomainResource"):
        return f"<{name}>{_resource(value, definitions)}</{name}>"
    if not isinstance(value, dict):
        said = "" if value is None else f" value={quoteattr(_text(value))}"
        said_more = "".join(_children(extra, "Element", "Element", definitions)) if isinstance(extra, dict) else ""
        return (
            f"<{name}{_attributes(extra)}{said}>{said_more}</{name}>"
            if said_more
            else f"<{name}{_attributes(extra)}{said}/>"
        )
    if row.content:
        inner = _children(value, row.content.partition(".")[0], row.content, definitions)
    elif code in ("BackboneElement", "Element"):
        inner = _children(value, kind, row.path, definitions)
    else:
        inner = _children(value, code, code, definitions)
    return f"<{name}{_attributes(value)}>{''.join(inner)}</{name}>"


def _attributes(node: Any) -> str:
    if not isinstance(node, dict):
        return ""
    said = f" id={quoteattr(node['id'])}" if isinstance(node.get("id"), str) else ""
    return said + (f" url={quoteattr(node['url'])}" if isinstance(node.get("url"), str) and _is_extension(node) else "")


def _is_extension(node: dict[str, Any]) -> bool:
    return "extension" in node or any(key.startswith(("value", "_value")) for key in node)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
