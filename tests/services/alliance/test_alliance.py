"""Nodes that ask each other: invited, agreed, asked, approved, answered; equal to the pooled fit, masked or not."""

import json
from typing import Any

import pyarrow as pa
import pytest

from madang.base.errors import MadangError
from madang.science.federated import masks
from madang.science.federated.disclosure import Limits
from madang.science.federated.pooling import pooled
from madang.science.federated.rounds import Site
from madang.science.federated.study import read_study
from madang.services.alliance import answering, coordinate, courier, partners, reconciling, turns, wire
from madang.services.alliance.models import StudyPart
from madang.services.alliance.shown import overview, study_shown
from portal_house import OWNER
from services.alliance.alliance_house import Alliance, study_text
from services.alliance.conftest import tables

ANY = Limits(minimum=1, tab=1, subset=1, glm=9, levels_density=9, exact_times=True)
STUDIES = [
    study_text("count"),
    study_text("table", columns=["sex", "sick"]),
    study_text("moments", columns=["age", "time"]),
    study_text("quantiles", columns=["age"], shares=[0.25, 0.5], bin=1),
    study_text("linear", outcome="age", terms=["sex"]),
    study_text("glm", outcome="sick", terms=["age", "sex"], family="binomial"),
    study_text("cox", time="time", event="status", terms=["age", "sex"], bin=30),
    study_text("kaplan-meier", time="time", event="status", bin=30),
]


def together(text: str, count: int = 4) -> dict[str, Any]:
    """The answer of all rows in one place."""
    study = read_study(text)
    site = Site(study, pa.concat_tables(tables(count)), ANY)
    return pooled(study, lambda step, told: [("all", site.answer(step, told))])


def same(got: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            if name not in ("by_site", "rounds", "exact"):
                same(got[name], value)
    elif isinstance(wanted, list):
        for a, b in zip(got, wanted, strict=True):
            same(a, b)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=1e-12, abs=1e-14)
    else:
        assert got == wanted


@pytest.mark.parametrize("secure", [False, True])
def test_answers_equal_those_of_all_rows(alliance: Alliance, secure: bool) -> None:
    for text in STUDIES[::2] if secure else STUDIES[1::2]:
        text = text.replace("secure = false", f"secure = {str(secure).lower()}")
        asked = alliance.ask(text)
        alliance.approve_all()
        answer = alliance.run(asked.id)
        same(answer, together(text))
        assert [each["site"] for each in answer["sites"] if each["in"]] == alliance.names
        assert answer["vocabularies_differ"] and answer["countries"] == ["KR"]
    for site in alliance.sites:
        with alliance.line(site) as line:
            told = turns.tell_ledger(site, line, alliance.partner(site).id)
        found = reconciling.compared(reconciling.ledger(site, alliance.partner(site)), told["ledger"])
        assert found["agree"] and found["same"] > 10
    assert alliance.center.audit.verify().findings == []


def test_sites_that_refuse_or_fall_out_are_named(alliance: Alliance) -> None:
    wanted = together(STUDIES[5], 2)  # what compiles is compiled now
    asked = alliance.ask(STUDIES[5])
    alliance.approve_all(alliance.sites[:3])
    alliance.turn(alliance.sites[3])
    with alliance.sites[3].read() as session:
        number = session.query(answering.AllianceStudy).one().id
    answering.refuse(alliance.sites[3], OWNER, number, "not now")
    alliance.turn(alliance.sites[3])
    answer = alliance.run(asked.id, alliance.sites[:2], patience=15.0)  # the third does not answer
    same(answer["coef"], wanted["coef"])
    told = {each["site"]: (each["in"], each["state"], each["reason"]) for each in answer["sites"]}
    assert told["site3"] == (False, "refused", "not now") and told["site2"][:2] == (False, "fell-out")


