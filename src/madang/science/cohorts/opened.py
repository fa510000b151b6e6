"""A dataset version laid out for cohort SQL: the model's tables as views, its vocabulary, and nothing else in reach."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.cohorts.seam import CDM, RESULTS, STATISTICS
from madang.science.omop.cdm import KINDS, TABLES, duckdb_type
from madang.science.omop.release import mapped_with

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = "3GB"
_VOCABULARY = frozenset(KINDS["vocabulary"].split())


class Asking(Protocol):
    """An engine that runs the script of a definition, and says what came of it."""

    def execute(self, sql: str) -> None:
        """Run a script."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""

    def query(self, sql: str) -> "pa.Table":
        """The same as a table, with the names of its columns."""


@dataclass(frozen=True, kw_only=True)
class Laid(ABC):
    """One version laid out for definitions: schema `cdm` has its tables, schema `results` takes cohorts."""

    version: Version
    vocabulary: Version | None
    tables: frozenset[str]

    @property
    @abstractmethod
    def asking(self) -> Asking:
        """The engine that definitions run on."""

    @abstractmethod
    def tidy(self, *, members: bool = False) -> None:
        """Remove what a script that failed halfway has left, or (`members`) members where they take up room."""

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


@dataclass(frozen=True, kw_only=True)
class Opened(Laid):
    """One version in a confined engine."""

    engine: Engine

    @property
    def asking(self) -> Asking:
        """Ours."""
        return self.engine

    def tidy(self, *, members: bool = False) -> None:
        """Remove the temporary tables of a script; members stay, for who is in which of several cohorts."""
        for (name,) in [] if members else self.engine.rows("SELECT table_name FROM duckdb_tables() WHERE temporary"):
            self.engine.execute(f"DROP TABLE IF EXISTS temp.{quote_name(name)}")


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
        for statement in result_statements():
            engine.execute(statement)
        engine.confine(path for paths, _columns in files.values() for path in paths)
        found = Opened(engine=engine, version=version, vocabulary=vocabulary, tables=frozenset(files))
        if progress is None:
            yield found
        else:
            with progress.interruptible(engine.cancel):
                yield found


def result_statements() -> list[str]:
    """Statements that make the tables of `results`, which take members and their statistics."""
    cohort = "subject_id BIGINT, cohort_start_date DATE, cohort_end_date DATE"
    return [
        f"CREATE TABLE {RESULTS}.{name} (cohort_definition_id INTEGER, {columns})"
        for name, columns in ({"cohort": cohort} | STATISTICS).items()
    ]


def view_statements(tables: Mapping[str, tuple[Sequence[str | Path], Sequence[str]]]) -> list[str]:
    """Statements that lay tables open in schema `cdm`, given the files and columns of each by its name.

    A view has all columns of the model: those that the files lack have no value.
    """
    views = (view_of(name, f"read_parquet({quote_paths(paths)})", columns) for name, (paths, columns) in tables.items())
    return [f"CREATE SCHEMA IF NOT EXISTS {CDM}", *views]


def view_of(name: str, source: str, columns: Sequence[str]) -> str:
    """A statement that lays a table open, given where its rows are and which columns they have."""
    have = {column.lower() for column in columns}
    lacking = [field for field in TABLES[name].fields if field.name not in have] if name in TABLES else []
    more = "".join(f", CAST(NULL AS {duckdb_type(field)}) AS {quote_name(field.name)}" for field in lacking)
    return f"CREATE VIEW {CDM}.{quote_name(name)} AS SELECT *{more} FROM {source}"
