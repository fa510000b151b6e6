"""Ugly source files: each gives rows, rejects with a reason, or one clear sentence; nothing is lost."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from madang.base.errors import Cancelled, MadangError
from madang.base.progress import Progress
from madang.science.standardize.intake import Block, check_files, read_blocks, read_lines, reason_code, register
from madang.science.standardize.pack import Column, Source

COLUMNS = (
    Column("ID", "integer", required=True),
    Column("DAY", "date", format="%Y%m%d"),
    Column("NOTE", "text"),
)


def source(*columns: Column, **more: object) -> Source:
    return Source(name="visits", files=("visits.csv",), columns={c.name: c for c in columns or COLUMNS}, **more)  # type: ignore[arg-type]  # keywords of Source


def put(folder: Path, data: bytes, name: str = "visits.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def read(path: Path, spec: Source | None = None, **options: object) -> list[Block]:
    spec = spec or source()
    return list(read_blocks(path, register(path, spec), spec, **options))  # type: ignore[arg-type]  # keywords of read_blocks


def rows(blocks: list[Block]) -> list[tuple]:
    return [tuple(row.values()) for block in blocks for row in block.table.to_pylist()]


def rejects(blocks: list[Block]) -> list[tuple[int, str]]:
    return [reject for block in blocks for reject in block.rejects]


def lines(blocks: list[Block]) -> int:
    return sum(block.lines for block in blocks)


def refused(act: Callable[[], object]) -> MadangError:
    with pytest.raises(MadangError) as caught:
        act()
    return caught.value


def test_an_empty_file_is_one_sentence_and_a_header_alone_is_no_row(tmp_path: Path) -> None:
    assert refused(lambda: read(put(tmp_path, b""))).code == "source.empty"
    for header in (b"ID,DAY,NOTE", b"ID,DAY,NOTE\n", b"\xef\xbb\xbfID,DAY,NOTE\r\n"):
        assert read(put(tmp_path, header)) == []


def test_byte_order_marks_and_line_ends_of_every_kind(tmp_path: Path) -> None:
    path = put(tmp_path, b"\xef\xbb\xbfID,DAY,NOTE\r\n1,,a\n2,,b\r\n3,,c\rd\n4,,e")
    assert [(row[0], row[1], row[3]) for row in rows(read(path))] == [
        (2, 1, "a"),
        (3, 2, "b"),
        (4, 3, "c\rd"),
        (5, 4, "e"),
    ]


def test_ragged_cut_off_and_blank_lines_are_rejected_one_by_one(tmp_path: Path) -> None:
    path = put(tmp_path, b"ID,DAY,NOTE\n1,,a\n2,\n\n3,,b,c\n4,,d\n5,2020")
    blocks = read(path)
    assert [row[1] for row in rows(blocks)] == [1, 4]
    assert [(line, reason_code(reason)) for line, reason in rejects(blocks)] == [
        (3, "line.few_fields"),
        (4, "line.empty"),
        (5, "line.many_fields"),
        (7, "line.few_fields"),
    ]
    assert lines(blocks) == 6


def test_an_unbalanced_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    path = put(tmp_path, b'ID,DAY,NOTE\n1,,"a\n2,,b\n3,,"c"\n4,,d"\n5,,"e\n')
    blocks = read(path)
    assert [(row[1], row[3]) for row in rows(blocks)] == [(2, "b"), (3, "c"), (4, 'd"')]
    assert [line for line, _ in rejects(blocks)] == [2, 6]


def test_quoted_line_breaks_where_the_pack_declares_them(tmp_path: Path) -> None:
    path = put(tmp_path, b'ID,DAY,NOTE\n1,,"a\nb"\n2,,c\n3,,"d"\n4,,"e\n')
    blocks = read(path, source(quoted_newlines=True))
    assert [(row[0], row[1], row[3]) for row in rows(blocks)] == [(2, 1, "a\nb"), (4, 2, "c"), (5, 3, "d")]
    assert rejects(blocks) == [(6, "a quote is not closed")]
    assert lines(blocks) == 5


@pytest.mark.parametrize("block_bytes", [20, 200, 1 << 20])
def test_a_quoted_row_is_never_cut_by_a_block(tmp_path: Path, block_bytes: int) -> None:
    body = b"".join(b'%d,,"line one\nline two\n\nline %d"\n' % (n, n) for n in range(50))
    blocks = read(put(tmp_path, b"ID,DAY,NOTE\n" + body), source(quoted_newlines=True), block_bytes=block_bytes)
    assert [row[1] for row in rows(blocks)] == list(range(50))
    assert [row[0] for row in rows(blocks)] == list(range(2, 202, 4))
    assert lines(blocks) == 200


def test_impossible_dates_are_nulled_or_reject_the_row(tmp_path: Path) -> None:
    data = b"ID,DAY,NOTE\n1,20020230,a\n2,00000000,b\n3,20200229,c\n4,2020-01-01,d\n"
    path = put(tmp_path, data)
    blocks = read(path)
    assert [str(row[2]) for row in rows(blocks)] == ["None", "None", "2020-02-29", "None"]
    assert [repair for block in blocks for repair in block.repairs] == [(2, "DAY"), (3, "DAY"), (5, "DAY")]
    strict = source(COLUMNS[0], Column("DAY", "date", format="%Y%m%d", required=True), COLUMNS[2])
    assert rejects(read(path, strict)) == [(2, "DAY is no date"), (3, "DAY is no date"), (5, "DAY is no date")]


def test_numbers_with_commas(tmp_path: Path) -> None:
    spec = source(Column("ID", "integer", required=True, thousands=","), Column("AMT", "number", thousands=","))
    path = put(tmp_path, b'ID,AMT\n"1,234","12,345.5"\n2,"12,34"\n"1,23",1\n')
    blocks = read(path, spec)
    assert rows(blocks) == [(2, 1234, 12345.5), (3, 2, None)]
    assert rejects(blocks) == [(4, "ID is no integer")]
    assert blocks[0].repairs == [(3, "AMT")]


def test_bytes_of_another_encoding_cost_a_field_or_a_key_its_row(tmp_path: Path) -> None:
    text = "ID,DAY,NOTE\n1,,가나\n2,,다\n".encode("cp949") + b"3,,\xb0\n4,,\xff\xff\n"
    path = put(tmp_path, text)
    blocks = read(path, source(encoding="cp949"))
    assert [row[3] for row in rows(blocks)] == ["가나", "다", None, None]
    assert blocks[0].repairs == [(4, "NOTE"), (5, "NOTE")]
    keyed = read(path, source(encoding="cp949", key=("NOTE",)))
    assert rejects(keyed) == [(4, "NOTE is no readable text"), (5, "NOTE is no readable text")]
    assert [row[3] for row in rows(read(path))] == [None] * 4  # declared utf-8


def test_nul_bytes_are_padding_at_the_ends_and_no_text_within(tmp_path: Path) -> None:
    blocks = read(put(tmp_path, b"ID,DAY,NOTE\n1\0,,a\0\0\n2,,b\0c\n"))
    assert [(row[1], row[3]) for row in rows(blocks)] == [(1, "a"), (2, None)]
    assert blocks[0].repairs == [(3, "NOTE")]


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_utf_16(tmp_path: Path, mark: bytes) -> None:
    path = put(tmp_path, mark + "ID,DAY,NOTE\r\n1,20200131,가\u0a0d\r\n2,,b".encode("utf-16-le"))
    spec = source(encoding="utf-16")
    assert [(row[0], row[1], row[3]) for row in rows(read(path, spec))] == [(2, 1, "가\u0a0d"), (3, 2, "b")]
    kept = read_lines(path, register(path, spec), [3], encoding="utf-16")
    assert kept == {3: "2,,b".encode("utf-16-le")}
    assert refused(lambda: read(put(tmp_path, b"\xff\xfe" + "ID".encode("utf-16-le")))).code == "source.encoding"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"DAY,NOTE", "ID"),
        (b"ID,DAY,NOTE,EXTRA", "EXTRA"),
        (b"ID,DAY,NOTE,NOTE", "NOTE twice"),
        (b'ID,DAY,"NOTE', "quote"),
        ("ID,DAY,NOTE,비고".encode("cp949"), "is not utf-8"),
    ],
)
def test_a_header_that_does_not_fit_is_one_sentence_naming_file_and_column(
    tmp_path: Path, header: bytes, says: str
) -> None:
    path = put(tmp_path, header + b"\n1,,a\n")
    error = refused(lambda: read(path))
    assert error.code == "source.header"
    assert says in error.message
    assert "visits.csv" in error.message
    assert error.hint
    assert [str(problem) for problem in check_files(tmp_path, [source()])] == [str(error)]


def test_columns_are_found_by_name_and_may_lack_or_be_ignored(tmp_path: Path) -> None:
    path = put(tmp_path, b"X,NOTE,ID\n9,a,1\n")
    assert rows(read(path, source(extra_columns="ignore"))) == [(2, 1, None, "a")]


def test_a_row_has_the_same_fate_whichever_columns_are_wanted(tmp_path: Path) -> None:
    path = put(tmp_path, b"ID,DAY,NOTE\n1,,a\n,,b\nx,,c\n")
    for columns in (None, ["NOTE"], ["DAY"], []):
        blocks = read(path, columns=columns)
        assert rejects(blocks) == [(3, "ID is empty"), (4, "ID is no integer")]
        assert blocks[0].table.column_names == ["_line", *(columns if columns is not None else ["ID", "DAY", "NOTE"])]
    assert refused(lambda: read(path, columns=["NONE"])).code == "source.column"


def test_compressed_files_read_alike_and_a_cut_off_one_is_refused(tmp_path: Path) -> None:
    data = b"ID,DAY,NOTE\n" + b"".join(b"%d,20200101,x%d\n" % (n, n * 7919) for n in range(20_000))
    path = put(tmp_path, gzip.compress(data), "visits.csv.gz")
    assert [row[1] for row in rows(read(path))] == list(range(20_000))
    put(tmp_path, gzip.compress(data)[:-2000], "visits.csv.gz")
    assert refused(lambda: read(path)).code == "source.truncated"
    put(tmp_path, b"ID,DAY,NOTE\n", "visits.csv.gz")
    assert refused(lambda: read(path)).code == "source.damaged"


def test_a_file_that_changes_during_the_run_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, b"ID,DAY,NOTE\n1,,a\n2,,b\n")
    file = register(path, source())
    stamp = path.stat()
    path.write_bytes(b"ID,DAY,NOTE\n1,,a\n2,,c\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # same size, same time: only the bytes differ
    assert refused(lambda: list(read_blocks(path, file, source()))).code == "source.changed"
    path.write_bytes(b"ID,DAY,NOTE\n1,,a\n2,,c\n3,,d\n")
    assert refused(lambda: list(read_blocks(path, file, source()))).code == "source.changed"
    assert refused(lambda: read_lines(path, file, [2])).code == "source.changed"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, b"ID,DAY,NOTE\n" + b"1,,a\n" * 1000)
    file = register(path, source())
    blocks = read_blocks(path, file, source(), block_bytes=100)
    next(blocks)
    with path.open("ab") as more:
        more.write(b"2,,b\n")
    assert refused(lambda: list(blocks)).code == "source.changed"


def test_a_folder_a_missing_file_and_a_forbidden_one(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").mkdir()
    assert "folder" in refused(lambda: register(tmp_path / "visits.csv", source())).message
    assert refused(lambda: register(tmp_path / "none.csv", source())).code == "source.unreadable"
    secret = put(tmp_path, b"ID,DAY,NOTE\n", "secret.csv")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    assert refused(lambda: register(secret, source())).code == "source.unreadable"


def test_direct_identifiers_never_leave_and_pseudonyms_need_a_key(tmp_path: Path) -> None:
    spec = source(
        Column("ID", "integer", required=True),
        Column("NAME", "text", identifier="direct", required=True),
        Column("PT", "text", identifier="pseudonym"),
    )
    path = put(tmp_path, b"ID,NAME,PT\n1,Kim,7\n2,,7\n3,Lee,\n")
    assert refused(lambda: read(path, spec)).code == "source.key"
    blocks = read(path, spec, pseudonym=lambda text: f"p{text}")
    assert rows(blocks) == [(2, 1, "p7"), (3, 2, "p7"), (4, 3, None)]
    assert refused(lambda: read(path, spec, columns=["NAME"])).code == "source.column"


def test_a_month_is_no_date(tmp_path: Path) -> None:
    spec = source(Column("ID", "integer"), Column("M", "date", format="%Y%m"))
    assert refused(lambda: read(put(tmp_path, b"ID,M\n1,202001\n"), spec)).code == "source.format"


def test_the_original_bytes_of_any_line_can_be_had_again(tmp_path: Path) -> None:
    data = [b"ID,DAY,NOTE", b'1,,"open', b"2,,\xb0\xff", b"", b"3,,last"]
    path = put(tmp_path, b"\r\n".join(data))
    file = register(path, source())
    assert file.lines == 5
    assert read_lines(path, file, [5, 1, 3, 2, 4]) == {n: line for n, line in enumerate(data, 1)}
    assert refused(lambda: read_lines(path, file, [6])).code == "source.line"


def test_work_stops_when_somebody_asks(tmp_path: Path) -> None:
    path = put(tmp_path, b"ID,DAY,NOTE\n" + b"1,,a\n" * 1000)
    progress = Progress()
    blocks = read_blocks(path, register(path, source()), source(), block_bytes=100, progress=progress)
    next(blocks)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(blocks)
