"""Libraries: every row of every kind of file is a compound, a duplicate, a reject or unused, and nothing is lost."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import shared_data

pytest.importorskip("rdkit")

from rdkit import Chem
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.science.chemistry import library
from madang.science.chemistry.properties import OwnAlert, alerts
from madang.science.chemistry.reading import read_rows
from madang.science.chemistry.register import register_all
from madang.science.chemistry.structure import Unreadable, identify, read_molfile, read_smiles

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.fixture
def dataset(tmp_path):
    return Lake(tmp_path / "lake", tmp_path / "restricted").dataset("mine")


def put(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def compounds(version):
    return library.read_table(version, "compound").to_pylist()


def sdf(*records):
    return "".join(
        Chem.MolToMolBlock(Chem.MolFromSmiles(smiles), forceV3000=v3000).replace("\n", f"{name}\n", 1)
        + "".join(f">  <{key}>\n{value}\n\n" for key, value in fields.items())
        + "$$$$\n"
        for smiles, name, fields, v3000 in records
    )


GOOD = ("CCO", "OCC", "c1ccccc1O", "CC(=O)[O-].[Na+]", "C[C@H](F)Cl", "C[C@@H](F)Cl", "[13CH4]", "*CC")
BAD = ("C1CC", "CO(C)C", "xyz", "c1cccc1")
UNUSED = ("", "   ", "# a remark")


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([*GOOD, *BAD, *UNUSED]), min_size=1, max_size=25))
def test_every_row_is_accounted_for(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    path = put(folder / "rows.smi", "".join(f"{row}\n" for row in rows))
    added = library.add_files(Lake(folder / "lake", folder / "restricted").dataset("mine"), [path])
    (account,) = added.accounts
    different = {Chem.CanonSmiles(row) for row in rows if row in GOOD}
    good = sum(row in GOOD for row in rows)
    assert account.adds_up() and account.rows == len(rows)
    assert account.compounds == len(different) == len(compounds(added.version))
    assert account.duplicates == good - len(different)
    assert account.rejects == sum(row in BAD for row in rows) == len(added.rejects)
    assert [reject.line for reject in added.rejects] == [n for n, row in enumerate(rows, 1) if row in BAD]
    fates = library.read_table(added.version, "fate").to_pylist()
    assert [fate["line"] for fate in fates] == list(range(1, len(rows) + 1))


def test_rejects_say_why(dataset, tmp_path):
    path = put(tmp_path / "bad.smi", "CO(C)C a\nc1cccc1 b\nC1CC c\n" + "C" * 1500 + " d\n" + "C" * 30_000 + " e\n")
    reasons = [reject.reason for reject in library.add_files(dataset, [path]).rejects]
    assert "valence" in reasons[0] and "kekulize" in reasons[1]
    assert reasons[2] == "not a SMILES" and "1,500 atoms" in reasons[3] and "too long" in reasons[4]


def test_sdf_with_fields_of_vendors(dataset, tmp_path):
    text = sdf(("CCO", "one", {"PRICE": "12", "note": "two\nlines"}, False), (ASPIRIN, "", {"ID": "two"}, True))
    path = put(tmp_path / "v.sdf.gz", gzip.compress(text.replace("\n", "\r\n").encode()))
    added = library.add_files(dataset, [path])
    assert [(row["id"], row["smiles"]) for row in compounds(added.version)] == [("one", "CCO"), ("two", ASPIRIN)]
    kept = library.read_table(added.version, "given").to_pylist()
    assert json.loads(kept[0]["fields"]) == {"PRICE": "12", "note": "two\nlines"}


def test_sdf_that_is_cut_off(dataset, tmp_path):
    text = sdf(("CCO", "one", {}, False), (ASPIRIN, "two", {}, False))
    (account,) = library.add_files(dataset, [put(tmp_path / "cut.sdf", text[: len(text) - 90])]).accounts
    assert (account.rows, account.compounds, account.rejects) == (2, 1, 1)


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "parquet"])
def test_tables(dataset, tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    header, rows = ["SMILES", "Compound ID", "vendor"], [["CCO", "a", "V"], ["C1C", "b", ""], [ASPIRIN, "c", "W"]]
    if ending == "parquet":
        pq.write_table(pa.table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))), path)
    elif ending == "xlsx":
        xlsxwriter = pytest.importorskip("xlsxwriter")
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate([header, *rows]):
                sheet.write_row(number, 0, row)
    else:
        mark = "," if ending == "csv" else "\t"
        put(path, "".join(mark.join(row) + "\n" for row in [header, *rows]))
    added = library.add_files(dataset, [path])
    assert [(row["id"], row["smiles"]) for row in compounds(added.version)] == [("a", "CCO"), ("c", ASPIRIN)]
    assert [reject.line for reject in added.rejects] == [2 if ending == "parquet" else 3]


def test_the_structure_column_is_found_or_asked_for(tmp_path):
    found = put(tmp_path / "a.csv", "no,what\n1,CCO\n2,CCN\n3,c1ccccc1\n4,CCCCO\n")
    assert [row.given for row in read_rows(found)] == ["CCO", "CCN", "c1ccccc1", "CCCCO"]
    two = put(tmp_path / "b.csv", "smiles,canonical_smiles\nOCC,CCO\n")
    with pytest.raises(MadangError, match="More than one column") as error:
        list(read_rows(two))
    assert "--structure" in error.value.hint
    assert [row.given for row in read_rows(two, "canonical_smiles")] == ["CCO"]
    with pytest.raises(MadangError, match="No column"):
        list(read_rows(put(tmp_path / "c.csv", "a,b\n1,2\n")))


def test_encodings_and_line_ends(tmp_path):
    korean = put(tmp_path / "k.smi", "CCO 에탄올\r\nCCN 아민\r\n".encode("cp949"))
    assert [row.name for row in read_rows(korean)] == ["에탄올", "아민"]
    mac = put(tmp_path / "m.smi", b"CCO a\rCCN b\r")
    assert [row.name for row in read_rows(mac)] == ["a", "b"]
    with pytest.raises(MadangError, match="UTF-16"):
        list(read_rows(put(tmp_path / "u.smi", "CCO a\n".encode("utf-16"))))
    with pytest.raises(MadangError, match="damaged or cut off"):
        list(read_rows(put(tmp_path / "z.smi.gz", gzip.compress(b"CCO a\n" * 999)[:40])))
    with pytest.raises(MadangError, match="cannot be told"):
        list(read_rows(put(tmp_path / "x.pdf", b"")))


def test_what_was_given_and_what_it_is(tmp_path):
    salt = identify(read_smiles("C[NH2+]C.[Cl-]"))
    assert salt.smiles == "C[NH2+]C.[Cl-]" and salt.parent == "CNC" and salt.parent_inchikey != salt.inchikey
    assert identify(read_smiles("[13CH4]")).inchikey != identify(read_smiles("C")).inchikey
    assert "R group or dummy atom" in identify(read_smiles("*CC")).notes
    assert "stereo center not given" in identify(read_smiles("CC(F)Cl")).notes
    racemic = identify(read_smiles("C[C@H](F)Cl |&1:1|"))
    assert "&1" in racemic.smiles and racemic.smiles != identify(read_smiles("C[C@H](F)Cl")).smiles


def test_the_parent_is_the_drug_and_not_what_it_was_given_with():
    amine = "CN(C)C(=N)NC(N)=N"
    beside = (
        *("Cl", "OC(=O)/C=C/C(=O)O", "OC(=O)C(F)(F)F", "[Na+].[Cl-].O", "CS(C)=O"),
        "OC(=O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O",  # larger than the drug
    )
    for text in beside:
        assert identify(read_smiles(f"{amine}.{text}")).parent == identify(read_smiles(amine)).smiles, text
    charged = identify(read_smiles("CN(C)C(=N)NC(N)=[NH2+].OC(=O)[C@H](O)[C@@H](O)C(=O)[O-]"))
    assert charged.parent == identify(read_smiles(amine)).smiles
    assert identify(read_smiles("OC(=O)/C=C/C(=O)O.O")).parent == "O=C(O)/C=C/C(=O)O", "alone it is what was meant"
    assert identify(read_smiles("CC(=O)[O-].[Na+]")).parent == "CC(=O)O"


def test_numbers_by_which_reactions_map_atoms_make_no_other_compound():
    assert identify(read_smiles("[CH3:1][OH:2]")).smiles == "CO"
    assert identify(read_smiles("[*:1]CO")).smiles == "OC[*:1]", "where an R group is attached stays"


def test_names_are_one_line(dataset, tmp_path):
    text = sdf(("CCO", "", {"Compound Name": "two\nlines"}, False))
    added = library.add_files(
        dataset, [put(tmp_path / "a.sdf", text), put(tmp_path / "b.csv", 'id,smiles\n"x\ny",CCN\n')]
    )
    assert [row["id"] for row in compounds(added.version)] == ["two lines", "x y"]


def test_what_a_chemist_should_look_at_is_noted_and_nothing_is_lost(dataset, tmp_path):
    rows = ["CCO.CCN m", "[Fe+2].[O-]C(=O)C.[O-]C(=O)C f", "C[CH2] r", "[1*]CCO g", "CCOC", f"{'C' * 10_000} big"]
    added = library.add_files(dataset, [put(tmp_path / "odd.smi", "".join(f"{row}\n" for row in rows))])
    notes = {row["id"]: row["notes"] for row in compounds(added.version)}
    assert "fragments" in notes["m"] and "metal" in notes["f"] and "radical" in notes["r"]
    assert "R group" in notes["g"]
    (unnamed,) = set(notes) - {"m", "f", "r", "g"}  # a row without a name gets one
    assert unnamed and [row["smiles"] for row in compounds(added.version) if row["id"] == unnamed] == ["CCOC"]
    assert len(added.rejects) == 1 and "10,000 atoms" in added.rejects[0].reason


def test_one_id_for_two_structures(dataset, tmp_path):
    added = library.add_files(dataset, [put(tmp_path / "d.smi", "CCO x\nCCN x\nOCC x\n")])
    assert [row["id"] for row in compounds(added.version)] == ["x", "x (2)"]
    assert "also another structure's" in compounds(added.version)[1]["notes"]


def test_growing_removing_and_comparing(dataset, tmp_path):
    first = library.add_files(dataset, [put(tmp_path / "1.smi", "CCO a\nCCN b\n")]).version
    second = library.add_files(dataset, [put(tmp_path / "2.smi", "NCC again\nCCCl c\n")])
    assert second.accounts[0].duplicates == 1 and second.version.info["compounds"] == 3
    third, missing = library.remove_compounds(dataset, ["b", "nobody"])
    assert missing == ["nobody"] and [row["id"] for row in compounds(third)] == ["a", "c"]
    change = library.difference(first, third)
    assert [row["id"] for row in change["added"]] == ["c"] and [row["id"] for row in change["removed"]] == ["b"]
    fourth = library.add_files(dataset, [put(tmp_path / "3.smi", "CCN b\n")]).version
    assert compounds(fourth)[-1]["compound_id"] == 4  # a number is never given twice


def test_several_processes_say_the_same(tmp_path, monkeypatch):
    path = put(tmp_path / "many.smi", "".join(f"{'C' * (1 + n % 7)}O m{n}\n" for n in range(60)) + "C1C bad\n")
    alone = list(register_all(read_rows(path), processes=1))
    monkeypatch.setattr("madang.science.chemistry.register.ENOUGH_TO_SHARE", 10)
    assert list(register_all(read_rows(path), processes=2)) == alone


def test_alerts_are_those_of_the_catalog():
    parameters = FilterCatalogParams()
    parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.PAINS)
    parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.BRENK)
    catalog = FilterCatalog(parameters)
    rhodanine = "O=C1NC(=S)SC1=Cc1ccc(O)cc1"
    for smiles in (rhodanine, ASPIRIN, "O=C1C=CC(=O)C=C1", "CCO", "Oc1ccc(N=Nc2ccccc2)cc1O", "NNC(=S)N"):
        molecule = Chem.MolFromSmiles(smiles)
        found = sorted(alert.name for alert in alerts(molecule))
        assert found == sorted(entry.GetDescription() for entry in catalog.GetMatches(molecule))
    (mine,) = [a for a in alerts(Chem.MolFromSmiles("CCO"), [OwnAlert("alcohol", "[OX2H]")]) if a.source == "own"]
    assert mine.atoms == (2,)


def test_molfiles_that_are_no_molecules():
    for text in ("", "\n\n\nM  END\n", "<script>alert(1)</script>\n\n\n  1  0\nM  END\n", "\n\n\n999999\nM  END\n"):
        with pytest.raises(Unreadable):
            read_molfile(text)


def test_a_dataset_that_is_no_library(dataset, tmp_path):
    with dataset.write() as writer:
        path = writer.new_file("person")
        pq.write_table(pa.table({"person_id": [1]}), path)
        writer.add("person", path)
        writer.commit(kind="import")
    with pytest.raises(MadangError, match="no library"):
        library.add_files(dataset, [put(tmp_path / "1.smi", "CCO a\n")])


def test_nothing_is_no_library(dataset, tmp_path):
    with pytest.raises(MadangError, match="nothing in"):
        library.add_files(dataset, [put(tmp_path / "empty.smi", "")])
    assert not dataset.exists
    added = library.add_files(dataset, [put(tmp_path / "null.smi", "\0\0CCO\0\n")])
    assert "null character" in added.rejects[0].reason


def test_the_unparsable_ones(dataset):
    (account,) = library.add_files(dataset, [shared_data("molecules/unparsable.smi")]).accounts
    assert (account.rows, account.rejects, account.compounds) == (34, 34, 0)


@pytest.mark.big
def test_the_search_set(dataset):
    added = library.add_files(dataset, [shared_data("molecules/search_set.smi.gz")])
    assert (added.accounts[0].rows, added.accounts[0].compounds) == (67_335, 67_335)
