"""Likely foreign keys: columns whose values are among those of another source's key.

Both columns keep their smallest hashes; below the lower of the two largest kept, both samples are complete, so the
share of one in the other is an unbiased estimate (coordinated sampling; exact where all distinct values were kept).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from madang.science.standardize.scan.model import ColumnScan, Flag, Reference, SourceScan
from madang.science.standardize.scan.profile import SKETCH, Column

PERSON = "person identifier"
VISIT_NUMBER = re.compile(
    r"(encounter|visit|admission|hadm|adm|stay|내원|입원|접수|수진|진료)_?(occurrence_?)?(id|no|num|number|nr|key|sn|번호|일련번호|id)$"
    r"|^(encounter|fin|csn|hadm|icustay|stay)(_?id)?$",
    re.IGNORECASE,
)
"""What the number of a visit is called."""
VISITS = re.compile(r"encounter|visit|admission|입원|외래|내원|수진|접수|진료(?!과)", re.IGNORECASE)
"""Names of sources whose rows are visits."""
PERSONS_COMPARED = 20
"""Fewest values by which two columns that look like identifiers of persons are linked, whatever their names."""
_TYPES = ("integer", "text")
BIRTH = re.compile(r"birth|brth|^yob$|생년|출생|\bdob\b|^geb|naiss|nacim", re.IGNORECASE)
SEX = re.compile(r"sex|gender|성별|geschl", re.IGNORECASE)
AGE = re.compile(r"^age$|anchor_age|^age_?(yr|yrs|years|at.*)?$|나이|^연령$|연령\(", re.IGNORECASE)
_BARE = re.compile(r"(case_?)?(id|no|nr|num|number|key|seq|serial)|일련번호|번호|순번|아이디", re.IGNORECASE)
"""What a number is called that does not say of what; in a file of births and sexes it is of a person."""


def find_references(sources: Sequence[SourceScan], columns: Mapping[str, Sequence[Column]]) -> Iterator[Reference]:
    """For each column the key of another source that holds at least 95 % of its distinct values, the likeliest one."""
    keys = [
        (source.name, told, profile)
        for source in sources
        for told, profile in zip(source.columns, columns[source.name], strict=True)
        if (told.name,) in source.likely_keys
    ]
    for source in sources:
        for told, profile in zip(source.columns, columns[source.name], strict=True):
            own_key = (told.name,) in source.keys
            if told.type not in _TYPES or told.distinct < 2:
                continue
            candidates = []
            for to_source, key, key_profile in keys:
                persons = _is_person(told) and _is_person(key)
                if to_source == source.name or (key.type != told.type and not persons):
                    continue
                if own_key and not (persons and told.distinct < key.distinct):  # one row of some of the persons
                    # or one record of each visit; the files of visits themselves refer to none
                    of_visit = VISITS.search(to_source) and not VISITS.search(source.name)
                    fewer = VISIT_NUMBER.search(key.header) and told.distinct < key.distinct
                    if not ((of_visit or fewer) and told.header.lower() == key.header.lower()):
                        continue
                share, compared, exact = inclusion(profile.sketch, key_profile.sketch)
                alike = likeness(told, to_source, key)
                enough = compared >= PERSONS_COMPARED if persons else compared >= 50 and told.type == "text"
                if share >= 0.95 and compared and (alike or enough):
                    found = Reference(source.name, told.name, to_source, key.name, round(share, 4), compared, exact)
                    candidates.append((alike, share, found))
            if candidates:
                yield max(candidates, key=lambda one: one[:2])[2]


def spread_flags(sources: Sequence[SourceScan], references: Sequence[Reference]) -> list[SourceScan]:
    """The sources, with `person identifier` flagged on both sides of every reference where one side is, and at the
    number of a file that tells sex and birth (or age) and has no other number of a person."""
    sources = [_of_persons(source) for source in sources]
    links = [((r.source, r.column), (r.to_source, r.to_column)) for r in references]
    persons = {(s.name, c.name) for s in sources for c in s.columns if any(f.kind == PERSON for f in c.flags)}
    # First from a flagged column to the key that it refers to, then from that key to all that refer to it.
    keys = {key: column for column, key in links if column in persons}
    others = {column: key for column, key in links if key in persons or key in keys}

    def spread(source: str, column: ColumnScan) -> ColumnScan:
        at = (source, column.name)
        cause = keys.get(at) or others.get(at)
        if at in persons or cause is None:
            return column
        why = f"its values are those of {cause[0]}.{cause[1]}"
        return _flagged(column, Flag(PERSON, "possible", why))

    return [replace(one, columns=tuple(spread(one.name, column) for column in one.columns)) for one in sources]


def _of_persons(source: SourceScan) -> SourceScan:
    headers = [column.header for column in source.columns]
    tells = any(map(SEX.search, headers)) and any(BIRTH.search(one) or AGE.search(one) for one in headers)
    bare = [c.name for c in source.columns if _BARE.fullmatch(c.header) and c.distinct > 1 and not c.flags]
    if not tells or not bare or any(_is_person(column) for column in source.columns):
        return source
    keys = [name for name in bare if (name,) in source.likely_keys] or bare
    flag = Flag(PERSON, "possible", "it numbers the rows of a file that tells sex and birth or age")
    columns = tuple(_flagged(c, flag) if c.name == keys[0] else c for c in source.columns)
    return replace(source, columns=columns)


def _flagged(column: ColumnScan, flag: Flag) -> ColumnScan:
    return replace(
        column, flags=(*column.flags, flag), values=(), labels=(), hidden=column.distinct, low=None, high=None
    )


def inclusion(child: np.ndarray, parent: np.ndarray) -> tuple[float, int, bool]:
    """Share of the child's distinct values that the parent has, of how many compared, and whether that were all."""
    limits = [sketch[-1] for sketch in (child, parent) if len(sketch) >= SKETCH]
    mine = child[child <= min(limits)] if limits else child
    if not len(mine):
        return 0.0, 0, not limits
    return float(np.isin(mine, parent).mean()), len(mine), not limits


def likeness(column: ColumnScan, to_source: str, key: ColumnScan) -> int:
    """How much the name of a column speaks of the source or key that it may refer to."""
    if column.header.lower() == key.header.lower():
        return 2
    mine, theirs = _words(column.header), _words(to_source)
    bare = re.sub(r"(_?(id|no|num|nr|key|cd|sk|uid))+$", "", column.header.lower()).strip("_").rstrip("s")
    return 1 if mine & theirs or (len(bare) >= 3 and bare in theirs) else 0


def _is_person(column: ColumnScan) -> bool:
    return any(flag.kind == PERSON for flag in column.flags)


def _words(name: str) -> set[str]:
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[가-힣]+", name)
    return {part.lower().rstrip("s") for part in parts} - {"id", "no", "cd", "code", "t", "번호", "코드"}
