"""A receptor for Vina from PDB or mmCIF: what to keep, what is missing, and the type of every atom.

Vina's scoring function needs to know of an atom whether it is hydrophobic, a donor or an acceptor; where its hydrogens
point plays no part. So hydrogens that a file lacks are put beside their donors by the known chemistry of the residues,
and no other program is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.docking.needs import needed

with needed("gemmi"):
    import gemmi

# Heavy atoms of each residue besides N, CA, C, O; donors; ring carbons.
RESIDUES: dict[str, tuple[str, str, str]] = {
    "ALA": ("CB", "", ""),
    "ARG": ("CB CG CD NE CZ NH1 NH2", "NE NH1 NH2", ""),
    "ASN": ("CB CG OD1 ND2", "ND2", ""),
    "ASP": ("CB CG OD1 OD2", "", ""),
    "CYS": ("CB SG", "SG", ""),
    "GLN": ("CB CG CD OE1 NE2", "NE2", ""),
    "GLU": ("CB CG CD OE1 OE2", "", ""),
    "GLY": ("", "", ""),
    "HIS": ("CB CG ND1 CD2 CE1 NE2", "NE2", "CG CD2 CE1"),
    "ILE": ("CB CG1 CG2 CD1", "", ""),
    "LEU": ("CB CG CD1 CD2", "", ""),
    "LYS": ("CB CG CD CE NZ", "NZ", ""),
    "MET": ("CB CG SD CE", "", ""),
    "PHE": ("CB CG CD1 CD2 CE1 CE2 CZ", "", "CG CD1 CD2 CE1 CE2 CZ"),
    "PRO": ("CB CG CD", "", ""),
    "SER": ("CB OG", "OG", ""),
    "THR": ("CB OG1 CG2", "OG1", ""),
    "TRP": ("CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2", "NE1", "CG CD1 CD2 CE2 CE3 CZ2 CZ3 CH2"),
    "TYR": ("CB CG CD1 CD2 CE1 CE2 CZ OH", "OH", "CG CD1 CD2 CE1 CE2 CZ"),
    "VAL": ("CB CG1 CG2", "", ""),
}
_SAME = {"HID": "HIS", "HIE": "HIS", "HIP": "HIS", "HSD": "HIS", "HSE": "HIS", "HSP": "HIS", "CYX": "CYS", "MSE": "MET"}
_METALS = {"ZN": "Zn", "MG": "Mg", "CA": "Ca", "MN": "Mn", "FE": "Fe"}
_OTHERS = {"F": "F", "CL": "Cl", "BR": "Br", "I": "I", "P": "P", "S": "SA", "SE": "SA", "O": "OA", "C": "C"}
_BOND = 1.95  # angstrom, between heavy atoms
_HYDROGEN_BOND = 1.3  # angstrom, from a hydrogen to its heavy atom
_OVERLAP = 1.5  # angstrom: a group this close to the ligand of the box is that ligand


@dataclass(frozen=True)
class Box:
    """Where to dock: center and edge lengths, in angstrom."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]


@dataclass(frozen=True)
class Receptor:
    """A receptor as PDBQT text, and the report of what was found in its file."""

    pdbqt: str
    report: dict[str, Any]


@dataclass
class _Found:
    lines: list[str] = field(default_factory=list)
    missing_atoms: list[str] = field(default_factory=list)
    added: int = 0
    given: int = 0
    unknown: list[str] = field(default_factory=list)


