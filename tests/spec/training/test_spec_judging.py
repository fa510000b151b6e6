"""Judging an answer

Visible cases say what went in and what came out; of a hidden case only whether it is met, and the teacher's hint.
"""

import pytest

from examples import Example
from madang.base.errors import MadangError
from madang.node import closed
from madang.science.grading import tasks
from madang.services.training.grader import grade
from support import needs

TEXTS = 'title.en = "T"\ntitle.ko = "T"\ntext.en = "T"\ntext.ko = "T"\n'


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


def judged(example: Example, task: str, answer: str) -> str:
    """The lines that are said of an answer, and its score."""
    folder = example.folder / "task"
    folder.mkdir(exist_ok=True)
    (folder / "task.toml").write_text(TEXTS + (example.folder / task).read_text())
    found = grade(tasks.read_task(folder), (example.folder / answer).read_bytes())
    lines = [f"{'met' if line.met else 'not met'}: {line.text}" for line in found.feedback]
    return "\n".join([*lines, f"{found.score:g} of {found.largest_score:g}", ""])


def test_a_program(example: Example) -> None:
    """A program is called with the arguments of each case

    `entry` names the function. What comes out is compared as a typed value: 1, 1.0 and true are three things.
    """
    example.given(
        "task.toml",
        """
        kind = "code"
        entry = "mean"
        [[case]]
        args = [[30, 40]]
        expect = 35.0
        [[case]]
        args = [[]]
        none = true
        hidden = true
        points = 2
        hint.en = "What is the mean of nobody?"
        hint.ko = "아무도 없으면 평균은 무엇입니까?"
        """,
    )
    example.given(
        "answer.py",
        """
        def mean(values):
            return sum(values) / max(1, len(values))
        """,
    )
    example.expected(
        "what is said",
        """
        met: mean([30, 40]) · Right.
        not met: A case that is not shown is not met. What is the mean of nobody?
        1 of 3
        """,
        judged(example, "task.toml", "answer.py"),
    )


def test_an_object_that_equals_everything(example: Example) -> None:
    """An object that says that it equals everything gains nothing

    Only plain values come out of the box, and another process compares them.
    """
    example.given(
        "task.toml",
        """
        kind = "code"
        entry = "mean"
        [[case]]
        args = [[30, 40]]
        expect = 35.0
        """,
    )
    example.given(
        "answer.py",
        """
        class Equal:
            def __eq__(self, other):
                return True
        def mean(values):
            return Equal()
        """,
    )
    example.expected(
        "what is said",
        """
        not met: mean([30, 40]) · It is another kind of value. · Came out: <Equal>
        0 of 1
        """,
        judged(example, "task.toml", "answer.py"),
    )


def test_a_question_in_sql(example: Example) -> None:
    """A question in SQL is asked of the tables of each case

    The order of rows counts unless the task says `ordered = false`; names of columns are free.
    """
    example.given(
        "task.toml",
        """
        kind = "sql"
        ordered = false
        [[case]]
        expect = [[1], [3]]
        tables.visit.columns = ["person_id BIGINT", "days INTEGER"]
        tables.visit.rows = [[3, 9], [2, 1], [1, 4]]
        """,
    )
    example.given(
        "answer.sql",
        """
        SELECT person_id FROM visit WHERE days > 3
        """,
    )
    example.expected(
        "what is said",
        """
        met: Right.
        1 of 1
        """,
        judged(example, "task.toml", "answer.sql"),
    )


def test_a_shortlist(example: Example) -> None:
    """A shortlist is judged by how many of it are good, and whether one is bad"""
    example.given(
        "task.toml",
        """
        kind = "shortlist"
        [[case]]
        expect = { good = ["M1", "M2", "M3"], bad = ["M9"], size = 3, hits = 2 }
        """,
    )
    example.given(
        "answer.txt",
        """
        M1
        M3
        M5
        """,
    )
    example.expected(
        "what is said",
        """
        met: Right.
        1 of 1
        """,
        judged(example, "task.toml", "answer.txt"),
    )


def test_what_cannot_be_read(example: Example) -> None:
    """An answer that cannot be read is refused with a sentence, and counts as nothing"""
    example.given(
        "task.toml",
        """
        kind = "number"
        [[case]]
        expect = 12.5
        """,
    )
    example.given(
        "answer.txt",
        """
        about twelve
        """,
    )
    with pytest.raises(MadangError) as error:
        judged(example, "task.toml", "answer.txt")
    example.expected(
        "what is said",
        """
        The answer is not one number. Write it as 12.5.
        """,
        f"{error.value.message} {error.value.hint}\n",
    )
