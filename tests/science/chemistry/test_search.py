"""Search: the compiled scan against comparing everything, the index against RDKit, substructures against RDKit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rdkit")

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.science.chemistry import search
from madang.science.chemistry.library import add_files
from madang.science.chemistry.segment import JOINED, open_segment, screen, write_screen, write_segment

MOLECULES = [
    *("CCO", "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "c1ccccc1"),
    *("CC(=O)Nc1ccc(O)cc1", "NS(=O)(=O)c1ccccc1", "Cc1ccc(cc1)S(=O)(=O)Nc1ccccn1", "C1CCCCC1", "OC(=O)c1ccccc1O"),
    *("CCN(CC)CCNC(=O)c1ccc(N)cc1", "Clc1ccccc1", "FC(F)(F)c1ccccc1", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
    *("c1ccc2[nH]ccc2c1", "c1ccc2ncccc2c1", "O=C(Nc1ccccc1)c1ccccc1", "CC(=O)[O-].[Na+]", "[2H]C(Cl)(Cl)Cl"),
    # aromatic atoms joined by single bonds, in rings and not
    *("c1ccc2c(c1)-c1ccccc1-2", "c1ccc2c(c1)Cc1ccccc1-2", "c1ccc2c(c1)c1ccccc1c1ccccc21", "c1ccc(-c2ccccn2)cc1"),
    *("c1cc2cccc3c4cccc5cccc(c(c1)c23)c54", "c1ccc2c(c1)[nH]c1ccccc12", "O=C1c2ccccc2-c2ccccc21", "C[n+]1ccccc1"),
]


@st.composite
def fingerprints(draw):
    """Molecules of very unequal density, blocks that do not fit four bits among them, and many equal scores."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    count = draw(st.sampled_from([1, 2, 1023, 1024, 1025, 2600]))
    density = draw(st.sampled_from([0.002, 0.02, 0.3, 0.9]))
    bits = random.random((count, 2048)) < density * random.random((count, 1))
    bits[random.random(count) < 0.02] = True
    bits[random.random(count) < 0.02] = False
    copies = random.integers(0, count, count // 3)
    bits[: len(copies)] = bits[copies]
    words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    queries = words[random.integers(0, count, 3)].copy()
    queries[1] &= random.integers(0, 2**63, 32, dtype=np.uint64)
    queries[2] = np.packbits(random.random(2048) < density, bitorder="little").view(np.uint64)
    return words, queries


@settings(max_examples=15, deadline=None)
@given(fingerprints(), st.sampled_from([1, 10, 5000]), st.sampled_from([0.0, 0.2, 0.7, 1.0]))
def test_the_scan_finds_what_comparing_everything_finds(tmp_path_factory, made, keep, threshold):
    words, queries = made
    path = tmp_path_factory.mktemp("segment") / "one.morgan"
    half = len(words) // 2
    write_segment(words[:half], path)
    write_segment(words[half:], path.with_name("two.morgan"))
    parts = [open_segment(path), open_segment(path.with_name("two.morgan"))]
    best, found, sizes, _compared = search.scan_segments(parts, queries, min(keep, len(words)), threshold, 1)
    for q, query in enumerate(queries):
        scores, places = search.brute_force(words, query, keep, threshold)
        order = np.lexsort((found[q, : sizes[q]], -best[q, : sizes[q]]))
        assert found[q, order].tolist() == places.tolist()
        assert best[q, order].tolist() == scores.tolist()


def test_several_threads_find_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "ENOUGH_FOR_A_THREAD", 1000)
    random = np.random.default_rng(5)
    bits = random.random((5_000, 2048)) < 0.03
    words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    write_segment(words, tmp_path / "one.morgan")
    parts = [open_segment(tmp_path / "one.morgan")]
    alone = search.scan_segments(parts, words[:2].copy(), 20, 0.0, 1)
    shared = search.scan_segments(parts, words[:2].copy(), 20, 0.0, 2)
    for q in range(2):
        order = np.lexsort((alone[1][q], -alone[0][q]))
        assert alone[1][q][order].tolist() == shared[1][q].tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 63, 64, 65, 700]))
def test_the_screen_finds_the_molecules_with_all_bits(tmp_path_factory, seed, count):
    random = np.random.default_rng(seed)
    half, other = random.integers(0, 256, (2, count, 128), dtype=np.uint8)
    patterns = half | other
    path = tmp_path_factory.mktemp("screen") / "one.screen"
    joined = random.random(count) < 0.5
    write_screen(patterns, joined, path)
    bits = sorted({int(bit) for bit in random.integers(0, 1025, 3)} | set(random.integers(0, 2, 1) * JOINED))
    flags = np.hstack([np.unpackbits(patterns, axis=1, bitorder="little"), joined[:, np.newaxis]])
    assert screen(path, bits).tolist() == [row for row in range(count) if flags[row, bits].all()]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    half = len(MOLECULES) // 2
    dataset = Lake(folder / "lake", folder / "restricted").dataset("small")
    for number, part in enumerate((MOLECULES[:half], MOLECULES[half:])):  # two files, so two segments
        path = folder / f"{number}.smi"
        path.write_text("".join(f"{smiles} m{number}{place}\n" for place, smiles in enumerate(part)))
        added = add_files(dataset, [path])
    return search.Index(added.version, folder / "index")


