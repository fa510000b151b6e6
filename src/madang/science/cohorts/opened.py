"""A dataset version laid out for cohort SQL: the model's tables as views, its vocabulary, and nothing else in reach."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.cohorts.seam import CDM, RESULTS, STATISTICS
from madang.science.omop.cdm import KINDS, TABLES, duckdb_type
from madang.science.omop.release import mapped_with

MEMORY = "3GB"
_VOCABULARY = frozenset(KINDS["vocabulary"].split())


@dataclass(frozen=True)
class Opened:
    """One version in a confined engine: schema `cdm` has its tables, schema `results` takes cohorts."""

    engine: Engine
    version: Version
    vocabulary: Version | None
    tables: frozenset[str]

    @property
    def release(self) -> str:
        """The vocabulary release that concepts are looked up in; empty where there is none."""
        return "" if self.vocabulary is None else str(self.vocabulary.info.get("release", "") or self.vocabulary.name)

    def need(self, wanted: Iterable[str]) -> None:
        """Raise `cohort.table` where the version lacks a table, and `cohort.vocabulary` where it is the vocabulary."""
        missing = sorted(set(wanted) - self.tables)
        if not missing:
            return
        unknown = [table for table in missing if table not in TABLES]
        if unknown:
            message = _("The definition asks for the table {table}, which CDM 5.4 does not have.")
            raise MadangError("cohort.table", message.format(table=unknown[0].upper()))
        if set(missing) & _VOCABULARY:
            message = _("{name} has no vocabulary, so the concepts of the definition cannot be looked up.")
            hint = _("Import it with --vocabulary, or load the vocabulary that it was mapped with.")
            raise MadangError("cohort.vocabulary", message.format(name=self.version.name), hint)
        message = _("The definition asks for the table {table}, which {name} does not have.")
        raise MadangError("cohort.table", message.format(table=missing[0].upper(), name=self.version.name))


@contextmanager
def opened(
    version: Version,
    vocabulary: Version | None = None,
    *,
    memory: str = MEMORY,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Opened]:
    """Lay a version open for definitions: with the vocabulary that it was mapped with unless another one is given.

    The engine reads the files of the two versions and no other, writes none, and changes no setting.
    """
    vocabulary = vocabulary or mapped_with(version.dataset.lake, version)
    with (
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(memory, threads, spill=Path(spill)) as engine,
    ):
        engine.execute(f"CREATE SCHEMA {RESULTS}")
        files: dict[str, tuple[list[Path], list[str]]] = {}
        for each in (vocabulary, version):  # a table that both have is the version's own
            for name, table in each.tables.items() if each is not None else ():
                files[name.lower()] = (list(table.paths), [column for column, _kind in table.schema])
        for statement in view_statements(files):
            engine.execute(statement)
        engine.execute(
            f"CREATE TABLE {RESULTS}.cohort (cohort_definition_id INTEGER, subject_id BIGINT, cohort_start_date DATE, "
            "cohort_end_date DATE)"
        )
        for name, columns in STATISTICS.items():
            engine.execute(f"CREATE TABLE {RESULTS}.{name} (cohort_definition_id INTEGER, {columns})")
        engine.confine(path for paths, _columns in files.values() for path in paths)
        found = Opened(engine, version, vocabulary, frozenset(files))
        if progress is None:
            yield found
        else:
            with progress.interruptible(engine.cancel):
                yield found


def view_statements(tables: Mapping[str, tuple[Sequence[str | Path], Sequence[str]]]) -> list[str]:
    """Statements that lay tables open in schema `cdm`, given the files and columns of each by its name.

    A view has all columns of the model: those that the files lack have no value.
    """
    return [f"CREATE SCHEMA IF NOT EXISTS {CDM}", *(_view(name, *given) for name, given in tables.items())]


def _view(name: str, paths: Sequence[str | Path], columns: Sequence[str]) -> str:
    have = {column.lower() for column in columns}
    lacking = [field for field in TABLES[name].fields if field.name not in have] if name in TABLES else []
    more = "".join(f", CAST(NULL AS {duckdb_type(field)}) AS {quote_name(field.name)}" for field in lacking)
    return f"CREATE VIEW {CDM}.{quote_name(name)} AS SELECT *{more} FROM read_parquet({quote_paths(paths)})"


def drop_leftovers(engine: Engine) -> None:
    """Remove the temporary tables that a script which failed halfway has left."""
    names = engine.rows("SELECT table_name FROM duckdb_tables() WHERE temporary")
    for (name,) in names:
        engine.execute(f"DROP TABLE IF EXISTS temp.{quote_name(name)}")
