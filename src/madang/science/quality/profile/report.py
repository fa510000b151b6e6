"""The profile as one self-contained page, in the reader's language, also on paper."""

from collections.abc import Iterator
from typing import Any

from madang.base.translate import _
from madang.science import charts, reporting
from madang.science.quality.profile import pictures
from madang.science.quality.profile.model import Profile, Records
from madang.science.reporting import table, text


def page(found: Profile) -> str:
    """The report of a profile."""
    title = _("What is in {name}").format(name=f"{found.dataset}@{found.version}")
    return reporting.page(title, [_head(title, found), *_parts(found), f"<footer><p>{text(rule(found))}</p></footer>"])


def rule(found: Profile) -> str:
    """By which rule counts are kept back, in a sentence or two."""
    if found.minimum <= 1:
        return _("Nothing is kept back: this page may tell of single persons.")
    return _(
        "No count is about fewer than {minimum} persons, nor can one be worked out from the others: small neighbors "
        "are taken together, and lists leave small entries out."
    ).format(minimum=found.minimum)


def _head(title: str, found: Profile) -> str:
    about = found.about
    facts = [
        (_("source"), about.get("cdm_source_name", "")),
        (_("holder"), about.get("cdm_holder", "")),
        (_("persons"), _few(found) if found.persons is None else f"{found.persons:,}"),
        (_("vocabulary"), found.vocabulary or _("none")),
        (_("manifest"), found.manifest),
        (_("description"), about.get("source_description", "")),
    ]
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(str(value))}</dd>" for name, value in facts if value)
    return f"<header><h1>{text(title)}</h1><dl>{listed}</dl></header>"


def _few(found: Profile) -> str:
    return _("fewer than {minimum}").format(minimum=found.minimum)


def _parts(found: Profile) -> Iterator[str]:
    if found.people:
        rows: list[list[Any]] = [
            [pictures.sex_name(p.sex), pictures.band(p.youngest, p.oldest), p.persons] for p in found.people
        ]
        yield _section(_("Persons by age and sex"), pictures.people(found), [_("sex"), _("age"), _("persons")], rows)
    if found.observed:
        rows = [[pictures.band(o.least, o.most), o.persons] for o in found.observed]
        yield _section(_("Years of observation"), pictures.observed(found), [_("years"), _("persons")], rows)
    if found.tables:
        yield _tables(found)
    for records in found.tables:
        yield _records(records)
    if found.values:
        yield _values(found)


def _section(title: str, picture: dict[str, Any], columns: list[str], rows: list[list[Any]]) -> str:
    return (
        f"<section><h2>{text(title)}</h2><div class=wide tabindex=0>{charts.svg(picture, title)}</div>"
        f"<details><summary>{text(_('Numbers of the picture'))}</summary>{table(columns, rows)}</details></section>"
    )


def _tables(found: Profile) -> str:
    columns = [_("table"), _("rows"), _("persons"), _("with a concept")]
    rows = [[r.table, _few(found) if r.rows is None else r.rows, r.persons, covered(r)] for r in found.tables]
    if found.before is not None:
        columns += [_("rows in version {number}").format(number=found.before), _("persons then")]
        for row, record in zip(rows, found.tables, strict=True):
            row += [record.rows_before, record.persons_before]
    return f"<section><h2>{text(_('Records'))}</h2>{table(columns, rows)}</section>"


def covered(records: Records) -> str:
    """The share of records with a standard concept; nothing where it is kept back."""
    if not records.rows or records.unmapped is None:
        return ""
    return f"{(records.rows - records.unmapped) / records.rows:.1%}"


def _records(records: Records) -> str:
    parts = []
    if records.periods:
        title = _("{table} over time").format(table=records.table)
        rows: list[list[Any]] = [[pictures.span(p.start, p.end), p.records] for p in records.periods]
        parts.append(
            f"<div class=wide tabindex=0>{charts.svg(pictures.over_time(records), title)}</div><details><summary>"
            f"{text(_('Numbers of the picture'))}</summary>{table([_('time'), _('records')], rows)}</details>"
        )
    if records.concepts:
        rows = [[c.name or str(c.concept_id), str(c.concept_id), c.records, c.persons] for c in records.concepts]
        columns = [_("concept"), _("identifier"), _("records"), _("persons")]
        parts.append(f"<h3>{text(_('Most frequent'))}</h3>{table(columns, rows)}")
    if records.unmapped_values:
        rows = [[v.value, v.records, v.persons] for v in records.unmapped_values]
        columns = [_("source value"), _("records"), _("persons")]
        parts.append(f"<h3>{text(_('Without a standard concept'))}</h3>{table(columns, rows)}")
    return f"<section><h2>{text(records.table)}</h2>{''.join(parts)}</section>" if parts else ""


def _values(found: Profile) -> str:
    columns = [_("concept"), _("unit"), _("records"), _("persons"), "5%", "25%", "50%", "75%", "95%"]
    rows = [
        [
            v.name or str(v.concept_id),
            v.unit or ("" if v.unit_concept_id is None else str(v.unit_concept_id)),
            v.records,
            v.persons,
            *(None if value is None else f"{value:.4g}" for value in (v.low, v.lower, v.median, v.upper, v.high)),
        ]
        for v in found.values
    ]
    return f"<section><h2>{text(_('Measured values'))}</h2>{table(columns, rows)}</section>"