@pytest.mark.parametrize("query", MOLECULES[1:12:3])
def test_scores_are_those_of_rdkit(index, query):
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [maker.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in MOLECULES]
    scores = DataStructs.BulkTanimotoSimilarity(maker.GetFingerprint(Chem.MolFromSmiles(query)), prints)
    expected = sorted(zip(scores, MOLECULES, strict=True), key=lambda pair: -pair[0])  # stable
    found = search.similar(index, query, top=7)
    assert [hit.score for hit in found.hits] == [score for score, _smiles in expected[:7]]
    assert [Chem.CanonSmiles(smiles) for _score, smiles in expected[:7]] == [hit.smiles for hit in found.hits]
    enough = search.similar(index, query, threshold=0.3)
    assert len(enough.hits) == sum(score >= 0.3 for score in scores)


SMARTS = [
    *("c1ccccc1", "[NX3;H2]", "C(=O)[O;H1,-]", "[R]", "c1ccccc1S(=O)(=O)N", "[2H]", "*", "[#6]~[#7]", "[r6]C"),
    *("c1ccc1", "c1cccc1", "[#6]1[#6][#6][#6]1", "cc", "c-c", "[C,N]c1ccccc1", "[!C]C", "[nH]", "c1ccccc1C", "C1CCC1"),
    *("[X4]", "C@C", "a1aaaa1", "[$(c-c)]N", "[N;H0]", "C~N", "[+]", "cn"),
]


@pytest.mark.parametrize("smarts", SMARTS)
def test_substructures_are_those_of_rdkit(index, smarts):
    query = Chem.MolFromSmarts(smarts)
    expected = [smiles for smiles in MOLECULES if Chem.MolFromSmiles(smiles).HasSubstructMatch(query)]
    assert [hit.smiles for hit in search.substructure(index, smarts).hits] == [Chem.CanonSmiles(s) for s in expected]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pieces_of_molecules_are_found_as_rdkit_finds_them(index, data):
    molecule = Chem.MolFromSmiles(data.draw(st.sampled_from(MOLECULES)))
    atoms = [data.draw(st.integers(0, molecule.GetNumAtoms() - 1))]
    for _step in range(data.draw(st.integers(0, 12))):
        around = {n.GetIdx() for a in atoms for n in molecule.GetAtomWithIdx(a).GetNeighbors()} - set(atoms)
        if around:
            atoms.append(data.draw(st.sampled_from(sorted(around))))
    written = data.draw(st.sampled_from([Chem.MolFragmentToSmiles, Chem.MolFragmentToSmarts]))(molecule, atoms)
    query = Chem.MolFromSmarts(written)
    expected = [Chem.CanonSmiles(s) for s in MOLECULES if Chem.MolFromSmiles(s).HasSubstructMatch(query)]
    assert [hit.smiles for hit in search.substructure(index, written).hits] == expected


def test_a_molfile_is_a_query_too(index):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("NS(=O)(=O)c1ccccc1"))
    assert search.similar(index, block, top=1).hits[0].score == 1
    assert "NS(=O)(=O)c1ccccc1" in [hit.smiles for hit in search.substructure(index, block).hits]


def test_the_structure_itself_is_told_from_its_mirror_image(index):
    assert [hit.smiles for hit in search.exact(index, "N[C@@H](C)C(=O)O").hits] == ["C[C@H](N)C(=O)O"]
    assert not search.exact(index, "CC(N)C(=O)O").hits


def test_an_index_that_was_deleted_is_made_again(index, tmp_path):
    again = search.Index(index.version, tmp_path)
    assert search.similar(again, "CCO", top=3) == search.similar(index, "CCO", top=3)
    for path in (tmp_path / "small").glob("*.morgan"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MadangError, match="damaged"):
        search.similar(search.Index(index.version, tmp_path), "CCO", top=3)


@pytest.mark.parametrize("query", ["", "C1CC", "not a molecule", "C" * 30_000])
def test_a_bad_query_is_one_sentence(index, query):
    for find in (search.similar, search.substructure, search.exact):
        with pytest.raises(MadangError) as error:
            find(index, query)
        assert error.value.code == "chemistry.query"


def test_a_query_that_explodes_is_given_up(index, monkeypatch):
    from rdkit.Chem import rdSubstructLibrary

    class Slow(rdSubstructLibrary.SubstructLibrary):
        def GetMatches(self, *_arguments, **_options):
            import time

            time.sleep(1)
            return []

    monkeypatch.setattr(rdSubstructLibrary, "SubstructLibrary", Slow)
    with pytest.raises(MadangError) as error:
        search.substructure(index, "c1ccccc1", patience=0.05)
    assert error.value.code == "chemistry.too_slow"


def test_no_threshold_beyond_one(index):
    with pytest.raises(MadangError):
        search.similar(index, "CCO", threshold=1.5)


def test_the_folder_of_the_index_is_closed_to_others(index):
    folder: Path = index._folder
    assert folder.stat().st_mode & 0o077 == 0
