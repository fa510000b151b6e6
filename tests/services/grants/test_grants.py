"""The ledger of promises: what a plain fold says, the database says, for today and any past day."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import python_calamine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node import closed
from madang.node.mail import Mail
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.accounts import create_person, find_organization, find_person, give_role
from madang.node.people.projects import make_project
from madang.node.people.sessions import begin_session
from madang.services.catalog import service as catalog
from madang.services.deposits import putting
from madang.services.deposits import service as deposits
from madang.services.grants import following, ledger, linking, plans, reminding, rules, service, tables
from madang.services.grants.ledger import STATUSES, Event, status_of
from madang.services.grants.models import Award, Promise, PromiseEvent
from madang.services.grants.overview import overview
from madang.services.grants.plans import AwardRow, Promised, Read
from portal_house import OWNER, House, work_off
from support import needs, shared_data
from web.served import Served

START = date(2024, 1, 1)
DAYS = 700
RECORDS = ("alpha", "beta")


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def random_life(random: Random, day: date) -> list[dict[str, Any]]:
    """What may happen to one promise, in the order in which it becomes known."""
    due = day + timedelta(days=random.randrange(-30, 400))
    events: list[dict[str, Any]] = [{"topic": "terms", "kind": "promised", "day": due, "tier": "open"}]
    for _step in range(random.randrange(0, 9)):
        record = random.choice(RECORDS)
        events.append(
            random.choice(
                [
                    {"topic": "terms", "kind": "prolonged", "day": due + timedelta(days=random.randrange(200))},
                    {"topic": "life", "kind": random.choice(["cancelled", "promised"])},
                    {"topic": "excuse", "kind": "allowed", "day": due + timedelta(days=random.randrange(90))},
                    {"topic": "excuse", "kind": "allowed", "day": None},
                    {"topic": "request", "kind": "refused"},
                    *[{"topic": "link", "kind": "linked", "record": record}] * 3,
                    {"topic": "link", "kind": "unlinked", "record": record},
                    *[{"topic": "check", "kind": "valid", "record": record}] * 2,
                    {"topic": "check", "kind": "invalid", "record": record},
                    *[{"topic": "release", "kind": "released", "record": record, "day": due}] * 2,
                    {"topic": "release", "kind": "released", "record": record, "counts": False},
                    {"topic": "release", "kind": "withdrawn", "record": record},
                ]
            )
        )
    return events


def live(node: Node, count: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> dict[int, list[Event]]:
    """Awards with random lives in the database; what happened to each promise, for the fold."""
    random = Random(seed)
    known: dict[int, list[Event]] = {}
    with node.write() as session:
        award = Award(number="A", title="An award", organization_id=1)
        session.add(award)
        session.flush()
        for place in range(count):
            promise = Promise(award_id=award.id, key=str(place), title=str(place))
            session.add(promise)
            session.flush()
            day = START + timedelta(days=random.randrange(300))
            for event in random_life(random, day):
                moment = at(day, random.randrange(1, 23))
                monkeypatch.setattr(service, "now", lambda moment=moment: moment)
                service.note(session, OWNER, promise.id, **event)
                fields = {name: event.get(name, "") for name in ("topic", "kind", "record")}
                told = Event(moment, **fields, day=event.get("day"), counts=event.get("counts", True))
                known.setdefault(promise.id, []).append(told)
                day += timedelta(days=random.randrange(1, 90))
    monkeypatch.undo()
    return known


def test_the_database_says_what_the_fold_says_today_and_on_ten_past_days(
    each_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = each_house.node
    known = live(node, 500, 7, monkeypatch)
    days = [Random(11).randrange(DAYS) for _each in range(10)]
    seen = set()
    for offset in [*days, None]:
        today, moment = (
            (START + timedelta(days=offset), at(START + timedelta(days=offset), 23))
            if offset
            else (
                START + timedelta(days=2 * DAYS),
                None,
            )
        )
        with node.read() as session:
            told = {row.promise_id: row.status for row in ledger.whole(session, today, moment)}
        until = moment or at(today, 23)
        wanted = {
            number: status_of(events, today, until)
            for number, events in known.items()
            if any(event.at <= until for event in events)
        }
        assert told == wanted
        seen |= set(told.values())
    assert seen == set(STATUSES), "the lives reach every status"


def test_replaying_the_log_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    node = house.node
    live(node, 60, 3, monkeypatch)
    today = START + timedelta(days=400)

    def told() -> dict[int, str]:
        with node.read() as session:
            return {row.promise_id: row.status for row in ledger.whole(session, today, at(today, 23))}

    before = told()
    with node.write() as session:
        events = session.query(PromiseEvent).order_by(PromiseEvent.id).all()
        last: dict[tuple[int, str, str], PromiseEvent] = {}
        for event in events:
            event.replaced = None
            key = (event.promise_id, event.topic, event.record)
            if key in last:
                last[key].replaced = event.at
            last[key] = event
    assert told() == before


def promised(node: Node, **more: Any) -> int:
    """One promise; its number."""
    dataset = Promised("d", "Data", more.pop("due", date(2020, 1, 1)), more.pop("tier", "open"))
    row = AwardRow("A-1", "An award", ends=date(2030, 1, 1), rule=more.pop("rule", ""), promises=(dataset,))
    service.import_awards(node, OWNER, Read((row,)), "test", **more)
    return service.lines(node, OWNER, award="A-1")[0].promise.id


def status(node: Node, number: int) -> str:
    return next(line.status for line in service.lines(node, OWNER) if line.promise.id == number)


def test_a_plan_comes_in_is_late_is_kept_by_a_record_and_is_late_again_when_that_is_withdrawn(house: House) -> None:
    node = house.node
    number = promised(node)
    assert status(node, number) == "late"
    name = house.published()
    assert linking.link(node, OWNER, number, name) == []
    assert status(node, number) == "released"
    catalog.withdraw(node, OWNER, name, "wrong")
    assert status(node, number) == "late"
    _promise, _line, events = service.events_of(node, OWNER, number)
    kinds = [event.kind for event in events]
    assert kinds == ["promised", "linked", "released", "withdrawn"]
    assert events[2].evidence, "the manifest that was released"
    assert events[2].reason == "rule publication-or-end 1", "by which rule it was judged"


def test_what_is_still_missing_is_said_at_once(house: House) -> None:
    number = promised(house.node, rule="as-open-as-possible")
    name = house.published("closed", tier="controlled")
    assert "on request" not in str(linking.link(house.node, OWNER, number, name))
    assert "controlled" in " ".join(linking.link(house.node, OWNER, number, name))
    assert status(house.node, number) == "late"
    draft = house.drafted("draft")
    assert linking.link(house.node, OWNER, number, draft) == ["It was not found valid yet.", "It is not released yet."]


def test_one_dataset_serves_several_grants(house: House) -> None:
    first = promised(house.node)
    row = AwardRow("A-2", "Another", promises=(Promised("e", "Data", date(2020, 1, 1)),))
    service.import_awards(house.node, OWNER, Read((row,)), "test")
    second = service.lines(house.node, OWNER, award="A-2")[0].promise.id
    name = house.published()
    for each in (first, second):
        linking.link(house.node, OWNER, each, name)
    assert [status(house.node, each) for each in (first, second)] == ["released", "released"]


def person(node: Node, login: str, role: str, organization: str = "house") -> Actor:
    number = create_person(node, OWNER, login, login)
    with node.read() as session:
        place = find_organization(session, organization).id
    give_role(node, OWNER, number, role, place)
    with node.read() as session:
        return Actor.person(session, number)


def test_an_excuse_is_allowed_by_somebody_else_and_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    node = house.node
    number = promised(node)
    kim, lee = person(node, "kim", "funder"), person(node, "lee", "funder")
    until = datetime.now(UTC).date() + timedelta(days=30)
    service.ask_excuse(node, kim, number, "patent", "A patent is applied for.", until)
    assert status(node, number) == "late"
    with pytest.raises(MadangError, match="may not do this"):
        service.decide_excuse(node, kim, number, allow=True)
    service.decide_excuse(node, lee, number, allow=True)
    assert status(node, number) == "excused"
    assert service.all_counts(node, OWNER, until + timedelta(days=-40))["excused"] == 0, "it was not known then"
    service.ask_excuse(node, OWNER, number, "other", "More time.", None)
    assert status(node, number) == "excused", "asking again takes nothing away"
    with pytest.raises(MadangError, match="may not do this"):
        service.decide_excuse(node, OWNER, number, allow=True)


def test_an_award_that_is_prolonged_or_cancelled(house: House) -> None:
    number = promised(house.node)
    service.prolong_award(house.node, OWNER, "A-1", 3_650)
    assert service.lines(house.node, OWNER)[0].due == date(2029, 12, 29)
    assert status(house.node, number) == "promised"
    assert service.cancel_award(house.node, OWNER, "A-1", "The funder took it back.") == 1
    assert status(house.node, number) == "cancelled"


def test_a_second_edition_of_a_plan_changes_what_is_promised_and_doubles_nothing(house: House) -> None:
    promised(house.node)
    again = promised(house.node, due=date(2031, 1, 1))
    lines = service.lines(house.node, OWNER)
    assert [(line.promise.id, line.due) for line in lines] == [(again, date(2031, 1, 1))]


def test_members_of_the_project_see_theirs_and_others_nothing(house: House) -> None:
    node = house.node
    make_project(node, OWNER, "kidney", "Kidneys", leader="member")
    promised(node, project="kidney")
    with node.read() as session:
        member = Actor.person(session, find_person(session, "member").id)
        steward = Actor.person(session, find_person(session, "steward").id)
    assert len(service.lines(node, member)) == 1 and service.lines(node, steward) == []


TABLE = """과제번호,과제명,사업명,주관기관,연구책임자,연구시작일,연구종료일,데이터셋,공개예정일,공개구분
RS-1,=신장 연구,바이오,서울대,김,2024.01.01,2026-12-31,영상,2025. 3. 1,공개
RS-1,=신장 연구,바이오,서울대,김,2024.01.01,2026-12-31,영상,2025-02-30,비공개
RS-2,다른 연구,바이오,부산대,이,2024.01.01,2026-12-31,,,
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_table_of_awards_as_offices_write_it(house: House, encoding: str) -> None:
    read = plans.read_bytes("a.csv", TABLE.encode(encoding))
    assert [award.number for award in read.awards] == ["RS-1", "RS-2"]
    first = read.awards[0]
    assert [(p.key, p.due, p.tier) for p in first.promises] == [
        ("영상", date(2025, 3, 1), "open"),
        ("영상#2", None, "metadata-only"),
    ]
    assert len(read.warnings) == 1 and "2025-02-30" in read.warnings[0]
    service.import_awards(house.node, OWNER, read, "a.csv")
    lines = service.lines(house.node, OWNER)
    assert "'=신장 연구" in tables.csv_text(lines).decode("utf-8-sig"), "no formula in a spreadsheet"
    again = plans.read_bytes("a.xlsx", tables.workbook(lines))
    assert {award.number for award in again.awards} == {"RS-1"}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.json", b"{}", "grants.plan"),
        ("a.json", b"[1", "grants.plan"),
        ("a.json", b'{"dmp": []}', "grants.plan"),
        ("a.csv", b"", "grants.table"),
        ("a.csv", b"a,b\n1,2\n", "grants.table"),
        ("a.csv", b"\xff\xfe\xff", "grants.table"),
        ("a.xlsx", b"PK", "grants.table"),
        ("a.pdf", b"", "grants.file"),
    ],
)
def test_what_is_no_plan_and_no_table_is_one_sentence(name: str, content: bytes, code: str) -> None:
    with pytest.raises(MadangError) as refused:
        plans.read_bytes(name, content)
    assert refused.value.code == code


