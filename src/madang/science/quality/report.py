"""The quality report: an assessment as one self-contained page, in the reader's language, also on paper.

It holds counts and sentences only: no row and no value of the data.
"""

from madang.base.translate import _
from madang.science import charts, reporting
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
from madang.science.reporting import table, text

WORST = 30  # failures that are told before the tables

_COLORS = {
    Status.PASSED: "#3f8f5f",
    Status.FAILED: "#c8552d",
    Status.ERROR: "#7b3fa0",
    Status.NOT_APPLICABLE: "#a9b1bb",
}


def page(assessment: Assessment) -> str:
    """The report of an assessment."""
    name = f"{assessment.dataset}@{assessment.version}"
    title = _("Quality of {name}").format(name=name)
    return reporting.page(
        title,
        [
            _head(title, assessment),
            _summary(assessment),
            _worst(assessment),
            _picture(assessment),
            _all(assessment),
            f"<footer><p>{text(_reading())}</p></footer>",
        ],
    )


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
    about, took = done.about, _("{seconds} s").format(seconds=f"{done.seconds:.1f}")
    facts = [
        (_("source"), about.get("cdm_source_name", "")),
        (_("holder"), about.get("cdm_holder", "")),
        (_("version"), f"{done.dataset}@{done.version}"),
        (_("manifest"), done.manifest),
        (_("cohort"), "" if done.cohort is None else str(done.cohort)),
        (_("persons"), "" if done.persons is None else f"{done.persons:,}"),
        (_("vocabulary"), done.vocabulary or _("none")),
        (_("checks"), f"{len(done.results):,} ({done.checks[:16]})"),
        (_("assessed"), f"{done.started[:10]} {done.started[11:16]} UTC, {took}"),
        (_("note"), about.get("other_vocabulary", "")),
        (_("description"), about.get("source_description", "")),
    ]
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(str(value))}</dd>" for name, value in facts if value)
    tone = "bad" if errors or fatal else "good"
    return f"<header><h1>{text(title)}</h1><p class='verdict {tone}'>{text(verdict)}</p><dl>{listed}</dl></header>"


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
    return f"<section><h2>{text(_('Summary'))}</h2>{table(columns, rows)}</section>"


def _worst(done: Assessment) -> str:
    bad = worst_first(done)
    if not bad:
        return ""
    items = "".join(f"<li>{_told(result)}</li>" for result in bad[:WORST])
    more = _("{count} more are in the list of all checks.").format(count=len(bad) - WORST) if len(bad) > WORST else ""
    return (
        f"<section><h2>{text(_('Worst failures'))}</h2><ol>{items}</ol>"
        + (f"<p class=soft>{text(more)}</p>" if more else "")
        + "</section>"
    )


def _told(result: Result) -> str:
    tag = _("error") if result.status is Status.ERROR else severity_name(result.check.severity)
    allowed = result.check.threshold
    limit = _("Allowed: {share}%.").format(share=f"{allowed:g}") if allowed else ""
    return (
        f"<span class='tag bad'>{text(tag)}</span> {text(sentence(result))} {text(limit)}"
        f"<br><span class=soft>{text(hint(result.check))}</span><br><code>{text(result.check.id)}</code>"
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
    numbers = table(
        (_("table"), *(status_name(status) for status in Status)),
        [(table, *of.values()) for table, of in counted.items()],
    )
    return (
        f"<section><h2>{text(title)}</h2><div class=wide tabindex=0>{charts.svg(specification, title)}</div>"
        f"<details><summary>{text(_('Numbers of the picture'))}</summary>{numbers}</details></section>"
    )


def _all(done: Assessment) -> str:
    """Every check, by table."""
    tables: dict[str, list[Result]] = {}
    for result in done.results:
        tables.setdefault(result.check.table, []).append(result)
    folded = "".join(_oftable(table, results) for table, results in tables.items())
    return f"<section><h2>{text(_('All checks'))}</h2>{folded}</section>"


def _oftable(table: str, results: list[Result]) -> str:
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
    return f"<details><summary>{text(head)}</summary>{reporting.table(columns, rows)}</details>"
