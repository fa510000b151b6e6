"""Answers that are workflows: what is told, what stays as it was made, where Snakemake is not installed."""

import re
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.base.translate import speaking
from madang.science.grading.compare import Closeness, Difference
from madang.science.grading.made import check_source, judge
from madang.science.grading.tasks import Case, Task, read_task
from madang.services.training import boxes, courses, spaces
from madang.services.training.boxes import SHELF
from madang.services.training.checking import check
from madang.services.training.grader import grade
from portal_house import House
from services.training.test_room import boxes_needed, visiting
from services.training.test_spaces import member_of, write
from support import needs
from web.served import Served

COURSE = SHELF / "workflows"
PAGE = "/training/courses/workflows/first-workflow/count-reads"
TITLE = {"en": "x", "ko": "x"}
COUNT = "rule count:\n    input: 'in.txt'\n    output: 'mid.txt'\n    shell: 'wc -l < {input} > {output}'\n"
LAST = "rule last:\n    input: 'mid.txt'\n    output: 'out.txt'\n    shell: 'cp {input} {output}; echo copied'\n"
ALL = "rule all:\n    input: 'out.txt'\n"


def task(*cases: Case) -> Task:
    return Task("x", "pipeline", TITLE, TITLE, cases, seconds=60)


def engines_needed() -> None:
    boxes_needed()
    try:
        boxes.check_there("pipeline")
    except MadangError:
        needs("/the environment tools")


def told(source: str, *cases: Case) -> list[str]:
    found = grade(task(*cases), source.encode())
    return [line.text for line in found.feedback]


def test_what_is_said_of_a_case_that_is_shown_and_of_one_that_is_not() -> None:
    engines_needed()
    lines = {"in.txt": "a\nb\n"}
    shown, hidden = (
        Case({"out.txt": 2}, files=lines),
        Case({"out.txt": 2}, files=lines, hidden=True, hint={"en": "Hint."}),
    )
    found = grade(task(shown, hidden), (ALL + COUNT + LAST).encode())
    assert (found.score, found.printed) == (2, "copied\n")
    said = told(ALL + COUNT + LAST.replace("cp {input}", "echo 7 >"), shown, hidden)
    assert said == [
        "The value is not right. · out.txt says '7\\n'",
        "A case that is not shown is not met. Hint.",
    ]
    said = told(ALL + COUNT, shown, hidden)
    assert "Missing input files for rule all" in said[0] and "(line 1)" in said[0] and "/tmp/" not in said[0]
    assert said[1] == "A case that is not shown is not met. Hint."
    said = told(ALL + COUNT + LAST.replace("cp", "copy"), shown)
    assert "copy: command not found" in said[0]
    said = told("rule all\n", shown)
    assert "SyntaxError" in said[0]
    said = told(ALL.replace("out.txt", "mid.txt") + COUNT, shown)
    assert said == ["Nothing came out. · out.txt"]


def test_a_file_that_is_newer_than_what_it_is_made_from_is_not_made_again() -> None:
    engines_needed()
    newer = Case({"out.txt": 7}, files={"in.txt": "a\n", "mid.txt": "7\n"})
    older = Case({"out.txt": 1}, files={"mid.txt": "7\n", "in.txt": "a\n"})
    assert grade(task(newer, older), (ALL + COUNT + LAST).encode()).score == 2


def test_each_case_begins_in_a_folder_of_its_own() -> None:
    engines_needed()
    case = Case({"out.txt": 1, "left.txt": ["left"]}, files={"in.txt": "a\n"})
    leaves = ALL + COUNT + LAST.replace("cp", "test ! -e left.txt; echo left > left.txt; cp")
    assert grade(task(case, case), leaves.encode()).score == 2


