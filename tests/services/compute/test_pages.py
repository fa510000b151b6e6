"""The pages as a new user finds them, in both languages: a task, and a run on reads."""

import random
import re
import shutil
from typing import Any

import pytest

from madang.base.progress import Silent
from madang.node.people.projects import make_project
from madang.science.sequencing.tools import NEEDED
from madang.services.compute import demo, service
from madang.services.compute.runner import work_off
from portal_house import OURS, OWNER, House
from support import needs
from web.served import Served


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_file_is_brought_a_command_is_run_and_what_it_left_is_fetched(
    language: str, house: House, site: Served
) -> None:
    with site.browser({"madang": house.cookies["member"]}) as browser:
        browser.headers.update({**OURS, "Accept-Language": language})
        sent = browser.post("/compute/files", data={"name": "dna.txt"}, files={"file": ("x", b"acgt<b>")})
        assert sent.status_code == 303, sent.text
        given = {"command": "tr a-z A-Z < /inputs/dna.txt | tee out.txt", "files": "1", "memory": "500M", "time": "1m"}
        sent = browser.post("/compute/tasks", data=given)
        assert sent.status_code == 303, sent.text
        waits = browser.get(sent.headers["location"])
        assert "data-again" in waits.text
        work_off(house.node)
        page = browser.get(sent.headers["location"]).text
        assert "ACGT&lt;B&gt;" in page and "data-again" not in page
        told = browser.get("/api/v1" + sent.headers["location"]).json()
        assert told["state"] == "complete" and told["printed"][0]["out"] == "ACGT<B>"
        assert told["inputs"][0]["sha256"] and told["outputs"][0]["name"] == "out.txt"
        assert browser.get(told["outputs"][0]["address"]).content == b"ACGT<B>"
        again = browser.post("/compute/1/again")
        assert again.headers["location"] == "/compute/2"
        assert browser.post("/compute/2/cancel").status_code == 303
        assert browser.get("/api/v1/compute/2").json()["state"] == "canceled"
        refused = browser.post("/compute/tasks", data={**given, "memory": "much"})
        assert refused.status_code in (400, 422) and "/inputs/dna.txt" in refused.text  # what was typed is still there
    with site.browser({"madang": house.cookies["steward"]}) as other:
        assert other.get(told["outputs"][0]["address"]).status_code == 404
        other.headers.update(OURS)
        assert other.post("/compute/tasks", data=given).status_code == 422  # the file is not theirs


@pytest.mark.usefixtures("boxes")
def test_reads_become_variants_and_a_report_through_the_portal(house: House, site: Served) -> None:
    for name in NEEDED:
        needs(name)
    make_project(house.node, OWNER, demo.PROJECT, "Kidneys", organization="hospital", leader="member")
    demo.make(house.node, Silent())
    demo.make(house.node, Silent())  # again: nothing more
    work_off(house.node)
    tasks = service.list_tasks(house.node, OWNER, service.Asked())
    assert [each.state for each in tasks] == ["complete", "complete"], [each.reason for each in tasks]
    number = next(each.id for each in tasks if each.kind == "germline")
    with site.browser({"madang": house.cookies["member"]}) as browser:
        told = browser.get(f"/api/v1/sequencing/{number}").json()
        draw = random.Random(22)
        genome, wanted = demo._genome(draw), []
        for place in range(600, demo._BASES - 600, 450):
            wanted.append((place + 1, genome[place], draw.choice([base for base in "ACGT" if base != genome[place]])))
        assert [(each["pos"], each["ref"], each["alt"]) for each in told["variants"]] == wanted
        one = browser.get(f"/api/v1/sequencing/{number}", params={"region": "synthetic:601"}).json()
        assert [each["pos"] for each in one["variants"]] == [601]
        gene = browser.get(f"/api/v1/sequencing/{number}", params={"gene": "gene2"}).json()
        assert {each["gene"] for each in gene["variants"]} == {"gene2"}
        bad = browser.get(f"/sequencing/{number}", params={"region": "synthetic:9-3"})
        assert bad.status_code == 422
        for language, words in (("en", "not for diagnosis"), ("ko", "진단에 사용하지 않습니다")):
            for address in (f"/compute/{number}/report", f"/sequencing/{number}"):
                answer = browser.get(address, headers={"Accept-Language": language})
                assert words in answer.text
        report = browser.get(f"/compute/{number}/report")
        assert "sandbox" in report.headers["content-security-policy"]
        assert len(re.findall("<svg", report.text)) == 3


def test_the_demo_leaves_out_what_is_not_installed(house: House, monkeypatch: Any) -> None:
    make_project(house.node, OWNER, demo.PROJECT, "Kidneys", organization="hospital", leader="member")
    monkeypatch.setattr(shutil, "which", lambda name, **more: None)
    monkeypatch.setattr("madang.node.closed.is_available", lambda: True)
    demo.make(house.node, Silent())
    assert [each.kind for each in service.list_tasks(house.node, OWNER, service.Asked())] == ["task"]
