"""`madang packs` and `madang pack`: list, start and check mapping packs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from madang.base.progress import Progress

app = typer.Typer(no_args_is_help=True, add_completion=False, help=_("Start a mapping pack, or check one."))


def _folders() -> list[Path]:
    """Where packs that do not ship may lie."""
    from madang.node.home import Home

    return [Home.find().path / "packs", Path.cwd()]


def packs() -> None:
    """List the mapping packs that can be named."""
    from madang.base.console import show_table
    from madang.base.errors import MadangError
    from madang.base.translate import language
    from madang.science.standardize.pack import SHIPPED, load_pack, pack_folders

    rows: list[list[object]] = []
    for name, folder in pack_folders(_folders()).items():
        place = _("ships with Madang") if folder.parent == SHIPPED else str(folder)
        try:
            pack = load_pack(folder)
        except MadangError as error:
            rows.append([name, "", _("cannot be read: {error}").format(error=error), place])
            continue
        title = pack.title.get(language()) or pack.title.get("en", "")
        rows.append([name, pack.version, title, place])
    show_table(_("Packs"), [_("name"), _("version"), _("title"), _("where")], rows)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help=_("Name of the new pack, as my-hospital."))],
    source: Annotated[Path, typer.Option("--from", help=_("Folder with the holder's files."), metavar="DIR")],
    to: Annotated[Path | None, typer.Option(help=_("Where to put it; the current folder if not given."))] = None,
    rows: Annotated[int | None, typer.Option(help=_("Read at most so many rows of each file."), min=1)] = None,
) -> None:
    """Write a first draft of a pack from a scan of the files."""
    from madang.base.console import ProgressBars, console
    from madang.science.standardize.new_pack import new_pack
    from madang.science.standardize.new_pack_roles import find_roles
    from madang.science.standardize.pack import load_pack
    from madang.science.standardize.scan import scan
    from madang.science.standardize.scan.words import word

    with ProgressBars() as progress:
        found = scan(source, rows=rows, progress=progress)
    folder = new_pack(name, found, to or Path())
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in written:
        console().print(str(path), markup=False)
    for skipped, why in found.skipped:
        console(stderr=True).print(_("Not read: {name}. {why}").format(name=skipped, why=word(why)), markup=False)
    patterns = {one.name: ", ".join(one.patterns) for one in found.sources}
    for undrafted, why in find_roles(found).undrafted.items():
        text = _("{name}: no draft, because {why}.").format(name=patterns[undrafted], why=word(why))
        console().print(text, markup=False)
    decisions = load_pack(folder).undecided
    text = _("{count} places are marked DECIDE. Start with {readme}, then: madang pack check {folder}")
    console().print(text.format(count=decisions, readme=folder / "README.md", folder=folder), markup=False)


@app.command()
def check(
    pack: Annotated[str, typer.Argument(help=_("Name of a pack, or its folder."))],
    source: Annotated[
        Path | None,
        typer.Option(help=_("Also compare with these files: names, headers and first rows."), metavar="DIR"),
    ] = None,
    vocabulary: Annotated[
        str | None, typer.Option(help=_("Also look the targets of its maps up: as in `madang standardize`."))
    ] = None,
) -> None:
    """Compile a pack, run its cases, and say what does not fit."""
    from madang.app.commands.reports import show_unread
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.science.standardize.check import check_pack
    from madang.science.standardize.intake import check_files
    from madang.science.standardize.intake.files import unread_files
    from madang.science.standardize.pack import load_pack

    loaded = load_pack(pack, _folders())
    with ProgressBars() as progress:
        problems = [str(problem) for problem in check_pack(loaded, progress=progress)]
        if vocabulary and loaded.maps:
            problems += _map_faults(loaded.maps, vocabulary, progress)
    if source:
        sources = list(loaded.sources.values())
        problems += [str(error) for error in check_files(source, sources)]
        if source.is_dir():
            show_unread([(one.name, one.near) for one in unread_files(source, sources)])
    for problem in problems:
        console().print(problem, markup=False)
    if problems:
        raise MadangError(
            "pack.problems", _("{count} problems in {pack}.").format(count=len(problems), pack=loaded.name)
        )
    if loaded.undecided:
        text = _("{count} places of the pack are still marked DECIDE.")
        console().print(text.format(count=loaded.undecided), style="bold", markup=False)
    text = _("{pack} {version} compiles; {cases} cases are as expected.")
    console().print(text.format(pack=loaded.name, version=loaded.version, cases=len(loaded.cases)), markup=False)


def _map_faults(maps: "Sequence[Path]", named: str, progress: "Progress") -> list[str]:
    """What is wrong with a pack's maps, as far as a vocabulary can tell."""
    from madang.app.commands.standardize import vocabulary_version
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.maps import validate_maps
    from madang.science.omop.vocabulary import Vocabulary

    version = vocabulary_version(Home.find(), named, progress)
    with Engine() as engine:
        return [f"maps/{fault}" for fault in validate_maps(maps, Vocabulary.from_version(engine, version))]
