"""What FHIRPath has to know of FHIR: which children an element has, by which names in JSON, and of which types."""

from functools import lru_cache
from typing import Any, NamedTuple

from madang.science.fhir.definitions import Definitions
from madang.science.fhir.facts import Row
from madang.science.fhir.fhirpath.values import Node

SYSTEM = frozenset(["Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any"])
BACKBONE = ("BackboneElement", "Element", "")
NATIVE = {bool: "boolean", int: "integer", float: "decimal", str: "string"}


class Child(NamedTuple):
    """A child by its name in JSON: the type, and where its own children are defined."""

    key: str
    type: str
    where: str


class Children(NamedTuple):
    """The children of a type: by FHIRPath's name (a choice has several names in JSON), and by the name in JSON."""

    names: dict[str, tuple[Child, ...]]
    keys: dict[str, tuple[str, Child]]


class Model:
    """Children and types, read from definitions when first asked for. Types that are not at hand have none."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.children = lru_cache(maxsize=2000)(self._children)
        self.lineage = lru_cache(maxsize=2000)(self._lineage)

    def _children(self, where: str) -> Children | None:
        profile = self.definitions.profile(where.partition(".")[0])
        if profile is None or not profile.rows:
            return None
        names: dict[str, tuple[Child, ...]] = {}
        for row in profile.rows:
            above, _dot, name = row.path.rpartition(".")
            if above == where and ":" not in row.id:
                names[name.removesuffix("[x]")] = _children_of(row, name, profile.kind == "resource")
        keys = {child.key: (name, child) for name, some in names.items() for child in some}
        return Children(names, keys)

    def where(self, path: str) -> str:
        """Where the children of the element at a path of a profile are defined: a type, or a path of its base."""
        steps = path.split(".")
        at = steps[0]
        for step in steps[1:]:
            known = self.children(at)
            name = step.partition(":")[0].removesuffix("[x]")
            found = known.names.get(name) if known else None
            if not found and known:
                found = (known.keys[name][1],) if name in known.keys else None
            if not found or len(found) > 1:
                return ""
            at = found[0].where
        return at

    def _lineage(self, name: str) -> tuple[str, ...]:
        """A type and those that it derives from; empty for what is no type."""
        found: list[str] = []
        while name and name not in found:
            profile = self.definitions.profile(name)
            if profile is None:
                break
            found.append(name)
            name = profile.base.rpartition("/")[2]
        return tuple(found)

    def node(self, data: Any, where: str = "", beside: Any = None) -> Node:
        """An element that stands somewhere; a resource names its type itself."""
        if type(data) is dict and type(data.get("resourceType")) is str:
            return Node(data, data["resourceType"], data["resourceType"], beside)
        kind = where if where and "." not in where else "BackboneElement" if where else NATIVE.get(type(data), "")
        return Node(data, kind, where, beside)

    def made(self, child: Child, data: Any, beside: Any) -> Node:
        """The node of a child."""
        if type(data) is dict and "resourceType" in data and child.type in ("Resource", "DomainResource"):
            return self.node(data)
        return Node(data, child.type or NATIVE.get(type(data), ""), child.where, beside)

    def named(self, node: Any, name: str, out: list[Any]) -> None:
        """Add the children of a node that have a name."""
        if type(node) is not Node:
            return
        data = node.data
        if type(data) is not dict:
            if type(node.beside) is dict:
                self.named(Node(node.beside, "Element", "Element"), name, out)
            return
        known = self.children(node.where) if node.where else None
        if known is None:
            self._unknown(data, name, out)
            return
        for child in known.names.get(name, ()):
            key = child.key
            if key in data or "_" + key in data:
                self._values(child, data.get(key), data.get("_" + key), out)

    def _values(self, child: Child, value: Any, beside: Any, out: list[Any]) -> None:
        if type(value) is list or type(beside) is list:
            values, halves = value if type(value) is list else (), beside if type(beside) is list else ()
            for place in range(max(len(values), len(halves))):
                one = values[place] if place < len(values) else None
                half = halves[place] if place < len(halves) else None
                if one is not None or half is not None:
                    out.append(self.made(child, one, half))
        elif value is not None or beside is not None:
            out.append(self.made(child, value, beside))

    def _unknown(self, data: dict[str, Any], name: str, out: list[Any]) -> None:
        """Children of an element whose type is not at hand: by the names in JSON; a choice by how it begins."""
        keys = [name] if name in data or "_" + name in data else []
        if not keys:
            size = len(name)
            keys = [key for key in data if key.startswith(name) and key[size : size + 1].isupper()]
        for key in keys:
            self._values(Child(key, "", ""), data.get(key), data.get("_" + key), out)

    def all(self, node: Any) -> list[Any]:
        """The children of a node, in the order in which they stand."""
        out: list[Any] = []
        if type(node) is not Node:
            return out
        data = node.data if type(node.data) is dict else node.beside
        if type(data) is not dict:
            return out
        known = self.children(node.where if data is node.data else "Element")
        for key, value in data.items():
            if key == "resourceType" or (key[:1] == "_" and key[1:] in data):
                continue
            plain = key.removeprefix("_")
            child = known.keys[plain][1] if known and plain in known.keys else Child(plain, "", "")
            self._values(child, None if plain != key else value, data.get("_" + plain), out)
        return out

    def is_a(self, value: Any, wanted: str, exact: bool = False) -> bool | None:
        """Whether a value has a type, or one that derives from it; None if there is no such type."""
        space, _dot, name = wanted.rpartition(".")
        if type(value) is Node and value.data is not None and not value.type:
            return None
        if space == "System" or (not space and name in SYSTEM and (type(value) is not Node or name != "Quantity")):
            return type(value) is not Node and name in (system_type(value), "Any")
        kinds = self.lineage(name)
        if not kinds:
            return False if space else None
        if type(value) is not Node:
            return False
        return value.type == name if exact else name in self.lineage(value.type)


def _children_of(row: Row, name: str, resource: bool) -> tuple[Child, ...]:
    if row.content:
        return (Child(name, "BackboneElement", row.content),)
    if not name.endswith("[x]"):
        kind = row.types[0].code if row.types else ""
        if row.path.endswith(".id") and row.path.count(".") == 1 and kind == "string" and resource:
            kind = "id"  # R4 says string, and means the type id
        if kind in BACKBONE:
            return (Child(name, kind or "BackboneElement", row.path),)
        return (Child(name, kind, kind),)
    stem = name[:-3]
    return tuple(Child(stem + ref.code[:1].upper() + ref.code[1:], ref.code, ref.code) for ref in row.types)


def system_type(value: Any) -> str:
    """The System type of a value that is no element."""
    kind = type(value).__name__
    named = {"bool": "Boolean", "int": "Integer", "str": "String"}.get(kind, kind)
    return str(value.kind) if named == "Moment" else named
