"""The scan as one self-contained page: own style, light and dark, no script, readable on paper and on a phone."""

from html import escape

from madang.base.translate import _, language
from madang.science.standardize.scan.model import ColumnScan, FileScan, Scan, SourceScan
from madang.science.standardize.scan.words import shown_delimiter, word

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fff; --back: #f5f7f9;
  --bar: #b9d4ea; --accent: #1b5e8c; --warn: #9a3412; --warn-back: #fdeee4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaef; --soft: #a3adba; --line: #343c47; --paper: #1b2028;
  --back: #12161c; --bar: #2b5170; --accent: #7fbbe6; --warn: #f4b48d; --warn-back: #40271a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 0 0 .2rem; }
p { margin: .2rem 0 .6rem; } .soft { color: var(--soft); } a { color: var(--accent); }
section, nav { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem;
  margin: 1rem 0; }
nav ul { margin: 0; padding: 0; list-style: none; columns: 16rem; } nav li { padding: .1rem 0; break-inside: avoid;
  }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; } .number { text-align: right; font-variant-numeric: tabular-nums; }
td.name { font-weight: 600; overflow-wrap: anywhere; min-width: 8rem; } code { font-size: .92em;
  overflow-wrap: anywhere; }
.type { color: var(--accent); } .most { min-width: 12rem; } .part { white-space: nowrap; }
.fill { display: inline-block; width: 4.5rem; height: .55rem; border-radius: 3px;
  background: var(--line); overflow: hidden; margin-right: .4rem; } .fill i { display: block; height: 100%;
  background: var(--bar); }
.flag { display: inline-block; background: var(--warn-back); color: var(--warn); border-radius: 5px;
  padding: 0 .45rem;
  font-size: .85rem; } .values { list-style: none; margin: 0; padding: 0; }
.values li { display: grid; grid-template-columns: 1fr auto; gap: .8rem; padding: 0 .3rem; margin: 1px 0;
  border-radius: 3px;
  background: linear-gradient(90deg, var(--bar) var(--share), transparent var(--share)); overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); } footer { color: var(--soft); font-size: .85rem; }
@media (max-width: 46rem) { .columns thead { display: none; } .columns tr { display: block; padding: .5rem 0;
  border-bottom: 1px solid var(--line); } .columns td { display: flex; flex-wrap: wrap; gap: .1rem .6rem;
  border: 0; padding: .1rem 0; text-align: left; }
  .columns td:empty { display: none; } .columns td::before { content: attr(data-label); color: var(--soft);
  min-width: 6.5rem; }
  .columns td.name::before { content: none; } .most { flex: 1 1 12rem; } }
