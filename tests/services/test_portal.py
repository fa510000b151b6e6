"""Every route of the portal: who may do what, in one table; and every page, as people with and without eyes see it."""

import re

import pytest
from playwright.sync_api import sync_playwright
from starlette.routing import Route

from madang.app.portal import rooms
from madang.web.room import PREFIX
from portal_house import OURS, PASSWORD, House
from services.access_tables import ACTS, READS, ROLES, YES, filled, furnish
from services.certification.certificates import issue_one
from support import needs
from web.served import Served


@pytest.fixture
def furnished(house: House) -> dict[str, str]:
    """A draft, a record on request, a certificate, and what rooms need; the job that prepared the first is number 1."""
    house.published("closed", tier="controlled", description="For those who ask.")
    house.drafted("draft")
    return {"CERTIFICATE": issue_one(house.node).certificate.number} | furnish(house)


def routes() -> list[Route]:
    """All doors but those of GA4GH, whose addresses and answers are given; who may do what there is tested beside."""
    found = [route for room in rooms() for route in room.router.routes if isinstance(route, Route)]
    return [route for route in found if not route.path.startswith("/ga4gh/")]


def test_every_route_is_in_the_table_and_has_its_json_twin() -> None:
    reads = {route.path for route in routes() if "GET" in (route.methods or ())}
    # Forms of other sites are no acts of ours: they have no twin, and tests of their rooms send forged ones.
    foreign = {path for room in rooms() for path in room.foreign}
    acts = {route.path for route in routes() if "POST" in (route.methods or ())} - foreign
    for found, table in ((reads, READS), (acts, ACTS)):
        pages = {path for path in found if not path.startswith(PREFIX)}
        assert pages == table.keys()
        assert {path.removeprefix(PREFIX) for path in found if path.startswith(PREFIX)} == pages


def test_every_role_gets_what_the_table_says(house: House, site: Served, furnished: dict[str, str]) -> None:
    got: dict[tuple[str, str], dict[str, int]] = {}
    wanted: dict[tuple[str, str], dict[str, int]] = {}
    for place, role in enumerate(ROLES):
        cookies = {"madang": house.cookies[role]} if role else {}
        with site.browser(cookies) as browser:
            for path, (example, expected) in READS.items():
                address = PREFIX + filled(example, furnished)
                got.setdefault(("GET", path), {})[role] = browser.get(address).status_code
                wanted.setdefault(("GET", path), {})[role] = expected[place]
            for path, (example, body, answers) in ACTS.items():
                if answers:
                    sent = browser.post(PREFIX + filled(example, furnished), json=body, headers=OURS)
                    got.setdefault(("POST", path), {})[role] = sent.status_code
                    wanted.setdefault(("POST", path), {})[role] = answers[place]
    assert {key: value for key, value in got.items() if value != wanted[key]} == {}


