"""A vocabulary: concepts, their relationships and ancestors, loaded once into the lake and looked up from there.

`load_vocabulary` makes a dataset version of a download; `Vocabulary` is a vocabulary attached to an engine, from
such a version or straight from a folder, with the look-ups that people ask for. Look-ups of whole columns of codes
are in `mapping`.
"""

import datetime
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake import Dataset, Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.athena import (
    NOT_MERGED,
    REQUIRED,
    UNKNOWN_RELEASE,
    VOCABULARY_TABLES,
    empty_select,
    explained,
    mended,
    names_in,
    opened,
    place,
)
from madang.science.omop.athena import Source as AthenaFile
from madang.science.omop.cdm import TABLES

KIND = "vocabulary"
"""What a version that `load_vocabulary` made is called in its manifest."""

SORTED_BY = {
    "concept": "vocabulary_id, concept_code, concept_id",
    "concept_relationship": "relationship_id, concept_id_1, concept_id_2",
    "concept_ancestor": "ancestor_concept_id, descendant_concept_id",
    "concept_synonym": "concept_id",
    "drug_strength": "drug_concept_id, ingredient_concept_id",
}
"""The order of rows in the lake, so that a look-up reads few row groups."""

CURRENT = "coalesce(invalid_reason, '') = ''"
"""SQL: a concept or relationship that is valid in this release."""

MOST_REPLACEMENTS = 5
"""How many times 'Concept replaced by' is followed."""


@dataclass(frozen=True)
class Concept:
    """One concept. `standard` is 'S' (standard), 'C' (classification) or None; `invalid_reason` None, 'D' or 'U'."""

    concept_id: int
    name: str
    domain_id: str
    vocabulary_id: str
    concept_class_id: str
    standard: str | None
    code: str
    valid_from: datetime.date
    valid_to: datetime.date
    invalid_reason: str | None


def load_vocabulary(
    source: Path,
    dataset: Dataset,
    engine: Engine,
    progress: Progress | None = None,
    info: Mapping[str, Any] | None = None,
) -> Version:
    """Make an Athena download, a folder or a zip, the next version of `dataset`, and return that version.

    Rows are sorted as `SORTED_BY` says. The manifest's info has the `release`, the name of the `source`, the tables
    that were `missing` in it, its `holes` in sentences, and what the caller gives as `info`. Raises MadangError
    `vocabulary.*` where a file is missing, cut off, wrongly encoded or has a key twice; nothing is committed then.
    """
    progress = progress or Silent()
    parent = dataset.version() if dataset.exists else None
    stoppable = progress.interruptible(engine.cancel)
    scratch = tempfile.TemporaryDirectory(prefix="madang-vocabulary-")
    with opened(source, progress) as files, dataset.write(parent=parent) as writer, stoppable, scratch as folder:
        release = UNKNOWN_RELEASE
        holes: list[str] = []
        paths: dict[str, Path] = {}
        for table in VOCABULARY_TABLES:
            with progress.step(table):
                path = paths[table] = writer.new_file(table)
                if table in files:
                    holes += _write(engine, files[table], path, Path(folder))
                    check_key(engine, table, f"read_parquet({quote_text(str(path))})")
                    if table == "vocabulary":
                        release = release_in(engine, f"read_parquet({quote_text(str(path))})")
                else:
                    engine.copy_to_parquet(empty_select(table), path)
                writer.add(table, path)
        missing = sorted(set(VOCABULARY_TABLES) - set(files))
        with progress.step("look for holes"):
            holes += _holes(engine, source, paths)
        known = {"release": release, "source": source.name, "missing": missing, "holes": holes}
        return writer.commit(kind=KIND, info={**(info or {}), **known})


def _write(engine: Engine, file: AthenaFile, path: Path, scratch: Path) -> list[str]:
    """Write one table; gives what had to be mended. Tables that mapping does not need may lack rows, and say so."""
    order = f" ORDER BY {SORTED_BY[file.table]}" if file.table in SORTED_BY else ""
    try:
        with explained(file):
            engine.copy_to_parquet(file.select() + order, path)
        twice = doubled(engine, file.table, f"read_parquet({quote_text(str(path))})")
        if not twice:
            return []
        engine.copy_to_parquet(f"SELECT DISTINCT * FROM ({file.select()})" + order, path)
        return [f"{file.path.name}: {twice:,} rows that repeat another one in all are left out."]
    except MadangError as error:
        if error.code != "vocabulary.file" or file.table in REQUIRED:
            raise
        mend, joined, dropped = mended(file, scratch)
        try:
            engine.copy_to_parquet(mend.select() + order, path)
        except MadangError:
            raise error from None
        return [
            f"{file.path.name}: {joined:,} rows were broken over several lines and are joined, {dropped:,} lines are "
            f"no rows and left out ({error.message.removeprefix(file.path.name).strip().rstrip('.')})."
        ]


