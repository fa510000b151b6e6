"""Records on their way out: downloads, OAI-PMH with resumption tokens, feed, sitemap; nothing of what is not public."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import select

from madang.node.database import now
from madang.services.catalog import oai
from madang.services.catalog.models import Record
from portal_house import OWNER, House
from support import ROOT, needs, shared_data
from web.served import Served

SPACE = "{http://www.openarchives.org/OAI/2.0/}"
ORIGIN = "https://madang.example.kr"


def ask(house: House, **asked: str) -> ElementTree.Element:
    pairs = [(name.rstrip("_"), value) for name, value in asked.items()]
    return ElementTree.fromstring(oai.answer(house.node, OWNER, pairs, ORIGIN))


def fill(house: House, count: int) -> None:
    """Many published records, some withdrawn, several of the same moment; the data are not needed for harvesting."""
    with house.node.read() as session:
        holder = session.scalars(select(Record.organization_id)).first()
    begin = now() - timedelta(days=30)
    with house.node.write() as session:
        for number in range(count):
            session.add(
                Record(
                    name=f"many-{number:05}",
                    dataset=f"many-{number:05}",
                    organization_id=holder,
                    state="withdrawn" if number % 10 == 9 else "published",
                    title=f'기록 {number} <b>&"',
                    description='{"description": "설명 <b>", "keyword": ["가"]}',
                    published=begin,
                    created=begin,
                    changed=begin + timedelta(seconds=number // 7),
                )
            )


def harvest(house: House, **first: str) -> Iterator[ElementTree.Element]:
    asked = {"verb": "ListRecords", "metadataPrefix": "oai_dc"} | first
    for _page in range(100):
        answer = ask(house, **asked)
        yield from answer.iter(f"{SPACE}record")
        token = answer.findtext(f".//{SPACE}resumptionToken")
        if not token:
            return
        asked = {"verb": "ListRecords", "resumptionToken": token}
    raise AssertionError("no end")


def names(records: Iterator[ElementTree.Element]) -> list[str]:
    return [str(record.findtext(f".//{SPACE}identifier")) for record in records]


def test_every_public_record_is_harvested_once_and_no_draft(house: House) -> None:
    house.published("ours", "embargoed", end=now() + timedelta(days=9))
    house.drafted("secret")
    fill(house, 250)
    found = names(harvest(house))
    assert len(found) == len(set(found)) == 251
    assert "oai:madang.example.kr:ours" in found
    assert not any("secret" in name for name in found)
    gone = [record for record in harvest(house) if record.find(f"{SPACE}header[@status='deleted']") is not None]
    assert len(gone) == 25
    assert all(record.find(f"{SPACE}metadata") is None for record in gone)
    some = names(harvest(house, from_=oai._stamp(now() - timedelta(days=1))))
    assert some == ["oai:madang.example.kr:ours"]
    assert len(names(harvest(house, set="holder:hospital"))) == 251


def test_questions_that_the_protocol_refuses(house: House) -> None:
    house.published("ours")
    for asked, code in (
        ({}, "badVerb"),
        ({"verb": "Nothing"}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "Identify", "x": "<>&\x00"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "marc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "yesterday"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2026-13-45"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2099-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "resumptionToken": "../../x"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "W10"}, "badResumptionToken"),
        ({"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": "oai:x:y"}, "idDoesNotExist"),
    ):
        error = ask(house, **asked).find(f"{SPACE}error")
        assert error is not None and error.get("code") == code, asked


def test_answers_are_valid_by_the_schemas_and_sickle_harvests_all(house: House, tmp_path: Path) -> None:
    python = needs(Path(os.environ.get("MADANG_ENVIRONMENTS", ROOT / ".environments")) / "judges-metadata/bin/python")
    standards = shared_data("../standards")
    house.published("ours")
    fill(house, 230)
    for number, asked in enumerate(
        (
            {"verb": "Identify"},
            {"verb": "ListMetadataFormats"},
            {"verb": "ListSets"},
            {"verb": "ListRecords", "metadataPrefix": "oai_dc"},
            {"verb": "ListRecords", "metadataPrefix": "datacite"},
            {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"},
            {"verb": "GetRecord", "metadataPrefix": "datacite", "identifier": "oai:madang.example.kr:ours"},
            {"verb": "x"},
        )
    ):
        (tmp_path / f"{number}.xml").write_bytes(oai.answer(house.node, OWNER, list(asked.items()), ORIGIN))
    import uvicorn

    from madang.app.portal import portal

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(portal(house.node, keeper=False), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        script = str(Path(__file__).parent / "judge_oai.py")
        command = [str(python), script, str(tmp_path), str(standards), f"http://127.0.0.1:{port}/oai"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.should_exit = True
        thread.join(20)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["errors"] == {}
    assert told["records"] == told["different"] == 231
    assert told["deleted"] == 23


def test_feed_sitemap_linkset_and_the_forms_on_the_record(house: House, site: Served) -> None:
    client = site
    house.published("ours", description="<script>x</script>")
    house.drafted("secret")
    feed = client.get("/dcat")
    assert [each["@id"].rpartition("/")[2] for each in feed.json()["dcat:dataset"]] == ["ours"]
    assert "secret" not in client.get("/sitemap.xml").text
    assert "/records/ours" in client.get("/sitemap.xml").text
    assert "sitemap.xml" in client.get("/robots.txt").text
    links = client.get("/records/ours/linkset.json").json()["linkset"][0]
    assert len(links["describedby"]) == 6
    page = client.get("/records/ours/forms").text
    assert "FsF-F1-01MD" in page
    for each in links["describedby"]:
        path = each["href"].partition("/records")[2]
        assert client.get(f"/records{path}").headers["content-type"].startswith(each["type"])
    croissant = client.get("/records/ours/as/croissant").json()
    file = croissant["distribution"][0]
    content = client.get(file["contentUrl"][file["contentUrl"].index("/records") :]).content
    import hashlib

    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert client.get("/records/secret/as/dcat-ap").status_code == 404
    assert client.get("/records/ours/as/marc").status_code == 422
    assert client.post("/oai", content="verb=Identify").status_code == 200


@pytest.mark.parametrize("form", ["dcat-ap", "croissant", "ro-crate", "schema.org"])
def test_an_embargo_tells_no_hash_and_no_size(house: House, site: Served, form: str) -> None:
    house.published("ours", "embargoed", end=now() + timedelta(days=9))
    text = site.get(f"/records/ours/as/{form}").text
    assert "sha256" not in text.replace('"sha256": "cr:', "")
    assert "byteSize" not in text
