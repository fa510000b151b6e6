"""The codes to review: from a dataset's table `source_codes`, or from a plain CSV of codes with names and counts."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake import Version
from madang.lake.engine import Engine
from madang.lake.files import make_folder, put_instead, sentences
from madang.science.standardize.mapping.model import Mapping, SourceCode, Status
from madang.science.standardize.mapping.table import Line, read_table, whole_number

TABLE = "source_codes"
INFO_PREFIX = "ADD_INFO:"  # Usagi's mark of columns that it carries along

# Columns of a list of codes by the names that people give them; what is left of a header of letters and digits only.
_COLUMNS = {
    "vocabulary_id": ("vocabularyid", "sourcevocabularyid", "vocabulary"),
    "code": ("code", "sourcecode", "conceptcode", "코드"),
    "domain": ("domain", "domainid", "sourcedomain"),
    "records": ("records", "frequency", "sourcefrequency", "count", "n", "건수", "빈도"),
    "persons": ("persons", "patients", "환자수"),
    "level": ("level",),
    "targets": ("targetconceptids", "sourceautoassignedconceptids"),
    "first_date": ("firstdate",),
    "last_date": ("lastdate",),
    "atc": ("atc", "atccode"),
    "ingredient": ("ingredient", "ingredientname", "성분명", "주성분명"),
}
_FIELDS = {alias: field for field, aliases in _COLUMNS.items() for alias in aliases}
_NAMES = ("codename", "sourcename", "sourcecodedescription", "name", "description", "synonym", "명칭", "이름", "코드명")


def codes_of_version(engine: Engine, version: Version) -> list[SourceCode]:
    """The codes that a run met, from the dataset's own table, most records first."""
    if TABLE not in version.tables:
        raise MadangError(
            "mapping.no_codes",
            f"{version.name} has no table {TABLE}.",
            "Only datasets made by `madang standardize` have one; a list of codes can be imported with --codes.",
        )
    version.attach(engine, schema="mapping_review")
    rows = engine.rows(
        "SELECT vocabulary_id, code, code_name, domain, records, persons, level, target_concept_ids, first_date, "
        f"last_date FROM mapping_review.{TABLE} WHERE vocabulary_id IS NOT NULL AND code IS NOT NULL"
    )
    codes = [
        SourceCode(
            vocabulary_id=vocabulary,
            code=code,
            names=(name,) if name else (),
            domain=domain or "",
            records=records or 0,
            persons=persons,
            level=level or "unmapped",
            target_concept_ids=_targets(targets or ""),
            first_date=first,
            last_date=last,
        )
        for vocabulary, code, name, domain, records, persons, level, targets, first, last in rows
    ]
    return by_records(codes)


def codes_of_file(path: Path, vocabulary_id: str = "", encoding: str = "utf-8") -> list[SourceCode]:
    """The codes of a CSV, most records first.

    Needed is a column of codes; understood are also vocabulary (otherwise `vocabulary_id`), any number of name columns
    (`code_name`, `code_name_en`, `synonym_1`, ...), records, persons, domain, ATC code, ingredient. All other columns
    are carried along. Raises `MadangError` with the line if a code is there twice or a count is no number.
    """
    codes: dict[tuple[str, str], SourceCode] = {}
    for line in read_table(path, (), encoding):
        code = _code(line, vocabulary_id)
        if code.key in codes:
            raise line.error("mapping.duplicate", f"{code.vocabulary_id} {code.code} is there twice.", "Keep one.")
        codes[code.key] = code
    if not codes:
        raise MadangError("mapping.no_codes", f"{path.name} has no codes.", "It needs a row per code.")
    return by_records(codes.values())


def _code(line: Line, vocabulary_id: str) -> SourceCode:
    fields: dict[str, str] = {}
    names: list[str] = []
    info: list[tuple[str, str]] = []
    for column in line.values:
        plain = "".join(letter for letter in column.lower() if letter.isalnum())
        text = line.get(column)
        field = _FIELDS.get(plain)
        if field:
            fields.setdefault(field, column)
        elif not column.startswith(INFO_PREFIX) and plain.startswith(_NAMES):
            names += [text] if text and text not in names else []
        elif text and column:
            info.append((column.removeprefix(INFO_PREFIX), text))
    if "code" not in fields:
        raise MadangError("mapping.columns", f"{line.file} has no column of codes.", "Call it `code`.")
    code, vocabulary = line.get(fields["code"]), line.get(fields.get("vocabulary_id", ""), vocabulary_id)
    if not code or not vocabulary:
        missing = "code" if not code else "source vocabulary"
        raise line.error("mapping.value", f"has no {missing}.", "Fill it in, or give --source-vocabulary.")

    def several(field: str) -> tuple[str, ...]:
        parts = line.get(fields.get(field, "")).replace(";", ",").split(",")
        return tuple(part.strip() for part in parts if part.strip())

    def day(field: str) -> date | None:
        return line.take(fields.get(field, ""), date.fromisoformat, None, "a date")

    return SourceCode(
        vocabulary_id=vocabulary,
        code=code,
        names=tuple(names),
        domain=line.get(fields.get("domain", "")),
        records=line.take(fields.get("records", ""), _count, 0, "a count"),
        persons=line.take(fields.get("persons", ""), _count, None, "a count"),
        level=line.get(fields.get("level", ""), "unmapped"),
        target_concept_ids=line.take(fields.get("targets", ""), _targets, (), "a list of concept identifiers"),
        first_date=day("first_date"),
        last_date=day("last_date"),
        atc_codes=several("atc"),
        ingredients=several("ingredient"),
        info=tuple(info),
    )


