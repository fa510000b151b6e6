"""Answers that are no program, ugly ones too; tasks that cannot be read; items and similarity."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.grading import answers, items
from madang.science.grading.tasks import Case, Task, read_task

TITLE = {"en": "x", "ko": "x"}


def task(kind: str, expect: Any, **more: Any) -> Task:
    return Task("t", kind, TITLE, TITLE, (Case(expect=expect, hidden=True, **more),))


def met(kind: str, expect: Any, text: str) -> bool:
    return answers.judge(task(kind, expect), text.encode())[0].met


@pytest.mark.parametrize(
    ("kind", "expect", "right", "wrong"),
    [
        ("number", 0.25, ["0.25", " 25 % ", "2.5e-1", "+0.25"], ["0.2500001", "25", "-0.25"]),
        ("number", 1204, ["1,204", "1204.0"], ["1.204"]),
        ("choice", ["a", "c"], ["a c", "C, a", "c;a"], ["a", "a b c", "ac"]),
        (
            "form",
            {"d": "refuse", "r": ["x", "y"]},
            ['{"d":"refuse","r":"y x"}'],
            ['{"d":"refuse"}', '{"d":"approve","r":["x","y"]}'],
        ),
        (
            "table",
            [{"m": "p", "v": 0.96}],
            ["m,v\np,0.9600", "V,M,other\n0.96,p,1"],
            ["m,v\np,0.95", "m\np", "m,v\np,0.96\nq,1"],
        ),
        (
            "mapping",
            {"I": 9201, "E": [9203, 262]},
            ["source_code,target_concept_id\nI,9201\nE,262", "target_concept_id,Source_Code\n9203,E\n9201,I\n0,Z"],
            ["source_code,target_concept_id\nI,9201", "source_code,target_concept_id\nI,9201\nE,0"],
        ),
        (
            "shortlist",
            {"good": ["a", "b"], "bad": ["z"], "size": 2, "hits": 1},
            ["a\nx", "b,1\na,2"],
            ["a", "a\nz", "x\ny"],
        ),
    ],
)
def test_right_and_wrong(kind: str, expect: Any, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not met(kind, expect, text)] == []
    assert [text for text in wrong if met(kind, expect, text)] == []


@pytest.mark.parametrize("kind", ["number", "choice", "table", "form", "shortlist"])
@given(data=st.binary(max_size=300))
def test_any_bytes_are_judged_or_refused_in_a_sentence(kind: str, data: bytes) -> None:
    expect: dict[str, Any] = {
        "number": 1,
        "choice": "a",
        "table": [{"a": 1}],
        "form": {"a": 1},
        "shortlist": {"good": ["a"], "size": 1, "hits": 1},
    }
    code = ""
    try:
        answers.judge(task(kind, expect[kind]), data)
    except MadangError as error:
        code = error.code
    assert code == "" or code.startswith("answer.")


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "１", "1 2 3a", "0x10", "1_000", "--1", '{"a":1}', "9" * 100])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(MadangError) as error:
        answers.judge(task("number", 1), text.encode())
    assert error.value.code == "answer.number"


@pytest.mark.parametrize("text", ['{"d": 1, "d": 2}', '{"d": NaN}', "[1]", "{", "[" * 100_000])
def test_what_is_no_form(text: str) -> None:
    with pytest.raises(MadangError) as error:
        answers.judge(task("form", {"d": 1}), text.encode())
    assert error.value.code == "answer.form"


GOOD = "kind='code'\nentry='f'\ntitle.en='a'\ntitle.ko='a'\ntext.en='a'\ntext.ko='a'\n[[case]]\nargs=[1]\nexpect=1\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("'code'", "'shell'"),
        GOOD.replace("entry='f'", "entry='f()'"),
        GOOD.replace("title.ko='a'\n", ""),
        GOOD.replace("expect=1\n", ""),
        GOOD.replace("args=[1]", "args=1"),
        GOOD + "points=-1",
        GOOD + "points=nan",
        GOOD.replace("entry='f'", "entry='f'\nseconds=1e9"),
        GOOD.partition("[[case]]")[0],
        "kind = ",
        "\ufeff\x00",
        GOOD.replace("'code'", "'sql'"),
        GOOD.replace("'code'", "'sql'") + "tables.t.columns=['a INTEGER); DROP TABLE x; --']\ntables.t.rows=[]",
        GOOD.replace("'code'", "'sql'") + "tables.t.columns=['a INTEGER']\ntables.t.rows=[[1,2]]",
    ],
)
def test_tasks_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "task.toml").write_text(text)
    with pytest.raises(MadangError) as error:
        read_task(tmp_path)
    assert error.value.code == "task.toml"


def test_a_task_that_can(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(GOOD)
    assert read_task(tmp_path).largest == 1


def test_items_by_hand() -> None:
    scores = {"a": {"t": 1.0, "u": 1.0}, "b": {"t": 0.0, "u": 0.0}, "c": {"t": 1.0, "u": 1.0}, "d": {"t": 0.0}}
    easy, other = items.items(scores, ["t", "u"])
    assert (easy.tried, easy.difficulty) == (4, 0.5)
    assert easy.discrimination == pytest.approx(1.0)
    assert other.tried == 3
    assert items.items({}, ["t"])[0].difficulty is None


def test_renaming_hides_nothing() -> None:
    one = "def mean(values):\n    total = 0\n    for v in values:\n        total += v\n    return total / len(values)\n"
    two = "# mine\ndef average(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s / len(xs)\n"
    three = "import statistics\nmean = statistics.fmean\n"
    assert items.similarity(one, two) == 1.0
    assert items.similarity(one, three) < 0.3


@pytest.mark.parametrize(
    "text",
    [
        "code,concept\nI,1",
        "source_code,target_concept_id\nI,1\nI,2",
        "source_code,target_concept_id\nI,-1",
        "source_code,target_concept_id\nI,one",
        "source_code,target_concept_id\nI,99999999999",
    ],
)
def test_maps_that_cannot_be_read(text: str) -> None:
    with pytest.raises(MadangError) as error:
        met("mapping", {"I": 1}, text)
    assert error.value.code == "answer.mapping"
