"""The shelf and the commands: what is on it, that two lessons run whole, that the commands do as written."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from madang.node import closed
from madang.services.training import courses
from madang.services.training.boxes import SHELF
from madang.services.training.checking import FENCE, check
from madang.services.training.commands import app
from support import needs

NAMES = sorted(path.name for path in SHELF.iterdir() if (path / "course.toml").is_file())
LESSONS = [(name, lesson.name) for name in NAMES for lesson in courses.read_course(SHELF / name).lessons]


def boxes_needed() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


def test_ten_lessons_with_three_tasks_each() -> None:
    assert len(LESSONS) >= 10
    for name, lesson in LESSONS:
        assert len(courses.read_course(SHELF / name).lesson(lesson).tasks) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_syntax_and_data_of_every_lesson(name: str) -> None:
    assert check(courses.read_course(SHELF / name), run=False).problems == []


def test_two_lessons_whole() -> None:
    boxes_needed()
    found = check(courses.read_course(SHELF / "medical-ai"))
    assert (found.problems, found.cells, found.references, found.wrong) == ([], 2, 3, 6)


@pytest.mark.big
@pytest.mark.parametrize("name", NAMES)
def test_every_lesson_whole(name: str) -> None:
    boxes_needed()
    assert check(courses.read_course(SHELF / name)).problems == []


@pytest.mark.parametrize(("name", "lesson"), LESSONS)
def test_commands_in_lessons_exist(name: str, lesson: str) -> None:
    """A lesson whose command changed fails."""
    from typer.main import get_command

    from madang.app.registry import commands

    known = {each.name for each in commands()}
    for text in courses.read_course(SHELF / name).lesson(lesson).text.values():
        shown = "\n".join(found[2] for found in FENCE.finditer(text) if found[1] == "sh")
        for line in re.findall(r"madang ([^\n`]+)", shown):
            words = shlex.split(line)
            assert words[0] in known, line
            command: Any = get_command(_loaded(words[0]))
            for word in words[1:]:
                below = getattr(command, "commands", None)
                if below and not word.startswith("-"):
                    assert word in below, line
                    command = below[word]
                elif word.startswith("--"):
                    assert any(word in parameter.opts for parameter in command.params), line


def _loaded(name: str) -> Any:
    import importlib

    import typer

    from madang.app.registry import commands

    target = next(each.target for each in commands() if each.name == name)
    module, _colon, attribute = target.partition(":")
    module = module if "." in module else f"madang.app.commands.{module}"
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return found
    made = typer.Typer()
    made.command()(found)
    return made


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, list(words))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        return 2, str(found.exception)
    return found.exit_code, found.output


def test_grade_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes_needed()
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    answer, out = tmp_path / "answer.py", tmp_path / "out.json"
    answer.write_text("def gender(text):\n    return 8507 if text == 'M' else 8532\n")
    task = "data-foundations/standardize/sex-code"
    assert run("grade", task, str(answer), "--json", str(out))[0] == 0
    found = json.loads(out.read_text())
    assert {"score", "largest_score", "feedback", "seconds"} <= set(found)
    assert 0 < found["score"] < found["largest_score"] == 6
    assert run("grade", str(SHELF / task), str(answer), "--json", str(out))[0] == 0
    assert json.loads(out.read_text())["score"] == found["score"]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("task", "data"),
    [
        ("nowhere/at/all", b"x"),
        ("data-foundations/standardize", b"x"),
        ("data-foundations/standardize/sex-code", b""),
        ("data-foundations/standardize/sex-code", b"\xff\xfe\x00x"),
        ("data-foundations/standardize/sex-code", b"x" * (5 << 20)),
        ("data-foundations/standardize/sex-code", b'{"cells": 3}'),
        ("data-foundations/standardize/sex-code", None),
        ("../../etc/passwd", b"x"),
        ("no.ipynb", b"{}"),
    ],
)
def test_ugly_input_is_one_sentence(tmp_path: Path, task: str, data: bytes | None) -> None:
    answer = tmp_path / "answer.py"
    if data is not None:
        answer.write_bytes(data)
    code, text = run("grade", task, str(answer))
    assert code == 2
    assert "Traceback" not in text


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    boxes_needed()
    course = tmp_path / "c"
    task = course / "l" / "t"
    task.mkdir(parents=True)
    head = "title.en='a'\ntitle.ko='a'\nsummary.en='a'\nsummary.ko='a'\nroles=['data-steward']\n"
    (course / "course.toml").write_text(head + "[[lesson]]\nname='l'\ntasks=['t']\n")
    (course / "l" / "lesson.en.md").write_text("# A\n\n```python\n1 / 0\n```\n")
    (course / "l" / "lesson.ko.md").write_text("# A\n\n```python\n1 / 0\n```\n")
    text = "kind='number'\ntitle.en='a'\ntitle.ko='a'\ntext.en='a'\ntext.ko='a'\n[[case]]\nexpect=3\n"
    (task / "task.toml").write_text(text)
    (task / "reference.txt").write_text("4")
    (task / "wrong-1.txt").write_text("3")
    found = check(courses.read_course(course))
    assert len(found.problems) == 3
    assert any("ZeroDivisionError" in each for each in found.problems)
    code, said = run("check", str(course))
    assert code == 2
    assert "wrong-1.txt" in said
