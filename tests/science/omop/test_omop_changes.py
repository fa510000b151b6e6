"""Two releases of a vocabulary are compared, and maps are checked against one."""

from pathlib import Path

import pytest
import slow_mapping
from slow_mapping import Concept, Edge
from vocabularies import FOREVER, attach

from madang.lake.engine import Engine
from madang.science.omop.changes import compare
from madang.science.omop.maps import validate_maps


def concept(number: int, domain: str = "Condition", standard: str | None = "S", invalid: str | None = None) -> Concept:
    return Concept(number, domain, "SNOMED", f"c{number}", standard, *FOREVER, invalid)


def world(concepts: list[Concept], *edges: Edge) -> slow_mapping.World:
    return slow_mapping.World(tuple(concepts), edges, (), ())


def test_every_kind_of_change_is_found_and_nothing_else(engine: Engine) -> None:
    same, moves, retires, leaves = concept(1), concept(2), concept(3), concept(4)
    back, source, demoted = concept(6, invalid="D"), concept(7, standard=None), concept(8)
    before = [same, moves, retires, leaves, back, source, demoted]
    after = [
        same,
        concept(2, "Drug"),
        concept(3, invalid="U"),
        concept(5),
        concept(6),
        source,
        concept(8, standard=None),
    ]
    itself, now_invalid = Edge(1, "Maps to", 1, None), Edge(7, "Maps to", 1, "D")
    old = attach(engine, world(before, itself, Edge(7, "Maps to", 1, None)), "old")
    targets = (Edge(7, "Maps to", 2, None), Edge(7, "Maps to", 3, None))
    new = attach(engine, world(after, itself, now_invalid, *targets), "new")
    changes = compare(old, new)
    found = {
        kind: [(c.concept_id, c.before, c.after) for c in changes.of_kind(kind, 10)] for kind, _, _ in changes.counts()
    }
    assert found == {
        "added": [(5, None, "Condition")],
        "removed": [(4, "Condition", None)],
        "retired": [(3, None, "U")],
        "restored": [(6, "D", None)],
        "moved domain": [(2, "Condition", "Drug")],
        "standard changed": [(8, "S", None)],
        "targets changed": [(7, "1", "2 3")],
    }
    assert compare(old, old).counts() == []


HEAD = "source_code,source_vocabulary_id,target_concept_id,target_vocabulary_id,valid_start_date,valid_end_date"


def faults(engine: Engine, folder: Path, *lines: str, head: str = HEAD) -> list[str]:
    old = Concept(2, "Condition", "SNOMED", "old", None, *FOREVER, "U")
    vocabulary = attach(
        engine, world([concept(1), old, concept(3)], Edge(2, "Concept replaced by", 3, None)), "checked"
    )
    path = folder / "map.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return [str(fault) for fault in validate_maps([path], vocabulary)]


def test_good_maps_have_no_faults(engine: Engine, tmp_path: Path) -> None:
    good = ("a,L,1,SNOMED,2000-01-01,2009-12-31", "a,L,3,SNOMED,2000-01-01,2009-12-31", "a,L,1,,2010-01-01,")
    assert faults(engine, tmp_path, *good, "b,L,0,,,", "가" * 51 + ",L,1,,,", 'c,L,2000000001,"of,\nours",,') == []


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["a,L,9,,,"], "map.csv:2: The target 9 is not in the vocabulary generated."),
        (["a,L,2,,,"], "map.csv:2: The target 2 name was retired; today it maps to 3 name."),
        (["a,L,1,LOINC,,"], "map.csv:2: The target 1 is of SNOMED, not of LOINC."),
        (["a,L,1,,2010-01-01,2009-12-31"], "map.csv:2: It ends (2009-12-31) before it starts (2010-01-01)."),
        (["a,L,1,,,", "a,L,1,,2010-01-01,"], "map.csv:3: map.csv:2 says the same for some of these days."),
        (["a,L,1,,,", "a,L,0,,,"], "map.csv:3: map.csv:2 says the contrary for some of these days."),
        (["a,L,one,,,"], "map.csv:2: target_concept_id 'one' is no whole number."),
        (["a,L,1,,20100101x,"], "map.csv:2: valid_start_date '20100101x' is no date; write YYYY-MM-DD."),
        ([",L,1,,,"], "map.csv:2: source_code is empty."),
        (["a," + "가" * 21 + ",1,,,"], "map.csv:2: source_vocabulary_id has 21 characters; the model allows 20."),
        (['"x\ny",L,1,,,', "a,L,9,,,"], "map.csv:4: The target 9 is not in the vocabulary generated."),
        (["a,L,1"], "map.csv:2: There are 3 values, the header has 6."),
        (['a,L,"1,,,'], "map.csv:2: This is not CSV: unexpected end of data."),
    ],
)
def test_a_fault_is_named_with_its_line(engine: Engine, tmp_path: Path, lines: list[str], sentence: str) -> None:
    assert faults(engine, tmp_path, *lines) == [sentence]


def test_files_that_are_no_maps_are_named(engine: Engine, tmp_path: Path) -> None:
    assert faults(engine, tmp_path, head="code,target") == [
        "map.csv:1: There is no column source_code, source_vocabulary_id, target_concept_id."
    ]
    (tmp_path / "map.csv").write_bytes(f"{HEAD}\na,L,1,,,\n".encode() + "이름,L,1,,,\n".encode("cp949"))
    vocabulary = attach(engine, world([concept(1)]), "checked")
    assert [str(f) for f in validate_maps([tmp_path / "map.csv"], vocabulary)] == ["map.csv:3: is not UTF-8 text."]
