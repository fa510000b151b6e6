"""FHIRPath: an expression is made into functions once, and asked of many elements.

What cannot be evaluated raises `PathError`, what is not at hand `CannotTell`, what takes too long `Endless`: none of
them is an answer, so an invariant that ends in one is neither held nor broken.
"""

import time
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from madang.science.fhir.fhirpath.grammar import Tree, parse
from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.fhirpath.operators import operator
from madang.science.fhir.fhirpath.scope import Asked, Endless, Items, Scope, Step, World, one, single
from madang.science.fhir.fhirpath.values import Node, PathError, Quantity

SETS = "http://hl7.org/fhir/ValueSet/"
CONSTANTS = {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}


@dataclass(frozen=True)
class Expression:
    """A compiled expression."""

    text: str
    step: Step
    calls: frozenset[str]

    def on(
        self,
        model: Model,
        node: Node,
        resource: Node | None = None,
        root: Node | None = None,
        asked: Asked | None = None,
        seconds: float = 2.0,
        variables: dict[str, Any] | None = None,
    ) -> Items:
        """The items that the expression gives on an element."""
        resource = resource or node
        until = time.monotonic() + seconds
        world = World(model, resource, root or resource, [node], asked, variables or {}, until)
        try:
            return self.step(Scope(world, [node]))
        except (RecursionError, MemoryError):
            raise Endless from None
        except (ArithmeticError, InvalidOperation) as error:
            raise PathError("the numbers are too large") from error


@lru_cache(maxsize=5000)
def compiled(text: str) -> Expression:
    """The functions of an expression. Raises `PathError` where it is none."""
    calls: set[str] = set()
    try:
        return Expression(text, made(parse(text), calls, head=True), frozenset(calls))
    except RecursionError:
        raise PathError("brackets are nested too deeply") from None


def made(tree: Tree, calls: set[str], head: bool) -> Step:
    """The function of a tree."""
    kind = tree[0]
    if kind == "literal":
        return lambda scope, value=tree[1]: [value]  # type: ignore[misc]  # bound now, not when it is called
    if kind == "group":
        return made(tree[1], calls, True)
    if kind == "empty":
        return lambda scope: []
    if kind == "name":
        return _first_name(tree[1])
    if kind == "dot":
        return _after(made(tree[1], calls, head), tree[2], calls)
    if kind == "call":
        return _after(lambda scope: scope.this, tree, calls)
    if kind == "index":
        return _indexed(made(tree[1], calls, head), made(tree[2], calls, True))
    if kind == "variable":
        return _variable(tree[1])
    if kind == "dollar":
        return _dollar(tree[1])
    if kind in ("minus", "plus"):
        return _signed(made(tree[1], calls, True), kind == "minus")
    if kind == "type":
        from madang.science.fhir.fhirpath.functions import type_step

        return type_step(tree[1], made(tree[2], calls, True), tree[3])
    return operator(tree[1], made(tree[2], calls, True), made(tree[3], calls, True))


def _first_name(name: str) -> Step:
    """A name at the beginning: a child of `$this`, or the type that it has."""
    typed = name[:1].isupper()

    def step(scope: Scope) -> Items:
        out: Items = []
        model = scope.world.model
        for each in scope.this:
            if typed and type(each) is Node and (each.type == name or name in model.lineage(each.type)):
                out.append(each)
            else:
                model.named(each, name, out)
        return out

    return step


def _after(left: Step, tree: Tree, calls: set[str]) -> Step:
    """What stands after a dot."""
    if tree[0] == "name":
        name = tree[1]

        def step(scope: Scope) -> Items:
            out: Items = []
            named = scope.world.model.named
            for each in left(scope):
                named(each, name, out)
            return out

        return step
    if tree[0] == "dollar":
        return made(tree, calls, False)
    from madang.science.fhir.fhirpath.functions import call

    calls.add(tree[1])
    arguments = [(each, made(each, calls, True)) for each in tree[2]]
    return call(tree[1], left, arguments)


def _indexed(left: Step, inner: Step) -> Step:
    def step(scope: Scope) -> Items:
        items, place = left(scope), one(inner(scope), int)
        if place is None or not 0 <= place < len(items):
            return []
        return [items[place]]

    return step


def _variable(name: str) -> Step:
    def step(scope: Scope) -> Items:
        world = scope.world
        if name in CONSTANTS:
            return [CONSTANTS[name]]
        if name == "context":
            return world.context
        if name in ("resource", "rootResource"):
            return [world.resource if name == "resource" else world.root]
        if name in world.variables:
            found = world.variables[name]
            return found if type(found) is list else [found]
        if name.startswith("vs-"):
            return [SETS + name[3:]]
        if name.startswith("ext-"):
            return ["http://hl7.org/fhir/StructureDefinition/" + name[4:]]
        raise PathError("a variable is not known")

    return step


def _dollar(name: str) -> Step:
    if name == "this":
        return lambda scope: scope.this
    if name == "total":
        return lambda scope: scope.total or []
    return lambda scope: [] if scope.index is None else [scope.index]


def _signed(inner: Step, minus: bool) -> Step:
    def step(scope: Scope) -> Items:
        value = single(inner(scope))
        if value is None:
            return []
        if type(value) is Quantity:
            return [Quantity(-value.value if minus else value.value, value.unit)]
        if type(value) not in (int, Decimal):
            raise PathError("only a number has a sign")
        return [-value if minus else value]

    return step
