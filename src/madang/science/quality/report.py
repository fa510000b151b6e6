"""The quality report: an assessment as one self-contained page, in the reader's language, also on paper.

It holds counts and sentences only: no row and no value of the data.
"""

from collections.abc import Iterable
from html import escape

from madang.base.translate import _, language
from madang.science import charts
from madang.science.quality.compare import worst_first
from madang.science.quality.model import Assessment, Result, Severity, Status
from madang.science.quality.wording import (
    category_name,
    hint,
    percent,
    rule,
    sentence,
    severity_name,
    status_name,
)

WORST = 30  # failures that are told before the tables

_COLORS = {
    Status.PASSED: "#3f8f5f",
    Status.FAILED: "#c8552d",
    Status.ERROR: "#7b3fa0",
    Status.NOT_APPLICABLE: "#a9b1bb",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #55606e; --line: #dfe4ea; --paper: #fff; --back: #f5f7f9;
  --accent: #1b5e8c; --good: #1d6b3d; --bad: #9a3412; --bad-back: #fdeee4; --good-back: #e6f4ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaef; --soft: #a9b3c0; --line: #343c47; --paper: #1b2028;
  --back: #12161c; --accent: #8cc4ea; --good: #8fd6a8; --bad: #f4b48d; --bad-back: #40271a; --good-back: #173322; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.55 system-ui, "Noto Sans KR",
  "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; word-break: keep-all; overflow-wrap: anywhere; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 0 0 .6rem; } p { margin: .3rem 0; }
.soft, dt { color: var(--soft); } a { color: var(--accent); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem;
  margin: 1rem 0; }
.verdict { font-size: 1.15rem; font-weight: 600; border-radius: 8px; padding: .6rem .9rem; margin: .8rem 0; }
.verdict.bad { background: var(--bad-back); color: var(--bad); }
.verdict.good { background: var(--good-back); color: var(--good); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .6rem 0 0; } dd { margin: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ol { margin: 0; padding-left: 1.4rem; } li { margin: 0 0 .7rem; } code { font-size: .85rem; color: var(--soft); }
.tag { border: 1px solid currentColor; border-radius: 5px; padding: 0 .4rem; font-size: .82rem; white-space: nowrap; }
.bad { color: var(--bad); } .good { color: var(--good); }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .4rem; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --back: #fff; --line: #bbb; }
  body { font-size: 10pt; } section { border: 0; padding: 0; } li, tr, svg { break-inside: avoid; }
  main { padding: 0; max-width: none; } }
"""


def page(assessment: Assessment) -> str:
    """The report of an assessment."""
    name = f"{assessment.dataset}@{assessment.version}"
    title = _("Quality of {name}").format(name=name)
    parts = [
        "<!doctype html>",
        f'<html lang="{language()}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>",
        _head(title, assessment),
        _summary(assessment),
        _worst(assessment),
        _picture(assessment),
        _all(assessment),
        f"<footer><p>{_text(_reading())}</p></footer></main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _reading() -> str:
    return _(
        "A check counts what violates it; it fails where the share lies above its threshold. Fatal failures make data "
        "unusable, conventions are rules of the common data model, characterizations are worth a look. Checks are not "
        "applicable where a table or field holds nothing. Identifiers and thresholds are those of DataQualityDashboard."
    )


def _head(title: str, done: Assessment) -> str:
    errors, fatal = done.count(Status.ERROR), done.count(Status.FAILED, Severity.FATAL)
    failed, passed = done.count(Status.FAILED), done.count(Status.PASSED)
    if errors:
        verdict = _("{errors} checks could not be answered: there is no verdict until they are.").format(errors=errors)
    elif fatal:
        verdict = _("{fatal} fatal checks failed: the data should not be used as they are.").format(fatal=fatal)
    elif failed:
        verdict = _("No fatal check failed; {failed} of {asked} others did.").format(
            failed=f"{failed:,}", asked=f"{failed + passed:,}"
        )
    else:
        verdict = _("All checks that apply passed.")
    about = done.about
    facts = [
        (_("source"), about.get("cdm_source_name", "")),
        (_("holder"), about.get("cdm_holder", "")),
        (_("version"), f"{done.dataset}@{done.version}"),
        (_("manifest"), done.manifest),
        (_("cohort"), "" if done.cohort is None else str(done.cohort)),
        (_("persons"), "" if done.persons is None else f"{done.persons:,}"),
        (_("vocabulary"), done.vocabulary or _("none")),
        (_("checks"), f"{len(done.results):,} ({done.checks[:16]})"),
        (_("assessed"), f"{done.started}, {done.seconds:.1f} s"),
        (_("note"), about.get("other_vocabulary", "")),
        (_("description"), about.get("source_description", "")),
    ]
    listed = "".join(f"<dt>{_text(name)}</dt><dd>{_text(str(value))}</dd>" for name, value in facts if value)
    tone = "bad" if errors or fatal else "good"
    return f"<header><h1>{_text(title)}</h1><p class='verdict {tone}'>{_text(verdict)}</p><dl>{listed}</dl></header>"


def _summary(done: Assessment) -> str:
    rows = []
    for category in ("Conformance", "Completeness", "Plausibility"):
        for context in ("Verification", "Validation"):
            for severity in Severity:
                of = [
                    result.status
                    for result in done.results
                    if (result.check.category, result.check.context, result.check.severity)
                    == (category, context, severity)
                ]
                if of:
                    names = (category_name(category), category_name(context), severity_name(severity))
                    rows.append((*names, *(of.count(status) for status in Status)))
    every = tuple(done.count(status) for status in Status)
    rows.append((_("all"), "", "", *every))
    columns = (_("category"), _("context"), _("severity"), *(status_name(status) for status in Status))
    return f"<section><h2>{_text(_('Summary'))}</h2>{_table(columns, rows)}</section>"


def _worst(done: Assessment) -> str:
    bad = worst_first(done)
    if not bad:
        return ""
    items = "".join(f"<li>{_told(result)}</li>" for result in bad[:WORST])
    more = _("{count} more are in the list of all checks.").format(count=len(bad) - WORST) if len(bad) > WORST else ""
    return (
        f"<section><h2>{_text(_('Worst failures'))}</h2><ol>{items}</ol>"
        + (f"<p class=soft>{_text(more)}</p>" if more else "")
        + "</section>"
    )


def _told(result: Result) -> str:
    tag = _("error") if result.status is Status.ERROR else severity_name(result.check.severity)
    allowed = result.check.threshold
    limit = _("Allowed: {share}%.").format(share=f"{allowed:g}") if allowed else ""
    return (
        f"<span class='tag bad'>{_text(tag)}</span> {_text(sentence(result))} {_text(limit)}"
        f"<br><span class=soft>{_text(hint(result.check))}</span><br><code>{_text(result.check.id)}</code>"
    )


def _picture(done: Assessment) -> str:
    """Results per table, as a picture with its numbers."""
    counted: dict[str, dict[Status, int]] = {}
    for result in done.results:
        of = counted.setdefault(result.check.table, dict.fromkeys(Status, 0))
        of[result.status] += 1
    used = [status for status in _COLORS if done.count(status)]
    rows = [
        {"table": table, _("checks"): of[status], "status": status_name(status)}
        for table, of in counted.items()
        for status in used
    ]
    title = _("Results by table")
    specification = charts.bars(
        rows,
        category="table",
        value=_("checks"),
        part="status",
        colors={status_name(status): _COLORS[status] for status in used},
    )
    numbers = _table(
        (_("table"), *(status_name(status) for status in Status)),
        [(table, *of.values()) for table, of in counted.items()],
    )
    return (
        f"<section><h2>{_text(title)}</h2><div class=wide tabindex=0>{charts.svg(specification, title)}</div>"
        f"<details><summary>{_text(_('Numbers of the picture'))}</summary>{numbers}</details></section>"
    )


def _all(done: Assessment) -> str:
    """Every check, by table."""
    tables: dict[str, list[Result]] = {}
    for result in done.results:
        tables.setdefault(result.check.table, []).append(result)
    folded = "".join(_of_table(table, results) for table, results in tables.items())
    return f"<section><h2>{_text(_('All checks'))}</h2>{folded}</section>"


def _of_table(table: str, results: list[Result]) -> str:
    bad = sum(result.status in (Status.FAILED, Status.ERROR) for result in results)
    head = f"{table}: {len(results):,}" + (f", {bad} {_('failed')}" if bad else "")
    order = [Status.ERROR, Status.FAILED, Status.PASSED, Status.NOT_APPLICABLE]
    rows = [
        (
            status_name(result.status),
            result.reason or rule(result.check),
            "" if result.violated is None else result.violated,
            "" if result.denominator is None else result.denominator,
            "" if result.violated is None else percent(result),
            result.check.id,
        )
        for result in sorted(results, key=lambda result: order.index(result.status))
    ]
    columns = (_("status"), _("check"), _("violated"), _("of"), _("share"), _("identifier"))
    return f"<details><summary>{_text(head)}</summary>{_table(columns, rows)}</details>"


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    kept = [tuple(row) for row in rows]
    numeric = [isinstance(value, int) for value in (kept[0] if kept else ())]
    heads = zip(columns, [*numeric, *[False] * 20], strict=False)
    head = "".join(f"<th scope=col{' class=number' if right else ''}>{_text(name)}</th>" for name, right in heads)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in kept)
    return f"<div class=wide tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(text: str) -> str:
    """Text as it is shown: markup is no markup, and what steers the direction of text is not let through."""
    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"<td class=number>{value:,}</td>"
    return f"<td>{_text(str(value))}</td>"
