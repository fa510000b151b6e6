"""`madang discovery dock`: a library against a receptor, with the known ligand docked again as a control."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, write_csv, write_json

if TYPE_CHECKING:
    from madang.science.docking.ligand import Known
    from madang.science.docking.receptor import Box, Receptor
    from madang.science.docking.run import Control, Docked, Ligand

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
    from madang.science.docking.engine import find_engine
    from madang.science.docking.ligand import read_known
    from madang.science.docking.receptor import read_receptor
    from madang.science.docking.run import dock_all, run_key

    for path in (receptor, box_ligand):
        if path is not None and not path.is_file():
            raise MadangError("docking.no_file", _("There is no file {file}.").format(file=path))
    if exhaustiveness < 1 or poses < 1 or (limit is not None and limit < 1):
        raise MadangError("docking.settings", _("Exhaustiveness, poses and limit are at least 1."))
    known = read_known(box_ligand) if box_ligand else None
    chains = tuple(part.strip() for part in chain.split(",") if part.strip())
    protein = read_receptor(receptor, known.coordinates if known else None, chains)
    box = _box(known, receptor, box_residues)
    ligands = _ligands(name, limit)
    setup = {"box": asdict(box), "exhaustiveness": exhaustiveness, "poses": poses, "seed": seed}
    key = run_key(protein.pdbqt, setup)
    folder = out or Home.find().path / "docking" / f"{name.replace('@', '-')}-{key[:12]}"

    made: list[Any] = []

    def engine() -> Any:
        if not made:
            made.append(find_engine(protein.pdbqt, box, exhaustiveness=exhaustiveness, poses=poses, seed=seed, cpu=cpu))
        return made[0]

    engine()
    with ProgressBars() as progress:
        with progress.step(_("Control")):
            control = _control(known, engine())
        docked = dock_all(ligands, folder, setup | {"receptor": key}, engine, progress, len(ligands))
    _write(folder, docked, control, protein, box, json_out)
    _show(docked, control, protein, bool(ligands))
    console().print(_("Table, poses and report: {folder}").format(folder=folder), markup=False)


def _box(known: "Known | None", receptor: Path, residues: str) -> "Box":
    from madang.science.docking.receptor import box_around, box_of_residues

    if residues:
        return box_of_residues(receptor, [part for part in residues.split(",") if part.strip()])
    if known is None:
        raise MadangError(
            "docking.no_box",
            _("Where to dock is not said."),
            _("Give --box-ligand FILE or --box-residues A:315,A:381."),
        )
    return box_around(known.coordinates)


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


def _control(known: "Known | None", engine: Any) -> "Control | None":
    from madang.base.console import console
    from madang.science.docking.ligand import Undockable
    from madang.science.docking.run import redock

    try:
        return redock(known, engine) if known else None
    except Undockable as reason:
        text = _("The ligand of the box could not be docked as a control: {reason}.")
        console(stderr=True).print(text.format(reason=reason), markup=False)
        return None


def _write(
    folder: Path,
    docked: "list[Docked]",
    control: "Control | None",
    protein: "Receptor",
    box: "Box",
    json_out: Path | None,
) -> None:
    from madang.lake.files import sentences

    ranked = sorted(docked, key=lambda one: (one.score is None, one.score or 0.0))
    rows = [[one.id, one.smiles, "" if one.score is None else one.score, one.problem] for one in ranked]
    write_csv(folder / "scores.csv", ["id", "smiles", "score", "problem"], rows)
    with sentences(f"write the poses into {folder}"):
        (folder / "poses.sdf").write_text("".join(one.sdf for one in ranked), encoding="utf-8")
        (folder / "receptor.pdbqt").write_text(protein.pdbqt)
        if control:
            (folder / "control.sdf").write_text(control.sdf, encoding="utf-8")
    found = {key: value for key, value in asdict(control).items() if key != "sdf"} if control else None
    document = {
        "ligands": [{"id": one.id, "smiles": one.smiles, "score": one.score, "problem": one.problem} for one in ranked],
        "control": found,
        "rmsd": found["rmsd"] if found else None,
        "receptor": protein.report,
        "box": asdict(box),
        "folder": str(folder),
    }
    write_json(folder / "report.json", document)
    if json_out:
        write_json(json_out, document)


def _show(docked: "list[Docked]", control: "Control | None", protein: "Receptor", library: bool) -> None:
    from madang.base.console import console, show_table

    report = protein.report
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
        ranked = sorted(docked, key=lambda one: (one.score is None, one.score or 0.0))[:PRINTED]
        rows = [[one.id, one.smiles, "" if one.score is None else f"{one.score:.2f}", one.problem] for one in ranked]
        show_table(_("Docked"), ["id", "smiles", "score", _("Problem")], rows)
        failed = sum(one.score is None for one in docked)
        text = _("{done} ligands docked, {failed} could not be.")
        console().print(text.format(done=len(docked) - failed, failed=failed), markup=False)
