"""What data ask for themselves, what is urgent, who is written to, lists in a workbook, and the printed minutes."""

import csv
import io
from typing import Any

import pytest
from access_house import CONTENT, Desk, refreshed
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.mail import Mail
from madang.node.people.models import Person
from madang.node.people.projects import add_member
from madang.node.people.sessions import begin_session
from madang.services.access import deciding, ending, figures, permits, service
from madang.services.access.codes import TEMPLATE, criteria_in
from madang.services.catalog import holder_of
from madang.services.catalog import service as catalog
from portal_house import OURS, OWNER
from web.served import Served

GENOMES = ("DUO:0000006", "DUO:0000007 E11", "DUO:0000018", "DUO:0000019")
SKILL = "trained in data protection"


def described(desk: Desk, **told: Any) -> None:
    with desk.node.read() as session:
        holding = holder_of(session, "claims")
        assert holding is not None
        name = holding.record
    record = catalog.see(desk.node, OWNER, name)
    description = record.told.model_copy(update=told)
    given = catalog.Edited(record.edition, "청구자료", "Claims", "controlled", "controlled", "", None, description)
    catalog.edit(desk.node, OWNER, name, given)


def found(desk: Desk, number: int) -> dict[str, str]:
    application = service.see(desk.node, desk.firm, number)
    return {each.found.rule.id: each.found.finding.value for each in service.findings(desk.node, application)}


def steps(desk: Desk, number: int) -> dict[str, str]:
    return {step.name: step.state for step in service.steps_of(service.see(desk.node, desk.steward, number))}


# -- conditions that the data carry ----------------------------------------------------------------------------------


def test_terms_of_a_record_are_held_against_an_application(desk: Desk) -> None:
    described(desk, data_use=GENOMES)
    silent = found(desk, desk.applied())
    assert [silent[name] for name in ("DUO:0000006", "DUO:0000007", "DUO:0000019")] == ["cannot tell"] * 3
    assert silent["DUO:0000018"] == "differs", "a company wants to profit"
    told = found(desk, desk.applied(research="disease", diseases=["E11.2"], publishes=True))
    assert [told[name] for name in ("DUO:0000006", "DUO:0000007", "DUO:0000019")] == ["matches"] * 3
    assert not any(name.startswith("DUO") for name in found(desk, other(desk))), "insurance data carry no such terms"


def other(desk: Desk) -> int:
    from access_house import CONDITION, PERSON, recorded

    from portal_house import commit

    commit(desk.node, "plain", person=PERSON, condition_occurrence=CONDITION)
    recorded(desk.node, "plain")
    given = {"project": "kidney", "dataset": "plain", "title": "Plain"}
    return service.apply(desk.node, desk.firm, content=CONTENT, **given)


@pytest.mark.parametrize("wrong", ["DUO:0000042", "anything", "DUO:0000025 soon"])
def test_a_term_that_is_none_is_refused_where_it_is_written(desk: Desk, wrong: str) -> None:
    with pytest.raises(MadangError) as refused:
        described(desk, data_use=(wrong,))
    assert refused.value.code == "privacy.duo"


def test_a_permit_waits_for_the_training_that_the_data_ask_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: set[int] = set()
    monkeypatch.setattr(
        "madang.services.training.giving.trusted", lambda skill, node, person: skill == SKILL and person in trained
    )
    described(desk, asks_training=SKILL)
    number = desk.submitted()
    assert found(desk, number)["terms.training"] == "differs"
    desk.approved(number)
    with pytest.raises(MadangError) as refused:
        permits.issue(desk.node, desk.steward, number)
    assert refused.value.code == "access.training" and "Kim" in refused.value.message
    assert desk.firm.person_id is not None and desk.stranger.person_id is not None
    trained.add(desk.firm.person_id)
    assert found(desk, number)["terms.training"] == "matches"
    permits.issue(desk.node, desk.steward, number)
    with pytest.raises(MadangError) as outside:
        add_member(desk.node, OWNER, "kidney", "nam")
    assert outside.value.code == "access.training"
    assert not refreshed(desk.node, desk.stranger.person_id).projects
    trained.add(desk.stranger.person_id)
    add_member(desk.node, OWNER, "kidney", "nam")
    assert refreshed(desk.node, desk.stranger.person_id).projects


def test_without_a_badge_of_the_course_nobody_is_trusted(desk: Desk) -> None:
    described(desk, asks_training=SKILL)
    assert found(desk, desk.applied())["terms.training"] == "differs"


# -- what cannot wait ------------------------------------------------------------------------------------------------


