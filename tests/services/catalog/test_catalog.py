"""A record from draft to tombstone, over HTTP: who sees it, who gets the data, and what is never given out."""

import csv
import io
import zipfile
from datetime import timedelta

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.node import Node
from madang.services.catalog import finding, models, service
from portal_house import OURS, OWNER, PEOPLE, VISITS, House, commit, describe, work_off
from support import needs
from web.served import Served

CONTENT = ("/profile", "/quality", "/download.zip", "/download/person.csv", "/download/person.parquet")


def browser(site: Served, house: House, role: str) -> httpx.Client:
    """A browser of somebody who signed in."""
    return site.browser({"madang": house.cookies[role]})


def test_a_steward_publishes_a_dataset_in_a_few_steps(house: House, site: Served) -> None:
    commit(house.node, "ours", person=PEOPLE, visit_occurrence=VISITS)
    with browser(site, house, "steward") as steward, browser(site, house, "member") as member:
        assert "ours@1 (import)" in steward.get("/steward").text
        assert member.get("/steward").status_code == 403
        asked = {"dataset": "ours", "organization": "hospital"}
        assert member.post("/steward", data=asked, headers=OURS).status_code == 403
        made = steward.post("/steward?lang=en", data=asked, headers=OURS)
        assert (made.status_code, made.headers["location"]) == (303, "/steward/ours")
        again = steward.post("/steward", data=asked, headers=OURS)
        assert again.status_code == 409 and "has a record already" in again.text
        assert site.get("/records/ours").status_code == member.get("/steward/ours").status_code == 404
        assert steward.post("/steward/ours/publish", data={"version": "1"}, headers=OURS).status_code == 409
        work_off(house.node)
        assert "Publish version 1" in steward.get("/steward/ours?lang=en").text
        refused = steward.post("/steward/ours/publish?lang=en", data={"version": "1"}, headers=OURS)
        assert refused.status_code == 422 and "need a contact, how access is given" in refused.text
        describe(house.node, "ours")
        assert steward.post("/steward/ours/publish", data={"version": "1"}, headers=OURS).status_code == 303
    shown = site.get("/api/v1/records/ours").json()
    assert shown["state"] == "published" and shown["current"]["rows"] == 320
    assert shown["profile"]["persons"] == 20 and shown["profile"]["minimum"] == 5
    assert "application/ld+json" in site.get("/records/ours").text


def test_two_people_who_edit_one_record_do_not_overwrite_each_other(house: House, site: Served) -> None:
    name = house.drafted("ours")
    edition = service.see(house.node, OWNER, name).edition
    with browser(site, house, "steward") as steward:
        first, second = (
            steward.post(f"/steward/{name}", data={"edition": edition, "title": title, "tier": "open"}, headers=OURS)
            for title in ("one", "two")
        )
    assert first.status_code == 303
    assert second.status_code == 409 and 'value="two"' in second.text
    assert service.see(house.node, OWNER, name).title == "one"


@pytest.mark.parametrize(
    ("tier", "stranger", "member"), [("open", 200, 200), ("registered", 401, 200), ("controlled", 401, 403)]
)
def test_the_tier_decides_who_gets_the_data(house: House, site: Served, tier: str, stranger: int, member: int) -> None:
    name = house.published(tier=tier)
    with browser(site, house, "member") as signed_in, browser(site, house, "steward") as steward:
        for path in CONTENT[1:]:
            address = f"/api/v1/records/{name}{path}"
            assert site.get(address).status_code == stranger, path
            assert signed_in.get(address).status_code == member, path
            assert steward.get(address).status_code == 200, path
    assert site.get(f"/records/{name}/profile").status_code == 200
    profile = site.get(f"/api/v1/records/{name}").json()["profile"]
    assert profile["minimum"] == (1 if tier == "open" else 5)
    assert house.node.audit.verify().findings == []


def test_nothing_of_data_under_embargo_is_given_out_until_it_ends(house: House, site: Served) -> None:
    name = house.published(tier="embargoed", end=now() + timedelta(days=1))
    with browser(site, house, "member") as member:
        for path in CONTENT:
            for version in ("", "?version=1"):
                assert site.get(f"/api/v1/records/{name}{path}{version}").status_code == 401, path
                assert member.get(f"/api/v1/records/{name}{path}{version}").status_code == 403, path
    shown = site.get(f"/api/v1/records/{name}")
    assert shown.json()["profile"] is None
    assert all(each["rows"] is None for each in shown.json()["tables"] + shown.json()["files"])
    table = site.get(f"/api/v1/records/{name}/tables/person").json()
    assert not table["looks"] and all(each["filled"] is None and not each["bars"] for each in table["columns"])
    assert "<svg" not in site.get(f"/records/{name}/tables/person").text
    shown = site.get(f"/records/{name}").text
    assert 'class="picture' not in shown and 'class="domains' not in shown and "Not yet." in shown
    ended = house.published("older", tier="embargoed", end=now() + timedelta(days=1))
    with house.node.write() as session:  # a day later
        session.scalars(select(models.Record).where(models.Record.name == ended)).one().embargo_end = now()
    assert site.get(f"/records/{ended}/download.zip").status_code == 200


