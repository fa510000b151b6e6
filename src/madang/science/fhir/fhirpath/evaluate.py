"""FHIRPath: an expression is made into functions once, and asked of many elements.

What cannot be evaluated raises `PathError`, what is not at hand `CannotTell`, what takes too long `Endless`: none of
them is an answer, so an invariant that ends in one is neither held nor broken.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Protocol

from madang.science.fhir.fhirpath.grammar import Tree, parse
from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.fhirpath.units import canonical
from madang.science.fhir.fhirpath.values import (
    CannotTell,
    Moment,
    Node,
    PathError,
    Quantity,
    compared,
    equal,
    equivalent,
    moved,
    now,
    system,
    text_of,
    to_quantity,
)

Items = list[Any]
Step = Callable[["Scope"], Items]
MOST_ITEMS, LONGEST_TEXT = 2_000_000, 10_000_000
SETS = "http://hl7.org/fhir/ValueSet/"
CONSTANTS = {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}


class Endless(Exception):
    """An evaluation took too long or too much."""


class Asked(Protocol):
    """What an expression may ask of the world around it; each answers None where it cannot tell."""

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set."""

    def resolve(self, reference: str) -> Any:
        """The resource that a reference names."""

    def conforms(self, data: Any, profile: str) -> bool | None:
        """Whether an element conforms to a profile."""


@dataclass(slots=True)
class World:
    """What stays the same through one evaluation."""

    model: Model
    resource: Node
    root: Node
    context: Items
    asked: Asked | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    until: float = float("inf")
    steps: int = 0
    moment: Moment | None = None

    def tick(self) -> None:
        """Count a step, and stop where the time is over."""
        self.steps += 1
        if not self.steps & 255 and time.monotonic() > self.until:
            raise Endless

    def now(self) -> Moment:
        """The moment of this evaluation, the same wherever it is asked for."""
        self.moment = self.moment or now()
        return self.moment


class Scope:
    """What `$this`, `$index` and `$total` are."""

    __slots__ = ("index", "this", "total", "world")

    def __init__(self, world: World, this: Items, index: int | None = None, total: Items | None = None) -> None:
        self.world, self.this, self.index, self.total = world, this, index, total

    def at(self, item: Any, index: int) -> "Scope":
        """The scope of one item."""
        self.world.tick()
        return Scope(self.world, [item], index, self.total)


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
        return Expression(text, _made(parse(text), calls, head=True), frozenset(calls))
    except RecursionError:
        raise PathError("brackets are nested too deeply") from None


def _made(tree: Tree, calls: set[str], head: bool) -> Step:
    """The function of a tree."""
    kind = tree[0]
    if kind == "literal":
        return lambda scope, value=tree[1]: [value]  # type: ignore[misc]  # bound now, not when it is called
    if kind == "group":
        return _made(tree[1], calls, True)
    if kind == "empty":
        return lambda scope: []
    if kind == "name":
        return _first_name(tree[1])
    if kind == "dot":
        return _after(_made(tree[1], calls, head), tree[2], calls)
    if kind == "call":
        return _after(lambda scope: scope.this, tree, calls)
    if kind == "index":
        return _indexed(_made(tree[1], calls, head), _made(tree[2], calls, True))
    if kind == "variable":
        return _variable(tree[1])
    if kind == "dollar":
        return _dollar(tree[1])
    if kind in ("minus", "plus"):
        return _signed(_made(tree[1], calls, True), kind == "minus")
    if kind == "type":
        from madang.science.fhir.fhirpath.functions import type_step

        return type_step(tree[1], _made(tree[2], calls, True), tree[3])
    return _operator(tree[1], _made(tree[2], calls, True), _made(tree[3], calls, True))


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
        return _made(tree, calls, False)
    from madang.science.fhir.fhirpath.functions import call

    calls.add(tree[1])
    arguments = [(each, _made(each, calls, True)) for each in tree[2]]
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


