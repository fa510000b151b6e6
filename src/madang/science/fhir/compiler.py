"""From the tree of a profile to closures: one function per element that looks at a parsed value once.

A function takes a value and the `Context` of the resource and gives None, or what it found. Paths are only put
together on the way up from a finding, so a valid resource costs no text at all. Functions of data types are made once
and shared; recursion (Extension in Extension, contentReference) goes through a function that is filled in later.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orjson import dumps

from madang.science.fhir import findings as f
from madang.science.fhir.bindings import binding_check, coding_check
from madang.science.fhir.definitions import CORE, Definitions
from madang.science.fhir.facts import Constraint, Row, TypeRef
from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.findings import Found, at, here, under
from madang.science.fhir.invariants import BUILT_IN, COUNTED, FUNCTIONS, NEEDS
from madang.science.fhir.narrative import fragments, problem, uncontrolled
from madang.science.fhir.patterns import matches, pattern_test
from madang.science.fhir.primitives import NAMES as PRIMITIVES
from madang.science.fhir.primitives import checker as primitive_checker
from madang.science.fhir.references import leads_to_something, type_held, type_in
from madang.science.fhir.tree import Node, tree_of

Check = Callable[[Any, "Context"], Found]
RESOURCES = ("Resource", "DomainResource")
REMEMBERED = 20_000  # good objects of one element
COMMENT_KEYS = ("fhir_comments",)
REFERENCES = ("none", "type", "exist")  # whether the text of a reference may name another type; must lead somewhere
REFUSABLE = ("markup", "examples")  # what is no error by FHIR, and which a receiver may refuse
MARKUP = re.compile(r"<[A-Za-z!/][^>]*>")
EXAMPLE = re.compile(r"^https?://([^/?#]*\.)?example\.(org|com|net)([:/?#]|$)", re.IGNORECASE)


@dataclass(slots=True)
class Context:
    """One resource under the checks, and what is counted on the way."""

    root: Any = None  # the resource as it stands in the file
    resource: Any = None  # the resource that the element belongs to: root, or an entry of a Bundle
    keys: int = 0  # members of objects seen
    unsure: dict[str, int] = field(default_factory=dict)  # value sets whose codes are not at hand
    counted: dict[str, int] = field(default_factory=dict)  # advice disregarded
    references: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)  # references into `contained`
    halves: list[str] = field(default_factory=list)  # primitives of the object under way that have a half or a null
    depth: int = 0
    visiting: set[tuple[int, str]] = field(default_factory=set)  # targets of references under a profile
    entries: dict[str, Any] = field(default_factory=dict)  # of the Bundle around: fullUrl and Type/id
    held: frozenset[str] | None = None  # Type/id of every resource in the file, once that is asked
    asked: dict[int, tuple[str, ...]] = field(default_factory=dict)  # profiles that the caller names for an entry


class Compiler:
    """Makes and keeps the functions of one set of definitions."""

    def __init__(
        self,
        definitions: Definitions,
        expressions: bool = True,
        strict: bool = False,
        refused: tuple[str, ...] = (),
        references: str = "type",
    ) -> None:
        self.definitions = definitions
        self.expressions = expressions  # whether invariants without a function of ours are evaluated as FHIRPath
        self.strict = strict  # whether what is not at hand is an error
        self.refused = refused  # of REFUSABLE
        self.references = references  # of REFERENCES
        self._trees: dict[str, tuple[Node, dict[str, Node]] | None] = {}
        self._types: dict[tuple[str, str], Check] = {}
        self._nodes: dict[tuple[str, str], Check] = {}
        self.model = Model(definitions)
        self.resource: Check = lambda value, context: None  # set by the validator: a resource inside another

    def tree(self, url: str) -> tuple[Node, dict[str, Node]] | None:
        """Root and nodes of a profile; None if it is not at hand."""
        if url not in self._trees:
            profile = self.definitions.profile(url)
            self._trees[url] = tree_of(profile) if profile and profile.rows else None
        return self._trees[url]

    def of_type(self, name: str, profile: str = "") -> Check:
        """The function of a data type or resource type, or of a profile on it."""
        key = (name, profile)
        made = self._types.get(key)
        if made is not None:
            return made
        cell: list[Check] = []
        self._types[key] = lambda value, context: cell[0](value, context)
        if name in PRIMITIVES and not (profile and self.tree(profile)):
            cell.append(self._primitive(name))
        elif name in PRIMITIVES:
            found = self.tree(profile)
            assert found is not None
            cell.append(self.value(found[0], TypeRef(name)))  # what the profile says of its root
        elif name in RESOURCES and not profile:
            cell.append(lambda value, context: self.resource(value, context))
        else:
            found = self.tree(profile or CORE + name) or self.tree(CORE + name)
            cell.append(self._object(found[0], name, ()) if found else self._unknown_type(name))
        self._types[key] = cell[0]
        return cell[0]

    def _unknown_type(self, name: str) -> Check:
        return lambda value, context: here(f.TYPE, "unknown_type", name)

    def _primitive(self, name: str) -> Check:
        if name == "xhtml":
            return _xhtml
        test = primitive_checker(name)

        def check(value: Any, context: Context) -> Found:
            wrong = test(value)
            return here(f.PRIMITIVE, f"primitive_{wrong}", name) if wrong else None

        if name == "string" and "markup" in self.refused:
            return _all([check, _without("markup", MARKUP)])
        if name in ("uri", "url", "canonical") and "examples" in self.refused:
            return _all([check, _without("example_url", EXAMPLE)])
        return check

    # One element.

    def value(self, node: Node, ref: TypeRef) -> Check:
        """The function of one value of an element with this type: type, content, fixed values, binding, invariants."""
        row = node.row
        parts: list[Check] = []
        primitive = ref.code in PRIMITIVES
        if row.content:
            parts.append(self._content(node, row.content))
        elif ref.code == "Extension" and not node.children:
            parts.append(self.of_type("Extension", ref.profiles[0]) if len(ref.profiles) == 1 else self.extension(node))
        elif node.children and not primitive:
            parts.append(self._object(node, ref.code, row.constraints))
        elif len(ref.profiles) > 1:
            parts.append(self._any_of([self.of_type(ref.code, url) for url in ref.profiles]))
        else:
            known = ref.profiles[0] if ref.profiles and self.tree(ref.profiles[0]) else ""
            if ref.profiles and not known and self.strict:
                url = ref.profiles[0]
                parts.append(lambda value, context: here(f.PROFILE, "profile_unknown", url))
            parts.append(self.of_type(ref.code, known))
        if ref.code == "Reference" and self.references == "exist":
            parts.append(leads_to_something)
        if ref.code in ("Reference", "canonical") and ref.targets:
            parts.append(self._target(ref))
            if any(not url.startswith(CORE) for url in ref.targets) and ref.code == "Reference":
                parts.append(self._conforming(ref))
        if not (node.children and not primitive):
            own = self._type_keys(ref)
            extra = [each for each in row.constraints if each.key not in own]
            parts.extend(self._invariants(extra, self.where(node, ref.code), primitive))
        if row.fixed is not None:
            parts.append(_fixed(row.fixed))
        if row.pattern is not None:
            parts.append(_pattern(row.pattern))
        if row.binding is not None and row.binding[0] in ("required", "extensible"):
            parts.append(binding_check(ref.code, row.binding, self.definitions.terminology))
        if row.widest:
            parts.append(binding_check(ref.code, ("required", row.widest), self.definitions.terminology))
        if row.narrative:
            parts.append(_controlled(row.narrative))
        if row.max_length or row.least is not None or row.most is not None:
            parts.append(_limits(row))
        whole = _all(parts)
        # Codes come again and again; what else is said of one could look at the resource around it.
        alone = ref.code == "CodeableConcept" and not row.content and not self._own(node, ref)
        return remembered(whole) if alone else whole

    def _own(self, node: Node, ref: TypeRef) -> bool:
        """Whether an element, or one below it, has an invariant that its type has not."""
        return any(
            each.key not in self._type_keys(TypeRef(one.code)) and each.key not in BUILT_IN
            for below in node.walk()
            for one in (below.row.types or (ref,))
            for each in below.row.constraints
        )

    def _content(self, node: Node, identifier: str) -> Check:
        key = (node.profile, identifier)
        if key in self._nodes:
            return self._nodes[key]
        cell: list[Check] = []
        self._nodes[key] = lambda value, context: cell[0](value, context)
        # What a profile says of the element that is named does not hold for its repetition, so the type is asked.
        base = self.tree(CORE + identifier.partition(".")[0]) or self.tree(node.profile)
        target = base[1].get(identifier) if base else None
        if target is None:
            cell.append(lambda value, context: None)
        else:
            cell.append(self._object(target, "BackboneElement", target.row.constraints))
        return cell[0]

    def _type_keys(self, ref: TypeRef) -> set[str]:
        found = self.tree(ref.profiles[0]) if len(ref.profiles) == 1 else None
        found = found or self.tree(CORE + ref.code)
        return {each.key for each in found[0].row.constraints} if found else set()

    def _any_of(self, checks: list[Check]) -> Check:
        def check(value: Any, context: Context) -> Found:
            first: Found = None
            for each in checks:
                found = each(value, context)
                if not found or all(one.severity != f.ERROR for one in found):
                    return found
                first = first or found
            return first

        return check

    def _target(self, ref: TypeRef) -> Check:
        types = set()
        for url in ref.targets:
            kind = self.definitions.facts(url)[0] or url.rpartition("/")[2]
            types.add(kind)
        if types & {"Resource"} or ref.code == "canonical":
            return lambda value, context: None
        names = tuple(sorted(types))
        known: dict[str, bool] = {}
        is_resource = self.definitions.is_resource
        by_text = self.references != "none"

        def check(value: Any, context: Context) -> Found:
            text = value.get("reference") if type(value) is dict else None
            said = value.get("type") if type(value) is dict else None
            if type(said) is str and said.rpartition("/")[2] not in types and is_resource(said.rpartition("/")[2]):
                return here(f.TARGET, "target", ", ".join(names))
            if type(text) is not str:
                return None
            kind = type_in(text, context) if by_text else type_held(text, context)
            if not kind or kind in types:
                return None
            if kind not in known:
                known[kind] = is_resource(kind)
            return here(f.TARGET, "target", ", ".join(names)) if known[kind] else None

        return check

    def _conforming(self, ref: TypeRef) -> Check:
        """What a reference names, where it is at hand, conforms to one of the profiles."""
        from madang.science.fhir.slices import resolved

        def check(value: Any, context: Context) -> Found:
            text = value.get("reference") if type(value) is dict else None
            target = resolved(text, context) if type(text) is str else None
            if type(target) is not dict:
                return None
            kind = target.get("resourceType")
            urls = [url for url in ref.targets if self.definitions.facts(url)[0] == kind]
            if not urls or any(url.startswith(CORE) for url in urls):
                return None
            for url in urls:
                key = (id(target), url)
                if key in context.visiting:
                    return None
                context.visiting.add(key)
                held = Context(context.root, target, entries=context.entries, visiting=context.visiting)
                found = self.of_type(str(kind), url)(target, held)
                context.visiting.discard(key)
                if not found or all(each.severity != f.ERROR for each in found):
                    return None
            return here(f.TARGET, "profile_target", ", ".join(urls))

        return check

    def where(self, node: Node, type_name: str) -> str:
        """Where FHIRPath finds the children of an element: its type, or its path where the element has its own."""
        if node.row.content:
            return node.row.content
        backbone = type_name in ("BackboneElement", "Element", "Resource", "DomainResource", "")
        return self.model.where(node.row.path) if backbone else type_name

    def _invariants(self, constraints: Any, where: str, primitive: bool = False) -> list[Check]:
        return [
            self._invariant(each, where)
            for each in constraints
            if each.key not in BUILT_IN and each.expression and not (primitive and each.expression in FUNCTIONS)
        ]

    def direct(self, constraints: Any, where: str) -> tuple[list[tuple[str, str, Any, list[f.Raw]]], list[Check]]:
        """The invariants of an object: those with a function (member, hidden member, function, finding), and others.

        Where neither member is there the rule holds without being asked; no member means that it is always asked.
        """
        functions, others = [], []
        for each in constraints:
            if each.key in BUILT_IN or not each.expression:
                continue
            holds = FUNCTIONS.get(each.expression)
            if holds is None or each.key in COUNTED:
                others.append(self._invariant(each, where))
            else:
                needs = NEEDS.get(each.expression, "")
                said = here(each.key, "invariant", each.key, severity=each.severity)
                functions.append((needs, "_" + needs, holds, said))
        return functions, others

    def _invariant(self, constraint: Constraint, where: str) -> Check:
        holds = FUNCTIONS.get(constraint.expression)
        key, severity = constraint.key, constraint.severity
        if holds is None:
            from madang.science.fhir.paths import holds_by_path

            return holds_by_path(constraint, self, where) if self.expressions else _all([])
        if key in COUNTED:

            def count(value: Any, context: Context) -> Found:
                if not holds(value, context):
                    context.counted[key] = context.counted.get(key, 0) + 1
                return None

            return count

        def check(value: Any, context: Context) -> Found:
            if type(value) is dict and not holds(value, context):
                return here(key, "invariant", key, severity=severity)
            return None

        return check

    # Objects.

    def _object(self, node: Node, type_name: str, extra: tuple[Constraint, ...]) -> Check:
        from madang.science.fhir.objects import object_check

        return object_check(self, node, type_name, extra)

    def extension(self, node: Node) -> Check:
        """The function of an extension that no slice names: against its own definition where that is at hand."""
        from madang.science.fhir.extensions import extension_check

        return extension_check(self, node)

    def coding(self) -> Check:
        """The check of every Coding: a code that its complete code system does not have."""
        return coding_check(self.definitions.terminology)


def remembered(check: Check) -> Check:
    """The check of objects that come again: what was found good is looked up by its text, and counts the same."""
    good: dict[bytes, tuple[int, tuple[tuple[str, int], ...]]] = {}

    def memo(value: Any, context: Context) -> Found:
        try:
            key = dumps(value)
        except TypeError:  # a number that no 64 bits hold
            return check(value, context)
        known = good.get(key)
        if known is not None:
            context.keys += known[0]
            for name, count in known[1]:
                context.unsure[name] = context.unsure.get(name, 0) + count
            return None
        keys, unsure, marks = context.keys, dict(context.unsure), _marks(context)
        found = check(value, context)
        if not found and _marks(context) == marks and len(good) < REMEMBERED:
            more = {name: count - unsure.get(name, 0) for name, count in context.unsure.items()}
            good[key] = context.keys - keys, tuple(each for each in more.items() if each[1])
        return found

    return memo


def _marks(context: Context) -> tuple[int, int, int]:
    return len(context.references), len(context.local), sum(context.counted.values())


def _all(parts: list[Check]) -> Check:
    if not parts:
        return lambda value, context: None
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts

        def both(value: Any, context: Context) -> Found:
            one = first(value, context)
            if one:
                return one if _broken(one) else one + (second(value, context) or [])
            return second(value, context)

        return both
    head, rest = parts[0], parts[1:]

    def every(value: Any, context: Context) -> Found:
        found = head(value, context)
        if found and _broken(found):
            return found
        for each in rest:
            more = each(value, context)
            if more:
                found = found + more if found else more
        return found

    return every


def _broken(found: list[f.Raw]) -> bool:
    """Whether the value itself has another form, so that nothing more can be said of it."""
    return any(not each.path and each.rule in (f.PRIMITIVE, f.FORM) for each in found)


def _fixed(wanted: Any) -> Check:
    def check(value: Any, context: Context) -> Found:
        return None if value == wanted and type(value) is type(wanted) else here(f.FIXED, "fixed")

    return check


def _pattern(wanted: Any) -> Check:
    test = pattern_test(wanted)

    def check(value: Any, context: Context) -> Found:
        return None if test(value) else here(f.FIXED, "pattern")

    return check


def _limits(row: Row) -> Check:
    def check(value: Any, context: Context) -> Found:
        if row.max_length and type(value) is str and len(value) > row.max_length:
            return here("length", "length", row.max_length)
        for limit, low in ((row.least, True), (row.most, False)):
            number = limit.get("value") if type(limit) is dict else limit
            given = value.get("value") if type(value) is dict else value
            if number is not None and type(given) in (int, float, str) and type(number) in (int, float, str):
                if (type(given) is str) != (type(number) is str):
                    continue
                if (given < number) if low else (given > number):
                    return here("range", "limit_low" if low else "limit_high", number)
        return None

    return check


def _xhtml(value: Any, context: Context) -> Found:
    if type(value) is not str:
        return here(f.PRIMITIVE, "primitive_type", "xhtml")
    wrong = problem(value)
    if not wrong and "#" in value and not all(_leads(name, context) for name in fragments(value)):
        wrong = "link"
    return here(f.NARRATIVE, f"narrative_{wrong}") if wrong else None


def _controlled(wanted: tuple[str, ...]) -> Check:
    def check(value: Any, context: Context) -> Found:
        div = value.get("div") if type(value) is dict else None
        wrong = uncontrolled(div, wanted) if type(div) is str else None
        return at("div", f.NARRATIVE, f"narrative_{wrong}") if wrong else None

    return check


def _leads(fragment: str, context: Context) -> bool:
    """Whether a link `#name` that no part of the narrative has leads to a contained resource, or to an element."""
    open_ = [context.resource, context.root]
    while open_:
        each = open_.pop()
        if type(each) is dict:
            if each.get("id") == fragment:
                return True
            div = each.get("div")
            if type(div) is str and (f'id="{fragment}"' in div or f'name="{fragment}"' in div):
                return True
            open_.extend(each.values())
        elif type(each) is list:
            open_.extend(each)
    return False


def _without(kind: str, pattern: re.Pattern[str]) -> Check:
    return lambda value, context: here(f.REFUSED, kind) if type(value) is str and pattern.search(value) else None


__all__ = ["Check", "Compiler", "Context", "at", "matches", "under"]
