"""The events of the insurer's files in terms of the CDM, by the rules of `docs/synthesis.md`."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of_months, numbers_of
from madang.science.synthesis.catalog import rows
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.nhis.claims import PERSON_BASE, Book, Lines
from madang.science.synthesis.nhis.damage import UNKNOWN_CODES, Damage
from madang.science.synthesis.nhis.fates import Damages, Fates
from madang.science.synthesis.nhis.rows import checkup_values

TABLE_OF_DOMAIN = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
}
EVENT_TABLES = tuple(TABLE_OF_DOMAIN.values())

EVENTS = pa.schema(
    [
        ("person_source_value", pa.int64()),
        ("concept_id", pa.int64()),
        ("start_date", pa.date32()),
        ("end_date", pa.date32()),
        ("source_value", pa.string()),
        ("source_table", pa.string()),
        ("key_seq", pa.int64()),
        ("seq_no", pa.int32()),
        ("visit_key", pa.int64()),
        ("quantity", pa.float64()),
        ("days_supply", pa.int32()),
        ("value_as_number", pa.float64()),
        ("value_as_concept_id", pa.int64()),
        ("unit_concept_id", pa.int64()),
        ("status_concept_id", pa.int64()),
    ]
)
"""The columns of each file of events; NULL where the table or the source has no such thing."""


def events_of(
    lives: Lives, book: Book, damages: Damages, fates: Fates, visit_key: NDArray[np.int64]
) -> dict[str, pa.Table]:
    """The events of one chunk by CDM table; `visit_key` is that of each claim, 0 for none."""
    events: dict[str, list[pa.Table]] = {table: [] for table in EVENT_TABLES}
    _add_lines(events, lives, book, book.diagnoses, damages.diagnoses, fates.diagnoses, "condition_codes", visit_key)
    for lines, damage, own in (
        (book.fees, damages.fees, fates.fees),
        (book.prescriptions, damages.prescriptions, fates.prescriptions),
    ):
        for name in ("service_codes", "drug_codes"):
            _add_lines(events, lives, book, lines, damage, own, name, visit_key)
    _add_checkups(events, lives, damages.checkups, fates.checkups)
    return {name: pa.concat_tables([EVENTS.empty_table(), *parts]) for name, parts in events.items()}


@dataclass(frozen=True)
class _Targets:
    """Where codes lead: rows of a code table -> targets, one row per target."""

    code: NDArray[np.int32]
    concept: NDArray[np.int64]
    value: NDArray[np.int64]
    """0 for none."""
    domain: NDArray[np.object_]


@cache
def _domains() -> dict[str, str]:
    return {row["concept_id"]: row["domain"] for row in rows("concepts")}


@cache
def _targets(name: str) -> _Targets:
    found: list[tuple[int, int, int, str]] = []
    concepts = {row["key"]: row["concept_id"] for row in (*rows("conditions"), *rows("drugs"))}
    services: dict[str, list[tuple[str, str]]] = {}
    for row in rows("service_targets"):
        services.setdefault(row["service"], []).append((row["relationship"], row["concept_id"]))
    devices = {row["key"] for row in rows("services") if row["kind"] == "device"}
    for n, row in enumerate(rows(name)):
        if name == "service_codes":
            mine = services.get(row["service"], [])
            value = next((int(concept) for relationship, concept in mine if relationship == "Maps to value"), 0)
            targets = [concept for relationship, concept in mine if relationship == "Maps to"]
            fallback = "Device" if row["service"] in devices else "Procedure"
        else:
            key = row["condition"] if name == "condition_codes" else row["drug"]
            targets = [] if row["level"] == "none" or concepts[key] == "0" else [concepts[key]]
            fallback, value = ("Condition" if name == "condition_codes" else "Drug"), 0
        for concept in targets or ["0"]:
            domain = _domains().get(concept, fallback)
            found.append((n, int(concept), value if domain in ("Measurement", "Observation") else 0, domain))
    return _Targets(
        np.array([item[0] for item in found], dtype=np.int32),
        np.array([item[1] for item in found]),
        np.array([item[2] for item in found]),
        np.array([item[3] for item in found], dtype=object),
    )


def _fan_out(codes: NDArray[np.integer], targets: _Targets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(line, target) for every target of every line's code."""
    size = int(targets.code.max()) + 1
    count = np.bincount(targets.code, minlength=size)
    first = np.cumsum(count) - count
    repeats = count[codes]
    line = np.repeat(np.arange(len(codes)), repeats)
    nth = np.arange(len(line)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return line, first[codes][line] + nth


def dates(days: NDArray[np.integer], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Days as Arrow dates, NULL where not known."""
    values = np.ascontiguousarray(days, dtype=np.int32)
    return pa.array(values, pa.int32(), mask=None if known is None else ~known).cast(pa.date32())


def _events(count: int, **columns: pa.Array | NDArray[np.generic]) -> pa.Table:
    """A table of events; columns that are not given are NULL."""
    arrays = []
    for field in EVENTS:
        given = columns.get(field.name)
        array = pa.nulls(count, field.type) if given is None else pa.array(given)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=EVENTS)


def _add_lines(
    events: dict[str, list[pa.Table]],
    lives: Lives,
    book: Book,
    lines: Lines,
    damage: Damage,
    fates: NDArray[np.int8],
    codes: str,
    visit_key: NDArray[np.int64],
) -> None:
    """Events of the lines that carry codes of one code table."""
    wanted = (fates == 0) & (lines.drug == (codes == "drug_codes"))
    mine = np.flatnonzero(wanted)
    targets = _targets(codes)
    line, target = _fan_out(lines.code[mine], targets)
    row = mine[line]
    unknown = damage.happens("unknown code")
    first = np.diff(row, prepend=-1) != 0
    keep = first | ~unknown[row]
    row, target = row[keep], target[keep]
    fallback = {"condition_codes": "Condition", "drug_codes": "Drug"}.get(codes, "Procedure")
    domain = np.where(unknown[row], np.where(lines.device[row], "Device", fallback), targets.domain[target])
    concept = np.where(unknown[row], 0, targets.concept[target])
    value = np.where(unknown[row], 0, targets.value[target])
    words = pa.array([*(row["code"] for row in rows(codes)), UNKNOWN_CODES[damage.table]])
    word = np.where(unknown[row], len(words) - 1, lines.code[row])
    files = pa.array([f"{damage.table}_T{type_}" for type_ in range(4)])
    claims = book.claims
    claim = lines.claim[row]
    start = claims.start[claim]
    drug = codes == "drug_codes"
    lost = damage.happens("broken optional")[row]
    amount = lines.per_time[row].astype(np.float64) * lines.times[row] * lines.days[row]
    visit = visit_key[claim]
    for of_domain, table in TABLE_OF_DOMAIN.items():
        here = domain == of_domain
        if not here.any():
            continue
        claim_here, counted = claim[here], codes != "condition_codes"
        events[table].append(
            _events(
                int(here.sum()),
                person_source_value=lives.people.number[claims.person[claim_here]] + PERSON_BASE,
                concept_id=concept[here],
                start_date=dates(start[here]),
                end_date=dates(np.where(lost, start, start + lines.days[row] - 1)[here]) if drug else None,
                source_value=pc.take(words, pa.array(word[here])),
                source_table=pc.take(files, pa.array(claims.type[claim_here])),
                key_seq=claims.key[claim_here],
                seq_no=lines.sequence[row][here],
                visit_key=pa.array(visit[here], mask=visit[here] == 0),
                quantity=pa.array(amount[here], mask=lost[here]) if counted else None,
                days_supply=pa.array(lines.days[row][here], mask=lost[here]) if drug else None,
                value_as_concept_id=pa.array(value[here], mask=value[here] == 0),
                status_concept_id=None if counted else np.where(lines.sequence[row][here] == 1, 32902, 32908),
            )
        )


def _add_checkups(events: dict[str, list[pa.Table]], lives: Lives, damage: Damage, fates: NDArray[np.int8]) -> None:
    """Events of the check-ups: on the first of January, for the file has only the year; they are no visits."""
    checkups = lives.checkups
    used = fates == 0
    year = numbers_of(checkups.day) // 10000
    day = first_of_months((year - 1970) * 12)
    person = lives.people.number[checkups.person] + PERSON_BASE
    lost = damage.happens("broken optional")
    facts = {row["column"]: row for row in rows("checkup")}
    for column, values in checkup_values(lives).items():
        here = used & ~np.isnan(values) & ~(lost & (column == "BLDS"))
        count = int(here.sum())
        events["measurement"].append(
            _events(
                count,
                person_source_value=person[here],
                concept_id=np.full(count, int(facts[column]["concept_id"])),
                start_date=dates(day[here]),
                source_value=pa.array([column] * count, pa.string()),
                source_table=pa.array(["GJ"] * count, pa.string()),
                value_as_number=values[here],
                unit_concept_id=np.full(count, int(facts[column]["unit_concept_id"])),
            )
        )
    for column, answers in (("OLIG_PROTE_CD", checkups.urine_protein), ("SMK_STAT_TYPE_RSPS_CD", checkups.smoking)):
        for row in (row for row in rows("checkup_answers") if row["column"] == column):
            here = used & (answers == int(row["answer"]))
            count, value = int(here.sum()), row["value_as_concept_id"]
            events[TABLE_OF_DOMAIN[row["domain"]]].append(
                _events(
                    count,
                    person_source_value=person[here],
                    concept_id=np.full(count, int(row["concept_id"])),
                    start_date=dates(day[here]),
                    source_value=pa.array([column] * count, pa.string()),
                    source_table=pa.array(["GJ"] * count, pa.string()),
                    value_as_concept_id=np.full(count, int(value)) if value else None,
                )
            )
