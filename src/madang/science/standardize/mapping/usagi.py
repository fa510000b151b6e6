"""Usagi's CSV, the exchange format of mapping reviews: read and written by its column names and meaning.

Usagi (OHDSI) decides per code, we per code and target. APPROVED is approved, FLAGGED and the older IGNORED are
rejected, all other states are candidates. Written is per code what is strongest: its approved targets as APPROVED, else
its candidates as UNCHECKED, else what was rejected as FLAGGED. Times are milliseconds since 1970. Usagi writes a line
break as `\\n` and doubles a backslash. Files that R wrote again (`NA`, `1.6e+12`) and those of version 1.1 are read.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.files import put_instead, sentences
from madang.science.standardize.mapping.book import Edit, Rows
from madang.science.standardize.mapping.codes import INFO_PREFIX, ReviewItem
from madang.science.standardize.mapping.model import (
    Concept,
    Equivalence,
    Mapping,
    MappingType,
    SourceCode,
    Status,
    check_mapping,
    check_together,
)
from madang.science.standardize.mapping.table import Line, read_table, whole_number

COLUMNS = (
    *("sourceCode", "sourceName", "sourceFrequency", "sourceAutoAssignedConceptIds"),
    *("matchScore", "mappingStatus", "equivalence", "statusSetBy", "statusSetOn"),
    *("conceptId", "conceptName", "domainId", "mappingType", "comment"),
    *("createdBy", "createdOn", "assignedReviewer"),
)
_REQUIRED = ("sourceCode", "sourceName", "mappingStatus", "conceptId")
_STATUS = {
    "APPROVED": Status.APPROVED,
    "FLAGGED": Status.REJECTED,
    "IGNORED": Status.REJECTED,
    "UNCHECKED": Status.CANDIDATE,
    "AUTO_MAPPED": Status.CANDIDATE,
    "AUTO_MAPPED_TO_1": Status.CANDIDATE,
    "INVALID_TARGET": Status.CANDIDATE,
}
_OLD_NAMES = {"targetConceptId": "conceptId"}  # of version 1.1
_MAY_BE_CALLED_NA = ("sourceCode", "sourceName")  # sodium is; in all other columns R means that there is nothing
_OLD_TYPES = {"EVENT": "MAPS_TO", "VALUE": "MAPS_TO_VALUE", "UNIT": "MAPS_TO_UNIT"}
_WRITTEN = {Status.APPROVED: "APPROVED", Status.CANDIDATE: "UNCHECKED", Status.REJECTED: "FLAGGED"}


@dataclass(frozen=True)
class UsagiFile:
    """What a file of Usagi says: all its codes, and the decisions of those that have any, with their lines."""

    codes: list[SourceCode]
    mappings: list[Mapping]
    lines: dict[tuple[str, str, int, str], Line]


def read_usagi(
    path: Path,
    vocabulary_id: str,
    concept: Callable[[int], Concept | None],
    by: str,
    encoding: str = "utf-8",
) -> UsagiFile:
    """Read a file of Usagi for codes of `vocabulary_id` (Usagi does not keep it).

    `concept` looks a target up; `by` stands for the reviewer where the file names none, as older files do. Raises
    `MadangError` with the line for missing columns, unknown states, targets that the vocabulary does not have,
    duplicates and contradictions: a code of two names or two states.
    """
    codes: dict[str, tuple[SourceCode, str]] = {}
    mappings: dict[tuple[str, str, int, str], Mapping] = {}
    lines: dict[tuple[str, str, int, str], Line] = {}
    faults: list[MadangError] = []
    for raw in read_table(path, _REQUIRED, encoding, _OLD_NAMES):
        try:
            _take(raw, vocabulary_id, concept, by, codes, mappings, lines)
        except MadangError as fault:
            faults.append(fault)
    if faults:
        raise _together(faults)
    check_together(list(mappings.values()))
    return UsagiFile([code for code, __ in codes.values()], list(mappings.values()), lines)


def _take(
    raw: Line,
    vocabulary_id: str,
    concept: Callable[[int], Concept | None],
    by: str,
    codes: dict[str, tuple[SourceCode, str]],
    mappings: dict[tuple[str, str, int, str], Mapping],
    lines: dict[tuple[str, str, int, str], Line],
) -> None:
    """Add the code and the decision of one line."""
    line = replace(raw, values={column: _said(column, text) for column, text in raw.values.items()})
    code, state = _source_code(line, vocabulary_id), line.get("mappingStatus")
    if not code.code:
        raise line.error("mapping.value", "has no sourceCode.")
    known, known_state = codes.setdefault(code.code, (code, state))
    if known.name != code.name:
        raise line.error("mapping.contradiction", f"{code.code} is '{code.name}' here and '{known.name}' above.")
    if known_state != state:
        raise line.error("mapping.contradiction", f"{code.code} is {state} here and {known_state} above.")
    mapping = _mapping(line, code, concept, by)
    if mapping is None:
        return
    if mapping.key in mappings:
        first = lines[mapping.key].number
        raise line.error("mapping.duplicate", f"{code.code} to {mapping.target_concept_id} is in line {first}, too.")
    mappings[mapping.key], lines[mapping.key] = mapping, line


def _together(faults: Sequence[MadangError]) -> MadangError:
    """All that is wrong in a file in one answer, so that nobody has to mend it line by line."""
    if len(faults) == 1:
        return faults[0]
    told = " ".join(fault.message for fault in faults[:_MOST_FAULTS])
    more = f" And {len(faults) - _MOST_FAULTS} more." if len(faults) > _MOST_FAULTS else ""
    return MadangError(faults[0].code, f"{len(faults)} lines cannot be taken. {told}{more}", faults[0].hint)


_MOST_FAULTS = 30


def take_over(file: UsagiFile, replace_decisions: bool = False) -> Edit:
    """An update of a book by all decisions of a file.

    A row of the book that was approved or rejected otherwise is a conflict, unless `replace_decisions`.
    """

    def change(rows: Rows) -> None:
        for mapping in file.mappings:
            known = rows.get(mapping.key)
            if known and _decision(known) == _decision(mapping):
                continue
            if known and known.status is not Status.CANDIDATE and not replace_decisions:
                raise file.lines[mapping.key].error(
                    "mapping.conflict",
                    f"{mapping.source_code} to {mapping.target_concept_id} is {mapping.status} {mapping.equivalence} "
                    f"here, but {known.status} {known.equivalence} by {known.reviewer} in the book.",
                    "Give --replace to take the file's word; nothing was changed.",
                )
            rows[mapping.key] = mapping

    return change


def write_usagi(path: Path, items: Iterable[ReviewItem], concept: Callable[[int], Concept | None]) -> int:
    """Write codes and their decisions as a file that Usagi opens; returns how many codes. Replaces the file at once."""
    kept = list(items)
    titles = sorted({title for item in kept for title, __ in item.code.info})
    header = [*COLUMNS[:4], *(INFO_PREFIX + title for title in titles), *COLUMNS[4:]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for item in kept:
        code, info = item.code, dict(item.code.info)
        status = next((kind for kind in _WRITTEN if kind.value == item.status), Status.CANDIDATE)
        chosen: list[Mapping | None] = [mapping for mapping in item.mappings if mapping.status is status]
        targets = ";".join(map(str, code.target_concept_ids))
        source = [code.code, code.name, code.records, targets, *(info.get(title, "") for title in titles)]
        for mapping in chosen or [None]:
            decision = _written(mapping, status, concept)
            writer.writerow([_escaped(str(value)) for value in (*source, *decision)])
    with sentences(f"write {path.name}"):
        put_instead(path, out.getvalue().encode(), 0o644)
    return len(kept)


def _source_code(line: Line, vocabulary_id: str) -> SourceCode:
    def concepts(text: str) -> tuple[int, ...]:
        return tuple(whole_number(part) for part in text.split(";") if part.strip())

    name = " ".join(line.get("sourceName").split())
    none: tuple[int, ...] = ()
    assigned = line.take("sourceAutoAssignedConceptIds", concepts, none, "a list of concept identifiers")
    return SourceCode(
        vocabulary_id=vocabulary_id,
        code=line.get("sourceCode"),
        names=(name,) if name else (),
        records=max(line.take("sourceFrequency", whole_number, 0, "a count"), 0),
        target_concept_ids=assigned,
        info=tuple(
            (column.removeprefix(INFO_PREFIX), line.get(column))
            for column in line.values
            if column.startswith(INFO_PREFIX) and line.get(column)
        ),
    )


def _mapping(line: Line, code: SourceCode, concept: Callable[[int], Concept | None], by: str) -> Mapping | None:
    """The decision of one row; None where there is none: no target, and not approved or rejected either."""
    status = line.take("mappingStatus", _STATUS.__getitem__, Status.CANDIDATE, f"one of {', '.join(_STATUS)}")
    equivalence = line.take(
        "equivalence",
        Equivalence,
        Equivalence.UNREVIEWED,
        f"one of {', '.join(member.value for member in Equivalence)}",
    )
    kinds = f"one of {', '.join(member.value for member in MappingType)}"
    kind = line.take("mappingType", lambda text: MappingType(_OLD_TYPES.get(text, text)), MappingType.MAPS_TO, kinds)
    target = line.take("conceptId", whole_number, 0, "a concept identifier")
    if target == 0 and status is Status.CANDIDATE:
        return None
    found = concept(target) if target else None
    if target and found is None:
        raise line.error("mapping.no_concept", f"concept {target} of {code.code} is not in the vocabulary.")
    if found and status is Status.APPROVED and not found.standard:
        raise line.error(
            "mapping.not_standard", f"concept {target} ({found.name}) of {code.code} is approved, but not standard."
        )
    if target == 0 and status is Status.APPROVED and equivalence is Equivalence.UNREVIEWED:
        equivalence = Equivalence.UNMATCHED
    reviewer = line.get("statusSetBy") or ("" if status is Status.CANDIDATE else by)
    mapping = Mapping(
        source_vocabulary_id=code.vocabulary_id,
        source_code=code.code,
        source_name=code.name,
        target_concept_id=target,
        target_name=found.name if found else "",
        target_domain_id=found.domain_id if found else "",
        target_vocabulary_id=found.vocabulary_id if found else "",
        mapping_type=kind,
        status=status,
        equivalence=equivalence,
        reviewer=reviewer,
        reviewed_on=line.take("statusSetOn", _moment, None, "a time in milliseconds"),
        assigned_reviewer=line.get("assignedReviewer"),
        comment=line.get("comment"),
    )
    check_mapping(mapping, line.where)
    return mapping


def _written(mapping: Mapping | None, status: Status, concept: Callable[[int], Concept | None]) -> list[object]:
    """The columns from matchScore on. The score is Usagi's own measure, which we do not have."""
    if mapping is None:
        return [
            "0.00",
            _WRITTEN[status],
            Equivalence.UNREVIEWED.value,
            "",
            0,
            0,
            "Unmapped",
            "",
            "MAPS_TO",
            "",
            "",
            0,
            "",
        ]
    found = concept(mapping.target_concept_id) if mapping.target_concept_id else None
    name, domain = (found.name, found.domain_id) if found else (mapping.target_name, mapping.target_domain_id)
    if mapping.target_concept_id == 0:
        name = "Unmapped"
    at = int(mapping.reviewed_on.timestamp() * 1000) if mapping.reviewed_on else 0
    decided = ["0.00", _WRITTEN[status], mapping.equivalence.value, mapping.reviewer, at]
    target = [mapping.target_concept_id, name, domain, mapping.mapping_type.value, mapping.comment]
    return [*decided, *target, mapping.reviewer, at, mapping.assigned_reviewer]


def _decision(mapping: Mapping) -> tuple[str, str]:
    return mapping.status.value, mapping.equivalence.value


def _moment(text: str) -> datetime | None:
    milliseconds = whole_number(text)
    if milliseconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC)
    except OSError as error:
        raise ValueError(text) from error


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")


def _said(column: str, text: str) -> str:
    return "" if text.strip() == "NA" and column not in _MAY_BE_CALLED_NA else _unescaped(text)


def _unescaped(text: str) -> str:
    """A doubled backslash is one, `\\n` is a line break, any other backslash is itself."""
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace('\\"', '"') for part in parts)