# What operators ask of their operands.


def single(items: Items) -> Any:
    """The value of the only item, None where there is none. Raises where there are several."""
    if not items:
        return None
    if len(items) > 1:
        raise PathError("one item was expected, and there are several")
    return system(items[0])


def one(items: Items, *kinds: type) -> Any:
    """The only item, which must be of one of these types; None where there is none."""
    value = single(items)
    if value is None or type(value) in kinds:
        return value
    raise PathError("an item has another type than is asked for")


def truth(items: Items) -> bool | None:
    """A collection as a truth: empty is unknown, one item that is no truth is true."""
    value = single(items)
    return value if value is None or type(value) is bool else True


def said(answer: bool | None) -> Items:
    """A truth as a collection."""
    return [] if answer is None else [answer]


def _operator(name: str, left: Step, right: Step) -> Step:
    if name in LOGIC:
        return _logic(name, left, right)
    if name in ORDER:
        return _order(ORDER[name], left, right)
    operate = OPERATORS[name]
    return lambda scope: operate(left(scope), right(scope), scope)


def _logic(name: str, left: Step, right: Step) -> Step:
    ends, value = LOGIC[name]

    def step(scope: Scope) -> Items:
        first = truth(left(scope))
        if name == "xor":
            second = truth(right(scope))
            return [] if first is None or second is None else [first is not second]
        if first is ends:
            return [value]
        second = truth(right(scope))
        if name == "implies":
            return [True] if second is True else said(second if first is True else None)
        if second is ends:
            return [value]
        return [] if first is None or second is None else [not value]

    return step


LOGIC = {"and": (False, False), "or": (True, True), "xor": (None, None), "implies": (False, True)}
ORDER: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _order(test: Callable[[int], bool], left: Step, right: Step) -> Step:
    def step(scope: Scope) -> Items:
        first, second = single(left(scope)), single(right(scope))
        if first is None or second is None:
            return []
        order = compared(first, second)
        return [] if order is None else [test(order)]

    return step


def equals(first: Items, second: Items) -> bool | None:
    """Whether two collections are equal, item by item."""
    if not first or not second:
        return None
    if len(first) != len(second):
        return False
    answers = [equal(a, b) for a, b in zip(first, second, strict=True)]
    return False if False in answers else None if None in answers else True


def alike(first: Items, second: Items) -> bool:
    """Whether two collections are equivalent, in any order."""
    if len(first) != len(second):
        return False
    left = list(second)
    for each in first:
        place = next((number for number, other in enumerate(left) if equivalent(each, other)), None)
        if place is None:
            return False
        del left[place]
    return True


def contains(items: Items, value: Any) -> bool:
    """Whether an item is among others."""
    return any(equal(each, value) for each in items)


def distinct(items: Items, scope: Scope) -> Items:
    """Each item once, in the order in which they came."""
    out: Items = []
    seen: set[Any] = set()
    for each in items:
        scope.world.tick()
        value = system(each)
        if type(value) in (str, bool):
            key = (type(value), value)
            if key not in seen:
                seen.add(key)
                out.append(each)
        elif not any(equal(value, other) for other in out if type(system(other)) is not str):
            out.append(each)
    return out


def _in(first: Items, second: Items, scope: Scope) -> Items:
    if not first:
        return []
    if len(first) > 1:
        raise PathError("one item was expected, and there are several")
    return [contains(second, first[0])]


def _plus(first: Items, second: Items, scope: Scope) -> Items:
    a, b = single(first), single(second)
    if a is None or b is None:
        return []
    if type(a) is str and type(b) is str:
        return [_bounded(a + b)]
    if type(a) is Moment and type(b) is Quantity:
        return [moved(a, b, 1)]
    return _numbers(a, b, lambda x, y: x + y)


