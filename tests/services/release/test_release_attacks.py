"""Attacks on the airlock, by those who may ask: what a rule or a checker would not see."""

import io
import json
import zipfile
from typing import Any

import pytest
from test_release import TABLE, Desk, desk, made  # noqa: F401  # a fixture is taken by its name

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.node.people.sessions import begin_session
from madang.science.privacy.outputs.lineage import keeps_people
from madang.science.privacy.outputs.recompute import Match, hold
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.scan import scan
from madang.science.privacy.outputs.scan.workbooks import written_anew
from madang.services.release import asking, ledger, service
from madang.services.release.examine import Upload, examine
from madang.services.release.models import Release
from madang.services.release.routes import Asking, _unpacked
from portal_house import OWNER, House
from web.served import Served

PEOPLE = """CREATE TABLE person AS SELECT range + 1 AS person_id, CASE WHEN range = 0 THEN 'rare' ELSE 'usual' END AS
    kind FROM range(60); CREATE TABLE visit AS SELECT range % 60 + 1 AS person_id, CASE WHEN range % 60 = 0 THEN 'rare'
    ELSE 'usual' END AS kind FROM range(1200)"""


def status_of(query: dict[str, Any], shown: list[dict[str, Any]], criterion: str) -> str:
    with Engine() as engine:
        engine.execute(PEOPLE)
        held = hold(query, shown, engine, Rules())
    assert held.match is Match.SAME, held.sentence
    return next(each.status.value for each in held.findings if each.criterion == criterion)


def test_visits_of_one_person_are_not_people() -> None:
    """Without a column for people every row was one: twenty visits of one person passed as twenty people."""
    rows = [{"kind": "rare", "count": 20}, {"kind": "usual", "count": 1180}]
    assert status_of({"kind": "count", "source": "visit", "by": ["kind"]}, rows, "minimum_count") == "fail"
    few = {"kind": "count", "source": "visit", "person": "kind"}  # a column that is not people
    assert status_of(few, [{"count": 2}], "minimum_count") == "pass"  # 60 people are behind it


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT person_id * 100 + i AS person_id, kind FROM person, range(20) r(i)",
        "SELECT q.person_id, t.kind FROM person q, (SELECT kind FROM person WHERE person_id = 1) t",
        "SELECT person_id, (SELECT kind FROM person WHERE person_id = 1) AS kind FROM person",
        "SELECT person_id, first(kind) OVER (ORDER BY person_id) AS kind FROM person",
        "SELECT q.person_id, t.kind FROM person q JOIN person t ON q.person_id > t.person_id",
        "SELECT q.person_id, t.kind FROM person q JOIN person t ON q.kind = t.kind",
        "SELECT person_id, kind FROM person UNION ALL SELECT person_id + 1, kind FROM person",
        "SELECT max(person_id) AS person_id, kind FROM person GROUP BY kind",
        "SELECT * REPLACE (person_id + 1 AS person_id) FROM person",
        "SELECT person_id, kind FROM person ORDER BY kind LIMIT 12",
        "WITH a AS (SELECT 1 AS person_id, kind FROM person) SELECT person_id, kind FROM a",
        "SELECT person_id, kind FROM person WHERE EXISTS (SELECT 1 FROM person WHERE kind = 'rare')",
        "FROM (VALUES (1, 'rare')) t(person_id, kind)",
        "SELECT person_id, kind FROM person USING SAMPLE 20",
    ],
)
def test_a_query_that_makes_people_of_nothing_is_read_by_a_person(sql: str) -> None:
    with Engine() as engine:
        engine.execute(PEOPLE)
        assert not keeps_people(engine, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT person_id, kind FROM person",
        "SELECT * FROM person WHERE kind = 'usual'",
        "SELECT p.person_id, v.kind AS how FROM person AS p JOIN visit AS v USING (person_id)",
        "SELECT p.person_id, v.kind FROM person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.kind <> 'rare'",
        "SELECT person_id, count(*) AS visits FROM visit GROUP BY person_id",
        "WITH v AS (SELECT person_id, max(kind) AS kind FROM visit GROUP BY person_id) SELECT DISTINCT person_id, kind "
        "FROM v WHERE kind IN ('usual', 'rare')",
    ],
)
def test_a_query_that_leaves_people_as_they_are_passes(sql: str) -> None:
    with Engine() as engine:
        engine.execute(PEOPLE)
        assert keeps_people(engine, sql)