def test_a_stricter_tier_hides_what_was_made_for_a_looser_one(house: House, site: Served) -> None:
    name = house.published(tier="open")
    record = service.see(house.node, OWNER, name)
    service.edit(
        house.node,
        OWNER,
        name,
        service.Edited(record.edition, "t", "", "controlled", "open", "", None, record.told),
    )
    assert site.get(f"/api/v1/records/{name}").json()["profile"] is None
    assert site.get(f"/records/{name}/profile").status_code == 404
    table = f"/api/v1/records/{name}/tables/person"
    assert not site.get(table).json()["looks"] and site.get(f"{table}?version=2").status_code == 404
    work_off(house.node)
    assert site.get(f"/api/v1/records/{name}").json()["profile"]["minimum"] == 5


def test_a_version_that_is_not_published_yet_is_for_its_stewards_alone(house: House, site: Served) -> None:
    name = house.published()
    commit(house.node, name, person=PEOPLE)
    service.add_version(house.node, OWNER, name)
    work_off(house.node)
    looked = ("", "/profile", "/quality", "/tables/person")
    with browser(site, house, "member") as member, browser(site, house, "steward") as steward:
        for path in looked:
            address = f"/api/v1/records/{name}{path}?version=2"
            assert site.get(address).status_code == member.get(address).status_code == 404, path
            assert steward.get(address).status_code == 200, path
        for path in ("/ask", "/download.zip", "/download/person.csv", "/download/person.parquet"):
            address = f"/api/v1/records/{name}{path}?version=2"
            assert {client.get(address).status_code for client in (site, member, steward)} == {404}, path
    shown = site.get(f"/api/v1/records/{name}").json()
    assert [each["number"] for each in shown["versions"]] == [shown["current"]["number"]] == [1]


def test_a_holders_rule_holds_for_all_its_data_that_are_not_open(house: House, site: Served) -> None:
    name, open_one = house.published("closed", tier="controlled"), house.published("free")
    with browser(site, house, "member") as member:
        refused = member.post("/organizations/hospital/minimum", data={"minimum": 11}, headers=OURS)
        assert refused.status_code == 403
    with browser(site, house, "steward") as steward:
        assert steward.post("/organizations/hospital/minimum", data={"minimum": 0}, headers=OURS).status_code == 422
        assert steward.post("/organizations/hospital/minimum", data={"minimum": 11}, headers=OURS).status_code == 303
    assert site.get(f"/api/v1/records/{name}").json()["profile"] is None, "it tells of groups of five"
    work_off(house.node)
    assert site.get(f"/api/v1/records/{name}").json()["profile"]["minimum"] == 11
    assert site.get(f"/api/v1/records/{open_one}").json()["profile"]["minimum"] == 1


def test_downloads_are_what_the_lake_has(house: House, site: Served) -> None:
    name = house.published()
    whole = zipfile.ZipFile(io.BytesIO(site.get(f"/records/{name}/download.zip").content))
    assert {entry.split("/")[0] for entry in whole.namelist()} == {
        "person",
        "visit_occurrence",
        "cdm_source",
        "manifest.json",
        "README.txt",
        "ro-crate-metadata.json",
    }
    assert whole.testzip() is None
    table = pq.read_table(io.BytesIO(site.get(f"/records/{name}/download/person.parquet").content))
    assert table.num_rows == 20
    lines = site.get(f"/records/{name}/download/person.csv").text.splitlines()
    assert len(lines) == 21 and lines[1].endswith(',"\'=1+1"')
    for wrong in ("/download/nothing.csv", "/download/..%2f..%2fkeys.csv", "/download.zip?version=9"):
        assert site.get(f"/api/v1/records/{name}{wrong}").status_code == 404


def test_csv_is_what_spreadsheets_and_programs_read(house: House, site: Served) -> None:
    kinds = """SELECT -1::INTEGER AS i, 1.5::DOUBLE AS f, 1.50::DECIMAL(9, 2) AS m, '사람, "x"' || chr(10) AS t,
        DATE '2020-02-29' AS d, TIMESTAMP '2020-02-29 01:02:03' AS s, true AS y, NULL::INTEGER AS z, 'ab'::BLOB AS o,
        chr(9) || 'x' AS tab, '=1+1' AS "@sum" """
    commit(house.node, "ours", person=PEOPLE, kinds=kinds)
    name = service.make(house.node, OWNER, "ours", "hospital")
    work_off(house.node)
    describe(house.node, name)
    service.publish(house.node, OWNER, name, 1)
    with browser(site, house, "steward") as steward:
        sheet, exact = (
            steward.get(f"/api/v1/records/{name}/download/kinds.csv{query}").content for query in ("", "?exact=true")
        )
    plain = ["-1", "1.5", "1.50", '사람, "x"\n', "2020-02-29", "2020-02-29T01:02:03", "true", "", "6162"]
    assert sheet.startswith(b"\xef\xbb\xbf")
    for content, encoding, before in ((sheet, "utf-8-sig", "'"), (exact, "utf-8", "")):
        header, row = csv.reader(io.StringIO(content.decode(encoding), newline=""))
        assert header == [*"ifmtdsyzo", "tab", f"{before}@sum"]
        assert row == [*plain, f"{before}\tx", f"{before}=1+1"]


