"""`madang discovery search`: by similarity, substructure, or the structure itself."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.home import Home

DEFAULT_TOP = 10
PRINTED = 50


def search_command(
    reference: Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))],
    similar: Annotated[str, typer.Option(help=_("Find what is similar to this SMILES."))] = "",
    smarts: Annotated[str, typer.Option(help=_("Find what contains this SMARTS."))] = "",
    exact: Annotated[str, typer.Option(help=_("Find this structure itself, given as SMILES."))] = "",
    where: Annotated[str, typer.Option(help=_("Conditions on properties: weight<500, logp<=5."))] = "",
    molfile: Annotated[
        Path | None, typer.Option(help=_("Take the structure from this molfile; with --similar or --smarts set to -."))
    ] = None,
    top: Annotated[int | None, typer.Option(help=_("At most so many hits."))] = None,
    threshold: Annotated[float | None, typer.Option(help=_("Only hits of at least this similarity, 0 to 1."))] = None,
    json_out: Annotated[
        Path | None, typer.Option("--json", help=_("Write the hits to this file: id, smiles, score."))
    ] = None,
) -> None:
    """Search a library by one or several conditions at once; exact scores (Tanimoto, Morgan radius 2, 2,048 bits)."""
    from madang.base.console import console, show_table
    from madang.node.home import Home
    from madang.science.chemistry import search
    from madang.services.discovery.command_library import library, write_json

    if molfile:
        text = _molfile(molfile)
        similar, smarts = (text if similar == "-" else similar), (text if smarts == "-" else smarts)
    if not (similar or smarts or exact or where):
        raise MadangError(
            "chemistry.query",
            _("A search needs one of --similar, --smarts, --exact and --where."),
            _("`madang discovery search --help` says how."),
        )
    if top is not None and top < 1:
        raise MadangError("chemistry.top", _("At least one hit must be asked for."))
    if threshold is not None and not similar:
        raise MadangError("chemistry.threshold", _("A threshold goes with --similar only."))
    index = search.Index(library(reference), index_folder(Home.find()))
    limit = DEFAULT_TOP if similar and top is None and threshold is None else top
    found = search.combined(
        index, similar_to=similar, contains=smarts, structure=exact, where=where, top=limit, threshold=threshold or 0.0
    )
    hits = [{key: value for key, value in asdict(hit).items() if key != "compound_id"} for hit in found.hits]
    if json_out:
        write_json(json_out, hits)
    rows = [[hit["id"], hit["smiles"], f"{hit['score']:.4f}"] for hit in hits[:PRINTED]]
    show_table(_("Hits"), ["id", "smiles", "score"], rows)
    text = _("{hits} hits among {count} compounds; {share:.2%} of them had to be compared.")
    console(stderr=True).print(text.format(hits=len(hits), count=f"{len(index):,}", share=found.compared), markup=False)


def index_folder(home: "Home") -> Path:
    """Where the search indexes of a home are; they may be deleted at any time."""
    return home.path / "indexes" / "molecules"


def _molfile(path: Path) -> str:
    from madang.lake.files import sentences

    with sentences(f"read {path}"):
        return path.read_text(encoding="utf-8", errors="replace")[:1_000_000]