def read_receptor(path: Path, ligand: Any = None, chains: Sequence[str] = ()) -> Receptor:
    """Read a receptor. Water and the group at the place of `ligand` (coordinates n x 3) are left out."""
    model = _model(path)
    found = _Found()
    left_out: dict[str, list[str]] = {"water": [], "ligand": [], "chains": []}
    kept_groups, gaps, alternates = [], [], 0
    for chain in model:
        if chains and chain.name not in chains:
            left_out["chains"].append(chain.name)
            continue
        last = None
        for residue in chain:
            name = f"{chain.name}:{residue.name}{residue.seqid}"
            atoms, several = _one_place(residue)
            alternates += several
            if residue.is_water():
                left_out["water"].append(name)
                continue
            plain = _SAME.get(residue.name, residue.name)
            if plain not in RESIDUES and ligand is not None and _near(atoms, ligand):
                left_out["ligand"].append(name)
                continue
            if plain in RESIDUES:
                number = residue.seqid.num
                if last is not None and number > last + 1:
                    gaps.append(f"{chain.name}:{last + 1}-{number - 1}")
                last = number
                _protein(found, chain.name, residue, atoms, plain, name)
            else:
                kept_groups.append(name)
                _group(found, chain.name, residue, atoms, name)
    if not found.lines:
        raise MadangError(
            "docking.no_receptor",
            _("There is no protein in {file}.").format(file=path.name),
            _("Give a PDB or mmCIF file with the atoms of the receptor."),
        )
    report = {
        "file": path.name,
        "chains": [chain.name for chain in model if not chains or chain.name in chains],
        "atoms": len(found.lines),
        "missing_residues": gaps,
        "missing_atoms": found.missing_atoms,
        "hydrogens_given": found.given,
        "hydrogens_added": found.added,
        "alternate_places": alternates,
        "water_left_out": len(left_out["water"]),
        "ligand_left_out": left_out["ligand"],
        "chains_left_out": left_out["chains"],
        "other_groups_kept": kept_groups,
        "atoms_without_type": found.unknown,
    }
    return Receptor("\n".join(["REMARK  made by Madang", *found.lines, "TER", "END"]) + "\n", report)


def box_around(coordinates: Any, margin: float = 4.0, least: float = 18.0, most: float = 30.0) -> Box:
    """A box around coordinates (n, 3), with a margin on every side; edges between `least` and `most` angstrom."""
    low, high = np.min(coordinates, axis=0), np.max(coordinates, axis=0)
    center, size = (low + high) / 2, np.clip(high - low + 2 * margin, least, most)
    one, two, three = (float(value) for value in center)
    return Box((one, two, three), (float(size[0]), float(size[1]), float(size[2])))


def box_of_residues(path: Path, residues: Sequence[str]) -> Box:
    """A box around residues named as A:381 or A:THR315."""
    wanted = {text.replace(" ", "").upper() for text in residues}
    places, met = [], set()
    for chain in _model(path):
        for residue in chain:
            names = {f"{chain.name}:{residue.seqid}".upper(), f"{chain.name}:{residue.name}{residue.seqid}".upper()}
            if names & wanted:
                met |= names & wanted
                places += [atom.pos.tolist() for atom in residue]
    if wanted - met:
        raise MadangError(
            "docking.no_residue",
            _("{file} has no residue {names}.").format(file=path.name, names=", ".join(sorted(wanted - met))),
            _("Name residues as CHAIN:NUMBER, as A:315."),
        )
    return box_around(np.array(places), margin=4.0)


