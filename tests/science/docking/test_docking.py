"""Docking: receptors typed as a reference types them, every ligand accounted for, runs that go on where they were."""

import json
from collections import Counter

import pytest

from support import shared_data

pytest.importorskip("gemmi")
pytest.importorskip("meeko")

import numpy as np

from madang.base.errors import MadangError
from madang.science.docking import engine as engines
from madang.science.docking.engine import find_engine
from madang.science.docking.ligand import Undockable, prepare, read_known
from madang.science.docking.receptor import Box, box_around, box_of_residues, read_receptor
from madang.science.docking.run import Ligand, dock_all, redock, results

PEPTIDE = """\
ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00  0.00           N
ATOM      2  CA  ALA A   1      11.639   6.071  -5.147  1.00  0.00           C
ATOM      3  C   ALA A   1      12.758   7.097  -5.009  1.00  0.00           C
ATOM      4  O   ALA A   1      12.562   8.290  -5.260  1.00  0.00           O
ATOM      5  CB AALA A   1      10.500   6.300  -4.150  0.40  0.00           C
ATOM      6  CB BALA A   1      10.600   6.400  -4.100  0.60  0.00           C
ATOM      7  N   SER A   4      13.950   6.600  -4.600  1.00  0.00           N
ATOM      8  CA  SER A   4      15.100   7.480  -4.400  1.00  0.00           C
ATOM      9  C   SER A   4      15.500   7.500  -2.930  1.00  0.00           C
ATOM     10  O   SER A   4      15.600   6.450  -2.290  1.00  0.00           O
ATOM     11  OG  SER A   4      16.200   7.000  -5.170  1.00  0.00           O
HETATM   12  O   HOH A 101      20.000  20.000  20.000  1.00  0.00           O
HETATM   13 ZN    ZN A 102      18.000   5.000  -5.000  1.00  0.00          ZN
HETATM   14  C1  LIG B   1       2.000   2.000   2.000  1.00  0.00           C
HETATM   15  O1  LIG B   1       3.200   2.000   2.000  1.00  0.00           O
END
"""


def types(pdbqt):
    return Counter(line[77:].strip() for line in pdbqt.splitlines() if line.startswith("ATOM"))


def test_what_a_receptor_lacks_is_said(tmp_path):
    path = tmp_path / "r.pdb"
    path.write_text(PEPTIDE)
    receptor = read_receptor(path, np.array([[2.0, 2, 2], [3.2, 2, 2]]))
    report = receptor.report
    assert report["missing_residues"] == ["A:2-3"] and report["missing_atoms"] == ["A:SER4: CB"]
    assert report["alternate_places"] == 1 and report["water_left_out"] == 1
    assert report["ligand_left_out"] == ["B:LIG1"] and report["other_groups_kept"] == ["A:ZN102"]
    assert (report["hydrogens_given"], report["hydrogens_added"]) == (0, 3)
    assert types(receptor.pdbqt) == {"N": 2, "C": 5, "OA": 3, "HD": 3, "Zn": 1}
    assert " 10.600" in receptor.pdbqt and " 10.500" not in receptor.pdbqt
    assert read_receptor(path, chains=["B"]).report["chains_left_out"] == ["A"]
    assert box_of_residues(path, ["A:SER4"]).size == (18, 18, 18)
    with pytest.raises(MadangError, match="has no residue"):
        box_of_residues(path, ["A:99"])


@pytest.mark.parametrize("text", ["", "nonsense\n", "REMARK nothing\nEND\n"])
def test_files_that_are_no_receptor(tmp_path, text):
    path = tmp_path / "r.pdb"
    path.write_text(text)
    with pytest.raises(MadangError) as error:
        read_receptor(path)
    assert error.value.code == "docking.no_receptor"


def test_ligands_that_cannot_be_docked_say_why(tmp_path):
    assert "ROOT" in prepare("CC(=O)[O-].[Na+]")
    for smiles, reason in (("C1CC", "read"), ("*CC", "dummy"), ("C" * 200, "too many"), ("[Pt](Cl)(Cl)(N)N", ".+")):
        with pytest.raises(Undockable, match=reason):
            prepare(smiles)
    path = tmp_path / "l.sdf"
    path.write_text("nothing\n")
    with pytest.raises(MadangError, match="coordinates"):
        read_known(path)


class Fake:
    """Stands for Vina where the run is what is tested."""

    def __init__(self, died=()):
        self.asked, self.died = [], set(died)

    def dock(self, ligand):
        self.asked.append(ligand)
        if len(self.asked) in self.died:
            raise KeyboardInterrupt
        pose = "".join(line + "\n" for line in ligand.splitlines())
        return f"MODEL 1\n{pose}ENDMDL\n", [-5.0]


def test_a_run_goes_on_where_it_was_and_bad_ligands_stop_nothing(tmp_path):
    ligands = [Ligand("a", "CCO"), Ligand("bad", "*C"), Ligand("b", "CCN"), Ligand("c", "CCCl")]
    first = Fake(died={2})
    with pytest.raises(KeyboardInterrupt):
        dock_all(ligands, tmp_path / "run", {"seed": 1}, lambda: first)
    assert [one.id for one in results(tmp_path / "run")] == ["a", "bad"]
    second = Fake(died={1})
    with pytest.raises(KeyboardInterrupt):
        dock_all(ligands, tmp_path / "run", {"seed": 1}, lambda: second)
    with (tmp_path / "run" / "results.jsonl").open("a") as file:
        file.write('{"id": "cut')  # killed while it wrote
    third = Fake()
    done = dock_all(ligands, tmp_path / "run", {"seed": 1}, lambda: third)
    assert [(one.id, one.score) for one in done] == [("a", -5.0), ("bad", None), ("b", None), ("c", -5.0)]
    assert "dummy" in done[1].problem and "ended while" in done[2].problem and len(third.asked) == 1
    assert ">  <score>\n-5.000" in done[0].sdf
    with pytest.raises(MadangError, match="another receptor"):
        dock_all(ligands, tmp_path / "run", {"seed": 2}, lambda: third)


def test_vina_missing_is_one_sentence(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    with pytest.raises(MadangError) as error:
        find_engine("", Box((0, 0, 0), (1, 1, 1)), exhaustiveness=1, poses=1, seed=1, cpu=1)
    assert error.value.code == "docking.missing" and "autodock-vina" in error.value.hint


def test_atoms_are_typed_as_the_reference_types_them():
    known = read_known(shared_data("docking/1iep_ligand.sdf"))
    mine = types(read_receptor(shared_data("docking/1iep_receptorH.pdb"), known.coordinates).pdbqt)
    theirs = types(shared_data("docking/1iep_receptor.pdbqt").read_text())
    theirs["SA"] += theirs.pop("S")  # Vina's function makes no difference
    mine["HD"] -= 5  # hydrogens of cysteines, which the reference has merged
    assert mine == theirs
    box = box_around(known.coordinates)
    assert box.center == pytest.approx((15.19, 53.903, 16.917), abs=0.01)
    json.dumps(box.size)


@pytest.mark.big
def test_imatinib_docks_again_within_one_angstrom():
    pytest.importorskip("vina")
    known = read_known(shared_data("docking/1iep_ligand.sdf"))
    receptor = read_receptor(shared_data("docking/1iep_receptorH.pdb"), known.coordinates)
    box = box_around(known.coordinates)
    vina = find_engine(receptor.pdbqt, box, exhaustiveness=8, poses=9, seed=42, cpu=0)
    control = redock(known, vina)
    assert control is not None and control.rmsd < 1 and control.score < -12
