"""Objects in JSON against the children of an element: members, how often each, slices, choices, what must be there."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.facts import Constraint, TypeRef
from madang.science.fhir.findings import Found, at, here, under
from madang.science.fhir.primitives import NAMES as PRIMITIVES
from madang.science.fhir.references import ABSOLUTE, well_formed
from madang.science.fhir.slices import slices_of
from madang.science.fhir.tree import Node

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Check, Compiler, Context

NONE: frozenset[str] = frozenset()
REMEMBERED = 20_000  # good texts of one element
SAFE_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def object_check(compiler: "Compiler", node: Node, type_name: str, extra: tuple[Constraint, ...]) -> "Check":
    """The function of an object whose members are the children of `node`, or of its type where it has none."""
    base = node
    if not node.children:
        found = compiler.tree(f"http://hl7.org/fhir/StructureDefinition/{type_name}")
        base = found[0] if found else node
    handlers: dict[str, Callable[[Any, Any], Found]] = {}
    required: list[str] = []
    choices: list[tuple[str, frozenset[str], int]] = []
    lists: set[str] = set()
    for child in base.children.values():
        _add_child(compiler, child, handlers, required, choices, lists)
    instead = [(child.name, child.row.instead) for child in base.children.values() if child.row.instead]
    keys = {each.key for each in extra}
    own = [each for each in base.row.constraints if each.key not in keys] if base is not node else []
    typed = compiler.tree(f"http://hl7.org/fhir/StructureDefinition/{type_name}") if node.children else None
    above = list(typed[0].row.constraints) if typed else []
    every = {each.key: each for each in [*above, *own, *base.row.constraints, *node.row.constraints, *extra]}
    functions, invariants = compiler.direct(every.values(), compiler.where(node, type_name))
    invariants.extend(_instead(name, urls) for name, urls in instead)
    if type_name == "Coding":
        invariants.append(compiler.coding())
    elif type_name == "Identifier":
        invariants.append(_absolute_system)
    is_resource = node.row.path.count(".") == 0 and compiler.definitions.is_resource(node.row.path)
    if is_resource:
        handlers["resourceType"] = _nothing
    is_extension, is_reference = type_name == "Extension", type_name == "Reference"
    may_be_bare = is_resource or node.row.path == "Element"  # a resource, and what stands beside a primitive value
    as_they_are = compiler.references == "none"
    is_known = lru_cache(maxsize=500)(compiler.definitions.is_resource)
    mandatory = frozenset(required)
    table = {key: (getattr(handler, "good", NONE), handler) for key, handler in handlers.items()}
    get = table.get

    def check(value: Any, context: "Context") -> Found:
        if type(value) is not dict:
            return here(f.FORM, "not_object")
        if not value:
            return here(f.FORM, "empty_object")
        context.keys += len(value)
        above = context.halves or None  # of the object around, whose turn comes when this one is done
        if above is not None:
            context.halves = []
        out: Found = None
        for key, part in value.items():
            entry = get(key)
            if entry is None:
                found: Found = _unknown(key, handlers)
            else:
                if type(part) is str and part in entry[0]:
                    continue
                found = entry[1](part, context)
            if found:
                out = out + found if out else found
        if context.halves:
            wrong = _two_halves(value, context.halves, choices)
            out = (out or []) + wrong if wrong else out
            wrong = _halves(value, context)
            out = (out or []) + wrong if wrong else out
        if "id" in value and len(value) == 1 and not may_be_bare:
            out = (out or []) + here("ele-1", "value_nowhere")
        if mandatory and not mandatory <= value.keys():
            missing = _missing(value, required)
            out = (out or []) + missing if missing else out
        for name, group, low in choices:
            if group.isdisjoint(value):
                wrong = at(name, f.CARDINALITY, "missing", name) if low and not _hidden(value, name, group) else None
            else:
                wrong = at(name, f.CARDINALITY, "two_choices", name) if len(group & value.keys()) > 1 else None
            if wrong:
                out = (out or []) + wrong
        for needs, hidden, holds, said in functions:
            if (not needs or needs in value or hidden in value) and not holds(value, context):
                out = out + said if out else list(said)
        for invariant in invariants:
            found = invariant(value, context)
            if found:
                out = out + found if out else found
        if is_reference:
            text = value.get("reference")
            if type(text) is str:
                (context.local if text[:1] == "#" else context.references).append(text)
                if not (as_they_are or well_formed(text, is_known)):
                    out = (out or []) + at("reference", f.REFERENCE, "reference_form")
        elif is_extension:
            wrong = _extension(value)
            out = (out or []) + wrong if wrong else out
        if above is not None:
            context.halves = above
        return out

    return check


def _halves(value: dict[str, Any], context: "Context") -> Found:
    """ele-1 of primitives: each has a value or extensions, be they in the member or in its half with an underscore."""
    names, context.halves = dict.fromkeys(context.halves), []
    out: list[f.Raw] = []
    for name in names:
        told, beside = value.get(name), value.get("_" + name)
        if type(told) is not list and type(beside) is not list:
            if told is None and not _extended(beside):
                out += at(name, "ele-1", "value_nowhere")
            continue
        one = told if type(told) is list else []
        other = beside if type(beside) is list else []
        for place in range(max(len(one), len(other))):
            if (place >= len(one) or one[place] is None) and (place >= len(other) or not _extended(other[place])):
                out += under(name, f"{name}[{place}]", here("ele-1", "value_nowhere"))
    return out or None


def _two_halves(value: dict[str, Any], halves: list[str], choices: list[tuple[str, frozenset[str], int]]) -> Found:
    """A choice has one type, be it that of a value or of what stands beside a value."""
    out: list[f.Raw] = []
    for name, group, _low in choices:
        if not group.isdisjoint(halves) and len(group & value.keys()) < 2 <= len(group & {*value, *halves}):
            out += at(name, f.CARDINALITY, "two_choices", name)
    return out or None


def _extended(beside: Any) -> bool:
    return type(beside) is dict and "extension" in beside


def _instead(name: str, urls: tuple[str, ...]) -> "Check":
    """An element without a value has one of the extensions that may stand in its place."""

    def check(value: Any, context: "Context") -> Found:
        beside = value.get("_" + name)
        if name in value or beside is None:
            return None
        extensions = beside.get("extension") if type(beside) is dict else None
        there = {each.get("url") for each in extensions or () if type(each) is dict} if type(extensions) is list else ()
        return None if set(urls) & set(there) else at(name, f.CARDINALITY, "value_instead", ", ".join(urls))

    return check


def _absolute_system(value: Any, context: Any) -> Found:
    """The namespace of an identifier is an absolute URI (a relative one would name another on each server), and where
    it is the namespace of URIs the value is one.
    """
    system, told = value.get("system"), value.get("value")
    if type(system) is str and ":" not in system:
        return at("system", f.SYSTEM, "identifier_relative")
    if system == "urn:ietf:rfc:3986" and type(told) is str and not ABSOLUTE.match(told):
        return at("value", f.SYSTEM, "identifier_no_uri")
    return None


def _nothing(value: Any, context: Any) -> Found:
    return None


def _unknown(key: str, handlers: dict[str, Any]) -> list[f.Raw]:
    name = key if len(key) <= 40 and SAFE_NAME.issuperset(key) else "?"
    if key == "fhir_comments":
        return here(f.UNKNOWN, "comments")
    near = ""
    if name != "?":
        from difflib import get_close_matches

        near = next(iter(get_close_matches(key, [each for each in handlers if each[0] != "_"], 1, 0.75)), "")
    return here(f.UNKNOWN, "unknown_near" if near else "unknown", name, near)


def _missing(value: dict[str, Any], required: list[str]) -> list[f.Raw]:
    return [
        each
        for name in required
        if name not in value and ("_" + name) not in value
        for each in at(name, f.CARDINALITY, "missing", name)
    ]


def _hidden(value: dict[str, Any], name: str, group: frozenset[str]) -> bool:
    """Whether a choice has no value, but extensions in its place."""
    return name.endswith("[x]") and any(("_" + key) in value for key in group)


def _extension(value: dict[str, Any]) -> Found:
    """ext-1: an extension has a value or extensions, not both. Its URL has no half that could stand for it."""
    if "_url" in value:
        return at("url", f.CARDINALITY, "value_absent")
    valued = any(key[:5] == "value" or key[:6] == "_value" for key in value)
    if valued == ("extension" in value):
        return here("ext-1", "invariant", "ext-1")
    return None


def _add_child(
    compiler: "Compiler",
    child: Node,
    handlers: dict[str, Any],
    required: list[str],
    choices: list[tuple[str, frozenset[str], int]],
    lists: set[str],
) -> None:
    row = child.row
    if child.name.endswith("[x]"):
        _add_choice(compiler, child, handlers, choices)
        return
    if row.high == 0:
        handlers[child.name] = _forbidden(child.name)
        handlers["_" + child.name] = _forbidden(child.name)
        return
    if row.low > 0:
        required.append(child.name)
    if row.must_value:
        choices.append((child.name, frozenset([child.name]), 1))
    ref = row.types[0] if row.types else TypeRef("BackboneElement")
    if child.name == "id" and row.path.count(".") == 1 and compiler.definitions.is_resource(row.path[:-3]):
        ref = TypeRef("id")  # R4 says string, and means the type id
    check = compiler.value(child, ref)
    if row.is_list:
        lists.add(child.name)
        handlers[child.name] = _many(compiler, child, ref, check)
    else:
        handlers[child.name] = _one(child.name, check, _plain(compiler, child, ref))
    if ref.code in PRIMITIVES and not row.content:
        handlers["_" + child.name] = _beside(compiler, child.name, row.is_list)


def _plain(compiler: "Compiler", node: Node, ref: TypeRef) -> bool:
    """Whether the check of a primitive depends on its text alone and leaves nothing to be counted."""
    row = node.row
    if ref.code not in PRIMITIVES or row.content or row.constraints or row.widest:
        return False
    if row.binding is None or row.binding[0] not in ("required", "extensible"):
        return True
    return compiler.definitions.terminology.plain_codes(row.binding[1]) is not None


def _add_choice(
    compiler: "Compiler", child: Node, handlers: dict[str, Any], choices: list[tuple[str, frozenset[str], int]]
) -> None:
    stem = child.name[:-3]
    by_type: dict[str, Node] = {}
    for each in child.slices:
        for ref in each.row.types:
            if len(each.row.types) == 1 or len(child.slices) == 1:
                by_type[ref.code] = each
    names = []
    low = child.row.low
    for ref in child.row.types:
        node = by_type.get(ref.code, child)
        key = stem + ref.code[:1].upper() + ref.code[1:]
        if node is not child:
            low = max(low, node.row.low if len(child.row.types) == 1 or node.row.low else low)
            ref = next(each for each in node.row.types if each.code == ref.code)
            if node.row.low and not child.row.low:
                choices.append((key, frozenset([key]), 1))
                low = child.row.low
        if node.row.high == 0:
            handlers[key] = _forbidden(key)
            continue
        names.append(key)
        usable = node if len(child.row.types) == 1 or node is not child else Node(child.row, child.name, child.profile)
        check = compiler.value(usable, ref)
        handlers[key] = (
            _many(compiler, usable, ref, check, key)
            if child.row.is_list
            else _one(key, check, _plain(compiler, usable, ref))
        )
        if ref.code in PRIMITIVES:
            handlers["_" + key] = _beside(compiler, key, child.row.is_list)
    found = compiler.tree("http://hl7.org/fhir/StructureDefinition/" + child.row.path.partition(".")[0])
    whole = found[1].get(child.row.path) if found else None
    for ref in whole.row.types if whole is not None else ():  # types of R4 that the profile leaves out
        key = stem + ref.code[:1].upper() + ref.code[1:]
        if key not in handlers:
            inside = child.row.path == "Extension.value[x]"
            handlers[key] = _wrong_extension(names) if inside else _wrong_type(key, names)
    choices.append((child.name, frozenset(names), low))


def _forbidden(name: str) -> "Check":
    return lambda value, context: at(name, f.CARDINALITY, "forbidden", name)


def _wrong_type(key: str, names: list[str]) -> "Check":
    return lambda value, context: at(key, "type", "choice_type", ", ".join(names))


def _wrong_extension(names: list[str]) -> "Check":
    return lambda value, context: here(f.EXTENSION, "extension_type", ", ".join(names))


def _one(name: str, check: "Check", plain: bool = False) -> "Check":
    """The handler of a single value. Of one that is `plain` (its check looks at nothing else and counts nothing) good
    texts are remembered, so that the caller need not ask again.
    """
    good: set[str] = set()

    def one(value: Any, context: "Context") -> Found:
        found = check(value, context)
        if found:
            if type(value) is list:
                return at(name, f.FORM, "is_list", name)
            if value is None:
                return at(name, f.FORM, "is_null", name)
            return under(name, name, found)
        if plain and type(value) is str and len(good) < REMEMBERED:
            good.add(value)
        return None

    if plain:
        one.good = good  # type: ignore[attr-defined]  # read once, where the table of handlers is made
    return one


def _many(compiler: "Compiler", child: Node, ref: TypeRef, check: "Check", name: str = "") -> "Check":
    name = name or child.name
    low, high = child.row.low, child.row.high
    sliced = slices_of(compiler, child, check) if child.slices or child.row.discriminators else None
    primitive = ref.code in PRIMITIVES

    def many(value: Any, context: "Context") -> Found:
        if type(value) is not list:
            return at(name, f.FORM, "not_list", name)
        if not value:
            return at(name, f.FORM, "empty_list", name)
        if primitive and None in value:
            context.halves.append(name)
        out: Found = None
        if sliced is None:
            for place, each in enumerate(value):
                if each is None and primitive:
                    continue
                found = check(each, context)
                if found:
                    out = (out or []) + under(name, f"{name}[{place}]", found)
        else:
            out = sliced(name, value, context)
        if low > 1 and len(value) < low:
            out = (out or []) + at(name, f.CARDINALITY, "too_few", name, low)
        if high is not None and len(value) > high:
            out = (out or []) + at(name, f.CARDINALITY, "too_many", name, high)
        return out

    return many


def _beside(compiler: "Compiler", name: str, is_list: bool) -> "Check":
    """The member `_name` that holds id and extensions of a primitive."""
    check = compiler.of_type("Element")
    hidden = "_" + name

    def beside(value: Any, context: "Context") -> Found:
        if is_list:
            if type(value) is not list:
                return at(name, f.FORM, "not_list", hidden)
            out: Found = None
            for place, each in enumerate(value):
                found = check(each, context) if each is not None else None
                if found:
                    out = (out or []) + under(name, f"{name}[{place}]", found)
            context.halves.append(name)  # only now: the objects inside ask for their own
            return out
        found = check(value, context)
        context.halves.append(name)
        return under(name, name, found) if found else None

    return beside
