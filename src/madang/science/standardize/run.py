"""The main job: files of a holder become the next version of a CDM dataset, every line accounted for.

The order of work: register the files, build the entities from the staged sources, map and write the events file by
file, derive eras, close the account, commit. Until the commit nothing is visible.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake import Dataset, Lake, Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.lake.write import Writer
from madang.science.omop.release import fingerprint
from madang.science.omop.vocabulary import Vocabulary
from madang.science.standardize import (
    about,
    accounting,
    dangling,
    delivery,
    derived,
    entities,
    events,
    lasting,
    originals,
    passing,
    places,
)
from madang.science.standardize.accounting import Ledger
from madang.science.standardize.compile import compile_pack
from madang.science.standardize.compiler.emit import PERIODS
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.delivery import Delivery
from madang.science.standardize.identify import LINE_BITS, Registered
from madang.science.standardize.intake import pseudonymizer
from madang.science.standardize.intake.files import unread_files
from madang.science.standardize.joined import Joined
from madang.science.standardize.keys import Span, engine_release, known_keys, plain_spans
from madang.science.standardize.locate import located
from madang.science.standardize.made import Made
from madang.science.standardize.maps import drop_unknown, load_maps
from madang.science.standardize.pack import Pack, Source, load_pack
from madang.science.standardize.report import Report
from madang.science.standardize.result import Standardized
from madang.science.standardize.since import RULES, could_differ
from madang.science.standardize.sources import (
    DUPLICATE_KEY,
    Reader,
    columns_needed,
    deliveries_sql,
    disjoint,
    show,
    show_delta,
    show_latest,
    show_snapshot,
    told_replaced,
)
from madang.science.standardize.summary import senses, summarize

KIND = "standardize"
EHR_PERIOD = 32817


def standardize(
    pack: Pack | Path | str,
    source: Path | str,
    vocabulary: Version | Path | str,
    into: Dataset | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    key: bytes | None = None,
    rebuild: bool = False,
    memory_limit: int | str = "4GB",
    threads: int | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Standardized:
    """Make the next version of `into` from the files in `source`.

    `vocabulary` is a folder in Athena's format or a version that `load_vocabulary` made. `key` is the secret of the
    pseudonyms (needed where the pack has such columns). With the same pack, vocabulary and parameters as the newest
    version, only new files are read; otherwise, or with `rebuild`, all files in `source` make the version anew.
    Without `into` the result lives in a temporary folder as long as the returned value does.
    Raises MadangError with one sentence; the newest version stays as it was.
    """
    progress = progress or Silent()
    loaded = (pack if isinstance(pack, Pack) else load_pack(pack)).with_parameters(parameters or {})
    holder: object = None
    if into is None:
        holder = tempfile.TemporaryDirectory(prefix="madang-")
        root = Path(holder.name)
        into = Lake(root / "lake", root / "restricted").dataset("result")
    stage: frozenset[str] = frozenset()
    while True:  # again where a delivery changes what rests on earlier files: a source more is seen whole then
        with (
            tempfile.TemporaryDirectory(prefix="madang-", dir=scratch) as folder,
            Engine(memory_limit, threads, spill=Path(folder)) as engine,
            progress.interruptible(engine.cancel),
        ):
            known = Vocabulary.of(engine, vocabulary)
            work = _Run(loaded, engine, known, fingerprint(vocabulary), key, threads or 2, progress, stage)
            if isinstance(vocabulary, Version):
                work.warnings += [f"Vocabulary: {hole}" for hole in vocabulary.info.get("holes", ())]
            try:
                version, report, new = work.make(Path(source), into, rebuild)
                return Standardized(version, report, new, holder)
            except lasting.Corrected as corrected:
                rebuild, stage = True, frozenset(work.stage | ({corrected.relation} if corrected.stage else set()))


class _Run:
    """One run; holds what its steps share."""

    def __init__(
        self,
        pack: Pack,
        engine: Engine,
        vocabulary: Vocabulary,
        vocabulary_sha256: str,
        key: bytes | None,
        threads: int,
        progress: Progress,
        stage: frozenset[str] = frozenset(),
    ) -> None:
        self.stage = stage
        self.pack, self.engine, self.vocabulary, self.progress = pack, engine, vocabulary, progress
        self.vocabulary_sha256 = vocabulary_sha256
        for name, value in pack.parameters.items():
            engine.execute(f"SET VARIABLE {quote_name(name)} = ?", [value])
        self.program = compile_pack(pack, engine)
        marked = any(c.identifier == "pseudonym" for s in pack.sources.values() for c in s.columns.values())
        if marked and key is None:
            raise MadangError(
                "standardize.no_key",
                f"The pack {pack.name} makes pseudonyms, but no key was given.",
                "Give `key`: at least 16 secret bytes that are kept outside the lake.",
            )
        pseudonym = pseudonymizer(key) if key is not None and marked else None
        self.ledger = Ledger(engine)
        self.needed = columns_needed(self.program)
        self.reader = Reader(engine, self.ledger, self.needed, pseudonym, threads, progress)
        self.keys = {name: (entity.key, *entity.alternate_keys) for name, entity in pack.entities.items()}
        self.seconds: dict[str, float] = {}
        self.built: set[str] = set()
        self.deaths: set[int] = set()
        self.dead = ""
        self.cut: Counter[str] = Counter()
        """Texts that were too long for their fields."""
        self.valueless = accounting.Valueless()
        self.versioned: set[str] = set()
        """Staged sources of which some rows have later versions."""
        self.warnings: list[str] = []
        if pack.undecided:
            self.warnings.append(f"{pack.undecided} places of the pack are still marked DECIDE.")
        self.selects: dict[str, list[str]] = {}
        for select in (*self.program.entities, *self.program.events):
            self.selects.setdefault(select.source, []).append(select.name)

    @contextmanager
    def _timed(self, name: str, total: int | None = None, unit: str = "") -> Iterator[None]:
        start = time.monotonic()
        with self.progress.step(name, total, unit):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    def make(self, folder: Path, into: Dataset, rebuild: bool) -> tuple[Version, Report, bool]:
        """Make the version, or find that there is nothing new."""
        self.folder = folder
        parent = into.version() if into.exists else None
        if parent is not None and parent.kind != KIND:
            raise MadangError(
                "standardize.not_ours",
                f"The dataset {into.name!r} was made by {parent.kind!r}, not by standardize.",
                "Choose another name for the new dataset.",
            )
        identity = {
            "pack": {"name": self.pack.name, "version": self.pack.version, "sha256": self.pack.sha256},
            "vocabulary": {"release": self.vocabulary.release, "sha256": self.vocabulary_sha256},
            "parameters": {name: str(value) for name, value in self.pack.parameters.items()},
        }
        extends = parent is not None and not rebuild and all(parent.info[k] == v for k, v in identity.items())
        before = parent if extends else None
        self.stage |= set(before.info.get("staged", ())) if before is not None else set()
        self.program = replace(self.program, staged=self.program.staged | self.stage)
        with self._timed("register"):
            found = delivery.register(self.program, folder, before, self.progress)
        if before is not None and could_differ(before.info):
            self.warnings.append(
                "An earlier release began this dataset, by other rules; `madang datasets show` says which values could "
                "differ, and --rebuild makes it anew."
            )
        self.unread = tuple((one.name, one.near) for one in unread_files(folder, list(self.pack.sources.values())))
        self.warnings += [f"{copy} is byte for byte {first}, so it is not read." for copy, first in found.copies]
        if before is not None and not found.new:
            known = Report.from_json(before.info["report"])
            return before, replace(known, warnings=(*known.warnings, *self.warnings), unread=self.unread), False
        self._find_places(folder, before, found)
        with into.write(parent=parent) as writer:
            try:
                report = self._write(writer, before, parent, found)
            except lasting.Corrected as corrected:
                lasting.check_all_there(folder, [file.name for file in found.files], corrected)
                raise
            run = {"run": [max(file.number for file in found.files)], "folder": [str(folder.absolute())]}
            self.made.put_arrow("folders", pa.table(run), "folders lasting")
            info = {
                **identity,
                "files": [file.as_json() for file in found.files],
                "encodings": {name: source.encoding for name, source in self.pack.sources.items()},
                "layouts": {name: originals.layout(source) for name, source in self.pack.sources.items()},
                "rows": {str(number): rows for number, rows in self.ledger.rows.items()},
                "counters": found.counters,
                "base": self.base,
                "zone": self.zone,
                "staged": sorted(self.stage),
                "rules": RULES if before is None else before.info.get("rules", 1),
                "engine": engine_release(self.engine),
                "joined": not self.joined.unknown,
                "spans": {name: plain_spans(keys.spans) for name, keys in self.reader.keys.items()},
                "foundations": self.foundations,
                "writers": [vars(w) | {"tables": list(w.tables)} for w in delivery.writers(self.program)],
                "parts": self.made.parts,
                "report": report.as_json(),
            }
            with self._timed("commit"):
                version = writer.commit(kind=KIND, info=info, rebase=False)
        return version, report, True

    def _find_places(self, folder: Path, before: Version | None, found: Delivery) -> None:
        """Say under which address the resources of this export lie, what its local time is, and warn of the rest."""
        files = [(self.pack.sources[one.registered.source], one.path) for one in found.new]
        self.base, self.zone, told = places.find(self.pack, folder, files, before)
        self.pack = self.pack.of_run(self.base, self.zone)
        self.warnings += told

    # One version, from the staged sources to the account.

    def _write(self, writer: Writer, before: Version | None, parent: Version | None, found: Delivery) -> Report:
        engine, program = self.engine, self.program
        self.made = Made(engine, writer)
        if before is not None:
            self.ledger.rows.update({int(number): rows for number, rows in before.info["rows"].items()})
            self.made.carry_on(before, [s.name for s in program.events if s.source not in program.staged])
        kept = (
            self.made.sql("keys", restricted=True) if before is not None and "keys" in before.companion else "SELECT 1"
        )
        self.reader.keys, told = known_keys(engine, program, self.needed, before, kept)
        self.warnings += told
        self.joined = Joined(engine, program, before)
        self.dangling = dangling.Dangling(engine, self.pack, program.staged, self.needed)
        staged = [i for i in found.new if i.registered.source in program.staged]
        with self._timed("read", sum(i.file.size for i in staged), "bytes"):
            self._stage(writer, before, found)
            for name in sorted(program.staged):
                self.dangling.note(self.pack.sources[name])
            if before is not None and "dangling" in before.companion:
                kept = self.made.sql("dangling", restricted=True)
                self.warnings += self.dangling.late(kept, self.folder, [file.name for file in found.files])
        mapper = events.Mapper(engine, self.vocabulary, self._maps())
        for place, select in enumerate(program.entities, 1):
            with self._timed(f"entity {select.name}"):
                self._entity(select, found.files, mapper)
                self.built.add(select.name)
                entities.show_names(engine, self.pack.entities[select.name])
                self.dead = entities.keep_dead(engine, select) or self.dead
                self._let_go([*program.entities[place:], *program.events])
        if before is not None:
            known = max(entry["number"] for entry in before.info["files"])
            lasting.check(engine, program, known, before.info.get("foundations", {}))
        self.foundations = lasting.foundations(engine, program, max(file.number for file in found.files))
        with self._timed("map", sum(i.file.size for i in found.new) - sum(i.file.size for i in staged), "bytes"):
            self._passing(found, mapper)
            if kept := self.dangling.kept():
                self.made.put("dangling", kept, "dangling lasting", restricted=True)
            mapper.close_lasting(self.made)
            for select in program.events:
                if select.source in program.staged:
                    self._event(select, found.files, mapper)
        with self._timed("account"):
            fates = self._fates()
            accounts = accounting.accounts(engine, found.files, self.ledger.rows, fates)
        for name in program.staged:
            engine.execute(f"DROP VIEW IF EXISTS {quote_name(name)}")
        self._let_go(())
        self.made.show()
        for name, sql in self._derived().items():
            with self._timed(name):
                self.made.put(name, sql, "derived")
                self.made.show([name])
        with self._timed("account"):
            self.made.put(
                "cdm_source", about.cdm_source_sql(self.pack, self.vocabulary.release, self.extract), "derived"
            )
            if self.pack.imputed:
                self.made.put_arrow("imputed", about.imputed(program), "derived", restricted=False)
            mapper.write_source_codes(self.made)
            self.made.complete()
            self.warnings += [
                f"{n:,} texts of {column} are longer than their field and are cut." for column, n in self.cut.items()
            ]
            self.warnings += self.valueless.told()
            self.warnings += self.dangling.told()
            self.warnings += senses(engine, self.extract, self.dead)
            report = summarize(engine, self.made, accounts, fates, parent, self.seconds, self.warnings)
            return replace(report, unread=self.unread)

    def _stage(self, writer: Writer, before: Version | None, found: Delivery) -> None:
        """Read the new files of staged sources, and show all of them with every key once and corrections applied."""
        for name in sorted(self.program.staged):
            source, table, columns = self.pack.sources[name], f"src_{name}", self.needed[name]
            paths: list[Path] = []
            if before is not None and table in before.companion:
                writer.keep(table, restricted=True)
                paths += before.companion[table].paths
            spans: list[Span | None] = [None] if paths else []
            for incoming in found.of(name):
                path = writer.new_file(table, restricted=True)
                spans.append(self.reader.stage(incoming, source, path))
                writer.add(table, path)
                paths.append(path)
            if source.kind == "delta":
                unseen = show_delta(self.engine, source, columns, paths)
            else:
                unseen = show_snapshot(self.engine, source, columns, paths, unique=disjoint(spans))
                if source.latest and any(reason == DUPLICATE_KEY for _, _, reason in unseen):
                    unseen = show_latest(self.engine, source, columns, paths)
                    self.warnings += told_replaced(self.engine, source, {f.number: f.name for f in found.files})
                    self.versioned.add(name)
            if source.kind == "delta" or name in self.versioned:
                self.made.put("deliveries", deliveries_sql(source), name, restricted=True)
            self.ledger.note(unseen, lasting=False)

    def _entity(self, select: Select, files: Sequence[Registered], mapper: events.Mapper) -> None:
        """Make one entity: as a whole where it groups rows, else period by period where its source keeps to periods."""
        engine, names = self.engine, {file.number: file.name for file in files}
        source = self.pack.sources[select.source]
        if select.grouped:
            given = engine.value(f"SELECT count(*) FROM {quote_name(select.source)}")
            with located(engine, self.pack, select, names):
                rows = entities.build_groups(engine, self.ledger, select, files)
            accounting.check_rows(engine, select, given, quote_name(f"_members_{select.name}"), self.keys)
            self.joined.note(select, quote_name(f"_members_{select.name}"))
            self._put_entity(select, rows, mapper)
            members = quote_name(f"{select.name}_members")
            sql = f"SELECT {quote_text(select.name)} AS entity, id, _row FROM {members}"
            self.made.put("members", sql, select.name, restricted=True)
            return
        read = {
            column
            for other in (*self.program.entities, *self.program.events)
            for column in other.columns_read.get(select.name, ())
        }
        known_by = set(self.pack.entities[select.name].names)
        if known_by:
            known_by.add(str(identifier_of(str(select.table))))
        kept = sorted(read | known_by | ({entities.DEAD} & {name for name, _ in select.columns}))
        entities.begin_rows(engine, select, kept)
        whole = select.windowed or not source.within or source.kind == "delta" or bool(source.latest)
        periods = [None] if whole else sorted({file.period for file in files if file.source == source.name})
        for period in periods:
            with self._narrowed(source, period if period is None else {period}, files):
                given = engine.value(f"SELECT count(*) FROM {quote_name(select.source)}")
                with located(engine, self.pack, select, names):
                    rows = entities.build_rows(engine, self.ledger, select, files, kept)
                accounting.check_rows(engine, select, given, "_part", self.keys)
                self.joined.note(select, "_part")
                self._put_entity(select, rows, mapper)
        engine.execute("DROP TABLE IF EXISTS _part")

    def _let_go(self, coming: Sequence[Select]) -> None:
        """Drop the entities that no SELECT to come reads."""
        self.built -= entities.let_go(self.engine, [self.pack.entities[name] for name in self.built], coming)

    def _put_entity(self, select: Select, rows: str, mapper: events.Mapper) -> None:
        """Write the CDM rows of an entity, or of a part of it."""
        if select.table == "death":
            accounting.check_deaths(self.engine, select, rows, self.deaths)
        entity = self.pack.entities[select.name]
        self.cut.update(entities.cut_texts(self.engine, select, rows))
        mapper.learn_sides(rows, entities.coded_fields(select))
        self.made.put(str(select.table), entities.entity_sql(select, entity.type_concept_id, rows), select.name)
        if entity.extra:
            self.made.put(f"{select.name}_extra", entities.extra_sql(select, entity.extra, rows), select.name)

    def _passing(self, found: Delivery, mapper: events.Mapper) -> None:
        """Write the events of the sources that pass, some files at a time."""
        self.engine.execute(f"SET VARIABLE {quote_name(PERIODS)} = ?", [passing.periods_of(found.files)])
        for name, source in self.pack.sources.items():
            selects = [select for select in self.program.events if select.source == name]
            if name in self.program.staged or not selects:
                continue
            mixed = passing.in_periods(selects, self._narrowable(source))
            for files in passing.groups(found.of(name), by_period=mixed is None):
                periods = {incoming.registered.period for incoming in files}
                self.reader.pass_through(files, source)
                if source.key:
                    self.reader.keys[name].keep(partial(self.made.put, "keys", part="keys lasting", restricted=True))
                registered = [incoming.registered for incoming in files]
                self.dangling.note(source, passing=True)
                with self._narrowed(source, periods, found.files):
                    for select in mixed if mixed and len(periods) > 1 else selects:
                        self._event(select, registered, mapper, once=len(selects) == 1)
                self.reader.pass_by(source)

    def _event(self, select: Select, files: Sequence[Registered], mapper: events.Mapper, *, once: bool = False) -> None:
        """Write the events of one SELECT. `once`: its source passes, and no other SELECT begins with it."""
        found = {file.number: file.name for file in files}
        if not events.make_bases(self.engine, select, files):
            return
        given = self.engine.value(f"SELECT count(*) FROM {quote_name(select.source)}")
        event = self.pack.events[select.name]
        with located(self.engine, self.pack, select, found):
            events.materialize(self.engine, select, event)
            if once and not self.joined.wants(select):
                self.reader.pass_by(self.pack.sources[select.source])  # all that is asked for from here on is there
            for written in events.write(self.engine, self.ledger, mapper, select, event, self.made.new_file, self.cut):
                self.made.add(written.table, written.path, select.name)
        self.valueless.note(self.engine, select)
        self.joined.note(select, "_events")
        answered = "(SELECT DISTINCT _row FROM _events)" if select.unnests else "_events"
        accounting.check_rows(self.engine, select, given, answered, self.keys)
        if select.unnests:  # a join that doubles rows would give every item of a line twice
            told = f"SELECT count(DISTINCT _row * {event.items} + coalesce(item, 0)) FROM _events"
            accounting.check_rows(self.engine, select, self.engine.value(told), "_events", self.keys)
        events.drop(self.engine)

    def _narrowable(self, source: Source) -> frozenset[str]:
        """The relations that show only a period while rows of `source` are at work."""
        whole = self.versioned | {name for name, other in self.pack.sources.items() if other.kind != "snapshot"}
        return passing.narrowed(self.program, source, self.built, whole)

    @contextmanager
    def _narrowed(self, source: Source, periods: Collection[str] | None, files: Sequence[Registered]) -> Iterator[None]:
        """While rows of some periods are at work, show only these of what keeps to periods: joins stay small."""
        inside = self._narrowable(source) if periods is not None else frozenset()
        same = [file.number for file in files if file.period in (periods or ())] or [0]
        self._show(inside, f"_row >= {min(same) << LINE_BITS} AND _row < {(max(same) + 1) << LINE_BITS}")
        yield
        self._show(inside, "TRUE")

    def _show(self, relations: Collection[str], condition: str) -> None:
        for select in self.program.entities:
            if f"{select.name}_members" in relations:
                entities.show_members(self.engine, select.name, condition)
            elif select.name in relations:
                entities.show(self.engine, select.name, condition)
        for name in self.program.staged.intersection(relations):
            show(self.engine, self.pack.sources[name], condition)

    def _maps(self) -> str | None:
        """The relation of the holder's own maps; None if the pack has none."""
        if not self.pack.maps:
            return None
        load_maps(self.engine, self.pack.maps, "_maps")
        self.warnings += drop_unknown(self.engine, "_maps", self.pack.maps, self.vocabulary)
        return "_maps"

    def _fates(self) -> str:
        """Write the fates of this run, those that last and those that the next run finds anew; all as a relation."""
        for name, source in self.pack.sources.items():
            corrected = source.kind == "delta" or name in self.versioned
            deliveries = quote_name(f"_deliveries_{name}") if corrected else None
            lasting = name not in self.program.staged
            self.ledger.settle(self.selects.get(name, ()), lasting=lasting, deliveries=deliveries)
        delta = {name for name, source in self.pack.sources.items() if source.kind == "delta"}
        not_joined = self.joined.settle(self.made, self.versioned | delta)
        for lasting, part in ((True, "fates lasting"), (False, "fates spanning")):
            self.made.put("fates", self.ledger.sql(lasting), part, restricted=True)
        self.made.put("repairs", "SELECT * FROM _repairs", "repairs lasting", restricted=True)
        written = self.made.sql("fates", restricted=True)
        self.engine.execute(f"CREATE OR REPLACE TEMP VIEW _written_fates AS {written} UNION ALL BY NAME {not_joined}")
        return "_written_fates"

    def _derived(self) -> dict[str, str]:
        """The SELECT of each table that is computed from the others."""
        told = self.pack.extract_date
        self.extract = told or derived.newest_date(self.engine, date.today())
        made = {}
        if not any(select.table == "observation_period" for select in self.program.entities):
            made["observation_period"] = derived.observation_period_sql(
                self.extract, EHR_PERIOD, dead=self.dead, told=told is not None, born="person"
            )
            if told is None and self.extract is not None:
                self.warnings.append(
                    f"Nothing says when the data were extracted, so {self.extract}, their newest day, ends the "
                    "observation of the living; --set extract_date=YYYY-MM-DD says it."
                )
        return made | derived.derived_sql(self.vocabulary.schema, self.engine, self.extract)
