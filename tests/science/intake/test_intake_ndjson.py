"""NDJSON: one object per line, columns by path."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.standardize.intake import Block, read_blocks, register
from madang.science.standardize.intake.ndjson import as_text, getter, walker
from madang.science.standardize.intake.references import as_text as reference
from madang.science.standardize.pack import Column, Source


def read(folder: Path, data: bytes, *columns: Column) -> list[Block]:
    path = folder / "r.ndjson"
    path.write_bytes(data)
    spec = Source(name="r", files=("r.ndjson",), columns={c.name: c for c in columns}, format="ndjson")
    return list(read_blocks(path, register(path, spec), spec))


def test_paths_types_and_broken_lines(tmp_path: Path) -> None:
    good = {"id": "a", "code": {"coding": [{"code": "1"}, {"code": "2"}]}, "n": 1.5, "ok": True, "on": "2020-01-31"}
    lines = [json.dumps(good), '{"id": "b"', "", "[1]", json.dumps({"id": "c", "n": "x", "code": {"coding": []}}), "{}"]
    blocks = read(
        tmp_path,
        "\r\n".join([*lines, ""]).encode(),
        Column("id", "text", required=True),
        Column("first", "text", path="code.coding[0].code"),
        Column("all", "text", path="code.coding[*].code"),
        Column("coding", "text", path="code.coding[0]"),
        Column("n", "number"),
        Column("ok", "text"),
        Column("day", "date", path="on"),
    )
    (block,) = blocks
    first, second = block.table.to_pylist()
    assert {name: str(value) for name, value in first.items()} == {
        "_line": "1", "id": "a", "first": "1", "all": '["1","2"]', "coding": '{"code":"1"}', "n": "1.5", "ok": "true",
        "day": "2020-01-31",
    }  # fmt: skip
    assert second == {
        "_line": 5,
        "id": "c",
        "first": None,
        "all": None,
        "coding": None,
        "n": None,
        "ok": None,
        "day": None,
    }
    assert block.rejects == [
        (2, "the line is no JSON object"),
        (3, "the line is empty"),
        (4, "the line is no JSON object"),
        (6, "id is empty"),
    ]
    assert block.repairs == [(5, "n")]


def test_an_empty_export_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, b"", Column("id", "text")) == []


@pytest.mark.parametrize("path", ["a[", "a[x]", "a..b", "a[-1]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(MadangError):
        getter(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
STEPS = st.lists(st.sampled_from(["a", "b", 0, 1, "*"]), min_size=1, max_size=4).filter(lambda steps: steps[0] == "a")


def slow(value: object, steps: list) -> object:
    """What lies at a path, one step at a time."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step == "*":
        found = [slow(item, rest) for item in value] if isinstance(value, list) else []
        return [one for one in found if one is not None] or None
    if isinstance(step, int):
        return slow(value[step], rest) if isinstance(value, list) and step < len(value) else None
    return slow(value[step], rest) if isinstance(value, dict) and step in value else None


@settings(max_examples=300, deadline=None)
@given(JSON, STEPS)
def test_a_path_gives_what_its_steps_give_one_by_one(value: object, steps: list) -> None:
    path = "".join(f".{step}" if step in ("a", "b") else f"[{step}]" for step in steps).removeprefix(".")
    found = getter(path)({"a": value})
    assert found == slow({"a": value}, steps)
    assert as_text(found) is None or isinstance(as_text(found), str)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from("ab"), JSON, max_size=2), st.lists(st.tuples(STEPS, st.booleans()), max_size=6))
def test_the_walk_of_a_source_gives_what_each_path_gives_alone(document: dict, paths: list) -> None:
    wanted = tuple(dict.fromkeys((written(steps), is_reference) for steps, is_reference in paths))
    found: list[list[str | None]] = [[] for _ in wanted]
    walker(wanted)(document, *(column.append for column in found))
    for (path, is_reference), values in zip(wanted, found, strict=True):
        value = getter(path)(document)
        read = value if value is None or isinstance(value, str) else (reference if is_reference else as_text)(value)
        assert values == [read]


def written(steps: list) -> str:
    return "".join(f"[{step}]" if step == "*" or isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def test_of_two_paths_what_is_there_first_counts() -> None:
    found: list[list[str | None]] = [[], []]
    walk = walker((("a.b|c[0]|d", False), ("d", False)))
    for document in ({"a": {"b": 1}, "c": [2]}, {"a": {}, "c": [2], "d": 3}, {"c": [], "d": False}, {}):
        walk(document, *(column.append for column in found))
        assert as_text(getter("a.b|c[0]|d")(document)) == found[0][-1]
    assert found == [["1", "2", "false", None], [None, "3", "false", None]]
    with pytest.raises(MadangError, match="is no path"):
        getter("a|")
