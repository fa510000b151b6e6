"""The pictures of a profile as Vega-Lite specifications; each shows what stands in the document, and no more."""

from typing import Any

from madang.base.translate import _
from madang.science import charts
from madang.science.quality.checks import FEMALE, MALE
from madang.science.quality.profile.model import Profile, Records

MOST_COLUMNS = 60


def sex_name(concept: int | None) -> str:
    """What people call a concept of the domain Gender."""
    if concept is None:
        return _("all")
    return {MALE: _("men"), FEMALE: _("women"), 0: _("unknown")}.get(concept, str(concept))


def band(first: int, last: int | None) -> str:
    """A band of whole years, as `40-44` or `95+`."""
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}–{last}"


def span(start: str, end: str) -> str:
    """A time from one month or year to another."""
    return start if start == end else f"{start}–{end}"


def people(profile: Profile) -> dict[str, Any]:
    """Persons by age and sex."""
    names = dict.fromkeys(sex_name(each.sex) for each in profile.people)
    rows = [
        {
            "age": band(each.youngest, each.oldest),
            _("persons"): each.persons,
            "sex": sex_name(each.sex),
        }
        for each in profile.people
    ]
    colors = dict(zip(names, charts.SERIES, strict=False))
    return charts.columns(rows, place="age", value=_("persons"), part="sex", colors=colors)


def observed(profile: Profile) -> dict[str, Any]:
    """Persons by years of observation."""
    rows = [{"years": band(each.least, each.most), _("persons"): each.persons} for each in profile.observed]
    return charts.columns(rows, place="years", value=_("persons"))


def over_time(records: Records) -> dict[str, Any]:
    """Records of one table by month or year; the latest, where there are very many."""
    rows = [{"time": span(p.start, p.end), _("records"): p.records} for p in records.periods[-MOST_COLUMNS:]]
    return charts.columns(rows, place="time", value=_("records"), height=120)
