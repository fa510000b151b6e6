"""Writing the insurer's files: each chunk of people into parts, in several processes, then the parts into files."""

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.science.synthesis.chance import stream
from madang.science.synthesis.lives import CHUNK, Population, simulate_chunk
from madang.science.synthesis.nhis.claims import claims_of, delayed
from madang.science.synthesis.nhis.damage import (
    AFTER_DEATH,
    FATES,
    REJECTED,
    UNUSED,
    USED,
    Damage,
    lines_of,
    plan,
    spoil,
)
from madang.science.synthesis.nhis.fates import Damages, fates_of
from madang.science.synthesis.nhis.layout import layout
from madang.science.synthesis.nhis.rows import (
    Rows,
    checkup_rows,
    diagnosis_rows,
    fee_rows,
    header_rows,
    institution_rows,
    member_rows,
    prescription_rows,
)
from madang.science.synthesis.nhis.truth import truth_of
from madang.science.synthesis.places import institutions

FATE_ROWS = pa.schema(
    [
        ("file", pa.dictionary(pa.int16(), pa.string())),
        ("line", pa.int32()),
        ("fate", pa.dictionary(pa.int8(), pa.string())),
        ("reason", pa.dictionary(pa.int8(), pa.string())),
    ]
)
"""The columns of `truth/fates.parquet`: the physical line of the file, 1-based, of which the header is line 1."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Export:
    """How the files are written."""

    population: Population
    dirt: int = 0
    line_end: str = "\r\n"
    truth: bool = True
    version: int = 1


def write_files(export: Export, folder: Path, progress: Progress, workers: int | None = None) -> None:
    """Write all files, and their truth below `truth/`, into the empty folder `folder`."""
    parts = folder / "_parts"
    parts.mkdir()
    chunks = export.population.chunks
    workers = min(chunks, workers or os.cpu_count() or 1)
    with progress.step("lives", total=export.population.persons, unit="persons"):
        sizes = (min(CHUNK, export.population.persons - CHUNK * n) for n in range(chunks))
        for size, _ in zip(sizes, _run(export, parts, chunks, workers, progress), strict=True):
            progress.advance(size)
    _write_institutions(export, parts)
    stems = sorted({path.parent.name for path in parts.glob("*/*.csv")})
    with progress.step("files", total=len(stems), unit="files"):
        for stem in stems:
            _join(export, parts / stem, folder / f"{stem}.CSV")
            progress.advance()
    if export.truth:
        with progress.step("truth"):
            _join_truth(parts, stems, folder / "truth")
    shutil.rmtree(parts)


def _run(export: Export, parts: Path, chunks: int, workers: int, progress: Progress) -> Iterator[int]:
    """Write the parts of all chunks; gives a number for each that is done."""
    if workers == 1:
        for chunk in range(chunks):
            yield write_chunk(export, chunk, parts)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: set[Future[int]] = {pool.submit(write_chunk, export, chunk, parts) for chunk in range(chunks)}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            message = "A process that makes synthetic people ended at once; it may have run out of memory."
            hint = "Use one worker; a script of your own needs `if __name__ == '__main__':` for more than one."
            raise MadangError("synthesis.worker", message, hint) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def write_chunk(export: Export, chunk: int, parts: Path) -> int:
    """Write the parts of one chunk of people; returns its number."""
    population = export.population
    lives = simulate_chunk(population, chunk)
    book = claims_of(lives)
    if export.dirt:
        book = delayed(lives, book, AFTER_DEATH[export.dirt])
    made = {
        "members": member_rows(lives),
        "headers": header_rows(lives, book),
        "fees": fee_rows(lives, book),
        "diagnoses": diagnosis_rows(lives, book),
        "prescriptions": prescription_rows(lives, book),
        "checkups": checkup_rows(lives),
    }
    damages = {name: plan(population.seed, chunk, rows.table, len(rows), export.dirt) for name, rows in made.items()}
    fates = fates_of(lives, book, Damages(**damages))
    for name, rows in made.items():
        _write_rows(export, parts, chunk, rows, damages[name], getattr(fates, name))
    if export.truth:
        for name, table in truth_of(lives, book, Damages(**damages), fates).items():
            folder = parts / "truth" / name
            folder.mkdir(parents=True, exist_ok=True)
            pyarrow.feather.write_feather(table, str(folder / f"{chunk:05d}.arrow"), compression="lz4")
    return chunk


def _write_institutions(export: Export, parts: Path) -> None:
    population = export.population
    rows = institution_rows(population, institutions(population.persons, population.seed))
    damage = plan(population.seed, 0, "YK", len(rows), export.dirt)
    _write_rows(export, parts, 0, rows, damage, damage.fates())


def _write_rows(export: Export, parts: Path, chunk: int, rows: Rows, damage: Damage, fates: np.ndarray) -> None:
    names = [column.name for column in layout(1)[rows.table]]
    table = pa.table({name: rows.columns[name] for name in names})
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none", eol=export.line_end)
    for stem, where in rows.at.items():
        if where.start == where.stop:
            continue
        folder = parts / stem
        folder.mkdir(exist_ok=True)
        path = folder / f"{chunk:05d}.csv"
        piece, kind = table.slice(where.start, where.stop - where.start), damage.kind[where]
        if export.dirt:
            buffer = pa.BufferOutputStream()
            pyarrow.csv.write_csv(piece, buffer, options)
            text = spoil(buffer.getvalue().to_pybytes(), rows.table, names, kind, export.line_end.encode())
            path.write_bytes(text)
        else:
            pyarrow.csv.write_csv(piece, path, options)
        if export.truth:
            np.save(path.with_suffix(".npy"), lines_of(fates[where], kind))


def _join(export: Export, parts: Path, path: Path) -> None:
    """Put the parts of one file together, under a header."""
    table = parts.name.split("_")[1]
    header = ",".join(column.name for column in layout(1)[table]) + export.line_end
    begins_with_mark = export.dirt and stream(export.population.seed, 0, f"mark {parts.name}").random() < 0.1
    with path.open("wb") as out:
        out.write((BOM if begins_with_mark else b"") + header.encode())
        for part in sorted(parts.glob("*.csv")):
            with part.open("rb") as text:
                shutil.copyfileobj(text, out, 1 << 20)
            part.unlink()


GROWING = ("key_seq", "visit_key", "line")
"""Columns of truth that mostly grow: kept as differences, which takes a fraction of the space and time."""


def _parquet(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    growing = [name for name in schema.names if name in GROWING]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[name for name in schema.names if name not in growing],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in growing},
    )


def _join_truth(parts: Path, stems: list[str], folder: Path) -> None:
    """Put the truth of all chunks together; each file in a thread of its own."""
    folder.mkdir()
    names = sorted(path.name for path in (parts / "truth").iterdir())
    with ThreadPoolExecutor(2) as pool:
        joined = [pool.submit(_join_table, parts / "truth" / name, folder / f"{name}.parquet") for name in names]
        joined.append(pool.submit(_join_fates, parts, stems, folder / "fates.parquet"))
        for future in joined:
            future.result()


def _join_table(parts: Path, path: Path) -> None:
    chunks = sorted(parts.iterdir())
    with _parquet(path, pyarrow.feather.read_table(chunks[0]).schema) as writer:
        for chunk in chunks:
            writer.write_table(pyarrow.feather.read_table(chunk))
            chunk.unlink()


def _join_fates(parts: Path, stems: list[str], path: Path) -> None:
    files = pa.array([f"{stem}.CSV" for stem in stems])
    words = (USED, UNUSED, REJECTED)
    word_of = np.array([words.index(word) for word, _ in FATES], dtype=np.int8)
    fates, reasons = pa.array(words), pa.array([reason for _, reason in FATES])
    with _parquet(path, FATE_ROWS) as writer:
        for number, stem in enumerate(stems):
            line = 2
            for part in sorted((parts / stem).glob("*.npy")):
                codes = np.load(part)
                columns = [
                    pa.DictionaryArray.from_arrays(pa.array(np.full(len(codes), number, dtype=np.int16)), files),
                    pa.array(np.arange(line, line + len(codes), dtype=np.int32)),
                    pa.DictionaryArray.from_arrays(pa.array(word_of[codes]), fates),
                    pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), reasons),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=FATE_ROWS))
                line += len(codes)
