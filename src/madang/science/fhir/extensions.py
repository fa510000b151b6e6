"""Extensions that no slice names: their own definition, where they may stand, and what of them cannot be told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.definitions import CORE, Definitions
from madang.science.fhir.findings import Found, Raw, here
from madang.science.fhir.tree import Node

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Check, Compiler, Context

ELSEWHERE = (CORE + "structuredefinition-fhir-type",)  # tools put it beside the element that R4 names
ANYWHERE = ("element:Element", "element:*", "extension:*")
RESOURCES = ("Resource", "DomainResource")


def extension_check(compiler: "Compiler", node: Node) -> "Check":
    """The function of one extension at this element."""
    above = node.row.path.rpartition(".")[0]
    inner = above == "Extension" or above.endswith(".extension")
    inside = inner and node.profile not in ("", CORE + "Extension")
    parts = ", ".join(each.row.slice for each in node.slices)
    plain = compiler.of_type("Extension")
    modifier = node.name == "modifierExtension"

    def check(value: Any, context: "Context") -> Found:
        url = value.get("url") if type(value) is dict else None
        if type(url) is not str:
            return plain(value, context)
        if ":" not in url:
            if not inner:
                return here(f.EXTENSION, "extension_url")
            found = here(f.EXTENSION, "extension_inner", parts) if inside and parts else None
            return (found or []) + (plain(value, context) or []) or None
        kind, derivation, _package = compiler.definitions.facts(url.partition("|")[0])
        if kind == "Extension" and derivation == "constraint":
            return _placed(compiler, url, above, compiler.of_type("Extension", url)(value, context))
        if url.startswith(CORE) or compiler.strict or modifier:
            said = here(
                f.EXTENSION, "extension_unknown", severity=f.ERROR if compiler.strict or not modifier else f.WARNING
            )
            return said + (plain(value, context) or [])
        name = url if url.startswith(("http:", "https:", "urn:")) and len(url) < 200 else "extension"
        context.unsure[name] = context.unsure.get(name, 0) + 1
        return plain(value, context)

    return check


def _placed(compiler: "Compiler", url: str, above: str, found: Found) -> Found:
    profile = compiler.definitions.profile(url)
    allowed = profile.context if profile else ()
    if profile and profile.rules:
        found = [*(found or []), Raw("", "", f.EXTENSION, f.ERROR, "extension_rule", profile.rules)]
    if not allowed or any(each in ANYWHERE for each in allowed) or f"element:{above}" in allowed:
        return found
    inner = above == "Extension" or above.endswith(".extension")
    if (inner and any(each.startswith("extension:") for each in allowed)) or url in ELSEWHERE:
        return found
    extended = any(each.startswith("extension:") for each in allowed)
    names = ", ".join(each.partition(":")[2] for each in allowed if each.startswith("element:"))
    paths = tuple(each.partition(":")[2] for each in allowed if each.startswith("fhirpath:"))
    return [*(found or []), Raw("", "", f.EXTENSION, f.ERROR, "extension_context", (names, paths, extended))]


def misplaced(found: list[Raw], node: dict[str, Any], compiler: "Compiler", context: "Context") -> list[Raw]:
    """Without those findings about the place of an extension that the whole path answers."""
    return [
        each
        for each in found
        if (each.kind != "extension_context" or not _may_stand(each, node, compiler, context))
        and (each.kind != "extension_rule" or _breaks(each, node, compiler, context))
    ]


def _breaks(each: Raw, node: dict[str, Any], compiler: "Compiler", context: "Context") -> bool:
    """Whether a rule of an extension does not hold on the element that has it; where that cannot be told, no, and it
    is counted.
    """
    answers = [_answer(rule, each.place.rpartition(".")[0], node, compiler, context) for rule in each.about]
    for rule, items in zip(each.about, answers, strict=True):
        if items is None:
            context.unsure[str(rule)] = context.unsure.get(str(rule), 0) + 1
        elif items != [True]:
            return True
    return False


def _answer(
    expression: str, place: str, node: dict[str, Any], compiler: "Compiler", context: "Context"
) -> list[Any] | None:
    """What an expression gives on the element at a place of a resource, as JSON; None where it cannot be told."""
    from madang.science.fhir.fhirpath.evaluate import compiled
    from madang.science.fhir.fhirpath.values import Node
    from madang.science.fhir.paths import CANNOT, Around, asked

    model = compiler.model
    path = ".".join([str(node.get("resourceType")), *(step.partition("[")[0] for step in place.split(".") if step)])
    try:
        element = model.node(_element(node, place), model.where(path))
        items = asked(compiled(expression), model, element, node, context.root, Around(compiler, context))
    except CANNOT:
        return None
    return [each.data if type(each) is Node else each for each in items]


def _may_stand(each: Raw, node: dict[str, Any], compiler: "Compiler", context: "Context") -> bool:
    resource = str(node.get("resourceType"))
    if (
        each.about[2] and "extension" in each.path.split(".")[:-1]
    ):  # on a part of another extension, which the definition allows
        return True
    if each.about[1]:
        element = _element(node, each.place.rpartition(".")[0])
        for path in each.about[1]:
            items = _answer(path, "", node, compiler, context)
            if items is None or any(one is element for one in items):
                if items is None:
                    context.unsure[path] = context.unsure.get(path, 0) + 1
                return True
    allowed = {name.partition("#")[2] or name for name in str(each.about[0]).split(", ")}
    path = [resource, *(part.partition(":")[0] for part in each.path.split(".")[:-1])]
    return bool(allowed & set(names_of(path, compiler.definitions)))


def _element(node: dict[str, Any], place: str) -> Any:
    """What stands at a place of a resource."""
    element: Any = node
    for step in place.split(".") if place else ():
        name, _bracket, number = step.partition("[")
        element = element.get(name) if isinstance(element, dict) else None
        if number and isinstance(element, list):
            element = element[int(number[:-1])]
    return element


def names_of(path: list[str], definitions: Definitions) -> Iterator[str]:
    """What an element may be called in the context of an extension: its paths and the types that it has."""
    if len(path) == 1:
        yield path[0]
        yield from RESOURCES
    here_, kind, backbone = path[0], path[0], False
    for step in path[1:]:
        profile = definitions.profile(kind)
        rows = {row.path: row for row in profile.rows} if profile else {}
        row = rows.get(f"{here_}.{step}")
        choice = ""
        if row is None:
            for name, each in rows.items():
                stem = name[:-3]
                if name.endswith("[x]") and f"{here_}.{step}".startswith(stem) and name.rpartition(".")[0] == here_:
                    row, choice = each, f"{here_}.{step}"[len(stem) :]
        if row is None:
            return
        here_ = row.path
        backbone = bool(row.content) or (bool(row.types) and row.types[0].code == "BackboneElement")
        if row.types and row.types[0].code not in ("BackboneElement", "Element"):
            code = next((x.code for x in row.types if x.code.lower() == choice.lower()), row.types[0].code)
            last = step == path[-1]
            if last:
                yield here_
                yield code
            here_ = kind = code
        if row.content:
            here_ = row.content
    yield here_
    yield ".".join(path)
    if len(path) > 1:
        yield "Element"
        if backbone:
            yield "BackboneElement"
        if ".".join(path[1:]) in ("text", "contained", "extension", "meta", "language", "implicitRules"):
            yield f"DomainResource.{path[1]}"
