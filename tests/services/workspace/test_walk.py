"""The whole way in a real browser: the demo company's permit, its workspace, a study, sleep, end, and back again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from madang.node import closed
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.demo import demo_password
from madang.services.workspace import door
from madang.services.workspace.environment import find_environment
from services.workspace import firm
from support import needs

PERSONS = 40_000
WORDS = {
    "ko": {
        **{"sign in": "로그인", "open": "열기", "in": "노트북 들어가기", "create": "만들기", "code": "코드 추가"},
        **{"awake": "작동 중", "asleep": "대기", "sleep": "대기 전환", "end": "종료", "again": "다시 열기"},
    },
    "en": {
        **{"sign in": "Sign in", "open": "Open it", "in": "Go in to the notebooks", "create": "Create"},
        **{"code": "Add code", "awake": "awake", "asleep": "asleep", "sleep": "Put it to sleep", "end": "End it"},
        **{"again": "Open it again"},
    },
}


@dataclass
class Firm:
    """The demo company: its installation, the portal's address, its permit and its password."""

    home: Path
    address: str
    permit: str
    password: str


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    needs("bwrap")
    needs("chromium")
    if not closed.is_available():
        needs("/permission to close programs in")
    home = tmp_path_factory.mktemp("firm") / "home"
    node = Node.open(Home(home))
    try:
        find_environment(node)
    except Exception:
        needs("/environment of workspaces (script/environment workspace)")
    permit = firm.make(node, PERSONS)
    password = demo_password(node.home, "demo-firm")
    environment = os.environ | {"MADANG_HOME": str(home), "MADANG_WORKSPACE_PORT": "0"}
    command = [str(Path(sys.executable).with_name("madang")), "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        found = re.search(r"http://[\d.:]+", served.stdout.readline())
        assert found is not None
        yield Firm(home, found[0], permit, password)
        gateway = door.read_place(node).get("pid")
        served.terminate()
        served.wait(30)
        if gateway and Path(f"/proc/{gateway}").exists():
            os.kill(gateway, signal.SIGTERM)
    node.close()


class Notebook:
    """The page of notebooks, as somebody types into it."""

    def __init__(self, page: Page, words: dict[str, str], pictures: Path) -> None:
        self.page, self.words, self.pictures, self.cells = page, words, pictures, 0

    def begin(self, name: str) -> None:
        """A new notebook."""
        self.page.get_by_role("textbox").first.fill(name)
        self.page.get_by_role("button", name=self.words["create"], exact=True).click()
        expect(self.page.locator(".cell textarea")).to_have_count(1)
        self.cells = 0

    def run(self, code: str) -> str:
        """Type into the last cell, run it by Shift+Enter and wait; what it shows, as text."""
        if self.cells:
            self.page.locator(".cell").last.get_by_role("button", name=self.words["code"]).click()
        self.cells += 1
        cell = self.page.locator(".cell").nth(self.cells - 1)
        cell.locator("textarea").fill(code.strip())
        cell.locator("textarea").press("Shift+Enter")
        expect(cell.locator(".meta")).to_have_text(re.compile(r"^\d+(\.\d+)?.*"), timeout=180_000)
        cell.scroll_into_view_if_needed()
        return cell.locator(".out").inner_text()

    def picture(self, name: str) -> None:
        """What the page looks like now."""
        self.page.screenshot(path=str(self.pictures / f"{name}.png"), full_page=True)


@pytest.mark.big
@pytest.mark.parametrize("language", ["ko", "en"])
def test_from_the_companys_permit_to_its_effect_and_back(company: Firm, language: str, tmp_path: Path) -> None:
    words, pictures = WORDS[language], Path(os.environ.get("MADANG_TEST_PICTURES", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(re.sub(r":\d+.*", "", request.url.split("/", 3)[2])))
        page.goto(f"{company.address}/sign-in?lang={language}")
        page.locator("input[name=login]").fill("demo-firm")
        page.locator("input[name=password]").fill(company.password)
        page.locator("main").get_by_role("button", name=words["sign in"], exact=True).click()
        page.goto(f"{company.address}/workspaces")
        expect(page.locator("input[name=reference]")).to_have_value(company.permit)
        page.get_by_role("button", name=words["open"], exact=True).click()
        portal_page = page.url.partition("?")[0]
        expect(page.locator("main")).to_contain_text(company.permit)
        page.screenshot(path=str(pictures / f"space-{language}.png"), full_page=True)
        book = enter(page, words, pictures)
        study(book, f"study {language}", language)

        page.goto(portal_page)  # closed, and put to sleep
        page.get_by_role("button", name=words["sleep"], exact=True).click()
        page.wait_for_function(
            "async word => { const t = await (await fetch(location.href)).text(); return t.includes(word); }",
            arg=words["asleep"],
            polling=500,
        )
        book = enter(page, words, pictures)  # opened again: what it showed is there, what it computed is not
        page.get_by_role("button", name=f"study {language}", exact=True).click()
        expect(page.locator(".cell .out img").first).to_be_visible()
        book.cells = page.locator(".cell").count()
        assert "NameError" in book.run("people")
        assert "people.csv" in book.run("import os; os.listdir('/workspace')")

        page.goto(portal_page)  # ended: no way in; and opened again, since the permit is in force
        page.get_by_role("button", name=words["end"], exact=True).click()
        expect(page.get_by_role("button", name=words["in"], exact=True)).to_have_count(0)
        page.screenshot(path=str(pictures / f"ended-{language}.png"), full_page=True)
        page.get_by_role("button", name=words["again"], exact=True).click()
        enter(page, words, pictures)
        page.get_by_role("button", name=f"study {language}", exact=True).click()
        expect(page.locator(".cell .out img").first).to_be_visible()
        page.goto(portal_page)
        page.get_by_role("button", name=words["end"], exact=True).click()
        expect(page.get_by_role("button", name=words["again"], exact=True)).to_be_visible()
        assert hosts <= {"127.0.0.1", "localhost"}
        browser.close()


def enter(page: Page, words: dict[str, str], pictures: Path) -> Notebook:
    """By the button of the workspace's page to the notebooks on their own host name."""
    page.get_by_role("button", name=words["in"], exact=True).click()
    page.wait_for_url("http://localhost:*/")
    expect(page.locator("#state")).to_have_text(re.compile(words["awake"]), timeout=60_000)
    return Notebook(page, words, pictures)


def study(book: Notebook, name: str, language: str) -> None:
    """A first table of 40 rows, a curve, and the planted effect, in Python and in R."""
    book.begin(name)
    book.run(firm.DATA)
    book.run(firm.TABLE_1)
    expect(book.page.locator(".cell").nth(1).locator(".out tbody tr")).to_have_count(40)
    book.run(firm.CURVE)
    picture = book.page.locator(".cell").nth(2).locator(".out img")
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert near_the_truth(book.run(firm.COX))
    book.run(firm.KEPT)
    book.picture(f"study-{language}")
    looked = Axe().run(book.page)
    assert looked.violations_count == 0, looked.generate_report()
    if (Path("/usr/bin/Rscript")).exists():
        assert near_the_truth(book.run(firm.R))
        book.picture(f"r-{language}")


def near_the_truth(said: str) -> bool:
    """Whether an estimate and its standard error say that treatment helps, and as much as was planted."""
    effect, error = map(float, said.split()[:2])
    assert effect + 1.96 * error < 0, said
    return abs(effect - firm.EFFECT) < 3 * error
