"""Series: what hangs on a common core (R groups), and pairs of molecules that differ in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.chemistry.needs import needed
from madang.science.chemistry.structure import Unreadable, read_query, read_structure

with needed("rdkit"):
    from rdkit import Chem
    from rdkit.Chem import rdMMPA, rdRGroupDecomposition

LARGEST_CHANGE = 13  # heavy atoms of what is exchanged
MOST_OF_A_CORE = 300  # molecules of one core whose pairs are listed
_CUT = "[#6+0;!$(*=,#[!#6])]!@!=!#[!#0;!#1]"  # single bonds out of rings, not beside a carbonyl's carbon


@dataclass(frozen=True)
class Pair:
    """Two molecules with the same core: places in what was given, what is exchanged for what, and the change of the
    value (second minus first)."""

    first: int
    second: int
    core: str
    change: str
    difference: float | None


def r_groups(smiles: Sequence[str], core: str) -> tuple[list[str], list[dict[str, str] | None]]:
    """The names of the R groups, and for each molecule what it has there; None for one without the core."""
    try:
        query = read_query(core)
    except Unreadable:
        raise MadangError(
            "chemistry.query", _("The core cannot be read."), _("Give it as SMARTS or SMILES, also with [*:1] marks.")
        ) from None
    settings: Any = rdRGroupDecomposition.RGroupDecompositionParameters()
    settings.removeHydrogensPostMatch = True
    decomposition = rdRGroupDecomposition.RGroupDecomposition(query, settings)
    fits = [decomposition.Add(read_structure(text)) >= 0 for text in smiles]
    if not any(fits):
        return [], [None] * len(smiles)
    decomposition.Process()
    rows = iter(decomposition.GetRGroupsAsRows(asSmiles=True))
    found = [dict(next(rows)) if fit else None for fit in fits]
    names = sorted({name for row in found if row for name in row if name != "Core"}, key=lambda name: (len(name), name))
    return names, found


def matched_pairs(smiles: Sequence[str], values: Sequence[float | None]) -> list[Pair]:
    """All pairs that differ by one exchange of at most 13 heavy atoms at one single bond (Hussain and Rea, 2010)."""
    by_core: dict[str, dict[int, str]] = {}
    for place, text in enumerate(smiles):
        molecule = read_structure(text)
        for core, group in _cuts(molecule):
            by_core.setdefault(core, {}).setdefault(place, group)
    pairs, met = [], set()
    for core in sorted(by_core, key=lambda core: (-len(core), core)):  # the largest core tells the smallest change
        members = sorted(by_core[core].items())[:MOST_OF_A_CORE]
        for place, (first, one) in enumerate(members):
            for second, two in members[place + 1 :]:
                if one == two or (first, second) in met:
                    continue
                met.add((first, second))
                before, after = values[first], values[second]
                change = None if before is None or after is None else after - before
                pairs.append(Pair(first, second, core, f"{one}>>{two}", change))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def _cuts(molecule: Chem.Mol) -> list[tuple[str, str]]:
    """(core, group) of every single cut, both with the place of the cut."""
    found = []
    for _core, text in rdMMPA.FragmentMol(molecule, maxCuts=1, maxCutBonds=60, pattern=_CUT, resultsAsMols=False):
        one, two = text.split(".")
        for core, group in ((one, two), (two, one)):
            atoms = Chem.MolFromSmiles(group)
            if atoms is not None and atoms.GetNumHeavyAtoms() <= LARGEST_CHANGE + 1 and len(core) >= len(group):
                found.append((core, group))
    return found