def test_an_urgent_application_is_voted_on_while_adequacy_is_looked_at(desk: Desk) -> None:
    usual, urgent = desk.applied(), desk.applied(urgent_reason="An outbreak.")
    for number in (usual, urgent):
        service.submit(desk.node, desk.firm, number)
        deciding.close_step(desk.node, desk.steward, number, "screening")
    assert (steps(desk, usual)["committee"], steps(desk, urgent)["committee"]) == ("waiting", "open")
    last = desk.applied()
    assert [each.id for each in service.list_applications(desk.node, desk.firm)] == [urgent, last, usual]
    for member in desk.members:
        deciding.vote(desk.node, member, urgent, "approve")
    deciding.close_vote(desk.node, desk.steward, urgent)
    with pytest.raises(MadangError) as refused:  # nothing is left out
        permits.issue(desk.node, desk.steward, urgent)
    assert refused.value.code == "access.step"
    for step in ("adequacy", "ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, urgent, step)
    assert permits.issue(desk.node, desk.steward, urgent)


def test_the_steward_may_say_that_it_can_wait(desk: Desk) -> None:
    number = desk.applied(urgent_reason="We are late.")
    service.submit(desk.node, desk.firm, number)
    deciding.close_step(desk.node, desk.steward, number, "screening")
    with pytest.raises(MadangError) as refused:
        deciding.not_urgent(desk.node, desk.firm, number, "no")
    assert refused.value.code == "permission.denied"
    deciding.not_urgent(desk.node, desk.steward, number, "No reason is given.")
    assert steps(desk, number)["committee"] == "waiting"
    assert not service.see(desk.node, desk.firm, number).urgent
    with pytest.raises(MadangError) as twice:
        deciding.not_urgent(desk.node, desk.steward, number, "again")
    assert twice.value.code == "access.urgent"


def test_urgent_applications_have_figures_of_their_own(desk: Desk) -> None:
    """From three on: fewer would tell how long a single one took."""
    for decided in range(1, figures.LEAST + 1):
        number = desk.applied(urgent_reason="An outbreak.", recipe="shifted")
        service.submit(desk.node, desk.firm, number)
        deciding.close_step(desk.node, desk.steward, number, "screening")
        for member in desk.members:
            deciding.vote(desk.node, member, number, "approve")
        deciding.close_vote(desk.node, desk.steward, number)
        told = figures.figures(desk.node)
        assert told.urgent == decided and (told.median_days_urgent is None) == (decided < figures.LEAST)


def test_what_is_urgent_says_why(desk: Desk) -> None:
    given = {"project": "kidney", "dataset": "claims", "title": "Kidneys", "organization": "hospital"}
    number = service.apply(desk.node, desk.firm, content=CONTENT, urgent=True, **given)
    with pytest.raises(MadangError) as refused:
        service.submit(desk.node, desk.firm, number)
    assert refused.value.code == "access.incomplete"


# -- e-mails -----------------------------------------------------------------------------------------------------------


def test_who_is_written_to_at_each_step(desk: Desk) -> None:
    with desk.node.write() as session:
        for person in session.scalars(select(Person)):
            person.email = "" if person.login == "oh" else f"{person.login}@example.org"

    def letters() -> list[tuple[str, str]]:
        with desk.node.write() as session:
            new = session.scalars(select(Mail).order_by(Mail.id)).all()
            told = [(mail.recipient.partition("@")[0], mail.subject) for mail in new]
            for mail in new:
                assert f"/applications/{number}" in mail.body and "An outbreak" not in mail.body
                session.delete(mail)
        return told

    number = desk.applied(urgent_reason="An outbreak.")
    service.submit(desk.node, desk.firm, number)
    # The steward of this holder from the shared house, and the desk's own.
    assert letters() == [(who, letters_of("An application was handed in")) for who in ("steward", "seo")]
    deciding.close_step(desk.node, desk.steward, number, "screening")
    assert letters() == [(who, letters_of("An application waits for your vote")) for who in ("han", "ryu")]
    desk_vote = ("approve", "approve", "approve")
    for member, choice in zip(desk.members, desk_vote, strict=True):
        deciding.vote(desk.node, member, number, choice)
    deciding.close_step(desk.node, desk.steward, number, "adequacy")
    assert letters() == []
    deciding.close_vote(desk.node, desk.steward, number)
    assert letters() == [("kim", letters_of("Your application was decided"))]
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    permit = permits.issue(desk.node, desk.steward, number)
    permits.suspend(desk.node, desk.steward, permit, "A question.")
    permits.resume(desk.node, desk.steward, permit, "Answered.")
    permits.report(desk.node, desk.firm, permit, "Somebody was recognized.")
    ending.destroy(desk.node, desk.steward, permit, "Over.")
    told = [who for who, _subject in letters()]
    assert told == ["kim", "kim", "kim", "kim", "steward", "seo", "kim"]


def letters_of(english: str) -> str:
    from madang.base.translate import _, speaking

    said = []
    for language in ("ko", "en"):
        with speaking(language):
            said.append(_("Urgent: {sentence}").format(sentence=_(english)))
    assert said[0] != said[1], "there is no Korean of it"
    return " / ".join(said)


# -- lists of codes in a workbook --------------------------------------------------------------------------------------


def workbook(rows: list[tuple[str, ...]], xlsx: bool) -> bytes:
    if xlsx:
        xlsxwriter = pytest.importorskip("xlsxwriter")
        out = io.BytesIO()
        with xlsxwriter.Workbook(out) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        return out.getvalue()
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("cp949")


@pytest.mark.parametrize("xlsx", [True, False], ids=["xlsx", "csv"])
def test_lists_of_a_workbook_become_the_population(desk: Desk, site: Served, xlsx: bool) -> None:
    rows = [
        ("목록", "코드체계", "코드"),
        ("당뇨병", "KCD8", "E10"),
        ("당뇨병", "KCD8", "E11"),
        ("콩팥병", "KCD8", "N18"),
    ]
    rows += [("약", "KDC", "123456789"), ("투석", "EDI", "O7020"), ("또", "KCD8", "I10")]
    number = desk.applied()
    with desk.node.write() as session:
        cookie = begin_session(session, desk.node, session.get_one(Person, desk.firm.person_id))
    with site.browser({"madang": cookie}) as browser:
        files = {"file": ("codes", workbook(rows, xlsx))}
        answer = browser.post(f"/applications/{number}/codes", files=files, data={"name": "codes"}, headers=OURS)
        assert answer.status_code == 303, answer.text
        told = service.see(desk.node, desk.firm, number).told
        assert [(each.kind, each.codes) for each in told.population.criteria] == [
            ("diagnosis", ["E10", "E11"]), ("diagnosis", ["N18"]), ("drug", ["123456789"]),
            ("procedure", ["O7020"]), ("diagnosis", ["I10"]),
        ]  # fmt: skip
        assert told.population.begins == "2010-01-01", "the rest stays"
        form = browser.get(f"/api/v1/applications/{number}").json()["content"]
        kept = ("purpose", "diagnoses", "diagnoses_too", "drugs", "more_lists", "tables", "begins", "ends")
        sent = {name: form[name] for name in kept}
        assert sent["more_lists"] == "procedure: O7020\ndiagnosis: I10"
        assert browser.post(f"/applications/{number}", data=sent, headers=OURS).status_code == 303
        again = service.see(desk.node, desk.firm, number).told.population.criteria
        assert sorted(map(str, again)) == sorted(map(str, told.population.criteria)), "the form loses no list"
        example = browser.get("/access/codes.csv")
        assert example.content.decode("utf-8-sig") == TEMPLATE


def test_the_example_can_be_used_as_it_is() -> None:
    assert criteria_in(TEMPLATE.encode(), "codes") == [
        {"kind": "diagnosis", "codes": ["E11", "E14"]},
        {"kind": "diagnosis", "codes": ["N18"]},
    ]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("list", "vocabulary", "code"), ("a", "KCD8", "E11"), ("a", "KDC", "1")], "access.codes"),
        ([("list", "vocabulary", "code"), ("a", "LETTERS", "E11")], "access.codes"),
        ([("list", "vocabulary", "code", "excluded"), ("a", "KCD8", "E11", "yes")], "access.codes"),
        ([("list", "vocabulary", "code", "descendants"), ("a", "KCD8", "E11", "no")], "access.codes"),
        ([("list", "vocabulary", "code", "role"), ("a", "KCD8", "E11", "without")], "access.codes"),
        ([("list", "code"), ("a", "E11")], "cohort.form"),
        ([("list", "vocabulary", "code")], "cohort.form"),
    ],
)
def test_a_workbook_that_says_something_else_is_refused(rows: list[tuple[str, ...]], code: str) -> None:
    with pytest.raises(MadangError) as refused:
        criteria_in(workbook(rows, xlsx=False), "codes")
    assert refused.value.code == code


# -- minutes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Minutes of the committee"), ("ko", "심의위원회 회의록")], ids=["en", "ko"]
)
def test_minutes_are_a_page_for_those_who_decide(desk: Desk, site: Served, language: str, words: str) -> None:
    number = desk.submitted()
    desk.approved(number)
    for actor, status in ((desk.steward, 200), (desk.members[0], 200), (desk.firm, 403), (desk.stranger, 404)):
        with desk.node.write() as session:
            cookie = begin_session(session, desk.node, session.get_one(Person, actor.person_id))
        with site.browser({"madang": cookie}) as browser:
            page = browser.get(f"/applications/{number}/minutes?lang={language}")
            assert page.status_code == status
            told = browser.get(f"/api/v1/applications/{number}/minutes")
            assert told.status_code == status
            if status == 200:
                assert words in page.text and "No linkage." in page.text
                assert [vote["member"] for vote in told.json()["told"]["votes"]] == ["Han", "Ryu", "Oh"]
