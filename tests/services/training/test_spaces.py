"""A course done in a workspace: lessons as notebooks, answers from their cells; lessons on a dataset of the lake."""

from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.services.training import checking, courses, data, service, spaces, teaching
from madang.services.workspace import notebooks
from madang.services.workspace import service as workspaces
from madang.services.workspace.environment import find_environment
from madang.services.workspace.lessons import clear_course
from madang.services.workspace.spaces import box_of
from portal_house import OWNER, House, commit
from services.training.test_room import boxes_needed, references
from support import needs

COURSE = "data-foundations"


def member_of(house: House, login: str = "member") -> Actor:
    with house.node.read() as session:
        return Actor.person(session, session.query(Person).filter_by(login=login).one().id)


def books(house: House, number: int) -> Path:
    return workspaces.folder_of(house.node, number) / "notebooks"


def write(house: House, number: int, lesson: str, cell: str, source: str) -> None:
    """As somebody who writes into a cell of a notebook and has it saved."""
    known = notebooks.load(books(house, number), lesson)
    cells = [each | ({"source": source} if each["id"] == cell else {}) for each in known["cells"]]
    notebooks.save(books(house, number), lesson, known["version"], cells)


def test_a_course_is_done_in_a_workspace(house: House) -> None:
    boxes_needed()
    member = member_of(house)
    number = spaces.open_space(house.node, member, COURSE)
    assert spaces.open_space(house.node, member, COURSE) == number  # the same, and nothing of it is written over
    course = courses.find_course(COURSE, None)
    assert notebooks.list_notebooks(books(house, number)) == sorted(lesson.name for lesson in course.lessons)
    kinds = [cell["kind"] for cell in notebooks.load(books(house, number), "standardize")["cells"]]
    assert {"code", "text"} == set(kinds)
    for lesson, task, answer in references(COURSE):
        cell = spaces.cell_of(course.lesson(lesson).task(task))
        write(house, number, lesson, cell, f"# answer to {lesson}/{task}\n{answer}")
        grade = spaces.send_from(house.node, member, COURSE, lesson, task)
        assert grade.score == grade.largest_score, (lesson, task, grade)
    assert service.share(course, service.standing_of(house.node, member, COURSE)) == 1


def test_whoever_has_no_workspace_or_took_the_cell_away_is_told(house: House) -> None:
    boxes_needed()
    member = member_of(house)
    with pytest.raises(MadangError) as error:
        spaces.send_from(house.node, member, COURSE, "standardize", "day")
    assert error.value.code == "lesson.no_space"
    number = spaces.open_space(house.node, member, COURSE)
    known = notebooks.load(books(house, number), "standardize")
    notebooks.save(books(house, number), "standardize", known["version"], known["cells"][:1])
    with pytest.raises(MadangError) as error:
        spaces.send_from(house.node, member, COURSE, "standardize", "day")
    assert error.value.code == "lesson.no_cell"
    other = member_of(house, "steward")  # whose workspace it is not
    with pytest.raises(MadangError):
        spaces.send_from(house.node, other, COURSE, "standardize", "day")
    with pytest.raises(MadangError):
        workspaces.see(house.node, other, 999)
    stranger = Actor.stranger()
    with pytest.raises(MadangError) as error:
        spaces.open_space(house.node, stranger, COURSE)
    assert error.value.code == "permission.sign_in"


def test_an_ended_workspace_of_a_course_opens_again_and_is_destroyed(house: House) -> None:
    boxes_needed()
    member = member_of(house)
    number = spaces.open_space(house.node, member, COURSE)
    assert workspaces.why_closed(house.node, member, workspaces.find(house.node, number)) == ""
    workspaces.end(house.node, member, number)
    with pytest.raises(MadangError):
        spaces.answer_in(house.node, member, COURSE, "standardize", "day")
    assert workspaces.renew(house.node, member, number).state == "open"
    workspaces.end(house.node, member, number)
    assert workspaces.destroy(house.node, OWNER, number).state == "destroyed"
    with house.node.read() as session:
        assert house.node.audit.events(session, act="workspace.destroy")[0].details["dataset"] == f"course:{COURSE}"