NAMES = ["title", "dataset", "project", "funding", "license", "distribution", "dataset_id", "issued", "start", "end"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
PLANS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner))


@given(PLANS)
def test_whatever_stands_in_a_plan_is_read_or_refused(value: Any) -> None:
    try:
        was = "read" if plans.read_plan(json.dumps({"dmp": value}).encode()).awards else "empty"
    except MadangError as refused:
        was = refused.code
    assert was in ("read", "grants.plan")


def test_the_example_plans_of_the_standard_are_read_and_what_is_not_used_is_said() -> None:
    files = sorted(Path(shared_data("madmp")).glob("ex*.json"))
    assert len(files) == 10
    read = {path.name.partition("-")[0]: plans.read(path) for path in files}
    assert all(each.awards for each in read.values())
    assert read["ex1"].awards[0].number == "1234567-AT"
    assert read["ex4"].awards[0].promises[0].due == date(2021, 6, 30), "the license begins later than the file"
    assert read["ex6"].awards[0].promises[0].tier == "metadata-only"
    assert [p.title for p in read["ex7"].awards[0].promises] == ["Cool data", "Source Code"]
    assert [p.tier for p in read["ex9"].awards[0].promises] == ["open", "metadata-only", "open"]
    assert len({p.key for p in read["ex9"].awards[0].promises}) == 3, "one identifier for three datasets"
    assert "dmp.ethical_issues_report" in read["ex9"].unused


