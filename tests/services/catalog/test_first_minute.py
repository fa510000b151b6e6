"""The first minute: what is in the data is found, the record says how to get it, refusals are in the reader's words."""

import pytest

from madang.base.errors import MadangError
from madang.base.translate import speaking
from madang.node.people.passwords import check_new_password
from madang.node.permissions import acts
from madang.services.catalog import finding
from madang.web.room import PREFIX
from portal_house import OURS, OWNER, House
from web.served import Served


def found(house: House, question: str, **filters: object) -> list[str]:
    hits = finding.search(house.node, OWNER, question, finding.Filters(**filters))  # type: ignore[arg-type]  # of any kind
    return [record.name for record in hits.records]


def test_what_is_in_the_data_is_found_and_a_year_is_one_of_the_data(house: House) -> None:
    name = house.published("ours", tier="controlled", title="본태성 고혈압 2031")
    assert found(house, "visit_occurrence") == found(house, "year_of_birth") == found(house, "진료 방문") == [name]
    assert found(house, "2020") == found(house, "2020년") == found(house, "", year=2020) == [name]
    assert found(house, "2019") == found(house, "", year=2019) == []
    assert found(house, "본태성고혈압") == found(house, "본태 성고 혈압") == [name]


def test_nothing_inside_data_under_embargo_is_found(house: House) -> None:
    from datetime import timedelta

    from madang.node.database import now

    name = house.published("ours", tier="embargoed", end=now() + timedelta(days=3), title="Sealed")
    assert found(house, "sealed") == [name]
    assert found(house, "year_of_birth") == found(house, "2020") == []


def test_an_empty_answer_says_what_would_be_found(house: House, site: Served) -> None:
    house.published("ours", title="Diabetes cohort")
    ways = site.get(f"{PREFIX}/records?q=diabetis").json()["ways"]
    assert "diabetes" in [way["question"] for way in ways]
    assert site.get(f"{PREFIX}/records?q=diabetes unheard").json()["ways"][0]["changed"] == "unheard"
    assert "/records?q=diabetes" in site.get("/records?q=diabetis").text
    assert site.get("/records?q=%22%22 %C2%B7 .").status_code == 200


def test_every_example_of_the_front_page_finds_something(house: House, site: Served) -> None:
    house.published("ours", tier="controlled")
    for language in ("ko", "en"):
        examples = site.get(f"{PREFIX}/?lang={language}").json()["examples"]
        assert examples
        assert all(site.get(f"{PREFIX}/records", params={"q": word}).json()["total"] for word in examples)


def test_a_record_on_request_says_who_decides_and_has_the_button(house: House, site: Served) -> None:
    house.published("closed", tier="controlled")
    shown = site.get("/records/closed?lang=en").text
    assert "How many people?" in shown and "Who decides" in shown and "Ask the committee." in shown
    assert "/sign-in?next=%2Fapplications" in shown or "/sign-in?next=/applications" in shown
    told = site.get(f"{PREFIX}/records/closed").json()["glance"]
    assert (told["persons"], told["first"], told["last"]) == (20, 2020, 2020)


@pytest.mark.parametrize("path", ["/records/closed/ask", "/steward/closed", "/audit", "/people"])
def test_a_refusal_names_no_act_and_no_rule_in_english(house: House, site: Served, path: str) -> None:
    house.published("closed", tier="controlled")
    with site.browser({"madang": house.cookies["member"]}) as browser:
        refused = browser.get(f"{path}?lang=ko")
    assert refused.status_code == 403
    body = refused.text.split("<main", 1)[1].split('<p class="little soft">')[0]
    assert not [name for name in acts() if name in body]
    assert "steward" not in body.replace("/steward", "") and "its organization" not in body


def test_every_rule_says_in_both_languages_who_comes_under_it() -> None:
    for act in acts().values():
        with speaking("en"):
            assert all(isinstance(each, str) for each in act.rule.who(None)), act.name
        with speaking("ko"):
            said = "; ".join(filter(None, act.rule.who(None)))
            assert not said or any("가" <= sign <= "힣" for sign in said), (act.name, said)


def test_addresses_tell_what_they_answer_to(house: House, site: Served) -> None:
    house.published("ours")
    with site.browser() as browser:
        assert "GET" in browser.delete("/records/ours", headers=OURS).headers["allow"]
        for path in ("/records/ours", "/records/ours/download.zip", f"{PREFIX}/records/ours", f"{PREFIX}/records"):
            answer = browser.head(path)
            assert answer.status_code == 200 and not answer.content, path
    assert 'rel="canonical"' in site.get("/records/ours").text


@pytest.mark.parametrize(
    "password",
    ["password1234", "P@ssw0rd2026!!", "qwertyuiop123", "abc123abc123", "admin-admin-2026", "비밀번호비밀번호2026"],
)
def test_passwords_that_are_tried_first_are_refused(password: str) -> None:
    with pytest.raises(MadangError, match="easy to guess"):
        check_new_password(password, "someone")


def test_auditors_read_sentences_and_sign_a_month(house: House, site: Served) -> None:
    house.published("ours")
    with site.browser({"madang": house.cookies["auditor"]}) as browser:
        events = browser.get(f"{PREFIX}/audit?lang=ko").json()["events"]
        assert all(any("가" <= sign <= "힣" for sign in each["said"]) for each in events), [e["act"] for e in events]
        assert any(each["title"] and each["address"] == "/records/ours" for each in events)
        assert "audit.read" not in {each["act"] for each in events}
        assert "audit.read" in {each["act"] for each in browser.get(f"{PREFIX}/audit?reads=yes").json()["events"]}
        assert browser.get(f"{PREFIX}/audit?until=2001-01-01").json()["events"] == []
        given = {"month": "2025-01", "found": "Nothing unusual."}
        assert browser.post("/audit/monthly", data=given, headers=OURS).status_code == 303
        assert browser.get(f"{PREFIX}/audit/monthly").json()["reviewed"][0]["found"] == "Nothing unusual."
