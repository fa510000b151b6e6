"""The book of mappings: a text file that people can merge, that two can write, and that keeps a history."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_samples import code, lookup

from madang.base.errors import MadangError
from madang.science.standardize.mapping import (
    Change,
    Equivalence,
    Mapping,
    MappingBook,
    MappingType,
    Status,
    decide,
    set_mapping,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=9)


def mapping(source: str = "D1", target: int = 1, status: Status = Status.APPROVED, **more: object) -> Mapping:
    equivalence = Equivalence.EQUIVALENT if target else Equivalence.UNMATCHED
    made = Mapping("LOCAL", source, target, status=status, equivalence=equivalence, reviewer="Kim", reviewed_on=NOON)
    return replace(made, **more)  # type: ignore[arg-type]  # any field


def book_of(folder: Path, *rows: Mapping) -> MappingBook:
    book = MappingBook(folder / "ward.csv")
    if rows:
        book.write([Change(None, row) for row in rows], "Kim")
    return book


def test_a_book_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert MappingBook(tmp_path / "none.csv").mappings() == []
    assert list(MappingBook(tmp_path / "none.csv").history()) == []


@given(
    rows=st.lists(
        st.builds(
            Mapping,
            source_vocabulary_id=TEXT,
            source_code=TEXT,
            target_concept_id=st.integers(1, 2**31),
            mapping_type=st.sampled_from(MappingType),
            status=st.sampled_from(Status),
            equivalence=st.sampled_from([e for e in Equivalence if e is not Equivalence.UNMATCHED]),
            reviewer=TEXT,
            reviewed_on=st.none() | st.just(NOON),
            source_name=TEXT,
            target_name=TEXT,
            valid_end_date=st.just(date(2025, 12, 31)),
            comment=TEXT,
        ),
        max_size=12,
        unique_by=lambda row: row.key,
    )
)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, rows: list[Mapping]) -> None:
    book = book_of(tmp_path_factory.mktemp("book"), *rows)
    assert sorted(book.mappings(), key=lambda row: row.key) == sorted(rows, key=lambda row: row.key)
    assert [entry["to"]["source_code"] for entry in book.history()] == [
        row.source_code for row in sorted(rows, key=lambda row: row.key)
    ]


def test_rows_are_in_an_order_that_merges(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping("D2"), mapping("D1", 2), mapping("D1", 1, source_name="one\nname"))
    lines = book.path.read_text().splitlines()
    assert [line.split(",")[1:4] for line in lines[1:]] == [["D1", "one name", "1"], ["D1", "", "2"], ["D2", "", "1"]]


def test_history_says_who_when_and_from_what_to_what(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping(status=Status.CANDIDATE))
    book.write([Change(mapping(status=Status.CANDIDATE), mapping(status=Status.REJECTED, reviewer="Lee"))], "Lee")
    first, second = book.history()
    assert (first["by"], first["from"], first["to"]["status"]) == ("Kim", None, "candidate")
    assert (second["by"], second["from"]["status"], second["to"]["status"]) == ("Lee", "candidate", "rejected")
    assert datetime.fromisoformat(second["at"]) <= datetime.now(UTC)


def test_who_decides_without_having_seen_the_last_decision_is_told(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping(status=Status.CANDIDATE))
    seen = book.mappings()[0]
    book.write([Change(seen, mapping(status=Status.APPROVED))], "Kim")
    with pytest.raises(MadangError, match="approved by Kim while you looked") as caught:
        book.write([Change(None, mapping("D9")), Change(seen, mapping(status=Status.REJECTED))], "Lee")
    assert caught.value.code == "mapping.conflict"
    assert [row.source_code for row in book.mappings()] == ["D1"]
    book.write([Change(seen, mapping(status=Status.APPROVED))], "Lee")  # the same decision is no conflict
    assert len(list(book.history())) == 2


def test_removing_needs_to_have_seen_it_too(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping())
    with pytest.raises(MadangError, match="while you looked"):
        book.write([Change(mapping(reviewer="Lee"), None)], "Kim")
    book.write([Change(mapping(), None)], "Kim")
    assert book.mappings() == []


def test_approving_alone_rejects_the_other_targets_of_the_code(tmp_path: Path) -> None:
    book = book_of(
        tmp_path, mapping(target=1), mapping(target=2, mapping_type=MappingType.MAPS_TO_VALUE), mapping("D2")
    )
    book.update(set_mapping(mapping(target=3), alone=True), "Kim")
    approved = {(m.source_code, m.target_concept_id) for m in book.mappings() if m.status is Status.APPROVED}
    assert approved == {("D1", 3), ("D1", 2), ("D2", 1)}


def decide_many(path: Path, who: str) -> None:
    for number in range(20):
        MappingBook(path).update(set_mapping(mapping(f"{who}{number}", reviewer=who)), who)


def test_two_reviewers_at_once_lose_nothing(tmp_path: Path) -> None:
    path, context = tmp_path / "ward.csv", multiprocessing.get_context("fork")
    people = [context.Process(target=decide_many, args=(path, who)) for who in ("Kim", "Lee")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert {m.source_code for m in MappingBook(path).mappings()} == {
        f"{w}{n}" for w in ("Kim", "Lee") for n in range(20)
    }
    entries = list(MappingBook(path).history())
    assert len(entries) == 40
    assert {entry["kind"] for entry in entries} == {"decision"}
    assert not list(tmp_path.glob("*.partial"))


def killed_at(number: int, work: Callable[[], object]) -> int:
    """Run `work` in a child that is killed at its `number`-th sync to disk; its exit code."""
    child = os.fork()
    if child == 0:
        left, sync = [number], os.fsync

        def counted(descriptor: int) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            sync(descriptor)

        os.fsync = counted
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_at_any_step_it_has_all_of_a_decision_or_none(tmp_path: Path) -> None:
    fates = set()
    for step in range(1, 6):
        book = book_of(tmp_path / str(step), mapping("D1"))
        changes = [Change(None, mapping("D2")), Change(None, mapping("D3"))]
        code_ = killed_at(step, lambda book=book, changes=changes: book.write(changes, "Lee"))
        codes = [row.source_code for row in book.mappings()]
        assert codes in (["D1"], ["D1", "D2", "D3"])
        fates.add((code_ == 0, len(codes)))
        assert len(list(book.history())) == len(codes)
        book.write([Change(None, mapping("D4"))], "Kim")
        assert [entry["to"]["source_code"] for entry in book.history()] == [*codes, "D4"]
    assert (False, 1) in fates
    assert (True, 3) in fates


def test_a_torn_line_of_the_history_does_no_harm(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping("D1"))
    with book.log_path.open("a") as file:
        file.write('{"kind": "deci')
    book.write([Change(None, mapping("D2"))], "Kim")
    assert [entry["to"]["source_code"] for entry in book.history()] == ["D1", "D2"]


def test_an_edit_by_hand_is_kept_and_noted(tmp_path: Path) -> None:
    book = book_of(tmp_path, mapping("D1"), mapping("D2"))
    text = book.path.read_text()
    book.path.write_text("".join(line for line in text.splitlines(keepends=True) if "D2" not in line))
    book.write([Change(None, mapping("D3"))], "Lee")
    assert [row.source_code for row in book.mappings()] == ["D1", "D3"]
    assert [entry["kind"] for entry in book.history()] == ["decision", "decision", "outside", "decision"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "mapping.columns", "is empty"),
        ("a,b\n1,2\n", "mapping.columns", "has no column source_vocabulary_id"),
        ("{head}\nL,D1,1,maybe,EQUAL\n", "mapping.value", "line 2: status is 'maybe'"),
        ("{head}\nL,D1,1,candidate,SAME\n", "mapping.value", "line 2: equivalence is 'SAME'"),
        ("{head}\nL,D1,one,candidate,EQUAL\n", "mapping.value", "line 2: target_concept_id is 'one'"),
        ("{head}\nL,D1,99999999999999999999,candidate,EQUAL\n", "mapping.value", "line 2"),
        ("{head}\nL,D1,1,candidate,EQUAL\nL,D1,1,candidate,EQUAL\n", "mapping.duplicate", "line 3: D1 is there twice"),
        ("{head}\nL,D1,1,candidate\n", "mapping.row", "line 2: has 4 fields where the header has 5"),
        ('{head}\nL,"D1,1,candidate,EQUAL\n', "mapping.row", "line 2"),
        ("{head}\nL,D1,1,approved,EQUAL\n", "mapping.contradiction", "line 2: D1: it is approved by nobody"),
        ("{head}\nL,,1,candidate,EQUAL\n", "mapping.contradiction", "line 2"),
        ("{head}\nL,D\0,1,candidate,EQUAL\n", "mapping.row", "line 2: holds a NUL byte"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(tmp_path: Path, text: str, code: str, words: str) -> None:
    book = MappingBook(tmp_path / "ward.csv")
    head = "source_vocabulary_id,source_code,target_concept_id,status,equivalence"
    book.path.write_text(text.format(head=head))
    with pytest.raises(MadangError, match=words.replace("(", r"\(")) as caught:
        book.mappings()
    assert caught.value.code == code
    with pytest.raises(MadangError):
        book.update(set_mapping(mapping()), "Kim")
    assert book.path.read_text() == text.format(head=head)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (mapping(target=1, equivalence=Equivalence.UNMATCHED), "approved as UNMATCHED, but has a target"),
        (mapping(target=0, equivalence=Equivalence.EQUAL), "approved without a target"),
        (mapping(target=-1), "cannot be negative"),
        (mapping(reviewer=" "), "approved by nobody"),
        (mapping(valid_end_date=date(1960, 1, 1)), "ends before it starts"),
        (mapping(target=0), "both as UNMATCHED and with a target"),
    ],
)
def test_a_decision_that_contradicts_is_refused(tmp_path: Path, wrong: Mapping, words: str) -> None:
    book = book_of(tmp_path, mapping(target=7))
    with pytest.raises(MadangError, match=words):
        book.update(set_mapping(wrong), "Kim")
    assert [row.target_concept_id for row in book.mappings()] == [7]


def test_nobody_decides_nothing(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="name of who makes it"):
        book_of(tmp_path).update(set_mapping(mapping()), " ")


def test_only_standard_concepts_are_approved() -> None:
    with pytest.raises(MadangError, match="it is not standard"):
        decide(code("D1"), lookup(8), Status.APPROVED, Equivalence.EQUAL, "Kim")
    with pytest.raises(MadangError, match="it is retired"):
        decide(code("D1"), lookup(10), Status.APPROVED, Equivalence.EQUAL, "Kim")
    assert decide(code("D1"), lookup(8), Status.REJECTED, Equivalence.EQUAL, "Kim").target_concept_id == 8
