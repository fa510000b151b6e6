# ruff: noqa: E501
"""Answers that want points without the work: each runs in its own box, and none of them scores."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.grading import notebooks
from madang.science.grading.tasks import Case, Task, read_task
from madang.services.training import boxes, courses, notebook_grader
from madang.services.training.grader import Grade, grade
from support import needs, shared_data

pytestmark = pytest.mark.usefixtures("boxes_are_made")
SECRETS = (31_337, 27_183)  # what is expected of hidden cases; no answer may hold them
TITLE = {"en": "x", "ko": "x"}
TASK = Task(
    "double",
    "code",
    TITLE,
    TITLE,
    (
        Case(expect=SECRETS[0], args=(4_242,), hidden=True),
        Case(expect=SECRETS[1], args=(7_171,), hidden=True),
    ),
    entry="f",
    seconds=2.0,
)
ALWAYS = "class E{base}:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"

ATTACKS = {
    "equals everything": ALWAYS.format(base="") + "    __hash__ = None\ndef f(x): return E()",
    "an int that equals everything": ALWAYS.format(base="(int)") + "    __hash__ = int.__hash__\ndef f(x): return E(5)",
    "a float that is near everything": "class E(float):\n    def __sub__(s, o): return 0.0\n    __rsub__ = __sub__\n"
    "    def __abs__(s): return 0.0\n    def __le__(s, o): return True\ndef f(x): return E(5)",
    "a string with another hash": "class E(str):\n    def __hash__(s): return 0\n    def __eq__(s, o): return True\n"
    "def f(x): return E('5')",
    "a list in disguise": ALWAYS.format(base="(list)") + "    __hash__ = None\ndef f(x): return E([1])",
    "a class that says it is int": "class M(type):\n    def __eq__(s, o): return True\n    __hash__ = type.__hash__\n"
    "class E(metaclass=M):\n    @property\n    def __class__(self): return int\ndef f(x): return E()",
    "builtins patched": "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.type = lambda *a: int\n"
    "builtins.len = lambda *a: 0\nbuiltins.abs = lambda *a: 0\ndef f(x): return 5",
    "equality of int patched by ctypes": "import ctypes\ndef f(x):\n    ctypes.c_long.from_address(id(31338)+16).value=1\n"
    "    return 5",
    "json patched": "import json\njson.dumps = lambda *a, **k: '{\"value\": true}'\ndef f(x): return 5",
    "the encoder patched": "import sys\nsys.modules['madang_typed'].encode = lambda v, depth=0: ['e', [['i', '1']]]\n"
    "def f(x): return 5",
    "a false line": 'import os\nfor d in range(3, 12):\n    try: os.write(d, b\'{"value": ["b", true]}\\n\')\n'
    "    except OSError: pass\ndef f(x): return 5",
    "many false lines": "import os\ndef f(x):\n    for d in range(3, 12):\n        try: os.write(d, b'{\"score\": 2}\\n' * 50)\n"
    "        except OSError: pass\n    return 5",
    "a false verdict": "import os\ndef f(x):\n    for d in range(1, 12):\n        try: os.write(d, b'{\"end\": true}\\n')\n"
    "        except OSError: pass\n    os._exit(0)",
    "exits with 0": "import os\nos._exit(0)",
    "exits in the call": "import sys\ndef f(x): sys.exit(0)",
    "raises what is expected": "def f(x): raise AssertionError('31337')",
    "kills itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)",
    "kills all": "import os, signal\ndef f(x): os.kill(-1, signal.SIGKILL)",
    "walks the stack": "import sys\ndef f(x):\n    frame, seen = sys._getframe(), []\n    while frame:\n"
    "        seen += [v for v in frame.f_locals.values() if type(v) is int]\n        frame = frame.f_back\n"
    "    return max(seen, default=0)",
    "looks through all objects": "import gc\ndef f(x):\n    found = [o for o in gc.get_objects() if type(o) is dict and"
    " 'expect' in o]\n    return found[0]['expect'] if found else 0",
    "reads the courses": "import glob\ndef f(x):\n    return [open(p).read() for p in glob.glob('/**/task.toml',"
    " recursive=True)][:1]",
    "reads the module's shelf": "import madang, pathlib\ndef f(x):\n    p = pathlib.Path(madang.__file__).parent /"
    " 'services/training/shelf'\n    return [q.read_text() for q in p.rglob('*')][:1]",
    "reads this test": "def f(x): return open({here!r}).read()",
    "reads the home": "import os\ndef f(x): return os.listdir({home!r})",
    "reads the environment": "import os\ndef f(x): return sorted(os.environ.values())",
    "reads other processes": "import glob\ndef f(x): return [open(p).read() for p in glob.glob('/proc/*/cmdline')]",
    "reads its parent's memory": "import os\ndef f(x): return open(f'/proc/{os.getppid()}/mem', 'rb').read(9)",
    "reads descriptors": "import os\ndef f(x):\n    for d in range(3, 30):\n        try: return os.read(d, 99)\n"
    "        except OSError: pass",
    "imports the task": "def f(x):\n    from madang.services.training.courses import all_courses\n"
    "    return [c.name for c in all_courses(None)]",
    "writes over the grader": "import madang.services.training.grader as g\nopen(g.__file__, 'w').write('x')\n"
    "def f(x): return 5",
    "writes where the next one looks": "import os\nfor p in ('/tmp/sitecustomize.py', '/dev/shm/x', '/data/x'):\n"
    "    try: open(p, 'w').write('f = 1')\n    except OSError: pass\ndef f(x): return 5",
    "the network": "import socket\ndef f(x): return socket.create_connection(('127.0.0.1', {port}), 1).recv(5)",
    "an unpickled bomb": "import pickle\nclass E:\n    def __reduce__(s): return (eval, ('31337',))\n"
    "def f(x): return pickle.dumps(E())",
    "memory": "def f(x):\n    a = []\n    while True: a.append(bytearray(64 << 20))",
    "forks": "import os, time\ndef f(x):\n    for _ in range(60):\n        try:\n            if os.fork() == 0:\n"
    "                time.sleep(30); os._exit(0)\n        except OSError: break\n    return 5",
    "threads": "import threading, time\ndef f(x):\n    for _ in range(60):\n"
    "        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n    return 5",
    "an endless loop": "def f(x):\n    while True: pass",
    "an endless loop at once": "while True: pass",
    "ignores signals": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef f(x):\n    while True: pass",
    "endless output": "def f(x):\n    while True: print('x' * 100_000)",
    "an endless answer": "def f(x): return 'x' * 50_000_000",
    "a huge number": "def f(x): return 10 ** 100_000",
    "a deep answer": "def f(x):\n    a = []\n    for _ in range(100_000): a = [a]\n    return a",
    "itself inside": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "not a number": "def f(x): return float('nan')",
    "without end": "def f(x): return float('inf')",
    "true for one": "def f(x): return True",
    "a text of the number": "def f(x): return str(31337)",
    "a generator": "def f(x):\n    n = 0\n    while True:\n        yield n\n        n += 1",
    "another name that looks alike": "def ｆ2(x): return 31337\nｆ2.__name__ = 'f'",
    "a name of marks": "globals()['f\\u200b'] = lambda x: 31337",
    "a deleted function": "def f(x): return 5\ndel f",
    "an import hook": "import sys\nclass H:\n    def find_spec(self, *a): sys.exit(0)\nsys.meta_path.insert(0, H())\n"
    "def f(x): return 5",
    "at exit": 'import atexit, os\natexit.register(lambda: os.write(3, b\'{"value": ["i", "31337"]}\'))\ndef f(x): 1/0',
    "a trace": "import sys\nsys.settrace(lambda *a: None)\ndef f(x):\n    return sys.gettrace() and 5",
    "a null character": "def f(x): return 5\x00",
    "not Python": "\u202e f = 31337 (",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_none_scores(name: str, port: int) -> None:
    source = ATTACKS[name].replace("{here!r}", repr(__file__)).replace("{home!r}", repr(str(Path.home())))
    source = source.replace("{port}", str(port)).replace("{{", "{").replace("}}", "}")
    begun = time.monotonic()
    if "\0" in source:
        with pytest.raises(MadangError, match="null"):
            grade(TASK, source.encode())
        return
    found = grade(TASK, source.encode())
    assert found.score == 0, found
    assert time.monotonic() - begun < 20
    _tells_nothing(found)


def _tells_nothing(found: Grade) -> None:
    told = json.dumps(found.as_json())
    for secret in (*SECRETS, 4_242, 7_171):
        assert str(secret) not in told


def test_there_are_more_than_forty() -> None:
    assert len(ATTACKS) >= 40


def test_what_it_prints_of_a_hidden_case_is_not_shown() -> None:
    source = "print('hello')\ndef f(x):\n    print(x, flush=True)\n    raise type(f'E{x}', (Exception,), {})(x)"
    found = grade(TASK, source.encode())
    assert found.printed == "hello\n"
    _tells_nothing(found)


def test_two_hidden_cases_that_fail_differently_are_told_alike() -> None:
    first = grade(TASK, b"def f(x): return 1")
    second = grade(TASK, b"def f(x): raise KeyError(x)")
    assert [line.text for line in first.feedback] == [line.text for line in second.feedback]


def test_a_right_answer_scores_twice_the_same() -> None:
    right = b"def f(x): return {4242: 31337, 7171: 27183}[x]"
    first, second = grade(TASK, right), grade(TASK, right)
    assert first.score == second.score == 2
    assert first.feedback == second.feedback


def test_every_answer_has_a_box_that_nobody_used() -> None:
    pool = boxes.Pool("learner", 2)
    leave = b"import builtins, os\nopen('/tmp/left', 'w').write('x')\nbuiltins.left = 1\ndef f(x): return 5"
    look = b"import os, builtins\ndef f(x): return [os.path.exists('/tmp/left'), hasattr(builtins, 'left')]"
    task = Task("x", "code", TITLE, TITLE, (Case(expect=[False, False], args=(1,)),), entry="f")
    try:
        for _number in range(3):
            grade(task, leave, take=lambda program: pool.take())
            assert grade(task, look, take=lambda program: pool.take()).score == 1
    finally:
        pool.close()


def test_the_shelf_is_not_in_the_box() -> None:
    look = "import os\nfound = [p for p, d, f in os.walk('/') for n in f if n == 'task.toml']\n"
    task = Task("x", "code", TITLE, TITLE, (Case(expect=[]),), entry="found", seconds=60)
    found = grade(task, look.encode())
    assert found.score == 1, found
    assert list(boxes.SHELF.rglob("task.toml"))


SQL = {
    "a file": "SELECT content FROM read_text('/etc/passwd')",
    "a folder": "SELECT * FROM glob('/**')",
    "two statements": "SELECT 1; DROP TABLE t",
    "writes": "COPY t TO '/tmp/x.csv'",
    "attaches": "ATTACH '/tmp/x.db'",
    "installs": "INSTALL httpfs",
    "the environment": "SELECT getenv('PATH')",
    "the settings": "SET enable_external_access = true",
    "much": "SELECT * FROM range(100000000)",
    "endless": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    "a variable of the caller": "SELECT * FROM asked",
    "in words of the error": "SELECT error(a::VARCHAR) FROM t",
}


@pytest.mark.parametrize("name", SQL)
def test_no_query_scores(name: str) -> None:
    tables = {"t": {"columns": ["a BIGINT"], "rows": [[4_242]]}}
    task = Task("x", "sql", TITLE, TITLE, (Case(expect=[[31_337]], tables=tables, hidden=True),), seconds=3)
    found = grade(task, SQL[name].encode())
    assert found.score == 0
    _tells_nothing(found)


def test_a_course_does_not_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "task.toml").write_text("kind = 'text'")
    course = tmp_path / "course"
    course.mkdir()
    texts = "title.en='a'\ntitle.ko='a'\nsummary.en='a'\nsummary.ko='a'\nroles=['data-steward']\n"
    for lesson in ("[[lesson]]\nname='../secret'\ntasks=['x']", "[[lesson]]\nname='a'\ntasks=['../../secret']"):
        (course / "course.toml").write_text(texts + lesson)
        with pytest.raises(MadangError) as error:
            courses.read_course(course)
        assert error.value.code in ("course.toml", "course.path", "lesson.none")
    (course / "course.toml").write_text(texts + "[[lesson]]\nname='a'\ntasks=[]")
    (course / "a").mkdir()
    os.symlink("/etc/passwd", course / "a" / "lesson.en.md")
    with pytest.raises(MadangError) as error:
        courses.read_course(course)
    assert error.value.code == "course.path"
    with pytest.raises(MadangError):
        read_task(tmp_path / "nowhere")


def _notebook(*cells: tuple[str, dict[str, object]]) -> bytes:
    made = [
        {"cell_type": "code", "source": source, "metadata": {"nbgrader": about} if about else {}, "outputs": []}
        for source, about in cells
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


ANSWER = {"grade_id": "a", "grade": False, "solution": True, "locked": False}
TEST = {"grade_id": "t", "grade": True, "solution": False, "locked": False, "points": 2}
SOURCE = _notebook(
    ("def f(x):\n    return x * 2", ANSWER),
    ("expected = 31337 * 2\nassert f(31337) == expected\nassert str(type(f(3))) == \"<class 'int'>\"", TEST),
)
NOTEBOOKS = {
    "equals everything": "class E:\n    def __eq__(s, o): return True\ndef f(x): return E()",
    "str and type of its own": "def str(x): return \"<class 'int'>\"\ndef type(x): return int\ndef f(x): return 5",
    "the name that the test uses": "expected = None\ndef f(x): return expected",
    "stands on the test's list": "import builtins\nbuiltins.AssertionError = SystemExit\ndef f(x): return 5",
    "ends well": "import os\nos._exit(0)",
    "raises nothing": "def f(x): raise SystemExit(0)",
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_notebook_scores(name: str) -> None:
    changed = _notebook((NOTEBOOKS[name], ANSWER), ("pass", TEST))
    assert notebook_grader.grade(SOURCE, changed).score == 0


def test_outputs_that_are_kept_are_not_read_and_tests_are_the_teachers() -> None:
    given = json.loads(_notebook(("def f(x): return 2 * x", ANSWER), ("assert True", TEST)))
    given["cells"][1]["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "2.0"}}]
    assert notebook_grader.grade(SOURCE, json.dumps(given).encode()).score == 2
    assert notebooks.code_of(json.dumps(given)).count("assert") == 1


def test_cases_of_nbgrader() -> None:
    """Known answers that others made: what nbgrader itself gave these notebooks."""
    folder = shared_data("nbgrader")
    source = (folder / "course/source/ps1/problem1.ipynb").read_bytes()
    for student, score in (("bitdiddle", 1.5), ("hacker", 3.0)):
        answer = (folder / f"course/submitted/{student}/ps1/problem1.ipynb").read_bytes()
        found = notebook_grader.grade(source, answer)
        assert (found.score, found.largest_score) == (score, 6)
    source = (folder / "cases/autotest-hidden.ipynb").read_bytes()
    for name, score in (("changed-right", 1), ("changed-wrong", 0), ("unchanged", 0)):
        answer = (folder / f"cases/autotest-hidden-{name}.ipynb").read_bytes()
        assert notebook_grader.grade(source, answer).score == score
    source = (folder / "cases/submitted-unchanged.ipynb").read_bytes()
    for name, score in (("unchanged", 1), ("changed", 2), ("grade-cell-changed", 1), ("locked-cell-changed", 1)):
        assert notebook_grader.grade(source, (folder / f"cases/submitted-{name}.ipynb").read_bytes()).score == score


HOSTILE_COHORTS = {
    "SQL in a name": '{"ConceptSets": [], "PrimaryCriteria": {"CriteriaList": [{"Death": {"CodesetId": "0; DROP TABLE x"}}]}}',
    "a file": '{"ConceptSets": [{"id": 0, "name": "x", "expression": "read_text(\'/etc/passwd\')"}]}',
    "deep": "[" * 5_000,
    "a list": "[]",
    "a number": "3",
    "nothing in it": "{}",
    "the wrong kinds": '{"ConceptSets": 3, "PrimaryCriteria": []}',
    "an unknown table": '{"PrimaryCriteria": {"CriteriaList": [{"Passwd": {}}]}}',
}


@pytest.mark.parametrize("name", HOSTILE_COHORTS)
def test_no_cohort_definition_scores_by_tricks(name: str) -> None:
    tables = {"person": {"columns": ["person_id BIGINT"], "rows": [[31_337]]}}
    task = Task(
        "x", "cohort", TITLE, TITLE, (Case(expect=[[31_337, "2020-01-01"]], hidden=True),), rest={"tables": tables}
    )
    found, told = None, ""
    try:
        found = grade(task, HOSTILE_COHORTS[name].encode())
    except MadangError as error:
        told = error.message
    assert "31337" not in told
    if found is not None:
        assert found.score == 0
        _tells_nothing(found)


R_ATTACKS = {
    "equals everything": "f <- function(x) structure(5, class = 'e')\n`==.e` <- function(a, b) TRUE",
    "a false line": 'f <- function(x) { cat(\'["i","31337"]\\n\'); 5 }',
    "a false file": "f <- function(x) { writeLines('{\"value\": [\"b\", true]}', '/tmp/answer.json'); quit() }",
    "functions of R patched": "assignInNamespace('cat', function(...) NULL, 'base')\nf <- function(x) 5",
    "walks the stack": "f <- function(x) unlist(lapply(sys.frames(), function(e) unlist(mget(ls(e), envir = e))))",
    "reads the courses": "f <- function(x) list.files('/', 'task.toml', recursive = TRUE)",
    "reads the environment": "f <- function(x) Sys.getenv()",
    "a program": "f <- function(x) system('cat /etc/shadow; id', intern = TRUE)",
    "the network": "f <- function(x) readLines(url('http://127.0.0.1:{port}/'))",
    "the tag of the grader": "f <- function(x) { cat(commandArgs(TRUE)[1], '\\n', sep = ''); 5 }",
    "an endless loop": "f <- function(x) repeat {}",
    "memory": "f <- function(x) { a <- list(); repeat a[[length(a) + 1]] <- numeric(1e7) }",
    "endless output": "f <- function(x) repeat cat(strrep('x', 1e5))",
    "a deep answer": "f <- function(x) { a <- list(); for (i in 1:5000) a <- list(a); a }",
    "not a number": "f <- function(x) NaN",
    "missing": "f <- function(x) NA",
    "true for one": "f <- function(x) TRUE",
    "a text of the number": "f <- function(x) '31337'",
    "reads what it is asked": "f <- function(x) readLines('/tmp/asked.R')",
    "quits": "quit(status = 0)",
    "no R": "f <- function(x) {",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", R_ATTACKS)
def test_no_answer_in_r_scores(name: str, port: int) -> None:
    needs("R")
    found = grade(replace(TASK, kind="r"), R_ATTACKS[name].replace("{port}", str(port)).encode())
    assert found.score == 0, found
    _tells_nothing(found)


def test_right_answers_in_r() -> None:
    """Values of R and what they are here: vectors, lists, tables, what is missing, texts of other scripts, errors."""
    needs("R")
    table = {"age": [30, 40], "name": ["김", 'a"b\\']}
    cases = [
        Case(expect=[2, 4], args=("twice", [1, 2])),
        Case(expect=[2], args=("twice", [1])),
        Case(expect=2, args=("twice", 1)),
        Case(expect=35.0, args=("mean", table)),
        Case(expect=["김", 'a"b\\'], args=("names", table)),
        Case(expect={"a": [1], "b": "x"}, args=("made", 1)),
        Case(expect=[1.5, None, True], args=("mixed", 1)),
        Case(expect=None, args=("nothing", 1)),
        Case(raises="simpleError", args=("fails", 1)),
    ]
    source = """
