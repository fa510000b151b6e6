"""What everybody may see: how often each rule was not kept, and how long each step takes, by kind of applicant."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.node.node import Node
from madang.science.privacy.duo import Finding
from madang.services.access.models import Application
from madang.services.access.service import findings

MOST = 500  # the newest applications that are looked at
LEAST = 3  # applications: fewer make no figure by kind of applicant


@dataclass(frozen=True)
class RuleFigure:
    """One rule: how often it was kept, not kept, or could not be told."""

    id: str
    title: dict[str, str]
    explanation: dict[str, str]
    source: dict[str, str]
    date: str
    matches: int
    differs: int
    cannot_tell: int


@dataclass(frozen=True)
class StepFigure:
    """One step of one kind of applicant (empty: of all): how often it was passed, and how many days it took."""

    name: str
    applicant_kind: str
    count: int
    median_days: float | None


@dataclass(frozen=True)
class Figures:
    """All of it."""

    applications: int
    approved: int
    refused: int
    results_only: int
    returned: int  # how often an applicant was asked
    median_days: float | None
    urgent: int  # applications that were urgent
    median_days_urgent: float | None  # until they were decided; None where fewer than LEAST were
    rules: tuple[RuleFigure, ...]
    steps: tuple[StepFigure, ...]


def figures(node: Node) -> Figures:
    """The figures of all applications that were handed in. No application, person or project can be told from them."""
    with node.read() as session:
        query = (
            select(Application).where(Application.submitted.is_not(None)).order_by(Application.id.desc()).limit(MOST)
        )
        found = session.scalars(query.options(selectinload(Application.steps), selectinload(Application.words))).all()
    rules: dict[str, list[int]] = {}
    texts = {}
    for application in found:
        for each in findings(node, application):
            rule = each.found.rule
            texts[rule.id] = rule
            row = rules.setdefault(rule.id, [0, 0, 0])
            row[(Finding.MATCHES, Finding.DIFFERS, Finding.CANNOT_TELL).index(each.found.finding)] += 1
    days: dict[tuple[str, str], list[float]] = defaultdict(list)
    for application in found:
        for step in application.steps:
            if step.opened and step.closed and step.state in ("done", "refused"):
                took = (step.closed - step.opened).total_seconds() / 86_400
                days[step.name, ""].append(took)
                days[step.name, application.applicant_kind].append(took)
    whole, urgent = _days(found), _days([each for each in found if each.urgent])
    return Figures(
        len(found),
        sum(each.answer == "closed-space" for each in found),
        sum(each.answer == "refused" for each in found),
        sum(each.answer == "results-only" for each in found),
        sum(word.kind == "question" for each in found for word in each.words),
        statistics.median(whole) if whole else None,
        sum(each.urgent for each in found),
        statistics.median(urgent) if len(urgent) >= LEAST else None,
        tuple(
            RuleFigure(
                name,
                dict(texts[name].title),
                dict(texts[name].explanation),
                dict(texts[name].source),
                texts[name].date,
                *row,
            )
            for name, row in sorted(rules.items(), key=lambda item: (-item[1][1], item[0]))
        ),
        tuple(
            StepFigure(name, kind, len(values), statistics.median(values))
            for (name, kind), values in sorted(days.items())
            if not kind or len(values) >= LEAST
        ),
    )


def _days(applications: Sequence[Application]) -> list[float]:
    """From handing in to the decision, of those that are decided."""
    return [
        (each.decided - each.submitted).total_seconds() / 86_400
        for each in applications
        if each.decided and each.submitted
    ]
