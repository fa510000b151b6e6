"""What every page has: one value as page and JSON, forms that come back, languages, headers, defense against others."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import Field

from madang.base.errors import MadangError
from madang.node.home import Home
from madang.node.node import Node
from madang.web import Done, Here, Room, View
from madang.web.application import make_application
from web.served import Served, serving

OURS = {"Sec-Fetch-Site": "same-origin"}


class Thing(View):
    message: str
    hint: str = ""
    code: str = ""


class Renaming(View):
    name: str = Field(title="The name", max_length=10)


def _rooms() -> list[Room]:
    room, other = Room("things", "madang.web"), Room("things", "madang.web")

    @room.page("/things/{number}", "problem.html")
    def thing(visit: Here, number: int) -> Thing:
        """Show a thing."""
        if number == 13:
            raise MadangError("thing.none", "There is no thing 13.", "Take another.")
        if number == 500:
            raise RuntimeError("a mistake of ours")
        return Thing(message=f"<b>{number}</b> from {visit.address}")

    @room.act("/things/{number}", at=thing)
    def rename(visit: Here, number: int, given: Renaming) -> Done:
        """Rename a thing."""
        if given.name == "taken":
            raise MadangError("thing.taken", "That name is taken.")
        return Done(see=f"/things/{number + 1}", message=f"Now it is <{given.name}>.")

    @other.act("/things/{number}/colors", at=thing)  # of another file, at the page of this one
    def color(visit: Here, number: int, given: Renaming) -> Done:
        """Color a thing."""
        raise MadangError("thing.taken", "That color is taken.")

    return [room, other]


@pytest.fixture
def things(tmp_path: Path) -> Iterator[Served]:
    node = Node.open(Home(tmp_path / "home"))
    with serving(make_application(node, _rooms(), keeper=False)) as served:
        yield served
    node.close()


def test_one_value_is_a_page_and_json(things: Served) -> None:
    page, twin = things.get("/things/7?lang=en"), things.get("/api/v1/things/7")
    assert page.headers["content-type"].startswith("text/html") and "&lt;b&gt;7&lt;/b&gt; from 127.0.0.1" in page.text
    assert twin.json()["message"] == "<b>7</b> from 127.0.0.1"
    assert set(things.get("/api/v1/openapi.json").json()["paths"]["/api/v1/things/{number}"]) == {"get", "post"}


def test_a_form_leads_on_and_its_sentence_is_shown_once(things: Served) -> None:
    with things.browser() as browser:
        sent = browser.post("/things/7", data={"name": "seven"}, headers=OURS)
        assert (sent.status_code, sent.headers["location"]) == (303, "/things/8")
        assert "Now it is &lt;seven&gt;." in browser.get("/things/8").text
        assert "Now it is" not in browser.get("/things/8").text
    assert things.post("/api/v1/things/7", json={"name": "seven"}).json()["see"] == "/things/8"


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [("taken", 409, "That name is taken."), ("", 422, "The name is missing."), ("x" * 11, 422, "10 is the most")],
)
def test_a_form_that_is_refused_comes_again_and_json_gets_a_problem(
    things: Served, name: str, status: int, sentence: str
) -> None:
    page = things.post("/things/7?lang=en", data={"name": name}, headers=OURS)
    assert page.status_code == status and sentence in page.text and "7" in page.text
    if name:
        twin = things.post("/api/v1/things/7?lang=en", json={"name": name})
        assert twin.headers["content-type"] == "application/problem+json"
        assert twin.json()["status"] == twin.status_code == status


def test_a_form_of_another_file_comes_again_at_its_page(things: Served) -> None:
    for name, status, sentence in (("red", 409, "That color is taken."), ("x" * 11, 422, "10 is the most")):
        page = things.post("/things/7/colors?lang=en", data={"name": name}, headers=OURS)
        assert page.status_code == status and sentence in page.text and "7" in page.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/things/13", 404, "thing.none"),
        ("/things/x", 422, "web.value"),
        ("/no", 404, "web.none"),
        ("/things/500", 500, "web.mistake"),
    ],
)
def test_every_error_has_one_shape(things: Served, path: str, status: int, code: str) -> None:
    page, twin = things.get(path), things.get(f"/api/v1{path}")
    assert page.status_code == twin.status_code == status
    assert code in page.text and twin.json()["code"] == code
    assert "Traceback" not in page.text + twin.text and "a mistake of ours" not in page.text + twin.text


def test_the_reader_chooses_the_language(things: Served) -> None:
    with things.browser() as browser:
        assert 'lang="ko"' in browser.get("/things/7").text  # the setting
        assert 'lang="en"' in browser.get("/things/7", headers={"Accept-Language": "fr, en;q=0.8, ko;q=0.2"}).text
        assert 'lang="en"' in browser.get("/things/7?lang=en").text
        assert 'lang="en"' in browser.get("/things/7").text  # remembered
        assert 'lang="ko"' in browser.get("/things/7?lang=ko").text


def test_a_page_of_another_value_address_or_language_is_another(things: Served) -> None:
    def told(path: str, language: str) -> str:
        return things.get(path, headers={"Accept-Language": language}).text

    pages = {
        (path, language): told(path, language) for path in ("/things/7", "/things/8?a=1") for language in ("ko", "en")
    }
    assert len(set(pages.values())) == 4
    assert all(told(*asked) == page for asked, page in pages.items())
    assert "/things/8?a=1&amp;lang=ko" in pages["/things/8?a=1", "en"]


def test_every_answer_has_the_headers(things: Served) -> None:
    for path in ("/things/7", "/things/13", "/api/v1/things/7", "/things/500", "/no"):
        headers = things.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    asset = things.get("/things/7").text.split('stylesheet" href="')[1].split('"')[0]
    assert "immutable" in things.get(asset).headers["cache-control"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Cookie": "madang=abc"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://elsewhere.example"},
    ],
)
def test_no_other_site_acts_in_the_name_of_its_visitor(things: Served, headers: dict[str, str]) -> None:
    for path in ("/things/7", "/api/v1/things/7"):
        assert things.post(path, data={"name": "seven"}, headers=headers).status_code == 403
    own = {"Origin": things.address}
    assert things.post("/things/7", data={"name": "seven"}, headers=own).status_code == 303


def test_what_is_too_large_is_refused(things: Served) -> None:
    for prefix, kind in (("", "text/html"), ("/api/v1", "application/problem+json")):
        refused = things.post(f"{prefix}/things/7?lang=en", data={"name": "x" * 3_000_000}, headers=OURS)
        assert refused.status_code == 413 and refused.headers["content-type"].startswith(kind)
        assert "The request is too large." in refused.text


@pytest.mark.parametrize(("proxies", "said"), [(0, "127.0.0.1"), (1, "10.9.9.9"), (2, "10.8.8.8"), (3, "127.0.0.1")])
def test_only_our_proxies_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: int, said: str
) -> None:
    monkeypatch.setenv("MADANG_WEB_PROXIES", str(proxies))
    node = Node.open(Home(tmp_path / "home"))
    with serving(make_application(node, _rooms(), keeper=False)) as served:
        forged = {"X-Forwarded-For": "10.8.8.8, 10.9.9.9"}
        assert served.get("/api/v1/things/7", headers=forged).json()["message"].endswith(said)
    node.close()


def test_hostile_requests_get_an_answer(things: Served) -> None:
    for sent in (b"name=%ff%00&name", b"\xff\xfe\x00", b""):
        headers = OURS | {"Content-Type": "application/x-www-form-urlencoded"}
        assert things.post("/things/7", content=sent, headers=headers).status_code in (303, 422)
    broken = OURS | {"Content-Type": "multipart/form-data; boundary=x"}
    assert things.post("/things/7", content=b"--x\r\nnonsense", headers=broken).status_code == 422
    assert isinstance(things.get("/things/7?lang=%00"), httpx.Response)
