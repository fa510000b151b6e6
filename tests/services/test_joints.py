"""What one room does, others show at once: people who were removed, certificates that come and go, work that fails."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.lake import persons as lake_persons
from madang.lake.persons import remove_persons as lake_removes
from madang.node import acts, editions, jobs, permissions, rooms
from madang.node.acts import Intent
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.tokens import commander
from madang.node.permissions import visible
from madang.services import certification
from madang.services.catalog import finding, service
from madang.services.catalog.models import CATALOG, Record, RecordVersion
from madang.services.datasets import remove_persons
from portal_house import OURS, OWNER, PASSWORD, House, work_off
from services.certification.certificates import assess
from support import children
from web.served import Served

PREFIX = "/api/v1"


def certified(node: Node, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Certify the newest version of a dataset by an assessment that nobody had to run; the certificate's number."""
    version = node.home.lake().find(name)
    monkeypatch.setattr("madang.services.certification.issuing.outcomes_of", lambda scheme, report: [])
    done = certification.issue(node, OWNER, version, certification.load_scheme("omop-ready"), assess(version))
    return done.entry.certificate.number


def shown(site: Served, name: str) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"{PREFIX}/records/{name}").json()
    return found


def persons_shown(site: Served, name: str) -> list[int]:
    return [table["rows"] for table in shown(site, name)["tables"] if table["name"] == "person"]


def certificate_shown(node: Node, site: Served, name: str) -> tuple[str, int, int]:
    """What the record says, how many the filter finds, and how many the front page counts."""
    found = finding.search(node, Actor.stranger(), "", finding.Filters(certified=True))
    return shown(site, name)["current"]["certificate"], found.total, finding.overview(node, 1).certified