@media print { body { background: #fff; font-size: 10pt; } section, nav { border: 0; padding: 0; }
  tr { break-inside: avoid; } }
"""


def page(scan: Scan) -> str:
    """The page of a scan, in the reader's language."""
    rows = sum(file.rows for file in scan.files)
    head = _("{files} files, {sources} sources, {rows} rows").format(
        files=f"{len(scan.files):,}", sources=f"{len(scan.sources):,}", rows=f"{rows:,}"
    )
    title = _("Scan of {folder}").format(folder=scan.folder)
    parts = [
        "<!doctype html>",
        f'<html lang="{language()}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<header><h1>{escape(title)}</h1><p class=soft>{escape(head)}</p></header>",
        f"<p>{escape(_rule(scan))}</p>",
        _contents(scan),
        _skipped(scan),
        *(_source(scan, source) for source in scan.sources),
        _references(scan),
        f"<footer>{escape(_ESTIMATES())}</footer></main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _rule(scan: Scan) -> str:
    text = _(
        "Values that fewer than {minimum} rows have are not shown, and none of columns that may tell who somebody is."
    ).format(minimum=scan.minimum)
    if scan.rows is not None:
        text += " " + _("Only the first {rows} rows of each file were read.").format(rows=f"{scan.rows:,}")
    return text


def _ESTIMATES() -> str:
    return _(
        "Counts are exact; numbers marked ≈ are estimates (error about 2 %). "
        "Types, keys, references and flags are guesses to be checked."
    )


def _contents(scan: Scan) -> str:
    items = "".join(
        f'<li><a href="#{_anchor(source)}">{escape(source.name)}</a> '
        f"<span class=soft>{source.rows:,}{_flag_count(source)}</span></li>"
        for source in scan.sources
    )
    return f"<nav><h2>{escape(_('Sources'))}</h2><ul>{items}</ul></nav>"


def _flag_count(source: SourceScan) -> str:
    flagged = sum(bool(column.flags) for column in source.columns)
    return f" · <span class=flag>{flagged} {escape(_('flagged'))}</span>" if flagged else ""


def _anchor(source: SourceScan) -> str:
    return escape("source-" + source.name)


def _skipped(scan: Scan) -> str:
    if not scan.skipped:
        return ""
    items = "".join(
        f"<tr><td class=name>{escape(name)}</td><td>{escape(word(why))}</td></tr>" for name, why in scan.skipped
    )
    return (
        f"<section><h2>{escape(_('Files that were not read'))}</h2>"
        f"<div class=wide><table><tbody>{items}</tbody></table></div></section>"
    )


def _source(scan: Scan, source: SourceScan) -> str:
    files = [file for file in scan.files if file.name in source.files]
    facts = [
        ", ".join(f"<code>{escape(pattern)}</code>" for pattern in source.patterns),
        escape(f"{source.format}, {source.encoding}{' ?' if source.ask else ''}"),
        escape(_("{rows} rows").format(rows=f"{source.rows:,}")),
    ]
    keys = " · ".join(f"<code>{escape(' + '.join(key))}</code>" for key in source.keys)
    key_line = f"<p>{escape(_('Likely keys'))}: {keys}</p>" if keys else ""
    labels = [_("column"), _("type"), _("filled"), _("distinct"), _("length"), _("range"), _("values")]
    header = "".join(f"<th>{escape(label)}</th>" for label in labels)
    body = "".join(_column(column, source, labels) for column in source.columns)
    return (
        f'<section id="{_anchor(source)}"><h2>{escape(source.name)}</h2>'
        f"<p class=soft>{' · '.join(facts)}</p>{key_line}{_files(files)}"
        f"<table class=columns><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></section>"
    )


def _files(files: list[FileScan]) -> str:
    labels = [_("file"), _("rows"), _("lines"), _("bytes"), _("encoding"), _("delimiter"), _("quotes"), _("line ends")]
    labels += [_("ragged"), _("open quotes"), _("blank")]
    header = "".join(f"<th>{escape(label)}</th>" for label in labels)
    rows = []
    for file in files:
        texts = [f"{file.encoding}{' (BOM)' if file.byte_order_mark else ''}", shown_delimiter(file.delimiter)]
        texts += [word(file.quoting), word(file.line_ends)]
        rows.append(
            f"<tr><td class=name>{escape(file.name)}</td>"
            + "".join(f"<td class=number>{number:,}</td>" for number in (file.rows, file.lines, file.size))
            + f'<td title="{escape(file.evidence)}">{escape(texts[0])}</td>'
            + "".join(f"<td>{escape(text)}</td>" for text in texts[1:])
            + "".join(f"<td class=number>{number:,}</td>" for number in (file.ragged, file.open_quotes, file.blank))
            + "</tr>"
        )
    count = _("{files} files").format(files=f"{len(files):,}")
    return (
        f"<details><summary>{escape(count)}</summary><div class=wide><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _column(column: ColumnScan, source: SourceScan, labels: list[str]) -> str:
    total = column.filled + column.empty
    share = column.filled / total if total else 0
    flags = "".join(
        f'<br><span class=flag title="{escape(flag.why)}">⚠ {escape(word(flag.kind))}'
        f"{'' if flag.certainty == 'likely' else ' ?'}</span>"
        for flag in column.flags
    )
    original = f"<br><span class=soft>{escape(column.header)}</span>" if column.header != column.name else ""
    cells = [
        f"<span>{escape(column.name)}{original}{flags}</span>",
        f"<span><span class=type>{escape(column.type)}</span><br><span class=soft>{_look(column)}</span></span>",
        f'<span class=part><span class=fill><i style="width:{share:.1%}"></i></span>{share:.1%}</span>',
        f"{'' if column.distinct_exact else '≈ '}{column.distinct:,}",
        _lengths(column),
        f"{escape(column.low)} – {escape(column.high)}" if column.low and column.high else "",
        _values(column),
    ]
    return "<tr>" + "".join(
        f'<td{" class=name" if index == 0 else ""} data-label="{escape(label)}">{cell}</td>'
        for index, (label, cell) in enumerate(zip(labels, cells, strict=True))
    ) + "</tr>"  # fmt: skip


def _lengths(column: ColumnScan) -> str:
    if column.shortest == column.longest:
        return f"{column.longest}" if column.filled else ""
    return f"{column.shortest}–{column.longest}"


def _look(column: ColumnScan) -> str:
    words = "" if column.shape == column.type else escape(word(column.shape))
    return words + (f" · {column.fits:.1%}" if column.fits < 1 else "")


def _values(column: ColumnScan) -> str:
    if column.flags:
        return f"<span class=soft>{escape(_('not shown'))}</span>"
    if not column.values:
        return f"<span class=soft>{escape(_('none frequent enough'))}</span>" if column.filled else ""
    shown = [
        f'<li style="--share:{count / column.filled:.1%}"><span>{escape(value[:200])}</span>'
        f"<span class=number>{count:,}</span></li>"
        for value, count in column.values
    ]
    others = column.hidden + max(0, len(shown) - 3)
    rest = f"<ul class=values>{''.join(shown[3:])}</ul>" if len(shown) > 3 else ""
    text = escape(_("and {count} more").format(count=f"{others:,}")) if others else ""
    more = f"<details><summary>{text}</summary>{rest}</details>" if rest else f"<span class=soft>{text}</span>"
    return f"<div class=most><ul class=values>{''.join(shown[:3])}</ul>{more if text else ''}</div>"


def _references(scan: Scan) -> str:
    if not scan.references:
        return ""
    rows = "".join(
        f"<tr><td class=name>{escape(one.source)}.{escape(one.column)}</td>"
        f"<td class=name>{escape(one.to_source)}.{escape(one.to_column)}</td>"
        f"<td class=number>{'' if one.exact else '≈ '}{one.share:.1%}</td><td class=number>{one.compared:,}</td></tr>"
        for one in scan.references
    )
    labels = [_("column"), _("refers to"), _("values found"), _("values compared")]
    header = "".join(f"<th>{escape(label)}</th>" for label in labels)
    return (
        f"<section><h2>{escape(_('Likely references'))}</h2><div class=wide><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )
