"""LTI 1.3: a platform that is not ours sends people here and gets grades back; launches that nobody may believe."""

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from madang.base.errors import MadangError
from madang.node import signing
from madang.node.people.models import Identity, Person, SignInSession
from madang.services.training import lti, tokens
from madang.services.training.models import Launch, Placed
from portal_house import OURS, OWNER, House, work_off
from services.training.test_room import boxes_needed, references
from support import ROOT, needs
from web.served import Served

CLAIM = lti.CLAIM
HERE = Path(__file__).parent
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


@dataclass
class Rogue:
    """A platform under our hands: it signs whatever it is told to."""

    address: str
    key: RSAKey
    number: int

    def claims(self, given: str, /, **changed: Any) -> dict[str, Any]:
        at = int(time.time())
        made: dict[str, Any] = {
            "iss": self.address,
            "aud": "madang-1",
            "sub": "u1",
            "name": "한 가람",
            "iat": at,
            "exp": at + 300,
            "nonce": given,
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}message_type": "LtiResourceLinkRequest",
            f"{CLAIM}deployment_id": "d-1",
            f"{CLAIM}resource_link": {"id": "link-1"},
            f"{CLAIM}roles": [ROLE + "Learner"],
            f"{CLAIM}custom": {"course": "medical-ai"},
        }
        for name, value in changed.items():
            if value is None:
                made.pop(name)
            else:
                made[name] = value
        return made

    def sign(self, claims: dict[str, Any], key: RSAKey | None = None, **header: Any) -> str:
        signing_key = key or self.key
        head = {"alg": "RS256", "kid": self.key.kid} | header
        return jwt.encode(head, claims, signing_key, algorithms=["RS256", "RS512"])


@pytest.fixture
def rogue(house: House) -> Iterator[Rogue]:
    key = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"}, private=True)

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    number = register(house, address)
    yield Rogue(address, key, number)
    server.shutdown()


def register(house: House, address: str, **changed: str) -> int:
    given = {"title": "LMS", "issuer": address, "client": "madang-1", "deployments": "d-0 d-1"}
    given |= {"sign_in": f"{address}/auth", "tokens": f"{address}/token", "keys": f"{address}/jwks"}
    return lti.add_platform(house.node, OWNER, **(given | changed))


def set_out(site: Served, browser: httpx.Client, rogue: Rogue) -> tuple[str, str]:
    """State and nonce of a browser that was sent here by the platform's page."""
    asked = {"iss": rogue.address, "login_hint": "u1", "target_link_uri": f"{site.address}/training/lti/launch"}
    away = browser.get("/training/lti/login", params=asked)
    assert away.status_code == 302
    url = httpx.URL(away.headers["location"])
    assert str(url).startswith(f"{rogue.address}/auth?")
    assert url.params["redirect_uri"] == f"{site.address}/training/lti/launch"
    return url.params["state"], url.params["nonce"]


def launch(browser: httpx.Client, state: str, token: str) -> httpx.Response:
    """The platform's form, as a browser sends it from there: without the cookies of ours."""
    foreign = {"Origin": "http://lms.example", "Sec-Fetch-Site": "cross-site"}
    return browser.post("/training/lti/launch", data={"state": state, "id_token": token}, headers=foreign)


def ticket_in(answer: httpx.Response) -> str:
    found = re.search(r'url=([^"]+)"', answer.text)
    assert found, answer.text
    return unescape(found[1])


def test_somebody_comes_in_and_reaches_learning_only(house: House, site: Served, rogue: Rogue) -> None:
    with site.browser() as browser:
        browser.headers["Accept-Language"] = "en"
        state, nonce = set_out(site, browser, rogue)
        way = ticket_in(launch(browser, state, rogue.sign(rogue.claims(nonce))))
        inside = browser.get(way)
        assert (inside.status_code, inside.headers["location"]) == (303, "/training/courses/medical-ai")
        page = browser.get("/training/courses/medical-ai").text
        assert "Sign in" not in page.partition("<main")[2]
        assert browser.get(way).status_code == 403  # once
        sent = browser.post(
            "/training/courses/medical-ai/medical-ai/screening",
            data={"answer": "1"},
            headers=OURS,
            follow_redirects=True,
        )
        assert sent.status_code == 200 and "Your last answer" in sent.text
        for path in ("/workspaces", "/api/v1/workspaces", "/account", "/training/classes", "/training/platforms"):
            assert browser.get(path).status_code in (303, 401, 403), path
        for path, given in (
            ("/workspaces", {"reference": "anything"}),
            ("/account/tokens", {"name": "x", "scopes": "write", "days": "3"}),
            ("/training/platforms", {"title": "x"}),
        ):
            assert browser.post(path, data=given, headers=OURS).status_code in (303, 401, 403, 404, 405, 422), path
    with house.node.read() as session:
        person = session.query(Person).filter(Person.login.startswith("lti-")).one()
        assert (person.name, person.password, person.roles) == ("한 가람", None, [])
        assert session.query(SignInSession).filter_by(person_id=person.id).one().method == "lti"
        assert not session.query(Placed).all()  # the platform said no place for a grade
    with site.browser() as browser:  # again: the same account
        state, nonce = set_out(site, browser, rogue)
        assert browser.get(ticket_in(launch(browser, state, rogue.sign(rogue.claims(nonce))))).status_code == 303
    with house.node.read() as session:
        assert session.query(Identity).count() == 1


def test_such_a_session_sees_no_page_that_a_stranger_does_not(house: House, site: Served, rogue: Rogue) -> None:
    """Every address of every room: only learning is open, and what is open to everybody."""
    from services.access_tables import READS, filled, furnish

    made = furnish(house)
    with site.browser() as browser:
        state, nonce = set_out(site, browser, rogue)
        browser.get(ticket_in(launch(browser, state, rogue.sign(rogue.claims(nonce)))))
        more = []
        for path, (example, _statuses) in READS.items():
            address = filled(example, made)
            if path.startswith(("/training/lti", "/sign")) or "{stream}" in path:
                continue
            told = browser.get(address).status_code
            if told == 200 and site.get(address).status_code != 200:
                more.append(path)
    assert set(more) <= {"/training/me"}


FORGED: dict[str, Callable[[Rogue, str], str]] = {
    "another nonce": lambda rogue, nonce: rogue.sign(rogue.claims("n")),
    "no nonce": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, nonce=None)),
    "another audience": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, aud="somebody")),
    "several audiences, no azp": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, aud=["madang-1", "other"])),
    "another azp": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, azp="other")),
    "another issuer": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, iss="http://evil.example")),
    "another deployment": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}deployment_id": "d-9"})),
    "no deployment": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}deployment_id": None})),
    "deployments at once": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}deployment_id": "d-0 d-1"})),
    "over": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, iat=1, exp=int(time.time()) - 100)),
    "of tomorrow": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, iat=int(time.time()) + 9_000)),
    "no end": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, exp=None)),
    "nobody": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, sub=None)),
    "an empty subject": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, sub="")),
    "a long subject": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, sub="x" * 300)),
    "a subject that is a list": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, sub=["u1"])),
    "another version": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}version": "1.1"})),
    "another message": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}message_type": "x"})),
    "no place": lambda rogue, nonce: rogue.sign(rogue.claims(nonce, **{f"{CLAIM}resource_link": None})),
    "a learner who chooses": lambda rogue, nonce: rogue.sign(
        rogue.claims(nonce, **{f"{CLAIM}message_type": "LtiDeepLinkingRequest"})
    ),
    "another key of the same name": lambda rogue, nonce: rogue.sign(
        rogue.claims(nonce), RSAKey.generate_key(2048, private=True)
    ),
    "a key that is not there": lambda rogue, nonce: rogue.sign(rogue.claims(nonce), kid="k2"),
    "another algorithm": lambda rogue, nonce: rogue.sign(
        rogue.claims(nonce), RSAKey.import_key(rogue.key.as_pem(private=True)), alg="RS512"
    ),
    "no signature": lambda rogue, nonce: rogue.sign(rogue.claims(nonce)).rpartition(".")[0] + ".",
    "an algorithm of none": lambda rogue, nonce: (
        "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + rogue.sign(rogue.claims(nonce)).split(".")[1] + "."
    ),
    "signed with the public key as a secret": lambda rogue, nonce: _by_secret(rogue, rogue.claims(nonce)),
    "changed": lambda rogue, nonce: rogue.sign(rogue.claims(nonce))[:-8] + "AAAAAAAA",
    "no token": lambda rogue, nonce: "x",
    "very large": lambda rogue, nonce: "x" * 200_000,
}


def _by_secret(rogue: Rogue, claims: dict[str, Any]) -> str:
    import base64
    import hmac

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': 'HS256', 'kid': 'k1'}).encode())}.{part(json.dumps(claims).encode())}"
    secret = rogue.key.as_pem(private=False)
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_launch_is_not_believed(house: House, site: Served, rogue: Rogue, name: str) -> None:
    with site.browser() as browser:
        state, nonce = set_out(site, browser, rogue)
        answer = launch(browser, state, FORGED[name](rogue, nonce))
        assert answer.status_code == 403, answer.text
        assert "Traceback" not in answer.text
        assert "madang" not in browser.cookies
    with house.node.read() as session:
        assert session.query(Launch).count() == 0
        assert session.query(Person).filter(Person.login.startswith("lti-")).count() == 0


def test_a_launch_counts_once_and_in_the_browser_that_began(house: House, site: Served, rogue: Rogue) -> None:
    with site.browser() as victim, site.browser() as thief:
        state, nonce = set_out(site, thief, rogue)
        token = rogue.sign(rogue.claims(nonce))
        way = ticket_in(launch(thief, state, token))
        assert launch(thief, state, token).status_code == 403  # replayed
        assert victim.get(way).status_code == 403  # a way in that somebody else was given: signing in as the thief
        set_out(site, victim, rogue)
        assert victim.get(way).status_code == 403
        assert "madang" not in victim.cookies
        assert thief.get(way).status_code == 303
        state, nonce = set_out(site, thief, rogue)
        for bad in ("", "x", state[:-1] + ("0" if state[-1] != "0" else "1"), secrets.token_hex(16), "é.é"):
            assert launch(thief, bad, rogue.sign(rogue.claims(nonce))).status_code == 403
            assert thief.get("/training/lti/enter", params={"ticket": bad}).status_code == 403
        assert thief.get("/training/lti/enter", params={"ticket": state}).status_code == 403  # a state is no ticket
        other, _nonce = set_out(site, victim, rogue)
        assert launch(thief, other, rogue.sign(rogue.claims(nonce))).status_code == 403


def test_a_cookie_has_no_power_in_a_form_of_another_site(house: House, site: Served, rogue: Rogue) -> None:
    with site.browser({"madang": house.cookies["administrator"]}) as browser:
        foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert browser.post("/training/lti/launch", data={}, headers=foreign).status_code == 403
        assert browser.post("/training/platforms", data={"title": "x"}, headers=foreign).status_code == 403
        assert browser.post("/training/lti/enter", headers=foreign).status_code in (403, 405)
        asked = {"iss": rogue.address, "login_hint": "u1"}
        assert browser.post("/training/lti/login", data=asked, headers=foreign).status_code == 302
        for bad in ({}, {"iss": "http://evil.example", "login_hint": "x"}, {"iss": rogue.address}):
            assert browser.post("/training/lti/login", data=bad, headers=foreign).status_code == 403


def test_a_platform_that_was_closed_and_an_account_that_was(house: House, site: Served, rogue: Rogue) -> None:
    from madang.node.database import now

    with site.browser() as browser:
        state, nonce = set_out(site, browser, rogue)
        way = ticket_in(launch(browser, state, rogue.sign(rogue.claims(nonce))))
        browser.get(way)
        with house.node.write() as session:
            session.query(Person).filter(Person.login.startswith("lti-")).one().disabled = now()
        state, nonce = set_out(site, browser, rogue)
        assert launch(browser, state, rogue.sign(rogue.claims(nonce))).status_code in (403, 409, 422)
        state, nonce = set_out(site, browser, rogue)
        lti.close_platform(house.node, OWNER, rogue.number)
        assert launch(browser, state, rogue.sign(rogue.claims(nonce))).status_code == 403
        assert browser.get("/training/lti/login", params={"iss": rogue.address, "login_hint": "u"}).status_code == 403


def test_a_grade_goes_only_where_an_administrator_said(house: House, site: Served, rogue: Rogue) -> None:
    for lineitem in ("http://evil.example/1", "http://127.0.0.1:1/1", "file:///x", 3, f"{rogue.address}@evil.example/"):
        endpoint = {"scope": [lti.SCORE_SCOPE], "lineitem": lineitem}
        with site.browser() as browser:
            state, nonce = set_out(site, browser, rogue)
            claims = rogue.claims(nonce, **{lti.GRADES: endpoint})
            assert browser.get(ticket_in(launch(browser, state, rogue.sign(claims)))).status_code == 303
    with house.node.read() as session:
        assert session.query(Placed).count() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "lms"},
        {"keys": "file:///etc/passwd"},
        {"tokens": "http://u@h/"},
        {"deployments": " "},
        {"client": ""},
        {"title": "\n"},
    ],
)
def test_platforms_that_are_none(house: House, changed: dict[str, str]) -> None:
    with pytest.raises(MadangError):
        register(house, "http://127.0.0.1:1", **changed)