def test_people_that_a_query_makes_do_not_pass_the_desk() -> None:
    made_up = "SELECT person_id * 100 + i AS person_id, kind FROM person, range(20) r(i)"
    query = {"kind": "count", "source": made_up, "person": "person_id", "by": ["kind"]}
    shown = [{"kind": "rare", "count": 20}, {"kind": "usual", "count": 1180}]
    assert status_of(query, shown, "people") == "review"


# -- figures ---------------------------------------------------------------------------------------------------------


def figure(**more: Any) -> dict[str, Any]:
    values = [{"group": "A", "count": 40}, {"group": "B", "count": 62}]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": "bar",
        "encoding": {"x": {"field": "group"}, "y": {"field": "count"}},
        **more,
    }


def failed(text: str) -> set[str]:
    return {
        each.criterion for each in scan("f.vl.json", text.encode(), Rules()).findings if each.status.value == "fail"
    }


def test_a_figure_asks_no_address_however_it_is_spelled() -> None:
    """An address spelled with escapes passed a search of the text, and the node itself then asked it."""
    assert not failed(json.dumps(figure()))
    for key in ("url", "href", "image"):
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in key)
        text = json.dumps(figure(layer=[{"data": {"KEY": "http://127.0.0.1:1/x.csv"}}])).replace("KEY", escaped)
        assert "addresses" in failed(text)
    assert "addresses" in failed(json.dumps(figure(transform=[{"lookup": "a", "from": {}}])))
    assert "addresses" in failed(json.dumps(figure(data={"sequence": {"start": 0, "stop": 9}})))


def test_the_program_that_draws_asks_nobody() -> None:
    from madang.science import charts

    asks = figure(data={"url": "http://127.0.0.1:1/x.csv"})
    with pytest.raises(ValueError, match="not allowed"):
        charts.svg(asks, "x")


def test_data_do_not_hide_in_the_texts_of_a_figure() -> None:
    assert "text" in failed(json.dumps(figure(title={"text": "row " * 200, "color": "white"})))
    assert "text" in failed(json.dumps(figure(transform=[{"calculate": "[3,1,4]" * 100, "as": "x"}])))
    assert "text_identifiers" in failed(json.dumps(figure(title="900101-1234567")))
    assert not failed(json.dumps(figure(title="Groups of the study, by site")))


def test_a_small_count_is_not_covered_by_a_second_table() -> None:
    """Of findings of one criterion the last one counted, so a harmless table behind a harmful one made it pass."""
    book = written_anew({"one": [["group", "count"], ["A", 3]], "two": [["group", "count"], ["A", 40]]})
    small = [{"group": "A", "count": 3}]
    two = figure(layer=[{"data": {"values": small}, "mark": "point"}])
    two = {**{"layer": two.pop("layer")}, **two}  # the small one first, or last
    for name, content in (("b.xlsx", book), ("f.vl.json", json.dumps(two).encode())):
        (found,) = examine([Upload(name, content)], None, [], Rules())
        assert found.status.value == "fail", name


# -- who asks, and who looks -----------------------------------------------------------------------------------------


def test_results_of_an_extract_are_of_the_project_that_has_it(desk: Desk) -> None:  # noqa: F811  # fixtures are taken by their names
    """Asking for another project, or for none, would have made a checker of the project impartial."""
    make_project(desk.node, OWNER, "sandbox", "Sandbox", organization="house", leader="researcher")
    with pytest.raises(MadangError) as refused:
        desk.ask(*made("sex", by=["sex"]), project="sandbox")
    assert refused.value.code == "release.dataset"
    number = desk.ask(*made("sex", by=["sex"]), project="")
    release = service.see(desk.node, OWNER, number)
    assert release.project is not None and release.project.name == "kidney"


