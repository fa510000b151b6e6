"""Attacks on access, by those who have an account: each tries to get what was not decided."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from access_house import CONDITION, CONTENT, PERSON, Desk, person, recorded, refreshed

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE
from madang.node.people.projects import add_member, find_project, hand_role, make_project, remove_member
from madang.science.privacy.counts import LEAST
from madang.services.access import asking, counting, deciding, extract_of, extracting, permits, service
from portal_house import OWNER, commit


def refuses(code: str) -> Any:
    return pytest.raises(MadangError, check=lambda error: error.code == code)


def as_now(desk: Desk, actor: Actor) -> Actor:
    assert actor.person_id is not None
    return refreshed(desk.node, actor.person_id)


def applies(desk: Desk, dataset: str, **more: Any) -> int:
    return service.apply(desk.node, desk.firm, project="kidney", dataset=dataset, title="T", content=CONTENT, **more)


# -- who decides -----------------------------------------------------------------------------------------------------


def test_the_applicant_does_not_choose_the_holder(desk: Desk) -> None:
    """Naming a holder whose committee is friendly, or changing a permit by way of another holder's data."""
    with refuses("access.dataset"):
        applies(desk, "claims", organization="firm")
    permit = desk.permitted()
    accounts.create_organization(desk.node, OWNER, "friendly", "친구", "Friendly")
    commit(desk.node, "theirs", person=PERSON, condition_occurrence=CONDITION)
    recorded(desk.node, "theirs", "friendly")
    for kind in ("change", "extension"):
        with refuses("access.dataset"):
            applies(desk, "theirs", kind=kind, parent=permit)
    assert applies(desk, "claims", kind="change", parent=permit)


def test_what_nobody_may_know_of_cannot_be_asked_for_or_counted(desk: Desk) -> None:
    """A draft, what is in no record, another project's extract, and what is not there get the same answer."""
    other = extracting.extract(desk.node, desk.steward, desk.permitted()).dataset
    commit(desk.node, "unrecorded", person=PERSON)
    commit(desk.node, "drafted", person=PERSON)
    from madang.services.catalog import service as catalog

    catalog.make(desk.node, OWNER, "drafted", "hospital")
    said = set()
    for name in ("unrecorded", "drafted", "nothing", other, f"{other}@1", "../claims"):
        with refuses("access.dataset") as refused:
            applies(desk, name)
        said.add(refused.value.message.replace(repr(name.partition("@")[0]), "?"))
    assert len(said) == 1


def test_a_vote_is_by_a_member_and_not_by_who_stands_in(desk: Desk) -> None:
    """A role handed for a time (대결) makes nobody a member of the committee: the vote is refused, not lost."""
    number = desk.submitted()
    with desk.node.read() as session:
        hospital = accounts.find_organization(session, "hospital").id
    member = as_now(desk, desk.members[0])
    ends = now() + timedelta(days=1)
    hand_role(desk.node, member, "committee", "nam", now(), ends, organization=hospital)
    with pytest.raises(MadangError) as refused:
        deciding.vote(desk.node, as_now(desk, desk.stranger), number, "approve")
    assert refused.value.code in ("access.vote", "permission.denied")


def test_a_member_who_left_the_project_does_not_vote_on_it(desk: Desk) -> None:
    """In the committee and in the project: leaving before the vote and coming back after it helps nobody."""
    add_member(desk.node, OWNER, "kidney", "han")
    number = desk.submitted()
    remove_member(desk.node, OWNER, "kidney", "han")
    with refuses("access.conflict_of_interest"):
        deciding.vote(desk.node, desk.members[0], number, "approve")
    with desk.node.read() as session:
        assert deciding.tally(session, service.find(session, number)).members == 2


def test_who_voted_does_not_come_into_the_project(desk: Desk) -> None:
    number = desk.submitted()
    deciding.vote(desk.node, desk.members[0], number, "approve")
    with refuses("access.conflict_of_interest"):
        add_member(desk.node, OWNER, "kidney", "han")
    add_member(desk.node, OWNER, "kidney", "nam")  # somebody else may


def test_what_was_edited_after_a_vote_starts_again(desk: Desk) -> None:
    """Two approve, a question, the application asks for more than before: nobody has approved that."""
    number = desk.submitted()
    for member in desk.members[:2]:
        deciding.vote(desk.node, member, number, "approve")
    deciding.ask_applicant(desk.node, desk.steward, number, "Why?")
    service.edit(desk.node, desk.firm, number, {**CONTENT, "months": 120})
    service.submit(desk.node, desk.firm, number)
    desk.prepare(number)
    with refuses("access.undecided"):
        deciding.close_vote(desk.node, desk.steward, number)
    with refuses("act.state"):
        permits.issue(desk.node, desk.steward, number)


