"""Writing the hospital's files: code tables once, everything else a file per table and month, with their truth."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.science.synthesis.hospital.book import Numbers, records_of
from madang.science.synthesis.hospital.codes import EPOCH, code_tables
from madang.science.synthesis.hospital.damage import plan, spoiled
from madang.science.synthesis.hospital.layout import SNAPSHOTS, Column, layout
from madang.science.synthesis.hospital.records import Line, Record
from madang.science.synthesis.hospital.truth import truth_of
from madang.science.synthesis.lives import Population, simulate_chunk
from madang.science.synthesis.places import institutions

ENCODING = "cp949"
MOST_PERSON_YEARS = 100_000
"""A hospital's records are held in memory: 50,000 person-years take 1.8 GB."""


@dataclass(frozen=True)
class Export:
    """How the files are written."""

    population: Population
    dirt: int = 0
    line_end: str = "\r\n"
    truth: bool = True


def write_files(export: Export, folder: Path, progress: Progress) -> None:
    """Write all files, and their truth below `truth/`, into the empty folder `folder`.

    Raises `synthesis.persons` for more people and years than one hospital is made for.
    """
    population = export.population
    if population.persons * len(population.years) > MOST_PERSON_YEARS:
        raise MadangError(
            "synthesis.persons",
            f"{population.persons:,} people over {len(population.years)} years are too many for one hospital.",
            f"Ask for at most {MOST_PERSON_YEARS // len(population.years):,} people, or for fewer years.",
        )
    first, last = (population.start_year - 1970) * 12, (population.end_year - 1970) * 12 + 11
    records = code_tables(population, first)
    numbers = Numbers()
    places = institutions(population.persons, population.seed)
    with progress.step("lives", total=population.persons, unit="persons"):
        for chunk in range(population.chunks):
            lives = simulate_chunk(population, chunk, places)
            records += records_of(lives, numbers)
            progress.advance(len(lives.people))
    records = [record for record in records if delivered(record, last).lines]
    files = _files(records, first, last)
    with progress.step("files", total=len(files), unit="files"):
        for name, (table, lines) in files.items():
            plan(population.seed, name, table, lines, export.dirt)
            _write(folder / name, table, lines, export.line_end)
            progress.advance()
    if export.truth:
        with progress.step("truth"):
            (folder / "truth").mkdir()
            made = truth_of(records, files, population.end_year)
            for name, rows in made.items():
                pq.write_table(rows, folder / "truth" / f"{name}.parquet", compression="zstd")


def delivered(record: Record, last: int) -> Record:
    """A record with the lines that are delivered up to the last month."""
    record.lines = [line for line in record.lines if line.month <= last]
    return record


def _files(records: list[Record], first: int, last: int) -> dict[str, tuple[str, list[Line]]]:
    """The lines of every file, by its name, with the table; a month without news is a file with a header alone."""
    files: dict[str, tuple[str, list[Line]]] = {}
    for table in layout():
        if table in SNAPSHOTS:
            files[f"{table}.csv"] = (table, [])
        else:
            for month in range(first, last + 1):
                files[file_name(table, month)] = (table, [])
    for record in records:
        for line in record.lines:
            line.file = f"{record.table}.csv" if record.table in SNAPSHOTS else file_name(record.table, line.month)
            files[line.file][1].append(line)
    return files


def file_name(table: str, month: int) -> str:
    """The name of the file of a table and month (months from 1970-01)."""
    return f"{table}_{1970 + month // 12}{month % 12 + 1:02d}.csv"


def _write(path: Path, table: str, lines: list[Line], line_end: str) -> None:
    """Write one file and note the physical line of each row."""
    columns = layout()[table]
    names, end = [column.name for column in columns], line_end.encode()
    number = 2
    with path.open("wb") as out:
        out.write(",".join(column.header for column in columns).encode(ENCODING) + end)
        for line in lines:
            line.number = number
            facts = line.facts | {"OP": line.operation}
            cells = [_cell(column, facts.get(column.name)).encode(ENCODING) for column in columns]
            text = spoiled(table, line, names, cells, end)
            out.write(text)
            number += text.count(b"\n")


def _cell(column: Column, value: object) -> str:
    """A value as the hospital's system writes it."""
    if value is None:
        return ""
    if column.kind == "day":
        return f"{EPOCH + timedelta(days=int(str(value))):%Y%m%d}"
    if column.kind == "minute":
        return f"{int(str(value)) // 60:02d}{int(str(value)) % 60:02d}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text or '"' in text else text
