"""Cases of a pack: given source rows, expected CDM rows. They are the pack's tests and its examples.

A case is `cases/NAME.toml`:

    title = "A cancelled order makes no exposure"
    [[given.orders]]
    ORDER_NO = "1"
    STATE = "cancelled"
    [expect]
    drug_exposure = []
    [fates]
    orders = ["unused: cancelled"]
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from madang.science.omop.athena import VOCABULARY_TABLES
from madang.science.omop.cdm import TABLES
from madang.science.omop.starter import starter_path
from madang.science.standardize.hints import instead_of
from madang.science.standardize.intake.tables import KINDS
from madang.science.standardize.pack_model import CAPTURE, Pack, Source, fallback
from madang.science.standardize.toml_lines import TomlFile, read_toml

Row = Mapping[str, Any]

_FATE = re.compile(r"used|(rejected|unused): .+")
_VALIDITY = {"valid_start_date": "19700101", "valid_end_date": "20991231"}


@dataclass(frozen=True)
class Case:
    """One case as written; rows of given sources are text cells by column name."""

    name: str
    title: str
    parameters: Mapping[str, Any]
    vocabulary: str | Mapping[str, Sequence[Row]]
    """`starter`, or rows of vocabulary tables."""
    given: Mapping[str, Sequence[Row]]
    expect: Mapping[str, Sequence[Row]]
    fates: Mapping[str, Sequence[str]]
    file: TomlFile


@dataclass(frozen=True)
class Written:
    """Where each given row went: per source, in order, file (relative to the source folder) and physical line."""

    places: Mapping[str, Sequence[tuple[str, int]]]


def load_case(pack: Pack, path: Path) -> Case:
    """Read one case of `pack`.

    Errors: `pack.bad_case` with file and line for unknown sources, columns, tables and fields.
    """
    file = read_toml(path, f"{pack.folder.name}/cases/{path.name}")
    data = file.data
    _known(file, (), data, ("title", "parameters", "vocabulary", "given", "expect", "fates"))
    given, expect, fates = (_table(file, key) for key in ("given", "expect", "fates"))
    _known(file, ("given",), given, pack.sources)
    for source, rows in given.items():
        declared = pack.sources[source]
        for index, row in enumerate(_rows(file, ("given", source), rows)):
            _known(file, ("given", source, index), row, (*declared.columns, *declared.captures, "_file"))
    extra = {f"{entity.name}_extra": ("person_id", *entity.extra) for entity in pack.entities.values() if entity.extra}
    _known(file, ("expect",), expect, {*TABLES, *extra})
    for table, rows in expect.items():
        for index, row in enumerate(_rows(file, ("expect", table), rows)):
            _known(file, ("expect", table, index), row, extra.get(table) or TABLES[table].names)
    _known(file, ("fates",), fates, given)
    for source, words in fates.items():
        if not isinstance(words, list) or len(words) != len(given[source]):
            raise file.error("pack.bad_case", ("fates", source), "fates need one text for each given row, in order.")
        for word in words:
            if not isinstance(word, str) or not _FATE.fullmatch(word):
                message = f'a fate is "used", "rejected: reason" or "unused: rule", not {word!r}.'
                raise file.error("pack.bad_case", ("fates", source), message)
    vocabulary = data.get("vocabulary", "starter")
    if isinstance(vocabulary, dict):
        _known(file, ("vocabulary",), vocabulary, VOCABULARY_TABLES)
        for table, rows in vocabulary.items():
            for index, row in enumerate(_rows(file, ("vocabulary", table), rows)):
                _known(file, ("vocabulary", table, index), row, TABLES[table].names)
    elif vocabulary != "starter":
        message = 'vocabulary is "starter" or tables of rows, as [[vocabulary.concept]].'
        raise file.error("pack.bad_case", ("vocabulary",), message)
    title = str(data.get("title", path.stem))
    return Case(path.stem, title, _table(file, "parameters"), vocabulary, given, expect, fates, file)


def _table(file: TomlFile, key: str) -> dict[str, Any]:
    value = file.data.get(key, {})
    if not isinstance(value, dict):
        raise file.error("pack.bad_case", (key,), f"{key} has to be a table.")
    return value


def _rows(file: TomlFile, path: tuple[str, ...], rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise file.error("pack.bad_case", path, f"{'.'.join(path)} has to be a list of rows, as [[{'.'.join(path)}]].")
    return rows


def _known(file: TomlFile, path: tuple[str | int, ...], given: Mapping[str, Any], names: Any) -> None:
    for name in given:
        if name not in names:
            where = ".".join(str(part) for part in path if isinstance(part, str)) or "a case"
            raise file.error("pack.bad_case", (*path, name), f"{where} has no {name}.", instead_of(name, names))


def as_cases_have_it(pack: Pack) -> Pack:
    """The pack with text in place of spreadsheets and files of statistics programs: cases write no others."""
    sources = {
        name: replace(
            source,
            format="csv" if source.format in KINDS.values() else source.format,
            encoding="utf-8" if fallback(source.encoding) else source.encoding,
            files=tuple(_as_csv(pattern) for pattern in source.files),
        )
        for name, source in pack.sources.items()
    }
    return replace(pack, sources=MappingProxyType(sources))


def _as_csv(pattern: str) -> str:
    stem, dot, ending = pattern.rpartition(".")
    return f"{stem}.csv" if f"{dot}{ending}".lower() in KINDS else pattern


def write_sources(pack: Pack, case: Case, folder: Path) -> Written:
    """Write the given rows as files as the holder would deliver them; every pattern of a source gets a file."""
    places: dict[str, list[tuple[str, int]]] = {}
    for source in pack.sources.values():
        rows = case.given.get(source.name, ())
        files: dict[str, list[Row]] = {}
        places[source.name] = []
        for row in rows:
            name = str(row.get("_file") or _file_name(source.files[0], row))
            files.setdefault(name, []).append(row)
            first_line = 1 if source.format == "ndjson" else 2
            places[source.name].append((name, first_line + len(files[name]) - 1))
        for pattern in () if source.optional else source.files:
            if not any(_matches(pattern, name) for name in files):
                files[_file_name(pattern, {})] = []
        for name, lines in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write = _write_ndjson if source.format == "ndjson" else _write_delimited
            write(path, source, lines)
    return Written(places)


def _file_name(pattern: str, row: Row) -> str:
    """A file pattern with the captures that the row gives (1 where it gives none)."""
    return CAPTURE.sub(lambda found: str(row.get(found[1], "1")), pattern)


def _matches(pattern: str, name: str) -> bool:
    """Whether a file of this name is one of the pattern."""
    fixed = CAPTURE.split(pattern)[::2]
    return re.fullmatch(".+".join(re.escape(part) for part in fixed), name) is not None


def _write_delimited(path: Path, source: Source, rows: Sequence[Row]) -> None:
    with path.open("w", encoding=source.encoding, newline="") as out:
        writer = csv.writer(out, delimiter=source.delimiter, lineterminator="\n")
        writer.writerow([column.header or column.name for column in source.columns.values()])
        for row in rows:
            writer.writerow([_cell(row.get(name, "")) for name in source.columns])


def _write_ndjson(path: Path, source: Source, rows: Sequence[Row]) -> None:
    with path.open("w", encoding=source.encoding) as out:
        for row in rows:
            document: dict[str, Any] = {}
            for column in source.columns.values():
                if column.name in row:
                    _place(document, (column.path or column.name).partition("|")[0], row[column.name])
            out.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")


def _place(document: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where `path`, as `a.b[0].c`, leads; `[*]` is the first element of a list."""
    here: Any = document
    steps: list[str | int] = [
        int(step[1:-1].replace("*", "0")) if step.startswith("[") else step
        for step in re.findall(r"\[(?:\d+|\*)\]|[^.\[\]]+", path)
    ]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            here.extend([None] * (step + 1 - len(here)))
        if following is None:
            here[step] = value
            return
        inner = here[step] if isinstance(step, int) else here.get(step)
        if inner is None:
            inner = [] if isinstance(following, int) else {}
            here[step] = inner
        here = inner