# -- what is given ---------------------------------------------------------------------------------------------------


def test_nobody_gets_more_than_they_asked_for(desk: Desk) -> None:
    """Asked for as results only, and approved: no rows; else the check of exact dates would have been passed by."""
    first = desk.permitted()
    number = desk.submitted(place="results only")
    for member in desk.members:
        deciding.vote(desk.node, member, number, "approve")
    assert deciding.close_vote(desk.node, desk.steward, number) == "results-only"
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    second = permits.issue(desk.node, desk.steward, number)
    with refuses("access.results_only"):
        extracting.extract(desk.node, desk.steward, second)
    assert first != second


def test_nobody_comes_to_hold_two_exact_extracts_by_moving(desk: Desk) -> None:
    """Two projects with an exact extract each: whoever is in one does not come into the other, before or after."""
    desk.permitted()
    make_project(desk.node, OWNER, "heart", "Hearts", organization="firm", leader="nam")
    other = as_now(desk, desk.stranger)
    number = service.apply(desk.node, other, project="heart", dataset="claims", title="T", content=CONTENT)
    service.submit(desk.node, other, number)
    desk.prepare(number)
    desk.approved(number)
    permits.issue(desk.node, desk.steward, number)
    with refuses("access.two_exact"):
        add_member(desk.node, OWNER, "heart", "kim")
    with refuses("access.two_exact"):
        add_member(desk.node, OWNER, "kidney", "nam")
    make_project(desk.node, OWNER, "lungs", "Lungs", organization="firm", leader="nam")
    add_member(desk.node, OWNER, "lungs", "kim")  # which holds nothing


def test_two_permits_are_not_joined_by_pseudonym_order_or_shape(desk: Desk) -> None:
    """The same rows under two permits: no pseudonym and no place of a row says who is who."""
    made = [extracting.extract(desk.node, desk.steward, desk.permitted(recipe=each)) for each in ("shifted", "months")]
    keys = [desk.node.home.key(f"permit-{each.dataset.removeprefix('extract-')}") for each in made]
    from madang.science.privacy.pseudonyms import pseudonym

    people = range(1, 41)
    truth = {pseudonym(keys[0], "person", each): pseudonym(keys[1], "person", each) for each in people}
    with Engine() as engine:
        for name, each in zip(("one", "two"), made, strict=True):
            desk.node.home.lake().find(each.dataset).attach(engine, name)
        assert engine.value("SELECT count(*) FROM one.person JOIN two.person USING (person_id)") == 0
        rows = [[row[0] for row in engine.rows(f"SELECT person_id FROM {name}.person")] for name in ("one", "two")]
        days = "SELECT count(*) FROM one.condition_occurrence a JOIN two.condition_occurrence b USING ({})"
        assert engine.value(days.format("condition_occurrence_id")) == 0
    hits = sum(truth[a] == b for a, b in zip(*rows, strict=True))
    assert hits <= 5, "places agree as often as chance lets them: one in forty"


def test_a_permit_moved_to_another_project_opens_nothing(desk: Desk) -> None:
    """A row of the database that was changed by hand: the signed document says whose the permit is, and until when."""
    permit = desk.permitted()
    extracting.extract(desk.node, desk.steward, permit)
    make_project(desk.node, OWNER, "heart", "Hearts", organization="firm", leader="nam")
    with desk.node.write() as session:
        asking.grant_of(session, permit).permit.project_id = find_project(session, "heart").id
    with refuses("access.altered"):
        extract_of(desk.node, permit)
    with desk.node.write() as session:
        held = asking.grant_of(session, permit).permit
        held.project_id = find_project(session, "kidney").id
        held.ends += timedelta(days=900)
    with refuses("access.altered"):
        extract_of(desk.node, permit)


def test_a_permit_that_ended_is_not_made_longer(desk: Desk) -> None:
    permit = desk.permitted()
    longer = applies(desk, "claims", kind="extension", parent=permit)
    service.submit(desk.node, desk.firm, longer)
    desk.prepare(longer)
    desk.approved(longer)
    with desk.node.write() as session:
        asking.grant_of(session, permit).permit.ends = now() - timedelta(seconds=1)
    with refuses("access.not_in_force"):
        permits.issue(desk.node, desk.steward, longer)


def test_a_visa_is_given_to_whom_it_names(desk: Desk) -> None:
    add_member(desk.node, OWNER, "kidney", "nam")
    permit = desk.permitted()
    for actor, names in ((desk.firm, {"kim"}), (desk.stranger, {"nam"}), (desk.members[0], set()), (OWNER, None)):
        mine = OWNER if actor is OWNER else as_now(desk, actor)
        assert set(permits.visas(desk.node, mine, permit)) == (names if names is not None else {"kim", "nam"})


