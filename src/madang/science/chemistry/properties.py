"""Properties and structural alerts of a molecule."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.chemistry.needs import needed
from madang.science.chemistry.structure import Unreadable, pattern_bytes, read_query

with needed("rdkit"):
    from rdkit import Chem, RDConfig
    from rdkit.Chem import QED, Crippen, rdMolDescriptors
    from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

PROPERTIES = ("weight", "logp", "tpsa", "donors", "acceptors", "rotors", "qed", "fsp3", "rings", "heavy_atoms")


@dataclass(frozen=True)
class Alert:
    """A structural alert that a molecule raises: the list that it is from, its name, and the atoms (from 0)."""

    source: str
    name: str
    atoms: tuple[int, ...]


@dataclass(frozen=True)
class OwnAlert:
    """An alert that an institution wrote: a name and its SMARTS."""

    name: str
    smarts: str


def properties(molecule: Chem.Mol) -> dict[str, float | int | None]:
    """Weight (g/mol, average), Crippen logP, TPSA (square angstrom), Lipinski-like counts, QED and Fsp3; None for QED
    where it is not defined."""
    try:
        parts = QED.properties(molecule)
        qed: float | None = float(QED.qed(molecule, qedProperties=parts))
        logp = float(parts.ALOGP)
    except Exception:  # QED is defined for what has heavy atoms and sane charges
        qed, logp = None, float(Crippen.MolLogP(molecule))
    return {
        "weight": float(rdMolDescriptors._CalcMolWt(molecule)),
        "logp": logp,
        "tpsa": float(rdMolDescriptors.CalcTPSA(molecule)),
        "donors": int(rdMolDescriptors.CalcNumHBD(molecule)),
        "acceptors": int(rdMolDescriptors.CalcNumHBA(molecule)),
        "rotors": int(rdMolDescriptors.CalcNumRotatableBonds(molecule)),
        "qed": qed,
        "fsp3": float(rdMolDescriptors.CalcFractionCSP3(molecule)),
        "rings": int(rdMolDescriptors.CalcNumRings(molecule)),
        "heavy_atoms": int(molecule.GetNumHeavyAtoms()),
    }


def alerts(molecule: Chem.Mol, own: Sequence[OwnAlert] = (), pattern: bytes = b"") -> list[Alert]:
    """The PAINS, Brenk and own alerts that a molecule raises, each with the atoms of its first match.

    The alerts of RDKit's catalog, which is the slow twin: those of PAINS that cannot match by their pattern
    fingerprint (`pattern`, if it is at hand) are left out before they are tried.
    """
    entries, screens = _pains()
    bits = np.frombuffer(pattern or pattern_bytes(molecule), np.uint64)
    likely = np.flatnonzero(((screens & bits) == screens).all(axis=1))
    raised = [entries[place] for place in likely if entries[place].HasFilterMatch(molecule)]
    found = [Alert("PAINS", entry.GetDescription(), _atoms(entry, molecule)) for entry in raised]
    brenk = _catalog("BRENK").GetMatches(molecule)
    found += [Alert("Brenk", entry.GetDescription(), _atoms(entry, molecule)) for entry in brenk]
    for mine in own:
        match = molecule.GetSubstructMatch(_own_query(mine))
        if match:
            found.append(Alert("own", mine.name, tuple(match)))
    return found


@cache
def _own_query(alert: OwnAlert) -> Chem.Mol:
    try:
        return read_query(alert.smarts)
    except Unreadable:
        raise MadangError(
            "chemistry.query",
            _("The SMARTS of the alert {name} cannot be read.").format(name=repr(alert.name)),
            _("Mend it in the table of alerts."),
        ) from None


@cache
def _catalog(name: str) -> Any:
    parameters = FilterCatalogParams()
    parameters.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog(parameters)


@cache
def _pains() -> tuple[list[Any], npt.NDArray[np.uint64]]:
    """The entries of the PAINS catalog, and for each the bits that a molecule must have to match it."""
    with open(os.path.join(RDConfig.RDDataDir, "Pains", "wehi_pains.csv"), newline="") as file:
        smarts = {row[1].split("=", 1)[1].strip('<>"'): row[0] for row in csv.reader(file)}
    catalog = _catalog("PAINS")
    entries = [catalog.GetEntry(place) for place in range(catalog.GetNumEntries())]
    none = np.zeros(16, np.uint64)
    screens = []
    for entry in entries:
        text = smarts.get(entry.GetDescription())
        query = Chem.MergeQueryHs(Chem.MolFromSmarts(text)) if text else None
        screens.append(np.frombuffer(pattern_bytes(query), np.uint64) if query else none)
    return entries, np.array(screens)


def _atoms(entry: Any, molecule: Chem.Mol) -> tuple[int, ...]:
    for match in entry.GetFilterMatches(molecule):
        return tuple(atom for _query, atom in match.atomPairs)
    return ()