f <- function(what, x) switch(what, twice = 2 * x, mean = mean(x$age), names = x$name, made = list(a = 1L, b = "x"),
  mixed = list(1.5, NA, TRUE), nothing = NULL, fails = stop("no"))
cat("printed\\n")
"""
    task = Task("x", "r", TITLE, TITLE, tuple(cases), entry="f")
    found = grade(task, source.encode())
    assert [line.text for line in found.feedback if not line.met] == []
    assert grade(task, source.replace("2 * x", "3 * x").encode()).score == 6
    value = Task("x", "r", TITLE, TITLE, (Case(expect="김"),), entry="answer")
    assert grade(value, 'answer <- "김"'.encode()).score == 1


RULES = {
    "a file": "SELECT 31337 AS measurement_id FROM read_text('/etc/passwd')",
    "two statements": "SELECT 1 AS measurement_id; DROP TABLE measurement",
    "writes": "COPY measurement TO '/tmp/x.csv'",
    "all numbers": "SELECT range AS measurement_id FROM range(10_001)",
    "endless": "WITH RECURSIVE r AS (SELECT 1 AS measurement_id UNION ALL SELECT measurement_id + 1 FROM r) SELECT * FROM r",
    "a key twice": "SELECT measurement_id FROM measurement UNION ALL SELECT measurement_id FROM measurement",
    "a text for a key": "SELECT '31337' AS measurement_id",
    "true for a key": "SELECT true AS measurement_id",
    "the wanted in a text of the engine": "SELECT error(measurement_id::VARCHAR) AS measurement_id FROM measurement",
    "two columns of the name": "SELECT 5 AS measurement_id, 31337 AS MEASUREMENT_ID",
    "a table of another name": "SELECT person_id AS measurement_id FROM person",
}


@pytest.mark.parametrize("name", RULES)
def test_no_rule_scores(name: str) -> None:
    tables = {"measurement": {"columns": ["measurement_id BIGINT"], "rows": [[4_242], [31_337]]}}
    case = Case(expect={"rows": [31_337], "of": 2}, tables=tables, hidden=True)
    answer = f"[[check]]\nid = 'x'\ntable = 'measurement'\nrule = 'x'\nrows = \"\"\"{RULES[name]}\"\"\"\n"
    found = grade(Task("x", "rule", TITLE, TITLE, (case,), seconds=3), answer.encode())
    assert found.score == 0
    _tells_nothing(found)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt&colon;alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:x)",
        "![a](http://evil.example/x.png)",
        "<javascript:alert(1)>",
        '[a](http://x "\'><script>alert(1)</script>")',
        "```html\n<script>alert(1)</script>\n```",
        "| a |\n|---|\n| <svg onload=alert(1)> |",
        '<style>*{}</style><iframe src="http://evil.example">',
    ],
)
def test_a_lesson_brings_no_script(text: str) -> None:
    import xml.etree.ElementTree as ElementTree

    from madang.services.training.reading import as_html

    page = ElementTree.fromstring(f"<main>{as_html(text)}</main>")
    names = {each.tag for each in page.iter()}
    assert names <= {"main", "p", "a", "pre", "code", "div", "table", "thead", "tbody", "tr", "th", "td"}
    for each in page.iter():
        assert not any(name.startswith("on") or name in ("style", "src") for name in each.attrib)
        assert each.get("href", "http:").partition(":")[0] in ("http", "https")