def test_a_certificate_that_comes_goes_and_ends_is_seen_in_record_filter_and_count(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = house.published()
    assert certificate_shown(house.node, site, name) == ("", 0, 0)
    number = certified(house.node, name, monkeypatch)
    assert certificate_shown(house.node, site, name) == (number, 1, 1)
    certification.suspend(house.node, OWNER, number, "looked at again")
    assert certificate_shown(house.node, site, name) == ("", 0, 0)
    certification.reinstate(house.node, OWNER, number)
    assert certificate_shown(house.node, site, name) == (number, 1, 1)
    with house.node.write() as session:  # the end comes
        for model in (Record, RecordVersion):
            for each in session.scalars(select(model)):
                each.certified_until = now()
        editions.changed(session, CATALOG)  # the clock would not need it: what is kept names when it ends
    assert certificate_shown(house.node, site, name) == ("", 0, 0)
    certification.revoke(house.node, OWNER, number, "wrong")
    assert certificate_shown(house.node, site, name) == ("", 0, 0)
    with house.node.read() as session:
        done = [event.act for event in house.node.audit.events(session, act="certificate.*")]
    assert [act for act in reversed(done) if act.count(".") == 1] == [
        f"certificate.{act}" for act in ("issue", "suspend", "reinstate", "revoke")
    ]


def test_people_who_were_removed_are_gone_from_every_page_at_once(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = house.published()
    number = certified(house.node, name, monkeypatch)
    assert persons_shown(site, name) == [20]
    assert site.get(f"/certificates/{number}/sheet").status_code == 200
    with house.node.read() as session:
        kept = {sha for found in session.scalars(select(RecordVersion.documents)) for sha in found.values()}
    dataset = house.node.home.lake().dataset(name)
    remove_persons(house.node, OWNER, dataset, [1, 2, 3], [])
    after = shown(site, name)
    assert (after["profile"], after["files"], after["current"]) == (None, [], None)
    for path in ("profile", "quality", "download/person.csv", "download.zip"):
        assert site.get(f"/records/{name}/{path}").status_code == 404, path
    assert site.get(f"/certificates/{number}/sheet").status_code == 410
    assert not [sha for sha in kept if (house.node.home.path / "files" / sha[:2] / sha).exists()]
    work_off(house.node)
    again = shown(site, name)
    assert persons_shown(site, name) == [17]
    assert (again["current"]["number"], again["current"]["state"]) == (2, "published")
    with house.node.read() as session:
        events = house.node.audit.events(session, act="dataset.remove_persons")
    assert [(event.details["persons"], event.details["gone"]) for event in events] == [(3, [1])]


def die_after_the_lake(home: str, name: str) -> None:
    """What a command does that is killed between the work on files and its event."""

    def and_die(*given: Any, **more: Any) -> None:
        lake_removes(*given, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    lake_persons.remove_persons = and_die  # type: ignore[assignment]  # in this process only
    node = Node.open(Home(Path(home)))
    remove_persons(node, OWNER, node.home.lake().dataset(name), [1, 2, 3], [])


def test_also_when_the_process_is_killed_in_the_middle(house: House, site: Served) -> None:
    name = house.published()
    child = children.Process(target=die_after_the_lake, args=(str(house.node.home.path), name))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    hidden = shown(site, name)
    assert (hidden["current"], hidden["profile"], hidden["versions"]) == (None, None, [])
    assert site.get(f"{PREFIX}/records/{name}/profile").status_code == 503
    assert acts.settle(house.node) == [f"dataset.remove_persons dataset:{name}"]
    work_off(house.node)
    assert persons_shown(site, name) == [17]
    with house.node.read() as session:
        assert session.scalar(select(Intent.id)) is None
        assert len(house.node.audit.events(session, act="dataset.remove_persons")) == 1


def test_a_version_whose_preparing_failed_says_so_and_can_be_added_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = house.drafted("broken")

    def fails(*_given: object, **_more: object) -> None:
        raise MadangError("x.broken", "The data are damaged.")

    with monkeypatch.context() as patched:
        patched.setattr("madang.services.catalog.preparing.prepare", fails)
        work_off(house.node)
    assert [version.state for version in service.see(house.node, OWNER, name).versions] == ["failed"]
    service.add_version(house.node, OWNER, name)
    work_off(house.node)
    assert [version.state for version in service.see(house.node, OWNER, name).versions] == ["ready"]


def test_what_one_may_read_is_one_question(house: House) -> None:
    house.published("closed", tier="controlled")
    house.published("free")
    for act, expected in (("record.read", ["free"]), ("record.look", ["closed", "free"])):
        with house.node.read() as session:
            names = session.scalars(select(Record.name).where(visible(Actor.stranger(), act, Record))).all()
        assert sorted(names) == expected


def test_a_job_that_waits_under_its_old_name_is_done_after_its_function_moved(house: House) -> None:
    name = house.drafted("old")
    with house.node.write() as session:
        job = session.scalars(select(jobs.Job)).one()
        assert job.function == "catalog.prepare"
        job.function = "madang.services.catalog.service:prepare_version"  # as an earlier release kept it
    work_off(house.node)
    assert [version.state for version in service.see(house.node, OWNER, name).versions] == ["ready"]


def test_short_work_does_not_wait_for_long_work(house: House) -> None:
    house.drafted("long")
    workers = house.node.settings.jobs.workers
    with house.node.write() as session:
        short, any_lane = (jobs.keeper.lanes_of(house.node, slot) for slot in (workers, 0))
        from madang.node.jobs.worker import claim

        assert claim(session, house.node, "w", short) is None, "that slot is kept for short work"
        assert claim(session, house.node, "w", any_lane) is not None


def test_every_plan_names_what_is_there() -> None:
    plans = rooms.plans()
    assert len({plan.name for plan in plans}) == len(plans)
    known = permissions.acts()
    for plan in plans:
        targets = [*plan.listens.values(), *plan.settles.values(), *plan.traces.values()]
        targets += [each for each in (plan.doctor, plan.card, plan.demo, plan.opened, plan.hashed) if each]
        targets += [kind.failed for kind in plan.jobs if kind.failed]
        targets += [command.target for command in plan.commands]
        assert [target for target in targets if plan.load(target) is None] == [], plan.name
        assert [kind.name for kind in plan.jobs if not plan.load(kind.function).is_job] == [], plan.name
        named = [*plan.listens, *plan.settles, *(item.act for item in plan.menu if item.act)]
        assert [act for act in named if act not in known] == [], plan.name


def test_every_state_has_a_label_and_can_be_reached() -> None:
    for plan, states in rooms.states():
        reached, moves = {states.first, *states.by_clock, *states.by_work}, states.moves()
        for _round in moves:
            reached |= {to for frm, _act, to in moves if frm in reached or frm == ""}
        assert reached == set(states.labels), (plan.name, states.area)


def test_a_command_acts_as_the_person_of_its_token(house: House, site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.browser({"madang": house.cookies["steward"]}) as browser:
        wanted = {"name": "mine", "scope": "read", "days": 1, "password": PASSWORD}
        made = browser.post(f"{PREFIX}/account/tokens", json=wanted, headers=OURS)
    assert commander(house.node).kind == "owner"
    monkeypatch.setenv("MADANG_TOKEN", json.loads(made.text)["secrets"][0])
    actor = commander(house.node)
    assert (actor.kind, actor.via, actor.scopes) == ("person", "command", frozenset({"read"}))
    monkeypatch.setenv("MADANG_TOKEN", "madang_nothing")
    with pytest.raises(MadangError, match="not valid"):
        commander(house.node)
