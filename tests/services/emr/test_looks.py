"""The pages of EMR conformance with something on them: axe in both languages, wide and narrow; nothing sticks out."""

import json
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from madang.science.fhir.server.made_up import made_up_lives, resources
from madang.services.emr import bringing, challenges, running
from portal_house import House, work_off
from services.emr.test_live import allow, person, system
from support import needs
from web.served import Served


def furnished(house: House) -> dict[str, list[str]]:
    """Pages by who may see them: a run with faults, records brought in, reports, a challenge."""
    vendor = person(house, "member", "data-engineer")
    assessor = person(house, "auditor", "conformance-assessor")
    drawn = challenges.draw(house.node, assessor, "member", "Ours", "1", persons=1)
    records: list[dict[str, Any]] = [*resources(made_up_lives(2)), *json.loads(drawn.document)["records"][20:]]
    for each in [x for x in records if x["resourceType"] == "Encounter"]:
        each["status"] = "over"
    with system(records) as there:
        allow(house, there.host)
        made = running.start(house.node, vendor, there.base, "Ours", "1", there.sign_in, drawn.id)
        work_off(house.node)
        bringing.bring(house.node, vendor, made.id, "ours", sign_in=there.sign_in)
        work_off(house.node)
    report = running.hand_in_run(house.node, vendor, made.id)
    running.start(house.node, vendor, f"http://{there.host}/fhir", "Ours", "2", there.sign_in)
    return {
        "member": [
            "/emr",
            "/emr/run",
            f"/emr/runs/{made.id}",
            f"/emr/runs/{made.id + 1}",
            f"/emr/challenges/{drawn.id}",
            "/emr/schemes/emr-korea",
        ],
        "auditor": ["/emr/challenges", f"/emr/reports/{report.id}"],
    }


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_and_nothing_sticks_out(house: House, site: Served, language: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    pages = furnished(house)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        for role, mine in pages.items():
            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_cookies([{"name": "madang", "value": house.cookies[role], "url": site.address}])
            tab = context.new_page()
            for page in mine:
                answer = tab.goto(f"{site.address}{page}?lang={language}")
                assert answer is not None and answer.status == 200, page
                tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
                found = Axe().run(tab)
                assert found.violations_count == 0, page + found.generate_report()
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, page
        browser.close()