def test_an_extract_that_is_finished_after_the_destruction_goes_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit = desk.permitted()

    def meanwhile(*given: Any, **more: Any) -> dict[str, Any]:
        from madang.services.access import ending

        ending.destroy(desk.node, desk.steward, permit, "Recalled.")
        return {}

    monkeypatch.setattr(extracting, "_report", meanwhile)
    with refuses("access.not_in_force"):
        extracting.extract(desk.node, desk.steward, permit)
    dataset = desk.node.home.lake().dataset(f"extract-{permit}")
    assert not list(dataset.versions()) if dataset.exists else True
    assert not (desk.node.home.path / "keys" / f"permit-{permit}.key").exists()


# -- counts ----------------------------------------------------------------------------------------------------------


def test_counts_of_two_versions_are_not_subtracted(desk: Desk) -> None:
    """One person is taken out of the data: whether they were in the population stays unknown."""
    number = desk.applied()
    told = counting.count(desk.node, desk.firm, number)
    for gone in (3, 55):  # one with diabetes, one without
        fewer = f"SELECT * FROM ({PERSON}) WHERE person_id <> {gone}"
        events = f"SELECT * FROM ({CONDITION}) WHERE person_id <> {gone}"
        commit(desk.node, "claims", person=fewer, condition_occurrence=events)
        assert counting.count(desk.node, desk.firm, number) == told


def test_counts_asked_at_the_same_moment_are_not_subtracted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is computed another is told of a set that differs by few: both get one answer."""
    number = desk.applied()
    population = {"criteria": [{"kind": "diagnosis", "codes": ["E11", "N18"]}]}
    true_ask = counting.ask_persons
    seen = []

    def slow(engine: Any, sql: str, secret: bytes, earlier: Any) -> Any:
        found = true_ask(engine, sql, secret, earlier)
        if not seen:
            seen.append(1)
            few = {"criteria": [{"kind": "diagnosis", "codes": ["E11", "N18"]}], "among": ""}
            monkeypatch.setattr(counting, "ask_persons", smaller)
            seen.append(counting.count_for(desk.node, desk.firm, application, few))
        return found

    def smaller(engine: Any, sql: str, secret: bytes, earlier: Any) -> Any:
        return true_ask(engine, f"SELECT * FROM ({sql}) WHERE person_id > 3", secret, earlier)

    application = service.see(desk.node, desk.firm, number)
    monkeypatch.setattr(counting, "ask_persons", slow)
    assert counting.count_for(desk.node, desk.firm, application, population) == seen[1]


def test_counts_that_are_subtracted_and_repeated_find_nobody(desk: Desk) -> None:
    """An attacker asks for a population with and without each small group, again and again: a difference that is told
    is none, or is one of whole groups of ten and more, blurred."""
    rng = np.random.default_rng(5)
    codes = [f"Z{group:02d}" for group in range(20)]
    sizes = [*rng.integers(1, LEAST, 12).tolist(), *rng.integers(LEAST, 60, 8).tolist()]
    people = [code for code, size in zip(codes, sizes, strict=True) for _each in range(size)]
    listed = ", ".join(f"'{code}'" for code in people)
    person_sql = f"SELECT i::BIGINT AS person_id FROM range(1, {len(people) + 1}) r(i)"
    events = f"""SELECT i AS condition_occurrence_id, i AS person_id, 1::BIGINT AS condition_concept_id,
        DATE '2010-01-01' AS condition_start_date, ([{listed}])[i] AS condition_source_value
        FROM range(1, {len(people) + 1}) r(i)"""
    commit(desk.node, "claims", person=person_sql, condition_occurrence=events)
    application = service.see(desk.node, desk.firm, desk.applied())

    def ask(kept: list[str]) -> int | None:
        given = {"criteria": [{"kind": "diagnosis", "codes": kept}]}
        return counting.count_for(desk.node, desk.firm, application, given).count

    everybody, alone = ask(codes), {}
    for _round in range(2):
        for code, size in zip(codes, sizes, strict=True):
            if size < LEAST:
                assert ask([each for each in codes if each != code]) == everybody
                assert alone.setdefault(code, ask([code])) == ask([code])


def test_who_is_of_the_committee_of_the_house_is_a_stranger_elsewhere(desk: Desk) -> None:
    other = person(desk.node, "paek", "committee", HOUSE)
    number = desk.submitted()
    with pytest.raises(MadangError):
        deciding.vote(desk.node, other, number, "approve")
