"""What a new user does on the first day, in a real Chromium with JavaScript off, from a search to the audit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from madang.base.translate import _, speaking
from portal_house import PASSWORD, PEOPLE, VISITS, House, commit, work_off
from services.certification.certificates import issue_one
from support import needs
from web.served import Served


@pytest.fixture
def tab(site: Served) -> Iterator[Page]:
    """A tab of a browser that runs no script, and notes whom it asks."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, base_url=site.address)
        page = context.new_page()
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(request.url.split("/", 3)[2]))
        yield page
        assert hosts == {site.address.split("//")[1]}
        browser.close()


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["ko", "en"])
def test_from_a_search_to_the_audit_without_a_script(house: House, tab: Page, language: str, tmp_path: Path) -> None:
    needs("bwrap")
    with speaking(language):
        search, ask, sign_in, begin = _("Search"), _("Ask"), _("Sign in"), _("Begin a record")
        publish, verify = _("Publish version {number}").format(number=1), _("Verify")
        prove, sign_out = _("Prove that nothing was changed"), _("Sign out")
    house.published("clinic", title="서울 합성 병원 기록", description="고혈압 환자의 진료 기록입니다.")
    commit(house.node, "ours", person=PEOPLE, visit_occurrence=VISITS)
    entry = issue_one(house.node)

    tab.goto(f"/?lang={language}")
    tab.get_by_role("searchbox").first.fill("고혈압 기록")
    tab.get_by_role("button", name=search).first.click()
    tab.get_by_role("link", name="서울 합성 병원 기록").click()
    expect(tab.locator("svg").first).to_be_visible()
    tab.locator("summary", has_text="visit_occurrence").click()
    tab.locator("a[href*='/tables/visit_occurrence']").first.click()
    expect(tab.locator("svg[role=img]")).to_have_count(1)  # of the visits' start
    expect(tab.get_by_text("9201")).to_be_visible()
    tab.locator("a[href*='/ask']").click()
    tab.locator("textarea").fill("SELECT count(*) AS visits FROM visit_occurrence -- all of them")
    tab.get_by_role("button", name=ask).click()
    expect(tab.get_by_role("cell", name="300")).to_be_visible()

    def enter(login: str) -> None:
        tab.goto("/sign-in")
        tab.locator("#f-login").fill(login)
        tab.locator("#f-password").fill(PASSWORD)
        tab.locator("main").get_by_role("button", name=sign_in).click()

    enter("steward")
    tab.goto("/steward")
    tab.locator("select[name=dataset]").select_option("ours")
    tab.get_by_role("button", name=begin).click()
    work_off(house.node)
    tab.reload()
    tab.get_by_role("button", name=publish).click()
    tab.goto("/records/ours")
    expect(tab.locator("h1")).to_be_visible()

    tab.goto(f"/certificates/{entry.certificate.number}/sheet")
    photo = tmp_path / "photo.png"
    tab.screenshot(path=photo, full_page=True)
    tab.goto("/certificates/verify")
    tab.locator("input[type=file]").set_input_files(photo)
    tab.locator("main").get_by_role("button", name=verify).click()
    expect(tab.locator("[role=status]")).to_be_visible()
    expect(tab.get_by_text(entry.certificate.number)).to_be_visible()

    tab.get_by_role("button", name=sign_out).click()
    enter("auditor")
    tab.goto("/audit")
    published = tab.locator("details", has_text="record.publish").first
    published.locator("summary").first.click()
    expect(published.get_by_text("record.publish").first).to_be_visible()
    tab.get_by_role("button", name=prove).click()
    expect(tab.locator(".note.good")).to_be_visible()