def _model(path: Path) -> Any:
    try:
        structure = gemmi.read_structure(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise MadangError(
            "docking.no_receptor",
            _("{file} cannot be read as PDB or mmCIF: {error}.").format(
                file=path.name, error=" ".join(str(error).split())[:120].rstrip(".")
            ),
        ) from None
    if not len(structure) or not len(structure[0]):
        raise MadangError("docking.no_receptor", _("There are no atoms in {file}.").format(file=path.name))
    structure.setup_entities()
    return structure[0]


def _one_place(residue: Any) -> tuple[list[Any], int]:
    """The atoms of a residue, each at its likeliest place."""
    best: dict[str, Any] = {}
    several = 0
    for atom in residue:
        other = best.get(atom.name)
        if other is not None:
            several += 1
        if other is None or atom.occ > other.occ:
            best[atom.name] = atom
    return list(best.values()), several


def _near(atoms: list[Any], ligand: Any) -> bool:
    heavy = [atom.pos.tolist() for atom in atoms if not atom.is_hydrogen()]
    distances = (
        np.linalg.norm(np.array(heavy)[:, None] - np.asarray(ligand)[None], axis=2) if heavy else np.ones((1, 1)) * 9
    )
    return bool((distances.min(axis=1) < _OVERLAP).mean() > 0.5)


def _protein(found: _Found, chain: str, residue: Any, atoms: list[Any], plain: str, name: str) -> None:
    side, donors, ring = (set(text.split()) for text in RESIDUES[plain])
    heavy = [atom for atom in atoms if not atom.is_hydrogen()]
    hydrogens = [atom for atom in atoms if atom.is_hydrogen()]
    names = {atom.name for atom in heavy}
    absent = sorted(({"N", "CA", "C", "O"} | side) - names)
    if plain == "MET" and "SE" in names:
        absent = [one for one in absent if one != "SD"]
    if absent:
        found.missing_atoms.append(f"{name}: {' '.join(absent)}")
    owners = _owners(heavy, hydrogens)
    donors = set(donors) | (set() if plain == "PRO" else {"N"})
    for atom in heavy:
        mine = owners.get(atom.name, [])
        element = atom.element.name.upper()
        if plain == "HIS" and atom.name in ("ND1", "NE2"):
            donor = bool(mine) if hydrogens else atom.name == "NE2"
            kind = "N" if donor else "NA"
        else:
            donor = atom.name in donors or bool(mine and element in "NOS")
            kind = "A" if atom.name in ring else ("N" if element == "N" else _OTHERS.get(element, "C"))
        _write(found, chain, residue, atom.name, atom.pos.tolist(), kind)
        if donor and element in "NOS":
            if mine:
                found.given += len(mine)
                for hydrogen in mine:
                    _write(found, chain, residue, hydrogen.name, hydrogen.pos.tolist(), "HD")
            else:
                found.added += 1
                _write(found, chain, residue, f"H{atom.name}"[:4], _beside(atom, heavy), "HD")


def _group(found: _Found, chain: str, residue: Any, atoms: list[Any], name: str) -> None:
    """A group that is no amino acid: cofactors, ions, modified residues."""
    heavy = [atom for atom in atoms if not atom.is_hydrogen()]
    owners = _owners(heavy, [atom for atom in atoms if atom.is_hydrogen()])
    places = np.array([atom.pos.tolist() for atom in heavy]) if heavy else np.zeros((0, 3))
    for atom in heavy:
        element = atom.element.name.upper()
        mine = owners.get(atom.name, [])
        bonded = int((np.linalg.norm(places - np.array(atom.pos.tolist()), axis=1) < _BOND).sum()) - 1
        kind = _METALS.get(element) or _OTHERS.get(element)
        if element == "N":
            kind = "N" if mine or bonded > 2 else "NA"
        if kind is None:
            found.unknown.append(f"{name}: {atom.name}")
            continue
        _write(found, chain, residue, atom.name, atom.pos.tolist(), kind)
        if element in ("N", "O", "S"):
            for hydrogen in mine:
                found.given += 1
                _write(found, chain, residue, hydrogen.name, hydrogen.pos.tolist(), "HD")


def _owners(heavy: list[Any], hydrogens: list[Any]) -> dict[str, list[Any]]:
    """Hydrogens by the name of the heavy atom that they are bound to."""
    owners: dict[str, list[Any]] = {}
    for hydrogen in hydrogens:
        nearest = min(heavy, key=lambda atom: atom.pos.dist(hydrogen.pos), default=None)
        if nearest is not None and nearest.pos.dist(hydrogen.pos) < _HYDROGEN_BOND:
            owners.setdefault(nearest.name, []).append(hydrogen)
    return owners


def _beside(atom: Any, heavy: list[Any]) -> list[float]:
    """A place for a hydrogen: 1 angstrom from its atom, away from what that is bound to."""
    here = np.array(atom.pos.tolist())
    bonded = [np.array(o.pos.tolist()) for o in heavy if o is not atom and o.pos.dist(atom.pos) < _BOND]
    away = here - np.mean(bonded, axis=0) if bonded else np.array([1.0, 0.0, 0.0])
    length = float(np.linalg.norm(away)) or 1.0
    return [float(value) for value in here + away / length]


def _write(found: _Found, chain: str, residue: Any, name: str, place: list[float], kind: str) -> None:
    label = name if len(name) > 3 else f" {name}"
    x, y, z = place
    found.lines.append(
        f"ATOM  {(len(found.lines) + 1) % 100000:5d} {label:<4s} {residue.name[:3]:>3s} {chain[:1] or 'A'}"
        f"{residue.seqid.num % 10000:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00     0.000 {kind:<2s}"
    )
