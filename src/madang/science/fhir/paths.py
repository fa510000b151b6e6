"""Invariants as FHIRPath: those that have no function of ours, which are those of other profiles.

An expression that is no FHIRPath, that takes too long, or that asks for what is not at hand gives no verdict: it is
counted as one that cannot be told, and is never taken as held.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from madang.science.fhir.definitions import CORE, shipped
from madang.science.fhir.facts import Constraint
from madang.science.fhir.fhirpath.evaluate import Expression, compiled
from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.fhirpath.scope import Endless
from madang.science.fhir.fhirpath.values import CannotTell, Node, PathError, system
from madang.science.fhir.findings import ERROR, Found, here

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Compiler

SECONDS = 2.0  # most time of one evaluation
CANNOT = (PathError, CannotTell, Endless)
TIMED = frozenset(["matches", "matchesFull", "replaceMatches"])  # what only a timer can stop


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Interrupt the block after some seconds, in the main thread; elsewhere expressions that need it do not run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Around:
    """What an expression may ask of the resource around it and of the definitions at hand."""

    def __init__(self, compiler: "Compiler", context: Any) -> None:
        self.compiler, self.context = compiler, context

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set."""
        return self.compiler.definitions.terminology.contains(value_set, system, code)

    def resolve(self, reference: str) -> Any:
        """A resource that is contained or stands in the same Bundle."""
        from madang.science.fhir.slices import resolved

        return resolved(reference, self.context)

    def conforms(self, data: Any, profile: str) -> bool | None:
        """Whether an element conforms to a profile; None where that is asked within itself."""
        from madang.science.fhir.compiler import Context

        kind = self.compiler.definitions.facts(profile)[0]
        if not kind:
            raise PathError("there is no such profile here")
        if type(data) is dict and data.get("resourceType", kind) != kind:
            return False
        key = (id(data), profile)
        if key in self.context.visiting:
            return None
        self.context.visiting.add(key)
        held = Context(self.context.root, data, entries=self.context.entries, visiting=self.context.visiting)
        found = self.compiler.of_type(kind, "" if profile == CORE + kind else profile)(data, held)
        self.context.visiting.discard(key)
        return not found or all(each.severity != ERROR for each in found)


def asked(
    expression: Expression, model: Model, node: Node, resource: Any = None, root: Any = None, around: Any = None
) -> list[Any]:
    """The items of an expression on a node. Raises one of `CANNOT`."""
    whole = model.node(resource) if resource is not None else node
    top = model.node(root) if root is not None else whole
    if expression.calls & TIMED:
        with limited(SECONDS):
            return expression.on(model, node, whole, top, around, SECONDS)
    return expression.on(model, node, whole, top, around, SECONDS)


def evaluate(
    node: Any, expression: str, resource: Any = None, root: Any = None, model: Model | None = None, where: str = ""
) -> list[Any]:
    """What an expression gives on a part of a resource, as plain values. `where` is its type, if it is known."""
    model = model or Model(shipped("r4"))
    items = asked(compiled(expression), model, model.node(node, where), resource, root)
    return [each.data if type(each) is Node else each for each in items]


def holds_by_path(constraint: Constraint, compiler: "Compiler", where: str = "") -> Callable[[Any, Any], Found]:
    """The check of one invariant on elements of a type, or at a path (`where`)."""
    key, severity = constraint.key, constraint.severity
    model = compiler.model
    try:
        expression = compiled(constraint.expression)
    except PathError:
        return _uncounted(key)
    broken = False

    def check(value: Any, context: Any) -> Found:
        nonlocal broken
        if not broken:
            try:
                node = model.node(value, where)
                items = asked(expression, model, node, context.resource, context.root, Around(compiler, context))
                return here(key, "invariant", key, severity=severity) if verdict(items) is False else None
            except Endless:
                broken = True  # what ran away once is not started again
            except (PathError, CannotTell):
                pass
        context.unsure[key] = context.unsure.get(key, 0) + 1
        return None

    return check


def verdict(items: list[Any]) -> bool:
    """Whether the result of an invariant says that it holds; an empty one does not say so, and is broken."""
    if len(items) == 1:
        value = system(items[0])
        return value if type(value) is bool else True
    if items:
        raise PathError("an invariant gives one answer")
    return False


def _uncounted(key: str) -> Callable[[Any, Any], Found]:
    def check(value: Any, context: Any) -> Found:
        context.unsure[key] = context.unsure.get(key, 0) + 1
        return None

    return check
