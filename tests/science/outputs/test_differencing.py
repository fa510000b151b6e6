"""What several released tables tell together: against an oracle, against known answers, and under attack."""

import dataclasses
import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from outputs_twin import ranges

from madang.base.errors import MadangError
from madang.science.privacy.outputs.check import check
from madang.science.privacy.outputs.propose import propose
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.tables import CountTable, table_of
from support import shared_data

RULES = Rules()
People = list[dict[str, str]]


def table(people: People, attributes: list[str], threshold: int = 10, **more: Any) -> CountTable:
    """A table of counts in which small ones are hidden, and empty combinations of values are listed."""
    counts = Counter(tuple(person[name] for name in attributes) for person in people)
    values = [sorted({person[name] for person in people}) for name in attributes]
    cells = [
        [list(key), counts[key] if not 0 < counts[key] < threshold else None] for key in itertools.product(*values)
    ]
    return table_of({"attributes": attributes, "cells": cells, **more}, "x".join(attributes), threshold)


def some_people(seed: int = 1, size: int = 400) -> People:
    """Synthetic people."""
    pick = random.Random(seed)
    return [
        {
            "sex": pick.choice("FM"),
            "age": pick.choices(["20-39", "40-59", "60-79", "80+"], [30, 40, 25, 5])[0],
            "region": pick.choice(["north", "south", "west"]),
            "stage": pick.choices(["I", "II", "III", "IV"], [50, 30, 16, 4])[0],
        }
        for _ in range(size)
    ]


def codes(new: CountTable, *released: CountTable, interval: str = "protect") -> set[str]:
    return {reason.code for reason in check(new, released, RULES, interval).reasons}


# -- against the oracle -----------------------------------------------------------------------------------------------

small_tables = st.lists(
    st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=3).map(sorted), min_size=2, max_size=4
)


@given(
    st.lists(st.tuples(*[st.sampled_from("xyz")] * 2, *[st.sampled_from("xy")] * 2), min_size=3, max_size=14),
    small_tables,
)
def test_cells_that_become_certain_are_those_of_the_oracle(
    rows: list[tuple[str, ...]], attributes: list[list[str]]
) -> None:
    people = [{name: name + value for name, value in zip("abcd", row, strict=True)} for row in rows]
    tables = [table(people, names, threshold=4) for names in attributes]
    verdict = check(tables[-1], tables[:-1], Rules(minimum_count=4), "exact")
    assume(not any(reason.code == "renamed" for reason in verdict.reasons))  # equal by chance
    together = {cell for cell, (low, high) in ranges(tables).items() if low == high}
    before = {cell for cell, (low, high) in ranges(tables[:-1]).items() if low == high}
    assert {(cell.table, cell.cell) for cell in verdict.opens} == together - before
    assert verdict.released == (not together - before)


@given(
    st.lists(st.tuples(*[st.sampled_from("xyz")] * 2, *[st.sampled_from("xy")] * 2), min_size=8, max_size=40),
    small_tables,
)
def test_what_passes_leaves_enough_values(rows: list[tuple[str, ...]], attributes: list[list[str]]) -> None:
    rules = Rules(minimum_count=5)
    people = [dict(zip("abcd", row, strict=True)) for row in rows]
    left: list[CountTable] = []
    for names in attributes:
        new = table(people, names, threshold=5)
        if check(new, left, rules, "protect").released:
            left.append(new)
    for low, high in ranges(left).values():
        assert high - low >= 2


@given(st.lists(st.tuples(*[st.sampled_from("xyz")] * 2, st.sampled_from("xy")), min_size=12, max_size=40), st.data())
def test_a_proposed_form_passes_and_changes_no_count(rows: list[tuple[str, ...]], data: st.DataObject) -> None:
    rules = Rules(minimum_count=5)
    people = [dict(zip("abc", row, strict=True)) for row in rows]
    old, new = table(people, ["a", "b"], 5), table(people, data.draw(st.sampled_from([["a"], ["a", "c"]])), 5)
    if not check(old, [], rules).released or check(new, [old], rules).released:
        return
    for proposal in propose(new, [old], rules):
        assert check(proposal.table, [old], rules).released
        assert proposal.table.cells.keys() == new.cells.keys()
        if proposal.kind == "suppressed":
            shown = proposal.table.cells.keys() - proposal.table.hidden
            assert all(proposal.table.cells[key] == new.cells[key] for key in shown)


@pytest.mark.big
def test_a_thousand_sequences_leave_nothing_certain() -> None:
    opened = 0
    for seed in range(1000):
        pick = random.Random(seed)
        people = some_people(seed, pick.choice([60, 120, 300]))
        left: list[CountTable] = []
        for _ in range(4):
            new = table(people, pick.sample(["sex", "age", "region", "stage"], pick.choice([1, 2, 2, 3])))
            if check(new, left, RULES, "exact").released:
                left.append(new)
        opened += sum(low == high for low, high in ranges(left).values())
    assert opened == 0


