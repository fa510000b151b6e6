"""The operators of FHIRPath."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from madang.science.fhir.fhirpath.scope import (
    LONGEST_TEXT,
    MOST_ITEMS,
    Endless,
    Items,
    Scope,
    Step,
    one,
    said,
    single,
    truth,
)
from madang.science.fhir.fhirpath.units import canonical
from madang.science.fhir.fhirpath.values import (
    Moment,
    PathError,
    Quantity,
    compared,
    equal,
    equivalent,
    moved,
    system,
    to_quantity,
)


def operator(name: str, left: Step, right: Step) -> Step:
    """The function of an operator on two operands."""
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
