"""From a source to a version: tables are fitted to the model and written, and an account is kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Dataset, Version
from madang.lake.engine import Engine, quote_text
from madang.lake.write import Writer
from madang.science.omop.athena import UNKNOWN_RELEASE, VOCABULARY_TABLES, empty_select
from madang.science.omop.cdm import TABLES
from madang.science.omop.importing.fit import RENAMED, Difference, Fit, What, fit, only_offset
from madang.science.omop.importing.given import Given, GivenTable, opened
from madang.science.omop.importing.text_files import explained
from madang.science.omop.release import fingerprint
from madang.science.omop.vocabulary import KIND as VOCABULARY
from madang.science.omop.vocabulary import SORTED_BY, check_key, release_in

KIND = "import"
_DATA = tuple(name for name in TABLES if name not in VOCABULARY_TABLES)


@dataclass(frozen=True)
class Imported:
    """A version that was taken in, `new` or known already, with its account.

    `rows` is {table: (rows given, rejected)}, `cdm_version` what the source says that it is, `vocabulary` the release
    that its concepts are looked up in, None if there is none.
    """

    version: Version
    new: bool
    rows: Mapping[str, tuple[int, int]]
    differences: tuple[Difference, ...]
    cdm_version: str
    vocabulary: Version | None


def import_model(
    source: str,
    dataset: Dataset,
    *,
    vocabulary: Version | None = None,
    schema: str = "",
    encoding: str = "utf-8",
    timezone: str = "",
    memory_limit: str = "3GB",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Make the common data model at `source` the next version of `dataset`.

    `source` is a folder of CSV or Parquet files, a DuckDB file, or an address of PostgreSQL; in a database `schema`
    names where the tables are. The vocabulary tables of the source, if it has any, become a dataset of their own
    (`NAME-vocabulary`), unless `vocabulary` names a release that is loaded. Rows keep their order. Moments
    with an offset are taken to `timezone`, or are local as they are written where none is named; those in UTC are
    taken to the offset of all others, where these have one and the same. A source that
    is as it was at the last import makes no new version. Errors: the area `import`; nothing is committed then.
    """
    progress = progress or Silent()
    with (
        TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(memory_limit, threads, spill=Path(spill), preserve_insertion_order=True) as engine,
        progress.interruptible(engine.cancel),
        opened(source, engine, schema=schema, encoding=encoding, progress=progress) as given,
    ):
        _check_zone(engine, timezone)
        state = _state(given, vocabulary) + timezone
        before = dataset.version() if dataset.exists else None
        if before is not None and before.kind != KIND:
            raise MadangError(
                "import.other_kind",
                _("{name} was not imported: its versions come from {kind}.").format(
                    name=dataset.name, kind=before.kind
                ),
                _("Give the import a dataset of its own with --into."),
            )
        if before is not None and before.info["state"] == state:
            named = before.info["vocabulary"].get("version")
            return _imported(before, False, dataset.lake.find(named) if named else None)
        with dataset.write(parent=before) as writer:
            zone = timezone or only_offset([t for name, t in given.tables.items() if name in _DATA], engine)
            run = _Run(engine, writer, progress, zone)
            for name in _DATA:
                run.take(name, given.tables.get(name))
            run.keep_fates()
            # Last, so that a source that cannot be read leaves no vocabulary behind either.
            release = vocabulary or _vocabulary(given, dataset, run)
            info = {
                "source": {"kind": given.kind, "name": given.name, "cdm_version": _cdm_version(given, engine)},
                "state": state,
                "files": run.files,
                "vocabulary": _named(release),
                "report": {"sources": run.sources, "differences": [_plain(d) for d in run.told(given)]},
            }
            version = writer.commit(kind=KIND, info=info, rebase=False)
        return _imported(version, True, release)


