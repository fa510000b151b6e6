"""The same way by commands, with a token for each member, and by the API."""

import json
from typing import Any

import pytest
from access_house import CONTENT, Desk
from typer.testing import CliRunner

from madang.base.errors import MadangError
from madang.node.people.actor import Actor
from madang.node.people.proof import Proof
from madang.node.people.tokens import make_token
from madang.services.access import commands
from portal_house import PASSWORD
from web.served import Served


def token(desk: Desk, actor: Actor) -> str:
    assert actor.person_id is not None
    with desk.node.read() as session:
        fresh = Actor.person(session, actor.person_id)
    return make_token(desk.node, fresh, Proof(password=PASSWORD), "test", ["write"], 1)


def test_the_whole_way_by_commands(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("MADANG_HOME", str(desk.node.home.path))
    people = {"firm": desk.firm, "steward": desk.steward, **dict(zip("abc", desk.members, strict=True))}
    tokens = {name: token(desk, actor) for name, actor in people.items()}
    file = tmp_path / "kidney.json"
    asked = {"project": "kidney", "dataset": "claims", "title": "Kidneys"}
    file.write_text(json.dumps({**asked, "content": CONTENT}))

    def run(who: str, *arguments: str) -> Any:
        monkeypatch.setenv("MADANG_TOKEN", tokens[who])
        done = CliRunner().invoke(commands.app, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    made = run("firm", "apply", str(file), "--submit", "--count", "--json")
    assert made["state"] == "in-review" and made["count"] % 5 == 0
    number = str(made["number"])
    for step in ("screening", "adequacy", "ethics"):
        run("steward", "decide", number, "--step", step, "--json")
    for who, vote in zip("abc", ("approve", "conditional", "approve"), strict=True):
        run(who, "decide", number, "--vote", vote, "--note", "Only after review.", "--edition", "1", "--json")
    assert run("steward", "decide", number, "--close", "--json")["answer"] == "closed-space"
    run("steward", "decide", number, "--step", "fee", "--json")
    permit = run("steward", "decide", number, "--permit", "--json")["permit"]
    assert [each["state"] for each in run("firm", "list", "--json")] == ["permitted"]
    assert "Only after review" in run("firm", "show", number, "--json")["conditions"]

    from typer import Typer

    alone = Typer()
    alone.command()(commands.extract)
    with pytest.raises(MadangError, check=lambda error: error.code == "permission.denied"):
        CliRunner().invoke(alone, [permit, "--json"], catch_exceptions=False)
    monkeypatch.setenv("MADANG_TOKEN", tokens["steward"])
    done = CliRunner().invoke(alone, [permit, "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["rows"] == {"person": 40, "condition_occurrence": 400}
    record = run("firm", "record", number)
    assert record["permit"] == permit and record["keep"]["years_after_destruction"] == 3
    assert run("steward", "record", number, "--minutes")["outcome"] == "closed-space"
    assert set(run("firm", "permit", permit, "--visas")) == {"kim"}
    destroyed = run("steward", "permit", permit, "--destroy", "The study is finished.")
    assert destroyed["key_destroyed"] is True


def test_the_same_by_api(desk: Desk, site: Served) -> None:
    def client(actor: Actor) -> Any:
        browser = site.browser()
        browser.headers["Accept-Language"] = "en"
        browser.headers["Authorization"] = f"Bearer {token(desk, actor)}"
        return browser

    firm, steward = client(desk.firm), client(desk.steward)
    api = "/api/v1/applications"
    begun = firm.post(api, json={"project": "kidney", "dataset": "claims", "title": "Kidneys"})
    assert begun.status_code in (200, 201), begun.text
    number = begun.json()["see"].rsplit("/", 1)[1]
    form = {
        "purpose": "How diabetes becomes kidney disease.",
        "diagnoses": "E10-E11",
        "begins": "2010-01-01",
        "ends": "2013-12-31",
        "tables": "person: gender_concept_id, year_of_birth = age\ncondition_occurrence: condition_start_date = order",
        "ethics": "exempt",
        "recipe": "shifted",
    }
    assert firm.post(f"{api}/{number}", json=form).status_code == 200
    assert "About" in firm.post(f"{api}/{number}/count").json()["message"]
    assert firm.post(f"{api}/{number}/submit").status_code == 200
    for step in ("screening", "adequacy", "ethics"):
        assert steward.post(f"{api}/{number}/steps", json={"step": step}).status_code == 200
    assert firm.post(f"{api}/{number}/votes", json={"choice": "approve", "edition": 2}).status_code == 403
    for member in desk.members[:2]:
        voted = client(member).post(f"{api}/{number}/votes", json={"choice": "approve", "edition": 2})
        assert voted.status_code == 200, voted.text
    assert steward.post(f"{api}/{number}/decide").status_code == 200
    assert steward.post(f"{api}/{number}/steps", json={"step": "fee"}).status_code == 200
    permit = steward.post(f"{api}/{number}/permit").json()["see"].rsplit("/", 1)[1]
    assert steward.post(f"/api/v1/permits/{permit}/extract").status_code == 200
    assert steward.post(f"/api/v1/permits/{permit}/recipes").status_code == 200
    shown = firm.get(f"/api/v1/permits/{permit}").json()
    assert shown["report"]["after"]["persons"] == 40 and len(shown["report"]["recipes"]) == 3
    page = firm.get(f"/permits/{permit}", headers={"Accept": "text/html"})
    assert page.status_code in (200, 401)  # a token is for programs
    assert firm.post(f"/api/v1/permits/{permit}/report", json={"text": "Somebody was recognized."}).status_code == 200
    assert firm.get(f"/api/v1/permits/{permit}").json()["state"] == "suspended"
    assert site.browser().get("/access").status_code == 200


def test_pages_show_before_and_after_the_extract(desk: Desk, site: Served) -> None:
    """The page of a permit in each of its states, and of an application, in both languages."""
    from madang.node.people.models import Person
    from madang.node.people.sessions import begin_session
    from madang.services.access import ending, extracting

    permit = desk.permitted()
    with desk.node.write() as session:
        person = session.get(Person, desk.steward.person_id)
        assert person is not None
        cookie = begin_session(session, desk.node, person)
    with site.browser({"madang": cookie}) as browser:

        def looks() -> str:
            pages = [browser.get(f"/permits/{permit}?lang={language}") for language in ("ko", "en")]
            pages += [browser.get(path) for path in ("/applications", "/applications/1", "/access")]
            assert [each.status_code for each in pages] == [200] * 5
            return pages[1].text

        assert "Make the extract" in looks()
        extracting.extract(desk.node, desk.steward, permit)
        assert "Renew the extract" in looks()
        extracting.try_recipes(desk.node, desk.steward, permit, ["months"])
        assert "Recipes compared" in looks() and "<svg" in looks()
        ending.destroy(desk.node, desk.steward, permit, "Over.")
        assert "Key destroyed" in looks()
