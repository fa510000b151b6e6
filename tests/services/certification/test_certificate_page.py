"""Verifying on the page of an installation: for strangers, so nothing is read that takes long."""

from datetime import UTC, datetime, timedelta

import pytest
from certificates import assess

from madang.base.progress import Silent
from madang.node.node import Node
from madang.services import certification
from madang.services.catalog import hashing
from portal_house import OURS, OWNER, House
from web.served import Served

PREFIX = "/api/v1"


def certified(node: Node, name: str, monkeypatch: pytest.MonkeyPatch) -> certification.Entry:
    version = node.home.lake().find(name)
    with monkeypatch.context() as patched:
        patched.setattr("madang.services.certification.issuing.outcomes_of", lambda scheme, report: [])
        return certification.issue(node, OWNER, version, certification.load_scheme("omop-ready"), assess(version)).entry


def said(site: Served, text: str) -> tuple[str, str]:
    given = site.post(f"{PREFIX}/certificates/verify?lang=en", json={"certificate": text}, headers=OURS).json()
    return given["answer"], given["sentence"]


def test_nobody_s_post_reads_the_data_and_the_answer_says_when_they_were_read(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = house.published()
    entry = certified(house.node, name, monkeypatch)

    def read(*_given: object) -> None:
        raise AssertionError("a byte of the data was read")

    with monkeypatch.context() as patched:
        patched.setattr("madang.lake.verify.sha256_of_file", read)
        assert said(site, entry.text)[0] == "data not checked"
        hashing.check_files(house.node, OWNER, datetime.now(UTC) + timedelta(days=1), Silent())
        answer, sentence = said(site, entry.text)
        assert answer == "valid" and f"{datetime.now(UTC):%Y-}" in sentence
    path = next((house.node.home.path / "lake" / name / "person").glob("*.parquet"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    assert said(site, entry.text)[0] == "not about these data"
    path.write_bytes(path.read_bytes()[:-2] + b"x")  # as long as it was, so only reading finds it
    hashing.check_files(house.node, OWNER, datetime.now(UTC) + timedelta(days=1), Silent())
    assert said(site, entry.text)[0] == "data not checked"
    certification.revoke(house.node, OWNER, entry.certificate.number)
    assert said(site, entry.text)[0] == "revoked"
    assert said(site, entry.text[:-3])[0] == "altered"
