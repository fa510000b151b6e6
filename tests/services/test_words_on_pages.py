"""What a person reads on a Korean page is Korean: no act, no code, no English but what comes from data."""

import re
from html.parser import HTMLParser

import pytest

from madang.node.permissions import acts
from portal_house import House
from web.served import Served

PAGES = {
    "": (
        "/",
        "/records",
        "/records?q=zzzz",
        "/records/ours",
        "/access",
        "/places/labs",
        "/help",
        "/sign-in",
        "/nothing",
    ),
    "member": ("/start", "/records/ours/ask", "/audit", "/steward", "/applications", "/projects", "/account"),
    "steward": ("/start", "/steward", "/steward/ours", "/records/ours", "/records/ours/ask"),
    "auditor": ("/audit", "/audit?reads=yes", "/audit/monthly", "/people"),
    "administrator": ("/start", "/people", "/jobs", "/state", "/people/member"),
}
FROM_DATA = {"Ask the committee.", "schema.org"}
EMPTY = {"input", "br", "meta", "link", "img", "hr", "path", "circle", "rect", "line", "use"}
EXEMPT = {"code", "pre", "script", "style", "textarea", "svg"}
SENTENCE = re.compile(r"[A-Za-z]{2,},? (?:[a-z]{2,},? ){1,}[a-z]{2,}")  # names and titles that come from data are none
CODE = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")


class Read(HTMLParser):
    """The texts of a page that a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            given = dict(attrs)
            self.open.append((tag, tag in EXEMPT or "en" in (given.get("lang"), given.get("hreflang"))))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not any(exempt for _tag, exempt in self.open):
            self.texts.append(text)


@pytest.mark.parametrize("role", PAGES)
def test_korean_pages_have_no_english_no_acts_and_no_codes(house: House, site: Served, role: str) -> None:
    house.published("ours", tier="controlled", title="우리 데이터", description="합성 데이터입니다.")
    known, wrong = set(acts()), []
    with site.browser({"madang": house.cookies[role]} if role else {}) as browser:
        for page in PAGES[role]:
            reader = Read()
            reader.feed(browser.get(page, headers={"Accept-Language": "ko"}).text)
            for text in reader.texts:
                untranslated = SENTENCE.search(text) and not re.search("[가-힣]", text)
                if text not in FROM_DATA and (text in known or CODE.fullmatch(text) or untranslated):
                    wrong.append((page, text))
    assert wrong == []
