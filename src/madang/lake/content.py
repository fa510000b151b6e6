"""The content hash: a sum over rows that depends neither on their order, nor on the files, nor on the engine.

The encoding is written down in docs/lake.md; whoever follows that page gets the same 128 bits. The sum of a table is
the sum of its files, so files that did not change are never read again. It tells whether two tables hold the same
rows. It does not protect against somebody who wants two tables to agree: that is what the SHA-256 of files is for.
"""

import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from madang.lake.content_sum import MASK, Content
from madang.lake.engine import Engine

Words = npt.NDArray[np.uint64]

LANES = (0x9E3779B97F4A7C15, 0x3C6EF372FE94F82A)
_BLOCK = 1 << 15  # rows per pass: what fits into the second-level cache
_SAMPLE = 1_000  # values by which a column is taken for one that repeats itself
_MANY = 20_000
_NAN = np.uint64(0x7FF8000000000000)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def content_of_file(path: Path, row_groups: Iterable[int] | None = None) -> Content:
    """The content of a Parquet file, or of some of its row groups."""
    metadata = pq.read_metadata(path)
    groups = list(range(metadata.num_row_groups) if row_groups is None else row_groups)
    with (
        pq.ParquetFile(path, metadata=metadata, read_dictionary=_repetitive(metadata, groups)) as file,
        _Digests() as digests,
    ):
        return Content.total(
            _content(file.read_row_group(group, columns=_filled(metadata.row_group(group)), use_threads=False), digests)
            for group in groups
        )


def content_of_table(table: pa.Table) -> Content:
    """The content of an Arrow table of flat columns."""
    with _Digests() as digests:
        return _content(table, digests)


def _repetitive(metadata: pq.FileMetaData, groups: Iterable[int]) -> list[str]:
    """The text columns that the file holds as dictionaries: their values need to be hashed only once each."""
    chunks = [metadata.row_group(group).column(place) for group in groups for place in range(metadata.num_columns)]
    return sorted({c.path_in_schema for c in chunks if c.physical_type == "BYTE_ARRAY" and c.has_dictionary_page})


def _filled(group: pq.RowGroupMetaData) -> list[str]:
    """The columns of a row group that are not known to be null alone: the others add nothing."""
    chunks = [group.column(place) for place in range(group.num_columns)]
    return [c.path_in_schema for c in chunks if not (c.is_stats_set and c.statistics.null_count == group.num_rows)]


def _content(table: pa.Table, digests: "_Digests") -> Content:
    sums = np.zeros(table.num_rows, np.uint64)
    for name, column in zip(table.column_names, table.columns, strict=True):
        seed = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
        start = 0
        for chunk in column.chunks:
            _add_chunk(sums[start : start + len(chunk)], chunk, seed, digests)
            start += len(chunk)
    totals = [0, 0]
    scratch = np.empty(_BLOCK, np.uint64)
    for start in range(0, len(sums), _BLOCK):
        block = sums[start : start + _BLOCK]
        for lane, constant in enumerate(LANES):
            mixed = block + np.uint64(constant)
            _mix(mixed, scratch[: len(mixed)])
            totals[lane] += int(mixed.sum(dtype=np.uint64))
    return Content(totals[0] & MASK, totals[1] & MASK)