def _holes(engine: Engine, source: Path, paths: Mapping[str, Path]) -> list[str]:
    """What a download lacks though it is whole as files."""
    found = []
    source = place(source)
    concept, relationship = (f"read_parquet({quote_text(str(paths[t]))})" for t in ("concept", "concept_relationship"))
    if set(NOT_MERGED) & names_in(source) and not engine.value(
        f"SELECT count(*) FROM {concept} WHERE vocabulary_id = 'CPT4' AND concept_class_id = 'CPT4'"
    ):
        found.append(
            "CPT4 is not merged: CONCEPT.csv has no CPT4 codes. Run the cpt4 program that came with the download, and "
            "load it again."
        )
    lost = engine.value(
        f"SELECT count(*) FROM {relationship} WHERE concept_id_1 NOT IN (SELECT concept_id FROM {concept}) "
        f"OR concept_id_2 NOT IN (SELECT concept_id FROM {concept})"
    )
    if lost:
        found.append(f"{int(lost):,} relationships lead from or to concepts that are not in the download.")
    return found


def doubled(engine: Engine, table: str, relation: str) -> int:
    """How many rows repeat another one in all, where that would do harm: of tables with a key, and of mappings."""
    key = TABLES[table].primary_key
    if key is None and table != "concept_relationship":
        return 0
    columns, rows = (f"({key.name})", relation) if key else ("(concept_id_1, concept_id_2, relationship_id)", _MAPPINGS)
    rows = rows.format(relation)
    if not engine.value(f"SELECT count(*) - count(DISTINCT {columns}) FROM {rows}"):
        return 0
    return int(engine.value(f"SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM {rows})) FROM {rows}"))


_MAPPINGS = (
    "(SELECT * FROM {} WHERE relationship_id IN ('Maps to', 'Maps to value', 'Concept replaced by')) AS mappings"
)


def check_key(engine: Engine, table: str, relation: str) -> None:
    """Refuse a table in which a primary key occurs twice or not at all."""
    key = TABLES[table].primary_key
    if key is None:
        return
    found = engine.rows(
        f"SELECT {key.name} FROM {relation} GROUP BY ALL HAVING count(*) > 1 OR {key.name} IS NULL LIMIT 1"
    )
    if found and found[0][0] is None:
        raise MadangError("vocabulary.file", f"{table.upper()}.csv has a row without {key.name}.", "Download it again.")
    if found:
        raise MadangError(
            "vocabulary.file", f"{table.upper()}.csv has {key.name} {found[0][0]} more than once.", "Download it again."
        )


