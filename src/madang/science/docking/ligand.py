"""Ligands: from a structure to a torsion tree for Vina and back to a molecule, and how far two poses are apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.docking.needs import needed

with needed("rdkit"):
    from rdkit import Chem, RDLogger
    from rdkit.Chem import AllChem, rdMolAlign
with needed("meeko"):
    from meeko import MoleculePreparation, PDBQTMolecule, PDBQTWriterLegacy, RDKitMolCreate

RDLogger.DisableLog("rdApp.*")
MOST_TORSIONS = 32
MOST_ATOMS = 150


class Undockable(Exception):
    """A ligand cannot be docked; the text says why, in English."""


@dataclass(frozen=True)
class Known:
    """A ligand with known coordinates: its heavy atoms (n, 3), and the molecule if its bonds are known."""

    coordinates: Any
    molecule: Any | None


def prepare(smiles: str, seed: int = 42) -> str:
    """The PDBQT text of a molecule with a made conformation; of a salt the largest fragment. Raises `Undockable`."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise Undockable("the structure cannot be read")
    return prepare_molecule(molecule, seed)


def prepare_molecule(molecule: Any, seed: int = 42) -> str:
    """As `prepare`, of a molecule; its coordinates are not used."""
    parts = Chem.GetMolFrags(molecule, asMols=True)
    molecule = Chem.AddHs(Chem.RemoveHs(max(parts, key=lambda part: part.GetNumHeavyAtoms())))
    if molecule.GetNumHeavyAtoms() > MOST_ATOMS:
        raise Undockable(f"{molecule.GetNumHeavyAtoms()} heavy atoms are too many to dock")
    if any(not atom.GetAtomicNum() for atom in molecule.GetAtoms()):
        raise Undockable("it has an R group or dummy atom")
    parameters: Any = AllChem.ETKDGv3()
    parameters.randomSeed = seed
    parameters.maxIterations = 200
    molecule.RemoveAllConformers()
    if AllChem.EmbedMolecule(molecule, parameters) < 0:
        parameters.useRandomCoords = True
        if AllChem.EmbedMolecule(molecule, parameters) < 0:
            raise Undockable("no conformation could be made")
    try:
        if AllChem.MMFFHasAllMoleculeParams(molecule):
            AllChem.MMFFOptimizeMolecule(molecule, maxIters=500)
        elif AllChem.UFFHasAllMoleculeParams(molecule):
            AllChem.UFFOptimizeMolecule(molecule, maxIters=500)
        setups = MoleculePreparation().prepare(molecule)
        text, good, said = PDBQTWriterLegacy.write_string(setups[0])
    except Exception as error:  # whatever force fields and meeko make of unusual chemistry
        raise Undockable(f"it cannot be prepared: {' '.join(str(error).split())[:120]}") from None
    if not good:
        raise Undockable(f"it cannot be prepared: {' '.join(str(said).split())[:120]}")
    torsions = text.count("BRANCH") // 2
    if torsions > MOST_TORSIONS:
        raise Undockable(f"{torsions} torsions are too many to dock")
    return str(text)


def poses_of(pdbqt: str) -> Any:
    """The molecule with one conformation per docked pose."""
    return RDKitMolCreate.from_pdbqt_mol(PDBQTMolecule(pdbqt, skip_typing=True))[0]


def read_known(path: Path) -> Known:
    """A ligand with coordinates from SDF, MOL, MOL2, PDB or PDBQT; raises MadangError where there are none."""
    ending = path.name.lower().rsplit(".", 1)[-1]
    molecule: Any = None
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if ending in ("sdf", "sd", "mol"):
            molecule = Chem.MolFromMolBlock(text.split("$$$$")[0])
        elif ending == "mol2":
            molecule = Chem.MolFromMol2Block(text)
        elif ending == "pdbqt" and "REMARK SMILES" in text:
            molecule = poses_of(text)
    except OSError as error:
        raise MadangError(
            "docking.no_ligand", _("Cannot read {file}: {error}.").format(file=path, error=error.strerror or error)
        ) from None
    except Exception:  # RDKit and meeko raise many kinds
        molecule = None
    if molecule is not None and molecule.GetNumConformers() and molecule.GetConformer().Is3D():
        molecule = Chem.RemoveHs(molecule)
        return Known(np.array(molecule.GetConformer().GetPositions()), molecule)
    places = _pdb_places(text) if ending in ("pdb", "pdbqt", "ent") else []
    if not places:
        raise MadangError(
            "docking.no_ligand",
            _("There is no molecule with coordinates in {file}.").format(file=path.name),
            _("Give the ligand that marks the box as SDF, MOL2, PDB or PDBQT."),
        )
    return Known(np.array(places), None)


def rmsd(molecule: Any, pose: int, known: Any) -> float:
    """Root mean square distance of heavy atoms in place, in angstrom, by the best of all equal assignments."""
    plain = Chem.RemoveHs(Chem.Mol(molecule, confId=molecule.GetConformers()[pose].GetId()))
    return float(rdMolAlign.CalcRMS(plain, Chem.RemoveHs(known)))


def _pdb_places(text: str) -> list[list[float]]:
    places = []
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        if line.startswith(("ATOM", "HETATM")) and not line[12:16].strip().startswith("H"):
            try:
                places.append([float(line[start : start + 8]) for start in (30, 38, 46)])
            except ValueError:
                continue
    return places