def thirty(node: Node) -> None:
    """30 awards of a made-up funder: 3 promises late, 1 excused by a second person, 2 released, the rest to come."""
    day = datetime.now(UTC).date()

    def row(number: int) -> AwardRow:
        over = number < 4
        promise = Promised(
            f"d{number}", f"Data {number}", day - timedelta(days=9) if over else day + timedelta(days=90)
        )
        return AwardRow(
            f"RS-{number:02}",
            f"Award {number}",
            f"Program {number % 3}",
            f"Institution {number % 5}",
            begins=date(2024 + number % 2, 1, 1),
            promises=(promise,),
        )

    service.import_awards(node, OWNER, Read(tuple(row(number) for number in range(30))), "thirty")
    kim, lee = person(node, "kim", "funder"), person(node, "lee", "funder")
    fourth = service.lines(node, OWNER, award="RS-03")[0].promise.id
    service.ask_excuse(node, kim, fourth, "patent", "A patent is applied for.", day + timedelta(days=60))
    service.decide_excuse(node, lee, fourth, allow=True)


def test_what_is_late_of_30_awards_stands_on_one_page_and_in_the_sheet_of_the_year(house: House, site: Served) -> None:
    node = house.node
    thirty(node)
    record = house.published()
    for number in ("RS-10", "RS-11"):
        linking.link(node, OWNER, service.lines(node, OWNER, award=number)[0].promise.id, record)
    with node.write() as session:
        cookie = {"madang": begin_session(session, node, find_person(session, "kim"))}
    page = site.get("/grants", cookies=cookie)
    assert page.status_code == 200
    told = site.get("/api/v1/grants", cookies=cookie).json()
    assert told["counts"] == dict.fromkeys(STATUSES, 0) | {"late": 3, "excused": 1, "released": 2, "promised": 24}
    assert [line["award"] for line in told["lines"][:4]] == ["RS-00", "RS-01", "RS-02", "RS-03"]
    late = site.get("/api/v1/grants?status=late", cookies=cookie).json()["lines"]
    assert {line["status"] for line in late} == {"late"} and len(late) == 3
    year = datetime.now(UTC).year
    content = site.get(f"/grants.xlsx?year={year}", cookies=cookie).content
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    assert [row[0] for row in next(iter(sheets.values()))[1:]] == [f"RS-{n:02}" for n in (0, 1, 2, 3, 10, 11)]
    results, files = list(sheets.values())[1:]
    assert [row[2] for row in results[1:]] == [record, record]
    assert all(len(row[-1]) == 64 for row in files[1:]) and len(files) > 1, "every file with its hash"


