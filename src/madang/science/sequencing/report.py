"""The report of a run, one page with pictures, in English and Korean; it loads nothing from elsewhere."""

from html import escape
from pathlib import Path
from typing import Any

from madang.base.translate import _, speaking

_STYLE = """
:root { --ink: #1c1917; --soft: #57534e; --line: #d6d3d1; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #f5f5f4; --soft: #a8a29e; --line: #44403c; --page: #1c1917 } }
body { font: 16px/1.6 system-ui, 'Noto Sans KR', sans-serif; color: var(--ink); background: var(--page);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
.use { border: 2px solid #b45309; border-radius: .5rem; padding: .5rem 1rem; font-weight: 600 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 } th, td { text-align: left; padding: .3rem .6rem;
  border-bottom: 1px solid var(--line) } td.n { text-align: right; font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto } figure { margin: 1.5rem 0 } code { overflow-wrap: anywhere }
.wide { overflow-x: auto }
"""
SHOWN = 200  # variants in the report; all are in the table


def write_reports(folder: Path, summary: dict[str, Any]) -> None:
    """Write `report.html` and `report.ko.html`."""
    for language, name in (("en", "report.html"), ("ko", "report.ko.html")):
        with speaking(language):
            (folder / name).write_text(page(folder, summary, language), "utf-8")


def page(folder: Path, summary: dict[str, Any], language: str) -> str:
    """The report as HTML, in the language that is spoken."""
    from madang.science.sequencing.pictures import pictures
    from madang.science.sequencing.variants import variants_in

    title = _("Small variants of {sample}").format(sample=summary["sample"])
    told = figures(summary)
    rows = "".join(f"<tr><th scope=row>{escape(n)}</th><td class=n>{escape(v)}</td></tr>" for n, v in told)
    shown = variants_in(folder / "variants.parquet", most=SHOWN)
    heads = (_("sequence"), _("place"), _("reference"), _("variant"), _("quality"), _("depth"), _("gene"))
    columns = "".join(f"<th scope=col>{escape(each)}</th>" for each in heads)
    lines = "".join(
        f"<tr><td>{escape(v['chrom'])}</td><td class=n>{v['pos']:,}</td><td><code>{escape(v['ref'][:60])}</code></td>"
        f"<td><code>{escape(v['alt'][:60])}</code></td><td class=n>{v['qual']:.0f}</td>"
        f"<td class=n>{'' if v['depth'] is None else v['depth']}</td><td>{escape(v['gene'] or '')}</td></tr>"
        for v in shown
    )
    drawn = "".join(f"<figure>{each}</figure>" for each in pictures(folder))
    reference, software = summary["reference"], summary["software"]
    origin = ", ".join(
        filter(None, (reference["title"], reference["version"], reference["source"], reference["license"]))
    )
    tools = ", ".join(f"{name} {version}" for name, version in software.items())
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{
        _STYLE
    }.wide,figure{{overflow-x:auto}} code{{overflow-wrap:anywhere}}</style></head><body>
<h1>{escape(title)}</h1>
<p class="use">{escape(_("For research, not for diagnosis."))}</p>
<h2>{escape(_("Figures"))}</h2><table>{rows}</table>
<h2>{escape(_("Pictures"))}</h2>{drawn}
<h2>{escape(_("Variants"))}</h2>
<p>{
        escape(
            _("{shown} of {total} variants are shown; all are in variants.vcf.gz and variants.parquet.").format(
                shown=len(shown), total=summary["variants"]["total"]
            )
        )
    }</p>
<div class="wide" tabindex="0"><table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>
<h2>{escape(_("How it was made"))}</h2>
<p>{escape(_("Reference: {origin}.").format(origin=origin or "-"))} <code>SHA-256 {reference["sha256"]}</code></p>
<p>{escape(_("Programs: {tools}.").format(tools=tools))}</p>
</body></html>
"""


def figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of a run with their names, in the reader's language."""
    reads, aligned, covered = summary["reads"], summary["alignment"], summary["coverage"]
    variants = summary["variants"]
    kinds = variants["kinds"]
    ratio = variants["transitions"] / variants["transversions"] if variants["transversions"] else None
    return [
        (_("reads given"), f"{reads['given']:,}"),
        (_("reads kept after trimming"), f"{reads['kept']:,}"),
        (_("bases of quality 30 or more, after trimming"), f"{100 * reads['q30_after']:.1f} %"),
        (_("reads that fit the reference"), f"{aligned['mapped']:,} ({aligned['mapped_percent']:.2f} %)"),
        (_("duplicates"), f"{aligned['duplicates']:,}"),
        (_("mean depth"), f"{covered['mean_depth']:.1f}"),
        (_("part of the reference that is covered"), f"{covered['breadth_percent']:.2f} %"),
        (_("variants"), f"{variants['total']:,}"),
        (_("substitutions"), f"{kinds.get('substitution', 0):,}"),
        (_("insertions"), f"{kinds.get('insertion', 0):,}"),
        (_("deletions"), f"{kinds.get('deletion', 0):,}"),
        (_("transitions per transversion"), "-" if ratio is None else f"{ratio:.2f}"),
        (_("ploidy"), str(summary["ploidy"])),
    ]
