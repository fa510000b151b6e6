"""The public page: how applications for data are decided here, with the rules and their sources."""

from typing import Any

from madang.base.translate import _, in_language
from madang.science.privacy.rules import SHIPPED, read_pack
from madang.services.access import figures, procedure, words
from madang.services.access.routes import room
from madang.web import Here, View


class RuleView(View):
    """A rule, and what it finds where it is held against an application."""

    title: str
    explanation: str
    source: str
    date: str
    slot: bool


class Rules(View):
    """A rule pack."""

    name: str
    title: str
    example: bool
    rules: list[RuleView]


class Front(View):
    """How applications are decided here: figures, and the rules that are held against each."""

    applications: int
    approved: int
    refused: int
    results_only: int
    returned: int
    median_days: float | None
    urgent: int
    median_days_urgent: float | None
    rules: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    packs: list[Rules]


@room.page("/access", "front.html")
def front(visit: Here) -> Front:
    """How applications for data are decided here: how often each rule stood in the way, how long each step took."""
    found = figures.figures(visit.node)
    return Front(
        applications=found.applications,
        approved=found.approved,
        refused=found.refused,
        results_only=found.results_only,
        returned=found.returned,
        median_days=found.median_days,
        urgent=found.urgent,
        median_days_urgent=found.median_days_urgent,
        rules=[
            {
                "title": in_language(each.title["ko"], each.title["en"]),
                "source": in_language(each.source["ko"], each.source["en"]),
                "date": each.date,
                "matches": each.matches,
                "differs": each.differs,
                "cannot_tell": each.cannot_tell,
            }
            for each in found.rules
        ],
        steps=[
            {
                "title": _(procedure.NAMES[each.name].title),
                "applicant": words.kind_named(each.applicant_kind) if each.applicant_kind else _("all"),
                "count": each.count,
                "median_days": each.median_days,
            }
            for each in found.steps
        ],
        packs=[_pack(name) for name in SHIPPED],
    )


def _pack(name: str) -> Rules:
    pack = read_pack(name)
    return Rules(
        name=pack.name,
        title=in_language(pack.title["ko"], pack.title["en"]),
        example=pack.example,
        rules=[
            RuleView(
                title=in_language(rule.title["ko"], rule.title["en"]),
                explanation=in_language(rule.explanation["ko"], rule.explanation["en"]),
                source=in_language(rule.source["ko"], rule.source["en"]),
                date=rule.date,
                slot=rule.slot,
            )
            for rule in pack.rules
        ],
    )