def test_a_checker_reads_all_that_would_leave(desk: Desk) -> None:  # noqa: F811  # fixtures are taken by their names
    """The table had sixty lines and twelve columns on the page; what came after them left unread."""
    wide = "group,count," + ",".join(f"c{place}" for place in range(30))
    rows = [f"G{line},{line + 100}," + ",".join(str(line * place) for place in range(30)) for line in range(25)]
    program = "x <- 1\n" * 500 + "# the last line\n"
    number = desk.ask(Upload("wide.csv", "\n".join([wide, *rows]).encode()), Upload("it.R", program.encode()))
    from madang.services.release.looking import looked_at

    file, leaves, came = service.shown_file(desk.node, desk.actors["first"], number, 1)
    table = looked_at(file.kind, leaves, came)
    assert len(table["tables"][0]) == 26 and table["tables"][0][25][31] == str(24 * 29) and not table["left_out"]
    file, leaves, came = service.shown_file(desk.node, desk.actors["first"], number, 2)
    assert looked_at(file.kind, leaves, came)["text"].endswith("# the last line\n")
    for who in ("researcher", "colleague", "stranger", "biased"):
        with pytest.raises(MadangError):
            service.shown_file(desk.node, desk.actors[who], number, 1)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_page_of_a_file_runs_nothing_and_is_for_checkers(
    desk: Desk,  # noqa: F811  # fixtures are taken by their names
    house: House,
    site: Served,
    language: str,
) -> None:
    program = b"x <- '<script>alert(1)</script>'\n"
    number = desk.ask(Upload("f.vl.json", json.dumps(figure()).encode()), Upload("it.R", program))
    seen = {}
    for login in ("first", "researcher"):
        with house.node.write() as session:
            cookie = begin_session(session, house.node, find_person(session, login))
        with site.browser({"madang": cookie}) as browser:
            at = f"/releases/{number}/files"
            seen[login] = [browser.get(f"{at}/{place}?lang={language}") for place in (1, 2, 3)]
    assert [each.status_code for each in seen["first"]] == [200, 200, 404]
    assert [each.status_code for each in seen["researcher"]] == [404] * 3
    drawn, text = (each.text for each in seen["first"][:2])
    assert 'src="data:image/svg+xml;base64,' in drawn and "<script>alert" not in text and "alert(1)" in text


def test_what_does_not_fit_on_the_page_is_counted() -> None:
    from madang.services.release.looking import CELLS, LETTERS, looked_at

    long = looked_at("program", b"x" * (LETTERS + 7), b"")
    assert long["left_out"] == 7
    wide = "\n".join(["a,b"] + [f"{n},{n}" for n in range(CELLS)]).encode()
    assert looked_at("table", wide, wide)["left_out"] == CELLS + 2


def test_results_that_a_holder_computed_are_not_guessed_by_their_hash(desk: Desk) -> None:  # noqa: F811  # fixtures are taken by their names
    number = desk.ask(Upload("table.csv", TABLE))
    with desk.node.write() as session:
        release = session.get(Release, number)
        assert release is not None
        release.dataset = "held-2026-0001@1"
    found = service.see(desk.node, desk.actors["researcher"], number)
    assert ledger.is_held(found)
    assert not service.knows(desk.actors["researcher"], found) and service.knows(desk.actors["first"], found)
    told = json.dumps(service.record(found, service.knows(desk.actors["researcher"], found)))
    assert all(each.leaves not in told for each in found.files)


def test_ten_thousand_requests_end_before_anything_is_computed(
    desk: Desk,  # noqa: F811  # fixtures are taken by their names
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "MOST_A_DAY", 2)
    for _time in range(2):
        desk.ask(Upload("table.csv", b"group,count\nA,3\nB,2\n"))  # refused by rule: they count as well
    monkeypatch.setattr(service, "examine", lambda *given: pytest.fail("it was computed"))
    with pytest.raises(MadangError) as refused:
        desk.ask(Upload("table.csv", TABLE))
    assert refused.value.code == "release.too_many"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_broken_zip_is_one_sentence(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as parcel:
        parcel.writestr("table.csv", bytes(range(256)) * 50)
    broken = bytearray(out.getvalue())
    broken[39:79] = b"\xff" * 40  # after the head of the one file in it
    with pytest.raises(MadangError) as refused:
        _unpacked(Asking(name="a.zip", file=bytes(broken)))
    assert refused.value.code == "release.files"
