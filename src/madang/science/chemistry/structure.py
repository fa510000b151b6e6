"""Structures: read from SMILES or a molfile with a reason where that fails, their identity, parent and fingerprints."""

import contextlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.chemistry.needs import needed

with needed("rdkit"):
    from rdkit import Chem, DataStructs, RDLogger
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.Chem.MolStandardize import rdMolStandardize

# What is wrong with a structure goes into its reason, not onto somebody's terminal.
RDLogger.DisableLog("rdApp.*")
MOST_ATOMS = 999  # heavy atoms; what a V2000 molfile can hold. Larger ones are no small molecules
LONGEST_SMILES = 20_000
RADIUS, BITS = 2, 2048
PATTERN_BITS = 1024


class Unreadable(Exception):
    """A structure cannot be read; the text says why, in English."""


@dataclass(frozen=True)
class Identity:
    """What a structure is recognized by.

    `smiles` is canonical and keeps salts, charges, isotopes and all stereo (with an extension where stereo groups
    need it). `parent` is the largest organic fragment that is no usual salt former or solvent, neutralized where that
    can be done. The InChIKeys are empty
    where InChI has no name for the structure, as with R groups. `notes` say what a chemist should look at.
    """

    smiles: str
    inchikey: str
    parent: str
    parent_inchikey: str
    notes: tuple[str, ...]


def read_structure(text: str) -> Chem.Mol:
    """A molecule from SMILES (also with CXSMILES extension) or a molfile, whichever it is; raises `Unreadable`."""
    return read_molfile(text) if "\n" in text.strip() or "M  END" in text else read_smiles(text)


def read_smiles(text: str) -> Chem.Mol:
    """A molecule from SMILES; raises `Unreadable`."""
    text = text.strip()
    if not text:
        raise Unreadable("no structure")
    if len(text) > LONGEST_SMILES:
        raise Unreadable(f"{len(text):,} characters are too long for the SMILES of a small molecule")
    if "\0" in text:  # RDKit would read up to it only
        raise Unreadable("a null character is in the structure")
    parameters: Any = Chem.SmilesParserParams()
    parameters.allowCXSMILES = "|" in text
    parameters.parseName = False
    head = text.split(None, 1)[0]
    molecule = _guarded(lambda: Chem.MolFromSmiles(text if "|" in text else head, parameters))
    if molecule is None:
        raise Unreadable(_why(lambda: Chem.MolFromSmiles(head, sanitize=False), "not a SMILES"))
    return _sized(molecule)


def read_molfile(text: str) -> Chem.Mol:
    """A molecule from a molfile, V2000 or V3000; raises `Unreadable`."""
    if "\0" in text:
        raise Unreadable("a null character is in the structure")
    if "M  END" not in text:
        raise Unreadable("the molfile is cut off: it has no line `M  END`")
    molecule = _guarded(lambda: Chem.MolFromMolBlock(text))
    if molecule is None:
        raise Unreadable(_why(lambda: Chem.MolFromMolBlock(text, sanitize=False), "not a molfile"))
    return _sized(molecule)


def read_query(smarts: str) -> Chem.Mol:
    """A substructure query from SMARTS (or SMILES, which is SMARTS almost always) or a molfile; raises `Unreadable`."""
    text = smarts.strip()
    if not text:
        raise Unreadable("no query")
    if len(text) > LONGEST_SMILES:
        raise Unreadable("the query is too long")
    if "M  END" in text:
        return read_molfile(smarts)
    query = _guarded(lambda: Chem.MolFromSmarts(text))
    if query is None or not query.GetNumAtoms():
        raise Unreadable("not a SMARTS")
    return query


def identify(molecule: Chem.Mol) -> Identity:
    """Names of a molecule by which duplicates are found."""
    smiles = canonical(molecule)
    notes = []
    parent = molecule
    if "." in smiles:
        parent = _parent_of(molecule)
        notes.append("several fragments")
    if any(atom.GetFormalCharge() for atom in parent.GetAtoms()):
        with contextlib.suppress(Exception):  # a charge that cannot be taken away stays
            parent = _uncharger().uncharge(parent)
    parent_smiles = canonical(parent) if parent is not molecule else smiles
    inchikey = inchikey_of(molecule)
    parent_key = inchikey if parent_smiles == smiles else inchikey_of(parent)
    atoms = list(molecule.GetAtoms())
    if any(not atom.GetAtomicNum() for atom in atoms):
        notes.append("R group or dummy atom")
    elif not inchikey:
        notes.append("no InChI")
    if any(atom.GetNumRadicalElectrons() for atom in atoms):
        notes.append("radical")
    if any(_is_metal(atom.GetAtomicNum()) for atom in atoms):
        notes.append("metal")
    if any(atom.GetIsotope() for atom in atoms if atom.GetAtomicNum()):
        notes.append("isotope")
    open_centers = Chem.FindMolChiralCenters(molecule, includeUnassigned=True, useLegacyImplementation=False)
    if any(kind == "?" for _atom, kind in open_centers):
        notes.append("stereo center not given")
    return Identity(smiles, inchikey, parent_smiles, parent_key, tuple(notes))


