"""What the validator knows of a profile: the rows of its snapshot without any text, and how they are read from one.

A `Row` is one ElementDefinition as far as a check depends on it. `row_of` reads it from the JSON of a
StructureDefinition; `to_json` and `from_json` are the shape in which compiled facts are kept in a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
ADDITIONAL = "extension-ElementDefinition.binding.additional"
INSTEAD = "extension-ElementDefinition.valueAlternatives"
MUST_HAVE_VALUE = "extension-ElementDefinition.mustHaveValue"
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
OBLIGATION = "http://hl7.org/fhir/StructureDefinition/obligation"
IMPLIED = ("ele-1",)  # held by the JSON form itself


@dataclass(frozen=True)
class TypeRef:
    """One type that an element may have: its code, the profiles on it, and what a reference may point at."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    aggregation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Constraint:
    """An invariant: its key, severity (`error` or `warning`) and FHIRPath expression."""

    key: str
    severity: str
    expression: str


@dataclass(frozen=True)
class Row:
    """One element of a snapshot. `high` is None where there is no upper bound; `id` names slices, `path` does not."""

    id: str
    path: str
    low: int = 0
    high: int | None = 1
    types: tuple[TypeRef, ...] = ()
    slice: str = ""
    discriminators: tuple[tuple[str, str], ...] | None = None  # (type, path); None: the element is not sliced
    rules: str = "open"
    ordered: bool = False
    content: str = ""  # id of the element whose content this one has
    fixed: Any = None
    pattern: Any = None
    binding: tuple[str, str] | None = None  # (strength, value set)
    widest: str = ""  # value set that no code may leave, whatever the strength
    constraints: tuple[Constraint, ...] = ()
    must_support: bool = False
    item: str = ""  # the data item of KR CDI that the element carries
    must_value: bool = False  # extensions alone will not do
    instead: tuple[str, ...] = ()  # extensions of which one must be there where the value is not
    narrative: tuple[str, ...] = ()  # what a profile demands of the parts of a narrative
    modifier: bool = False
    max_length: int | None = None
    least: Any = None
    most: Any = None
    given: tuple[str, ...] = field(default=(), compare=False)  # of min and max those that a differential says
    base_max: str = ""  # the upper bound in the base resource: `*` makes the element a list in JSON

    @property
    def is_list(self) -> bool:
        """Whether the element is an array in JSON, which the base resource decides and not the profile."""
        return self.base_max == "*" if self.base_max else self.high is None or self.high > 1


@dataclass(frozen=True)
class Profile:
    """A StructureDefinition: what it constrains, and its rows, the root first."""

    url: str
    name: str
    type: str
    kind: str
    derivation: str
    base: str = ""
    version: str = ""
    abstract: bool = False
    rows: tuple[Row, ...] = ()
    context: tuple[str, ...] = ()  # of an extension: where it may stand, as `element:Patient`
    rules: tuple[str, ...] = ()  # of an extension: FHIRPath that must hold on the element that has it
    snapshot: bool = True
    package: str = field(default="", compare=False)


def profile_of(definition: dict[str, Any], package: str = "") -> Profile:
    """The facts of a StructureDefinition; rows of its differential where it has no snapshot."""
    has = bool(definition.get("snapshot", {}).get("element"))
    elements = (definition["snapshot"] if has else definition.get("differential", {})).get("element", [])
    context = tuple(
        f"{each.get('type', 'element')}:{each.get('expression', '')}"
        for each in definition.get("context", [])
        if isinstance(each, dict)
    )
    return Profile(
        url=str(definition.get("url", "")),
        name=str(definition.get("name", "")),
        type=str(definition.get("type", "")),
        kind=str(definition.get("kind", "")),
        derivation=str(definition.get("derivation", "")),
        base=str(definition.get("baseDefinition", "")).partition("|")[0],
        version=str(definition.get("version", "")),
        abstract=bool(definition.get("abstract")),
        rows=tuple(row_of(element) for element in _identified(elements)),
        context=context if definition.get("type") == "Extension" else (),
        rules=tuple(map(str, definition.get("contextInvariant", []))) if definition.get("type") == "Extension" else (),
        snapshot=has,
        package=package,
    )


