"""The pages of the demo's alliance: everything that a study can be answered with is shown, in both languages."""

import io
import json
import zipfile
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from madang.base.progress import Progress
from madang.science.federated.study import KINDS, read_study
from madang.services.alliance import byhand, coordinate, demo, discover
from madang.services.alliance.examples import FORMS, begun, example, written
from portal_house import OWNER, House
from services.alliance.alliance_house import study_text
from support import needs
from web.served import Served

DATA = demo.DATA
MORE = [
    study_text("count", DATA),
    study_text("feasibility", DATA, where='["age >= 60"]'),
    study_text("table", DATA, columns=["sex", "status"]),
    study_text("moments", DATA, columns=["age", "time"]),
    study_text("quantiles", DATA, columns=["age"], shares=[0.25, 0.5], bin=1),
    study_text("glm", DATA, secure=True, outcome="status", terms=["age", "sex"], family="binomial"),
    study_text("log-rank", DATA, time="time", event="status", by="sex", bin=30),
    study_text("mantel-haenszel", DATA, exposure="sex", outcome="status"),
    study_text("calibration", DATA, outcome="status").replace(
        'outcome = "status"', 'outcome = "status"\ncoefficients = {"(Intercept)" = -2.0, age = 0.04}'
    ),
]


@pytest.fixture
def tried(house: House, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The demo: the numbers of its studies."""
    monkeypatch.setenv("MADANG_LANG", "en")
    demo.make(house.node, Progress())
    return [1, 2, 3]


@pytest.fixture
def furnished(house: House, tried: list[int]) -> list[int]:
    """The demo, and a study of every other kind, tried on its simulated sites."""
    for text in MORE:
        asked = coordinate.ask(house.node, OWNER, read_study(text), simulated=True)
        coordinate.decided_and_run(house.node, OWNER, asked.id, 60.0)
        tried.append(asked.id)
    return tried


def test_every_kind_of_answer_is_shown_and_carried(house: House, site: Served, furnished: list[int]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        for language, width in (("ko", 1280), ("en", 320)):
            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_cookies([{"name": "madang", "value": house.cookies["steward"], "url": site.address}])
            tab = context.new_page()
            paths = [f"/alliance/studies/{number}" for number in furnished]
            for path in [*(f"/alliance?kind={kind}" for kind in FORMS), "/alliance/partners/1", *paths]:
                answer = tab.goto(f"{site.address}{path}{'&' if '?' in path else '?'}lang={language}")
                assert answer is not None and answer.status == 200, path
                tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
                found = Axe().run(tab)
                assert found.violations_count == 0, path + found.generate_report()
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, path
            context.close()
        browser.close()
    with site.browser({"madang": house.cookies["steward"]}) as visitor:
        for number in furnished[:2] + furnished[3:]:
            data = visitor.get(f"/alliance/studies/{number}/crate.zip").content
            with zipfile.ZipFile(io.BytesIO(data)) as crate:
                held = {name: crate.read(name) for name in crate.namelist()}
            graph = {each["@id"]: each for each in json.loads(held["ro-crate-metadata.json"])["@graph"]}
            assert {each["@id"] for each in graph["./"]["hasPart"]} == set(held) - {"ro-crate-metadata.json"}
            study = read_study(held["study.json"])
            assert study.digest == json.loads(held["answer.json"])["digest"]


def test_a_study_is_begun_with_an_example_tried_by_a_click_and_answered_by_hand(
    house: House, site: Served, tried: list[int]
) -> None:
    examples_can_be_asked(house)
    fields_write_the_same_study(house, site)
    a_click_tries_it(house, site, tried)
    a_site_answers_by_hand(house, site)


def examples_can_be_asked(house: House) -> None:
    share = discover.discovered(house.node, OWNER)[0]
    for kind in KINDS:
        study = read_study(example(kind, share))
        assert study.kind == kind and set(study.columns()) <= {each["name"] for each in share["columns"]}
        assert read_study(example(kind, None)).kind == kind


def fields_write_the_same_study(house: House, site: Served) -> None:
    """What a form has in it at first is the example; what is written in it is the study that a steward would write."""
    share = discover.discovered(house.node, OWNER)[0]
    for kind in FORMS:
        assert read_study(written(kind, share, begun(kind, share))) == read_study(example(kind, share))
    given = {
        "kind": "cox", "data": DATA, "title": 'Ours "and" theirs', "where": "age >= 50\n\nsex in 1, 2\n", "bin": "30",
        "time": "time", "event": "status", "terms": "age, sex, age:sex", "ties": "breslow", "by_site": "yes",
    }  # fmt: skip
    with site.browser({"madang": house.cookies["steward"]}) as visitor:
        page = visitor.get("/api/v1/alliance", params=given).json()
        study = read_study(page["example"])
        assert page["problem"] == "" and study.title == 'Ours "and" theirs' and study.by_site
        assert study.where == ("age >= 50", "sex in 1, 2") and not study.per_site
        assert study.estimator == {"kind": "cox", "time": "time", "event": "status", "terms": ["age", "sex", "age:sex"],
                                   "ties": "breslow", "bin": 30}  # fmt: skip
        for wrong in ({"bin": "soon"}, {"terms": ""}, {"terms": "a b"}, {"where": "age about 50"}, {"ties": "none"}):
            assert visitor.get("/api/v1/alliance", params=given | wrong).json()["problem"], wrong
        shown = visitor.get("/alliance", params=given | {"bin": "soon", "lang": "en"}).text
        assert 'role="alert"' in shown and 'value="soon"' in shown  # and nothing that was written is lost


def a_click_tries_it(house: House, site: Served, tried: list[int]) -> None:
    from portal_house import work_off

    with site.browser({"madang": house.cookies["steward"]}) as visitor:
        told: dict[str, Any] = {"study": study_text("count", DATA, where='["age >= 50"]'), "only_try": "yes"}
        sent = visitor.post("/alliance/ask", data=told, headers={"Origin": site.address})
        assert sent.status_code in (200, 303), sent.text
        work_off(house.node)
        number = tried[-1] + 1
        shown = visitor.get(f"/api/v1/alliance/studies/{number}").json()["told"]
        assert shown["state"] == "answered" and len(shown["answer"]["sites"]) == 3
        assert {each["way"] for each in shown["sites"]} == {"simulated"}


def a_site_answers_by_hand(house: House, site: Served) -> None:
    byhand.add_site(house.node, OWNER, "island clinic")
    stated = study_text("table", DATA, columns=["sex"]) + "\n[variables]\nsex = { levels = ['1', '2'] }"
    asked = coordinate.ask(house.node, OWNER, read_study(stated), ["island clinic", *demo.HOSPITALS])
    with site.browser({"madang": house.cookies["steward"]}) as visitor:
        form = visitor.get(f"/alliance/studies/{asked.id}/form.csv").text
        assert form == "item,value\nsex=1,\nsex=2,\n"
        given = {"partner": "island clinic", "source": "Dr Kim, letter of 1 March"}
        address, here = f"/api/v1/alliance/studies/{asked.id}/hand", {"Origin": site.address}
        for wrong in ("sex=1,12\n", "sex=1,12\nsex=2,-3\n", "sex=1,12\nsex=2,x\n", "sex=1,1\nsex=2,2\nsex=3,4\n"):
            said = visitor.post(address, json={**given, "table": wrong}, headers=here)
            assert said.status_code == 422 and said.json()["code"] in ("alliance.form", "federated.answer"), said.text
        filled = {**given, "table": form.replace("=1,", "=1,30").replace("=2,", "=2,40")}
        assert visitor.post(address, json=filled, headers=here).status_code == 200
    answer = coordinate.decided_and_run(house.node, OWNER, asked.id, 60.0)
    assert answer["n"] == 3 * demo.ROWS + 70
    assert [each["way"] for each in answer["sites"]].count("hand") == 1 and all(each["in"] for each in answer["sites"])
    by_hand = next(each for each in answer["sites"] if each["way"] == "hand")
    assert by_hand["source"] == "Dr Kim, letter of 1 March"
