"""Antibodies and peptides: loops of domains whose loops are known, liabilities, likeness, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.science.chemistry import sequences
from madang.science.chemistry.sequences import add_sequences, alike, all_of, describe, edits, nearest, read_sequences

HEAVY = (  # variable domains of trastuzumab, whose IMGT loops are published
    "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS"
)
LIGHT = "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPPTFGQGTKVEIK"
LETTERS = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture(autouse=True)
def by_motifs(monkeypatch):
    monkeypatch.setattr(sequences, "_annotator", lambda: None)


def test_loops_of_known_domains():
    heavy, light = describe("h", HEAVY), describe("l", LIGHT)
    assert (heavy.chain, heavy.loops()) == ("H", ("GFNIKDTY", "IYPTNGYT", "SRWGGDGFYAMDY"))
    assert (light.chain, light.loops()) == ("K", ("QDVNTA", "SAS", "QQHYTTPPT"))
    assert ("deamidation", "NG", 55, "cdr2") in [(r.kind, r.motif, r.place, r.loop) for r in heavy.risks]
    assert alike(heavy, heavy) == 1 and alike(heavy, light) == 0
    other = describe("o", HEAVY.replace("GFNIKDTY", "GFNIKDTF"))
    assert alike(heavy, other) == pytest.approx(1 - 1 / 8 / 3)
    assert nearest(heavy, [light, other, heavy], 2) == [(heavy, 1.0), (other, alike(heavy, other))]


def test_a_peptide_is_no_domain_and_has_known_mass_and_isoelectric_point():
    peptide = describe("angiotensin", "DRVYIHPF")  # angiotensin II: 1046.2 Da, pI about 7.5
    assert (peptide.chain, peptide.mass) == ("", pytest.approx(1046.18, abs=0.05))
    assert 6.5 < peptide.isoelectric < 8.1
    kinds = {risk.kind for risk in describe("p", "QNGTNPSDPRGDCM").risks}
    assert kinds == {
        "deamidation", "fragmentation", "integrin binding", "unpaired cysteine", "oxidation", "pyroglutamate",
        "N-glycosylation",
    }  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.text("ABC", max_size=7), st.text("ABC", max_size=7))
def test_edits_are_those_of_trying_all(one, two):
    def slow(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    assert edits(one, two) == slow(one, two)


@settings(deadline=None, max_examples=40)
@given(st.text(LETTERS, min_size=2, max_size=200))
def test_any_sequence_is_described(text):
    found = describe("x", text)
    assert found.mass > 0 and 0 <= found.isoelectric <= 14
    assert all(text[risk.place - 1 :].startswith(risk.motif) for risk in found.risks)


def test_every_record_is_taken_or_refused(tmp_path):
    text = f">a\n{HEAVY}\n>b\n{HEAVY.lower()}\n>c\nXYZ1\n>d\n\n>a\nDRVYIHPF\n>e\n{'ACGT' * 30}\n>f\nDRVYIHPW\n"
    problems = {(each.name, each.problem) for each in read_sequences(text)}
    assert len(problems) == 7 and sum(not problem for _name, problem in problems) == 2
    dataset = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("proteins")
    version, refused = add_sequences(dataset, text)
    assert version.info["sequences"] + len(refused) == version.info["given"] == 7
    again, _refused = add_sequences(dataset, f"id,sequence\nnew,{LIGHT}\nold,{HEAVY}\n")
    assert [each.id for each in all_of(again)] == ["a", "f", "new"] and again.number == 2
    for wrong in ("", "id,residues\na,AC\n", ">a\n123\n"):
        with pytest.raises(MadangError):
            add_sequences(dataset, wrong)