class _Run:
    """The tables of one import, one after the other."""

    def __init__(self, engine: Engine, writer: Writer, progress: Progress, zone: str) -> None:
        self.zone = zone
        self.engine, self.writer, self.progress = engine, writer, progress
        self.files: list[dict[str, Any]] = []
        self.sources: dict[str, list[int]] = {}
        self.differences: list[Difference] = []
        engine.execute("CREATE TEMP TABLE _fates (file BIGINT, line BIGINT, fate VARCHAR, reason VARCHAR)")

    def take(self, name: str, given: GivenTable | None) -> None:
        """Write one table of the model; an empty one where the source has none."""
        path = self.writer.new_file(name)
        with self.progress.step(name):
            if given is None:
                self.engine.copy_to_parquet(empty_select(name), path)
            else:
                with explained(given):
                    fitted = fit(TABLES[name], given, self.engine, self.zone)
                    rejected = self._reject(given, fitted)
                    relation = fitted.relation
                    if rejected:
                        bad = " OR ".join(f"({condition})" for condition in fitted.rejected.values())
                        relation += f" WHERE NOT coalesce({bad}, false)"
                    written = self.engine.copy_to_parquet(f"{fitted.select} FROM {relation}", path)
                if written + rejected != fitted.rows:
                    raise MadangError(
                        "import.lines_lost",
                        _("{place} changed while it was read.").format(place=given.place),
                        _("Import it again when nobody writes to it."),
                    )
                self.files.append({"table": name, "name": given.place, "state": given.state, "rows": fitted.rows})
                self.sources[name] = [1, fitted.rows, written, rejected, 0]
                self.differences += fitted.differences
                self._tell_twice(name, path)
        self.writer.add(name, path)

    def _tell_twice(self, name: str, path: Path) -> None:
        """Count the rows that have the identifier of an earlier one; of DEATH those of one person."""
        table = TABLES[name]
        key = "person_id" if name == "death" else table.primary_key.name if table.primary_key else ""
        if not key:
            return
        written = f"read_parquet({quote_text(str(path))})"
        count = self.engine.value(
            f"SELECT count({key}) - (SELECT count({key}) FROM (SELECT DISTINCT {key} FROM {written})) FROM {written}"
        )
        if count:
            detail = "a second death of one person" if name == "death" else "an identifier of an earlier row"
            self.differences.append(Difference(What.ODD, name, key, int(count), detail))

    def _reject(self, given: GivenTable, fitted: Fit) -> int:
        """Note the rows that cannot be taken, each with its first reason; how many they are."""
        if not fitted.rejected:
            return 0
        case = " ".join(f"WHEN {bad} THEN {quote_text(reason)}" for reason, bad in fitted.rejected.items())
        before = self.engine.value("SELECT count(*) FROM _fates")
        self.engine.execute(
            f"INSERT INTO _fates SELECT {len(self.files) + 1}, line, 'rejected', reason FROM (SELECT row_number() "
            f"OVER () AS line, CASE {case} END AS reason FROM {fitted.relation}) WHERE reason IS NOT NULL"
        )
        return int(self.engine.value("SELECT count(*) FROM _fates") - before)

    def keep_fates(self) -> None:
        """The restricted companion has the rejected rows: `file` is the place in `files`, `line` counts its rows."""
        path = self.writer.new_file("fates", restricted=True)
        self.engine.copy_to_parquet("SELECT * FROM _fates ORDER BY file, line", path)
        self.writer.add("fates", path)

    def told(self, given: Given) -> list[Difference]:
        """All that differs from the model, tables that it does not know first."""
        unknown = sorted(name for name in given.tables if name not in TABLES)
        tables = [
            Difference(
                What.NO_TABLE,
                name,
                count=int(self.engine.value(f"SELECT count(*) FROM {given.tables[name].relation}")),
                detail=_meant(name, given),
            )
            for name in unknown
        ]
        detail = "view" if given.kind == "duckdb" else given.kind
        other = [Difference(What.NO_TABLE, name, detail=detail) for name in given.ignored]
        return [*tables, *other, *self.differences]


def _meant(name: str, given: Given) -> str:
    """The table of the model that a table of the source is perhaps meant for, with a question mark; else ""."""
    absent = [table for table in TABLES if table not in given.tables]
    near = [table for table in TABLES if name.startswith(table)][-1:] or get_close_matches(name, absent, 1, 0.8)
    return f"{near[0]}?" if near else ""


