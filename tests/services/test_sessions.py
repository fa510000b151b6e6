"""Whose a session or token is: nobody gets into one that they chose beforehand, nor does anything with another's."""

import pytest

from madang.app.portal import portal
from madang.node.home import Home
from madang.node.node import Node
from portal_house import OURS, PASSWORD, House
from web.served import Served, serving

API = "/api/v1"


def test_signing_in_gives_a_new_session_and_never_the_one_that_a_thief_laid_out(house: House, site: Served) -> None:
    proof = {"login": "member", "password": PASSWORD}
    for laid in ("chosen-by-a-thief", house.cookies["steward"]):
        with site.browser({"madang": laid}) as victim:
            entered = victim.post("/sign-in", data=proof, headers=OURS)
            given = entered.cookies["madang"]
            assert entered.status_code == 303 and given != laid
        with site.browser({"madang": given}) as own:
            assert own.get(f"{API}/account").json()["login"] == "member"
        with site.browser({"madang": laid}) as thief:
            seen = thief.get(f"{API}/account")
            assert seen.status_code == 401 or seen.json()["login"] == "steward"


def test_nobody_revokes_a_token_of_somebody_else(house: House, site: Served) -> None:
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        wanted = {"name": "mine", "scope": "read", "days": 1, "password": PASSWORD}
        made = steward.post(f"{API}/account/tokens", json=wanted, headers=OURS)
        number = steward.get(f"{API}/account").json()["tokens"][0]["id"]
    with site.browser({"madang": house.cookies["member"]}) as member:
        assert member.get(f"{API}/account").json()["tokens"] == []
        refused = member.post(f"{API}/account/tokens/revoke", json={"id": number}, headers=OURS)
        assert refused.status_code in (403, 404)
    bearer = {"Authorization": f"Bearer {made.json()['secrets'][0]}"}
    assert site.get(f"{API}/records", headers=bearer).status_code == 200


def test_behind_tls_the_cookie_is_bound_to_this_host(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_WEB_PROXIES", "1")
    node = Node.open(Home(house.node.home.path))
    proof, encrypted = {"login": "member", "password": PASSWORD}, OURS | {"X-Forwarded-Proto": "https"}
    with serving(portal(node, keeper=False)) as site:
        cookie = site.post("/sign-in", data=proof, headers=encrypted).headers["set-cookie"]
        assert cookie.startswith("__Host-madang=") and "Domain" not in cookie
        assert all(each in cookie for each in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"))
        kept = cookie.partition(";")[0]
        assert site.get(f"{API}/account", headers=encrypted | {"Cookie": kept}).status_code == 200
        assert site.get(f"{API}/account", headers={"Cookie": kept}).status_code == 401, "without TLS it is no session"
    node.close()