def release_in(engine: Engine, relation: str) -> str:
    """The release that a table VOCABULARY tells."""
    text = engine.value(f"SELECT vocabulary_version FROM {relation} WHERE vocabulary_id = 'None'")
    return str(text) if text else UNKNOWN_RELEASE


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary attached to `engine` as the tables of `schema`; `release` is the text that Athena gives it."""

    engine: Engine
    schema: str
    release: str

    @classmethod
    def from_version(cls, engine: Engine, version: Version, schema: str = "vocab") -> Self:
        """Attach a version that `load_vocabulary` made. Tables become views, nothing is read yet."""
        missing = [table for table in VOCABULARY_TABLES if table not in version.tables]
        if missing:
            raise MadangError(
                "vocabulary.not_a_vocabulary",
                f"The dataset has no table {missing[0]}, so it is no vocabulary.",
                "Load one with: madang vocabulary load PATH",
            )
        version.attach(engine, schema=schema)
        vocabulary = cls(engine, schema, UNKNOWN_RELEASE)
        return cls(engine, schema, release_in(engine, vocabulary.table("vocabulary")))

    @classmethod
    def of(cls, engine: Engine, vocabulary: Version | Path | str) -> Self:
        """Attach what `load_vocabulary` made, or else an unpacked download."""
        if isinstance(vocabulary, Version):
            return cls.from_version(engine, vocabulary)
        return cls.from_folder(engine, Path(vocabulary))

    @classmethod
    def from_folder(cls, engine: Engine, folder: Path, schema: str = "vocab") -> Self:
        """Attach an unpacked download with no lake.

        Concepts and relationships are read into tables at once; the others are views that read their file when asked.
        The folder must stay where it is. Raises MadangError `vocabulary.*` as `load_vocabulary` does.
        """
        if not folder.is_dir():
            raise MadangError("vocabulary.not_found", f"{folder} is not a folder.", "Unpack the download first.")
        vocabulary = cls(engine, schema, UNKNOWN_RELEASE)
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}")
        with opened(folder, Silent()) as files:
            for table in VOCABULARY_TABLES:
                kind = "VIEW" if table in ("concept_ancestor", "concept_synonym", "drug_strength") else "TABLE"
                name = vocabulary.table(table)
                if table in files:
                    with explained(files[table]):
                        engine.execute(f"CREATE OR REPLACE {kind} {name} AS {files[table].select()}")
                    if kind == "TABLE":
                        if doubled(engine, table, name):
                            once = f"SELECT DISTINCT * FROM ({files[table].select()})"
                            engine.execute(f"CREATE OR REPLACE TABLE {name} AS {once}")
                        check_key(engine, table, name)
                else:
                    engine.execute(f"CREATE OR REPLACE {kind} {name} AS {empty_select(table)}")
        return cls(engine, schema, release_in(engine, vocabulary.table("vocabulary")))

    def table(self, name: str) -> str:
        """A table of the vocabulary as it is named in SQL."""
        return f"{quote_name(self.schema)}.{quote_name(name)}"

    def concept(self, concept_id: int) -> Concept | None:
        """The concept of that identifier."""
        found = self._concepts("concept_id = ?", [concept_id])
        return found[0] if found else None

    def concepts(self, concept_ids: Sequence[int]) -> list[Concept]:
        """The concepts of these identifiers that there are, by identifier."""
        return self._concepts("concept_id IN (SELECT unnest(?::BIGINT[])) ORDER BY concept_id", [list(concept_ids)])

    def find(self, vocabulary_id: str, code: str, date: datetime.date | None = None) -> Concept | None:
        """The concept of a code: the one valid at `date` (default: today), else the nearest earlier, else the first."""
        day = date or datetime.date.today()
        found = self._concepts("vocabulary_id = ? AND concept_code = ?", [vocabulary_id, code])
        return min(found, key=lambda concept: _distance(concept, day), default=None)

    def search(self, text: str, limit: int = 20) -> list[Concept]:
        """Concepts whose code is `text` or whose name holds it in any case; standard ones and short names first."""
        return self._concepts(
            "concept_code = ? OR contains(lower(concept_name), lower(?)) ORDER BY concept_code <> ?, "
            "standard_concept IS DISTINCT FROM 'S', length(concept_name), concept_name, concept_id LIMIT ?",
            [text, text, text, limit],
        )

    def maps_to(self, concept_id: int) -> list[Concept]:
        """Concepts that this one 'Maps to', as the release has it, whether still standard or not."""
        return self._related(concept_id, "Maps to")

    def maps_to_value(self, concept_id: int) -> list[Concept]:
        """Concepts that this one 'Maps to value'."""
        return self._related(concept_id, "Maps to value")

    def replaced_by(self, concept_id: int) -> list[Concept]:
        """Concepts that this one is 'Concept replaced by'."""
        return self._related(concept_id, "Concept replaced by")

    def ancestors(self, concept_id: int) -> list[Concept]:
        """All concepts above this one, itself included where the download says so."""
        return self._concepts(
            "concept_id IN (SELECT ancestor_concept_id FROM "
            f"{self.table('concept_ancestor')} WHERE descendant_concept_id = ?) ORDER BY concept_id",
            [concept_id],
        )

    def descendants(self, concept_id: int) -> list[Concept]:
        """All concepts below this one, itself included where the download says so."""
        return self._concepts(
            "concept_id IN (SELECT descendant_concept_id FROM "
            f"{self.table('concept_ancestor')} WHERE ancestor_concept_id = ?) ORDER BY concept_id",
            [concept_id],
        )

    def _related(self, concept_id: int, relationship: str) -> list[Concept]:
        return self._concepts(
            f"concept_id IN (SELECT concept_id_2 FROM {self.table('concept_relationship')} "
            f"WHERE concept_id_1 = ? AND relationship_id = ? AND {CURRENT}) ORDER BY concept_id",
            [concept_id, relationship],
        )

    def _concepts(self, where: str, params: list[object]) -> list[Concept]:
        columns = "concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code"
        rows = self.engine.rows(
            f"SELECT {columns}, valid_start_date, valid_end_date, invalid_reason "
            f"FROM {self.table('concept')} WHERE {where}",
            params,
        )
        return [Concept(*row) for row in rows]


def _distance(concept: Concept, day: datetime.date) -> tuple[int, int, int, bool, int]:
    """Smaller is nearer to `day`: valid then (latest start first), else ended before (latest end first), else first."""
    start, end = concept.valid_from.toordinal(), concept.valid_to.toordinal()
    start = 1 if concept.valid_from <= datetime.date(1970, 1, 1) else start
    end = datetime.date.max.toordinal() if concept.valid_to >= datetime.date(2099, 12, 31) else end
    invalid = bool(concept.invalid_reason)
    if start <= day.toordinal() <= end:
        return 0, -start, 0, invalid, concept.concept_id
    if end < day.toordinal():
        return 1, -end, -start, invalid, concept.concept_id
    return 2, start, 0, invalid, concept.concept_id
