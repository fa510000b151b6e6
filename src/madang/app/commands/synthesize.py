"""`madang synthesize`: raw data of people who never lived, in the shape that a holder would deliver."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _


def command(
    kind: Annotated[str, typer.Argument(help="`nhis`, an insurer's sample cohort, or `hospital`.", metavar="KIND")],
    folder: Annotated[Path, typer.Argument(help="New folder for the files.", metavar="DIR")],
    persons: Annotated[int, typer.Option(help="How many people.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.", min=0)] = 1,
    start_year: Annotated[int, typer.Option(help="First year of records.")] = 2002,
    end_year: Annotated[int, typer.Option(help="Last year of records.")] = 2013,
    dirt: Annotated[int, typer.Option(help="How much is broken: 0 nothing, 1 as usual, 2 a lot.")] = 0,
    truth: Annotated[bool, typer.Option(help="Also write what should come out.")] = True,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores if not given.", min=1)] = None,
) -> None:
    """Make synthetic raw data. Nobody in them exists; the same options make the same bytes."""
    from madang.base.console import ProgressBars, console
    from madang.science.synthesis import synthesize

    with ProgressBars() as progress:
        synthesize(
            kind,
            folder,
            persons=persons,
            seed=seed,
            start_year=start_year,
            end_year=end_year,
            dirt=dirt,
            truth=truth,
            progress=progress,
            workers=workers,
        )
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    text = _("{files:,} files, {size:,.1f} MB of synthetic data: {folder}")
    console().print(text.format(files=len(sizes), size=sum(sizes) / 1e6, folder=folder), markup=False)