def write_codes(path: Path, codes: Iterable[SourceCode]) -> None:
    """Write codes as a CSV that `codes_of_file` reads back, replacing the file at once."""
    rows = list(codes)
    most = max((len(code.names) for code in rows), default=0)
    info = sorted({title for code in rows for title, __ in code.info})
    names = ["code_name", *(f"code_name_{number}" for number in range(2, most + 1))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fixed = ["vocabulary_id", "code", *names, "domain", "records", "persons", "level", "target_concept_ids"]
    writer.writerow(
        [*fixed, "first_date", "last_date", "atc_code", "ingredient", *(f"{INFO_PREFIX}{title}" for title in info)]
    )
    for code in rows:
        titles = dict(code.info)
        shown = [*code.names, *[""] * (len(names) - len(code.names))]
        targets = ";".join(map(str, code.target_concept_ids))
        persons = "" if code.persons is None else code.persons
        row: list[object] = [code.vocabulary_id, code.code, *shown, code.domain, code.records, persons, code.level]
        row += [
            targets,
            code.first_date or "",
            code.last_date or "",
            ";".join(code.atc_codes),
            ";".join(code.ingredients),
        ]
        writer.writerow(row + [titles.get(title, "") for title in info])
    with sentences(f"write {path.name}"):
        make_folder(path.parent, 0o755)
        put_instead(path, out.getvalue().encode(), 0o644)


def merge_codes(first: Iterable[SourceCode], second: Iterable[SourceCode]) -> list[SourceCode]:
    """Both lists, most records first; of a code in both, counts of the first and names and hints of the two."""
    codes = {code.key: code for code in first}
    for code in second:
        known = codes.get(code.key)
        codes[code.key] = (
            code
            if known is None
            else replace(
                known,
                names=tuple(dict.fromkeys((*known.names, *code.names))),
                domain=known.domain or code.domain,
                atc_codes=known.atc_codes or code.atc_codes,
                ingredients=known.ingredients or code.ingredients,
                info=known.info or code.info,
            )
        )
    return by_records(codes.values())


@dataclass(frozen=True)
class ReviewItem:
    """A code with all decisions on it."""

    code: SourceCode
    mappings: tuple[Mapping, ...]

    @property
    def status(self) -> str:
        """`approved` if any decision is, else `candidate` if any is, else `rejected` if any is, else `unreviewed`."""
        found = {mapping.status for mapping in self.mappings}
        return next(
            (status.value for status in (Status.APPROVED, Status.CANDIDATE, Status.REJECTED) if status in found),
            "unreviewed",
        )

    @property
    def mapped(self) -> bool:
        """Whether the code has a target: approved here, or by the run that counted it."""
        if any(mapping.status is Status.APPROVED and mapping.target_concept_id for mapping in self.mappings):
            return True
        return self.code.level != "unmapped"


def review_items(codes: Iterable[SourceCode], mappings: Iterable[Mapping]) -> list[ReviewItem]:
    """Codes with their decisions, most records first; decisions on codes that no record has come last, counting 0."""
    decided: dict[tuple[str, str], list[Mapping]] = {}
    for mapping in mappings:
        decided.setdefault(mapping.code_key, []).append(mapping)
    items = [ReviewItem(code, tuple(decided.pop(code.key, ()))) for code in by_records(codes)]
    for (vocabulary, code), rest in sorted(decided.items()):
        names = tuple(filter(None, [rest[0].source_name]))
        items.append(ReviewItem(SourceCode(vocabulary, code, names, level="not met"), tuple(rest)))
    return items


def by_records(codes: Iterable[SourceCode]) -> list[SourceCode]:
    """Codes with most records first, equals by vocabulary and code."""
    return sorted(codes, key=lambda code: (-code.records, code.key))


def _count(text: str) -> int:
    number = whole_number(text)
    if number < 0:
        raise ValueError(text)
    return number


def _targets(text: str) -> tuple[int, ...]:
    return tuple(
        target for part in text.replace(";", ",").split(",") if part.strip() and (target := whole_number(part.strip()))
    )
