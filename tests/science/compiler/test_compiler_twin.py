"""Generated SELECTs over generated rows: the compiled SQL says of every row what a plain loop says of it."""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pack_kit import write_pack

import support
from madang.lake.engine import Engine
from madang.science.standardize.compile import Select, compile_pack
from madang.science.standardize.pack import load_pack

TOML = """\
name = "clinic"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Generated"
[sources.line]
files = ["line.csv"]
[sources.line.columns]
P = { type = "text" }
N = { type = "integer" }
L = { type = "text" }
[sources.ref]
files = ["ref.csv"]
key = ["R", "M"]
[sources.ref.columns]
R = { type = "text" }
M = { type = "integer" }
X = { type = "integer" }
[entities.box]
table = "care_site"
[events.fact]
domain = "Condition"
type_concept_id = 32817
vocabulary = "KCD7"
items = 9
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """A condition as SQL and as a function that gives True, False or None."""

    sql: str
    holds: Callable[[Row], bool | None]


def _compare(a: Any, b: Any) -> bool | None:
    return None if a is None or b is None else a > b


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


PLAIN = [
    Condition("line.N > 1", lambda row: _compare(row["N"], 1)),
    Condition("line.P is null", lambda row: row["P"] is None),
    Condition("ref.X is null", lambda row: row["X"] is None),
    Condition("line.N > ref.X", lambda row: _compare(row["N"], row["X"])),
    Condition("null", lambda row: None),
]
CONDITIONS = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        inner.map(lambda c: Condition(f"not ({c.sql})", lambda row: _not(c.holds(row)))),
        st.tuples(inner, inner).map(
            lambda two: Condition(
                f"({two[0].sql} and {two[1].sql})", lambda row: _and(two[0].holds(row), two[1].holds(row))
            )
        ),
        st.tuples(inner, inner).map(
            lambda two: Condition(
                f"({two[0].sql} or {two[1].sql})",
                lambda row: _not(_and(_not(two[0].holds(row)), _not(two[1].holds(row)))),
            )
        ),
    ),
    max_leaves=4,
)
RULES = st.lists(st.tuples(st.sampled_from(["reject_when", "unused_when"]), CONDITIONS), max_size=3)
NUMBERS = st.sampled_from([None, 0, 1, 2])
TEXTS = st.sampled_from([None, "a", "b"])
LINES = st.lists(
    st.fixed_dictionaries({"P": TEXTS, "N": NUMBERS, "L": st.sampled_from([None, "x", "x,y", "x,y,z"])}), max_size=8
)
REFS = st.lists(
    st.fixed_dictionaries({"R": TEXTS, "M": NUMBERS, "X": NUMBERS}),
    max_size=6,
    unique_by=lambda row: (row["R"], row["M"]) if None not in (row["R"], row["M"]) else object(),
)


@dataclass(frozen=True)
class Shape:
    """How the generated SELECT is written; none of it changes which rows come out."""

    cte: bool
    narrowed: bool
    keyed_backwards: bool
    renamed: bool

    def source(self) -> str:
        """The CTEs and FROM."""
        key = "line.P = ref.R and ref.M = line.N" if self.keyed_backwards else "ref.M = line.N and ref.R = line.P"
        more = " and ref.X > 0" if self.narrowed else ""
        name = "b as line" if self.renamed and self.cte else "b line" if self.cte else "line"
        return f"from {name} left join ref on {key}{more}"

    def ctes(self) -> str:
        """What stands before SELECT."""
        return "with b as (select *, N + 1 as more from line) " if self.cte else ""


SHAPES = st.builds(Shape, st.booleans(), st.booleans(), st.booleans(), st.booleans())


def joined(lines: Sequence[Row], refs: Sequence[Row], narrowed: bool) -> list[Row]:
    """The left join, row by row."""
    rows = []
    for number, line in enumerate(lines):
        partners = [
            ref for ref in refs
            if None not in (line["P"], line["N"]) and (ref["R"], ref["M"]) == (line["P"], line["N"])
            and (not narrowed or (ref["X"] is not None and ref["X"] > 0))
        ]  # fmt: skip
        rows.append({**line, "X": partners[0]["X"] if partners else None, "_row": number})
    return rows


def first_rule(rules: Sequence[tuple[str, Condition]], row: Row) -> int | None:
    """The number of the first rule that holds; null counts as false."""
    return next((i for i, (_, condition) in enumerate(rules) if condition.holds(row)), None)


def calls(rules: Sequence[tuple[str, Condition]]) -> str:
    return "".join(f"{kind}({condition.sql}, 'rule {i}'), " for i, (kind, condition) in enumerate(rules))


def program(engine: Engine, event: str, entity: str) -> tuple[Select, Select]:
    with tempfile.TemporaryDirectory() as folder:
        pack = load_pack(write_pack(Path(folder), TOML, {"entities/box.sql": entity, "events/fact.sql": event}))
        made = compile_pack(pack, engine)
    return made.events[0], made.entities[0]


def fill(engine: Engine, lines: Sequence[Row], refs: Sequence[Row]) -> None:
    """The source tables as the runner makes them."""
    engine.execute("CREATE TABLE line (P VARCHAR, N BIGINT, L VARCHAR, _row BIGINT)")
    engine.execute("CREATE TABLE ref (R VARCHAR, M BIGINT, X BIGINT, _row BIGINT)")
    for number, row in enumerate(lines):
        engine.execute("INSERT INTO line VALUES (?, ?, ?, ?)", [row["P"], row["N"], row["L"], number])
    for number, row in enumerate(refs):
        engine.execute("INSERT INTO ref VALUES (?, ?, ?, ?)", [row["R"], row["M"], row["X"], number])


EVENT = "1 as person_id, date '2020-01-01' as start_date, ref.X as value_number, "
BOX = "select P as care_site_source_value, line.N as number, 0 as place_of_service_concept_id, "


def test_every_row_comes_out_with_the_rule_that_a_loop_finds() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=settings().max_examples + 10)
    @given(lines=LINES, refs=REFS, rules=RULES, shape=SHAPES, unnests=st.booleans())
    def check(lines: list[Row], refs: list[Row], rules: Any, shape: Shape, unnests: bool) -> None:
        listed = "unnest(string_split(L, ',')) as code, unnest(range(len(string_split(L, ',')))) as item"
        event = f"{shape.ctes()}select {calls(rules)}{EVENT}{listed if unnests else 'L as code'} {shape.source()}"
        box = f"{shape.ctes()}{BOX}{calls(rules)}count(*) as n, max(ref.X) as most {shape.source()} group by all"
        with Engine() as engine:
            select, entity = program(engine, event, box)
            fill(engine, lines, refs)
            rows = joined(lines, refs, shape.narrowed)
            check_rows(engine, select, rows, rules, unnests)
            check_groups(engine, entity, rows, rules)
        seen.update(["cte"] * shape.cte + ["narrowed"] * shape.narrowed + ["unnest"] * unnests)
        for row in rows:
            number = first_rule(rules, row)
            seen.update(["used" if number is None else rules[number][0]])
            seen.update(["null"] * any(c.holds(row) is None for _, c in rules) + ["partner"] * (row["X"] is not None))
            seen.update(["empty list"] * (unnests and row["L"] is None))

    def check_rows(engine: Engine, select: Select, rows: list[Row], rules: Any, unnests: bool) -> None:
        expected: Counter[Any] = Counter()
        for row in rows:
            codes = (row["L"] or "").split(",") if row["L"] else [None]
            for item, code in enumerate(codes if unnests else [row["L"]]):
                expected[row["_row"], first_rule(rules, row), row["X"], code, item if unnests else None] += 1
        item = "item" if unnests else "NULL"
        found = engine.rows(f"SELECT _row, _rule, value_number, code, {item} FROM ({select.rows_sql})")
        assert Counter(found) == expected
        assert engine.describe(select.rows_sql)[:-2] == list(select.columns)
        assert [(rule.kind + "_when") for rule in select.rules] == [kind for kind, _ in rules]
        assert select.source_columns == {"P", "N", "L"}

    def check_groups(engine: Engine, entity: Select, rows: list[Row], rules: Any) -> None:
        groups: dict[tuple[Any, Any], list[Row]] = {}
        for row in rows:
            if first_rule(rules, row) is None:
                groups.setdefault((row["P"], row["N"]), []).append(row)
        found = engine.rows(f"SELECT care_site_source_value, number, n, most, _row FROM ({entity.groups_sql})")
        assert Counter(found) == Counter(
            (*key, len(members), max((m["X"] for m in members if m["X"] is not None), default=None), members[0]["_row"])
            for key, members in groups.items()
        )
        assert entity.group_columns == ("care_site_source_value", "number")
        members = engine.rows(f"SELECT _row, _g0, _g1, _rule FROM ({entity.members_sql})")
        assert Counter(members) == Counter((row["_row"], row["P"], row["N"], first_rule(rules, row)) for row in rows)
        assert engine.describe(entity.groups_sql)[:-1] == list(entity.columns)

    check()
    every = {"cte", "narrowed", "unnest", "used", "reject_when", "unused_when", "null", "partner", "empty list"}
    if support.EVERYTHING:  # few examples show only a part
        assert every <= seen.keys()
