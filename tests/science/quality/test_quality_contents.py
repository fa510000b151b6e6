"""Pictures of columns say what obvious counts would say, and nothing about too few people, not even by subtraction."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_quality_assess import version
from test_quality_profile import MINIMUM, TODAY, enough, values, whose

from madang.lake import Lake
from madang.science.omop.cdm import TABLES
from madang.science.quality.profile import Content, contents, profile

PERSON = "SELECT range AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth FROM range(40)"
NAMES = ("observation_id", "person_id", "value_as_string", "qualifier_concept_id", "days", "share", "ended")


class Made:
    """Observations by chance, few persons or many, each column with gaps or without."""

    def __init__(self, seed: int) -> None:
        chance = Random(seed)
        many = chance.choice([2, 6, 30])

        def column(*values: Any) -> Callable[[], Any]:
            some = [*values] if chance.random() < 0.5 else [*values, None]
            return lambda: chance.choice(some)

        text = column("yes", "yes", "yes", "no", chance.choice(["no", "a\u202e<b>", "rare" if seed % 2 else "no"]))
        concept, days = column(1, 1, 1, 2, 0), column(0, 1, 1, 2, 3, chance.choice([3, 4, 90]))
        share = column(-0.5, 0.3, 0.3, 0.1, *([float("nan")] if chance.random() < 0.3 else []), 1e9)
        ended = column(date(2019, 12, 31), date(2020, 1, 1), chance.choice([date(2020, 1, 1), date(2020, 3, 1)]))
        self.rows = [
            (number, chance.randint(1, many), text(), concept(), days(), share(), ended())
            for number in range(chance.choice([4, 20, 80]))
        ]

    def column(self, name: str) -> list[tuple[Any, Any]]:
        """(nothing, person, value) of each row, for `whose`."""
        place = NAMES.index(name)
        return [(None, row[1], row[place]) for row in self.rows]


def test_every_bar_is_right_and_none_is_about_too_few_people() -> None:
    drawn: set[str] = set()
    kept: set[str] = set()

    @settings(max_examples=max(12, settings().max_examples // 4))
    @example(1)
    @example(4)
    @example(7)
    @given(seed=st.integers(0, 2**32))
    def check(seed: int) -> None:
        made = Made(seed)
        with TemporaryDirectory() as folder:
            lake = Lake(Path(folder) / "lake", Path(folder) / "restricted")
            typed = "value_as_string::VARCHAR AS value_as_string, share::DOUBLE AS share, ended::DATE AS ended"
            select = f"SELECT * REPLACE ({typed}) FROM {values(made.rows)} t({', '.join(NAMES)})"
            found = contents(version(lake, "d", person=PERSON, observation=select), minimum=MINIMUM, today=TODAY)
        for content in (each for each in found["observation"] if each.name in NAMES):
            check_column(content, made)
            (drawn if content.bars else kept).add(content.name)

    check()
    assert drawn == {*NAMES[2:]}
    assert kept == {*NAMES}


def check_column(content: Content, made: Made) -> None:
    rows = made.column(content.name)
    nothing = (None, 0) if content.name == "qualifier_concept_id" else (None,)
    empty = [row for row in rows if row[2] in nothing]
    filled = [row for row in rows if row not in empty]
    if content.filled is not None:
        assert (content.filled, content.empty) == (len(filled), len(empty))
        assert enough(whose(empty)) and enough(whose(filled))
    if not content.bars:
        assert content.why
        return
    left = rows if content.empty is None else filled
    for bar in content.bars:
        mine = [row for row in rows if belongs(row[2], bar.value, content.kind)]
        assert bar.records == len(mine) and enough(whose(mine)), bar
        left = [row for row in left if row not in mine]
    assert enough(whose(left))
    if content.kind == "time":
        assert not left and all(one.value < other.value for one, other in pairwise(content.bars))
    if content.kind == "scale":
        assert all(row[2] is None or row[2] != row[2] for row in left)


def belongs(value: Any, told: str, kind: str) -> bool:
    """Whether a value is among those that a bar is told to be of."""
    if value is None or value != value:
        return False
    if kind == "list":
        return str(value) == told
    if kind == "time":
        start, _to, end = told.partition("–")
        return start <= f"{value:%Y-%m}" <= (end or start)
    low, to, high = told.partition("–")
    if told[0] in "<≥":
        return value < float(told[1:]) if told[0] == "<" else value >= float(told[1:])
    if not to:
        return value == float(told)
    if not low:
        return True
    return float(low) <= value <= float(high) if isinstance(value, int) else float(low) <= value < float(high)


def test_what_the_profile_tells_in_more_detail_and_what_tells_it_again_has_no_picture_of_its_own(lake: Lake) -> None:
    observation = """SELECT range AS observation_id, range AS person_id, DATE '2020-01-01' AS observation_date,
        TIMESTAMP '2020-01-01 09:00:00' AS observation_datetime, 'A' AS observation_source_value,
        'x' AS odd_name, true AS told, NULL::INTEGER AS unfilled FROM range(40)"""
    note = "SELECT range AS note_id, range AS person_id, 'the same for all' AS note_text FROM range(40)"
    site = "SELECT 1 AS care_site_id, 'Ours' AS care_site_name"
    made = version(lake, "d", person=PERSON, observation=observation, note=note, care_site=site)
    wanted = {
        "person.person_id": "key",
        "person.gender_concept_id": "profile",
        "person.year_of_birth": "profile",
        "observation.observation_id": "key",
        "observation.person_id": "key",
        "observation.observation_date": "time",
        "observation.observation_datetime": "again",
        "observation.observation_source_value": "again",
        "observation.odd_name": "list",
        "observation.told": "other",
        "observation.unfilled": "empty",
        "note.note_id": "key",
        "note.person_id": "key",
        "note.note_text": "text",
        "care_site.care_site_id": "few",
        "care_site.care_site_name": "few",
    }
    why = {f"{table}.{each.name}": each.why or each.kind for table, all_ in contents(made).items() for each in all_}
    assert {name: why[name] for name in wanted} == wanted
    opened = {f"{table}.{each.name}": each.kind for table, all_ in contents(made, minimum=1).items() for each in all_}
    for text in ("note.note_text", "care_site.care_site_name", "observation.observation_source_value"):
        assert opened[text] == "list"
    assert opened["person.year_of_birth"] == "scale" and opened["observation.observation_datetime"] == "time"


def test_concepts_are_listed_as_the_profile_lists_them(lake: Lake) -> None:
    measured = """SELECT range AS measurement_id, range % 40 AS person_id,
        CASE WHEN range < 3 THEN 7 WHEN range < 30 THEN 0 ELSE 1 + range % 2 END AS measurement_concept_id
        FROM range(120)"""
    made = version(lake, "d", person=PERSON, measurement=measured)
    measurement = next(each for each in profile(made, today=TODAY).tables if each.table == "measurement")
    column = next(each for each in contents(made)["measurement"] if each.name == "measurement_concept_id")
    assert [(int(bar.value), bar.records) for bar in column.bars] == [
        (each.concept_id, each.records) for each in measurement.concepts
    ]
    assert column.empty == measurement.unmapped


def test_numbers_at_the_ends_of_what_a_computer_can_hold_have_bars(lake: Lake) -> None:
    for low, high in ((-1.7e308, 1.7e308), (5e-324, 5e-324), (1e15, 1e15 + 1), (-7.0, -7.0), (0.0, 0.0)):
        number = f"CASE WHEN range % 2 = 0 THEN {low!r}::DOUBLE ELSE {high!r}::DOUBLE END"
        shown = f"SELECT range AS person_id, {number} AS x FROM range(40)"
        found = contents(version(lake, "d", person=PERSON, observation=shown))["observation"]
        assert sum(bar.records for bar in found[-1].bars) == 40, (low, high, found[-1])


def test_a_table_of_very_many_columns_is_asked_in_parts(lake: Lake) -> None:
    wide = "SELECT range AS person_id, " + ", ".join(f"{n} AS c{n}" for n in range(450)) + " FROM range(9)"
    found = contents(version(lake, "d", person=PERSON, observation=wide))["observation"]
    assert {each.name: each.bars[0].records for each in found if each.bars} == {f"c{n}": 9 for n in range(450)}
    assert len(found) == 450 + len(TABLES["observation"].fields)
