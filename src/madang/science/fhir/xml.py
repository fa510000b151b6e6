"""FHIR XML to the same parsed object as JSON gives, by the element tables of R4.

A document type, an entity or an external reference is refused before anything of it is read. What XML cannot say in
JSON (an element that is not known, out of order, text between elements) is kept as a finding.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from madang.science.fhir.facts import Row, TypeRef
from madang.science.fhir.findings import Raw

if TYPE_CHECKING:
    from madang.science.fhir.definitions import Definitions

FHIR, XHTML = "http://hl7.org/fhir", "http://www.w3.org/1999/xhtml"
DEEPEST = 100


class XmlTrouble(Exception):
    """The text is no XML, or no FHIR; `line` is where."""

    def __init__(self, kind: str, line: int = 1) -> None:
        super().__init__(kind)
        self.kind, self.line = kind, line


@dataclass
class Read:
    """A resource and what was found while reading it."""

    resource: dict[str, Any]
    findings: list[Raw] = field(default_factory=list)


@dataclass
class _Element:
    name: str
    space: str
    attributes: dict[str, str]
    children: list["_Element"] = field(default_factory=list)
    text: str = ""
    raw: str = ""


def _parse(data: bytes) -> _Element:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.ordered_attributes = False
    top: list[_Element] = []
    open_: list[_Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_) > DEEPEST:
            raise XmlTrouble("xml_deep", parser.CurrentLineNumber)
        space, _gap, local = name.rpartition(" ")
        element = _Element(local, space, attributes)
        (open_[-1].children if open_ else top).append(element)
        open_.append(element)

    def end(name: str) -> None:
        open_.pop()

    def text(data: str) -> None:
        if open_:
            if open_[-1].space == XHTML:
                open_[-1].children.append(_Element("", "", {}, text=data))
            else:
                open_[-1].text += data

    def refuse(*_arguments: object) -> None:
        raise XmlTrouble("xml_doctype", parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlTrouble("xml_form", error.lineno) from None
    except (ValueError, LookupError):
        raise XmlTrouble("xml_form") from None
    return top[0]


def resource_of(data: bytes, definitions: "Definitions") -> Read:
    """Read one resource. Raises `XmlTrouble` where the text is no XML of FHIR at all."""
    top = _parse(data)
    if top.space != FHIR or not definitions.is_resource(top.name):
        raise XmlTrouble("xml_namespace" if top.space != FHIR else "unknown_resource")
    reader = _Reader(definitions)
    made = reader.resource(top, top.name)
    return Read(made, reader.findings)


class _Reader:
    def __init__(self, definitions: "Definitions") -> None:
        self.definitions = definitions
        self.findings: list[Raw] = []

    def say(self, path: str, kind: str, *about: str) -> None:
        plain = "".join(part for part in path if part not in "[]" and not part.isdigit()) if "[" in path else path
        self.findings.append(Raw(plain, path, "XML form", "error", kind, about))

    def resource(self, element: _Element, path: str) -> dict[str, Any]:
        found = self.definitions.profile(element.name)
        made: dict[str, Any] = {"resourceType": element.name}
        if found is None:
            self.say(path, "unknown_resource")
            return made
        rows = {row.id: row for row in found.rows}
        made.update(self.children(element, element.name, rows, path))
        return made

    def table(self, identifier: str, rows: dict[str, Row], code: str) -> tuple[str, dict[str, Row]]:
        """Where the children of an element are listed: here, or in its type."""
        row = rows.get(identifier)
        if row is not None and row.content:
            return row.content, rows
        if code in ("BackboneElement", "Element") and any(each.startswith(identifier + ".") for each in rows):
            return identifier, rows
        found = self.definitions.profile(code)
        return (code, {each.id: each for each in found.rows}) if found else (identifier, {})

    def children(self, element: _Element, prefix: str, rows: dict[str, Row], path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if element.text.strip():
            self.say(path, "xml_text")
        table: dict[str, tuple[int, Row, TypeRef]] = {}
        place = 0
        for row in rows.values():
            above, _dot, name = row.id.rpartition(".")
            if above != prefix or not name:
                continue
            place += 1
            if name.endswith("[x]"):
                for ref in row.types:
                    table[name[:-3] + ref.code[:1].upper() + ref.code[1:]] = (place, row, ref)
            else:
                table[name] = (place, row, row.types[0] if row.types else TypeRef("BackboneElement"))
        for name, value in element.attributes.items():
            if name in ("id", "url") and name in table:
                made[name] = value
            elif name != "value" and not name.startswith("http://www.w3.org/2001/XMLSchema-instance"):
                self.say(path, "xml_attribute")
        last = 0
        for child in element.children:
            if child.space == XHTML and child.name == "div" and "div" in table:
                made["div"] = _markup(child)
                continue
            known = table.get(child.name)
            if known is None or child.space != FHIR:
                self.findings.append(
                    Raw(_plain(path), path, "unknown element", "error", "unknown", (_safe(child.name), ""))
                )
                continue
            order, row, ref = known
            if order < last:
                self.say(f"{path}.{child.name}", "xml_order")
            last = max(last, order)
            self.put(made, child, row, ref, f"{path}.{child.name}", rows)
        return made

    def put(
        self, made: dict[str, Any], child: _Element, row: Row, ref: TypeRef, path: str, rows: dict[str, Row]
    ) -> None:
        from madang.science.fhir.primitives import NAMES

        name = child.name
        value: Any
        hidden: dict[str, Any] | None = None
        if ref.code in ("Resource", "DomainResource") and not row.content:
            inner = [each for each in child.children if each.space == FHIR]
            if len(inner) != 1 or not self.definitions.is_resource(inner[0].name):
                self.say(path, "xml_resource")
                return
            value = self.resource(inner[0], path)
        elif ref.code in NAMES and not row.content:
            value = _primitive(ref.code, child.attributes.get("value"))
            element = self.definitions.profile("Element")
            table = {each.id: each for each in element.rows} if element else {}
            extra = self.children(child, "Element", table, path)
            hidden = extra or None
            if value is None and (hidden is None or hidden.keys() <= {"id"}):
                self.say(path, "xml_empty")
        else:
            prefix, table = self.table(row.id, rows, ref.code)
            value = self.children(child, prefix, table, path)
            if "value" in child.attributes:
                self.say(path, "xml_attribute")
        if row.is_list:
            if value is not None or hidden is not None:
                made.setdefault(name, []).append(value)
            if hidden is not None or "_" + name in made:
                beside = made.setdefault("_" + name, [None] * (len(made[name]) - 1))
                beside.append(hidden)
            return
        if name in made or "_" + name in made:
            self.findings.append(Raw(_plain(path), path, "cardinality", "error", "too_many", (name, 1)))
            return
        if value is not None:
            made[name] = value
        if hidden is not None:
            made["_" + name] = hidden


def _plain(path: str) -> str:
    return path


def _safe(name: str) -> str:
    return name if name.isidentifier() and len(name) <= 64 else "?"


def _primitive(code: str, text: str | None) -> Any:
    if text is None:
        return None
    if code == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if code in ("integer", "unsignedInt", "positiveInt"):
        bare = text[1:] if text[:1] in "+-" else text
        return int(text) if bare.isascii() and bare.isdigit() and len(bare) < 12 else text
    if code == "decimal":
        try:
            number = float(text)
        except ValueError:
            return text
        if text.strip() != text or number != number or number in (float("inf"), float("-inf")):
            return text
        return number if any(letter in text for letter in ".eE") else int(text)
    return text


def _markup(element: _Element) -> str:
    from xml.sax.saxutils import escape, quoteattr

    if not element.name:
        return escape(element.text)
    names = {key.rpartition(" ")[2]: value for key, value in element.attributes.items()}
    said = "".join(f" {key}={quoteattr(value)}" for key, value in names.items())
    space = f' xmlns="{element.space}"' if element.name == "div" and element.space else ""
    if not element.children:
        return f"<{element.name}{space}{said}/>"
    return f"<{element.name}{space}{said}>{''.join(map(_markup, element.children))}</{element.name}>"
