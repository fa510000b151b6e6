"""Invariants as FHIRPath, by the library fhirpathpy: for profiles of others, and the slow twin of our functions.

An expression that fails, takes too long or asks for what is not at hand gives no verdict; it is counted as one that
cannot be told. The library writes `trace()` to standard output, which is turned away.
"""

import contextlib
import io
import signal
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.fhir.facts import Constraint
from madang.science.fhir.findings import Found, here

SECONDS = 2.0  # most time of one evaluation
LARGEST_SET = 20_000  # members of an object in which `descendants()` is still asked for
UNSUPPORTED = ("conformsTo(", "htmlChecks(", "resolve()", "subsumes(", "subsumedBy(", "weight(")


class Endless(Exception):
    """An evaluation took too long."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[bool]:
    """Interrupt the block after some seconds, in the main thread; elsewhere it yields False and sets no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    def stop(number: int, frame: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def _library() -> Any:
    try:
        import fhirpathpy
        from fhirpathpy.models import models
    except ImportError:
        raise MadangError(
            "fhir.no_fhirpath",
            _("FHIRPath needs the package fhirpathpy, which is not installed."),
            _("Install Madang with its extra `rooms`."),
        ) from None
    return fhirpathpy, models["r4"]


@cache
def compiled(expression: str) -> Callable[..., list[Any]]:
    """The library's function of an expression."""
    library, model = _library()
    made: Callable[..., list[Any]] = library.compile(expression, model=model, options={"userInvocationTable": ADDED})
    return made


def _has_value(inputs: list[Any]) -> list[bool]:
    """FHIR's hasValue(): exactly one primitive, with a value."""
    values = [getattr(each, "data", each) for each in inputs]
    return [len(values) == 1 and values[0] is not None and not isinstance(values[0], dict | list)]


_asked = threading.local()  # the terminology that memberOf() asks, for the length of one evaluation


class CannotTell(Exception):
    """The codes of a value set are not at hand."""


def _member_of(inputs: list[Any], value_set: str) -> list[bool]:
    """FHIR's memberOf(): whether the code, or one of the codings, is in a value set."""
    values = [getattr(each, "data", each) for each in inputs]
    if len(values) != 1 or getattr(_asked, "terminology", None) is None:
        return []
    value = values[0]
    codings = value.get("coding") or [] if isinstance(value, dict) and "coding" in value else [value]
    answers = []
    for each in codings:
        system, code = (each.get("system"), each.get("code")) if isinstance(each, dict) else (None, each)
        if isinstance(code, str):
            answers.append(_asked.terminology.contains(value_set.partition("|")[0], system, code))
    if True in answers:
        return [True]
    if None in answers:
        raise CannotTell(value_set)
    return [False]


ADDED = {  # functions of FHIR that the library has not
    "hasValue": {"fn": _has_value, "arity": {0: []}},
    "memberOf": {"fn": _member_of, "arity": {1: ["String"]}},
}


def evaluate(node: Any, expression: str, resource: Any = None, root: Any = None) -> list[Any]:
    """What an expression gives on a node of a resource; raises whatever the library raises, and `Endless`."""
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), limited(SECONDS) as guarded:
        if not guarded and "matches(" in expression:
            raise Endless
        return compiled(expression)(
            node,
            context={
                "resource": resource or node,
                "rootResource": root or resource or node,
                "ucum": "http://unitsofmeasure.org",
            },
        )


def holds_by_path(constraint: Constraint, terminology: Any = None) -> Callable[[Any, Any], Found]:
    """The check of one invariant by evaluation."""
    key, severity, expression = constraint.key, constraint.severity, constraint.expression
    if any(part in expression for part in UNSUPPORTED):
        return _uncounted(key)
    broken = False

    def check(value: Any, context: Any) -> Found:
        nonlocal broken
        if broken:
            context.unsure[key] = context.unsure.get(key, 0) + 1
            return None
        _asked.terminology = terminology
        try:
            answer = evaluate(value, expression, context.resource, context.root)
        except MadangError:
            broken = True
            context.unsure[key] = context.unsure.get(key, 0) + 1
            return None
        except Endless:
            broken = True  # what ran away once is not started again
            context.unsure[key] = context.unsure.get(key, 0) + 1
            return None
        except Exception:  # whatever a foreign expression brings the library to
            context.unsure[key] = context.unsure.get(key, 0) + 1
            return None
        return here(key, "invariant", key, severity=severity) if verdict(answer) is False else None

    return check


def verdict(answer: list[Any]) -> bool | None:
    """Whether the result of an invariant says that it holds; an empty one does not say, which Java counts as broken."""
    if len(answer) == 1 and isinstance(answer[0], bool):
        return answer[0]
    return bool(answer)


def _uncounted(key: str) -> Callable[[Any, Any], Found]:
    def check(value: Any, context: Any) -> Found:
        context.unsure[key] = context.unsure.get(key, 0) + 1
        return None

    return check