def test_a_teacher_begins_a_workspace_anew(house: House) -> None:
    boxes_needed()
    member = member_of(house)
    number = teaching.open_class(house.node, OWNER, title="t", course=COURSE)
    teaching.set_roster(house.node, OWNER, number, [("1", "Kim", "member", ""), ("2", "Lee", "", "")])
    with pytest.raises(MadangError) as error:
        spaces.reset(house.node, OWNER, number, "1")
    assert error.value.code == "lesson.no_space"
    space = spaces.open_space(house.node, member, COURSE)
    files = workspaces.folder_of(house.node, space) / "files"
    (files / "deep").mkdir()
    (files / "deep" / "x").write_text("x")
    (files / "out").symlink_to(house.node.home.path)
    cell = spaces.cell_of(courses.find_course(COURSE, None).lesson("standardize").task("day"))
    write(house, space, "standardize", cell, "broken")
    spaces.reset(house.node, OWNER, number, "1")
    assert list(files.iterdir()) == [] and notebooks.list_notebooks(books(house, space)) == []
    assert (house.node.home.path / "node.db").exists()
    spaces.open_space(house.node, member, COURSE)
    assert "broken" not in spaces.answer_in(house.node, member, COURSE, "standardize", "day")
    for student in ("2", "3"):
        with pytest.raises(MadangError):
            spaces.reset(house.node, OWNER, number, student)
    with pytest.raises(MadangError):
        spaces.reset(house.node, member, number, "1")
    assert not clear_course(house.node, 999, COURSE)


LESSON = "# On the lake\n\n```python\nimport duckdb\nn = duckdb.sql(\"FROM '/data/person.parquet'\").shape[0]\nn\n```\n"
TOML = """
title.en = "a"
title.ko = "a"
summary.en = "a"
summary.ko = "a"
roles = ["data-engineer"]
level = 1
pass = 0.7
skills = ["a"]
[[lesson]]
name = "lake"
tasks = ["count"]
dataset = "{dataset}"
"""
TASK = """
kind = "code"
entry = "people"
seconds = 20
title.en = "Count"
title.ko = "세기"
text.en = "How many people are in /data/person.parquet?"
text.ko = "/data/person.parquet에 몇 사람이 있습니까?"
[[case]]
args = []
expect = 20
hidden = true
"""
RIGHT = "import duckdb\ndef people():\n    return duckdb.sql(\"FROM '/data/person.parquet'\").shape[0]\n"


def on_the_lake(house: House, dataset: str) -> courses.Course:
    folder = house.node.home.folder("training") / "on-the-lake"
    (folder / "lake" / "count").mkdir(parents=True, exist_ok=True)
    (folder / "course.toml").write_text(TOML.format(dataset=dataset))
    for language in ("en", "ko"):
        (folder / "lake" / f"lesson.{language}.md").write_text(LESSON)
    (folder / "lake" / "count" / "task.toml").write_text(TASK)
    (folder / "lake" / "count" / "reference.py").write_text(RIGHT)
    (folder / "lake" / "count" / "wrong.py").write_text("def people():\n    return 3\n")
    return courses.find_course("on-the-lake", house.node.home.path)


def test_a_lesson_on_a_version_of_a_dataset(house: House) -> None:
    boxes_needed()
    record = house.published("public")
    with house.node.read() as session:
        from madang.services.catalog.models import Record

        name = session.query(Record).filter_by(name=record).one().dataset
    course = on_the_lake(house, f"{name}@1")
    rows = house.node.home.lake().find(f"{name}@1").tables["person"].rows
    task = course.folder / "lake" / "count" / "task.toml"
    task.write_text(TASK.replace("expect = 20", f"expect = {rows}"))
    course = courses.find_course("on-the-lake", house.node.home.path)
    checked = checking.check(course, lake=house.node.home.lake())
    assert (checked.problems, checked.cells, checked.references, checked.wrong) == ([], 1, 1, 1)
    member = member_of(house)
    assert service.send(house.node, member, "on-the-lake", "lake", "count", RIGHT).score == 1
    number = spaces.open_space(house.node, member, "on-the-lake")
    needs("/environment of workspaces (script/environment workspace)") if _lacks(house) else None
    assert "/data/person.parquet" in box_of(house.node, workspaces.find(house.node, number)).read


def _lacks(house: House) -> bool:
    try:
        find_environment(house.node)
    except MadangError:
        return True
    return False


def test_a_lesson_uses_no_data_that_are_not_open(house: House) -> None:
    boxes_needed()
    commit(house.node, "closed", person="SELECT range AS person_id FROM range(20)")
    course = on_the_lake(house, "closed@1")
    for ask in (
        lambda: data.for_learners(house.node, course.lessons[0]),
        lambda: service.send(house.node, member_of(house), "on-the-lake", "lake", "count", RIGHT),
        lambda: spaces.open_space(house.node, member_of(house), "on-the-lake"),
    ):
        with pytest.raises(MadangError) as error:
            ask()
        assert error.value.code == "lesson.data"
    assert "which is not here" in str(checking.check(on_the_lake(house, "gone@1"), run=False).problems)
    for bad in ("closed", "closed@0", "../x@1", "a b@1"):
        with pytest.raises(MadangError):
            on_the_lake(house, bad)