def test_a_token_does_what_its_scope_says_until_it_is_revoked(house: House, site: Served) -> None:
    name = house.published("closed", tier="controlled")
    with site.browser({"madang": house.cookies["steward"]}) as browser:
        wanted = {"name": "mine", "scope": "read", "days": 1, "password": PASSWORD}
        made = browser.post(f"{PREFIX}/account/tokens", json=wanted, headers=OURS)
        bearer = {"Authorization": f"Bearer {made.json()['secrets'][0]}"}
        listed = browser.get(f"{PREFIX}/account").json()["tokens"]
        assert made.json()["secrets"][0] not in str(listed)
        assert site.get(f"{PREFIX}/records/{name}/download.zip", headers=bearer).status_code == 200
        refused = site.post(f"{PREFIX}/steward/{name}/publish", json={"version": 1}, headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission.scope")
        browser.post("/account/tokens/revoke", data={"id": listed[0]["id"]}, headers=OURS)
    assert site.get(f"{PREFIX}/records/{name}/download.zip", headers=bearer).status_code == 401


def test_people_sign_in_and_out_and_a_session_that_is_over_opens_nothing(house: House, site: Served) -> None:
    with site.browser() as browser:
        asked = browser.get("/account")
        assert asked.status_code == 303 and asked.headers["location"].endswith("/sign-in?next=%2Faccount")
        wrong = browser.post("/sign-in?lang=en", data={"login": "member", "password": "no"}, headers=OURS)
        assert wrong.status_code == 401 and "is not right" in wrong.text and 'value="member"' in wrong.text
        proof = {"login": "member", "password": PASSWORD, "next": "/account"}
        entered = browser.post("/sign-in", data=proof, headers=OURS)
        assert (entered.status_code, entered.headers["location"]) == (303, "/account")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
        assert browser.get("/account").status_code == 200
        kept = browser.cookies["madang"]
        assert browser.post("/sign-out", headers=OURS).status_code == 303
    with site.browser({"madang": kept}) as thief:
        assert thief.get(f"{PREFIX}/account").status_code == 401


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a b", "/\t/x"])
def test_signing_in_leads_nowhere_else(house: House, site: Served, next: str) -> None:
    proof = {"login": "member", "password": PASSWORD, "next": next}
    assert site.post("/sign-in", data=proof, headers=OURS).headers["location"] == "/start"


def test_one_person_cannot_end_or_revoke_what_is_anothers(house: House, site: Served) -> None:
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        theirs = steward.get(f"{PREFIX}/account").json()["sessions"][0]["id"]
        with site.browser({"madang": house.cookies["member"]}) as member:
            assert member.post("/account/sessions/end", data={"id": theirs}, headers=OURS).status_code == 403
        assert steward.get(f"{PREFIX}/account").status_code == 200


def test_what_a_job_says_comes_as_events_until_it_is_over(house: House, site: Served) -> None:
    house.published()
    with site.browser({"madang": house.cookies["administrator"]}) as browser:
        told = browser.get("/jobs/1/events").text
    assert re.search(r"event: progress\ndata: \{.*\}\n\n", told) and told.endswith("event: end\ndata: {}\n\n")


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_on_any_page_and_no_page_asks_another_host(
    house: House, site: Served, furnished: dict[str, str], language: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    if not house.node.database.is_sqlite:
        pytest.skip("pages look the same on both databases")
    pages = {READS[path][0]: READS[path][1] for path, room in _pages() if YES in READS[path][1]}
    seen: dict[str, list[str]] = {role: [] for role in ("steward", "member", "auditor", "administrator")}
    for page, given in pages.items():  # each by the first of them who may see it
        seen[next((role for role in seen if given[ROLES.index(role)] == YES), "steward")].append(page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        for role, mine in seen.items():
            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_cookies([{"name": "madang", "value": house.cookies[role], "url": site.address}])
            tab = context.new_page()
            hosts: set[str] = set()
            said: list[str] = []
            tab.on("request", lambda request, hosts=hosts: hosts.add(request.url.split("/", 3)[2]))
            tab.on("console", lambda message, said=said: said.append(f"{message.type}: {message.text}"))
            for page in mine:
                address = filled(page, furnished)
                mark = "&" if "?" in address else "?"
                answer = tab.goto(f"{site.address}{address}{mark}lang={language}")
                assert answer is not None and answer.status == 200, (role, page)
                tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
                found = Axe().run(tab)
                assert found.violations_count == 0, page + found.generate_report()
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, page
            assert hosts <= {site.address.split("//")[1]} and not [
                each for each in said if not each.startswith("verbose: ")
            ]  # which are advice
            context.close()
        browser.close()


def _pages() -> list[tuple[str, str]]:
    """The pages made of templates, with the room that has them."""
    names = {function: room.name for room in rooms() for function in room.templates}
    paths = [
        (route.path, names[endpoint])
        for route in routes()
        for endpoint in [getattr(route.endpoint, "__wrapped__", None)]
        if endpoint in names and "GET" in (route.methods or ()) and not route.path.startswith(PREFIX)
    ]
    return list(dict.fromkeys(paths))
