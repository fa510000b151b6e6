"""What models see of a molecule: counts of Morgan environments, descriptors, and the fingerprint for similarity."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from madang.science.chemistry.needs import needed

with needed("rdkit"):
    from rdkit import Chem
    from rdkit.Avalon import pyAvalonTools
    from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors, rdReducedGraphs

from madang.science.chemistry.structure import fingerprint, read_structure

COUNTS = 2048
_FOR_KERNEL = 4096
_AVALON, _REDUCED = 1024, 315
_CHUNK = 200
_ENOUGH_TO_SHARE = 1500
_LIGHT = (
    *("MolWt", "MolLogP", "MolMR", "TPSA", "LabuteASA", "FractionCSP3", "HeavyAtomCount", "NHOHCount", "NOCount"),
    *("NumHAcceptors", "NumHDonors", "NumHeteroatoms", "NumValenceElectrons", "RingCount", "NumAromaticRings"),
    *("NumAliphaticRings", "NumSaturatedRings", "NumAromaticHeterocycles", "NumAliphaticHeterocycles"),
)
# Slow and of little use: information contents overflow, those of the electrotopological state are computed anew each
# time, groups of atoms are in the Morgan counts anyway.
_SLOW = ("Ipc", "AvgIpc", "qed", "SPS", "BertzCT", "BalabanJ")
_SLOW_KINDS = ("fr_", "BCUT2D", "MaxAbsEState", "MinAbsEState", "MaxEState", "MinEState", "NumRotatableBonds")


@dataclass(frozen=True)
class Features:
    """Of n molecules: `counts` (n, 2048) and `wide` (n, 4096, radius 3) environments, `descriptors` (n, d), `more`
    (n, 1024 + 315: counts of Avalon's features and of pairs in reduced graphs; n, 0 in a light model), `words` (n, 32).
    """

    counts: npt.NDArray[np.uint8]
    wide: npt.NDArray[np.uint8]
    descriptors: npt.NDArray[np.float32]
    more: npt.NDArray[np.float32]
    words: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.words)

    def rows(self, places: Any) -> Self:
        """Those of some molecules."""
        return type(self)(*(getattr(self, name)[places] for name in _FIELDS))

    def flat(self) -> npt.NDArray[np.float32]:
        """Everything but the kernel's environments side by side, for trees."""
        return np.hstack([self.counts.astype(np.float32), self.descriptors, self.more])


_FIELDS = ("counts", "wide", "descriptors", "more", "words")


def descriptor_names(light: bool) -> tuple[str, ...]:
    """Names of the descriptors in their order."""
    if light:
        return _LIGHT
    usual = [name for name, _f in Descriptors._descList if name not in _SLOW and not name.startswith(_SLOW_KINDS)]
    return (*usual, "RotatableBonds", *(f"BCUT2D_{place}" for place in range(8)))


def describe(smiles: Sequence[str], light: bool = False, processes: int | None = None) -> Features:
    """Features of molecules; on several processes where there are many. Every SMILES must be readable."""
    processes = processes or min(4, os.cpu_count() or 1)
    if len(smiles) < _ENOUGH_TO_SHARE or processes == 1:
        parts = [_describe(list(smiles), light)]
    else:
        chunks = [list(smiles[start : start + _CHUNK]) for start in range(0, len(smiles), _CHUNK)]
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(_describe, chunks, [light] * len(chunks)))
    return Features(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))


def _describe(smiles: list[str], light: bool) -> Features:
    narrow, wide = _makers()
    functions = _functions(light)
    molecules = [read_structure(text) for text in smiles]
    width = len(descriptor_names(light))
    values = np.empty((len(molecules), width), np.float64)
    for row, molecule in enumerate(molecules):
        given = [_number(function, molecule) for function in functions]
        if not light:
            given.append(float(rdMolDescriptors.CalcNumRotatableBonds(molecule)))
            given.extend(_bcut(molecule))
        values[row] = given
    empty = np.zeros((0, COUNTS), np.uint8), np.zeros((0, _FOR_KERNEL), np.uint8)
    counts = [np.minimum(narrow.GetCountFingerprintAsNumPy(m), 255).astype(np.uint8) for m in molecules]
    wider = [np.minimum(wide.GetCountFingerprintAsNumPy(m), 255).astype(np.uint8) for m in molecules]
    return Features(
        np.array(counts) if counts else empty[0],
        np.array(wider) if wider else empty[1],
        np.clip(np.nan_to_num(values, nan=0, posinf=1e6, neginf=-1e6), -1e6, 1e6).astype(np.float32),
        np.zeros((len(molecules), 0), np.float32) if light else np.array([_more(m) for m in molecules], np.float32),
        np.array([fingerprint(m) for m in molecules], np.uint64).reshape(-1, 32),
    )


@cache
def _makers() -> tuple[Any, Any]:
    make = rdFingerprintGenerator.GetMorganGenerator
    return make(radius=2, fpSize=COUNTS), make(radius=3, fpSize=_FOR_KERNEL)


@cache
def _functions(light: bool) -> tuple[Any, ...]:
    by_name = dict(Descriptors._descList)
    return tuple(by_name[name] for name in descriptor_names(light) if name in by_name)


def _number(function: Any, molecule: Chem.Mol) -> float:
    try:
        return float(function(molecule))
    except Exception:  # some descriptors are not defined for some molecules
        return 0.0


def _more(molecule: Chem.Mol) -> npt.NDArray[np.float32]:
    values = np.zeros(_AVALON + _REDUCED, np.float32)
    for place, count in pyAvalonTools.GetAvalonCountFP(molecule, _AVALON).GetNonzeroElements().items():
        values[place] = count
    values[_AVALON:] = rdReducedGraphs.GetErGFingerprint(molecule)
    return values


def _bcut(molecule: Chem.Mol) -> list[float]:
    try:
        return [float(value) for value in rdMolDescriptors.BCUT2D(molecule)]
    except Exception:  # elements without parameters
        return [0.0] * 8
