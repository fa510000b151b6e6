"""A table as SAS XPT, Stata or SPSS reads it, with the program that reads it, and what the format lost.

SAS XPT is version 5 (names of 8 letters, texts of 200 bytes), which every reader of it knows; Stata is version 15
(names of 32 letters), SPSS `.sav` (names of 64 bytes).
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any

FORMS = {"xpt": ("SAS XPT", 8, 200), "dta": ("Stata", 32, 2045), "sav": ("SPSS", 64, 32767)}


@dataclass
class Exported:
    """What was written: the file, the program that reads it, new names of columns, and in words what was lost."""

    path: str
    program: str
    names: dict[str, str]
    lost: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        renamed = [f"  {old} is now {new}" for old, new in self.names.items() if old != new]
        return "\n".join([self.path, self.program, *renamed, *(f"  {each}" for each in self.lost)])


def export(frame: Any, name: str, form: str, folder: str = "/workspace") -> Exported:
    """Write a pandas frame as `form` (xpt, dta, sav) into `folder`; see the module. Errors: ValueError."""
    import pyreadstat

    if form not in FORMS:
        raise ValueError(f"form is one of {', '.join(FORMS)}")
    _title, longest, bytes_of_text = FORMS[form]
    names = short_names([str(column) for column in frame.columns], longest)
    kept, lost = frame.copy(), []
    kept.columns = list(names.values())
    for new, old in zip(kept.columns, frame.columns, strict=True):
        kept[new], said = _column(kept[new], bytes_of_text, form)
        lost += [f"{old}: {each}" for each in said]
    stem = re.sub(r"[^a-z0-9_]", "_", name.lower())[:longest] or "data"
    path = os.path.join(folder, f"{stem}.{form}")
    labels: list[str | None] = [str(column)[:40] for column in frame.columns]
    if form == "xpt":
        pyreadstat.write_xport(kept, path, file_format_version=5, table_name=stem[:8].upper(), column_labels=labels)
    elif form == "dta":
        pyreadstat.write_dta(kept, path, version=15, column_labels=labels)
    else:
        pyreadstat.write_sav(kept, path, column_labels=labels)
    program = _program(path, stem, form)
    return Exported(path, program, names, lost)


def short_names(names: list[str], longest: int) -> dict[str, str]:
    """Names that the format takes, each once: letters, digits and underscores, a letter first, `longest` at most."""
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not plain or not plain[0].isalpha():
            plain = f"V{plain}"
        short, number = plain[:longest], 1
        while short.upper() in taken:
            number += 1
            short = f"{plain[: longest - len(str(number))]}{number}"
        taken.add(short.upper())
        given[name] = short
    return given


def _column(column: Any, longest: int, form: str) -> tuple[Any, list[str]]:
    """A column as the format can hold it, and what that cost."""
    import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]  # of workspaces

    lost = []
    if pd.api.types.is_bool_dtype(column):
        column = column.astype("Int64").astype("float64")
    elif pd.api.types.is_integer_dtype(column):
        large = int((column.abs() > 2**53).sum())
        if large:
            lost.append(f"{large} whole numbers above 2^53 are no longer exact")
        column = column.astype("float64")
    elif column.dtype == object or pd.api.types.is_string_dtype(column):
        filled = column.dropna()
        if len(filled) and all(hasattr(value, "isoformat") for value in filled.head(100)):
            return column, lost
        texts = column.map(lambda value: "" if value is None or value != value else str(value))
        empty = int(column.isna().sum())
        cut = texts.map(lambda text: text.encode()[:longest].decode("utf-8", "ignore"))
        shortened = int((cut != texts).sum())
        if shortened:
            lost.append(f"{shortened} texts were cut at {longest} bytes")
        if empty:
            lost.append(f"{empty} missing texts are empty texts")
        foreign = int(texts.map(lambda text: not text.isascii()).sum())
        if foreign and form == "xpt":
            lost.append(f"{foreign} texts are not ASCII: read the file as UTF-8")
        column = cut
    return column, lost


def _program(path: str, stem: str, form: str) -> str:
    """The program that reads the file, beside it."""
    name = os.path.basename(path)
    text, ending = {
        "xpt": (
            f"libname given xport '{name}';\nproc copy in=given out=work; run;\n"
            f"proc contents data=work.{stem[:8]}; run;\n",
            "sas",
        ),
        "dta": (f'use "{name}", clear\ndescribe\n', "do"),
        "sav": (f"GET FILE='{name}'.\nDISPLAY DICTIONARY.\n", "sps"),
    }[form]
    program = f"{path.rpartition('.')[0]}.{ending}"
    with open(program, "w", encoding="utf-8") as file:
        file.write(text)
    return program
