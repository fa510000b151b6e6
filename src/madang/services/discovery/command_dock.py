"""`madang discovery dock`: a library against a receptor, with the known ligand docked again as a control."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, write_json

if TYPE_CHECKING:
    from madang.science.docking.run import Ligand
    from madang.science.docking.whole import Done

PRINTED = 30


def dock_command(
    name: Annotated[str, typer.Argument(help=_("Library to dock, as NAME or NAME@VERSION."))],
    receptor: Annotated[Path, typer.Option(help=_("Receptor as PDB or mmCIF."))],
    box_ligand: Annotated[
        Path | None, typer.Option(help=_("A ligand in its place (SDF, MOL2, PDB, PDBQT): the box goes around it."))
    ] = None,
    box_residues: Annotated[str, typer.Option(help=_("Residues that the box goes around, as A:315,A:381."))] = "",
    chain: Annotated[str, typer.Option(help=_("Chains of the receptor to keep, as A,B; all if it is left out."))] = "",
    exhaustiveness: Annotated[int, typer.Option(help=_("How long Vina searches."))] = 8,
    poses: Annotated[int, typer.Option(help=_("Most poses per ligand."))] = 9,
    seed: Annotated[int, typer.Option(help=_("Seed of the search."))] = 42,
    cpu: Annotated[int, typer.Option(help=_("Threads for Vina; 0 takes all."))] = 0,
    limit: Annotated[int | None, typer.Option(help=_("Dock only the first ligands of the library."))] = None,
    out: Annotated[
        Path | None, typer.Option(help=_("Folder of the run; the same folder goes on where it was."))
    ] = None,
    json_out: JsonOut = None,
) -> None:
    """Dock a library: one table of id, smiles and score, poses as SDF, and the known ligand again as a control."""
    from madang.base.console import ProgressBars, console
    from madang.node.home import Home
    from madang.science.docking.whole import Settings, dock, find_site, key_of

    if limit is not None and limit < 1:
        raise MadangError("docking.settings", _("Exhaustiveness, poses and limit are at least 1."))
    settings = Settings(exhaustiveness, poses, seed, cpu)
    site = find_site(receptor, box_ligand, box_residues, chain)
    ligands = _ligands(name, limit)
    folder = out or Home.find().path / "docking" / f"{name.replace('@', '-')}-{key_of(site, settings)[:12]}"
    with ProgressBars() as progress:
        done = dock(site, ligands, folder, settings, progress)
    if json_out:
        write_json(json_out, done.report() | {"folder": str(folder)})
    if done.no_control:
        text = _("The ligand of the box could not be docked as a control: {reason}.")
        console(stderr=True).print(text.format(reason=done.no_control), markup=False)
    _show(done, bool(ligands))
    console().print(_("Table, poses and report: {folder}").format(folder=folder), markup=False)


def _ligands(name: str, limit: int | None) -> "list[Ligand]":
    """The ligands of a library; none where there is no such library, so that the control alone is run."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.science.chemistry.library import checked, read_table
    from madang.science.docking.run import Ligand

    lake = Home.find().lake()
    if "@" not in name and not lake.dataset(name).exists:
        text = _("There is no library {name}: only the ligand of the box is docked, as a control.")
        console(stderr=True).print(text.format(name=name), markup=False)
        return []
    table = read_table(checked(lake.find(name)), "compound", ["compound_id", "id", "smiles"]).slice(0, limit)
    return [Ligand(row["id"], row["smiles"]) for row in table.to_pylist()]


def _show(done: "Done", library: bool) -> None:
    from madang.base.console import console, show_table

    control, docked = done.control, done.ranked
    report = done.site.receptor.report
    lacking = [
        (_("residues missing from the chain"), len(report["missing_residues"])),
        (_("residues with missing atoms"), len(report["missing_atoms"])),
        (_("hydrogens added"), report["hydrogens_added"]),
        (_("water left out"), report["water_left_out"]),
        (_("ligands left out"), len(report["ligand_left_out"])),
        (_("other groups kept"), len(report["other_groups_kept"])),
    ]
    show_table(_("Receptor"), [_("What"), _("Count")], [[what, count] for what, count in lacking])
    if control:
        text = _(
            "Control: the known ligand docks again at {score:.2f} kcal/mol, RMSD {rmsd:.2f} A (nearest {near:.2f} A)."
        )
        line = text.format(score=control.score, rmsd=control.rmsd, near=control.nearest_rmsd)
        console().print(line, markup=False)
    if library:
        shown = docked[:PRINTED]
        rows = [[one.id, one.smiles, "" if one.score is None else f"{one.score:.2f}", one.problem] for one in shown]
        show_table(_("Docked"), ["id", "smiles", "score", _("Problem")], rows)
        failed = sum(one.score is None for one in docked)
        text = _("{done} ligands docked, {failed} could not be.")
        console().print(text.format(done=len(docked) - failed, failed=failed), markup=False)
