"""A docking from files to a table: receptor with its report, box, control, all ligands, and what is written."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.files import make_folder, put_instead, sentences
from madang.science.docking.engine import find_engine
from madang.science.docking.ligand import Known, Undockable, read_known
from madang.science.docking.receptor import Box, Receptor, box_around, box_of_residues, read_receptor
from madang.science.docking.run import Control, Docked, Ligand, dock_all, redock, run_key


@dataclass(frozen=True)
class Settings:
    """How Vina searches: `cpu` 0 takes all threads."""

    exhaustiveness: int = 8
    poses: int = 9
    seed: int = 42
    cpu: int = 0


@dataclass(frozen=True)
class Site:
    """Where is docked: the receptor, the box, and the known ligand where there is one."""

    receptor: Receptor
    box: Box
    known: Known | None


@dataclass(frozen=True)
class Done:
    """Ligands from the best score to those without one, the control or why there is none, and the site."""

    ranked: tuple[Docked, ...]
    control: Control | None
    no_control: str
    site: Site

    def report(self) -> dict[str, Any]:
        """All but the poses, as JSON-ready data."""
        found = {key: value for key, value in asdict(self.control).items() if key != "sdf"} if self.control else None
        keys = ("id", "smiles", "score", "problem")
        return {
            "ligands": [{key: getattr(one, key) for key in keys} for one in self.ranked],
            "control": found,
            "rmsd": found["rmsd"] if found else None,
            "receptor": self.site.receptor.report,
            "box": asdict(self.site.box),
        }


def find_site(receptor: Path, ligand: Path | None, residues: str = "", chains: str = "") -> Site:
    """The receptor (PDB or mmCIF, chains as `A,B`) and the box around a ligand's file or residues (`A:315,A:381`)."""
    for path in (receptor, ligand):
        if path is not None and not path.is_file():
            raise MadangError("docking.no_file", _("There is no file {file}.").format(file=path))
    known = read_known(ligand) if ligand else None
    kept = tuple(part.strip() for part in chains.split(",") if part.strip())
    protein = read_receptor(receptor, known.coordinates if known else None, kept)
    if residues:
        box = box_of_residues(receptor, [part for part in residues.split(",") if part.strip()])
    elif known is None:
        raise MadangError(
            "docking.no_box",
            _("Where to dock is not said."),
            _("Give --box-ligand FILE or --box-residues A:315,A:381."),
        )
    else:
        box = box_around(known.coordinates)
    return Site(protein, box, known)


def key_of(site: Site, settings: Settings) -> str:
    """What the results of a docking depend on besides its ligands."""
    setup = {"exhaustiveness": settings.exhaustiveness, "poses": settings.poses, "seed": settings.seed}
    return run_key(site.receptor.pdbqt, {"box": asdict(site.box), **setup})


def dock(
    site: Site, ligands: Sequence[Ligand], folder: Path, settings: Settings, progress: Progress | None = None
) -> Done:
    """Dock the known ligand as a control, then all ligands; goes on where an earlier start in `folder` ended, and
    writes scores.csv, poses.sdf, control.sdf, receptor.pdbqt and report.json there."""
    progress = progress or Progress()
    if settings.exhaustiveness < 1 or settings.poses < 1:
        raise MadangError("docking.settings", _("Exhaustiveness, poses and limit are at least 1."))
    engine = find_engine(site.receptor.pdbqt, site.box, **asdict(settings))
    with progress.step(_("Control")):
        control, reason = _control(site.known, engine)
    setup = {"box": asdict(site.box), **{key: value for key, value in asdict(settings).items() if key != "cpu"}}
    docked = dock_all(
        ligands, folder, setup | {"receptor": key_of(site, settings)}, lambda: engine, progress, len(ligands)
    )
    done = Done(tuple(sorted(docked, key=lambda one: (one.score is None, one.score or 0.0))), control, reason, site)
    _write(done, folder)
    return done


def _control(known: Known | None, engine: Any) -> tuple[Control | None, str]:
    try:
        return (redock(known, engine), "") if known else (None, "")
    except Undockable as reason:
        return None, str(reason)


def _write(done: Done, folder: Path) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "smiles", "score", "problem"])
    writer.writerows([[one.id, one.smiles, one.score, one.problem] for one in done.ranked])
    files = {
        "scores.csv": table.getvalue(),
        "poses.sdf": "".join(one.sdf for one in done.ranked),
        "receptor.pdbqt": done.site.receptor.pdbqt,
        "report.json": json.dumps(done.report(), ensure_ascii=False, indent=1) + "\n",
    }
    if done.control:
        files["control.sdf"] = done.control.sdf
    with sentences(f"write into {folder}"):
        make_folder(folder, 0o700)
        for name, text in files.items():
            put_instead(folder / name, text.encode(), 0o600)
