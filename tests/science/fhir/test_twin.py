"""Invariants as functions of ours, as FHIRPath, and as FHIRPath by a library: the same answer on every row."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.science.fhir.compiler import Context
from madang.science.fhir.definitions import CORE, Definitions, shipped
from madang.science.fhir.facts import Constraint
from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.fhirpath.values import PathError
from madang.science.fhir.invariants import BUILT_IN, FUNCTIONS
from madang.science.fhir.paths import evaluate, verdict
from madang.science.fhir.server.made_up import made_up_lives, resources
from support import shared_data

fhirpathpy = pytest.importorskip("fhirpathpy")
models = pytest.importorskip("fhirpathpy.models").models
NOT_IN_LIBRARY = {"dom-3", "rng-2"}  # descendants().as() and the order of quantities: the library cannot


@cache
def guide() -> Definitions:
    return shipped("kr-core")


@cache
def examples() -> list[dict[str, Any]]:
    return list(resources(made_up_lives(2)))


@cache
def rows(profile: str) -> tuple[tuple[tuple[str, ...], Constraint], ...]:
    """Where each invariant of a profile stands, as names on the way."""
    found = guide().profile(profile)
    assert found is not None
    return tuple(
        (tuple(row.path.split(".")[1:]), each)
        for row in found.rows
        if ("[x]" not in row.path and ":" not in row.id and row.types and row.types[0].code[:1].isupper())
        or "." not in row.id
        for each in row.constraints
        if each.expression in FUNCTIONS and each.key not in BUILT_IN
    )


@cache
def model() -> Model:
    return Model(guide())


@cache
def by_library(expression: str) -> Any:
    """The library's function of an expression; it has no hasValue()."""

    def has_value(inputs: list[Any]) -> list[bool]:
        values = [getattr(each, "data", each) for each in inputs]
        return [len(values) == 1 and values[0] is not None and not isinstance(values[0], dict | list)]

    added = {"hasValue": {"fn": has_value, "arity": {0: []}}}
    return fhirpathpy.compile(expression, model=models["r4"], options={"userInvocationTable": added})


def of_library(node: Any, expression: str, resource: Any) -> bool:
    around = {"resource": resource, "rootResource": resource, "ucum": "http://unitsofmeasure.org"}
    answer = by_library(expression)(node, context=around)
    return bool(answer[0]) if len(answer) == 1 and isinstance(answer[0], bool) else bool(answer)


def nodes(value: Any, way: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from nodes(each, way)
    elif not way:
        yield value
    elif isinstance(value, dict) and way[0] in value:
        yield from nodes(value[way[0]], way[1:])


def typed(value: Any) -> Iterator[tuple[dict[str, Any], Constraint, str]]:
    """Objects that look like a Period, a Quantity, ... with the invariants of the type."""
    marks = {"Period": {"start", "end"}, "Quantity": {"value", "code"}, "Range": {"low", "high"}}
    if isinstance(value, dict):
        for name, keys in marks.items():
            if keys & value.keys() and value.keys() <= keys | {"unit", "system", "id"}:
                found = guide().profile(CORE + name)
                assert found is not None
                for each in found.rows[0].constraints:
                    if each.expression in FUNCTIONS and each.key not in BUILT_IN:
                        yield value, each, name
        for each in value.values():
            yield from typed(each)
    elif isinstance(value, list):
        for each in value:
            yield from typed(each)


def differences(resource: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    profile = resource["meta"]["profile"][0]
    kind = resource["resourceType"]
    pairs = [
        (node, each, model().where(".".join((kind, *way))))
        for way, each in rows(profile)
        for node in nodes(resource, way)
    ]
    for node, constraint, where in [*pairs, *typed(resource)]:
        if not isinstance(node, dict):
            continue
        fast = FUNCTIONS[constraint.expression](node, Context(resource, resource))
        try:
            slow = verdict(evaluate(node, constraint.expression, resource, resource, model(), where))
        except PathError:  # a quantity that lost its number comes neither before nor after another
            continue
        other = slow if constraint.key in NOT_IN_LIBRARY else of_library(node, constraint.expression, resource)
        if not fast == slow == other:
            yield constraint.key, (fast, slow, other, sorted(node))


def test_the_twin_differs_on_no_row_of_the_synthetic_hospital() -> None:
    checked = 0
    for resource in examples()[:60]:
        assert list(differences(resource)) == []
        checked += 1
    assert checked


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in ("resourceType", "meta"):
                yield (*way, key)
                yield from places(part, (*way, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*way, number))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_twin_differs_on_no_row_of_resources_that_lost_something(data: st.DataObject) -> None:
    resource = copy.deepcopy(data.draw(st.sampled_from(examples())))
    for _time in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from(sorted(places(resource), key=str)))
        holder = resource
        for step in way[:-1]:
            holder = holder[step]
        del holder[way[-1]]
        if not list(places(resource)):
            break
    assert list(differences(resource)) == [], json.dumps(resource, ensure_ascii=False)


def test_the_functions_are_all_invariants_that_kr_core_reaches() -> None:
    reached = json.loads(shared_data("../standards/fhir-r4/kr-core-reachable-invariants.json").read_bytes())
    assert {each["key"] for each in reached if each["expr"] not in FUNCTIONS} <= BUILT_IN
