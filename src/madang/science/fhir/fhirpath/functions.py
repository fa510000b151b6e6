"""The functions of FHIRPath, and those that FHIR adds.

A function gets the scope in which it stands, the items before the dot, and its arguments as functions of a scope. An
argument that is asked of each item (`where`, `select`, ...) is evaluated in the scope of that item, others in that of
the expression around.
"""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from madang.science.fhir.fhirpath.conversions import CONVERSIONS, NUMBERS
from madang.science.fhir.fhirpath.grammar import Tree
from madang.science.fhir.fhirpath.model import SYSTEM, system_type
from madang.science.fhir.fhirpath.operators import contains, distinct
from madang.science.fhir.fhirpath.scope import (
    MOST_ITEMS,
    Endless,
    Function,
    Items,
    Scope,
    Step,
    one,
    single,
    truth,
)
from madang.science.fhir.fhirpath.texts import TEXTS
from madang.science.fhir.fhirpath.values import (
    CannotTell,
    Node,
    PathError,
    Quantity,
    boundary,
    comparable,
    compared,
    moment,
    precision,
    system,
    text_of,
)

Argument = tuple[Tree, Step]


def call(name: str, left: Step, arguments: list[Argument]) -> Step:
    """The function of a call on what stands before the dot."""
    if name in ("is", "as", "ofType"):
        return type_step(name, left, arguments[0][0][1])
    if name == "sort":
        return _sort(left, arguments)
    if name in TEXTS:
        fewest, most, operate = TEXTS[name]
        _count(name, arguments, fewest, most)
        return _on_text(left, [step for _tree, step in arguments], operate, name)
    if name not in FUNCTIONS:
        raise PathError(f"there is no function {name}" if name not in LATER else f"{name} is not evaluated")
    fewest, most, function = FUNCTIONS[name]
    _count(name, arguments, fewest, most)
    steps = [step for _tree, step in arguments]
    return lambda scope: function(scope, left(scope), steps)


def _count(name: str, arguments: list[Argument], fewest: int, most: int) -> None:
    if not fewest <= len(arguments) <= most:
        raise PathError(f"{name} has another number of arguments")


def _on_text(left: Step, steps: list[Step], operate: Callable[..., Any], name: str) -> Step:
    """A function of texts: empty where the text or an argument is."""

    def step(scope: Scope) -> Items:
        value = single(left(scope))
        given = [single(each(scope)) for each in steps]
        if value is None or any(each is None for each in given):
            return []
        if type(value) is not str:
            if name not in ("length", "matches", "startsWith", "endsWith", "contains") or type(value) is Node:
                raise PathError(f"{name} is asked of what is no text")
            value = text_of(value)
        if type(value) is not str:
            raise PathError(f"{name} is asked of what is no text")
        answer = operate(value, *given)
        return answer if type(answer) is list else [] if answer is None else [answer]

    return step


# Types.


def type_step(operator: str, left: Step, wanted: str) -> Step:
    """`is`, `as` and `ofType`. R4's invariants write `as String` of elements, which is taken as the value's type."""
    name = wanted.rpartition(".")[2]

    def has(value: Any, scope: Scope) -> bool:
        model = scope.world.model
        answer = model.is_a(value, wanted, exact=operator != "is")
        if answer is None:
            raise PathError("there is no such type")
        if not answer and operator != "is" and "." not in wanted and name in SYSTEM and type(value) is Node:
            return system_type(system(value)) == name
        return answer

    def step(scope: Scope) -> Items:
        items = left(scope)
        if operator == "ofType":
            return [each for each in items if has(each, scope)]
        if len(items) > 1:
            raise PathError("one item was expected, and there are several")
        if not items:
            return []
        found = has(items[0], scope)
        return [found] if operator == "is" else items if found else []

    return step


