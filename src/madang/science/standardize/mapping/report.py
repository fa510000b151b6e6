"""The state of a review as one self-contained page: no script, style or picture from anywhere else."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from madang.base.translate import _, language
from madang.lake.files import make_folder, put_instead, sentences
from madang.science.standardize.mapping.codes import ReviewItem
from madang.science.standardize.mapping.model import Mapping
from madang.science.standardize.mapping.summary import count_by_level, count_by_status, total

MINIMUM_COUNT = 5
"""Counts below this are shown as fewer than this: few records of a rare code could point at a person."""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde3ea;vertical-align:top}
th{position:sticky;top:0;background:#fff}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.approved{color:#176b3a}.rejected{color:#a12622}.candidate{color:#8a5a00}.unreviewed{color:#5b6775}
.bar{background:#dde3ea;height:.6rem;border-radius:.3rem;overflow:hidden}
.bar i{display:block;height:100%;background:#2b6cb0}
input{font:inherit;padding:.3rem .6rem;width:20rem}small{color:#5b6775}
"""
_SCRIPT = """
const box=document.getElementById('find'),rows=[...document.querySelectorAll('#codes tbody tr')];
box.addEventListener('input',()=>{const t=box.value.toLowerCase();
rows.forEach(r=>r.hidden=!r.textContent.toLowerCase().includes(t))});
"""


def review_page(
    title: str, items: Sequence[ReviewItem], release: str = "", minimum: int = MINIMUM_COUNT, most: int = 5000
) -> str:
    """The page as HTML: totals, counts by vocabulary, level and state, and the `most` frequent codes."""
    levels, states = count_by_level(items), count_by_status(items)
    every = total(levels)
    share = every.mapped_records / every.records if every.records else 0.0
    note = _("Counts below {minimum} are shown as <{minimum}.").format(minimum=minimum)
    if len(items) > most:
        note += " " + _("Only the {most} codes with most records are listed.").format(most=f"{most:,}")
    count_columns = [_("Vocabulary"), "", _("Codes"), _("Mapped codes"), _("Records"), _("Mapped records")]

    def counted(value: int) -> str:
        return f"{value:,}" if value == 0 or value >= minimum else f"<{minimum}"

    def counts(title: str, rows: Iterable[Sequence[str]]) -> str:
        return _table("", [*count_columns[:1], title, *count_columns[2:]], rows, 2)

    level_rows, state_rows = (
        [
            (
                c.vocabulary_id,
                c.group,
                f"{c.codes:,}",
                f"{c.mapped_codes:,}",
                counted(c.records),
                counted(c.mapped_records),
            )
            for c in group
        ]
        for group in (levels, states)
    )
    codes = [
        (
            item.code.vocabulary_id,
            item.code.code,
            " / ".join(item.code.names),
            counted(item.code.records),
            item.code.level,
            item.status,
            "; ".join(_decision(mapping) for mapping in item.mappings),
        )
        for item in items[:most]
    ]
    head = [_("Vocabulary"), _("Code"), _("Name"), _("Records"), _("Level"), _("Status"), _("Decisions")]
    return f"""<!DOCTYPE html>
<html lang="{language()}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{
        escape(
            _("{share:.1%} of records and {codes:.1%} of codes are mapped.").format(
                share=share, codes=every.mapped_codes / every.codes if every.codes else 0.0
            )
        )
    }
{escape(_("Vocabulary release: {release}").format(release=release)) if release else ""}</p>
<div class="bar"><i style="width:{share:.1%}"></i></div><p><small>{escape(note)}</small></p>
<h2>{escape(_("How the run mapped"))}</h2>{counts(_("Level"), level_rows)}
<h2>{escape(_("State of the review"))}</h2>{counts(_("Status"), state_rows)}
<h2>{escape(_("Codes"))}</h2><p><input id="find" type="search" placeholder="{escape(_("Filter"))}"></p>
{_table("codes", head, codes, 3, numbers=1, status=5)}
<script>{_SCRIPT}</script></body></html>
"""


def write_report(path: Path, page: str) -> None:
    """Write the page, replacing the file at once."""
    with sentences(f"write {path.name}"):
        make_folder(path.absolute().parent, 0o755)
        put_instead(path, page.encode(), 0o644)


def _decision(mapping: Mapping) -> str:
    target = (
        f"{mapping.target_concept_id} {mapping.target_name}".strip() if mapping.target_concept_id else _("no target")
    )
    when = f", {mapping.reviewed_on:%Y-%m-%d}" if mapping.reviewed_on else ""
    return f"{mapping.status} {mapping.equivalence}: {target} ({mapping.reviewer}{when})"


def _table(
    name: str, head: Sequence[str], rows: Iterable[Sequence[str]], first: int, numbers: int = 4, status: int = -1
) -> str:
    """A table whose columns `first` .. `first + numbers - 1` are numbers and whose column `status` is colored."""

    def cell(tag: str, place: int, text: str) -> str:
        kind = "n" if first <= place < first + numbers else text if place == status and tag == "td" else ""
        return f'<{tag} class="{escape(kind)}">{escape(text)}</{tag}>' if kind else f"<{tag}>{escape(text)}</{tag}>"

    def line(tag: str, row: Sequence[str]) -> str:
        return "<tr>" + "".join(cell(tag, place, text) for place, text in enumerate(row)) + "</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f'<table id="{name}"><thead>{line("th", head)}</thead><tbody>\n{body}\n</tbody></table>'
