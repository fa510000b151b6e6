"""What a result stands on: counts and weights equal a plain recursion, add up, and depend on no order."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.node.people import Actor
from madang.node.people.accounts import find_organization, find_person
from madang.node.signing import public_keys, read_signed
from madang.science.standardize.mapping import Change, Equivalence, Mapping, MappingBook, Status
from madang.services.contributions import service, use_of
from madang.services.contributions.statement import Link, Statement, Thing, make_statement, plain_weights, weigh
from madang.services.release.models import Release, ReleaseVote
from portal_house import OURS, OWNER, House
from web.served import Served

ROLES = ("source", "mapping", "by")
RULE = {"source": Fraction(1, 2), "mapping": Fraction(1, 3), "by": Fraction(1, 6)}


@st.composite
def chains(draw: Any) -> list[Link]:
    """Links from things to things with higher numbers: no circle."""
    count = draw(st.integers(2, 9))
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    chosen = draw(st.lists(st.tuples(st.sampled_from(pairs), st.sampled_from(ROLES)), max_size=25))
    return [Link(f"dataset:{a}", Thing(f"dataset:{b}"), role) for (a, b), role in chosen]


def statement(links: list[Link]) -> Statement:
    return make_statement(Thing("dataset:0"), lambda each: [link for link in links if link.thing == each])


def paths(links: set[Link], to: str, start: str = "dataset:0") -> int:
    """How many ways lead to a thing, one after the other."""
    if start == to:
        return 1
    return sum(paths(links, to, link.on.reference) for link in links if link.thing == start)


@given(chains(), st.randoms())
def test_counts_and_weights_equal_a_plain_recursion_and_no_order_changes_them(links: list[Link], random: Any) -> None:
    found = statement(links)
    assert {name: paths(set(links), name) for name in found.used} == found.used
    weights = weigh(found, RULE)
    assert weights == plain_weights(found, RULE)
    assert sum(weights.values()) == 1
    mixed = list(links)
    random.shuffle(mixed)
    assert service.document(statement(mixed)) == service.document(found)


def test_a_thousand_versions_on_one_another() -> None:
    found = make_statement(
        Thing("dataset:0"),
        lambda each: (
            [Link(each, Thing(f"dataset:{int(each[8:]) + 1}"), "source"), Link(each, Thing("organization:o"), "by")]
            if each.startswith("dataset:") and int(each[8:]) < 1_000
            else []
        ),
    )
    assert (len(found.things), found.used["organization:o"]) == (1_001, 1_000)
    assert sum(weigh(found, RULE).values()) == 1


def test_a_circle_is_one_sentence() -> None:
    with pytest.raises(MadangError, match="stands on itself"):
        statement([Link("dataset:0", Thing("dataset:1"), "source"), Link("dataset:1", Thing("dataset:0"), "source")])


@pytest.mark.parametrize("rule", [{}, {"source": Fraction(1, 2)}, {"source": Fraction(2), "by": Fraction(-1)}])
def test_weights_that_do_not_add_up_to_one_are_refused(rule: dict[str, Fraction]) -> None:
    with pytest.raises(MadangError, match="add up to one"):
        weigh(statement([]), rule)


def test_a_record_stands_on_its_version_and_its_holder_and_the_statement_is_signed(house: House) -> None:
    name = house.published()
    found = service.statement_of(house.node, OWNER, f"record:{name}")
    assert {thing.reference for thing in found.things} == {"dataset:ours@1", "organization:hospital"}
    assert found.used["organization:hospital"] == 2
    told = read_signed(service.sign(house.node, found), public_keys(house.node.home), service.TYP)
    assert told["things"] == service.document(found)["things"]


def test_who_is_forgotten_is_a_pseudonym_and_no_sum_changes(house: House) -> None:
    name = house.published()
    before = service.statement_of(house.node, OWNER, f"record:{name}")
    number = service.forget(house.node, OWNER, "organization:hospital")
    after = service.statement_of(house.node, OWNER, f"record:{name}")
    assert "hospital" not in str(service.document(after))
    assert after.used[f"contributor:{number}"] == before.used["organization:hospital"]
    assert sum(weigh(after, RULE).values()) == 1


def test_a_weight_is_computed_only_under_a_rule_that_all_parties_signed(house: House) -> None:
    node = house.node
    found = service.statement_of(node, OWNER, f"record:{house.published()}")
    rule = service.propose_rule(node, OWNER, "half", {"source": "1/2", "by": "0.5"}, ["house", "hospital"])
    service.sign_rule(node, OWNER, rule.id, "house")
    with pytest.raises(MadangError, match="not signed by hospital"):
        service.weights_of(node, found, rule.id)
    service.sign_rule(node, OWNER, rule.id, "hospital")
    assert sum(service.weights_of(node, found, rule.id).values()) == 1
    with pytest.raises(MadangError, match="does not name"):
        service.sign_rule(node, OWNER, rule.id, "nobody")


@pytest.mark.parametrize("reference", ["", "x", "dataset:", "nothing:1", "record:nothing", "dataset:nothing@1"])
def test_what_names_no_result_is_one_sentence(house: House, reference: str) -> None:
    with pytest.raises(MadangError) as refused:
        service.statement_of(house.node, OWNER, reference)
    assert refused.value.code in ("contributions.reference", "contributions.unknown")


def test_rooms_add_what_they_know_and_a_stranger_sees_nothing_of_a_draft(house: House) -> None:
    node = house.node
    name = house.published()
    with node.write() as session:
        hospital = find_organization(session, "hospital").id
        release = Release(organization_id=hospital, dataset="ours@1", state="approved")
        session.add(release)
        session.flush()
        for checker in (None, None):
            session.add(ReleaseVote(release_id=release.id, checker_id=checker, hashes="x", agrees=True))
        number = release.id
    found = service.statement_of(node, OWNER, f"release:{number}")
    assert {"dataset:ours@1", "organization:hospital"} <= set(found.used)
    assert sum(thing.kind == "check" for thing in found.things) == 2
    assert [use.kind for use in use_of(node, "ours")] == ["release"]
    drafted = house.drafted("hidden")
    with node.read() as session:
        member = Actor.person(session, find_person(session, "member").id)
    for reference in (f"release:{number}", f"record:{drafted}", "dataset:hidden@1"):
        with pytest.raises(MadangError) as refused:
            service.statement_of(node, member, reference)
        assert refused.value.code in ("release.none", "contributions.unknown")
    assert service.statement_of(node, member, f"record:{name}").things


def test_curators_of_mappings_are_named_until_they_ask_to_be_forgotten(house: House) -> None:
    node = house.node
    house.published()
    folder = node.home.path / "mappings"
    folder.mkdir(exist_ok=True)
    book = MappingBook(folder / "ours.csv")
    for reviewer, code, status in (("kim", "A", Status.APPROVED), ("lee", "B", Status.CANDIDATE)):
        made = Mapping("OURS", code, 0, status=status, equivalence=Equivalence.UNMATCHED, reviewer=reviewer)
        book.write([Change(None, made)], by=reviewer)
    assert "curator:kim" in service.statement_of(node, OWNER, "dataset:ours@1").used
    service.forget(node, OWNER, "curator:kim")
    told = str(service.document(service.statement_of(node, OWNER, "dataset:ours@1")))
    assert "kim" not in told and "lee" not in told, "one is forgotten, the other decided nothing yet"
    with pytest.raises(MadangError, match="names nobody"):
        service.forget(node, OWNER, "person:999999")


def test_a_holder_sees_the_use_of_its_data_by_month_and_others_do_not(house: House, site: Served) -> None:
    name = house.published()
    steward = {"madang": house.cookies["steward"]}
    for _time in range(3):
        assert site.get(f"/records/{name}/download.zip", cookies=steward).status_code == 200
    told = site.get("/api/v1/contributions", cookies=steward).json()
    assert [each["counts"] for each in told["periods"]] == [{"download": 3}]
    assert site.get("/contributions", cookies=steward).status_code == 200
    assert site.get("/api/v1/contributions?until=2020-01-01", cookies=steward).json()["periods"] == []
    assert site.get("/api/v1/contributions?since=2021-01-01&until=2020-01-01", cookies=steward).status_code == 422
    member = {"madang": house.cookies["member"]}
    assert site.get("/api/v1/contributions", cookies=member).json()["periods"] == []
    assert site.get("/api/v1/contributions?organization=hospital", cookies=member).status_code == 403


def test_a_rule_is_proposed_signed_and_shown_as_an_example_on_pages(house: House, site: Served) -> None:
    name = house.published()
    steward = {"madang": house.cookies["steward"]}
    with site.browser(steward) as browser:
        given = {"name": "half", "weights": "source = 1/2\nby = 0.5", "parties": "hospital"}
        assert browser.post("/contributions/rules", data=given, headers=OURS).status_code == 303
        assert browser.post("/contributions/rules/1/sign", data={"party": "hospital"}, headers=OURS).status_code == 303
        told = browser.get(f"/api/v1/contributions/record:{name}?rule=1").json()
        assert sum(Fraction(each["share"]) for each in told["shares"]) == 1
        english = browser.get(f"/contributions/record:{name}?rule=1", headers={"Accept-Language": "en"}).text
        korean = browser.get(f"/contributions/record:{name}?rule=1", headers={"Accept-Language": "ko"}).text
        assert "Calculation example, not a claim" in english and "계산 예시, 채권이 아님" in korean
        one, two = (
            browser.get(f"/contributions/record:{name}/statement.jwt", headers={"Accept-Language": each}).text
            for each in ("en", "ko")
        )
    keys = public_keys(house.node.home)
    kept = [read_signed(each, keys, service.TYP) | {"made": ""} for each in (one, two)]
    assert kept[0] == kept[1], "the statement is in no language"
