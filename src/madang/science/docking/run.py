"""Docking many ligands: a run is a folder, one line per ligand is written as soon as it is done, and a run that was
broken off goes on where it was. A bad ligand is accounted for and stops nothing."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from madang.base.canonical import canonical_json, sha256_of
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.files import make_folder, put_instead, sentences
from madang.science.docking.engine import Engine
from madang.science.docking.ligand import Known, Undockable, poses_of, prepare, prepare_molecule, rmsd
from madang.science.docking.needs import needed

with needed("rdkit"):
    from rdkit import Chem

_RESULTS, _CURRENT, _SETUP = "results.jsonl", "current.json", "setup.json"


@dataclass(frozen=True)
class Ligand:
    """What is to be docked."""

    id: str
    smiles: str


@dataclass(frozen=True)
class Docked:
    """A ligand, its best score in kcal/mol (None where it could not be docked, with the reason), and its poses as an
    SDF text."""

    id: str
    smiles: str
    score: float | None
    problem: str = ""
    sdf: str = ""


@dataclass(frozen=True)
class Control:
    """The known ligand docked again from a made conformation: the best score, the distance of the best pose and of the
    nearest of all poses from the known one, in angstrom."""

    score: float
    rmsd: float
    nearest_rmsd: float
    sdf: str


def dock_all(
    ligands: Iterable[Ligand],
    folder: Path,
    setup: dict[str, Any],
    engine: Callable[[], Engine],
    progress: Progress | None = None,
    total: int | None = None,
) -> list[Docked]:
    """Dock ligands in order. `setup` is what the results depend on; a folder of another setup is refused."""
    progress = progress or Progress()
    _open(folder, setup)
    done = {(one.id, one.smiles): one for one in results(folder)}
    fatal = _left_behind(folder)
    made: Engine | None = None
    answers = []
    with progress.step(_("Docking"), total=total, unit=_("ligands")), (folder / _RESULTS).open("a") as file:
        for ligand in ligands:
            key = (ligand.id, ligand.smiles)
            if key not in done:
                if fatal == asdict(ligand):
                    done[key] = Docked(*key, None, "the program ended while this one was docked")
                else:
                    (folder / _CURRENT).write_text(json.dumps(asdict(ligand)))
                    made = made or engine()
                    done[key] = _dock(ligand, made)
                file.write(json.dumps(asdict(done[key])) + "\n")
                file.flush()
                (folder / _CURRENT).unlink(missing_ok=True)
            answers.append(done[key])
            progress.advance()
    return answers


def results(folder: Path) -> Iterator[Docked]:
    """What is done in a run; a line that was cut off does not count."""
    path = folder / _RESULTS
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):  # killed while it wrote: that ligand is docked again
        put_instead(path, "".join(lines[:-1]).encode(), 0o600)
        lines.pop()
    for line in lines:
        yield Docked(**json.loads(line))


def redock(known: Known, engine: Engine) -> Control | None:
    """Dock the known ligand again as a control; None where its bonds are not known. Raises `Undockable`."""
    if known.molecule is None:
        return None
    text, scores = engine.dock(prepare_molecule(known.molecule))
    molecule = poses_of(text)
    distances = [rmsd(molecule, pose, known.molecule) for pose in range(molecule.GetNumConformers())]
    return Control(scores[0], distances[0], min(distances), _sdf(molecule, "control", scores))


def _dock(ligand: Ligand, engine: Engine) -> Docked:
    try:
        text, scores = engine.dock(prepare(ligand.smiles))
        if not scores:
            raise Undockable("no pose was found in the box")
        return Docked(ligand.id, ligand.smiles, scores[0], "", _sdf(poses_of(text), ligand.id, scores))
    except Undockable as reason:
        return Docked(ligand.id, ligand.smiles, None, str(reason))
    except (RuntimeError, ValueError) as error:
        return Docked(ligand.id, ligand.smiles, None, f"failed: {' '.join(str(error).split())[:120]}")


def _sdf(molecule: Any, name: str, scores: list[float]) -> str:
    parts = []
    for place, conformer in enumerate(molecule.GetConformers()):
        block = Chem.MolToMolBlock(molecule, confId=conformer.GetId())
        title = " ".join(name.split())[:80]
        score = f"{scores[place]:.3f}" if place < len(scores) else ""
        parts.append(f"{title}{block[block.index(chr(10)) :]}>  <score>\n{score}\n\n>  <pose>\n{place + 1}\n\n$$$$\n")
    return "".join(parts)


def _open(folder: Path, setup: dict[str, Any]) -> None:
    text = canonical_json({"format": "madang-docking-1", **setup})
    path = folder / _SETUP
    with sentences(f"make the folder {folder}"):
        make_folder(folder, 0o700)
        if not path.exists():
            put_instead(path, text, 0o600)
        elif path.read_bytes() != text:
            raise MadangError(
                "docking.other_setup",
                _("{folder} is of a run with another receptor, box or settings.").format(folder=folder),
                _("Choose another folder."),
            )


def _left_behind(folder: Path) -> Any:
    """The ligand during which the last run ended twice: the first time it is tried again."""
    path, again = folder / _CURRENT, folder / "again.json"
    if not path.exists():
        return None
    try:
        ligand = json.loads(path.read_text())
    except ValueError:
        return None
    if again.exists() and again.read_text() == path.read_text():
        return ligand
    again.write_text(path.read_text())
    return None


def run_key(receptor: str, setup: dict[str, Any]) -> str:
    """What a run is told from others by."""
    return sha256_of({"receptor": receptor, **setup})