def canonical(molecule: Chem.Mol) -> str:
    """Canonical SMILES with all stereo; CXSMILES where the molecule has groups of relative or racemic stereo."""
    if molecule.GetStereoGroups():
        parameters = Chem.SmilesWriteParams()
        copy = Chem.Mol(molecule)
        Chem.CanonicalizeEnhancedStereo(copy)
        return str(Chem.MolToCXSmiles(copy, parameters, Chem.CXSmilesFields.CX_ENHANCEDSTEREO))
    return str(Chem.MolToSmiles(molecule))


def inchikey_of(molecule: Chem.Mol) -> str:
    """Standard InChIKey, empty where InChI has none."""
    if any(not atom.GetAtomicNum() for atom in molecule.GetAtoms()):
        return ""
    try:
        return str(Chem.MolToInchiKey(molecule, options="/LargeMolecules"))
    except Exception:  # InChI gives up on some structures by whatever exception
        return ""


def fingerprint(molecule: Chem.Mol) -> npt.NDArray[np.uint64]:
    """Morgan fingerprint, radius 2, 2,048 bits, RDKit's defaults: 32 words, bit b in word b // 64, lowest first."""
    return np.frombuffer(fingerprint_bytes(molecule), dtype="<u8")


def fingerprint_bytes(molecule: Chem.Mol) -> bytes:
    """The fingerprint as 256 bytes."""
    return bytes(DataStructs.BitVectToBinaryText(_morgan().GetFingerprint(molecule)))


def sharpened(query: Chem.Mol) -> tuple[Chem.Mol, bool]:
    """A query whose open bonds (in SMARTS no sign is "single or aromatic") are closed where only one of both can be,
    and whether that leaves something out.

    At an aliphatic atom the bond is single. In a ring between two aromatic atoms it is taken as aromatic; molecules in
    which two aromatic atoms are joined by a single bond may match otherwise and are left out.
    """
    kinds = [_kind(atom) for atom in query.GetAtoms()]
    sharp, leaves_out = Chem.RWMol(query), False
    for bond in query.GetBonds():
        if not bond.HasQuery() or not bond.DescribeQuery().startswith("SingleOrAromaticBond"):
            continue
        one, other = kinds[bond.GetBeginAtomIdx()], kinds[bond.GetEndAtomIdx()]
        if "aliphatic" in (one, other):
            sharp.ReplaceBond(bond.GetIdx(), Chem.BondFromSmarts("-"))
        elif one == other == "aromatic" and bond.IsInRing():
            sharp.ReplaceBond(bond.GetIdx(), Chem.BondFromSmarts(":"))
            leaves_out = True
    found = sharp.GetMol()
    found.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(found)
    return found, leaves_out


_LOCAL = {
    *("AtomType", "AtomAnd", "AtomOr", "AtomNull", "AtomAtomicNum", "AtomHCount", "AtomTotalDegree", "AtomIsotope"),
    *("AtomExplicitDegree", "AtomFormalCharge", "AtomNegativeFormalCharge", "AtomIsAromatic", "AtomAromatic"),
    *("AtomAliphatic", "AtomIsAliphatic"),
    *("SingleOrAromaticBond", "BondOrder", "BondNull", "BondOr"),
}


def asks_for_no_ring(query: Chem.Mol) -> bool:
    """Whether a query asks for nothing but elements, hydrogens, degrees, charges and orders of bonds, which need no
    knowledge of rings."""
    told = [each.DescribeQuery() for each in (*query.GetAtoms(), *query.GetBonds()) if each.HasQuery()]
    return all(line.split()[0] in _LOCAL for text in told for line in text.splitlines() if line.strip())


def _kind(atom: Chem.Atom) -> str:
    """Whether what an atom of a query stands for is surely aliphatic or aromatic; else nothing."""
    if not atom.HasQuery():
        return "aromatic" if atom.GetIsAromatic() else "aliphatic"
    lines = [line.split() for line in atom.DescribeQuery().splitlines() if line.strip()]
    if any(line[0] not in _LOCAL or line[0] == "AtomOr" or "!=" in line or "!" in line[0] for line in lines):
        return ""
    kinds = [int(line[1]) for line in lines if line[0] == "AtomType"]
    if len(kinds) != 1:
        return ""
    return "aromatic" if kinds[0] > 1000 else "aliphatic"