def _vocabulary(given: Given, dataset: Dataset, run: _Run) -> Version | None:
    """The vocabulary of the source as a dataset of its own, made unless the last version of it is the same."""
    engine, progress = run.engine, run.progress
    mine = {name: given.tables[name] for name in VOCABULARY_TABLES if name in given.tables}
    if "concept" not in mine or not engine.rows(f"SELECT 1 FROM {mine['concept'].relation} LIMIT 1"):
        return None
    state = hashlib.sha256(" ".join(f"{name} {table.state}" for name, table in mine.items()).encode()).hexdigest()
    home = dataset.lake.dataset(f"{dataset.name}-vocabulary")
    before = home.version() if home.exists else None
    if before is not None and before.kind == VOCABULARY and before.info.get("state") == state:
        return before
    with home.write(parent=before) as writer, progress.step(_("vocabulary"), len(VOCABULARY_TABLES), _("tables")):
        release = UNKNOWN_RELEASE
        for name in VOCABULARY_TABLES:
            path = writer.new_file(name)
            if name not in mine:
                engine.copy_to_parquet(empty_select(name), path)
            else:
                _write_vocabulary(name, mine[name], path, run)
            if name == "vocabulary":
                release = release_in(engine, f"read_parquet({quote_text(str(path))})")
            writer.add(name, path)
            progress.advance(1)
        missing = sorted(set(VOCABULARY_TABLES) - set(mine))
        info = {"release": release, "source": given.name, "missing": missing, "state": state}
        return writer.commit(kind=VOCABULARY, info=info)


def _write_vocabulary(name: str, given: GivenTable, path: Path, run: _Run) -> None:
    """One table of the vocabulary; a release with unreadable or repeated keys is none."""
    with explained(given):
        fitted = fit(TABLES[name], given, run.engine)
        if fitted.rejected:
            reasons = ", ".join(fitted.rejected)
            raise MadangError(
                "import.vocabulary",
                _("{place} has rows without what a vocabulary must have: {reasons}.").format(
                    place=given.place, reasons=reasons
                ),
                _("Mend it, or name a vocabulary that is loaded with --vocabulary."),
            )
        order = f" ORDER BY {SORTED_BY[name]}" if name in SORTED_BY else ""
        run.engine.copy_to_parquet(f"{fitted.select} FROM {fitted.relation}{order}", path)
    check_key(run.engine, name, f"read_parquet({quote_text(str(path))})")
    run.differences += fitted.differences


def _check_zone(engine: Engine, zone: str) -> None:
    """Refuse a name that is no time zone."""
    try:
        engine.value(f"SELECT TIMESTAMPTZ '2000-01-01 00:00:00+00' AT TIME ZONE {quote_text(zone or 'UTC')}")
    except MadangError:
        raise MadangError(
            "import.timezone", _("There is no time zone {name}.").format(name=zone), _("Write it as Asia/Seoul.")
        ) from None


def _cdm_version(given: Given, engine: Engine) -> str:
    """Which model the source says that it follows; judged by its columns where it says nothing."""
    told = given.tables.get("cdm_source")
    if told is not None and any(name.lower() == "cdm_version" for name, _kind in told.columns):
        found = engine.value(f"SELECT max(cdm_version) FROM {told.relation}")
        if found:
            return str(found)[:20]
    old = (
        name.lower() in RENAMED.get(table.name, {}) for table in given.tables.values() for name, _kind in table.columns
    )
    return "5.3" if any(old) else ""


def _state(given: Given, release: Version | None) -> str:
    tables = " ".join(f"{name} {table.state}" for name, table in sorted(given.tables.items()))
    return hashlib.sha256(f"{tables} {release.digest if release else ''}".encode()).hexdigest()


def _named(release: Version | None) -> dict[str, str]:
    if release is None:
        return {}
    return {"release": str(release.info.get("release", "")), "sha256": fingerprint(release), "version": release.name}


def _plain(difference: Difference) -> dict[str, Any]:
    plain = {"what": difference.what.value, "table": difference.table, "column": difference.column}
    return plain | {"count": difference.count, "detail": difference.detail}


def _imported(version: Version, new: bool, release: Version | None) -> Imported:
    report = version.info["report"]
    rows = {name: (rows, rejected) for name, (_files, rows, _used, rejected, _unused) in report["sources"].items()}
    told = tuple(
        Difference(What(d["what"]), d["table"], d["column"], d["count"], d["detail"]) for d in report["differences"]
    )
    return Imported(version, new, rows, told, version.info["source"]["cdm_version"], release)
