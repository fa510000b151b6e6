"""Measured numbers against slow twins; tables and hierarchies that cannot be used."""

import json
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from privacy_tables import classes, entropy_l, equal_distance, ordered_distance, problems

from madang.base.errors import MadangError
from madang.science.privacy import hierarchy as made
from madang.science.privacy.hierarchy import hierarchy, read_hierarchies
from madang.science.privacy.individual import Frequencies, frequencies, individual_risk
from madang.science.privacy.measure import assess
from madang.science.privacy.table import Coded, coded, read_csv


@given(problems())
@settings(max_examples=100, deadline=None)
def test_measures_equal_counting_by_hand(problem):
    table, trees = problem
    names = [tree.name for tree in trees]
    rows = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    secret = table.column("s").to_pylist()
    found = assess(table, names, ["s"])
    groups = [[secret[place] for place in places] for places in classes(rows).values()]
    assert found.k == min(map(len, groups))
    assert found.classes == len(groups)
    assert found.sample_uniqueness == sum(len(group) == 1 for group in groups) / len(rows)
    worst = found.sensitive[0]
    assert worst.distinct == min(len(set(group)) for group in groups)
    assert worst.entropy == pytest.approx(min(map(entropy_l, groups)))
    assert worst.equal_distance == pytest.approx(max(equal_distance(group, secret) for group in groups), abs=1e-12)
    assert worst.ordered_distance == pytest.approx(max(ordered_distance(group, secret) for group in groups), abs=1e-12)


@given(
    st.lists(
        st.tuples(*[st.sampled_from(["", "1", "2"])] * 3, st.sampled_from([1.0, 2.5, 7.0])), min_size=1, max_size=20
    )
)
@settings(max_examples=100, deadline=None)
def test_missing_values_match_all_as_by_hand(rows):
    columns = []
    for place in range(3):
        values = tuple(sorted({row[place] for row in rows}))
        columns.append(Coded(str(place), values, np.array([values.index(row[place]) for row in rows], dtype=np.int32)))
    found = frequencies(columns, np.array([row[3] for row in rows]), missing_matches=True)
    for place, row in enumerate(rows):
        like = [o for o in rows if all(not a or not b or a == b for a, b in zip(row[:3], o[:3], strict=True))]
        assert found.fk[place] == len(like)
        assert found.Fk[place] == pytest.approx(sum(other[3] for other in like))


@given(st.integers(1, 40), st.floats(1.0001, 1e6))
@settings(max_examples=200, deadline=None)
def test_individual_risk_is_the_expected_value(fk, factor):
    """E[1/F | f] with F - f negative binomial, summed term by term."""
    p = 1 / factor
    risk = individual_risk(Frequencies(np.array([fk]), np.array([fk * factor])))[0]
    if p > 0.01:
        total, term = 0.0, p**fk
        for more in range(20_000):
            total += term / (fk + more)
            term *= (fk + more) / (more + 1) * (1 - p)
        assert risk == pytest.approx(total, rel=1e-9)
    assert 0 < risk <= 1 / fk + 1e-12


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([["1", "low", "*"], ["2", "low"]], "columns"),
        ([["1", "low", "*"], ["2", "", "*"]], "nothing at level 1"),
        ([["1", "low", "*"], ["1", "high", "*"]], "second way"),
        ([["1", "low", "*"], ["2", "low", "all"]], "two parents"),
        ([["a", "b", "a2", "*"], ["b", "c", "a2", "*"], ["c", "a", "a2", "*"]], "cycle"),
        ([], "empty"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(lines, says):
    with pytest.raises(MadangError) as refused:
        hierarchy("x", lines)
    assert refused.value.code == "privacy.hierarchy" and says in refused.value.message


def test_hierarchies_are_made():
    assert made.numbers("age", ["7", "12", ""]).lines() == [
        ["", "unknown", "unknown", "unknown", "*"],
        ["12", "10-14", "10-19", "0-19", "*"],
        ["7", "5-9", "0-9", "0-19", "*"],
    ]
    assert made.dates("day", ["2012-03-31"]).lines() == [["2012-03-31", "2012-03", "2012 Q1", "2012", "*"]]
    assert made.prefixes("code", ["E11.2", "E1", "I10"]).lines() == [
        ["E1", "E1*", "E*", "*"],
        ["E11.2", "E11*", "E*", "*"],
        ["I10", "I10*", "I*", "*"],
    ]
    for kind, value in ((made.numbers, "x"), (made.dates, "2012")):
        with pytest.raises(MadangError):
            kind("x", [value])


def test_a_set_of_hierarchies_is_chosen_by_the_name_of_the_data(tmp_path):
    (tmp_path / "one_hierarchy_a.csv").write_text("1;*\n")
    (tmp_path / "two_hierarchy_a.csv").write_text("1;x;*\n")
    assert read_hierarchies(tmp_path, ["a"], "two.csv")[0].levels == 3
    with pytest.raises(MadangError) as refused:
        read_hierarchies(tmp_path, ["a"], "three.csv")
    assert refused.value.code == "privacy.no_hierarchy"


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"a,b\n", b"a,b\n1\n", b"a,a\n1,2\n", b"a,b\n1,2\0\n", b"a\n\xff\xfe\xfa\n"],
)
def test_what_is_no_table_is_one_sentence(tmp_path, data):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(MadangError) as refused:
        coded(read_csv(path), ["a"])
    assert refused.value.code in ("privacy.file",)


def test_encodings_and_delimiters(tmp_path):
    path = tmp_path / "x.csv"
    for text, encoding in (
        ("성별;나이\n남;1\n", "cp949"),
        ("\ufeff성별,나이\n남,1\n", "utf-8"),
        ("성별\t나이\n남\t1\n", "utf-8"),
    ):
        path.write_bytes(text.encode(encoding))
        assert coded(read_csv(path), ["성별"])[0].values == ("남",)


def test_the_commands_as_written(tmp_path):
    rows = [f"{age},{sex},{c}" for age in range(20, 40) for sex in "MF" for c in "xy"]
    (tmp_path / "d.csv").write_text("age,sex,s\n" + "\n".join(rows) + "\n")
    (tmp_path / "d_hierarchy_age.csv").write_text(
        "".join(f"{n};{n // 5 * 5};{n // 10 * 10};*\n" for n in range(20, 40))
    )
    (tmp_path / "d_hierarchy_sex.csv").write_text("M;*\nF;*\n")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", "from madang.app.cli import main; main()", "privacy", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("assess", "d.csv", "--quasi", "age,sex", "--sensitive", "s", "--json", "a.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "a.json").read_text())
    assert (report["k"], report["l"], report["t"], report["sample_uniqueness"]) == (2, 2, 0.0, 0.0)
    done = run(
        "anonymize",
        "d.csv",
        "--quasi",
        "sex,age",
        "--hierarchies",
        ".",
        "--k",
        "5",
        "--suppression",
        "0.02",
        "--out",
        "o.csv",
        "--json",
        "r.json",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["levels"], report["suppressed"], report["optimal"]) == ([0, 1], 0, True)
    assert report["loss"] == pytest.approx(4 / 19 / 2)
    counts = Counter(line.rsplit(",", 1)[0] for line in (tmp_path / "o.csv").read_text().splitlines()[1:])
    assert min(counts.values()) >= 5 and math.isclose(sum(counts.values()), 80)
    refused = run("assess", "d.csv", "--quasi", "aeg", "--json", "a.json")
    assert refused.returncode == 2 and "age, sex, s" in refused.stderr
