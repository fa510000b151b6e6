"""Drawings of molecules as SVG, with what matched highlighted."""

from functools import lru_cache

from madang.science.chemistry.needs import needed
from madang.science.chemistry.structure import Unreadable, read_query, read_structure

with needed("rdkit"):
    from rdkit.Chem.Draw import rdMolDraw2D


@lru_cache(maxsize=4096)
def drawing(smiles: str, match: str = "", width: int = 220, height: int = 150) -> str:
    """A molecule as SVG; atoms and bonds that a query (SMARTS, SMILES or molfile) matches are highlighted."""
    molecule = read_structure(smiles)
    atoms: list[int] = []
    bonds: list[int] = []
    if match:
        try:
            query = read_query(match)
            atoms = list(molecule.GetSubstructMatch(query))
            for bond in query.GetBonds() if atoms else ():
                ends = atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()]
                found = molecule.GetBondBetweenAtoms(*ends)
                if found is not None:
                    bonds.append(found.GetIdx())
        except Unreadable:
            pass
    canvas = rdMolDraw2D.MolDraw2DSVG(width, height)
    canvas.drawOptions().clearBackground = False
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule, highlightAtoms=atoms, highlightBonds=bonds)
    canvas.FinishDrawing()
    return str(canvas.GetDrawingText())
