"""Asks a version what is in it: two groupings of each table, by person and month and by person and concept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine, quote_name
from madang.science.quality.assess import about_source, opened
from madang.science.quality.columns import Columns, family, read_columns
from madang.science.quality.profile.engines import Asking, Second, spread
from madang.science.quality.profile.hide import enough, joined, listed
from madang.science.quality.profile.model import (
    Concept,
    Observed,
    People,
    Period,
    Profile,
    Records,
    SourceValue,
    Values,
)

MINIMUM = 5
MOST = 20  # entries of a list
OLDEST = 100  # from which age on all are together
EARLIEST = 1900  # years before are together with it, years to come with the next one
MONTHS = 120  # a longer time is told by year

# Of each table of records: its date, its concept, the source's own value.
TABLES: Mapping[str, tuple[str, str, str]] = {
    "visit_occurrence": ("visit_start_date", "visit_concept_id", "visit_source_value"),
    "visit_detail": ("visit_detail_start_date", "visit_detail_concept_id", "visit_detail_source_value"),
    "condition_occurrence": ("condition_start_date", "condition_concept_id", "condition_source_value"),
    "drug_exposure": ("drug_exposure_start_date", "drug_concept_id", "drug_source_value"),
    "procedure_occurrence": ("procedure_date", "procedure_concept_id", "procedure_source_value"),
    "device_exposure": ("device_exposure_start_date", "device_concept_id", "device_source_value"),
    "measurement": ("measurement_date", "measurement_concept_id", "measurement_source_value"),
    "observation": ("observation_date", "observation_concept_id", "observation_source_value"),
    "specimen": ("specimen_date", "specimen_concept_id", "specimen_source_value"),
    "note": ("note_date", "note_class_concept_id", ""),
    "death": ("death_date", "cause_concept_id", "cause_source_value"),
}


def profile(
    version: Version,
    vocabulary: Version | None = None,
    *,
    minimum: int = MINIMUM,
    today: date | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    second: Second | None = None,
) -> Profile:
    """What is in a version; no count is about fewer than `minimum` persons, 1 keeps nothing back.

    `vocabulary` gives concepts their names, by default the one that the version was mapped with. `second` is another
    engine that is asked instead of ours. Raises `profile.no_persons` where there is no table PERSON with numbers of
    persons, `profile.spark` where the second engine could answer otherwise.
    """
    progress = progress or Silent()
    day = today or datetime.now(UTC).date()
    before = _before(version)
    with (
        opened(version, vocabulary, threads=threads) as tables,
        progress.interruptible((second or tables.engine).cancel),
    ):
        columns = read_columns(tables.engine)
        _check_persons(version, columns)
        if second is not None:
            _check_proved(columns)
            second.attach(*(each for each in (tables.vocabulary, version) if each is not None))
        asked = Asked(second or tables.engine, columns, minimum, day, tables.engine)
        with progress.step(_("profile {version}").format(version=version.name), len(TABLES) + 2, _("tables")):
            persons = asked.everybody
            people, observed = (asked.people(), asked.observed()) if persons >= minimum else ((), ())
            progress.advance(1)
            records = []
            for table in TABLES:
                records.append(asked.records(table))
                progress.advance(1)
            measured = next(r for r in records if r.table == "measurement")
            values = asked.values([concept.concept_id for concept in measured.concepts])
            progress.advance(1)
        about = about_source(tables.engine, columns)
        release = str(tables.vocabulary.info.get("release", "")) if tables.vocabulary else ""
        if before is not None:
            records = _beside(records, before, minimum, second)
    return Profile(
        dataset=version.dataset.name,
        version=version.number,
        manifest=version.digest,
        vocabulary=release,
        minimum=minimum,
        before=before.number if before else None,
        persons=persons if enough(persons, minimum) else None,
        people=people,
        observed=observed,
        tables=tuple(record for record in records if record.rows != 0 or record.rows_before),
        values=values,
        about=about,
    )


def _check_persons(version: Version, columns: Columns) -> None:
    if family(columns.get("person", {}).get("person_id", "")) != "integer":
        raise MadangError(
            "profile.no_persons",
            _("{version} has no table PERSON with numbers of persons.").format(version=version.name),
            _("Only a common data model can be profiled; `madang datasets show` lists the tables."),
        )


def _check_proved(columns: Columns) -> None:
    """Raise where a second engine could answer otherwise than ours."""
    if columns.get("measurement", {}).get("value_as_number", "").startswith("DECIMAL"):
        raise MadangError(
            "profile.spark",
            _("MEASUREMENT.value_as_number is a decimal number, whose quantiles are not proved equal on Spark."),
            _("Ask on one machine: leave --engine spark out."),
        )


def _before(version: Version) -> Version | None:
    """The version before this one that is still there."""
    earlier = [number for number in version.dataset.versions() if number < version.number]
    return version.dataset.version(earlier[-1]) if earlier else None


def _beside(records: Iterable[Records], before: Version, minimum: int, second: Second | None = None) -> list[Records]:
    """The records with what the version before had."""
    with opened(before) as tables:
        if second is not None:
            second.attach(before)
        asked = Asked(second or tables.engine, read_columns(tables.engine), minimum, date.today(), tables.engine)
        found = {record.table: asked.counted(record.table) for record in records}
    return [
        replace(record, rows_before=found[record.table][0], persons_before=found[record.table][1]) for record in records
    ]


@dataclass(frozen=True)
class Entry:
    """One group of a grouping: what it is of, and how many records and persons."""

    key: Any
    records: int
    persons: int


@dataclass(frozen=True)
class Asked:
    """The questions, put to one opened version."""

    engine: Asking
    columns: Columns
    minimum: int
    today: date
    ours: Engine

    @cached_property
    def everybody(self) -> int:
        """How many persons there are."""
        return int(self.engine.value("SELECT count(DISTINCT person_id) FROM person"))

    def told(self, persons: int) -> int | None:
        """A number of persons, unless it says of too few that they are not among them."""
        return persons if enough(max(0, self.everybody - persons), self.minimum) else None

    def people(self) -> tuple[People, ...]:
        """Persons by sex and age at the end of their observation; without one, at the day of the profile."""
        person = self.columns["person"]
        if family(person.get("year_of_birth", "")) != "integer":
            return ()
        sex = (
            "coalesce(p.gender_concept_id, 0)"
            if family(person.get("gender_concept_id", "")) == "integer"
            else "NULL::BIGINT"
        )
        end = self._periods("max(year(observation_period_end_date))")
        age = f"coalesce(o.value, {self.today.year}) - p.year_of_birth"
        rows = self.engine.rows(
            f"SELECT {sex}, least({OLDEST // 5}, floor(greatest(0, {age}) / 5))::INTEGER AS band, count(*) "
            f"FROM person p LEFT JOIN {end} o USING (person_id) WHERE p.year_of_birth IS NOT NULL GROUP BY ALL"
        )
        counts: dict[object, list[int]] = {}
        for one, band, count in rows:
            counts.setdefault(one, [0] * (OLDEST // 5 + 1))[band] += count
        if not enough(self._unborn(), self.minimum):  # with the total these could be worked out
            return ()
        if any(0 < sum(bands) < self.minimum for bands in counts.values()):  # a sex of too few: all together
            counts = {None: [sum(bands) for bands in zip(*counts.values(), strict=True)]}
        if not counts or any(sum(bands) < self.minimum for bands in counts.values()):
            return ()
        groups = joined(list(zip(*counts.values(), strict=True)), self.minimum)
        return tuple(
            People(
                None if one is None else int(str(one)),
                first * 5,
                None if last == OLDEST // 5 else last * 5 + 4,
                sum(bands[first : last + 1]),
            )
            for one, bands in sorted(counts.items(), key=lambda item: str(item[0]))
            for first, last in groups
        )

    def _unborn(self) -> int:
        """Persons without a year of birth."""
        return int(self.engine.value("SELECT count(*) FROM person WHERE year_of_birth IS NULL"))

    def observed(self) -> tuple[Observed, ...]:
        """Persons by the whole years that they were observed, gaps left out."""
        start, end = (f"observation_period_{each}_date::DATE" for each in ("start", "end"))
        days = f"sum(datediff('day', {start}, {end}) + 1)"
        rows = self.engine.rows(
            "SELECT greatest(0, least(50, floor(coalesce(o.value, 0) / 365.25::DOUBLE)))::INTEGER AS years, "
            f"count(DISTINCT person_id) FROM person LEFT JOIN {self._periods(days)} o USING (person_id) GROUP BY ALL"
        )
        counts = [0] * 51
        for years, persons in rows:
            counts[years] = persons
        if sum(counts) < self.minimum:
            return ()
        return tuple(
            Observed(first, None if last == 50 else last, sum(counts[first : last + 1]))
            for first, last in joined([(count,) for count in counts], self.minimum)
        )

    def _periods(self, value: str) -> str:
        """What the observation periods of each person say: (person_id, value)."""
        fields = self.columns.get("observation_period", {})
        dates = [fields.get(f"observation_period_{end}_date", "") for end in ("start", "end")]
        if family(fields.get("person_id", "")) != "integer" or any(family(kind) != "date" for kind in dates):
            return "(SELECT NULL::BIGINT AS person_id, NULL::BIGINT AS value WHERE false)"
        return f"(SELECT person_id, {value} AS value FROM observation_period GROUP BY person_id)"

    def counted(self, table: str) -> tuple[int | None, int | None]:
        """Rows of a table and the persons they are of; None where these are too few."""
        fields = self.columns.get(table, {})
        if not fields:
            return 0, 0
        if family(fields.get("person_id", "")) != "integer":
            return None, None
        rows, persons = self.engine.rows(f"SELECT count(*), count(DISTINCT person_id) FROM {table}")[0]
        return (rows, self.told(persons)) if enough(persons, self.minimum) else (None, None)

    def records(self, table: str) -> Records:
        """What is in one table of records."""
        rows, persons = self.counted(table)
        if not rows:
            return Records(table, rows, persons)
        day, concept, source = TABLES[table]
        fields = self.columns[table]
        found = Records(table, rows, persons)
        if family(fields.get(day, "")) == "date":
            found = replace(found, periods=self.over_time(table, day))
        if family(fields.get(concept, "")) != "integer":
            return found
        unmapped, shown = self.listing(table, f"coalesce({concept}, 0)", 0)
        values: list[Entry] = []
        if unmapped and family(fields.get(source, "")) == "text":
            groups = self._groups(table, source, f"coalesce({concept}, 0) = 0")
            values = [entry for entry in listed(groups, self.minimum, MOST) if entry.key is not None]
        names = self.names(entry.key for entry in shown)
        return replace(
            found,
            unmapped=unmapped,
            concepts=tuple(
                Concept(entry.key, names.get(entry.key, ""), entry.records, self.told(entry.persons)) for entry in shown
            ),
            unmapped_values=tuple(SourceValue(e.key[:200], e.records, self.told(e.persons)) for e in values),
        )

    def listing(self, table: str, key: str, nothing: int | None = None) -> tuple[int | None, list[Entry]]:
        """Of a key: how many records have `nothing` (None where that is kept back), and the groups to be listed."""
        groups = self._groups(table, key, nothing=nothing)
        without = next((entry for entry in groups if entry.key == nothing), Entry(nothing, 0, 0))
        others = [entry for entry in groups if entry.key != nothing]
        told = without.persons == 0 or (
            enough(without.persons, self.minimum)
            and (not others or any(other.persons >= self.minimum for other in others))
        )
        shown = listed(others if told else [*others, without], self.minimum, MOST)
        return without.records if told else None, [entry for entry in shown if entry.key != nothing]

    def _groups(self, table: str, key: str, where: str = "true", nothing: int | None = None) -> list[Entry]:
        """The groups of a key that decide what is listed: the most frequent ones of enough persons, one of fewer.

        Also the group of `nothing`. A column may have as many groups as rows; what is fetched of them is a few.
        """
        rows = self.engine.rows(
            "SELECT key, records, persons FROM (SELECT key, records, persons, row_number() OVER "
            f"(ORDER BY persons < {self.minimum}, records DESC, key) AS place "
            f"FROM ({self._grouping(table, key, where)})) "
            f"WHERE place <= {MOST + 3} OR key IS NOT DISTINCT FROM {'NULL' if nothing is None else nothing} "
            f"ORDER BY place"
        )
        return [Entry(*row) for row in rows]

    def over_time(self, table: str, day: str) -> tuple[Period, ...]:
        """Records by month, or by year of a long time."""
        last = (self.today.year + 1) * 12 + 11
        month = f"greatest({EARLIEST * 12}, least({last}, year({day}) * 12 + month({day}) - 1))"
        [(first, end)] = self.engine.rows(
            f"SELECT min(x), max(x) FROM (SELECT {month} AS x FROM {quote_name(table)} WHERE {day} IS NOT NULL)"
        )
        if first is None:
            return ()
        by_year = end - first >= MONTHS
        unit = f"floor(({month}) / 12)::BIGINT" if by_year else month
        entries = {entry.key: entry for entry in self.by_person(table, unit, f"{day} IS NOT NULL")}
        places = range(min(entries), max(entries) + 1)
        counts = [(entries[place].persons if place in entries else 0,) for place in places]
        if not any(persons >= self.minimum for (persons,) in counts):
            return ()
        undated = self.engine.value(
            f"SELECT count(DISTINCT {self.who(table)}) FROM {quote_name(table)} WHERE {day} IS NULL"
        )
        if not enough(undated, self.minimum):  # with the total these could be worked out
            return ()
        periods = []
        for a, b in joined(counts, self.minimum, max):
            records = sum(entries[p].records for p in places[a : b + 1] if p in entries)
            periods.append(Period(_label(places[a], by_year), _label(places[b], by_year), records))
        return tuple(periods)

    def by_person(self, table: str, key: str, where: str = "true") -> list[Entry]:
        """The groups of a key that has few, each with its records and persons."""
        return [Entry(*row) for row in self.engine.rows(self._grouping(table, key, where))]

    def _grouping(self, table: str, key: str, where: str) -> str:
        """SQL of the groups of a key: key, records, persons; rows of nobody count as one person's."""
        return (
            f"SELECT key, sum(n)::BIGINT AS records, count(*) AS persons FROM (SELECT {key} AS key, "
            f"{self.who(table)} AS who, count(*) AS n FROM {quote_name(table)} WHERE {where} GROUP BY ALL) GROUP BY key"
        )

    def who(self, table: str) -> str:
        """SQL of whose a row is; NULL in a table that is not about persons."""
        return "person_id" if family(self.columns[table].get("person_id", "")) == "integer" else "NULL::BIGINT"

    def values(self, concepts: list[int]) -> tuple[Values, ...]:
        """What was measured in numbers, of concepts that may be told, by unit."""
        fields = self.columns.get("measurement", {})
        if not concepts or family(fields.get("value_as_number", "")) not in ("number", "integer"):
            return ()
        has_unit = family(fields.get("unit_concept_id", "")) == "integer"
        number = "value_as_number::DOUBLE"
        known = f"isfinite({number})"
        unit = "nullif(unit_concept_id, 0)" if has_unit else "NULL::BIGINT"
        listed_ = ", ".join(map(str, concepts))
        key = f"measurement_concept_id, coalesce({known}, false) AS numeric, CASE WHEN {known} THEN {unit} END AS unit"
        rows = spread(self.engine, self.ours, key, known, number, f"measurement_concept_id IN ({listed_})")
        entries: dict[int, list[Entry]] = {}
        for concept, numeric, unit_id, records, persons, shares in rows:
            entries.setdefault(concept, []).append(Entry((numeric, unit_id, shares), records, persons))
        kept = [(c, e) for c in concepts for e in listed(entries.get(c, []), self.minimum, MOST) if e.key[0]]
        names = self.names([*concepts, *(e.key[1] for _c, e in kept if e.key[1] is not None)])
        found = []
        for concept, entry in kept:
            _numeric, unit_id, shares = entry.key
            told = [
                float(value) if self.minimum == 1 or entry.persons * share >= self.minimum else None
                for value, share in zip(shares, (0.05, 0.25, 0.5, 0.25, 0.05), strict=True)
            ]
            unit_name = "" if unit_id is None else names.get(unit_id, "")
            name = names.get(concept, "")
            persons = self.told(entry.persons)
            found.append(Values(concept, name, unit_id, unit_name, entry.records, persons, *told))
        return tuple(found)

    def names(self, concepts: Iterable[int]) -> dict[int, str]:
        """The names of concepts, as far as there is a vocabulary."""
        wanted = sorted(set(concepts))
        fields = self.columns.get("concept", {})
        if not wanted or not {"concept_id", "concept_name"} <= set(fields):
            return {}
        listed_ = ", ".join(map(str, wanted))
        rows = self.engine.rows(f"SELECT concept_id, concept_name FROM concept WHERE concept_id IN ({listed_})")
        return {int(number): str(name) for number, name in rows}


def _label(place: int, by_year: bool) -> str:
    return str(place) if by_year else f"{place // 12}-{place % 12 + 1:02}"
