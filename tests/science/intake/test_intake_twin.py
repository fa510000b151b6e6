"""The fast reader and the rules in plain Python read the same from generated dirty files."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import support
from madang.science.standardize.intake import read_blocks, reason_code, register
from madang.science.standardize.intake.exact import Bad, filled, split_row, text_of, value_of
from madang.science.standardize.intake.fields import plan
from madang.science.standardize.pack import Column, Source

COLUMNS = [
    Column("ID", "integer", required=True),
    Column("WHO", "text", identifier="pseudonym"),
    Column("NAME", "text", identifier="direct"),
    Column("DAY", "date", format="%Y%m%d", required=True),
    Column("ISO", "date"),
    Column("AT", "time", format="%H%M"),
    Column("MOMENT", "datetime"),
    Column("ODD_DAY", "date", format="%d.%m.%y", first_year=1925),
    Column("NAMED_DAY", "datetime", format="%-d-%b-%Y %-I:%M:%S %p"),
    Column("COMMA", "number", thousands=".", decimal=","),
    Column("AMT", "number", thousands=","),
    Column("QTY", "number", missing=("-", ".5")),
    Column("N", "integer"),
    Column("NOTE", "text", header="비고"),
    Column("KEY", "text"),
]


def source(encoding: str, quoted_newlines: bool, format: str = "csv", delimiter: str = ",") -> Source:
    return Source(
        name="dirty",
        files=("dirty.csv",),
        columns={column.name: column for column in COLUMNS},
        format=format,  # type: ignore[arg-type]  # one of the three
        encoding=encoding,
        delimiter=delimiter,
        quoted_newlines=quoted_newlines,
        key=("KEY",),
    )


def pseudonym(text: str) -> str:
    return f"<{text}>"


def slow(data: bytes, source: Source) -> tuple[list[dict], list[tuple[int, str]], list[tuple[int, str]]]:
    """Rows, rejects and repairs, line by line."""
    lines = _physical(data, source.encoding)
    encoding = "utf-8" if source.encoding == "utf-16" else source.encoding
    delimiter, quoting = source.delimiter.encode(), source.format == "csv"
    width = len(source.columns)
    rows, rejects, repairs = [], [], []
    for number, line in _rows(lines, source.quoted_newlines and quoting):
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        cells = split_row(line, delimiter, quoting)
        if not line:
            rejects.append((number, "line.empty"))
        elif cells is None:
            rejects.append((number, "line.open_quote"))
        elif len(cells) != width:
            rejects.append((number, "line.few_fields" if len(cells) < width else "line.many_fields"))
        else:
            raw = dict(zip(source.columns, cells, strict=True))
            row: dict = {"_line": number}
            problems, repaired = [], []
            for field in plan(source):
                try:
                    text = filled(field, text_of(raw[field.name], encoding))
                    value = None if text is None else value_of(field, text)
                    if value is None and field.required:
                        problems.append("field.empty")
                except Bad:
                    value = None
                    if field.strict:
                        problems.append(f"field.no_{field.kind}")
                    else:
                        repaired.append((number, field.name))
                row[field.name] = pseudonym(str(value)) if field.pseudonym and value is not None else value
            if problems:
                rejects.append((number, problems[0]))
            else:
                rows.append(row)
                repairs += repaired
    return rows, rejects, repairs


def _physical(data: bytes, encoding: str) -> list[bytes]:
    if encoding == "utf-16":
        text, odd = data[2 : len(data) // 2 * 2], len(data) % 2
        data = text.decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass") + b"\xff" * odd
    pieces = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return lines + ([pieces[-1]] if pieces[-1] else [])


def _rows(lines: list[bytes], quoted_newlines: bool) -> list[tuple[int, bytes]]:
    """(first line, bytes) of each row after the header."""
    rows, at = [], 1
    while at < len(lines):
        end = at
        if quoted_newlines and lines[at].count(b'"') % 2:
            closing = [i for i in range(at + 1, len(lines)) if lines[i].count(b'"') % 2]
            end = closing[0] if closing and closing[0] - at < 1000 else at
        rows.append((at + 1, b"".join(lines[at : end + 1])))
        at = end + 1
    return rows


DIRT = [
    "", " ", "\u3000x ", "x\x00", "a\x00b", '"', '"a', 'a"b', '"a"b', '"a,b"', '"a""b"', '",',
    '"a\nb"', '"\r\n"', "a\rb", "\r", "가나다", " 홍 ", "\udcff", "\udcb0", "\udcc7", "a,b", "nan",
    "0x1F", "inf", "1e999", "+5", "007", " 12 ", "5.0", "5.5", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "12345678901234567890", "1,234", '"1,234"',
    '"1,234.5"', '"12,34"', '"1,2345"', "20020230", "20200229", "00000000", "99991231", "020200101",
    "2020010", "2020-01-02", "2020-1-2", "2020-02-30", "2020-01-02T10:11:12",
    "2020-01-02 10:11:12.5", "2020-01-02T10:11:12.123456+09:00", "2020-01-02T24:00:00",
    "2020-01-02T10:11:12Z", "0930", "2400", "930", "1260", "09:30", "31.12.99", "31.12.26",
    "30.02.20", "<0.5", "음성", "١٢", "２０", "1_000", ".5", "5.", "-.5e3", "--1", "e5", "-", ",,,",
    '="007"', '="5"', '=""', '="a"b"', "\ufeff", "0,775",
    '"0,775"', '"0,5"', "1.234", '"1.234,56"', '"1.5,0"', "9007199254740993", "9007199254740992",
    "9007199254740993.0", "1-jan-2020 12:00:00 AM", "01-Feb-2020 12:59:59 pm", "1-MAY-2020 13:00:00 PM",
    "2020-01-02 24:00:00", "2020-12-31T24:00:00", "2020-01-02T24:00:01",
]  # fmt: skip
GOOD = [
    "1",
    "P1",
    "Kim",
    "20200131",
    "2020-01-31",
    "0930",
    "2020-01-31 09:30:00",
    "31.01.20",
    "5-MAR-2020 1:02:03 오후",
    '"1.234,5"',
    '"1,000"',
    "2.5",
    "3",
    "비고",
    "K1",
]

UNREADABLE = st.sampled_from(["\udcff", "a\0b"])
cell = st.one_of(st.sampled_from(DIRT), st.text(alphabet='0123456789-.,"eE:TZ \r가\0', max_size=10), UNREADABLE)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, Source, int]:
    encoding = draw(st.sampled_from(["utf-8", "cp949", "utf-16", "latin-1"]))
    format, delimiter = draw(st.sampled_from([("csv", ","), ("csv", "|"), ("tsv", "\t")]))
    spec = source(encoding, draw(st.booleans()) and encoding != "utf-16", format, delimiter)
    if encoding == "latin-1":
        spec = Source(**{**vars(spec), "columns": {c.name: Column(**{**vars(c), "header": None}) for c in COLUMNS}})
    lines = [delimiter.join(c.header or c.name for c in spec.columns.values())]
    for _ in range(draw(st.integers(0, 12))):
        cells = list(GOOD)
        for _ in range(draw(st.integers(0, 2))):
            cells[draw(st.sampled_from([*range(len(cells)), 0, 3, 12]))] = draw(cell)
        if draw(st.integers(0, 15)) == 0:
            cells.pop()
        lines.append(delimiter.join(cells) if draw(st.integers(0, 15)) else "")
    text = ""
    for line in lines:
        text += line + draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    if draw(st.booleans()):
        text = text[:-1]
    if encoding == "utf-16":
        data = (
            b"\xff\xfe"
            + text.encode("utf-16-le", "surrogatepass")
            + (b"x" if lines[1:] and draw(st.integers(0, 9)) == 0 else b"")
        )
    else:
        data = b"".join(_encoded(character, encoding) for character in text)
        if encoding == "utf-8" and draw(st.booleans()):
            data = b"\xef\xbb\xbf" + data
    return data, spec, draw(st.sampled_from([64, 200, 1000, 1 << 20]))


def _encoded(character: str, encoding: str) -> bytes:
    try:
        return character.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return b"?"


SEEN: Counter[str] = Counter()


def compare(data: bytes, spec: Source, block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dirty.csv")
        path.write_bytes(data)
        file = register(path, spec)
        blocks = list(read_blocks(path, file, spec, pseudonym=pseudonym, block_bytes=block_bytes))
    rows, rejects, repairs = slow(data, spec)
    assert [(line, reason_code(reason)) for block in blocks for line, reason in block.rejects] == rejects
    assert [row for block in blocks for row in block.table.to_pylist()] == rows
    assert [repair for block in blocks for repair in block.repairs] == repairs
    assert file.lines == 1 + sum(block.lines for block in blocks)
    if not spec.quoted_newlines:
        assert file.lines == 1 + len(rows) + len(rejects)
    SEEN.update(code for _, code in rejects)
    SEEN.update(f"repair {name}" for _, name in repairs)
    SEEN.update(["quoted"] if spec.quoted_newlines else [], rows=len(rows), files=1)


def test_fast_reader_agrees_with_the_rules_and_every_oddity_occurred() -> None:
    SEEN.clear()

    @settings(max_examples=settings().max_examples * 6, suppress_health_check=list(HealthCheck))
    @given(files())
    def check(case: tuple[bytes, Source, int]) -> None:
        compare(*case)

    check()
    assert SEEN["rows"] > 100
    if not support.EVERYTHING:  # few files show only a part
        return
    assert SEEN["rows"] > 500
    kinds = ["empty", "no_date", "no_integer", "no_text"]
    lines = ["empty", "few_fields", "many_fields", "open_quote"]
    for kind in [f"field.{k}" for k in kinds] + [f"line.{k}" for k in lines]:
        assert SEEN[kind], f"no reject {kind} was generated"
    for column in COLUMNS:
        if not column.required and column.identifier != "direct" and column.name != "KEY":
            assert SEEN[f"repair {column.name}"], f"no repair of {column.name} was generated"
    assert SEEN["quoted"]