def _identified(elements: Any) -> Iterator[dict[str, Any]]:
    """The elements, each with its id; where it has none, it belongs to the slice of its path that began last."""
    slices: dict[str, str] = {}
    for element in elements if isinstance(elements, list) else ():
        if not isinstance(element, dict):
            continue
        path = str(element.get("path", ""))
        for each in [each for each in slices if each == path or each.startswith(path + ".")]:
            del slices[each]
        if element.get("sliceName"):
            slices[path] = str(element["sliceName"])
        if not element.get("id"):
            steps, named = path.split("."), []
            for count, step in enumerate(steps, start=1):
                slice_name = slices.get(".".join(steps[:count]), "")
                named.append(f"{step}:{slice_name}" if slice_name else step)
            element = element | {"id": ".".join(named)}
        yield element


def row_of(element: dict[str, Any]) -> Row:
    """The facts of an ElementDefinition; of a differential the parts that are not said have their defaults."""
    path = str(element.get("path", ""))
    slicing = element.get("slicing")
    high = element.get("max")
    binding = element.get("binding") or {}
    strength, value_set = binding.get("strength"), str(binding.get("valueSet", "")).partition("|")[0]
    return Row(
        id=str(element.get("id") or path),
        path=path,
        low=int(element.get("min", 0)),
        high=None if high == "*" else int(high) if high is not None else 1,
        types=tuple(_type_of(each) for each in element.get("type", [])),
        slice=str(element.get("sliceName", "")),
        discriminators=_discriminators(slicing) if isinstance(slicing, dict) else None,
        rules=str(slicing.get("rules", "open")) if isinstance(slicing, dict) else "open",
        ordered=bool(slicing.get("ordered")) if isinstance(slicing, dict) else False,
        content=str(element.get("contentReference", "")).rpartition("#")[2],
        fixed=_valued(element, "fixed"),
        pattern=_valued(element, "pattern"),
        binding=(str(strength), value_set) if strength and value_set else None,
        widest=_widest(binding),
        constraints=tuple(
            Constraint(str(each.get("key")), str(each.get("severity", "error")), str(each.get("expression", "")))
            for each in element.get("constraint", [])
            if each.get("key") not in IMPLIED
        ),
        must_support=bool(element.get("mustSupport")) or _obliged(element),
        item=_item(element),
        narrative=_controls(element),
        must_value=any(str(x.get("url", "")).endswith(MUST_HAVE_VALUE) for x in element.get("extension", [])),
        instead=tuple(
            str(x.get("valueCanonical", "")).partition("|")[0]
            for x in element.get("extension", [])
            if str(x.get("url", "")).endswith(INSTEAD)
        ),
        modifier=bool(element.get("isModifier")),
        max_length=element.get("maxLength"),
        least=_valued(element, "minValue"),
        most=_valued(element, "maxValue"),
        given=tuple(name for name in ("min", "max") if name in element),
        base_max=str((element.get("base") or {}).get("max", "")),
    )


def _type_of(each: dict[str, Any]) -> TypeRef:
    code = str(each.get("code", ""))
    if code.startswith(SYSTEM_TYPE):
        said: dict[str, Any] = next((x for x in each.get("extension", []) if x.get("url") == FHIR_TYPE), {})
        code = str(said.get("valueUrl") or said.get("valueUri") or "string")
    profiles = tuple(str(url).partition("|")[0] for url in each.get("profile", []))
    targets = tuple(str(url).partition("|")[0] for url in each.get("targetProfile", []))
    return TypeRef(code, profiles, targets, tuple(each.get("aggregation", [])))


