"""What a source gives: its tables as relations that the engine can read, whatever they are kept in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.engine import Engine


@dataclass(frozen=True)
class GivenTable:
    """One table of a source.

    `name` is in small letters, `relation` what stands in SQL after FROM, `columns` (name as it is, SQL type), `state` a
    hash that changes when the content does, `place` how people find it, `notes` what is odd about it.
    """

    name: str
    relation: str
    columns: tuple[tuple[str, str], ...]
    state: str
    place: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """A source: its `kind` (files, duckdb, postgresql), its name (no password), its tables, what else was there."""

    kind: str
    name: str
    tables: Mapping[str, GivenTable]
    ignored: tuple[str, ...] = ()


@contextmanager
def opened(source: str, engine: Engine, *, schema: str, encoding: str, progress: Progress) -> Iterator[Given]:
    """The tables of a source, for as long as the block lasts.

    Errors: `import.not_found`, `import.not_a_model` and others of the area `import`, one sentence each.
    """
    from madang.science.omop.importing import databases, text_files

    with TemporaryDirectory(prefix="madang-import-") as folder:
        if source.startswith(("postgresql://", "postgres://")):
            given = databases.postgresql(source, engine, schema, Path(folder), progress)
        elif Path(source).is_dir():
            given = text_files.folder(Path(source), engine, encoding, Path(folder), progress)
        elif Path(source).is_file():
            given = databases.duckdb_file(Path(source), engine, schema)
        else:
            raise MadangError("import.not_found", _("There is nothing at {source}.").format(source=source), _hint())
        if "person" not in given.tables and "person" in (name.lower() for name in given.ignored):
            raise MadangError(
                "import.not_a_model",
                _("PERSON of {source} is a view, and views of such a file are not read.").format(source=given.name),
                _("Make a table of each view: CREATE TABLE ... AS FROM ..."),
            )
        if "person" not in given.tables:
            raise MadangError(
                "import.not_a_model",
                _("{source} has no table PERSON, so it is no common data model.").format(source=given.name),
                _hint(),
            )
        yield given


def _hint() -> str:
    return _("Give a folder of CSV or Parquet files, a DuckDB file, or an address postgresql://user@host/database.")
