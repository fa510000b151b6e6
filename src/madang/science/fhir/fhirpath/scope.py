"""What an evaluation of FHIRPath carries with it, and how operators and functions take their operands."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from madang.science.fhir.fhirpath.model import Model
from madang.science.fhir.fhirpath.values import Moment, Node, PathError, now, system

Items = list[Any]
Step = Callable[["Scope"], Items]
Function = Callable[["Scope", Items, list[Step]], Items]
MOST_ITEMS, LONGEST_TEXT = 2_000_000, 10_000_000


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


# Operands.


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
