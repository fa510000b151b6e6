"""Answers that are a check of data quality: what is told, and that they count as the node's own checks do."""

import pytest

from madang.base.errors import MadangError
from madang.lake import Engine
from madang.science.grading.tasks import Case, Task
from madang.science.quality import custom
from madang.services.training import courses, rule_task
from madang.services.training.boxes import SHELF
from madang.services.training.grader import grade
from services.training.test_room import boxes_needed

TITLE = {"en": "x", "ko": "x"}
TABLES = {
    "measurement": {
        "columns": ["measurement_id BIGINT", "value_as_number DOUBLE"],
        "rows": [[1, 120.0], [2, 900.0], [3, None], [4, -5.0]],
    }
}
BROKEN = "SELECT measurement_id FROM measurement WHERE value_as_number NOT BETWEEN 0 AND 300"


def rule(rows: str = BROKEN, **more: object) -> bytes:
    told = "".join(f"{name} = {value!r}\n" for name, value in more.items())
    return f"[[check]]\nid = 'x'\ntable = 'measurement'\nrule = 'x'\nrows = '''{rows}'''\n{told}".encode()


def said(answer: bytes, **expect: object) -> str:
    case = Case({"rows": [2, 4]} | expect, tables=TABLES)
    return grade(Task("x", "rule", TITLE, TITLE, (case,)), answer).feedback[0].text


def test_what_is_said() -> None:
    boxes_needed()
    assert said(rule(), of=4, fails=True) == "Right."
    assert said(rule(threshold=50), fails=False) == "Right."
    assert said(rule(threshold=50), fails=True).endswith("Found: 2, 4, of 4 rows: it passes")
    looked = "SELECT * FROM measurement WHERE value_as_number IS NOT NULL"
    assert said(rule(of=looked), of=3) == "Right."
    assert said(rule(), of=3).startswith("There are too many or too few. · Found: 2, 4, of 4 rows")
    assert "Found: no row" in said(rule("SELECT * FROM measurement WHERE false"))
    assert "has to give the column measurement_id" in said(rule("SELECT 1 AS x"))
    assert "A row has no key" in said(rule("SELECT NULL::BIGINT AS measurement_id"))
    assert "value_as_text" in said(rule("SELECT measurement_id FROM measurement WHERE value_as_text = 'x'"))
    assert "There is no table person" in said(rule().replace(b"'measurement'", b"'person'"))


@pytest.mark.parametrize("answer", ["SELECT 1", "[[check]]\nid = 'x'", "[[change]]\ncheck = '*'\noff = true", "x ="])
def test_what_is_no_check_is_told(answer: str) -> None:
    with pytest.raises(MadangError) as error:
        rule_task.read(answer)
    assert error.value.code == "answer.rule" and "answer.toml" in error.value.message


def test_two_checks_are_no_answer() -> None:
    with pytest.raises(MadangError, match=r"one \[\[check\]\]"):
        rule_task.read(rule().decode() + rule().decode().replace("'x'", "'y'"))


@pytest.mark.parametrize("name", ["reference", "wrong-unit", "wrong-limits", "wrong-of"])
def test_an_answer_of_the_shelf_counts_as_the_checks_of_a_node_do(name: str) -> None:
    """The same file, asked by the quality room itself."""
    boxes_needed()
    task = courses.read_course(SHELF / "data-foundations").lesson("quality").task("own-rule")
    assert task.folder is not None
    path = task.folder / f"{name}.toml"
    (check,) = custom.with_files((), [path])
    met = []
    for case in task.cases:
        with Engine() as engine:
            table = case.tables["measurement"]
            engine.execute(f"CREATE TABLE measurement ({', '.join(table['columns'])})")
            for row in table["rows"]:
                engine.execute(f"INSERT INTO measurement VALUES ({', '.join('?' * len(row))})", row)
            counted = custom.count(engine, [check])[check.id]
            keys = sorted(engine.query(custom.rows(engine, check))["measurement_id"].to_pylist())
        assert counted.violated is not None and counted.denominator is not None
        fails = counted.violated / counted.denominator * 100 > (check.threshold or 0)
        met.append({"rows": keys, "of": counted.denominator, "fails": fails} == case.expect)
    assert [line.met for line in grade(task, path.read_bytes()).feedback] == met
