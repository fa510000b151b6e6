"""`madang outputs` as a person runs it: names, options, keys and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from madang.app import cli

FIRST = {
    "attributes": ["age", "stage"],
    "cells": [[["young", "I"], 40], [["young", "II"], 25], [["old", "I"], 30], [["old", "II"], None]],
}
SECOND = {"attributes": ["age"], "cells": [[["young"], 65], [["old"], 37]]}
THIRD = {"attributes": ["sex"], "cells": [[["F"], 50], [["M"], None]]}
SUMS = {
    "cells": [5, 20, 30, 55, 15, 25, 35, 75, 20, 45, 65, 130],
    "equations": [
        *([[0, 1, 2], 3], [[4, 5, 6], 7], [[8, 9, 10], 11]),
        *([[0, 4], 8], [[1, 5], 9], [[2, 6], 10], [[3, 7], 11]),
    ],
    "primary": [0],
    "lower_protection": [2],
    "upper_protection": [3],
    "attacker_lower": 0,
    "attacker_upper": 140,
    "cost": [5, 20, 30, 55, 15, 25, 35, 75, 20, 45, 65, 130],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    for name, document in {"a": FIRST, "b": SECOND, "c": THIRD, "sums": SUMS}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return tmp_path


def run(files: Path, *words: str) -> tuple[int, Any]:
    """Exit code, and the JSON that was written; words that end in .json are files."""
    out = files / "out.json"
    out.unlink(missing_ok=True)
    given = [str(files / word) if word.endswith(".json") else word for word in words]
    code = cli.run(["outputs", *given, "--json", str(out)])
    return code, json.loads(out.read_text()) if out.exists() else None


@pytest.mark.parametrize("interval", ["exact", "protect"])
def test_check_refuses_the_table_that_opens_a_cell(files: Path, interval: str) -> None:
    code, answer = run(files, "check", "b.json", "--released", "c.json", "a.json", "--interval", interval)
    assert code == 1 and answer["verdict"] == "refused" and not answer["released"]
    assert [(cell["table"], cell["cell"], cell["value"]) for cell in answer["opens"]] == [(1, ["old", "II"], 7)]
    kinds = {proposal["kind"]: proposal["table"] for proposal in answer["proposals"]}
    for table in kinds.values():
        (files / "again.json").write_text(json.dumps(table))
        assert run(files, "check", "again.json", "--released", "c.json", "a.json", "--interval", interval)[0] == 0


def test_check_lets_the_others_leave(files: Path) -> None:
    assert run(files, "check", "a.json")[0] == 0
    code, answer = run(files, "check", "a.json", "--released", "c.json")
    assert code == 0 and answer["verdict"] == "released" and answer["opens"] == []


def test_files_may_stand_before_the_json_or_be_given_one_by_one(files: Path) -> None:
    out = str(files / "x.json")
    words = [
        str(files / "b.json"),
        "--json",
        out,
        "--released",
        str(files / "c.json"),
        "--released",
        str(files / "a.json"),
    ]
    assert cli.run(["outputs", "check", *words]) == 1
    assert json.loads(Path(out).read_text())["opens"][0]["table"] == 1


def test_protect_gives_the_cheapest_pattern(files: Path) -> None:
    code, answer = run(files, "protect", "sums.json")
    assert code == 0 and answer["optimal"] and answer["safe"]
    assert answer["suppressed"] == [0, 1, 4, 5] and answer["cost"] == 65


def test_protect_hides_cells_of_a_table_of_counts(files: Path) -> None:
    code, answer = run(files, "protect", "b.json", "--released", "a.json")
    assert code == 0 and answer["safe"] and len(answer["suppressed"]) == 1


def test_protect_says_where_nothing_helps(files: Path) -> None:
    (files / "alone.json").write_text(
        json.dumps({"cells": [5, 5], "equations": [[[0], 1]], "primary": [0], "attacker_upper": [5, 5]})
    )
    code, answer = run(files, "protect", "alone.json")
    assert code == 1 and answer["unprotected"] == [0] and not answer["safe"]


UGLY = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"3", b"[" * 100_000, b'{"a": 1, "a": 2}', b'{"attributes": ["a"]}'),
    *(b'{"attributes": ["a"], "cells": []}', b'{"attributes": ["a", "a"], "cells": [[["x", "y"], 1]]}'),
    *(b'{"attributes": ["a"], "cells": [[["x"], -3]]}', b'{"attributes": ["a"], "cells": [[["x"], 1.5]]}'),
    *(b'{"attributes": ["a"], "cells": [[["x"], NaN]]}', b'{"attributes": ["a"], "cells": [[["x"], true]]}'),
    *(b'{"attributes": ["a"], "cells": [[["x"], "12"]]}', b'{"attributes": ["a"], "cells": [[["x", "y"], 12]]}'),
    *(b'{"attributes": ["a"], "cells": [[["x"], 12], [["x"], 13]]}', b'{"attributes": ["a"], "cells": [["x", 12]]}'),
    *(b'{"attributes": ["a"], "cells": [[["x"], 12]], "rounding": 0}', b'{"attributes": "a", "cells": 3}'),
    *(
        b'{"attributes": ["a"], "cells": [[["x"], 12]], "hierarchies": 3}',
        b'{"attributes": ["a"], "cells": [[[[]], 1]]}',
    ),
    *(
        b'{"attributes": ["a"], "cells": [[["x"], 1e400]]}',
        b'{"attributes": ["a"], "cells": [[["x"], 12]], "where": 1}',
    ),
]
UGLY_SUMS = [
    *(
        {},
        {"cells": []},
        {**SUMS, "primary": [99]},
        {**SUMS, "primary": "all"},
        {**SUMS, "cost": [1]},
        {**SUMS, "cost": -1},
    ),
    *({**SUMS, "cells": [1] * 12}, {**SUMS, "equations": [[[0, 0], 1]]}, {**SUMS, "equations": [[0, 1], 2]}),
    *(
        {**SUMS, "attacker_upper": 3},
        {**SUMS, "primary": [0, 0]},
        {**SUMS, "lower_protection": [None]},
        {"instances": [SUMS]},
    ),
]


@pytest.mark.parametrize("content", UGLY, ids=range(len(UGLY)))
def test_a_table_that_cannot_be_read_ends_with_2(
    files: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "ugly.json").write_bytes(content)
    for words in (("check", "ugly.json"), ("check", "a.json", "--released", "ugly.json"), ("protect", "ugly.json")):
        assert run(files, *words) == (2, None)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("document", UGLY_SUMS, ids=range(len(UGLY_SUMS)))
def test_sums_that_cannot_be_read_end_with_2(files: Path, document: dict[str, Any]) -> None:
    (files / "ugly.json").write_text(json.dumps(document))
    assert run(files, "protect", "ugly.json") == (2, None)


def test_what_is_not_there_ends_with_2(files: Path) -> None:
    assert run(files, "check", "none.json")[0] == 2
    assert run(files, "check", "a.json", "--rules", "none-3")[0] == 2
    assert cli.run(["outputs", "check", str(files / "a.json"), "--json", str(files / "no" / "out.json")]) == 2
    assert cli.run(["outputs", "check", str(files / "a.json"), "--interval", "none"]) == 2
