"""One person from the front page to a badge by keyboard alone, in a browser: Tab, Enter and typing, nothing else."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from portal_house import PASSWORD, House
from services.training.test_room import AT, COURSE, boxes_needed, references
from support import needs
from web.served import Served

# What somebody who cannot see where they are would need: the focus is drawn, and inside the window.
SEEN = """() => {
  const each = document.activeElement, style = getComputedStyle(each), at = each.getBoundingClientRect();
  const drawn = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return drawn && at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth;
}"""
WORDS = "document.querySelector('main').innerText.length"


class Keyboard:
    """Somebody's hands: every key is counted."""

    def __init__(self, page: Page, pictures: Path, name: str) -> None:
        self.page, self.pictures, self.name = page, pictures, name
        self.keys = self.read = 0

    def to(self, wanted: str) -> None:
        """Tab until what fits the selector has the focus; each stop on the way can be seen."""
        for _number in range(120):
            self.press("Tab")
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                assert self.page.evaluate(SEEN), wanted
                return
            if self.page.evaluate("document.activeElement !== document.body"):
                assert self.page.evaluate(SEEN), self.page.evaluate("document.activeElement.outerHTML")
        raise AssertionError(f"Tab never comes to {wanted} on {self.page.url}")

    def press(self, key: str) -> None:
        self.keys += 1
        self.page.keyboard.press(key)

    def enter(self) -> None:
        """Follow or send what has the focus, and read the page that comes."""
        with self.page.expect_navigation():
            self.press("Enter")
        self.page.wait_for_load_state()
        self.read += int(self.page.evaluate(WORDS))
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), self.page.url

    def go(self, wanted: str) -> None:
        self.to(wanted)
        self.enter()

    def type(self, text: str) -> None:
        """Over what stands in the field."""
        self.press("Control+a")
        self.keys += len(text)
        self.page.keyboard.type(text)

    def picture(self, what: str) -> None:
        self.page.screenshot(path=str(self.pictures / f"{self.name}-{what}.png"), full_page=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("MADANG_TEST_PICTURES", tmp_path))


@pytest.mark.big
@pytest.mark.parametrize(
    ("language", "width", "scripts"), [("en", 1280, True), ("ko", 390, True), ("ko", 1280, False), ("en", 390, False)]
)
def test_from_the_front_page_to_a_badge_by_keyboard_alone(
    house: House, site: Served, pictures: Path, language: str, width: int, scripts: bool
) -> None:
    boxes_needed()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 800}, java_script_enabled=scripts, base_url=site.address
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"/?lang={language}")
        hands = Keyboard(page, pictures, f"badge-{language}-{width}{'' if scripts else '-plain'}")
        hands.go("header a[href='/sign-in']")
        hands.to("input[name=login]")
        hands.type("member")
        hands.to("input[name=password]")
        hands.type(PASSWORD)
        hands.enter()
        hands.go("nav a[href='/training']")
        hands.picture("courses")
        hands.go(f"main a[href='{AT}']")
        hands.picture("course")
        hands.go(f"main h2 a[href='{AT}/{COURSE}']")
        hands.picture("lesson")
        tasks = references(COURSE)
        hands.go(f"main a[href='{AT}/{COURSE}/{tasks[0][1]}']")
        hands.to("textarea")
        hands.type("def split(a, b):\n    return 1")
        hands.go("main form button")
        hands.picture("wrong")
        for number, (_lesson, task, answer) in enumerate(tasks):
            if number:
                hands.go(f"#result a[href='{AT}/{COURSE}/{task}']")  # the next task, once this one is whole
            hands.to("textarea")
            hands.type(answer.strip())
            hands.go("main form button")
        hands.picture("right")
        hands.go(f"main a[href='{AT}/{COURSE}']")
        hands.go(f"main a[href='{AT}']")
        hands.go(f"form[action='{AT}/badge'] button")
        assert re.search(r"/badges/[^/]+$", page.url.partition("?")[0])
        hands.picture("badge")
        assert page.locator("main img").evaluate("image => image.naturalWidth") > 50  # the code of its address
        assert {"en": "It holds.", "ko": "유효"}[language] in page.locator("main").inner_text()
        print(f"{hands.name}: {hands.keys} keys, {hands.read} characters to read")
        browser.close()
