"""AutoDock Vina: by its Python package where there is one, else by the program `vina` (Debian's autodock-vina).

Trott and Olson, J. Comput. Chem. 31 (2010) 455; Eberhardt and others, J. Chem. Inf. Model. 61 (2021) 3891.
"""

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.docking.ligand import Undockable
from madang.science.docking.receptor import Box

LIMIT = 3600  # seconds for one ligand by the program


class Engine(Protocol):
    """Docks one ligand after another into one box of one receptor."""

    def dock(self, ligand: str) -> tuple[str, list[float]]:
        """Poses as PDBQT text and their scores in kcal/mol, the best first; raises `Undockable`."""


def find_engine(receptor: str, box: Box, *, exhaustiveness: int, poses: int, seed: int, cpu: int) -> Engine:
    """The engine that is there; raises `docking.missing` where there is none."""
    if importlib.util.find_spec("vina"):
        return _Package(receptor, box, exhaustiveness, poses, seed, cpu)
    program = shutil.which("vina")
    if program:
        return _Program(program, receptor, box, exhaustiveness, poses, seed, cpu)
    raise MadangError(
        "docking.missing",
        _("Docking needs AutoDock Vina, which is not installed."),
        _("Install Madang with its extra `rooms` on Python 3.11 or 3.12, or Debian's package autodock-vina."),
    )


class _Package:
    def __init__(self, receptor: str, box: Box, exhaustiveness: int, poses: int, seed: int, cpu: int) -> None:
        from vina import Vina

        self._vina = Vina(sf_name="vina", cpu=cpu, seed=seed, verbosity=0)
        with tempfile.TemporaryDirectory(prefix="madang-dock-") as folder:
            path = Path(folder) / "receptor.pdbqt"
            path.write_text(receptor)
            try:
                self._vina.set_receptor(str(path))
                self._vina.compute_vina_maps(center=list(box.center), box_size=list(box.size))
            except Exception as error:  # Vina raises its own kinds
                raise _refused(error) from None
        self._exhaustiveness, self._poses = exhaustiveness, poses

    def dock(self, ligand: str) -> tuple[str, list[float]]:
        try:
            self._vina.set_ligand_from_string(ligand)
            self._vina.dock(exhaustiveness=self._exhaustiveness, n_poses=self._poses)
            scores = [float(row[0]) for row in self._vina.energies(n_poses=self._poses)]
            return str(self._vina.poses(n_poses=self._poses)), scores
        except Exception as error:  # Vina raises its own kinds
            raise Undockable(f"Vina refused it: {' '.join(str(error).split())[:120]}") from None


class _Program:
    def __init__(
        self, program: str, receptor: str, box: Box, exhaustiveness: int, poses: int, seed: int, cpu: int
    ) -> None:
        self._program, self._receptor = program, receptor
        names = [f"{what}_{axis}" for what in ("center", "size") for axis in "xyz"]
        self._options = [
            text
            for name, value in zip(names, (*box.center, *box.size), strict=True)
            for text in (f"--{name}", f"{value:.3f}")
        ]
        self._options += ["--exhaustiveness", str(exhaustiveness), "--num_modes", str(poses), "--seed", str(seed)]
        self._options += ["--cpu", str(cpu)] if cpu else []

    def dock(self, ligand: str) -> tuple[str, list[float]]:
        with tempfile.TemporaryDirectory(prefix="madang-dock-") as name:
            folder = Path(name)
            (folder / "receptor.pdbqt").write_text(self._receptor)
            (folder / "ligand.pdbqt").write_text(ligand)
            command = [self._program, "--receptor", "receptor.pdbqt", "--ligand", "ligand.pdbqt", "--out", "out.pdbqt"]
            try:
                done = subprocess.run(
                    [*command, *self._options], cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False
                )
            except subprocess.TimeoutExpired:
                raise Undockable("it took more than an hour") from None
            if done.returncode or not (folder / "out.pdbqt").exists():
                raise Undockable(f"Vina refused it: {' '.join((done.stderr or done.stdout).split())[-120:]}")
            text = (folder / "out.pdbqt").read_text()
        scores = [float(line.split()[3]) for line in text.splitlines() if line.startswith("REMARK VINA RESULT")]
        return text, scores


def _refused(error: Exception) -> MadangError:
    text = " ".join(str(error).split())[:160].rstrip(".")
    return MadangError("docking.no_receptor", _("Vina cannot work with this receptor: {error}.").format(error=text))
