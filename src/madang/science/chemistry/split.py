"""Splits of molecules for honest testing: by scaffold (the rule of DeepChem), by cluster, by date."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from madang.science.chemistry import kernels
from madang.science.chemistry.needs import needed

with needed("rdkit"):
    from rdkit.Chem.Scaffolds import MurckoScaffold

from madang.science.chemistry.structure import Unreadable, read_structure

Words = npt.NDArray[np.uint64]
CLUSTER_RADIUS = 0.45  # molecules this similar to a center are of its cluster


@dataclass(frozen=True)
class ScaffoldSplit:
    """Rows (from 0) of each part, how many scaffolds there are, and the rows that could not be read."""

    train: tuple[int, ...]
    valid: tuple[int, ...]
    test: tuple[int, ...]
    scaffolds: int
    unparsable: tuple[int, ...]


def scaffold_of(smiles: str) -> str:
    """The Bemis-Murcko scaffold as SMILES without stereo; empty for a molecule without rings."""
    return str(MurckoScaffold.MurckoScaffoldSmiles(mol=read_structure(smiles), includeChirality=False))


def scaffold_split(smiles: Sequence[str], train: float = 0.8, valid: float = 0.1) -> ScaffoldSplit:
    """Whole scaffolds, the largest first, to train, then valid, then test; shares are those of all rows given."""
    sets: dict[str, list[int]] = {}
    unparsable = []
    for row, text in enumerate(smiles):
        try:
            sets.setdefault(scaffold_of(text), []).append(row)
        except Unreadable:
            unparsable.append(row)
    most, upto = train * len(smiles), (train + valid) * len(smiles)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for rows in sorted(sets.values(), key=lambda rows: (len(rows), rows[0]), reverse=True):
        if len(parts[0]) + len(rows) <= most:
            parts[0].extend(rows)
        elif len(parts[0]) + len(parts[1]) + len(rows) <= upto:
            parts[1].extend(rows)
        else:
            parts[2].extend(rows)
    return ScaffoldSplit(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]), len(sets), tuple(unparsable))


def clusters(words: Words, radius: float = CLUSTER_RADIUS) -> npt.NDArray[np.int64]:
    """A cluster number per fingerprint (n, 32): spheres around molecules in their order, without overlap."""
    label = np.full(len(words), -1, np.int64)
    ones = np.bitwise_count(words).sum(axis=1).astype(np.float64)
    shared = np.empty((1, len(words)), np.int32)
    number = 0
    for row in range(len(words)):
        if label[row] >= 0:
            continue
        kernels.common(words[row : row + 1], words, shared)
        near = shared[0] >= radius * (ones + ones[row] - shared[0])
        label[near & (label < 0)] = number
        label[row] = number
        number += 1
    return label


def folds(groups: npt.NDArray[np.int64], count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """A fold per row so that groups stay whole and folds are about equally large."""
    names, sizes = np.unique(groups, return_counts=True)
    random = np.random.default_rng(seed)
    order = random.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of: dict[int, int] = {}
    filled = np.zeros(count)
    for place in order:
        fold = int(np.argmin(filled))
        fold_of[int(names[place])] = fold
        filled[fold] += sizes[place]
    return np.array([fold_of[int(group)] for group in groups], np.int64)