def _minus(first: Items, second: Items, scope: Scope) -> Items:
    a, b = single(first), single(second)
    if a is None or b is None:
        return []
    if type(a) is Moment and type(b) is Quantity:
        return [moved(a, b, -1)]
    return _numbers(a, b, lambda x, y: x - y)


def _numbers(a: Any, b: Any, operate: Callable[[Any, Any], Any]) -> Items:
    if type(a) in (int, Decimal) and type(b) in (int, Decimal):
        return [operate(a, b)]
    if type(a) is Quantity and type(b) is Quantity:
        if a.unit == b.unit:
            return [Quantity(operate(a.value, b.value), a.unit)]
        one_, other = canonical(a.unit), canonical(b.unit)
        if one_ is None or other is None or one_[1] != other[1]:
            return []
        return [Quantity(operate(a.value, b.value * other[0] / one_[0]), a.unit)]
    raise PathError("these two cannot be added")


def _times(first: Items, second: Items, scope: Scope) -> Items:
    a, b = single(first), single(second)
    if a is None or b is None:
        return []
    if Quantity in (type(a), type(b)) and {type(a), type(b)} <= {Quantity, int, Decimal}:
        x, y = _quantity(a), _quantity(b)
        return [Quantity(x.value * y.value, f"({x.unit}).({y.unit})" if "1" not in (x.unit, y.unit) else _other(x, y))]
    if type(a) not in (int, Decimal) or type(b) not in (int, Decimal):
        raise PathError("these two cannot be multiplied")
    return [a * b]


def _other(x: Quantity, y: Quantity) -> str:
    return y.unit if x.unit == "1" else x.unit


def _quantity(value: Any) -> Quantity:
    made = to_quantity(value)
    assert made is not None
    return made


def _divided(first: Items, second: Items, scope: Scope) -> Items:
    a, b = single(first), single(second)
    if a is None or b is None:
        return []
    if Quantity in (type(a), type(b)) and {type(a), type(b)} <= {Quantity, int, Decimal}:
        x, y = _quantity(a), _quantity(b)
        if not y.value:
            return []
        unit = "1" if x.unit == y.unit else x.unit if y.unit == "1" else f"({x.unit})/({y.unit})"
        return [Quantity(x.value / y.value, unit)]
    if type(a) not in (int, Decimal) or type(b) not in (int, Decimal):
        raise PathError("these two cannot be divided")
    return [Decimal(a) / Decimal(b)] if b else []


def _whole(remainder: bool) -> Callable[[Items, Items, Scope], Items]:
    def operate(first: Items, second: Items, scope: Scope) -> Items:
        a, b = one(first, int, Decimal), one(second, int, Decimal)
        if a is None or b is None or not b:
            return []
        whole = int(Decimal(a) / Decimal(b))
        return [a - b * whole] if remainder else [whole]

    return operate


def _joined(first: Items, second: Items, scope: Scope) -> Items:
    a, b = (one(each, str) for each in (first, second))
    return [_bounded((a or "") + (b or ""))]


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise Endless
    return text


def _union(first: Items, second: Items, scope: Scope) -> Items:
    if len(first) + len(second) > MOST_ITEMS:
        raise Endless
    return distinct(first + second, scope)


def _unequal(first: Items, second: Items, scope: Scope) -> Items:
    answer = equals(first, second)
    return [] if answer is None else [not answer]


OPERATORS: dict[str, Callable[[Items, Items, Scope], Items]] = {
    "=": lambda first, second, scope: said(equals(first, second)),
    "!=": _unequal,
    "~": lambda first, second, scope: [alike(first, second)],
    "!~": lambda first, second, scope: [not alike(first, second)],
    "in": _in,
    "contains": lambda first, second, scope: _in(second, first, scope),
    "|": _union,
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _divided,
    "div": _whole(False),
    "mod": _whole(True),
    "&": _joined,
}

__all__ = ["Asked", "CannotTell", "Endless", "Expression", "PathError", "Scope", "World", "compiled", "text_of"]
