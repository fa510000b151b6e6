"""The one seam to duckcdm: an expression becomes SQL for DuckDB here, and nothing is run.

duckcdm (Apache-2.0) is OHDSI's circe and SqlRender in Python. Only its `circe` and `sqlrender` are imported. What a
person wrote into a text filter never goes through its text replacement: a token takes its place until the SQL is
finished. Where circe leaves the order of equal days open, the order of events decides, so that one definition has one
answer on any number of threads.
"""

import re
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import quote_text
from madang.science.cohorts.definition import Definition, wrong
from madang.science.omop.cdm import TABLES

CDM, RESULTS = "cdm", "results"
CRITERIA_ABSENT = frozenset({"LocationRegion"})
"""Criteria that ask for a table which CDM 5.4 does not have (location_history)."""

STATISTICS = {
    "cohort_inclusion_result": "mode_id INTEGER, inclusion_rule_mask BIGINT, person_count BIGINT",
    "cohort_inclusion_stats": "rule_sequence INTEGER, mode_id INTEGER, person_count BIGINT, gain_count BIGINT, "
    "person_total BIGINT",
    "cohort_summary_stats": "mode_id INTEGER, base_count BIGINT, final_count BIGINT",
    "cohort_censor_stats": "lost_count BIGINT",
}
"""The tables that the SQL fills besides `cohort` where statistics are asked for, with their columns."""

_TABLE = re.compile(rf"\b{CDM}\.(\w+)", re.IGNORECASE)
_ORDERS = (
    ("order by pe.start_date @QualifiedEventSort)", "order by pe.start_date @QualifiedEventSort, pe.event_id)"),
    ("order by start_date @IncludedEventSort)", "order by start_date @IncludedEventSort, event_id)"),
)
# Primary events of one day and one identifier (of two tables, or of two criteria about one): the shorter first.
_PRIMARY = re.compile(r"(ORDER BY E\.sort_date (?:ASC|DESC), E\.event_id)\)")
_OWN_CRITERIA = re.compile(
    r"(?is)(select PE\.person_id, [^()]*?PE\.sort_date)"  # of events with criteria of their own
    r"(\s+from\s*\(\s*(?:--[^\n]*\n\s*)?select\b[^;]*?\bas sort_date)([^;]*?)(?=\bfrom\b)"  # what is selected
)


@dataclass(frozen=True)
class Compiled:
    """The SQL that fills `results.cohort` for one definition, and the tables of the model that it reads."""

    sql: str
    tables: frozenset[str]


def compile_definition(definition: Definition, cohort: int = 1, *, statistics: bool = False) -> Compiled:
    """The SQL of a definition; members get the number `cohort`. Errors: `cohort.definition`."""
    circe, render, translate = _duckcdm()
    try:
        expression = circe.CohortExpression.from_json(definition.text)
        texts = _take_texts(expression)
        template = circe.build_cohort_query(
            expression,
            cdm_schema=CDM,
            vocabulary_schema=CDM,
            result_schema=RESULTS,
            target_table=f"{RESULTS}.cohort",
            cohort_id=cohort,
            generate_stats=statistics,
        )
        sql = translate(render(_distinct(_in_order(template))), "duckdb")
    except circe.CirceError as error:
        raise wrong(_explained(str(error)), _("`madang cohort check` says where.")) from None
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, RecursionError) as error:
        message = _("The definition cannot be made into a query: {reason}.")
        raise wrong(message.format(reason=str(error)[:200]), _("`madang cohort check` says where.")) from None
    for token, text in texts.items():
        for before, after in (("", ""), ("%", ""), ("", "%"), ("%", "%")):
            sql = sql.replace(f"'{before}{token}{after}'", quote_text(before + text + after))
    tables = frozenset(name.lower() for name in _TABLE.findall(sql))
    return Compiled(sql, tables)


def concept_set_sql(expression: dict[str, Any]) -> str:
    """The SELECT of the concepts of a concept set expression. Errors: `cohort.definition`."""
    circe, render, translate = _duckcdm()
    try:
        template = circe.build_concept_set_query(expression)
        return str(translate(render(template, vocabulary_database_schema=CDM), "duckdb")).strip().rstrip(";")
    except (circe.CirceError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise wrong(_("The concept set cannot be read: {reason}.").format(reason=str(error)[:200])) from None


def check_shape(definition: Definition) -> None:
    """Raise `cohort.definition` where the expression cannot become SQL at all."""
    compiled = compile_definition(definition)
    absent = sorted(compiled.tables - TABLES.keys())
    if absent:
        message = _("The definition asks for the table {table}, which CDM 5.4 does not have.")
        raise MadangError("cohort.table", message.format(table=absent[0].upper()))


def _duckcdm() -> tuple[Any, Any, Any]:
    try:
        from duckcdm import circe
        from duckcdm.sqlrender import render, translate
    except ImportError:
        raise MadangError(
            "cohort.missing",
            _("Cohorts need the package duckcdm, which is not installed here."),
            _("Run script/up, which installs the packages of the rooms."),
        ) from None
    return circe, render, translate


def _in_order(template: str) -> str:
    """The template with ties broken. circe's own text is looked for, so a change of it is noticed by a test."""
    for before, after in _ORDERS:
        sort = (
            re.escape(before).replace("@QualifiedEventSort", "(ASC|DESC)").replace("@IncludedEventSort", "(ASC|DESC)")
        )
        target = after.replace("@QualifiedEventSort", r"\1").replace("@IncludedEventSort", r"\1")
        template = re.sub(sort, target, template)
    return _PRIMARY.sub(r"\1, E.end_date, E.visit_occurrence_id)", template)


def _distinct(template: str) -> str:
    """The template in which events that have criteria of their own keep what is counted of them (concepts, days of
    supply, ...): circe leaves it out there where different ones are counted, and its SQL is none."""

    def kept(match: re.Match[str]) -> str:
        columns = re.findall(r"(?i)\bas (\w+)", match[3])
        return match[1] + "".join(f", PE.{column}" for column in columns) + match[2] + match[3]

    return _OWN_CRITERIA.sub(kept, template)


def _take_texts(expression: Any) -> dict[str, str]:
    """Replace the text of every text filter by a token; the texts by token."""
    from duckcdm.circe._model import Bean, TextFilter

    texts: dict[str, str] = {}
    todo: list[Any] = [expression]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, TextFilter):
            if value.text:
                token = f"madangtext{len(texts)}z"
                texts[token], value.text = value.text, token
        elif isinstance(value, Bean):
            todo += vars(value).values()
    return texts


def _explained(reason: str) -> str:
    """circe's reason in a sentence that says what is meant, where that is known."""
    kind, _colon, rest = reason.partition(": ")
    if "Could not resolve type id" in reason:
        name = reason.split("'")[1] if reason.count("'") > 1 else "?"
        return _("The definition has a criterion of a kind that is not known here: {name}.").format(name=name)
    if "Drug Codeset ID" in reason:
        return _("The exit by continuous exposure names no concept set of drugs.")
    if "CustomEra.CriteriaList" in reason:
        return _("A custom era has no criteria.")
    if "Invalid CriteriaColumn" in reason:
        return _("The definition counts a column that its criterion does not have: {column}.").format(column=rest)
    if kind.startswith("NullPointer"):
        return _("The definition lacks a part that it needs: {part}.").format(part=rest or "?")
    if "Unknown operator" in reason or "occurrene operator" in reason:
        return _("The definition compares by something that is not known: {reason}.").format(reason=rest)
    return _("The definition cannot be read: {reason}.").format(reason=(rest or reason)[:200])
