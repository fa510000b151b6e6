"""One output held against the rules: every criterion that was applied, with what came out."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from madang.base.translate import later
from madang.science.privacy.outputs.compute import Answer, Group
from madang.science.privacy.outputs.queries import Kind
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import Said, as_document, said


class Status(StrEnum):
    """What a criterion says of an output; `REVIEW` asks a person."""

    PASS = "pass"
    REVIEW = "review"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """A criterion that was applied: its stable name, the verdict, the cells concerned (for checkers only)."""

    criterion: str
    status: Status
    sentence: str
    cells: tuple[tuple[str, ...], ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON, the cells counted but not named."""
        return {
            "criterion": self.criterion,
            "status": self.status.value,
            **as_document(self.sentence),
            "cells": len(self.cells),
        }


def overall(findings: Sequence[Finding]) -> Status:
    """The worst verdict of all."""
    return max((finding.status for finding in findings), key=list(Status).index, default=Status.PASS)


def judge(answer: Answer, rules: Rules) -> list[Finding]:
    """Apply every criterion of the rules that concerns this kind of output."""
    kind = answer.query.kind
    if kind in (Kind.LINEAR, Kind.LOGISTIC):
        return _model(answer, rules)
    found = [_minimum_count(answer, rules)]
    if rules.zeros != "allowed" and kind is Kind.COUNT:
        found.append(_zeros(answer, rules))
    if kind in (Kind.MEAN, Kind.SUM):
        found += [_dominance(answer, rules), _p_percent(answer, rules), _contributors(answer, rules)]
    if kind in (Kind.MEAN, Kind.SUM, Kind.QUANTILES, Kind.DEVIATION) and rules.same_value != "allowed":
        found.append(_same_value(answer, rules))
    if kind is Kind.DEVIATION:
        cells = _cells(answer, lambda group: 0 < group.people - 1 < rules.degrees_of_freedom)
        found.append(
            _finding(
                "degrees_of_freedom",
                cells,
                said(later("Degrees of freedom are at least {n}.")),
                rules.degrees_of_freedom,
            )
        )
    if kind is Kind.QUANTILES:
        found += _quantiles(answer, rules)
    if kind is Kind.SURVIVAL:
        found.append(
            Finding(
                "survival_step",
                Status.PASS,
                said(later("Between two steps at least {n} events happened."), n=rules.survival_step),
            )
        )
    return found


def _cells(answer: Answer, wrong: Callable[[Group], bool]) -> tuple[tuple[str, ...], ...]:
    return tuple(group.key for group in answer.groups if wrong(group))


def _finding(
    criterion: str, cells: tuple[tuple[str, ...], ...], sentence: Said, limit: object, worst: Status = Status.FAIL
) -> Finding:
    filled = sentence if limit == "" else said(sentence.template, n=limit)
    return Finding(criterion, worst if cells else Status.PASS, filled, cells)


def _minimum_count(answer: Answer, rules: Rules) -> Finding:
    least = 0 if rules.zeros == "disclosive" else 1
    cells = _cells(answer, lambda group: least <= group.people < rules.minimum_count)
    return _finding(
        "minimum_count", cells, said(later("At least {n} people are behind every cell.")), rules.minimum_count
    )


def _zeros(answer: Answer, rules: Rules) -> Finding:
    cells = _cells(answer, lambda group: group.people == 0)
    worst = Status.FAIL if rules.zeros == "disclosive" else Status.REVIEW
    return _finding("zeros", cells, said(later("No cell says that nobody is like that.")), "", worst)


def _dominance(answer: Answer, rules: Rules) -> Finding:
    sentence = said(
        later("The {n} largest make up less than {k:g} of every sum."), n=rules.dominance_n, k=rules.dominance_k
    )
    negative = _cells(answer, lambda group: group.negative > 0)
    if negative:
        return Finding("dominance", Status.REVIEW, sentence, negative)

    def wrong(group: Group) -> bool:
        return group.total > 0 and group.n_largest / group.total >= rules.dominance_k

    return _finding("dominance", _cells(answer, wrong), sentence, "")


def _p_percent(answer: Answer, rules: Rules) -> Finding:
    sentence = said(later("The rest without the two largest is at least {p:g} of the largest."), p=rules.p_percent)
    negative = _cells(answer, lambda group: group.negative > 0)
    if negative:
        return Finding("p_percent", Status.REVIEW, sentence, negative)

    def wrong(group: Group) -> bool:
        return group.largest > 0 and (group.total - group.two_largest) / group.largest < rules.p_percent

    return _finding("p_percent", _cells(answer, wrong), sentence, "")


def _contributors(answer: Answer, rules: Rules) -> Finding:
    """A sum to which few people bring anything is theirs: a column of zeros with a single one times the data."""

    def wrong(group: Group) -> bool:
        return 0 < group.contributors < rules.minimum_count <= group.people

    sentence = said(later("At least {n} people bring something other than 0."))
    return _finding("contributors", _cells(answer, wrong), sentence, rules.minimum_count)


def _same_value(answer: Answer, rules: Rules) -> Finding:
    worst = Status.FAIL if rules.same_value == "disclosive" else Status.REVIEW
    cells = _cells(answer, lambda group: group.one_value)
    return _finding("same_value", cells, said(later("No group shares one value.")), "", worst)


def _quantiles(answer: Answer, rules: Rules) -> list[Finding]:
    levels = sorted(answer.query.quantiles)
    inner = [level for level in levels if 0 < level < 1]
    worst = {"refused": Status.FAIL, "review": Status.REVIEW, "allowed": Status.PASS}[rules.extremes]
    every = tuple(group.key for group in answer.groups)
    extremes = _finding(
        "extremes",
        every if len(inner) < len(levels) and worst is not Status.PASS else (),
        said(later("No minimum or maximum is shown.")),
        "",
        worst,
    )
    edges = [0.0, *inner, 1.0]
    gap = min((b - a for a, b in itertools.pairwise(edges) if b > a), default=1.0)
    cells = _cells(answer, lambda group: 0 < group.people * gap < rules.minimum_positions - 1e-9)
    sentence = said(later("At least {n} people lie on each side of a quantile."))
    return [extremes, _finding("positions", cells, sentence, rules.minimum_positions)]


def _model(answer: Answer, rules: Rules) -> list[Finding]:
    everything: tuple[tuple[str, ...], ...] = ((),)
    few = answer.facts["people"] < rules.minimum_count
    free = answer.facts["degrees_of_freedom"] < rules.degrees_of_freedom
    marked = answer.facts["marked"] < rules.minimum_count
    return [
        _finding(
            "minimum_count",
            everything if few else (),
            said(later("At least {n} people are in the model.")),
            rules.minimum_count,
        ),
        _finding(
            "degrees_of_freedom",
            everything if free else (),
            said(later("Degrees of freedom are at least {n}.")),
            rules.degrees_of_freedom,
        ),
        _finding(
            "marked",
            everything if marked else (),
            said(later("No term and no outcome sets fewer than {n} people apart.")),
            rules.minimum_count,
        ),
    ]