def test_masked_sums_survive_a_site_that_falls_out_first(alliance: Alliance) -> None:
    text = study_text("count", secure=True)
    asked = alliance.ask(text)
    alliance.approve_all()
    answer = alliance.run(asked.id, alliance.sites[:3], patience=15.0)
    assert answer["n"] == 180 and [each["in"] for each in answer["sites"]] == [True, True, True, False]


@pytest.mark.parametrize("place", [3, 7])
def test_seeds_that_are_never_told_are_put_together_by_the_others(
    alliance: Alliance, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """A site answers, and tells no seed in one of the rounds; it is back in the next, and the answer is exact."""
    text = STUDIES[5].replace("secure = false", "secure = true")
    wanted = together(text.replace("secure = true", "secure = false"))  # what compiles is compiled now
    asked, real, lost = alliance.ask(text), answering.prepared, alliance.sites[3]
    alliance.approve_all()

    def prepared(node: Any, actor: Any, number: int, question: dict[str, Any]) -> Any:
        if node is lost and "unmask" in question and question["round"] == place:
            raise MadangError("alliance.child", "gone")
        return real(node, actor, number, question)

    monkeypatch.setattr(answering, "prepared", prepared)
    answer_ = alliance.run(asked.id, patience=15.0)
    same(answer_["coef"], wanted["coef"])
    assert all(each["in"] for each in answer_["sites"])
    with alliance.center.read() as session:
        steps = [each.step for each in session.query(StudyPart).filter(StudyPart.site_id.is_not(None)).all()]
    assert steps.count("recover") == 3


def test_no_seed_of_a_site_is_told_that_was_said_to_have_fallen_out(alliance: Alliance) -> None:
    """Else the coordinator would have all masks of its answer; nor before the others' masks came off."""
    asked = alliance.ask(study_text("count", secure=True))
    alliance.approve_all()
    runner = coordinate.Runner(
        alliance.center, asked.id, asked.uid, read_study(study_text("count", secure=True)), 1, None
    )
    base = {"study": asked.uid, "step": "count", "told": {}, "together": runner.together}
    names = [wire.identity(each.home).name for each in alliance.sites]

    def told(site: Any, question: dict[str, Any]) -> dict[str, Any]:
        given = {**question, "digest": answering.question_digest(question)}
        with site.read() as session:
            number = session.query(answering.AllianceStudy).one().id
        return wire.unpack(answering.answer(site, OWNER, number, given))[0]

    first, second = alliance.sites[:2]
    facts = {name: told(site, base)["facts"] for name, site in zip(names, alliance.sites, strict=True)}
    recover = {"study": asked.uid, "recover": base, "missing": [names[3]], "among": names[:3],
               "shares": {names[3]: facts[names[3]]["shares"]}}  # fmt: skip
    assert told(first, recover)["refused"]["code"] == "alliance.together"
    told(first, {"study": asked.uid, "unmask": base, "answered": sorted(names[:3])})
    assert told(first, recover)["refused"]["code"] == "alliance.together"
    told(second, {"study": asked.uid, "unmask": base, "answered": sorted(names)})
    share = told(second, {**recover, "again": 1})["facts"]["shares"][names[3]]
    least = masks.least_of(4)
    with pytest.raises(MadangError):  # one share is too few
        masks.put_together({names[1]: bytes.fromhex(share)}, names[:3], least)


def test_a_courier_carries_a_study_and_its_answer(alliance: Alliance) -> None:
    inner = {"kind": "cox", "time": "time", "event": "status", "terms": ["age", "sex"], "bin": 30}
    of = "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in inner.items()) + "}"
    stated = "\n[variables]\n" + "\n".join(f"{name} = {{ levels = ['0', '1'] }}" for name in ("sex", "sick"))
    table = study_text("table", columns=["sex", "sick"]) + stated
    for text in [
        study_text("count"),
        table,
        study_text("moments", columns=["age"]),
        study_text("meta") + f"\nof = {of}",
    ]:
        asked = alliance.ask(text)
        far = alliance.sites[3]
        bundle = courier.carried_out(alliance.center, OWNER, asked.id, "site3")
        received = courier.brought_in(far, OWNER, bundle)
        with pytest.raises(MadangError):  # nobody has approved it
            courier.answered(far, OWNER, bundle)
        answering.approve(far, OWNER, received.id)
        reply = courier.answered(far, OWNER, bundle)
        courier.taken_back(alliance.center, OWNER, reply)
        alliance.approve_all(alliance.sites[:3])
        answer = alliance.run(asked.id, alliance.sites[:3])
        assert [each["way"] for each in answer["sites"]] == ["online"] * 3 + ["courier"]
        assert all(each["in"] for each in answer["sites"])
        assert answer["vocabularies_differ"]
        if answer["kind"] in ("count", "table"):
            same(answer, together(text))
            assert answer["n"] == 240
        if answer["kind"] == "meta":
            exact = together(study_text("cox", **{k: v for k, v in inner.items() if k != "kind"}))
            assert not answer["exact"]
            for item in answer["forest"]:
                assert item["beta"] == pytest.approx(exact["coef"][item["name"]], abs=2 * item["se"])
    exact_one = alliance.ask(study_text("cox", **{k: v for k, v in inner.items() if k != "kind"}))
    with pytest.raises(MadangError) as error:
        courier.carried_out(alliance.center, OWNER, exact_one.id, "site3")
    assert error.value.code == "alliance.rounds"


