"""`madang standardize`: raw files of a holder become the next version of a CDM dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.base.progress import Progress
    from madang.lake import Version
    from madang.node.home import Home

STARTER = "starter"
STARTER_DATASET = f"vocabulary-{STARTER}"


def command(
    pack: Annotated[str, typer.Option(help=_("Name of a pack, or its folder."))],
    source: Annotated[Path, typer.Option(help=_("Folder with the holder's files."))],
    into: Annotated[str, typer.Option(help=_("Name of the dataset."))],
    vocabulary: Annotated[
        str, typer.Option(help=_("Athena download (folder or zip), a loaded vocabulary's name, or `starter`."))
    ] = STARTER,
    set_: Annotated[list[str] | None, typer.Option("--set", help=_("NAME=VALUE of a parameter of the pack."))] = None,
    rebuild: Annotated[bool, typer.Option(help=_("Read all files again, also known ones."))] = False,
    memory: Annotated[str, typer.Option(help=_("Most memory of the engine."))] = "4GB",
    threads: Annotated[int | None, typer.Option(help=_("Threads; all cores if not given."))] = None,
) -> None:
    """Turn raw files into the next version of an OMOP CDM dataset, every row accounted for."""
    from madang.app.commands.reports import show_account
    from madang.base.console import ProgressBars
    from madang.base.errors import MadangError
    from madang.node.home import Home
    from madang.science.standardize import load_pack, standardize
    from madang.services.datasets import begun
    from madang.services.datasets.acts import STANDARDIZE

    home = Home.find()
    parameters = {}
    for text in set_ or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise MadangError("standardize.parameter", f"--set {text} has no value.", "Write --set NAME=VALUE.")
        parameters[name] = value
    loaded = load_pack(pack, [home.path / "packs"])
    with begun(STANDARDIZE, into, source=str(source), detail=f"pack {loaded.name}") as act, ProgressBars() as progress:
        done = standardize(
            loaded,
            source,
            vocabulary_version(home, vocabulary, progress),
            home.lake().dataset(into),
            parameters=parameters,
            key=home.key("pseudonym"),
            rebuild=rebuild,
            memory_limit=memory,
            threads=threads,
            progress=progress,
        )
        act.made(done.version)
    show_account(done)


def vocabulary_version(home: "Home", named: str, progress: "Progress") -> "Version":
    """The vocabulary that the person named: a loaded one, or a download, which is loaded once and found again."""
    from madang.base.errors import MadangError
    from madang.lake.engine import Engine
    from madang.science.omop.release import fingerprint
    from madang.science.omop.starter import starter_path
    from madang.science.omop.vocabulary import load_vocabulary

    lake = home.lake()
    path = Path(starter_path()) if named == STARTER else Path(named)
    if not path.exists():
        if path.suffix or len(path.parts) > 1 or named != path.name:
            raise MadangError(
                "standardize.no_vocabulary",
                f"There is no file or folder {named}.",
                "Give Athena's zip, the folder that it was unpacked to, a loaded vocabulary's name, or `starter`.",
            )
        return lake.find(named)
    known = fingerprint(path)
    dataset = lake.dataset(STARTER_DATASET if named == STARTER else f"vocabulary-{known[:12]}")
    if dataset.exists and dataset.version().info.get("fingerprint") == known:
        return dataset.version()
    with Engine(memory_limit="4GB") as engine, progress.step(_("load vocabulary")):
        return load_vocabulary(path, dataset, engine, progress, info={"fingerprint": known})