def test_open_data_are_asked_by_sql_and_nothing_else_is(house: House, site: Served) -> None:
    needs("bwrap")
    name, secret = house.published(), house.published("secret", tier="controlled")
    address = f"/api/v1/records/{name}/ask"
    asked = site.post(address, json={"sql": "SELECT count(*) AS n, min(visit_start_date) FROM visit_occurrence"}).json()
    assert (asked["rows"], asked["columns"][0], asked["is_cut"]) == ([[300, "2020-01-01"]], ["n", "BIGINT"], False)
    page = site.post(f"/records/{name}/ask", data={"sql": "SELECT '<b>' AS x"}, headers=OURS)
    assert page.status_code == 200 and "&lt;b&gt;" in page.text
    keys = house.node.home.path / "keys" / "audit.key"
    for wrong in ("DELETE FROM person", f"SELECT * FROM read_text('{keys}')", "SELECT 1; SELECT 2", "SELECT x", ""):
        answer = site.post(address, json={"sql": wrong})
        assert answer.status_code == 422 and answer.json()["title"], wrong
    assert site.post(f"/api/v1/records/{secret}/ask", json={"sql": "SELECT 1"}).status_code == 401


def test_a_withdrawn_record_leaves_a_tombstone_and_nothing_else(house: House, site: Served) -> None:
    name = house.published(title="Gone soon")
    with browser(site, house, "steward") as steward, browser(site, house, "member") as member:
        assert member.post(f"/steward/{name}/withdraw", data={"reason": "x"}, headers=OURS).status_code == 403
        assert steward.post(f"/steward/{name}/withdraw", data={}, headers=OURS).status_code == 422
        sent = steward.post(f"/steward/{name}/withdraw", data={"reason": "A <b>mistake</b>."}, headers=OURS)
        assert sent.status_code == 303
        assert steward.post(f"/steward/{name}/withdraw", data={"reason": "x"}, headers=OURS).status_code == 409
    page = site.get(f"/records/{name}")
    assert page.status_code == 410 and "A &lt;b&gt;mistake&lt;/b&gt;." in page.text
    assert site.get("/api/v1/records?q=gone").json()["total"] == 0
    assert {site.get(f"/api/v1/records/{name}{path}").status_code for path in CONTENT} <= {401, 404}


def test_texts_that_deceive_are_refused(house: House, site: Served) -> None:
    name = house.published()
    edition = service.see(house.node, OWNER, name).edition
    with browser(site, house, "steward") as steward:
        fields = {"edition": edition, "tier": "open"}
        for text in ("a\x00b", "a\u202eb", "a\u200bb", "x" * 301):
            for sent in ({"title": text}, {"title": "t", "license": text}, {"title": "t", "keyword": text}):
                answer = steward.post(f"/steward/{name}", data=fields | sent, headers=OURS)
                assert answer.status_code == 422, sent
        kept = steward.post(f"/steward/{name}", data=fields | {"title": "<script>alert(1)</script>"}, headers=OURS)
        assert kept.status_code == 303
    assert "<script>alert" not in site.get(f"/records/{name}").text + site.get("/records").text


def test_a_dataset_that_is_no_model_cannot_have_a_record(house: House) -> None:
    with pytest.raises(MadangError) as error:
        service.make(house.node, OWNER, "nothing", "hospital")
    assert error.value.code == "lake.no_dataset"


def test_what_was_found_is_kept_until_another_process_changes_the_catalog(each_house: House) -> None:
    house, other = each_house, Node.open(each_house.node.home)  # as another process has it

    def seen() -> tuple[int, int, int, str]:
        found = finding.search(other, OWNER, "", finding.Filters())
        assert found is finding.search(other, OWNER, "", finding.Filters())
        there = finding.overview(other, 6)
        return found.total, len(there.newest), there.records, there.newest[0].title if there.newest else ""

    assert seen() == (0, 0, 0, "")
    name = house.published(title="One")
    assert seen() == (1, 1, 1, "One")
    record = service.see(house.node, OWNER, name)
    service.edit(
        house.node, OWNER, name, service.Edited(record.edition, "Two", "", "open", "open", "", None, record.told)
    )
    assert seen() == (1, 1, 1, "Two")
    service.withdraw(house.node, OWNER, name, "It was wrong.")
    assert seen() == (0, 0, 0, "")
    other.close()


def test_the_end_of_an_embargo_changes_what_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.published(tier="embargoed", end=now() + timedelta(days=1))
    filters = finding.Filters(tier="open")
    assert finding.search(house.node, OWNER, "", filters).total == 0
    monkeypatch.setattr(models, "now", lambda: now() + timedelta(days=2))
    assert finding.search(house.node, OWNER, "", filters).total == 1
