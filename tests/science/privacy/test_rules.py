"""Guidelines as data, and the data-use terms with their full truth table and a third party's answers."""

import json

import pytest

from madang.base.errors import MadangError
from madang.science.privacy.duo import (
    CATEGORIES,
    CONDITIONS,
    PRIMARY,
    RESEARCH,
    Finding,
    Purpose,
    Term,
    consent_ontology,
    diseases_of,
    finding,
    findings,
    said_of,
    terms_of,
)
from madang.science.privacy.rules import SHIPPED, hold, parse_pack, read_pack
from support import shared_data

M, D, C = Finding.MATCHES, Finding.DIFFERS, Finding.CANNOT_TELL
# Primary terms down, kinds of research across: general, health, disease, ancestry, methods, clinical care, not said.
KINDS = (*RESEARCH, None)
TRUTH = {
    "DUO:0000004": (M, M, M, M, M, M, M),
    "DUO:0000005": (M, M, M, M, M, M, C),
    "DUO:0000006": (D, M, M, D, M, M, C),
    "DUO:0000007": (D, D, C, D, M, C, C),  # of a disease: see below
    "DUO:0000011": (D, D, D, M, M, D, C),
    "DUO:0000014": (M, M, M, M, M, D, C),
    "DUO:0000015": (M, M, M, M, D, M, C),
}
FLAGS = {  # a condition and the field that answers it, with the value that keeps it
    "DUO:0000016": ("genetic", True),
    "DUO:0000018": ("for_profit", False),
    "DUO:0000019": ("publishes", True),
    "DUO:0000020": ("collaborates", True),
    "DUO:0000021": ("ethics_approval", True),
    "DUO:0000024": ("waits_to_publish", True),
    "DUO:0000029": ("returns_results", True),
}
VALUES = {  # a condition with a value
    "DUO:0000022": ("region", ("KR", "JP"), "KR", "US"),
    "DUO:0000025": ("months", ("12",), 12, 13),
    "DUO:0000026": ("user", ("kim",), "kim", "lee"),
    "DUO:0000027": ("project", ("p1",), "p1", "p2"),
    "DUO:0000028": ("institution", ("house",), "house", "other"),
}


def test_the_table_has_every_term():
    assert {*CATEGORIES, *TRUTH, *FLAGS, *VALUES} == {*CATEGORIES, *PRIMARY, *CONDITIONS}
    listed = shared_data("duo") / "duo_terms.csv"
    known = {line.split(",")[0] for line in listed.read_text().splitlines()[1:]}
    assert known == {*CATEGORIES, *PRIMARY, *CONDITIONS}
    assert len(known) == 24


@pytest.mark.parametrize("term", TRUTH)
def test_kinds_of_research(term):
    assert tuple(finding(Term(term), Purpose(kind)) for kind in KINDS) == TRUTH[term]


@pytest.mark.parametrize("term", FLAGS)
def test_yes_no_conditions(term):
    field, good = FLAGS[term]
    found = [finding(Term(term), Purpose(**{field: value})) for value in (good, not good, None)]
    assert found == [M, D, C]


@pytest.mark.parametrize("term", VALUES)
def test_conditions_with_a_value(term):
    field, values, good, bad = VALUES[term]
    found = [finding(Term(term, values), Purpose(**{field: value})) for value in (good, bad, None)]
    assert found == [M, D, C]
    assert finding(Term(term), Purpose(**{field: good})) is C


def test_diseases_match_themselves_and_their_kinds():
    term = Term("DUO:0000007", ("cancer",))
    for diseases, expected in (
        ({"cancer": frozenset()}, M),
        ({"leukemia": frozenset({"cancer", "disease"})}, M),
        ({"gout": frozenset({"disease"})}, D),
        ({"cancer": frozenset(), "gout": frozenset()}, D),
    ):
        assert finding(term, Purpose("disease", diseases)) is expected


def test_primary_terms_are_alternatives_and_conditions_add_up():
    wanted = Purpose("health", for_profit=True)
    assert findings([Term("DUO:0000011"), Term("DUO:0000006")], wanted)[1] is M
    assert findings([Term("DUO:0000006"), Term("DUO:0000018")], wanted)[1] is D
    assert findings([Term("DUO:0000006"), Term("DUO:0000019")], wanted)[1] is C
    with pytest.raises(MadangError):
        finding(Term("DUO:9999999"), wanted)


def test_terms_as_a_record_has_them():
    assert terms_of(["DUO:0000007 E11.2 MONDO:0005148", "DUO:0000018"]) == (
        Term("DUO:0000007", ("E112", "MONDO:0005148")),
        Term("DUO:0000018"),
    )
    term = terms_of(["DUO:0000007 E11.2"])[0]
    for code, expected in (("E112", M), ("E11.21", M), ("E11", D), ("N18", D)):
        assert finding(term, Purpose("disease", diseases_of([code]))) is expected
    for wrong in ("DUO:0000042", "duo", "DUO:0000025", "DUO:0000025 soon", "DUO:0000025 1 2"):
        with pytest.raises(MadangError) as refused:
            terms_of([wrong])
        assert refused.value.code == "privacy.duo"