def _type(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    out: Items = []
    for each in items:
        told = ("FHIR", each.type) if type(each) is Node else ("System", system_type(each))
        out.append(Node({"namespace": told[0], "name": told[1]}, "", ""))
    return out


# Collections.


def _where(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    test = arguments[0]
    return [each for place, each in enumerate(items) if truth(test(scope.at(each, place)))]


def _select(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    out: Items = []
    for place, each in enumerate(items):
        out += arguments[0](scope.at(each, place))
        if len(out) > MOST_ITEMS:
            raise Endless
    return out


def _exists(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    if not arguments:
        return [bool(items)]
    return [any(truth(arguments[0](scope.at(each, place))) for place, each in enumerate(items))]


def _all(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    return [all(truth(arguments[0](scope.at(each, place))) for place, each in enumerate(items))]


def _repeat(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    out: Items = []
    seen: set[int] = set()
    open_ = list(items)
    while open_:
        following: Items = []
        for place, each in enumerate(open_):
            for found in arguments[0](scope.at(each, place)):
                key = id(found.data) if type(found) is Node and type(found.data) is dict else None
                if key in seen or (key is None and contains(out, found)):
                    continue
                if key is not None:
                    seen.add(key)
                following.append(found)
                out.append(found)
        if len(out) > MOST_ITEMS:
            raise Endless
        open_ = following
    return out


def _descendants(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    out: Items = []
    open_ = list(items)
    children = scope.world.model.all
    while open_:
        following: Items = []
        for each in open_:
            scope.world.tick()
            following += children(each)
        out += following
        open_ = following
    return out


def _children(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    return [found for each in items for found in scope.world.model.all(each)]


def _aggregate(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    total = arguments[1](scope) if len(arguments) > 1 else []
    for place, each in enumerate(items):
        inner = scope.at(each, place)
        inner.total = total
        total = arguments[0](inner)
    return total


def _iif(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    if len(items) > 1:
        raise PathError("one item was expected, and there are several")
    inner = Scope(scope.world, items, scope.index, scope.total) if items else scope
    test = one(arguments[0](inner), bool)
    if test:
        return arguments[1](inner)
    return arguments[2](inner) if len(arguments) > 2 else []


def _sort(left: Step, arguments: list[Argument]) -> Step:
    """By each criterion in turn; a minus before one turns it round, whatever its type."""
    criteria = [_criterion(tree, step) for tree, step in arguments]

    def step(scope: Scope) -> Items:
        items = left(scope)
        rows = [
            ([single(by(scope.at(each, place))) for by, _down in criteria] if criteria else [system(each)], each)
            for place, each in enumerate(items)
        ]
        downs = [down for _by, down in criteria] or [False]

        def order(a: tuple[list[Any], Any], b: tuple[list[Any], Any]) -> int:
            for x, y, down in zip(a[0], b[0], downs, strict=True):
                if x is None or y is None:
                    answer = int(x is not None) - int(y is not None)  # what has none comes first, whichever way round
                else:
                    answer = (compared(x, y) or 0) * (-1 if down else 1)
                if answer:
                    return answer
            return 0

        return [each for _keys, each in sorted(rows, key=cmp_to_key(order))]

    return step


def _criterion(tree: Tree, step: Step) -> tuple[Step, bool]:
    if tree[0] != "minus":
        return step, False
    from madang.science.fhir.fhirpath.evaluate import made

    return made(tree[1], set(), True), True


def _subset(items: Items, others: Items) -> Items:
    return [all(contains(others, each) for each in items)]


def _every(wanted: bool, every: bool) -> Function:
    def function(scope: Scope, items: Items, arguments: list[Step]) -> Items:
        values = [one([each], bool) for each in items]
        return [all(each is wanted for each in values) if every else any(each is wanted for each in values)]

    return function


def _take(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    count = one(arguments[0](scope), int)
    return items[: max(count or 0, 0)]


def _skip(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    count = one(arguments[0](scope), int)
    return items[max(count or 0, 0) :]


def _single(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    if len(items) > 1:
        raise PathError("one item was expected, and there are several")
    return items


def _trace(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    return items


def _of_others(operate: Callable[[Items, Items, Scope], Items]) -> Function:
    return lambda scope, items, arguments: operate(items, arguments[0](scope), scope)


def _combine(items: Items, others: Items, scope: Scope) -> Items:
    if len(items) + len(others) > MOST_ITEMS:
        raise Endless
    return items + others


def _not(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    value = truth(items)
    return [] if value is None else [not value]


def _join(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    between = one(arguments[0](scope), str) if arguments else ""
    texts = [system(each) for each in items]
    if any(type(each) is not str for each in texts):
        raise PathError("only texts can be joined")
    return [(between or "").join(texts)] if texts else []


# Moments, boundaries.


def _boundary(high: bool) -> Function:
    def function(scope: Scope, items: Items, arguments: list[Step]) -> Items:
        value = single(items)
        digits = one(arguments[0](scope), int) if arguments else None
        if value is None:
            return []
        if type(value) is Node or type(value) in (str, bool):
            raise PathError("only numbers, dates and times have bounds")
        made = boundary(value, high, digits)
        return [] if made is None else [made]

    return function


def _precision(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    value = single(items)
    made = None if value is None else precision(value)
    return [] if made is None else [made]


def _comparable(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    value, other = one(items, Quantity), one(arguments[0](scope), Quantity)
    return [] if value is None or other is None else [comparable(value, other)]


def _today(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    return [moment(scope.world.now().text[:10])]


def _time_of_day(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    return [moment(scope.world.now().text[11:23], "Time")]


# What FHIR adds.


def _extension(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    url = one(arguments[0](scope), str)
    out: Items = []
    named = scope.world.model.named
    for each in items:
        found: Items = []
        named(each, "extension", found)
        out += [x for x in found if type(x.data) is dict and x.data.get("url") == url]
    return out


def _has_value(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    if len(items) != 1:
        return [False]
    each = items[0]
    return [type(each) is not Node or (each.data is not None and type(each.data) is not dict)]


def _get_value(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    value = system(items[0]) if len(items) == 1 else None
    return [] if value is None or type(value) is Node else [value]


def _member_of(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    asked = scope.world.asked
    value_set = one(arguments[0](scope), str)
    if len(items) != 1 or value_set is None:
        return []
    if asked is None:
        raise CannotTell(value_set)
    value = items[0].data if type(items[0]) is Node else items[0]
    codings = value.get("coding") or [] if type(value) is dict and "coding" in value else [value]
    answers = []
    for each in codings:
        code_system, code = (each.get("system"), each.get("code")) if type(each) is dict else (None, each)
        if type(code) is str:
            answers.append(asked.member(value_set.partition("|")[0], code_system, code))
    if True in answers:
        return [True]
    if None in answers:
        raise CannotTell(value_set)
    return [False]


def _resolve(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    out: Items = []
    for each in items:
        data = each.data if type(each) is Node else each
        reference = data.get("reference") if type(data) is dict else data
        if type(reference) is not str:
            continue
        found = scope.world.asked.resolve(reference) if scope.world.asked else None
        if found is None:
            raise CannotTell("resolve()")
        out.append(scope.world.model.node(found))
    return out


def _conforms_to(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    url = one(arguments[0](scope), str)
    if len(items) != 1 or url is None:
        return []
    if scope.world.asked is None or type(items[0]) is not Node:
        raise CannotTell(url)
    answer = scope.world.asked.conforms(items[0].data, url.partition("|")[0])
    if answer is None:
        raise CannotTell(url)
    return [answer]


def _html_checks(scope: Scope, items: Items, arguments: list[Step]) -> Items:
    from madang.science.fhir.narrative import problem

    value = one(items, str)
    return [] if value is None else [not problem(value)]


LATER = frozenset(["subsumes", "subsumedBy", "elementDefinition", "slice", "checkModifiers", "weight"])
FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "empty": (0, 0, lambda scope, items, arguments: [not items]),
    "exists": (0, 1, _exists),
    "all": (1, 1, _all),
    "allTrue": (0, 0, _every(True, True)),
    "anyTrue": (0, 0, _every(True, False)),
    "allFalse": (0, 0, _every(False, True)),
    "anyFalse": (0, 0, _every(False, False)),
    "subsetOf": (1, 1, _of_others(lambda items, others, scope: _subset(items, others))),
    "supersetOf": (1, 1, _of_others(lambda items, others, scope: _subset(others, items))),
    "count": (0, 0, lambda scope, items, arguments: [len(items)]),
    "distinct": (0, 0, lambda scope, items, arguments: distinct(items, scope)),
    "isDistinct": (0, 0, lambda scope, items, arguments: [len(distinct(items, scope)) == len(items)]),
    "where": (1, 1, _where),
    "select": (1, 1, _select),
    "repeat": (1, 1, _repeat),
    "aggregate": (1, 2, _aggregate),
    "iif": (2, 3, _iif),
    "single": (0, 0, _single),
    "first": (0, 0, lambda scope, items, arguments: items[:1]),
    "last": (0, 0, lambda scope, items, arguments: items[-1:]),
    "tail": (0, 0, lambda scope, items, arguments: items[1:]),
    "skip": (1, 1, _skip),
    "take": (1, 1, _take),
    "intersect": (
        1, 1, _of_others(lambda items, others, scope: distinct([x for x in items if contains(others, x)], scope)),
    ),
    "exclude": (1, 1, _of_others(lambda items, others, scope: [x for x in items if not contains(others, x)])),
    "union": (1, 1, _of_others(lambda items, others, scope: distinct(items + others, scope))),
    "combine": (1, 2, _of_others(_combine)),
    "children": (0, 0, _children),
    "descendants": (0, 0, _descendants),
    "not": (0, 0, _not),
    "trace": (1, 2, _trace),
    "join": (0, 1, _join),
    "type": (0, 0, _type),
    "now": (0, 0, lambda scope, items, arguments: [scope.world.now()]),
    "today": (0, 0, _today),
    "timeOfDay": (0, 0, _time_of_day),
    "lowBoundary": (0, 1, _boundary(False)),
    "highBoundary": (0, 1, _boundary(True)),
    "precision": (0, 0, _precision),
    "comparable": (1, 1, _comparable),
    "extension": (1, 1, _extension),
    "hasValue": (0, 0, _has_value),
    "getValue": (0, 0, _get_value),
    "memberOf": (1, 1, _member_of),
    "resolve": (0, 0, _resolve),
    "conformsTo": (1, 1, _conforms_to),
    "htmlChecks": (0, 0, _html_checks),
}  # fmt: skip
FUNCTIONS |= NUMBERS | CONVERSIONS
