"""A result held against its declared query, computed again: what was shown in a session is a hint and no evidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.privacy.outputs.compute import Answer, Row, compute, source
from madang.science.privacy.outputs.judge import Finding, Status, judge
from madang.science.privacy.outputs.lineage import PERSON, keeps_people
from madang.science.privacy.outputs.queries import Kind, Query, query_of
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said


class Match(StrEnum):
    """What came of computing a result again."""

    SAME = "same"
    DIFFERENT = "different"
    UNVERIFIED = "unverified"  # no query, or one that cannot be computed here


@dataclass(frozen=True)
class Held:
    """A result and its query: whether they belong together, and what the rules say of what the query really gives."""

    match: Match
    sentence: str
    findings: tuple[Finding, ...] = ()
    answer: Answer | None = None
    counts: dict[str, Any] | None = None  # the counts that what is shown tells


class Extract:
    """The tables that questions may be asked of, and nothing else: the engine reads no other file."""

    def __init__(self, engine: Engine, tables: tuple[str, ...]) -> None:
        self.engine = engine
        self.tables = tables

    @classmethod
    def of(cls, data: str | Path | Mapping[str, Any], memory_limit: str = "2GB", threads: int = 2) -> "Extract":
        """An extract of a folder of Parquet files (or of folders of them), or of Arrow or pandas tables by name."""
        engine = Engine(memory_limit, threads)
        if isinstance(data, Mapping):
            for name, table in data.items():
                engine.register(name, _arrow(table))
            return cls(engine, tuple(data))
        folder, found, read = Path(data), list[str](), list[Path]()
        for path in sorted(folder.iterdir() if folder.is_dir() else []):
            files = [path] if path.suffix == ".parquet" else sorted(path.glob("*.parquet")) if path.is_dir() else []
            if files:
                engine.execute(f"CREATE VIEW {quote_name(path.stem)} AS FROM read_parquet({quote_paths(files)})")
                found.append(path.stem)
                read += files
        if not found:
            raise MadangError(
                "outputs.extract",
                _("There are no tables in {folder}.").format(folder=folder),
                _("Give a folder of Parquet files."),
            )
        engine.confine(read)
        return cls(engine, tuple(found))

    def columns(self, source: str) -> list[str]:
        """The columns of a table or a SELECT."""
        text = source.strip()
        spaced = any(letter.isspace() for letter in text)
        sql = self.engine.one_select(text) if spaced else f"SELECT * FROM {quote_name(text)}"
        return [name for name, _kind in self.engine.describe(sql)]


def _arrow(table: Any) -> Any:
    if hasattr(table, "__dataframe__") and not hasattr(table, "to_batches"):
        import pyarrow

        return pyarrow.Table.from_pandas(table, preserve_index=False)
    return table


def protected_rows(answer: Answer, findings: Sequence[Finding], rules: Rules) -> tuple[Row, ...]:
    """The rows with every number of a cell that fails a criterion left out."""
    failed = {cell for finding in findings if finding.status is Status.FAIL for cell in finding.cells}
    small = {group.key for group in answer.groups if 0 < group.people < rules.minimum_count}
    by = answer.query.by
    if answer.query.kind in (Kind.LINEAR, Kind.LOGISTIC):
        return () if failed else answer.rows
    found = []
    for row in answer.rows:
        key = tuple(row[name] for name in by)
        hide_all = key in small or key in failed
        found.append({name: value if name in by or not hide_all else None for name, value in row.items()})
    return tuple(found)


def hold(document: Any, shown: Sequence[Mapping[str, Any]], engine: Engine, rules: Rules) -> Held:
    """Compute the declared query again and compare it with the rows that somebody wants to take away.

    Numbers may be shown with fewer digits, and may be left out; anything else makes them different.
    """
    try:
        query = query_of(document)
        answer = compute(engine, query, rules)
        findings = tuple(_judged(engine, query, answer, rules))
    except MadangError as error:
        return Held(Match.UNVERIFIED, error.message)
    wrong = _difference(answer, shown)
    if wrong:
        return Held(Match.DIFFERENT, wrong, findings, answer)
    sentence = said(later("The declared query gives these numbers."))
    return Held(Match.SAME, sentence, findings, answer, told_counts(answer, shown, rules))


def _judged(engine: Engine, query: Query, answer: Answer, rules: Rules) -> list[Finding]:
    """What the rules say of the people behind an answer: those whom the data know, not those whom the query names."""
    names = [name for name, _kind in engine.describe(f"SELECT * FROM {source(engine, replace(query, where={}))}")]
    text = query.source.strip()
    plain = not any(letter.isspace() for letter in text)
    kept = PERSON in names and (plain or keeps_people(engine, text))
    if PERSON in names and query.person != PERSON:
        answer = compute(engine, replace(query, person=PERSON), rules)
    sentence = said(later("People are counted as the data know them."))
    return [*judge(answer, rules), Finding("people", Status.PASS if kept else Status.REVIEW, sentence)]


def told_counts(answer: Answer, shown: Sequence[Mapping[str, Any]], rules: Rules) -> dict[str, Any]:
    """The counts that a result tells: a cell whose numbers are all left out, or whose row is, tells none.

    Which of the empty cells are small ones is not told either, so any count may be behind each of them.
    """
    document = answer.counts(rules)
    by = answer.query.by
    if not by or answer.query.kind is Kind.SURVIVAL:
        return document
    numbers = [name for name in answer.columns if name not in by]
    told = {
        tuple(_text(row.get(name)) for name in by)
        for row in shown
        if any(str(row.get(name) if row.get(name) is not None else "").strip() for name in numbers)
    }
    more = [cell for cell in document["cells"] if cell[1] is not None and tuple(map(_text, cell[0])) not in told]
    if more:
        for cell in more:
            cell[1] = None
        document["suppressed"] = [0, None]
    return document


def _difference(answer: Answer, shown: Sequence[Mapping[str, Any]]) -> str:
    if any(set(row) - set(answer.columns) for row in shown):
        return said(later("It has columns that the query does not give."))
    by = answer.query.by or (("term",) if "term" in answer.columns else ())
    keys = (*by, "time") if answer.query.kind is Kind.SURVIVAL else by
    known = {tuple(_text(row.get(name)) for name in keys): row for row in answer.rows}
    seen = set()
    for row in shown:
        key = tuple(_text(row.get(name)) for name in keys)
        if key not in known or key in seen:
            return said(later("It has rows that the query does not give."))
        seen.add(key)
        for name, value in row.items():
            if name not in keys and not _agrees(value, known[key][name]):
                return said(later("Its numbers are not those of the query."))
    return ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{float(value):g}" if isinstance(value, int | float) else _plain(str(value))


def _plain(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _agrees(shown: Any, known: Any) -> bool:
    text = "" if shown is None else str(shown).strip()
    if not text:
        return True
    try:
        value = float(text)
    except ValueError:
        return text == str(known)
    if known is None or not math.isfinite(value):
        return False
    digits = len(text.lower().partition("e")[0].partition(".")[2])
    exponent = int(text.lower().partition("e")[2] or 0)
    tolerance = 0.5 * 10.0 ** (exponent - digits) + 1e-9 * max(1.0, abs(float(known)))
    return abs(value - float(known)) <= (tolerance if digits or exponent else 0.5 if isinstance(known, float) else 0.0)
