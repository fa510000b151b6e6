"""Damaged files are found and withheld; wishes are counted; what changed from one version to the next."""

import os

import pytest

from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor
from madang.services.catalog import hashing, service
from portal_house import OURS, PEOPLE, House, commit, work_off
from web.served import Served

API = "/api/v1"
OWNER = Actor.owner()


def flip_a_bit(node: Node, dataset: str) -> None:
    """Change one bit of a file, and nothing that the file system tells of it."""
    path = next(iter(node.home.lake().dataset(dataset).version().tables["person"].paths))
    kept, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


def test_a_flipped_bit_is_found_withheld_shown_and_forgotten_once_it_is_mended(house: House, site: Served) -> None:
    house.published("clinic", tier="open")
    hashing.keep(house.node)
    work_off(house.node)
    address = "/records/clinic/download/person.parquet"
    with site.browser() as browser, site.browser({"madang": house.cookies["administrator"]}) as admin:
        assert browser.get(address).status_code == 200
        flip_a_bit(house.node, "clinic")
        assert hashing.check_files(house.node, OWNER, now(), Silent()) == 1
        refused = browser.get(f"{API}{address}")
        assert (refused.status_code, refused.json()["code"]) == (503, "catalog.damaged")
        assert browser.get("/records/clinic/ask").status_code == 503
        assert "clinic" in admin.get("/start?lang=en").text
        assert [each.level for each in hashing.look(house.node)] == ["bad"]
        flip_a_bit(house.node, "clinic")  # back
        assert hashing.check_files(house.node, OWNER, now(), Silent()) == 0
        assert browser.get(address).status_code == 200
    assert [each.level for each in hashing.look(house.node)] == ["good"]


def test_files_are_hashed_when_they_are_due_and_by_whom_may(house: House) -> None:
    house.published("clinic")
    first = hashing.begin(house.node, Actor.node(), now())
    assert first and hashing.begin(house.node, Actor.node(), now()) == first  # it waits already
    work_off(house.node)
    with house.node.read() as session:
        hashed = session.scalar(hashing._due(now()))
        assert hashed is not None
        assert session.scalar(hashing._due(now().replace(year=2020))) is None
    with pytest.raises(MadangError, match="account"):
        hashing.check_files(house.node, Actor.stranger(), now(), Silent())


def test_a_wish_counts_once_for_each_person_and_only_stewards_see_it(house: House, site: Served) -> None:
    for who in ("member", "auditor", "member"):
        with site.browser({"madang": house.cookies[who]}) as browser:
            words = " 유전체  데이터 " if who == "member" else "유전체데이터"
            said = browser.post("/wanted", data={"words": words}, headers=OURS)
            assert said.status_code == 303
            assert browser.get("/wanted").status_code == 403
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        (wish,) = steward.get(f"{API}/wanted").json()["wishes"]
        assert wish["people"] == 2
    with site.browser() as stranger:
        page = stranger.get("/records?q=nothing-of-this-kind&lang=en").text
        assert "Sign in to tell the holders" in page
        assert stranger.post(f"{API}/wanted", json={"words": "anything"}, headers=OURS).status_code == 401


def test_what_changed_is_told_without_numbers_to_who_may_not_read(house: House, site: Served) -> None:
    house.published("clinic", tier="controlled")
    commit(house.node, "clinic", person=PEOPLE.replace("range(20)", "range(30)"), notes="SELECT 1 AS note_id")
    service.add_version(house.node, OWNER, "clinic")
    work_off(house.node)
    service.publish(house.node, OWNER, "clinic", 2)
    with site.browser() as browser, site.browser({"madang": house.cookies["steward"]}) as steward:
        told = browser.get(f"{API}/records/clinic/versions/2").json()
        kinds = {(each["table"], each["kind"]) for each in told["changes"]}
        gone = {("cdm_source", "removed"), ("visit_occurrence", "removed")}
        assert kinds == {("person", "changed"), ("notes", "added")} | gone
        assert {each["rows_after"] or each["rows_before"] for each in told["changes"]} == {None}
        full = steward.get(f"{API}/records/clinic/versions/2").json()
        assert all(each["rows_after"] or each["rows_before"] for each in full["changes"])
        assert browser.get(f"{API}/records/clinic/versions/1").status_code == 404
        assert "/records/clinic/versions/2" in browser.get("/records/clinic").text


def test_the_quality_page_says_what_failed_in_sentences_of_the_readers_language(house: House, site: Served) -> None:
    house.published("clinic", tier="open")
    with site.browser() as browser:
        told = browser.get(f"{API}/records/clinic/checks").json()
        assert told["passed"] and told["failed"] == len(told["failures"]) + told["more"]
        assert sum(each["failed"] for each in told["categories"]) == told["failed"]
        english, korean = (browser.get(f"/records/clinic/checks?lang={each}").text for each in ("en", "ko"))
        assert "Can it be true?" in english and "실제로 있을 수 있는 값인가?" in korean
        assert told["failures"][0]["check"] in english and told["failures"][0]["sentence"] not in english
