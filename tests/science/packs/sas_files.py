"""A file of SAS (.sas7bdat), which no package of Python writes: by the C functions that pyreadstat brings with it."""

import ctypes
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

EUC_KR, UTF_8 = 140, 20  # as the header of a file numbers encodings
_ENCODING_AT = 70
_STRING, _DOUBLE = 0, 5
_EPOCH = datetime.date(1960, 1, 1)  # from which SAS counts days
_WRITE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


def write_sas7bdat(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> None:
    """Write rows of texts, numbers and days; texts in `encoding` (utf-8 or cp949), which the header tells."""
    pyreadstat = pytest.importorskip("pyreadstat")
    library = next(Path(pyreadstat.__file__).parent.glob("_readstat_writer*.so"), None)
    if library is None:
        pytest.skip("missing: the C functions of pyreadstat")
    sas = ctypes.CDLL(str(library))
    for name in ("readstat_writer_init", "readstat_add_variable"):
        getattr(sas, name).restype = ctypes.c_void_p
    written = bytearray()

    @_WRITE
    def take(data: int, length: int, _context: object) -> int:
        written.extend(ctypes.string_at(data, length))
        return length

    def ask(name: str, *arguments: object) -> None:
        failed = getattr(sas, f"readstat_{name}")(*arguments)
        assert failed == 0, f"{name}: {failed}"

    writer = ctypes.c_void_p(sas.readstat_writer_init())
    ask("set_data_writer", writer, take)
    variables = []
    for at, name in enumerate(names):
        texts = [str(row[at]).encode(encoding) for row in rows if isinstance(row[at], str)]
        kind, width = (_STRING, max(map(len, texts))) if texts else (_DOUBLE, 8)
        variable = sas.readstat_add_variable(writer, name.encode(), kind, ctypes.c_size_t(width))
        variables.append(ctypes.c_void_p(variable))
        if any(isinstance(row[at], datetime.date) for row in rows):
            sas.readstat_variable_set_format(variables[-1], b"YYMMDD10")
    ask("begin_writing_sas7bdat", writer, None, ctypes.c_long(len(rows)))
    for row in rows:
        ask("begin_row", writer)
        for variable, value in zip(variables, row, strict=True):
            if isinstance(value, str):
                ask("insert_string_value", writer, variable, value.encode(encoding))
            elif value is None:
                ask("insert_missing_value", writer, variable)
            else:
                number = float((value - _EPOCH).days if isinstance(value, datetime.date) else value)
                ask("insert_double_value", writer, variable, ctypes.c_double(number))
        ask("end_row", writer)
    ask("end_writing", writer)
    sas.readstat_writer_free(writer)
    written[_ENCODING_AT] = EUC_KR if encoding == "cp949" else UTF_8
    path.write_bytes(written)