def test_a_deposit_keeps_a_promise_by_one_choice(house: House, site: Served, tmp_path: Path) -> None:
    needs("bwrap")
    if not closed.is_available():
        pytest.skip(f"missing: closed programs ({closed.why_not()})")
    node = house.node
    number = promised(node, rule="immediate-or-dated")
    deposits.begin(node, OWNER, "mine", "table", "hospital", "A table")
    assert linking.choices(node, OWNER, "deposit-mine") == [(number, "A-1: Data", False)]
    lacking = deposits.link_promise(node, OWNER, "mine", number)
    assert "things in the deposit are wrong" in lacking[0]
    assert status(node, number) == "late", "its day is over, however far it came"
    service.prolong_award(node, OWNER, "A-1", 3_650)
    assert status(node, number) == "deposited"
    deposits.describe(node, OWNER, "mine", description="Numbers", license="CC0-1.0")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "t.csv").write_text("a,b\n1,2\n")
    putting.put_folder(node, OWNER, "mine", tmp_path / "given")
    deposits.submit(node, OWNER, "mine")
    assert status(node, number) == "validated"
    record = deposits.approve(node, OWNER, "mine")
    work_off(node)
    catalog.publish(node, OWNER, record, 1)
    assert record == "deposit-mine" and status(node, number) == "released"


