"""Files of a review: Usagi's CSV, lists of codes, SOURCE_TO_CONCEPT_MAP, the report."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mapping_samples import code, lookup

from madang.base.errors import MadangError
from madang.science.standardize.mapping import (
    Equivalence,
    Mapping,
    MappingBook,
    MappingType,
    SourceCode,
    Status,
    codes_of_file,
    count_by_level,
    count_by_status,
    decide,
    merge_codes,
    read_usagi,
    review_items,
    review_page,
    take_over,
    total,
    write_codes,
    write_source_to_concept_map,
    write_usagi,
)
from madang.science.standardize.mapping.table import whole_number

HEAD = (
    "sourceCode,sourceName,sourceFrequency,sourceAutoAssignedConceptIds,ADD_INFO:ward,matchScore,mappingStatus,"
    "equivalence,statusSetBy,statusSetOn,conceptId,conceptName,domainId,mappingType,comment,createdBy,createdOn,"
    "assignedReviewer"
)
SAVED = f"""{HEAD}
D1,"Sugar ""high"", adult",120,1;2,east,0.91,APPROVED,EQUIVALENT,Kim,1700000000000,1,Type 2,Condition,MAPS_TO,ok,Kim,1,L
D1,"Sugar ""high"", adult",120,1;2,east,0.91,APPROVED,EQUIVALENT,Kim,1700000000000,3,Hyper,Condition,MAPS_TO,ok,Kim,1,L
D2,고혈압,50,,,0.50,FLAGGED,INEXACT,Kim,1700000000000,3,Hyper,Condition,EVENT,a\\nb,Kim,1,
D3,Other,7,,,0.00,UNCHECKED,UNREVIEWED,,0,0,Unmapped,,MAPS_TO,,,0,
D4,Nothing,3,,,0.00,APPROVED,UNMATCHED,Kim,0,0,Unmapped,,MAPS_TO,,,0,
D5,Guess,2,,,0.77,AUTO_MAPPED_TO_1,UNREVIEWED,,0,4,HbA1c,Measurement,MAPS_TO_VALUE,,,0,
"""


def saved(folder: Path, text: str = SAVED, encoding: str = "utf-8") -> Path:
    path = folder / "usagi.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_file_of_usagi_is_understood(tmp_path: Path) -> None:
    file = read_usagi(saved(tmp_path), "LOCAL", lookup, "Importer")
    assert [(c.code, c.name, c.records) for c in file.codes][:2] == [
        ("D1", 'Sugar "high", adult', 120),
        ("D2", "고혈압", 50),
    ]
    assert file.codes[0].target_concept_ids == (1, 2)
    assert file.codes[0].info == (("ward", "east"),)
    found = [(m.source_code, m.target_concept_id, m.status.value, m.equivalence.value) for m in file.mappings]
    assert found == [
        ("D1", 1, "approved", "EQUIVALENT"),
        ("D1", 3, "approved", "EQUIVALENT"),
        ("D2", 3, "rejected", "INEXACT"),
        ("D4", 0, "approved", "UNMATCHED"),
        ("D5", 4, "candidate", "UNREVIEWED"),
    ]
    first, flagged, guess = file.mappings[0], file.mappings[2], file.mappings[4]
    assert (first.reviewer, first.reviewed_on) == ("Kim", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert (first.assigned_reviewer, first.comment, first.target_name) == ("L", "ok", "Type 2 diabetes mellitus")
    assert (flagged.comment, flagged.mapping_type) == ("a\nb", MappingType.MAPS_TO)
    assert guess.mapping_type is MappingType.MAPS_TO_VALUE


def test_what_is_exported_for_usagi_is_imported_again(tmp_path: Path) -> None:
    first = read_usagi(saved(tmp_path), "LOCAL", lookup, "Importer")
    again = tmp_path / "again.csv"
    assert write_usagi(again, review_items(first.codes, first.mappings), lookup) == 5
    second = read_usagi(again, "LOCAL", lookup, "Importer")
    assert second.codes == first.codes
    assert second.mappings == first.mappings
    with again.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == HEAD.split(",")
    assert [row["mappingStatus"] for row in rows] == [
        *("APPROVED", "APPROVED", "FLAGGED", "UNCHECKED", "APPROVED", "UNCHECKED"),
    ]
    assert rows[0]["statusSetOn"] == "1700000000000"


def test_backslashes_and_line_breaks_survive_as_usagi_writes_them(tmp_path: Path) -> None:
    kim = replace(
        decide(code("D\\1", "a\\nb"), lookup(1), Status.APPROVED, Equivalence.EQUAL, "Kim"), comment="one\ntwo\\three"
    )
    path = tmp_path / "u.csv"
    write_usagi(path, review_items([code("D\\1", "a\\nb")], [kim]), lookup)
    assert "D\\\\1" in path.read_text()
    file = read_usagi(path, "LOCAL", lookup, "Importer")
    assert (file.codes[0].code, file.codes[0].name, file.mappings[0].comment) == ("D\\1", "a\\nb", "one\ntwo\\three")


BAD_USAGI = [
    (lambda text: "a,b\n1,2\n", "mapping.columns", "has no column sourceCode"),
    (lambda text: "", "mapping.columns", "is empty"),
    (lambda text: text.replace("FLAGGED", "PERHAPS"), "mapping.value", "line 4: mappingStatus is 'PERHAPS'"),
    (lambda text: text.replace("INEXACT", "SORT_OF"), "mapping.value", "line 4: equivalence is 'SORT_OF'"),
    (lambda text: text.replace("EVENT", "DANCE"), "mapping.value", "line 4: mappingType is 'DANCE'"),
    (lambda text: text.replace(",50,", ",many,"), "mapping.value", "line 4: sourceFrequency is 'many'"),
    (
        lambda text: text.replace(",4,HbA1c", ",4444,HbA1c"),
        "mapping.no_concept",
        "line 7: concept 4444 of D5 is not in",
    ),
    (lambda text: text.replace(",1,Type 2", ",8,Type 2"), "mapping.not_standard", "line 2: concept 8"),
    (lambda text: text + text.splitlines()[6] + "\n", "mapping.duplicate", "line 8: D5 to 4 is in line 7"),
    (
        lambda text: text + "D5,Guess,2,,,0,APPROVED,EQUAL,K,0,1,x,y,MAPS_TO,,,0,\n",
        "mapping.contradiction",
        "line 8: D5 is",
    ),
    (
        lambda text: text + "D5,Gues,2,,,0,APPROVED,EQUAL,K,0,1,x,y,MAPS_TO,,,0,\n",
        "mapping.contradiction",
        "'Guess' above",
    ),
    (
        lambda text: text.replace("UNMATCHED", "EQUAL"),
        "mapping.contradiction",
        "line 6: D4: it is approved without a target",
    ),
    (lambda text: text.replace("D3,", ","), "mapping.value", "line 5: has no sourceCode"),
    (lambda text: text[: text.index("D5") + 20], "mapping.row", "line 7"),
    (lambda text: text.replace("1700000000000", "99999999999999999"), "mapping.value", "line 2: statusSetOn"),
]


@pytest.mark.parametrize(("spoil", "kind", "words"), BAD_USAGI)
def test_a_bad_file_of_usagi_is_refused_with_its_line(tmp_path: Path, spoil: object, kind: str, words: str) -> None:
    path = saved(tmp_path, spoil(SAVED))  # type: ignore[operator]  # a function of the text
    with pytest.raises(MadangError, match=words) as caught:
        read_usagi(path, "LOCAL", lookup, "Importer")
    assert caught.value.code == kind
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_refused_until_its_encoding_is_given(tmp_path: Path) -> None:
    path = saved(tmp_path, encoding="cp949")
    with pytest.raises(MadangError, match=r"line 4: is not utf-8 text. It looks like cp949"):
        read_usagi(path, "LOCAL", lookup, "Importer")
    assert read_usagi(path, "LOCAL", lookup, "Importer", "cp949").codes[1].name == "고혈압"
    with pytest.raises(MadangError, match="no encoding 'klingon'"):
        read_usagi(path, "LOCAL", lookup, "Importer", "klingon")
    marked = saved(tmp_path, encoding="utf-8-sig")
    assert read_usagi(marked, "LOCAL", lookup, "Importer").codes[1].name == "고혈압"
    with pytest.raises(MadangError, match="cannot be read"):
        read_usagi(tmp_path / "none.csv", "LOCAL", lookup, "Importer")


def test_an_import_does_not_overrule_a_reviewer_unless_told(tmp_path: Path) -> None:
    book, file = MappingBook(tmp_path / "ward.csv"), read_usagi(saved(tmp_path), "LOCAL", lookup, "Importer")
    assert book.update(take_over(file), "Importer") == 5
    assert book.update(take_over(file), "Importer") == 0
    rejected = replace(file.mappings[0], status=Status.REJECTED, reviewer="Lee")
    book.update(lambda rows: rows.__setitem__(rejected.key, rejected), "Lee")
    with pytest.raises(
        MadangError, match="line 2: D1 to 1 is approved EQUIVALENT here, but rejected EQUIVALENT by Lee"
    ):
        book.update(take_over(file), "Importer")
    assert book.update(take_over(file, replace_decisions=True), "Importer") == 1
    assert {m.status for m in book.mappings() if m.source_code == "D1"} == {Status.APPROVED}


def test_a_list_of_codes_is_read_by_the_names_people_give_columns(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(
        '코드,코드명,code_name_en,건수,ATC code,주성분명,병동\nD1,당뇨,Diabetes,"1,200",A10,a;b,east\nD2,,,,,,\n'
    )
    first, second = codes_of_file(path, "LOCAL")
    assert first == code(
        "D1", "당뇨", "Diabetes", records=1200, atc_codes=("A10",), ingredients=("a", "b"), info=(("병동", "east"),)
    )
    assert (second.names, second.records) == ((), 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("code,name\n", "has no codes"),
        ("name\nx\n", "has no column of codes"),
        ("code,records\nD1,-4\n", "line 2: records is '-4'"),
        ("code,records\nD1,1\nD1,2\n", "line 3: LOCAL D1 is there twice"),
        ("code,records\n,1\n", "line 2: has no code"),
        ("code,code\nD1,1\n", "has the column code twice"),
        ("code,first_date\nD1,soon\n", "line 2: first_date is 'soon'"),
    ],
)
def test_a_bad_list_of_codes_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(text)
    with pytest.raises(MadangError, match=words):
        codes_of_file(path, "LOCAL")


def test_codes_that_are_written_are_read_again(tmp_path: Path) -> None:
    codes = [
        code("D1", "a", "b, c", records=9, persons=3, domain="Drug", atc_codes=("A10",), info=(("ward", "x"),)),
        code("D2", records=1, target_concept_ids=(1, 2), level="exact"),
    ]
    write_codes(tmp_path / "codes.csv", codes)
    assert codes_of_file(tmp_path / "codes.csv") == codes


def test_codes_of_two_lists_share_names_and_keep_the_counts_of_the_first() -> None:
    merged = merge_codes([code("D1", "a", records=5)], [code("D1", "b", records=9), code("D2", records=7)])
    assert [(c.code, c.names, c.records) for c in merged] == [("D2", (), 7), ("D1", ("a", "b"), 5)]


def decided() -> tuple[list[SourceCode], list[Mapping]]:
    codes = [
        code("D1", "a", records=100, level="exact"),
        code("D2", "<b>", records=60),
        code("D3", records=3),
        code("D4", records=1),
    ]
    return codes, [
        decide(codes[1], lookup(1), Status.APPROVED, Equivalence.WIDER, "Kim"),
        decide(codes[1], lookup(2), Status.REJECTED, Equivalence.UNREVIEWED, "Kim"),
        decide(codes[2], None, Status.APPROVED, Equivalence.UNMATCHED, "Kim"),
        decide(codes[3], lookup(3), Status.CANDIDATE, Equivalence.UNREVIEWED, ""),
        decide(code("D9"), lookup(4), Status.APPROVED, Equivalence.EQUAL, "Kim", MappingType.MAPS_TO_VALUE),
    ]


def test_only_what_is_approved_takes_effect(tmp_path: Path) -> None:
    path = tmp_path / "maps" / "local.csv"
    assert write_source_to_concept_map(path, decided()[1]) == 2
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("source_code", "source_concept_id", "source_vocabulary_id", "source_code_description", "target_concept_id"),
        *("target_vocabulary_id", "valid_start_date", "valid_end_date", "invalid_reason"),
    ]
    assert [(row["source_code"], row["target_concept_id"], row["target_vocabulary_id"]) for row in rows] == [
        ("D2", "1", "SNOMED"),
        ("D3", "0", "None"),
    ]


def test_counts_add_up() -> None:
    items = review_items(*decided())
    for counts in (count_by_level(items), count_by_status(items)):
        assert (total(counts).codes, total(counts).records) == (5, 164)
        assert (total(counts).mapped_codes, total(counts).mapped_records) == (3, 160)
    assert [(c.group, c.codes) for c in count_by_status(items)] == [
        *(("unreviewed", 1), ("approved", 3), ("candidate", 1)),
    ]


def test_the_page_stands_alone_hides_small_counts_and_runs_nothing_of_the_data() -> None:
    page = review_page("Ward <1>", review_items(*decided()))
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "Ward &lt;1&gt;" in page
    assert 'class="n">&lt;5<' in page
    assert 'class="n">3<' not in page.split('id="codes"')[1]
    assert "src=" not in page
    assert "http" not in page


def test_a_file_that_a_european_excel_saved_is_read(tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(SAVED)))
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n").writerows(rows)
    file = read_usagi(saved(tmp_path, out.getvalue(), "utf-8-sig"), "LOCAL", lookup, "Importer")
    assert file.mappings == read_usagi(saved(tmp_path), "LOCAL", lookup, "Importer").mappings


def test_all_bad_lines_come_in_one_answer(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(SAVED)))
    for number, row in enumerate(rows):
        row["sourceCode"], row["mappingStatus"] = f"bad{number}", "SEMI-APPROVED"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with pytest.raises(MadangError) as error:
        read_usagi(saved(tmp_path, out.getvalue()), "LOCAL", lookup, "Importer")
    assert error.value.message.startswith(f"{len(rows)} lines cannot be taken.")
    assert all(f"line {number}" in error.value.message for number in (2, 3))


def test_files_that_r_wrote_and_those_of_an_older_version_are_read(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(SAVED)))
    for row in rows:
        row |= {column: "NA" for column, value in row.items() if not value and column != "sourceName"}
        row["statusSetOn"] = "1.6396128e+12" if row["statusSetOn"] not in ("", "NA", "0") else "NA"
        row["sourceFrequency"] = "1e5"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file = read_usagi(saved(tmp_path, out.getvalue()), "LOCAL", lookup, "Importer")
    plain = read_usagi(saved(tmp_path), "LOCAL", lookup, "Importer")
    assert [m.key for m in file.mappings] == [m.key for m in plain.mappings]
    assert {code.records for code in file.codes} == {100_000}
    assert {m.reviewed_on.year for m in file.mappings if m.reviewed_on} <= {2021}
    older = saved(tmp_path, SAVED.replace("conceptId", "targetConceptId", 1))
    assert [m.key for m in read_usagi(older, "LOCAL", lookup, "Importer").mappings] == [m.key for m in plain.mappings]


@pytest.mark.parametrize("text", ["1,5", "12,5", "1.5", "0,775", "1e-3", "1e30", "NA", "", "９"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        whole_number(text)
