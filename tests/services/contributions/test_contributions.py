"""What a result stands on: counts and weights equal a plain recursion, add up, and depend on no order."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.node.signing import public_keys, read_signed
from madang.services.contributions import service
from madang.services.contributions.statement import Link, Statement, Thing, make_statement, plain_weights, weigh
from portal_house import OWNER, House

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