def _cell(value: Any) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool | list | dict) else str(value)
    )


def write_vocabulary(case: Case, folder: Path) -> Path:
    """The folder of the case's vocabulary, in Athena's format."""
    if isinstance(case.vocabulary, str):
        return starter_path()
    for table in ("concept", "concept_relationship", "vocabulary", *case.vocabulary):
        names = TABLES[table].names
        with (folder / f"{table.upper()}.csv").open("w", encoding="utf-8") as out:
            out.write("\t".join(names) + "\n")
            for row in case.vocabulary.get(table, ()):
                values = {**_VALIDITY, "standard_concept": "", **row}
                out.write("\t".join(_athena(values.get(name, "")) for name in names) + "\n")
    return folder


def _athena(value: Any) -> str:
    return value.strftime("%Y%m%d") if isinstance(value, date) else str(value)


def same_value(expected: Any, actual: Any) -> bool:
    """Whether a stated value is the one that came; empty text states null, dates may be text."""
    if expected == "":
        return actual is None
    if actual is None:
        return False
    if isinstance(actual, datetime) and isinstance(expected, date) and not isinstance(expected, datetime):
        return False
    return bool(expected == actual) or (isinstance(expected, str) and expected == str(actual))


def unmatched(expected: Sequence[Row], actual: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Numbers of the expected rows without a partner and of the actual ones, in the best matching of all.

    An expected row states some columns only, so it may fit several actual rows: augmenting paths find the most pairs.
    """
    fits = [
        [j for j, row in enumerate(actual) if all(same_value(value, row.get(name)) for name, value in wanted.items())]
        for wanted in expected
    ]
    partner: dict[int, int] = {}  # actual -> expected

    def assign(i: int, seen: set[int]) -> bool:
        for j in fits[i]:
            if j not in seen:
                seen.add(j)
                if j not in partner or assign(partner[j], seen):
                    partner[j] = i
                    return True
        return False

    lonely = [i for i in range(len(expected)) if not assign(i, set())]
    return lonely, [j for j in range(len(actual)) if j not in partner]
