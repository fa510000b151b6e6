"""Attacks on studies of an alliance that are open: what held when they were approved holds no more, or another one came
between."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attacks.test_alliance import PEOPLE, given, pair
from madang.services.alliance import answering, partners, shares, wire
from portal_house import OWNER
from services.alliance.alliance_house import Alliance, study_text

__all__ = ["pair"]  # the fixture


def answered(pair: Alliance, number: int, uid: str, told: Any = None) -> dict[str, Any]:
    """What a site answers to the one question of a count that it approved, or the refusal."""
    question = {"study": uid, "step": "count", "told": told or {}}
    given_ = {**question, "digest": answering.question_digest(question), "round": 1}
    return wire.unpack(answering.answer(pair.sites[0], OWNER, number, given_))[0]


def test_two_studies_that_are_opened_before_either_is_answered_do_not_tell_their_difference(pair: Alliance) -> None:
    cohorts = {"a": '["age <= 40"]', "b": '["age <= 40", "rare = 0"]'}
    numbers = [given(pair, study_text("count", where=where), uid) for uid, where in cohorts.items()]
    for number in numbers:  # each alone is harmless, and nothing was told before either was looked at
        answering.approve(pair.sites[0], OWNER, number)
    assert "refused" not in answered(pair, numbers[0], "a")
    refused = answered(pair, numbers[1], "b")["refused"]
    assert refused["code"] == "federated.disclosure" and "fewer than 3" in refused["message"]


def test_agreement_budget_and_partner_are_looked_at_for_every_message(pair: Alliance) -> None:
    """A study that is open already is answered no more from the moment at which something of it ends."""
    site = pair.sites[0]
    numbers = [given(pair, study_text("count"), uid) for uid in "abcd"]
    for number in numbers:
        answering.approve(site, OWNER, number)
    assert "refused" not in answered(pair, numbers[0], "a")
    agree(pair, {"limits": {"budget": 1}})
    assert answered(pair, numbers[1], "b")["refused"]["code"] == "alliance.budget"
    agree(pair, {"limits": {"minimum": 500}})
    assert answered(pair, numbers[1], "b")["refused"]["code"] == "federated.disclosure"
    agree(pair, {"datasets": ["other"]})
    assert answered(pair, numbers[1], "b")["refused"]["code"] == "alliance.dataset"
    agree(pair, {"ends": "2020-01-01"})
    assert answered(pair, numbers[1], "b")["refused"]["code"] == "alliance.over"
    agree(pair, {})
    assert "refused" not in answered(pair, numbers[1], "b")
    answering.refuse(site, OWNER, numbers[2], "withdrawn")
    assert answered(pair, numbers[2], "c")["refused"]["code"] == "alliance.refused"
    partners.leave(site, OWNER, "center")
    assert answered(pair, numbers[3], "d")["refused"]["code"] == "alliance.stranger"


def agree(pair: Alliance, document: dict[str, Any]) -> None:
    """The next version of the agreement is in force at the site."""
    partners.amend(pair.center, OWNER, "site0", document)
    pair.turn(pair.sites[0])
    partners.agree(pair.sites[0], OWNER, "center")


def test_data_that_are_shared_anew_are_what_the_next_answer_is_about(pair: Alliance, tmp_path: Path) -> None:
    """Rows that are kept in memory for the next study go with the share that they are of."""
    number = given(pair, study_text("count"), "a")
    answering.approve(pair.sites[0], OWNER, number)
    pq.write_table(PEOPLE.slice(0, 60), tmp_path / "fewer.parquet")
    shares.share(pair.sites[0], OWNER, "d", file=tmp_path / "fewer.parquet")
    question = {"study": "a", "step": "count", "told": {}}
    given_ = {**question, "digest": answering.question_digest(question), "round": 1}
    _meta, arrays = wire.unpack(answering.answer(pair.sites[0], OWNER, number, given_))
    assert float(arrays["n.0"]) == 60.0
    with pair.sites[0].read() as session:
        digest = shares.find_share(session, "d").digest
    assert [key[1] for key in shares._tables.keys() if key[0] == str(pair.sites[0].home.path)] == [digest]  # noqa: SIM118 - no dict
