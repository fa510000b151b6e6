"""What reports of this house look like: one self-contained page, in light, dark and on paper, with nothing to load."""

from collections.abc import Iterable
from html import escape

from madang.base.translate import language

STYLE = """
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
svg { max-width: 100%; height: auto; } details { margin: .4rem 0; } summary { cursor: pointer; color: var(--accent); }
footer { color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .4rem; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --back: #fff; --line: #bbb; }
  body { font-size: 10pt; } section { border: 0; padding: 0; } li, tr, svg { break-inside: avoid; }
  main { padding: 0; max-width: none; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A page of these parts, which are HTML already; empty ones are left out."""
    head = [
        "<!doctype html>",
        f'<html lang="{language()}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body><main>",
    ]
    return "\n".join([*head, *filter(None, parts), "</main></body></html>"])


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table; whole numbers stand right, with separators, and what is None is not there."""
    kept = [tuple(row) for row in rows]
    numeric = [any(isinstance(value, int) for value in values) for values in zip(*kept, strict=True)]
    heads = zip(columns, [*numeric, *[False] * 20], strict=False)
    head = "".join(f"<th scope=col{' class=number' if right else ''}>{text(name)}</th>" for name, right in heads)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in kept)
    return f"<div class=wide tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def text(written: str) -> str:
    """Text as it is shown: markup is no markup, and what steers the direction of text is not let through."""
    if not written.isprintable():  # asked of all letters at once, because a report has tens of thousands of texts
        written = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in written)
    return escape(written)


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"<td class=number>{value:,}</td>"
    if value is None:
        return "<td></td>"
    return f"<td>{text(str(value))}</td>"
