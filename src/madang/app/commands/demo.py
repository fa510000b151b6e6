"""`madang demo`: a synthetic insurer and a synthetic hospital, from raw files to two CDM datasets and a certificate."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.base.progress import Progress
    from madang.node.home import Home
    from madang.node.node import Node


@dataclass(frozen=True)
class Holder:
    """One synthetic holder of data: what it exports, and the pack and dataset for it."""

    kind: str
    pack: str
    dataset: str
    start_year: int
    end_year: int


HOLDERS = (
    Holder("nhis", "nhis-nsc", "demo-insurer", 2009, 2013),
    Holder("hospital", "hospital-example", "demo-hospital", 2011, 2013),
)
SEED = 20
FIRST = "projects"
"""The room whose part is made first: what others make belongs to the demo's project."""


def command(
    persons: Annotated[int, typer.Option(help=_("How many synthetic people."), min=50)] = 500,
) -> None:
    """Make synthetic raw data of an insurer and a hospital, turn each into an OMOP CDM dataset, certify one."""
    from madang.app.commands.demo_portal import begin_record, open_house, publish, show_everybody
    from madang.app.commands.demo_verdict import show_verdicts, verify_as_a_stranger
    from madang.app.commands.reports import show_account
    from madang.app.commands.standardize import STARTER, vocabulary_version
    from madang.base.console import ProgressBars, console
    from madang.node.home import Home
    from madang.science.standardize import standardize

    home = Home.find()
    with open_house(home) as node:
        for holder in HOLDERS:
            with ProgressBars() as progress, progress.step(holder.dataset):
                done = standardize(
                    holder.pack,
                    _source(home, holder, persons, progress),
                    vocabulary_version(home, STARTER, progress),
                    home.lake().dataset(holder.dataset),
                    key=home.key("pseudonym"),
                    progress=progress,
                )
            show_account(done)
            begin_record(node, holder.dataset)
        entry = show_verdicts(node, [holder.dataset for holder in HOLDERS])
        if entry is not None:
            verify_as_a_stranger(node, entry, home.lake().find(HOLDERS[-1].dataset))
        publish(node)
        show_rooms(node)
        show_everybody(node)
    out = console()
    out.print(_("All of this is synthetic: nobody in these data exists. Go on with:"))
    insurer, hospital = (holder.dataset for holder in HOLDERS)
    madang = "madang" if shutil.which("madang") else os.path.relpath(sys.argv[0])
    for line in (
        f'{madang} sql {insurer} "select visit_concept_id, count(*) from visit_occurrence group by all"',
        f"{madang} trace {insurer} drug_exposure:{_some_row(home, insurer)}",
        f"{madang} mappings list {hospital} --unmapped",
        f"{madang} quality assess {insurer}",
        f"{madang} serve",
    ):
        out.print(f"  {line}", markup=False)


def show_rooms(node: "Node") -> None:
    """Have every room make its part of the demo, so that none is empty; one that fails says so and stops nothing."""
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.node.rooms import open_plans

    for plan in sorted(open_plans(), key=lambda each: each.name != FIRST):
        if plan.demo:
            with ProgressBars() as progress, progress.step(_(plan.title)):
                try:
                    plan.load(plan.demo)(node, progress)
                except MadangError as error:
                    console().print(f"{_(plan.title)}: {error}", markup=False)


def _source(home: "Home", holder: Holder, persons: int, progress: "Progress") -> Path:
    """The folder with a holder's raw files, made once for each size."""
    from madang.science.synthesis import synthesize

    folder = home.sources() / f"demo-{holder.kind}-{persons}"
    if not folder.exists():
        with progress.step(_("synthesize")):
            synthesize(
                holder.kind,
                folder,
                persons=persons,
                seed=SEED,
                start_year=holder.start_year,
                end_year=holder.end_year,
                dirt=1,
                truth=False,
                progress=progress,
            )
    return folder


def _some_row(home: "Home", dataset: str) -> int:
    from madang.lake.engine import Engine, quote_paths

    table = home.lake().dataset(dataset).version().tables["drug_exposure"]
    with Engine() as engine:
        return int(engine.value(f"SELECT min(drug_exposure_id) FROM read_parquet({quote_paths(table.paths)})"))