def test_a_standing_rule_approves(alliance: Alliance) -> None:
    for site in alliance.sites:
        partners.stand(site, OWNER, "center", ["count"])
    asked = alliance.ask(study_text("count"))
    for site in alliance.sites:
        alliance.turn(site)
    assert alliance.run(asked.id)["n"] == 240


def test_a_killed_coordinator_goes_on(alliance: Alliance) -> None:
    """Broken off at every question, begun again in between; the answer is that of a run that nobody broke."""
    asked = alliance.ask(STUDIES[6])
    alliance.approve_all()
    put = coordinate.Runner._put
    left = [1, 2, 3, 5]

    class Killed(BaseException):
        pass

    def dying(runner: Any, question: Any) -> str:
        if left and runner.number + 1 == left[0]:
            left.pop(0)
            raise Killed
        return put(runner, question)

    coordinate.Runner._put = dying  # type: ignore[method-assign]  # put back below
    try:
        while left:
            with pytest.raises(Killed):
                alliance.run(asked.id)
        answer = alliance.run(asked.id)
    finally:
        coordinate.Runner._put = put  # type: ignore[method-assign]  # put back below
    same(answer, together(STUDIES[6]))


def test_agreements_are_versions_signed_by_both(alliance: Alliance) -> None:
    made = partners.amend(alliance.center, OWNER, "site0", {"limits": {"minimum": 9}, "law": "KR"})
    assert made.version == 2
    site = alliance.sites[0]
    alliance.turn(site)
    assert partners.in_force(alliance.partner(site))[0] == 1
    partners.agree(site, OWNER, "center")
    alliance.turn(site)
    for node, name in ((alliance.center, "site0"), (site, "center")):
        with node.read() as session:
            version, document = partners.in_force(partners.find(session, name))
        assert (version, document["limits"]["minimum"], document["law"]) == (2, 9, "KR")


def test_leaving_takes_effect_at_once(alliance: Alliance) -> None:
    from madang.services.alliance.agent import goodbye

    goodbye(alliance.sites[0], OWNER, "center", "done")
    assert [each["state"] for each in overview(alliance.center, OWNER)["partners"]] == ["left"] + ["confirmed"] * 3
    with pytest.raises(MadangError):
        alliance.turn(alliance.sites[0])
    assert len(coordinate.sites_of(alliance.center, alliance.ask(study_text("count")).id)) == 3


def test_what_is_shown_says_what_leaves(alliance: Alliance) -> None:
    alliance.ask(STUDIES[6])
    alliance.turn(alliance.sites[0])
    told = study_shown(alliance.sites[0], OWNER, 1)
    assert told["state"] == "waiting" and any("leaves" in each for each in told["words"])
