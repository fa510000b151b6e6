"""The content hash against a slow twin that follows docs/lake.md word by word in Python integers."""

import datetime
import decimal
import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.lake import Engine
from madang.lake.content import content_of_file, content_of_table
from madang.lake.content_sum import Content

WORD = 1 << 64


def finalize(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % WORD
    return word ^ (word >> 31)


def digest(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def pattern(value: Any, kind: pa.DataType) -> int:
    if isinstance(value, str):
        return digest(value.encode())
    if isinstance(value, bytes):
        return digest(value)
    if isinstance(value, float):
        if math.isnan(value):
            return 0x7FF8000000000000
        return int.from_bytes(struct.pack(">d", 0.0 if value == 0 else value), "big")
    if isinstance(value, decimal.Decimal):
        unscaled = int(value.scaleb(kind.scale, decimal.Context(prec=60)))
        return unscaled % WORD if kind.precision <= 18 else digest(unscaled.to_bytes(16, "little", signed=True))
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // datetime.timedelta(microseconds=1) % WORD
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days % WORD
    return int(value) % WORD


def slow_content(table: pa.Table) -> str:
    first = second = 0
    for row in table.to_pylist():
        total = 0
        for name, value in row.items():
            if value is not None:
                total += finalize((pattern(value, table.schema.field(name).type) + digest(name.encode())) % WORD)
        first += finalize((total + 0x9E3779B97F4A7C15) % WORD)
        second += finalize((total + 0x3C6EF372FE94F82A) % WORD)
    return f"{first % WORD:016x}{second % WORD:016x}"


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int8(), whole(8)),
    (pa.int16(), whole(16)),
    (pa.int32(), whole(32)),
    (pa.int64(), whole(64)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(max_size=9)),
    (pa.large_string(), st.text(max_size=9)),
    (pa.binary(), st.binary(max_size=9)),
    (pa.date32(), st.dates()),
    (pa.timestamp("ms"), st.datetimes().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(datetime.UTC))),
    (pa.decimal128(9, 2), st.decimals(-9999999, 9999999, places=2, allow_nan=False)),
    (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10, allow_nan=False)),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 6))
    columns = draw(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.sampled_from(KINDS)), min_size=1, max_size=4))
    data = {
        name: pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)
        for name, (kind, values) in columns
    }
    return pa.table(data)


@given(tables())
def test_the_content_is_the_one_of_the_slow_twin(table: pa.Table) -> None:
    assert str(content_of_table(table)) == slow_content(table)


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_every_type_survives_a_parquet_file(kind: pa.DataType, values: st.SearchStrategy[Any], tmp_path: Path) -> None:
    @given(st.lists(st.none() | values, max_size=8))
    def check(column: list[Any]) -> None:
        table = pa.table({"x": pa.array(column, kind)})
        pq.write_table(table, tmp_path / "x.parquet", row_group_size=3)
        assert str(content_of_file(tmp_path / "x.parquet")) == slow_content(table)

    check()


@given(tables(), st.randoms())
def test_neither_order_nor_cuts_nor_the_order_of_columns_matter(table: pa.Table, random: Any) -> None:
    order = list(range(table.num_rows))
    random.shuffle(order)
    cut = random.randint(0, table.num_rows)
    names = random.sample(table.column_names, len(table.column_names))
    shuffled = table.take(pa.array(order, pa.int64())).select(names)
    parts = content_of_table(shuffled.slice(0, cut)) + content_of_table(shuffled.slice(cut))
    assert parts == content_of_table(table)
    assert content_of_table(shuffled.combine_chunks()) == content_of_table(table)


def test_a_small_difference_makes_another_content() -> None:
    rows = [
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"a": 1, "b": None},
        {"a": None, "b": 1},
        {"a": None, "b": None},
        {"a": 0, "b": 0},
        {"a": -1, "b": 0},
    ]
    schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
    contents = {str(content_of_table(pa.Table.from_pylist([row], schema))) for row in rows}
    doubled = pa.Table.from_pylist([rows[0]] * 2, schema)
    assert len(contents | {str(content_of_table(doubled)), str(Content())}) == len(rows) + 2


def test_blocks_and_row_groups_of_real_size_agree_with_the_slow_twin(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    sql = """
        SELECT range AS id, CASE WHEN range % 7 > 0 THEN range % 11 * 0.5 END AS v,
               'K' || range % 300 AS code, 'unique ' || range AS long, NULL::DATE AS nothing
        FROM range(70000)
    """
    with Engine(threads=1) as engine:
        engine.copy_to_parquet(sql, path, row_group_size=40960)
    assert str(content_of_file(path)) == slow_content(pq.read_table(path))


def test_a_content_is_written_as_32_digits_and_read_back() -> None:
    content = Content(1, (1 << 64) - 1)
    assert str(content) == "0000000000000001ffffffffffffffff"
    assert Content.of_text(str(content)) == content
    assert content + Content(0, 1) == Content(1, 0)
    with pytest.raises(ValueError, match="content"):
        Content.of_text("1")
