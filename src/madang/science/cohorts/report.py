"""A described cohort as one self-contained page, in the reader's language, with pictures and their numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

from madang.base.translate import _
from madang.science import charts, reporting
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.describe import Described, Share
from madang.science.cohorts.form import FEMALE, MALE
from madang.science.cohorts.sentences import Line, explain
from madang.science.reporting import table, text


def page(found: Described, definition: Definition) -> str:
    """The report of a cohort: what is asked in sentences, and who was found."""
    title = _("{name} on {version}").format(name=found.definition or _("cohort"), version=found.dataset)
    footer = f"<footer><p>{text(rule(found.minimum))}</p></footer>"
    return reporting.page(title, [_head(title, found), *parts(found), _sentences(explain(definition)), footer])


def rule(minimum: int) -> str:
    """By which rule counts are kept back."""
    if minimum <= 1:
        return _("Nothing is kept back: this page may tell of single persons.")
    return _(
        "No count is about fewer than {minimum} persons: small neighbors are taken together, and what is left empty is "
        "about too few."
    ).format(minimum=minimum)


def parts(found: Described) -> Iterator[str]:
    """The sections of a report as HTML."""
    if len(found.attrition) > 1:
        rows = [[step.title(), few(step.persons, found.minimum)] for step in found.attrition]
        picture = _bars([(step.title(), step.persons or 0) for step in found.attrition])
        yield _section(_("Who is left, rule by rule"), picture, [_("step"), _("persons")], rows)
    if found.years:
        title = _("Persons by year of entry")
        rows = [[span(each), each.persons] for each in found.years]
        picture = charts.columns(
            [{"year": span(each), _("persons"): each.persons or 0} for each in found.years],
            place="year",
            value=_("persons"),
        )
        yield _section(title, picture, [_("year"), _("persons")], rows)
    if found.ages:
        yield _ages(found.ages)
    if any(rate.persons for rate in found.incidence):
        yield _incidence(found)
    if any(each.persons for each in found.prevalence):
        rows = [
            [str(each.year), each.persons, each.observed, _percent(each.persons, each.observed)]
            for each in found.prevalence
            if each.persons or each.observed
        ]
        columns = [_("year"), _("in the cohort"), _("observed"), _("share")]
        yield f"<section><h2>{text(_('In the cohort by year'))}</h2>{table(columns, rows)}</section>"
    yield from _features(found)


def few(persons: int | None, minimum: int) -> object:
    """A count, or that it is kept back."""
    return _("kept back") if persons is None else persons


def span(each: Share) -> str:
    """A year or band, as `2020` or `40–49`."""
    return str(each.first) if each.first == each.last else f"{each.first}–{each.last}"


def sex_name(concept: int | None) -> str:
    """What people call a concept of the domain Gender."""
    if concept is None:
        return _("all", "both sexes")
    return {MALE: _("men"), FEMALE: _("women")}.get(concept, _("unknown", "sex"))


def _head(title: str, found: Described) -> str:
    entries = None if found.entries is None else f"{found.entries:,}"
    too_few = _("fewer than {minimum}").format(minimum=found.minimum)
    facts = [
        (_("persons"), too_few if found.persons is None else f"{found.persons:,}"),
        (_("entries"), entries),
        (_("age at entry"), _quartiles(found, "age")),
        (_("days in the cohort"), _quartiles(found, "days")),
        (_("vocabulary"), found.vocabulary or _("none")),
        (_("manifest"), found.manifest),
        (_("definition"), found.sha256),
    ]
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(str(value))}</dd>" for name, value in facts if value)
    return f"<header><h1>{text(title)}</h1><dl>{listed}</dl></header>"


def _quartiles(found: Described, key: str) -> str:
    if key not in found.quartiles:
        return ""
    low, middle, high = found.quartiles[key]
    return _("median {median}, half of them {low} to {high}").format(
        median=f"{middle:g}", low=f"{low:g}", high=f"{high:g}"
    )


def _section(title: str, picture: dict[str, Any], columns: list[str], rows: Sequence[Sequence[object]]) -> str:
    return (
        f"<section><h2>{text(title)}</h2><div class=wide tabindex=0>{charts.svg(picture, title)}</div>"
        f"<details><summary>{text(_('Numbers of the picture'))}</summary>{table(columns, rows)}</details></section>"
    )


def _bars(rows: list[tuple[str, int]]) -> dict[str, Any]:
    part = _("persons")
    data = [{"step": f"{place}. {name}", part: count, "part": part} for place, (name, count) in enumerate(rows)]
    return charts.bars(data, category="step", value=part, part="part", colors={part: charts.BLUE})


def _ages(ages: Sequence[Share]) -> str:
    names = dict.fromkeys(sex_name(each.sex) for each in ages)
    data = [{"age": span(each), _("persons"): each.persons or 0, "sex": sex_name(each.sex)} for each in ages]
    colors = dict(zip(names, charts.SERIES, strict=False))
    picture = charts.columns(data, place="age", value=_("persons"), part="sex", colors=colors)
    rows = [[span(each), sex_name(each.sex), each.persons] for each in ages]
    return _section(_("Persons by age and sex at entry"), picture, [_("age"), _("sex"), _("persons")], rows)


def _incidence(found: Described) -> str:
    name = _("per 1,000 person-years")
    shown = [(str(r.first) if r.first == r.last else f"{r.first}–{r.last}", r) for r in found.incidence]
    data = [{"year": year, name: rate.per_thousand or 0} for year, rate in shown]
    rows = [
        [
            year,
            rate.persons,
            f"{rate.person_years:,.1f}",
            "" if rate.per_thousand is None else f"{rate.per_thousand:.2f}",
        ]
        for year, rate in shown
    ]
    columns = [_("year"), _("new persons"), _("person-years"), name]
    return _section(_("Incidence"), charts.columns(data, place="year", value=name), columns, rows)


def _percent(part: int | None, whole: int | None) -> str:
    return "" if part is None or not whole else f"{part / whole:.1%}"


def _features(found: Described) -> Iterator[str]:
    titles = {
        "condition_occurrence": _("Conditions"),
        "drug_exposure": _("Drugs"),
        "procedure_occurrence": _("Procedures"),
        "measurement": _("Measurements"),
        "visit_occurrence": _("Visits"),
    }
    columns = [
        _("concept"), _("identifier"), _("in the year before"), _("share"), _("in the year from entry on"), _("share"),
    ]  # fmt: skip
    for name, title in titles.items():
        rows = [
            [
                each.name,
                str(each.concept_id),
                each.before,
                _percent(each.before, found.persons),
                each.after,
                _percent(each.after, found.persons),
            ]
            for each in found.features
            if each.table == name
        ]
        if rows:
            yield f"<section><h2>{text(title)}</h2>{table(columns, rows)}</section>"


def _sentences(lines: list[Line]) -> str:
    return f"<section><h2>{text(_('What is asked'))}</h2>{as_html(lines)}</section>"


def as_html(lines: list[Line]) -> str:
    """Sentences as nested lists under their headings."""
    out: list[str] = []
    depth = 0  # lists that are open, each with an item that is not closed yet
    for line in lines:
        while depth > max(line.level, 0):
            out.append("</li></ul>")
            depth -= 1
        if line.level == 0:
            out.append(f"<h3>{text(line.text)}</h3>")
            continue
        if depth == line.level:
            out.append("</li>")
        else:
            out += ["<ul><li>"] * (line.level - depth - 1) + ["<ul>"]
            depth = line.level
        out.append(f"<li>{text(line.text)}")
    return "".join([*out, "</li></ul>" * depth])