@dataclass
class Judge:
    """The platform of another make, as a process."""

    address: str

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.address}/state").json()
        return found


@pytest.fixture
def judge(house: House, site: Served) -> Iterator[Judge]:
    place = Path(os.environ.get("MADANG_ENVIRONMENTS", ROOT / ".environments"))
    python = needs(place / "judges-learning" / "bin" / "python")
    if subprocess.run([python, "-c", "import lti1p3platform"], capture_output=True, check=False).returncode:
        needs("/lti1p3platform in judges-learning")
    process = subprocess.Popen(
        [str(python), str(HERE / "judge_platform.py"), site.address], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    register(house, address)
    yield Judge(address)
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_a_platform_of_another_make_sends_a_learner_and_gets_the_grade(
    house: House, site: Served, judge: Judge
) -> None:
    boxes_needed()
    with site.browser() as browser:
        browser.headers["Accept-Language"] = "en"
        come(browser, judge, "learner-1", "resource", "medical-ai")
        assert browser.get("/training/courses/medical-ai").status_code == 200
        for name, task, answer in references("medical-ai"):
            at = f"/training/courses/medical-ai/{name}/{task}"
            assert browser.post(at, data={"answer": answer}, headers=OURS, follow_redirects=True).status_code == 200
    work_off(house.node)
    scores = judge.state()["scores"]
    largest = scores[-1]["scoreMaximum"]
    assert scores[-1]["userId"] == "learner-1"
    assert 0 < scores[-1]["scoreGiven"] <= largest
    assert scores[-1]["gradingProgress"] == "FullyGraded"
    with house.node.read() as session:
        events = house.node.audit.events(session, act="grade.pass")
        assert events and events[0].details["score"] == scores[-1]["scoreGiven"]
        assert session.query(Placed).one().sent == scores[-1]["scoreGiven"]


def test_a_teacher_chooses_what_a_platform_of_another_make_shows(house: House, site: Served, judge: Judge) -> None:
    with site.browser() as browser:
        browser.headers["Accept-Language"] = "en"
        at = come(browser, judge, "teacher-1", "deep", "")
        assert at.startswith("/training/lti/choose/")
        page = browser.get(at).text
        assert "medical-ai/medical-ai/split" in page
        assert browser.post(at, data={"places": "nothing"}, headers=OURS).status_code == 404
        chosen = {"places": ["medical-ai", "medical-ai/medical-ai/split"]}
        form = browser.post(at, data=chosen, headers=OURS)
        assert f"form-action {judge.address}" in form.headers["content-security-policy"]
        token = re.search(r'name="JWT" value="([^"]+)"', form.text)
        assert token
        assert "Placed." in httpx.post(f"{judge.address}/deep", data={"JWT": token[1]}).text
    with site.browser({"madang": house.cookies["member"]}) as other:
        assert other.get(at).status_code == 404
    items = judge.state()["chosen"]
    assert [each["custom"] for each in items] == [
        {"course": "medical-ai"},
        {"course": "medical-ai", "lesson": "medical-ai", "task": "split"},
    ]
    assert items[1]["lineItem"]["scoreMaximum"] == 3
    assert items[0]["url"] == f"{site.address}/training/lti/launch"


def come(browser: httpx.Client, judge: Judge, user: str, kind: str, place: str) -> str:
    """From a link of the platform's course until one is in; where one is."""
    start = httpx.get(f"{judge.address}/start", params={"user": user, "kind": kind, "place": place})
    away = browser.get(start.headers["location"])
    form = httpx.get(away.headers["location"]).text
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    inside = browser.get(ticket_in(launch(browser, fields["state"], fields["id_token"])))
    assert inside.status_code == 303, inside.text
    return str(inside.headers["location"])


def test_our_key_is_closed_and_its_public_half_has_no_secret(house: House, site: Served) -> None:
    told = site.get("/training/lti/keys.json").json()
    assert [sorted(each) for each in told["keys"]] == [["alg", "e", "kid", "kty", "n", "use"]]
    path = house.node.home.path / "keys" / "lti-key.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert tokens.our_public_keys(house.node.home) == told
    assert not signing.public_keys(house.node.home)  # it is no signing key of ours
    path.chmod(0o644)
    with pytest.raises(MadangError):
        tokens.our_key(house.node.home)
