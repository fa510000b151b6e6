"""The parts of an expression one by one, with their places in words and in JSON; what check and sentences walk over."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from madang.base.translate import _
from madang.science.cohorts.definition import Definition


@dataclass(frozen=True)
class Criterion:
    """One criterion of an expression.

    `kind` is circe's name (ConditionOccurrence, ...), `body` its attributes; `correlated` is the object around it where
    it is counted in a window about another event. `place` is in words, `path` in JSON; `part` is `initial`,
    `additional`, `rule` or `censoring`.
    """

    kind: str
    body: Mapping[str, Any]
    place: str
    path: str
    part: str
    correlated: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Group:
    """A group of criteria with its demographic ones."""

    body: Mapping[str, Any]
    place: str
    path: str


def listed(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a JSON list; nothing where it is none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def wrapped(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Kind and body of a criterion as circe wraps them: `{"ConditionOccurrence": {...}}`; empty where it is none."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return "", {}
    kind, body = next(iter(value.items()))
    return str(kind), body if isinstance(body, Mapping) else {}


def criteria(definition: Definition) -> list[Criterion]:
    """Every criterion of a definition, nested ones after those that they belong to."""
    return [part for part in _parts(definition) if isinstance(part, Criterion)]


def groups(definition: Definition) -> list[Group]:
    """Every group of criteria of a definition."""
    return [part for part in _parts(definition) if isinstance(part, Group)]


def rule_name(rule: Mapping[str, Any], number: int) -> str:
    """What an inclusion rule is called."""
    return str(rule.get("name") or _("rule {number}").format(number=number))


def _parts(definition: Definition) -> Iterator[Criterion | Group]:
    document = definition.document
    initial = _("initial events")
    for number, each in enumerate(listed((document.get("PrimaryCriteria") or {}).get("CriteriaList"))):
        yield from _criterion(each, initial, f"PrimaryCriteria.CriteriaList[{number}]", "initial")
    if isinstance(document.get("AdditionalCriteria"), Mapping):
        yield from _group(document["AdditionalCriteria"], _("restriction"), "AdditionalCriteria", "additional")
    for number, rule in enumerate(listed(document.get("InclusionRules"))):
        if isinstance(rule.get("expression"), Mapping):
            place = _("inclusion rule “{name}”").format(name=rule_name(rule, number + 1))
            yield from _group(rule["expression"], place, f"InclusionRules[{number}].expression", "rule")
    for number, each in enumerate(listed(document.get("CensoringCriteria"))):
        yield from _criterion(each, _("censoring events"), f"CensoringCriteria[{number}]", "censoring")


def _criterion(
    value: Any, place: str, path: str, part: str, correlated: Mapping[str, Any] | None = None
) -> Iterator[Criterion | Group]:
    kind, body = wrapped(value)
    if not kind:
        return
    path = f"{path}.{kind}"
    yield Criterion(kind, body, place, path, part, correlated)
    if isinstance(body.get("CorrelatedCriteria"), Mapping):
        yield from _group(body["CorrelatedCriteria"], place, f"{path}.CorrelatedCriteria", part)
    for number, inner in enumerate(listed(body.get("CriteriaList"))):  # of a custom era
        yield from _criterion(inner, place, f"{path}.CriteriaList[{number}]", part)


def _group(group: Mapping[str, Any], place: str, path: str, part: str) -> Iterator[Criterion | Group]:
    yield Group(group, place, path)
    for number, each in enumerate(listed(group.get("CriteriaList"))):
        yield from _criterion(each.get("Criteria"), place, f"{path}.CriteriaList[{number}].Criteria", part, each)
    for number, inner in enumerate(listed(group.get("Groups"))):
        yield from _group(inner, place, f"{path}.Groups[{number}]", part)
