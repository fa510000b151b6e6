"""The pages of accounts, over HTTP: codes set up and used, the institution's provider, what administrators do."""

import re
from pathlib import Path

import httpx
import pyotp
import pytest

import openid_provider
from madang.app.portal import portal
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import accounts
from portal_house import OURS, OWNER, PASSWORD, House
from web.served import Served, serving

API = "/api/v1"


def test_codes_are_set_up_in_the_browser_and_asked_for(house: House, site: Served) -> None:
    with site.browser({"madang": house.cookies["member"]}) as browser:
        page = browser.get("/account/codes?lang=en").text
        secret = page.split('name="secret" value="')[1].split('"')[0]
        given = {"secret": secret, "new_code": "000000", "password": PASSWORD}
        again = browser.post("/account/codes", data=given, headers=OURS)
        assert again.status_code == 422 and f'value="{secret}"' in again.text and "data:image/svg" in again.text
        code = pyotp.TOTP(secret).now()
        done = browser.post("/account/codes", data=given | {"new_code": code}, headers=OURS)
        recovery = done.text.split("<pre>")[1].split("</pre>")[0].split()
        assert done.status_code == 200 and len(recovery) == 10
        assert browser.get(f"{API}/account").json()["has_codes"]
        renewed = browser.post(
            f"{API}/account/codes/recovery", json={"password": PASSWORD, "code": recovery[0]}, headers=OURS
        )
        assert renewed.status_code == 200 and not set(recovery) & set(renewed.json()["secrets"])
    entering = {"login": "member", "password": PASSWORD}
    assert site.post("/sign-in", data=entering, headers=OURS).status_code == 401
    entered = site.post("/sign-in", data=entering | {"code": renewed.json()["secrets"][0]}, headers=OURS)
    assert entered.status_code == 303
    with site.browser({"madang": house.cookies["administrator"]}) as administrator:
        forget = administrator.post("/people/member/codes/forget", data={"password": PASSWORD}, headers=OURS)
        assert forget.status_code == 303
    assert site.post("/sign-in", data=entering, headers=OURS).status_code == 303


def test_an_administrator_makes_an_account_gives_roles_and_disables_it(house: House, site: Served) -> None:
    own = {"password": PASSWORD}
    new = {"login": "Kim", "name": "<b>Kim</b>", "new": "붉은 소나무 and a lake"}
    with site.browser({"madang": house.cookies["administrator"]}) as browser:
        made = browser.post("/people", data=own | new, headers=OURS)
        assert (made.status_code, made.headers["location"]) == (303, "/people/kim")
        role = {"role": "steward", "organization": "hospital"}
        assert browser.post("/people/kim/roles", data=own | role, headers=OURS).status_code == 303
        page = browser.get("/people/kim?lang=en").text
        assert "&lt;b&gt;Kim" in page and "<td>Hospital</td>" in page
        proof = {"login": "kim", "password": "붉은 소나무 and a lake"}
        with site.browser() as kim:
            first = kim.post("/sign-in", data=proof, headers=OURS)
            assert (first.status_code, first.headers["location"]) == (303, "/account#password")
            assert kim.get("/steward").headers["location"] == "/account#password"
            chosen = {"password": proof["password"], "new": "a quiet river in November"}
            assert kim.post("/account/password", data=chosen, headers=OURS).status_code == 303
            assert kim.get(f"{API}/steward").status_code == 200
            assert browser.post("/people/kim/roles/take", data=role, headers=OURS).status_code == 303
            assert kim.get(f"{API}/steward").status_code == 403
            assert browser.post("/people/kim/disable", headers=OURS).status_code == 303
            assert kim.get(f"{API}/account").status_code == 401
        refused = browser.post(f"{API}/people/kim/enable", json={"password": "a guess"}, headers=OURS)
        assert refused.status_code == 401
        own_role = {"role": "administrator"}
        assert browser.post("/people/administrator/roles/take", data=own_role, headers=OURS).status_code == 422
        added = browser.post("/organizations", data={"name": "clinic", "title": "의원"}, headers=OURS)
        assert added.status_code == 303 and "의원" in browser.get("/organizations").text