@pytest.mark.parametrize(
    "written", ["DUO_0000007 E11, C50", "duo:0000007: E11;C50", "http://purl.obolibrary.org/obo/DUO_0000007 E11 C50"]
)
def test_terms_as_others_write_them(written):
    assert terms_of([written]) == (Term("DUO:0000007", ("E11", "C50")),)


def test_a_term_that_is_there_twice():
    """Permissions are alternatives, whichever comes last; conditions all count."""
    disease = [Term("DUO:0000007", ("E11",)), Term("DUO:0000007", ("C50",))]
    months = [Term("DUO:0000025", ("6",)), Term("DUO:0000025", ("12",))]
    wanted = Purpose(research="disease", diseases=diseases_of(["E11.2"]), months=10)
    for terms in (disease, disease[::-1]):
        assert findings(terms, wanted)[1] == said_of(terms, wanted)["DUO:0000007"] == Finding.MATCHES
    for terms in (months, months[::-1]):
        assert findings(terms, wanted)[1] == said_of(terms, wanted)["DUO:0000025"] == Finding.DIFFERS


def test_the_pack_of_terms_says_what_the_terms_say():
    pack = read_pack("duo")
    assert {rule.id for rule in pack.rules} == {*PRIMARY, *CONDITIONS, "terms.training"}
    terms, wanted = terms_of(["DUO:0000011", "DUO:0000006", "DUO:0000018"]), Purpose("health", for_profit=True)
    found = {each.rule.id: each.finding for each in hold(pack, said_of(terms, wanted))}
    assert found == {"DUO:0000011": M, "DUO:0000006": M, "DUO:0000018": D}, "permissions are alternatives"
    lacking = {each.rule.id: each for each in hold(pack, {"asks_training": True, "people_without_training": ["Kim"]})}
    assert lacking["terms.training"].finding is D and lacking["terms.training"].about == ("Kim",)
    (held,) = hold(pack, {"asks_training": True, "people_without_training": []})
    assert held.finding is M


def test_answers_of_the_third_party_matcher_are_reproduced():
    cases = json.loads((shared_data("duo") / "consent_ontology_v3_vectors.json").read_text())["cases"]
    names = {"APPROVE": M, "DENY": D, "ABSTAIN": C}
    for case in cases:
        found = consent_ontology(case["dataset"], case["purpose"], case.get("ancestors_of_purpose_disease") or [])
        assert found is names[case["expected"]], case["name"]
    assert len(cases) == 33


@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_that_ships_has_source_and_date_or_is_an_example(name):
    pack = read_pack(name)
    for rule in pack.rules:
        assert rule.source["ko"] and rule.source["en"] and rule.date
        assert all(rule.title[lang] and rule.explanation[lang] for lang in ("ko", "en"))
        assert "xample" in rule.source["en"] or not pack.example
    assert {each.finding for each in hold(pack, {})} <= {C, D}


def test_findings_of_the_example_pack():
    facts = {
        "columns": ["person.year_of_birth", "person.day_of_birth", "person.location_id"],
        "columns_without_reason": 0,
        "months": 24,
        "legal_basis": "scientific research",
        "purpose_kind": "treatment",
    }
    found = {each.rule.id: each for each in hold(read_pack("own"), facts)}
    assert found["own.birth-day"].finding is D and found["own.birth-day"].about == ("person.day_of_birth",)
    assert found["own.places"].finding is D
    assert found["own.duration"].finding is M and found["own.free-text"].finding is M
    later = hold(read_pack("own"), {**facts, "months": 25, "legal_basis": "marketing"})
    assert [each.rule.id for each in later if each.finding is D] == [
        *("own.birth-day", "own.places", "own.duration", "own.legal-basis"),
    ]


def test_a_rule_without_condition_that_applies_is_left_out_and_a_slot_cannot_tell():
    mohw = read_pack("mohw-2025-12")
    ids = {each.rule.id for each in hold(mohw, {})}
    assert "mohw.genomic-closed" not in ids
    found = {each.rule.id: each.finding for each in hold(mohw, {"genomic": True, "place": "download"})}
    assert found["mohw.genomic-closed"] is D and found["mohw.costs"] is C


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        'name = "x"',
        'name="x"\nversion="1"\nsource="s"\ndate="d"\n[title]\nko="a"\nen="b"\n[[rule]]\nid="a"',
        'name="x"\nversion="1"\nsource="s"\ndate="d"\ntitle={ko="a",en="b"}\n[[rule]]\nid="a"\nfact="f"\nwants="eval"\n'
        'title={ko="a",en="b"}\nexplanation={ko="a",en="b"}',
    ],
)
def test_a_pack_that_is_none_is_refused(text):
    with pytest.raises(MadangError) as refused:
        parse_pack(text, "x")
    assert refused.value.code == "privacy.pack"
