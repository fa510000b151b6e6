"""From counts to verdicts: thresholds, and when a check is not applicable.

The rules are those of DataQualityDashboard (evaluateThresholds.R, calculateNotApplicableStatus.R): a check without a
threshold, or with 0, fails on the first violating row, others where the share in percent lies above the threshold; a
check is not applicable where its table or field is not there, its table has no rows, its field no values, or its
concepts do not occur.
"""

from collections.abc import Iterable, Mapping

from madang.base.translate import _
from madang.science.quality.checks import check_id
from madang.science.quality.columns import Columns, obstacle
from madang.science.quality.model import Check, Count, Level, Result, Status

_ALWAYS = ("cdmTable", "cdmField")  # these say that something is missing, so they always apply where they can
_OF_PERSONS = ("measurePersonCompleteness",)  # an empty table is what it looks for


def judge(checks: Iterable[Check], counts: Mapping[str, Count], columns: Columns) -> tuple[Result, ...]:
    """A result for every check, in order.

    `counts` holds by check identifier what was counted, and also the measureValueCompleteness of every table and
    field that a check is about, whether or not that is among `checks`: it says what is empty. Nothing counted for a
    check that could be asked is an error, never a pass.
    """
    return tuple(_judge(check, counts, columns) for check in checks)


def _judge(check: Check, counts: Mapping[str, Count], columns: Columns) -> Result:
    count = counts.get(check.id, Count(None, None))
    reason = _not_applicable(check, count, counts, columns)
    if reason:
        return Result(check, Status.NOT_APPLICABLE, count.violated, count.denominator, reason)
    error = count.error or obstacle(check, columns)
    if not error and (count.violated is None or count.denominator is None):
        error = _("Nobody counted.")
    if error:
        return Result(check, Status.ERROR, None, None, error)
    failed = fails(check.threshold, count.violated or 0, count.denominator or 0)
    return Result(check, Status.FAILED if failed else Status.PASSED, count.violated, count.denominator)


def fails(threshold: float | None, violated: int, denominator: int) -> bool:
    """Whether this many violating rows are too many."""
    if not threshold:
        return violated > 0
    return denominator > 0 and violated / denominator * 100 > threshold


def _not_applicable(check: Check, count: Count, counts: Mapping[str, Count], columns: Columns) -> str:
    table, field = check.table, check.field
    if check.name == "cdmTable" or check.level is Level.CUSTOM:
        return ""
    if check.name == "measureConditionEraCompleteness":
        if "condition_occurrence" not in columns or _rows("condition_occurrence", counts, columns) == 0:
            return _("Table {table} is empty.").format(table="condition_occurrence")
        return ""
    if table not in columns:
        return _("Table {table} is missing.").format(table=table)
    if check.name in (*_ALWAYS, *_OF_PERSONS):
        return ""
    if field and field not in columns[table]:
        return _("Field {table}.{field} is missing.").format(table=table, field=field)
    if _rows(table, counts, columns) == 0:
        return _("Table {table} is empty.").format(table=table)
    if check.name == "measureValueCompleteness":
        return ""
    filled = counts.get(completeness_id(table, field)) if field else None
    if filled and filled.violated is not None and filled.violated == filled.denominator:
        return _("Field {table}.{field} holds no values.").format(table=table, field=field)
    if check.level is Level.CONCEPT and count.denominator == 0:
        concepts = ", ".join(map(str, check.concepts))
        return _("{table}.{field} never is {concepts}.").format(table=table, field=field, concepts=concepts)
    return ""


def completeness_id(table: str, field: str) -> str:
    """The identifier of the check that counts the rows of a table and the nulls of a field."""
    return check_id(Level.FIELD, "measureValueCompleteness", table, field)


def _rows(table: str, counts: Mapping[str, Count], columns: Columns) -> int | None:
    """Rows of a table as any of its fields tells; None where nobody counted."""
    for field in columns.get(table, ()):
        count = counts.get(completeness_id(table, field))
        if count and count.denominator is not None:
            return count.denominator
    return None
