"""What a result stands on, as a graph, and how its weight goes to those who contributed; plain functions.

A thing is named `kind:name` (`dataset:clinic@3`, `record:7`, `release:12`). Each link says that a thing stands on
another one, and as what. Contributors (people, institutions, projects) are at the ends of links of the role `by`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache

from madang.base.errors import MadangError
from madang.base.translate import _

MOST = 20_000  # things of one statement


@dataclass(frozen=True, order=True)
class Thing:
    """Something that results stand on, or somebody who contributed: `kind:name`, and how people call it."""

    reference: str
    title: str = ""

    @property
    def kind(self) -> str:
        """What it is: dataset, release, person, organization, ..."""
        return self.reference.partition(":")[0]


@dataclass(frozen=True, order=True)
class Link:
    """That a thing stands on another one, or was contributed by somebody, in a role."""

    thing: str
    on: Thing
    role: str  # source, vocabulary, mapping, check, compute, permit, by, ...


@dataclass(frozen=True, order=True)
class Use:
    """That data were used: when, by what (permit, workspace, release, download, count), and which one.

    A `reference` of the kind `dataset` is data made from these, whose uses are uses of these.
    """

    at: datetime
    kind: str
    reference: str


@dataclass(frozen=True)
class Statement:
    """All that a result stands on, in order of their names; `used` counts the ways in which the result uses each.

    `missing` names the rooms that could not say what they know.
    """

    result: Thing
    things: tuple[Thing, ...]
    links: tuple[Link, ...]
    used: Mapping[str, int]
    missing: tuple[str, ...] = ()


def make_statement(result: Thing, links_of: Callable[[str], Iterable[Link]], missing: Iterable[str] = ()) -> Statement:
    """Follow all links from a result.

    `used` of a thing is the number of different paths from the result to it. The order in which links become known
    changes nothing. Errors: `contributions.circle`, `contributions.too_many`.
    """
    things: dict[str, Thing] = {result.reference: result}
    links: dict[str, tuple[Link, ...]] = {}
    waiting = [result.reference]
    while waiting:
        reference = waiting.pop()
        if reference in links:
            continue
        found = tuple(sorted(set(links_of(reference))))
        links[reference] = found
        if len(links) > MOST:
            raise MadangError(
                "contributions.too_many", _("{name} stands on too many things.").format(name=result.title)
            )
        for link in found:
            things.setdefault(link.on.reference, link.on)
            waiting.append(link.on.reference)
    order = _from_result(result.reference, links)
    used = dict.fromkeys(order, 0)
    used[result.reference] = 1
    for reference in order:
        for link in links[reference]:
            used[link.on.reference] += used[reference]
    rest = sorted(thing for name, thing in things.items() if name != result.reference)
    every = tuple(sorted(link for found in links.values() for link in found))
    return Statement(result, tuple(rest), every, used, tuple(sorted(missing)))


def _from_result(result: str, links: Mapping[str, tuple[Link, ...]]) -> list[str]:
    """All things so that each comes after everything that stands on it."""
    open_, done, order = set[str](), set[str](), list[str]()
    stack: list[tuple[str, bool]] = [(result, False)]
    while stack:
        reference, is_left = stack.pop()
        if is_left:
            open_.discard(reference)
            done.add(reference)
            order.append(reference)
            continue
        if reference in done:
            continue
        if reference in open_:
            raise MadangError("contributions.circle", _("{name} stands on itself.").format(name=reference))
        open_.add(reference)
        stack.append((reference, True))
        for link in links[reference]:
            if link.on.reference in open_:
                raise MadangError("contributions.circle", _("{name} stands on itself.").format(name=link.on.reference))
            if link.on.reference not in done:
                stack.append((link.on.reference, False))
    return order[::-1]


def weigh(statement: Statement, rule: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """How the whole (one) goes to the contributors, exactly, under a rule of weights by role.

    What a thing has goes to what it stands on in proportion to the weights of their roles; a thing that stands on
    nothing keeps it. A calculation example, not a claim. Errors: `contributions.rule`.
    """
    if any(weight < 0 for weight in rule.values()) or sum(rule.values()) != 1:
        raise MadangError(
            "contributions.rule", _("The weights of the rule do not add up to one."), _("Look at the rule once more.")
        )
    below: dict[str, list[Link]] = {}
    for link in statement.links:
        below.setdefault(link.thing, []).append(link)
    kept: dict[str, Fraction] = {}
    shares = {statement.result.reference: Fraction(1)}
    for reference in _from_result(
        statement.result.reference, {name: tuple(below.get(name, ())) for name in statement.used}
    ):
        share = shares.get(reference, Fraction(0))
        links = [link for link in below.get(reference, []) if rule.get(link.role, Fraction(0)) > 0]
        total = sum((rule[link.role] for link in links), Fraction(0))
        if not links:
            kept[reference] = kept.get(reference, Fraction(0)) + share
        for link in links:
            part = share * rule[link.role] / total
            shares[link.on.reference] = shares.get(link.on.reference, Fraction(0)) + part
    return {name: share for name, share in sorted(kept.items()) if share}


def plain_weights(statement: Statement, rule: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The slow twin of `weigh`: plain recursion along every path."""
    below: dict[str, list[Link]] = {}
    for link in statement.links:
        below.setdefault(link.thing, []).append(link)

    @cache
    def of(reference: str) -> tuple[tuple[str, Fraction], ...]:
        links = [link for link in below.get(reference, []) if rule.get(link.role, Fraction(0)) > 0]
        if not links:
            return ((reference, Fraction(1)),)
        total = sum((rule[link.role] for link in links), Fraction(0))
        told: dict[str, Fraction] = {}
        for link in links:
            for name, share in of(link.on.reference):
                told[name] = told.get(name, Fraction(0)) + share * rule[link.role] / total
        return tuple(told.items())

    return dict(sorted(of(statement.result.reference)))