def test_in_the_page(house: House, site: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engines_needed()
    folder = COURSE / "first-workflow/count-reads"
    with visiting(site, house, "member") as browser:
        assert "takes some seconds" in browser.get(PAGE).text
        sent = browser.post(PAGE, data={"answer": (folder / "wrong-at.smk").read_text()}, follow_redirects=True).text
        assert "A line of qualities may begin with @" in sent and "Right." in sent
        words = re.sub(r"<[^>]*>|[\d-]+ \d+:\d+", " ", sent)  # neither addresses nor the time of day
        assert not re.search(r"\b41\b", words)  # what is expected of a hidden case
        right = (folder / "reference.smk").read_text().replace("\n", "\r\n")  # as browsers send it
        assert "4 of 4 points" in browser.post(PAGE, data={"answer": right}, follow_redirects=True).text
        assert browser.get(f"/api/v1{PAGE}").json()["missing"] == ""
        monkeypatch.setenv("MADANG_ENVIRONMENTS", str(tmp_path))
        assert "Snakemake is not installed" in browser.get(PAGE).text
        refused = browser.post(PAGE, data={"answer": right}, follow_redirects=True)
        assert refused.status_code == 503 and "Snakemake is not installed" in refused.text


def test_in_a_workspace(house: House) -> None:
    engines_needed()
    member, course = member_of(house), courses.read_course(COURSE)
    number = spaces.open_space(house.node, member, "workflows")
    cell = spaces.cell_of(course.lesson("first-workflow").task("clean-reads"))
    answer = (COURSE / "first-workflow/clean-reads/reference.smk").read_text()
    write(house, number, "first-workflow", cell, f"# answer to first-workflow/clean-reads\n{answer}")
    found = spaces.send_from(house.node, member, "workflows", "first-workflow", "clean-reads")
    assert found.score == found.largest_score, found


@pytest.mark.parametrize(
    ("wanted", "text", "found"),
    [
        (3, "3\n", Difference.NONE),
        (3, " 3.0 ", Difference.NONE),
        (3, "4", Difference.VALUE),
        (3, "three", Difference.KIND),
        (3, None, Difference.KIND),
        ("a\nb\n", "a \r\nb\n\n", Difference.NONE),
        ("a\nb\n", "b\na\n", Difference.ORDER),
        (["b", "a"], "b\na\n", Difference.NONE),
        ([], "\n", Difference.NONE),
        ([{"n": 1.5, "s": "x"}], "s,N,more\nx,1.5,y\n", Difference.NONE),
        ([{"n": 1.5, "s": "x"}], "s,n\nx,1.50001\n", Difference.NONE),
        ([{"n": 1.5, "s": "x"}], "s,n\nx,1.6\n", Difference.VALUE),
        ([{"n": 1.5, "s": "x"}], "s,m\nx,1.5\n", Difference.NAMES),
        ([{"n": 1.5, "s": "x"}], "s,n\nx,1.5\ny,2\n", Difference.LENGTH),
        ([{"n": 1.5, "s": "x"}], "s,n\nx\n", Difference.KIND),
        ([{"n": 1.5, "s": "x"}], "", Difference.NAMES),
        (False, "x", Difference.LENGTH),
    ],
)
def test_files_are_compared_by_what_they_say(wanted: object, text: str | None, found: Difference) -> None:
    close = Closeness(absolute=0.001)
    assert judge({"t.csv": wanted}, {"t.csv": text}, close) == ("" if found is Difference.NONE else "t.csv", found)
    assert judge({"t.csv": wanted}, {}, close)[1] is (Difference.NONE if wanted is False else Difference.MISSING)
    assert judge({"t.csv": wanted}, [text], close)[1] is (Difference.NONE if wanted is False else Difference.MISSING)


def test_a_table_with_tabs() -> None:
    rows = [{"a": 1, "b": "x,y"}, {"a": 2, "b": ""}]
    assert judge({"t.tsv": rows}, {"t.tsv": "b\ta\nx,y\t1\n\t2\n"}, Closeness()) == ("", Difference.NONE)
    assert judge({"t.tsv": rows}, {"t.tsv": "b\ta\n\t2\nx,y\t1\n"}, Closeness())[1] is Difference.ORDER
    assert judge({"t.tsv": rows}, {"t.tsv": "b\ta\n\t2\nx,y\t1\n"}, Closeness(ordered=False))[1] is Difference.NONE


def test_what_would_be_downloaded_is_told_before_anything_runs() -> None:
    with pytest.raises(MadangError, match="wants conda") as error:
        check_source(COUNT + "    conda: 'x.yaml'\n")
    assert error.value.code == "answer.fetches"
    check_source("# conda: none\n" + COUNT.replace("wc", "conda"))


def test_without_the_engine_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MADANG_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    with pytest.raises(MadangError) as error, speaking("en"):
        grade(task(Case({"x": 1}, files={"y": ""})), b"rule x:")
    assert error.value.code == "training.no_workflows" and "script/environment tools" in error.value.hint
    boxes_needed()
    found = check(courses.read_course(COURSE))
    assert (found.problems, found.references, found.wrong, len(found.left)) == ([], 1, 2, 1)


BAD = {
    "no files": "expect.'a' = 1",
    "no expect": "files.'a' = ''\nexpect = 3",
    "a path that leaves": "files.'../a' = ''\nexpect.'b' = 1",
    "an absolute path": "files.'/a' = ''\nexpect.'b' = 1",
    "a hidden file": "files.'.snakemake/a' = ''\nexpect.'b' = 1",
    "the workflow itself": "files.Snakefile = ''\nexpect.'b' = 1",
    "true": "files.'a' = ''\nexpect.'b' = true",
    "no points": "points = 0\nfiles.'a' = ''\nexpect.'b' = 1",
}


@pytest.mark.parametrize("name", BAD)
def test_a_task_that_cannot_be_used_is_told(name: str, tmp_path: Path) -> None:
    texts = "".join(f"{key}.{language} = 'x'\n" for key in ("title", "text") for language in ("en", "ko"))
    (tmp_path / "task.toml").write_text(f"kind = 'pipeline'\n{texts}[[case]]\n{BAD[name]}\n")
    with pytest.raises(MadangError) as error:
        read_task(tmp_path)
    assert error.value.code == "task.toml"


@pytest.mark.big
def test_the_course_whole() -> None:
    engines_needed()
    found = check(courses.read_course(COURSE))
    assert (found.problems, found.left, found.cells, found.references, found.wrong) == ([], [], 2, 3, 7)