def pattern_bytes(molecule: Chem.Mol) -> bytes:
    """Fingerprint for screening substructures, 128 bytes: a match has all bits of the query."""
    return bytes(DataStructs.BitVectToBinaryText(Chem.PatternFingerprint(molecule, PATTERN_BITS)))


@cache
def _morgan() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@cache
def _largest() -> Any:
    return rdMolStandardize.LargestFragmentChooser(True)  # preferring organic fragments


# What is given beside a drug and may be larger than it: acids, bases and solvents, without charge and stereo.
_BESIDE = """
O CO CCO CC(C)O CC(C)=O CC#N CS(C)=O CN(C)C=O ClCCl ClC(Cl)Cl C1CCOC1 C1COCCO1 CCOC(C)=O Cc1ccccc1 OC=O CC(=O)O
OC(=O)C(F)(F)F OC(=O)C(=O)O OC(=O)CC(=O)O OC(=O)CCC(=O)O OC(=O)C=CC(=O)O OC(=O)C(O)C(O)C(=O)O OC(=O)CC(O)C(=O)O
OC(=O)CC(O)(CC(=O)O)C(=O)O CC(O)C(=O)O OCC(=O)O OCC(O)C(O)C(O)C(O)C(=O)O OCC(O)C(O)C(O)C(O)C(O)C(=O)O CS(=O)(=O)O
CCS(=O)(=O)O OCCS(=O)(=O)O OS(=O)(=O)CCS(=O)(=O)O OS(=O)(=O)c1ccccc1 Cc1ccc(S(=O)(=O)O)cc1
OS(=O)(=O)c1ccc2ccccc2c1 OS(=O)(=O)c1cccc2c1cccc2S(=O)(=O)O CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2 OC(=O)c1ccccc1
OC(=O)c1ccc2ccccc2c1O OC(=O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O CCCCCCCCCCCCOS(=O)(=O)O
CCCCCCCCCCCCCCCCCC(=O)O CCCCCCCCCCCCCCCC(=O)O CNCC(O)C(O)C(O)C(O)CO NC(CO)(CO)CO NCCO OCCNCCO CCNCC CCN(CC)CC
C[N+](C)(C)CCO NCCCCC(N)C(=O)O NC(=N)NCCCC(N)C(=O)O c1ccc(CNCCNCc2ccccc2)cc1 C1CCC(NC2CCCCC2)CC1 CC(C)(C)N
""".split()


@cache
def _beside() -> frozenset[str]:
    return frozenset(Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in _BESIDE)


def _parent_of(molecule: Chem.Mol) -> Chem.Mol:
    """The largest organic fragment of several, of those that are no salt former or solvent if any is left."""
    parts = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)
    left = []
    for part in parts:
        plain = Chem.Mol(part)
        with contextlib.suppress(Exception):  # what cannot be neutralized is looked up as it is
            plain = _uncharger().uncharge(plain)
        if Chem.MolToSmiles(plain, isomericSmiles=False) not in _beside():
            left.append(part)
    organic = [part for part in left if any(atom.GetAtomicNum() == 6 for atom in part.GetAtoms())]
    if not organic or len(organic) == len(parts):
        return _largest().choose(molecule)
    whole = organic[0]
    for part in organic[1:]:
        whole = Chem.CombineMols(whole, part)
    return _largest().choose(whole) if len(organic) > 1 else whole


@cache
def _uncharger() -> Any:
    return rdMolStandardize.Uncharger()


def _sized(molecule: Chem.Mol) -> Chem.Mol:
    atoms = molecule.GetNumAtoms()
    if not atoms:
        raise Unreadable("no atoms")
    if atoms > MOST_ATOMS:
        raise Unreadable(f"{atoms:,} atoms are more than the {MOST_ATOMS} of a small molecule")
    for atom in molecule.GetAtoms():  # numbers by which a reaction maps atoms are no part of a structure
        if atom.GetAtomMapNum() and atom.GetAtomicNum():
            atom.SetAtomMapNum(0)
    return molecule


def _guarded(read: Any) -> Any:
    try:
        return read()
    except Exception:  # RDKit raises several kinds of its own for what it cannot read
        return None


def _why(read: Any, otherwise: str) -> str:
    """Why a structure was refused: what sanitizing says, or that its text means nothing."""
    molecule = _guarded(read)
    if molecule is None:
        return otherwise
    if molecule.GetNumAtoms() > MOST_ATOMS:
        return f"{molecule.GetNumAtoms():,} atoms are more than the {MOST_ATOMS} of a small molecule"
    try:
        Chem.SanitizeMol(molecule)
    except Exception as error:
        return " ".join(str(error).split()).removesuffix(".") or otherwise
    return otherwise


_NONMETALS = {0, 1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 51, 52, 53, 54, 85, 86}


def _is_metal(number: int) -> bool:
    return number not in _NONMETALS