# -- known answers ----------------------------------------------------------------------------------------------------


def test_the_known_sequences_are_refused_where_a_cell_opens() -> None:
    sequences = json.loads((shared_data("differencing") / "sequences.json").read_text())["sequences"]
    for sequence in sequences:
        tables = [table_of(each, str(i), 10) for i, each in enumerate(sequence["released"])]
        recovered = {(cell["table"], tuple(cell["cell"])): cell["true"] for cell in sequence["exactly_recovered"]}
        opened: dict[tuple[int, tuple[str, ...]], int] = {}
        for number, new in enumerate(tables):
            verdict = check(new, tables[:number], RULES, "exact")
            opened |= {(cell.table, cell.cell): cell.lower for cell in verdict.opens}
            assert verdict.released == (not verdict.opens)
        assert opened == recovered, sequence["id"]


# -- attacks ----------------------------------------------------------------------------------------------------------


def secret() -> tuple[People, CountTable, CountTable]:
    """People, and two tables: the second opens a cell of the first."""
    people = some_people()
    people = [p for p in people if not (p["age"] == "80+" and p["stage"] == "IV")]
    people += [{"sex": "F", "age": "80+", "region": "west", "stage": "IV"}] * 4
    people += [{"sex": "F", "age": "80+", "region": "west", "stage": "I"}] * 12
    people += [{"sex": "M", "age": "80+", "region": "west", "stage": s} for s in ["II", "III"] * 12]
    return people, table(people, ["age", "stage"]), table(people, ["age"])


def test_totals_that_give_a_cell() -> None:
    _people, first, second = secret()
    assert codes(first) == set()
    assert codes(second, first) == {"derivable"}


def test_a_renamed_attribute_is_the_same_attribute() -> None:
    people, first, _second = secret()
    renamed = table([{"AGEGRP": person["age"]} for person in people], ["AGEGRP"])
    assert "renamed" in codes(renamed, first)


def test_recoded_values_are_the_same_values() -> None:
    sizes = {
        ("20-39", "F"): 50,
        ("20-39", "M"): 43,
        ("60-79", "F"): 30,
        ("60-79", "M"): 5,
        ("80+", "F"): 4,
        ("80+", "M"): 21,
    }
    people = [{"age": age, "sex": sex} for (age, sex), size in sizes.items() for _ in range(size)]
    recoded = {"20-39": "1", "60-79": "2", "80+": "3"}
    shown = table([{"g": recoded[person["age"]]} for person in people], ["g"])
    assert "renamed" in codes(shown, table(people, ["age", "sex"]))


def test_another_attribute_with_the_same_values_is_another_attribute() -> None:
    people = [
        {**p, "diabetes": "yes" if i % 3 else "no", "smoker": "yes" if i % 5 else "no"}
        for i, p in enumerate(some_people())
    ]
    assert codes(table(people, ["diabetes"]), table(people, ["smoker", "sex"])) == set()


def test_a_transposed_table_is_the_same_table() -> None:
    _people, first, second = secret()
    turned = table_of(
        {
            "attributes": ["stage", "age"],
            "cells": [[list(reversed(k)), None if k in first.hidden else c[0]] for k, c in first.cells.items()],
        },
        "turned",
        10,
    )
    assert codes(turned, first) == set()
    assert codes(second, turned) == {"derivable"}


def test_a_table_split_over_two_files_tells_what_it_told_in_one() -> None:
    people = [p for p in some_people() if p["stage"] != "IV"]
    people += [{"sex": "F", "age": "80+", "region": "west", "stage": "IV"}] * 4
    first, second = table(people, ["stage"]), table(people, ["age"])
    halves = [
        table_of({"attributes": ["age"], "cells": [[list(k), c[0]] for k, c in part]}, "half", 10)
        for part in (list(second.cells.items())[:2], list(second.cells.items())[2:])
    ]
    assert codes(second, first) == {"derivable"}
    assert codes(halves[0], first) == set()
    assert codes(halves[1], first, halves[0]) == {"derivable"}


@pytest.mark.parametrize("change", ["removed", "doubled", "moved"])
def test_a_person_more_or_less_is_another_population(change: str) -> None:
    people = some_people()
    first = table(people, ["age", "sex"])
    if change == "removed":
        people = people[1:]
    elif change == "doubled":
        people = [*people, people[0]]
    else:
        other = "20-39" if people[0]["age"] != "20-39" else "40-59"
        people = [{**people[0], "age": other}, *people[1:]]
    assert "difference" in codes(table(people, ["age"]), first)
    named = table(people, ["age"], population="with stage known")
    assert "difference" in codes(named, first)


def test_a_population_without_a_small_group_shows_that_group() -> None:
    people, _first, _second = secret()
    everybody = table(people, ["sex"])
    without = [p for p in people if not (p["age"] == "80+" and p["stage"] == "IV")]
    stages = sorted({p["stage"] for p in people} - {"IV"})
    assert "difference" in codes(
        table(without, ["sex"], where={"stage": stages, "age": "80+"}, population=""), everybody
    ) or ("difference" in codes(table(without, ["sex"], population="without the others"), everybody))