def test_reminders_go_to_who_answers_for_the_project_once_and_again_while_it_is_late(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = house.node
    make_project(node, OWNER, "kidney", "Kidneys", leader="member")
    with node.write() as session:
        find_person(session, "member").email = "leader@example.org"
    day = datetime.now(UTC).date()
    number = promised(node, due=day + timedelta(days=10), project="kidney")

    def sent() -> list[str]:
        with node.read() as session:
            return list(session.scalars(select(Mail.subject).order_by(Mail.id)))

    assert (reminding.remind(node, OWNER), reminding.remind(node, OWNER)) == (1, 0)
    promised(node, due=day - timedelta(days=1), project="kidney")
    assert (reminding.remind(node, OWNER), reminding.remind(node, OWNER)) == (1, 0)
    later = datetime.now(UTC) + timedelta(days=31)
    for module in (service, reminding):
        monkeypatch.setattr(module, "now", lambda: later)
    assert (reminding.remind(node, OWNER), reminding.remind(node, OWNER)) == (1, 0)
    assert len(sent()) == 3
    kinds = [each.kind for each in service.events_of(node, OWNER, number)[2] if each.topic == "reminder"]
    assert kinds == ["soon", "late", "late"]
    assert status(node, number) == "late", "a reminder changes no status"


def test_what_is_under_embargo_counts_from_the_day_on_which_that_ends(house: House) -> None:
    node = house.node
    end = datetime.now(UTC) + timedelta(days=40)
    number = promised(node, due=end.date() + timedelta(days=30))
    linking.link(node, OWNER, number, house.published("later", tier="embargoed", end=end))
    assert status(node, number) == "deposited"
    with node.read() as session:
        rows = ledger.whole(session, end.date() + timedelta(days=1))
    assert [row.status for row in rows] == ["released"]


def test_a_rule_that_is_changed_after_the_fact_changes_no_status_and_both_are_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = house.node
    number = promised(node)
    linking.link(node, OWNER, number, house.published())
    stricter = replace(rules.rules()["publication-or-end"], version="2", licenses=("CC-BY-4.0",))
    monkeypatch.setattr(linking, "rule_of", lambda name: stricter)
    assert status(node, number) == "released"
    with node.read() as session:
        told = linking.judged_now(session, service.find_promise(session, number))
    assert list(told.values()) == ["Its license is not one of CC-BY-4.0."]


def test_two_funders_with_one_number_are_told_apart(house: House) -> None:
    node = house.node
    promised(node)
    row = AwardRow("A-1", "Another", promises=(Promised("x", "X", date(2031, 1, 1)),))
    service.import_awards(node, OWNER, Read((row,)), "test", organization="hospital")
    with node.read() as session, pytest.raises(MadangError, match="Several funders"):
        service.find_award(session, "A-1")
    made = service.promise_dataset(node, OWNER, "A-1", Promised("", "Y"), funder="hospital")
    assert next(each for each in service.lines(node, OWNER) if each.promise.id == made).award.title == "Another"
    service.cancel_award(node, OWNER, "A-1", "Over.", funder="hospital")
    assert [line.status for line in service.lines(node, OWNER, award="A-1")] == ["late", "cancelled", "cancelled"]


def test_what_followed_an_award_is_counted_and_funds_are_as_entered(house: House, site: Served) -> None:
    node = house.node
    number = promised(node)
    record = house.published()
    linking.link(node, OWNER, number, record)
    assert site.get(f"/records/{record}/download.zip", cookies={"madang": house.cookies["steward"]}).status_code == 200
    following.enter_funds(node, OWNER, number, 120_000_000, "KRW", "A company, for a joint study.")
    following.enter_funds(node, OWNER, number, -20_000_000, "KRW", "Put right.")
    with node.read() as session:
        award = service.find_award(session, "A-1")
    found = following.what_followed(node, award)
    assert (found.uses, found.sums) == ({"download": 1}, {"KRW": 100_000_000})
    with pytest.raises(MadangError, match="no amount"):
        following.enter_funds(node, OWNER, number, 0, "KRW", "Nothing.")


def test_the_empty_table_is_read_back(house: House) -> None:
    read = plans.read_bytes("a.xlsx", tables.template())
    assert [(a.number, a.promises[0].due) for a in read.awards] == [("2026-0001", date(2028, 6, 30))]
    service.import_awards(house.node, OWNER, read, "template")


def test_the_overview_is_what_the_ledger_says_and_hears_of_every_change(house: House) -> None:
    node = house.node
    thirty(node)
    kim = next(iter([person(node, "park", "funder", "hospital")]))
    for actor in (OWNER, kim):
        found = overview(node, actor)
        assert found.counts == service.all_counts(node, actor)
        for groups in (found.by_program, found.by_institution, found.by_year):
            assert sum(sum(counts.values()) for _name, counts in groups) == sum(found.counts.values())
    first = overview(node, OWNER).lines[0].promise.id
    service.cancel_promise(node, OWNER, first, "Over.")
    assert (overview(node, OWNER).counts["cancelled"], overview(node, OWNER).counts["late"]) == (1, 2)