def test_somebody_is_invited_and_two_people_make_an_auditor(house: House, site: Served) -> None:
    own = {"password": PASSWORD}
    with site.browser({"madang": house.cookies["administrator"]}) as browser, site.browser() as lee:
        new = own | {"login": "lee", "name": "Lee", "invite": "true"}
        made = browser.post("/people?lang=en", data=new, headers=OURS)
        (link,) = re.findall(r"/invitations/[\w-]{43}", made.text)
        assert "lee" in lee.get(link).text
        assert lee.post(link, data={"new": "short"}, headers=OURS).status_code == 422
        assert lee.post(link, data={"new": "a quiet river in November"}, headers=OURS).headers["location"] == "/sign-in"
        assert lee.post(link, data={"new": "a quiet river in November"}, headers=OURS).status_code == 404
        entering = {"login": "lee", "password": "a quiet river in November"}
        assert lee.post("/sign-in", data=entering, headers=OURS).headers["location"] == "/start"

        role = own | {"role": "auditor"}
        asked = browser.post("/people/lee/roles", data=role, headers=OURS)
        assert asked.headers["location"] == "/people-changes" and lee.get(f"{API}/audit").status_code == 403
        (change,) = browser.get(f"{API}/people-changes").json()["changes"]
        confirm = f"/people-changes/{change['number']}/confirm"
        assert not change["confirmable"] and browser.post(confirm, data=own, headers=OURS).status_code == 403
        with site.browser({"madang": house.cookies["auditor"]}) as second:
            assert "administrator" in second.get("/people-changes?lang=en").text
            assert second.post(confirm, data={"password": "a guess"}, headers=OURS).status_code == 401
            assert second.post(confirm, data=own, headers=OURS).status_code == 303
        assert lee.get(f"{API}/audit").status_code == 200


def test_signing_in_through_the_institution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with openid_provider.running() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        node = Node.open(Home(tmp_path / "home"))
        accounts.create_person(node, OWNER, "kim", "Kim", password=PASSWORD)
        with serving(portal(node, keeper=False)) as site, site.browser() as browser:
            assert "/sign-in/openid?next=/account" in browser.get("/sign-in?next=/account").text
            unknown = through(browser, browser.get("/sign-in/openid").headers["location"])
            assert unknown.status_code == 422 and "openid.not_linked" in unknown.text

            browser.post("/sign-in", data={"login": "kim", "password": PASSWORD}, headers=OURS)
            assert browser.post("/account/link", data={"password": "a guess"}, headers=OURS).status_code == 401
            way = browser.post(f"{API}/account/link", json={"password": PASSWORD}, headers=OURS).json()["address"]
            with site.browser() as stranger:
                assert through(stranger, way).status_code == 422
            assert through(browser, way).headers["location"] == "/account"
            (linked,) = browser.get(f"{API}/account").json()["linked"]
            assert linked["subject"] == "subject-42"

            with site.browser() as other:
                address = other.get("/sign-in/openid?next=/account").headers["location"]
                with site.browser() as victim:  # who was sent the answer of somebody else's sign-in
                    assert through(victim, address).status_code == 422
                address = other.get("/sign-in/openid?next=/account").headers["location"]
                assert through(other, address).headers["location"] == "/account"
                assert other.get(f"{API}/account").json()["sessions"][0]["method"] == "openid"
            assert browser.post("/account/unlink", data={"id": linked["id"]}, headers=OURS).status_code == 303
            assert through(browser, browser.get("/sign-in/openid").headers["location"]).status_code == 422
        node.close()


def through(browser: httpx.Client, address: str) -> httpx.Response:
    """What comes of going to the provider and back."""
    return browser.get(httpx.get(address).headers["location"])