def _mix(words: Words, scratch: Words) -> None:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014; public domain), in place."""
    np.right_shift(words, np.uint64(30), out=scratch)
    np.bitwise_xor(words, scratch, out=words)
    np.multiply(words, np.uint64(0xBF58476D1CE4E5B9), out=words)
    np.right_shift(words, np.uint64(27), out=scratch)
    np.bitwise_xor(words, scratch, out=words)
    np.multiply(words, np.uint64(0x94D049BB133111EB), out=words)
    np.right_shift(words, np.uint64(31), out=scratch)
    np.bitwise_xor(words, scratch, out=words)


def _add_chunk(sums: Words, chunk: pa.Array, seed: np.uint64, digests: "_Digests") -> None:
    """Add the mixed patterns of one column's values to the sums of their rows; null adds nothing."""
    if chunk.null_count == len(chunk):
        return
    if _by_digest(chunk.type) and len(chunk[:_SAMPLE].unique()) < _SAMPLE * 0.9:
        chunk = chunk.dictionary_encode()
    if pa.types.is_dictionary(chunk.type):
        mixed = np.append(_patterns(chunk.dictionary, digests) + seed, np.uint64(0))
        _mix(mixed[:-1], np.empty(len(mixed) - 1, np.uint64))
        places = chunk.indices.fill_null(len(mixed) - 1).to_numpy()
        sums += mixed[places]
        return
    patterns = _patterns(chunk, digests)
    valid = chunk.is_valid().to_numpy(zero_copy_only=False) if chunk.null_count else None
    words, scratch = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    for start in range(0, len(sums), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(sums)))
        size = part.stop - start
        np.add(patterns[part], seed, out=words[:size])
        _mix(words[:size], scratch[:size])
        if valid is not None:
            words[:size] *= valid[part]
        sums[part] += words[:size]


def _by_digest(kind: pa.DataType) -> bool:
    return any(test(kind) for test in _TEXT) or (pa.types.is_decimal128(kind) and kind.precision > 18)


class _Digests:
    """The first 8 bytes of the SHA-256 of many values.

    An engine does it at half of Python's cost and without holding up other threads, but takes as long to start as
    `_MANY` values take: it is started when they come, and used again.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()

    def of(self, values: pa.Array) -> Words:
        """The digest of each value's bytes; what stands in the place of nulls does not matter."""
        if pa.types.is_decimal128(values.type):
            return self._of_bytes(
                memoryview(values.buffers()[1]), [16 * (values.offset + i) for i in range(len(values) + 1)]
            )
        wide = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
        if len(values) >= _MANY:
            return self._of_many(values.cast(pa.large_binary() if wide else pa.binary()))
        _, offsets, data = values.buffers()
        ends = np.frombuffer(offsets, np.int64 if wide else np.int32)
        return self._of_bytes(
            memoryview(data if data is not None else b""),
            ends[values.offset : values.offset + len(values) + 1].tolist(),
        )

    @staticmethod
    def _of_bytes(data: memoryview, ends: list[int]) -> Words:
        sha256 = hashlib.sha256
        joined = b"".join([sha256(data[start:end]).digest()[:8] for start, end in itertools.pairwise(ends)])
        return np.frombuffer(joined, ">u8").astype(np.uint64)

    def _of_many(self, values: pa.Array) -> Words:
        if self._engine is None:
            self._engine = Engine(threads=1, preserve_insertion_order=True)
        self._engine.register("_values", pa.table({"value": values}))
        found = self._engine.query(
            "SELECT coalesce(('0x' || left(sha256(value), 16))::UBIGINT, 0) AS digest FROM _values"
        )
        self._engine.unregister("_values")
        digests: Words = found["digest"].to_numpy()
        return digests


def _patterns(chunk: pa.Array, digests: _Digests) -> Words:
    """The 64-bit pattern of each value; what stands in the place of nulls does not matter."""
    if _by_digest(chunk.type):
        return digests.of(chunk)
    kind = chunk.type
    if pa.types.is_boolean(kind):
        chunk = chunk.cast(pa.int8())
    elif pa.types.is_timestamp(kind):
        chunk = chunk.cast(pa.timestamp("us", kind.tz))
    elif pa.types.is_float32(kind):
        chunk = chunk.cast(pa.float64())
    width = 16 if pa.types.is_decimal128(kind) else chunk.type.bit_width // 8
    raw = chunk.buffers()[1][chunk.offset * width : (chunk.offset + len(chunk)) * width]
    if width == 16:
        return np.frombuffer(raw, np.uint64)[::2]  # precision up to 18: the low word has the whole number
    if pa.types.is_floating(kind):
        words = np.frombuffer(raw, np.float64) + 0.0  # -0.0 becomes 0.0
        return np.where(np.isnan(words), _NAN, words.view(np.uint64))
    return np.frombuffer(raw, f"i{width}").astype(np.int64, copy=False).view(np.uint64)
