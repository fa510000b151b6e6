"""Structures of molecules: PDB and mmCIF, by gemmi."""

import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong

LARGEST = 512 << 20  # bytes of text that are read as a structure
_ATOM = re.compile(rb"(ATOM  |HETATM)")


def look_pdb(path: Path) -> Told:
    """Models, chains, atoms; numbers of atoms where they belong; the line that ends a file."""
    import gemmi

    text = _text(path)
    if text is None:
        return Told("PDB", False)
    found: list[Finding] = []
    lines = text.splitlines()
    told = sum(bool(_ATOM.match(line)) for line in lines)
    if not told:
        return Told("PDB", True, {}, (wrong("structure.empty", _("There is no atom in the file.")),))
    try:
        model = gemmi.read_pdb_string(text.decode("utf-8", "replace"))
    except (RuntimeError, ValueError) as error:
        message = _("The file cannot be read as {format}: {why}").format(format="PDB", why=str(error)[:200])
        return Told("PDB", True, {"atoms": told}, (wrong("structure.read", message),))
    count = sum(each.count_atom_sites() for each in model)
    if count != told:
        message = _("{told} lines are atoms, and {read} of them can be read.").format(told=told, read=count)
        found.append(wrong("structure.atoms", message))
    if not any(line.startswith(b"END") and not line.startswith(b"ENDMDL") for line in lines[-5:]):
        found.append(Finding("look", "file.end", _("The last line does not end: the file may be cut off.")))
    return Told("PDB", True, _facts(model), tuple(found))


def look_mmcif(path: Path) -> Told:
    """The same of mmCIF: blocks, loops that are whole, atoms."""
    import gemmi
    from gemmi import cif

    text = _text(path)
    if text is None:
        return Told("mmCIF", False)
    try:
        document = cif.read_string(text.decode("utf-8", "replace"))
        model = gemmi.make_structure_from_block(document[0])
    except (RuntimeError, ValueError, IndexError) as error:
        message = _("The file cannot be read as {format}: {why}").format(format="mmCIF", why=str(error)[:200])
        return Told("mmCIF", True, {}, (wrong("structure.read", message),))
    facts = _facts(model) | {"blocks": len(document)}
    if facts["atoms"] == 0:
        return Told("mmCIF", True, facts, (wrong("structure.empty", _("There is no atom in the file.")),))
    if not text.endswith(b"\n"):
        ends = _("The last line does not end: the file may be cut off.")
        return Told("mmCIF", True, facts, (Finding("look", "file.end", ends),))
    return Told("mmCIF", True, facts)


def _text(path: Path) -> bytes | None:
    with unpacked(path) as file:
        text = file.read(LARGEST + 1)
    return text if len(text) <= LARGEST else None


def _facts(model: object) -> dict[str, object]:
    models = list(model)  # type: ignore[call-overload]  # gemmi's own kind of list
    return {
        "models": len(models),
        "chains": len({chain.name for each in models for chain in each}),
        "atoms": sum(each.count_atom_sites() for each in models),
        "name": str(getattr(model, "name", ""))[:60],
    }