def _discriminators(slicing: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((str(x.get("type", "value")), str(x.get("path", "$this"))) for x in slicing.get("discriminator", []))


def _valued(element: dict[str, Any], prefix: str) -> Any:
    return next(
        (value for key, value in element.items() if key.startswith(prefix) and key[len(prefix) :][:1].isupper()), None
    )


def _widest(binding: dict[str, Any]) -> str:
    said: dict[str, Any] = next((x for x in binding.get("extension", []) if x.get("url") == MAX_VALUE_SET), {})
    url = str(said.get("valueCanonical") or said.get("valueUri") or "").partition("|")[0]
    return url or next((_additional(x) for x in binding.get("extension", []) if _additional(x)), "")


def _additional(extension: dict[str, Any]) -> str:
    """The value set of an additional binding that is required."""
    if not str(extension.get("url", "")).endswith(ADDITIONAL):
        return ""
    parts = {str(x.get("url")): x for x in extension.get("extension", [])}
    if parts.get("purpose", {}).get("valueCode") != "required":
        return ""
    return str(parts.get("valueSet", {}).get("valueCanonical", "")).partition("|")[0]


def _controls(element: dict[str, Any]) -> tuple[str, ...]:
    """What a profile demands of the parts of a narrative: `source`, `no language`."""
    said = {str(x.get("url", "")).rpartition("/")[2]: x.get("valueCode") for x in element.get("extension", [])}
    source = ("source",) if said.get("narrative-source-control") else ()
    return (*source, "no language") if said.get("narrative-language-control") == "_no" else source


def _item(element: dict[str, Any]) -> str:
    said = (str(each) for each in element.get("alias", []))
    return next((each.partition(":")[2].strip() for each in said if each.startswith("KRCDI:")), "")


def _obliged(element: dict[str, Any]) -> bool:
    return any(each.get("url") == OBLIGATION for each in element.get("extension", []))


# The shape in which facts are kept: short names, nothing where a part has its default.
_SHORT = {
    "id": "i", "low": "n", "high": "x", "slice": "s", "rules": "r", "ordered": "o", "content": "c", "fixed": "f",
    "pattern": "p", "binding": "b", "widest": "w", "must_support": "m", "item": "h",
    "must_value": "g", "modifier": "d", "max_length": "l",
    "least": "v", "most": "u", "base_max": "a",
}  # fmt: skip


def to_json(profile: Profile, constraints: dict[Constraint, int]) -> dict[str, Any]:
    """A profile as kept in a file; `constraints` numbers each invariant once and is added to."""
    plain = Row("", "")
    rows = []
    for row in profile.rows:
        kept: dict[str, Any] = {}
        for name, short in _SHORT.items():
            value = getattr(row, name)
            if value != getattr(plain, name):
                kept[short] = value
        if row.path != _path_of(row.id):
            kept["q"] = row.path
        if row.discriminators is not None:
            kept["D"] = row.discriminators
        if row.types:
            kept["t"] = [
                [each.code, each.profiles, each.targets, each.aggregation][: _length(each)] for each in row.types
            ]
        if row.constraints:
            kept["k"] = [constraints.setdefault(each, len(constraints)) for each in row.constraints]
        rows.append(kept)
    said = {"url": profile.url, "name": profile.name, "type": profile.type, "kind": profile.kind}
    said |= {"derivation": profile.derivation, "base": profile.base, "version": profile.version}
    return said | {"abstract": profile.abstract, "context": profile.context, "rows": rows}


def _length(each: TypeRef) -> int:
    return 4 if each.aggregation else 3 if each.targets else 2 if each.profiles else 1


def _path_of(identifier: str) -> str:
    return ".".join(part.partition(":")[0] for part in identifier.split("."))


def from_json(kept: dict[str, Any], constraints: list[Constraint], package: str) -> Profile:
    """The profile that `to_json` wrote."""
    rows = []
    long = {short: name for name, short in _SHORT.items()}
    for each in kept["rows"]:
        said = {long[key]: value for key, value in each.items() if key in long}
        if "binding" in said:
            said["binding"] = tuple(said["binding"])
        types = tuple(TypeRef(x[0], *(tuple(part) for part in x[1:])) for x in each.get("t", ()))
        rows.append(
            Row(
                path=each.get("q") or _path_of(each["i"]),
                types=types,
                discriminators=tuple((x[0], x[1]) for x in each["D"]) if "D" in each else None,
                constraints=tuple(constraints[number] for number in each.get("k", ())),
                **said,
            )
        )
    about = {key: kept[key] for key in ("url", "name", "type", "kind", "derivation", "base", "version", "abstract")}
    return Profile(**about, context=tuple(kept["context"]), rows=tuple(rows), package=package)
