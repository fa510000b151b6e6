"""`madang vocabulary`: load OMOP vocabularies, look concepts up, compare releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.lake import Lake, Version
    from madang.science.omop.vocabulary import Concept

DEFAULT = "vocabulary"

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=_("Load OMOP vocabularies, look concepts up, compare releases.")
)

Name = Annotated[
    str | None,
    typer.Option(
        "--name", "--vocabulary", help=_("Dataset that holds it, or NAME@VERSION; the only one if not given.")
    ),
]


@app.command()
def load(
    path: Annotated[Path, typer.Argument(help=_("Athena's zip, or the folder that it was unpacked to."))],
    name: Annotated[str, typer.Option("--name", help=_("Dataset to make the next version of."))] = DEFAULT,
    memory: Annotated[str, typer.Option(help=_("Most memory of the engine."))] = "3GB",
    threads: Annotated[int | None, typer.Option(help=_("Threads; all cores if not given."))] = None,
) -> None:
    """Load a download as the next version of a vocabulary."""
    import tempfile

    from madang.base.console import ProgressBars
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.vocabulary import load_vocabulary
    from madang.services.datasets import begun
    from madang.services.datasets.acts import LOAD_VOCABULARY

    dataset = Home.find().lake().dataset(name)
    with (
        begun(LOAD_VOCABULARY, name, source=str(path)) as act,
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(memory_limit=memory, threads=threads, spill=Path(spill)) as engine,
        ProgressBars() as progress,
    ):
        version = load_vocabulary(path, dataset, engine, progress)
        act.made(version)
    _show_version(version)


@app.command()
def show(name: Name = None) -> None:
    """Show a vocabulary's release, its tables, and the vocabularies that it is made of."""
    from madang.base.console import show_table
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.vocabulary import Vocabulary

    lake = Home.find().lake()
    version = lake.find(name or only_vocabulary(lake))
    with Engine() as engine:
        vocabulary = Vocabulary.from_version(engine, version)
        _show_version(version)
        rows = engine.rows(
            "SELECT vocabulary_id, count(*) AS n, count(*) FILTER (standard_concept = 'S') "
            f"FROM {vocabulary.table('concept')} GROUP BY vocabulary_id ORDER BY n DESC, vocabulary_id"
        )
        show_table(_("Vocabularies"), [_("vocabulary"), _("concepts"), _("standard")], rows)


@app.command()
def find(
    text: Annotated[str, typer.Argument(metavar="CODE|NAME", help=_("A code, an identifier or part of a name."))],
    name: Name = None,
    limit: Annotated[int, typer.Option(min=1, help=_("How many concepts."))] = 20,
) -> None:
    """Find concepts by code, identifier or name, and what they map to."""
    from madang.base.console import show_table
    from madang.base.errors import MadangError
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.vocabulary import Vocabulary

    lake = Home.find().lake()
    version = lake.find(name or only_vocabulary(lake))
    with Engine() as engine:
        vocabulary = Vocabulary.from_version(engine, version)
        found = vocabulary.search(text, limit)
        if text.isascii() and text.isdigit() and len(text) <= 18 and (concept := vocabulary.concept(int(text))):
            found = [concept, *(other for other in found if other != concept)][:limit]
        if not found:
            raise MadangError("vocabulary.no_concept", _("No concept has the code or name {text}.").format(text=text))
        rows = [[*_cells(concept), _listed(vocabulary.maps_to(concept.concept_id), concept)] for concept in found]
    columns = [_("concept"), _("name"), _("domain"), _("vocabulary"), _("code"), _("standard"), _("valid")]
    show_table(version.name, [*columns, _("maps to")], rows)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_("Earlier release: NAME@VERSION."))],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_("Later release: NAME@VERSION."))],
    limit: Annotated[int, typer.Option(min=0, help=_("How many examples of each kind of change."))] = 5,
) -> None:
    """Show what changed between two releases: concepts added, retired, moved to other domains, mapped elsewhere."""
    from madang.base.console import console, show_table
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.changes import KINDS, compare
    from madang.science.omop.vocabulary import Vocabulary

    lake = Home.find().lake()
    before, after = lake.find(old), lake.find(new)
    with Engine() as engine:
        changes = compare(Vocabulary.from_version(engine, before, "old"), Vocabulary.from_version(engine, after, "new"))
        counts = changes.counts()
        if not counts:
            console().print(_("Nothing changed."), markup=False)
            return
        show_table(f"{before.name} → {after.name}", [_("change"), _("vocabulary"), _("concepts")], counts)
        for kind in KINDS:
            rows = [
                [c.vocabulary_id, c.code, str(c.concept_id), c.name, c.before, c.after]
                for c in changes.of_kind(kind, limit)
            ]
            if rows:
                columns = [_("vocabulary"), _("code"), _("concept"), _("name"), _("before"), _("after")]
                show_table(kind, columns, rows)


def only_vocabulary(lake: "Lake") -> str:
    """The name of the one vocabulary of a lake; `vocabulary.which` where there is none, or several.

    The demo's starter counts only where there is no other.
    """
    from madang.app.commands.standardize import STARTER_DATASET
    from madang.base.errors import MadangError
    from madang.science.omop.vocabulary import KIND

    found = [dataset.name for dataset in lake.datasets() if dataset.version().kind == KIND]
    found = [name for name in found if name != STARTER_DATASET] or found
    if len(found) == 1:
        return found[0]
    problem = _("There are several vocabularies.") if found else _("There is no vocabulary.")
    raise MadangError(
        "vocabulary.which", problem, _("Say which with --vocabulary; `madang vocabulary load` loads one.")
    )


def _show_version(version: "Version") -> None:
    from madang.base.console import console, show_table

    release = _("{version}: release {release}").format(version=version.name, release=version.info.get("release", "?"))
    console().print(release, markup=False)
    show_table(_("Tables"), [_("table"), _("rows")], [[name, table.rows] for name, table in version.tables.items()])
    if missing := version.info.get("missing"):
        names = ", ".join(f"{table.upper()}.csv" for table in missing)
        console().print(_("Not in the download, so empty: {files}.").format(files=names), markup=False)
    for hole in version.info.get("holes", ()):
        console().print(_("Look at this: {warning}").format(warning=hole), style="bold", markup=False)


def _cells(concept: "Concept") -> list[str | None]:
    """One concept as a row; identifiers are text, since they are not amounts."""
    reason = f" ({concept.invalid_reason})" if concept.invalid_reason else ""
    valid = f"{concept.valid_from} – {concept.valid_to}{reason}"
    return [
        *(str(concept.concept_id), concept.name, concept.domain_id, concept.vocabulary_id, concept.code),
        *(concept.standard, valid),
    ]


def _listed(targets: "list[Concept]", concept: "Concept") -> str:
    return ", ".join(f"{target.concept_id} {target.name}" for target in targets if target != concept)
