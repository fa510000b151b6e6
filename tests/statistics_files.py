"""Files of SAS, SPSS and Stata, written by the C functions that pyreadstat brings with it: no data frame is needed."""

import ctypes
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

EUC_KR, UTF_8 = 140, 20  # as the header of a file of SAS numbers encodings
_ENCODING_AT = 70
_STRING, _FLOAT, _DOUBLE = 0, 4, 5
_EPOCH = datetime.date(1960, 1, 1)  # from which SAS and Stata count days
_WRITE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_KINDS = {".sas7bdat": "sas7bdat", ".xpt": "xport", ".sav": "sav", ".zsav": "sav", ".dta": "dta"}


class Missing(str):
    """A missing value with a letter, as .A of SAS and .a of Stata."""


def write_statistics(
    path: Path,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    formats: Mapping[str, str] | None = None,
    floats: Sequence[str] = (),
    encoding: str = "utf-8",
    version: int = 0,
    compressed: bool = False,
    labels: Mapping[str, Mapping[int, str]] | None = None,
    user_missing: Mapping[str, float] | None = None,
) -> None:
    """Write rows of texts, numbers and days as a file of the kind that its ending says."""
    pyreadstat = pytest.importorskip("pyreadstat")
    library = next(Path(pyreadstat.__file__).parent.glob("_readstat_writer*.so"), None)
    if library is None:
        pytest.skip("missing: the C functions of pyreadstat")
    stat = ctypes.CDLL(str(library))
    for name in ("readstat_writer_init", "readstat_add_variable", "readstat_add_label_set"):
        getattr(stat, name).restype = ctypes.c_void_p
    written = bytearray()

    @_WRITE
    def take(data: int, length: int, _context: object) -> int:
        written.extend(ctypes.string_at(data, length))
        return length

    def ask(name: str, *arguments: object) -> None:
        failed = getattr(stat, f"readstat_{name}")(*arguments)
        assert failed == 0, f"{name}: {failed}"

    handle = ctypes.c_void_p(stat.readstat_writer_init())
    ask("set_data_writer", handle, take)
    if version:
        ask("writer_set_file_format_version", handle, ctypes.c_uint8(version))
    if compressed:
        ask("writer_set_compression", handle, 2 if path.suffix == ".zsav" else 1)
    variables = []
    for at, name in enumerate(names):
        texts = [str(row[at]).encode(encoding) for row in rows if isinstance(row[at], str) and type(row[at]) is str]
        kind, width = (_STRING, max(map(len, texts))) if texts else (_FLOAT if name in floats else _DOUBLE, 8)
        variable = stat.readstat_add_variable(handle, name.encode(), kind, ctypes.c_size_t(width))
        variables.append((ctypes.c_void_p(variable), kind))
        shown = (formats or {}).get(name)
        if shown is None and any(isinstance(row[at], datetime.date) for row in rows):
            shown = "%td" if path.suffix == ".dta" else "YYMMDD10"
        if shown:
            stat.readstat_variable_set_format(variables[-1][0], shown.encode())
        if name in (labels or {}):
            made = ctypes.c_void_p(stat.readstat_add_label_set(handle, kind, f"l{at}".encode()))
            for value, label in (labels or {})[name].items():
                stat.readstat_label_double_value(made, ctypes.c_double(value), label.encode())
            stat.readstat_variable_set_label_set(variables[-1][0], made)
        if name in (user_missing or {}):
            stat.readstat_variable_add_missing_double_value(
                variables[-1][0], ctypes.c_double((user_missing or {})[name])
            )
    ask(f"begin_writing_{_KINDS[path.suffix]}", handle, None, ctypes.c_long(len(rows)))
    for row in rows:
        ask("begin_row", handle)
        for (variable, kind), value in zip(variables, row, strict=True):
            if isinstance(value, Missing):
                ask("insert_tagged_missing_value", handle, variable, ctypes.c_char(value.encode()))
            elif isinstance(value, str):
                ask("insert_string_value", handle, variable, value.encode(encoding))
            elif value is None:
                ask("insert_missing_value", handle, variable)
            elif kind == _FLOAT:
                ask("insert_float_value", handle, variable, ctypes.c_float(value))
            else:
                number = float((value - _EPOCH).days if isinstance(value, datetime.date) else value)
                ask("insert_double_value", handle, variable, ctypes.c_double(number))
        ask("end_row", handle)
    ask("end_writing", handle)
    stat.readstat_writer_free(handle)
    if path.suffix == ".sas7bdat":
        written[_ENCODING_AT] = EUC_KR if encoding == "cp949" else UTF_8
    path.write_bytes(written)


def write_sas7bdat(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> None:
    """Write rows of texts, numbers and days as a file of SAS; texts in `encoding`, which the header tells."""
    write_statistics(path, names, rows, encoding=encoding)