def test_words_about_the_people_are_not_believed_where_the_counts_fit() -> None:
    people, first, _second = secret()
    assert codes(table(people, ["age"], population="other people"), first) == {"derivable"}
    assert codes(table(people, ["age"], where={"consented": "yes"}), first) == {"derivable"}
    others = [p for p in people if p["region"] == "south"]
    assert codes(table(others, ["sex"], where={"region": "south"}), first) == set(), "other people are other people"
    assert codes(table(some_people(9, 900), ["age", "sex"], population="another hospital"), first) == set()


@pytest.mark.parametrize("more", [{"rounding": 50}, {"percent_of": 439, "digits": 0}])
def test_exact_counts_are_not_taken_for_rounded_ones(more: dict[str, Any]) -> None:
    cells = [[["F"], 40.25 if "digits" in more else 37]]
    with pytest.raises(MadangError):
        table_of({"attributes": ["sex"], "cells": cells, **more}, "t", 10)


def test_a_condition_is_one_more_attribute() -> None:
    people, first, _second = secret()
    old = [p for p in people if p["age"] == "80+"]
    assert codes(table(old, ["sex"], where={"age": "80+"}), first) == {"derivable"}


def test_rounding_twice_narrows_what_rounding_hid() -> None:
    people, _first, _second = secret()

    def rounded(base: int) -> CountTable:
        counts = Counter(p["stage"] for p in people if p["age"] == "80+")
        cells = [[[s], base * round(n / base)] for s, n in sorted(counts.items())]
        return table_of(
            {"attributes": ["stage"], "cells": cells, "rounding": base, "where": {"age": "80+"}}, str(base), 10
        )

    assert codes(rounded(5)) == set()
    assert "derivable" in codes(rounded(3), rounded(5)) or "derivable" in codes(rounded(7), rounded(5), rounded(3))


def test_that_nobody_is_there_may_be_known_where_the_rules_say_so() -> None:
    """A rounded 0 that an earlier table showed as a 0 opens nothing; one that may be 1 or 2 does, once it is known."""
    shown = [["a"], 40], [["b"], 20], [["c"], 0]
    rounded = {"attributes": ["x"], "rounding": 5, "cells": [[["a"], 40], [["b"], 20], [["c"], 0]]}
    old = table_of({"attributes": ["x", "y"], "cells": [[[*key, "1"], n] for key, n in shown]}, "old", 10)
    assert check(table_of(rounded, "new", 10), [old], RULES, "exact").released
    strict = dataclasses.replace(RULES, zeros="disclosive")
    assert not check(table_of(rounded, "new", 10), [old], strict, "exact").released


def test_percentages_of_a_known_base_are_counts() -> None:
    people, first, second = secret()
    size = len(people)
    cells = [[list(key), round(100 * count / size, 2)] for key, (count, _) in second.cells.items()]
    percent = table_of({"attributes": ["age"], "cells": cells, "percent_of": size, "digits": 2}, "percent", 10)
    assert codes(percent, first) == {"derivable"}


def test_a_coarser_attribute_with_its_groups() -> None:
    people, first, _second = secret()
    groups = {"young": ["20-39", "40-59"], "old": ["60-79"], "oldest": ["80+"]}
    named = {age: name for name, ages in groups.items() for age in ages}
    coarse = table(
        [{"band": named[p["age"]]} for p in people], ["band"], hierarchies={"band": {"base": "age", "groups": groups}}
    )
    assert codes(coarse, first) == {"derivable"}


def test_stated_totals_open_the_only_hidden_cell_of_a_line() -> None:
    cells = [[["F"], 40], [["M"], None], [["Total"], 47]]
    assert codes(table_of({"attributes": ["sex"], "cells": cells}, "t", 10)) == {"derivable"}


def test_a_total_that_is_none_is_refused() -> None:
    with pytest.raises(MadangError):
        table_of({"attributes": ["sex"], "cells": [[["F"], 40], [["M"], None]], "total": "F"}, "t", 10)


def test_small_counts_that_are_shown() -> None:
    assert codes(table_of({"attributes": ["sex"], "cells": [[["F"], 4], [["M"], 50]]}, "t", 10)) == {"minimum_count"}


def test_empty_cells_are_judged_by_the_rules() -> None:
    new = table_of({"attributes": ["sex"], "cells": [[["F"], 0], [["M"], 50]]}, "t", 10)
    assert check(new, [], RULES).released
    assert {r.code for r in check(new, [], Rules(zeros="disclosive")).reasons} == {"zeros"}


def test_the_sentences_for_the_applicant_name_no_cell() -> None:
    _people, first, second = secret()
    verdict = check(second, [first], RULES)
    assert verdict.opens and not any("IV" in reason.sentence for reason in verdict.reasons)
