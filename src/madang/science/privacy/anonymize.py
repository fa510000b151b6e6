"""A flat table made anonymous: one generalization for all rows, or one per class of rows (local recoding)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.science.privacy.criteria import Criterion, KAnonymity
from madang.science.privacy.hierarchy import ALL, Hierarchy
from madang.science.privacy.local import recode
from madang.science.privacy.metrics import Cells, Discernability, Entropy, Loss, Metric, Rows
from madang.science.privacy.search import Sensitive, search
from madang.science.privacy.table import Coded, coded, distinct
from madang.science.privacy.verify import Verified, verify

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("cells", "entropy", "discernability", "arx")


@dataclass(frozen=True)
class Anonymized:
    """The result: the table to hand out, what was lost, and what an independent count found in it.

    `levels` is None for local recoding, where each class has its own. `suppressed` counts rows, `loss` is the mean over
    cells, `score` the value of the chosen metric.
    """

    table: "pa.Table"
    quasi_identifiers: tuple[str, ...]
    method: str
    criteria: tuple[Criterion, ...]
    levels: tuple[int, ...] | None
    rows: int
    suppressed: int
    limit: int
    loss: float
    loss_by_column: tuple[float, ...]
    metric: str
    score: tuple[float, ...]
    optimal: bool
    counted: int
    verified: Verified

    def document(self) -> dict[str, Any]:
        """The report as JSON: what `madang privacy anonymize --json` writes."""
        others = [name for name in self.table.column_names if name not in self.quasi_identifiers]
        return {
            "method": self.method,
            "quasi_identifiers": list(self.quasi_identifiers),
            "levels": None if self.levels is None else list(self.levels),
            "suppressed": self.suppressed,
            "suppression_limit": self.limit,
            "rows": self.rows,
            "loss": self.loss,
            "loss_by_column": dict(zip(self.quasi_identifiers, self.loss_by_column, strict=True)),
            "metric": self.metric,
            "score": self.score[0] if len(self.score) == 1 else list(self.score),
            "optimal": self.optimal,
            "counted": self.counted,
            "k": self.verified.k,
            "classes": self.verified.classes,
            "l": self.verified.l,
            "t": self.verified.t,
            "verified": True,
            "kept_as_they_are": others,
        }


def metric_named(name: str, count_suppressed: bool = False, aggregate: str = "rank", weight: float = 0.5) -> Metric:
    """The metric of a name of `METRICS`. Entropy and discernability leave suppressed rows out unless told otherwise."""
    if name == "cells":
        return Cells()
    if name == "entropy":
        return Entropy(count_suppressed)
    if name == "discernability":
        return Discernability(count_suppressed)
    if name == "arx":
        return Loss(aggregate, weight)
    raise MadangError("privacy.metric", f"There is no loss {name!r}.", f"Use one of {', '.join(METRICS)}.")


def rows_allowed(rows: int, share: float | str) -> int:
    """How many rows a share allows, computed without rounding: 0.29 of 100 rows are 29."""
    try:
        exact = Fraction(str(share))
    except (ValueError, ZeroDivisionError):
        raise MadangError("privacy.suppression", f"{share!r} is no share of rows.", "Give it as 0.02.") from None
    if not 0 <= exact <= 1:
        raise MadangError("privacy.suppression", "The suppression limit is between 0 and 1.", "Give it as 0.02.")
    return int(rows * exact)


@dataclass(frozen=True)
class _Prepared:
    rows: Rows
    columns: tuple[Coded, ...]
    leaf_of_value: tuple[np.ndarray, ...]
    of_row: np.ndarray
    sensitive: Sensitive | None


def _prepare(
    table: "pa.Table", trees: Sequence[Hierarchy], sensitive: str | None, order_of: Hierarchy | None
) -> _Prepared:
    columns = coded(table, [tree.name for tree in trees])
    leaf_of_value = tuple(tree.coded(column.values) for tree, column in zip(trees, columns, strict=True))
    arrays = [leaf[column.codes] for leaf, column in zip(leaf_of_value, columns, strict=True)]
    sizes = [len(tree.leaves) for tree in trees]
    values = 0
    if sensitive is not None:
        from madang.science.privacy.measure import in_order

        column = coded(table, [sensitive])[0]
        place = in_order(column.values) if order_of is None else order_of.coded(column.values)
        values = len(column.values) if order_of is None else len(order_of.leaves)
        arrays.append(place[column.codes])
        sizes.append(values)
    found = distinct(arrays, sizes)
    leaves = tuple(np.ascontiguousarray(found.tuples[:, place]) for place in range(len(trees)))
    return _Prepared(
        Rows(tuple(trees), leaves, found.weights),
        tuple(columns),
        leaf_of_value,
        found.of_row,
        None if sensitive is None else Sensitive(found.tuples[:, -1], values),
    )


def anonymize(
    table: "pa.Table",
    trees: Sequence[Hierarchy],
    criteria: Sequence[Criterion] | int,
    suppression: float | str = 0.0,
    metric: Metric | None = None,
    metric_name: str = "cells",
    sensitive: str | None = None,
    sensitive_tree: Hierarchy | None = None,
    local: bool = False,
    seconds: float = 60.0,
    progress: Progress | None = None,
) -> Anonymized:
    """Generalize the columns that the hierarchies are named for until all criteria (or k, a number) hold.

    At most the share `suppression` of rows is suppressed: such a row is `*` in every column. The result is verified by
    `verify`, which shares no code with the search, before it is returned. `sensitive` is the column that diversity and
    closeness are about. Local recoding takes k-anonymity only. Raises `privacy.no_solution` where nothing helps.
    """
    if isinstance(criteria, int):
        criteria = [KAnonymity(criteria)]
    for each in criteria:
        if isinstance(each, KAnonymity) and each.k < 1:
            raise MadangError("privacy.criteria", "k is at least 1.")
        if not isinstance(each, KAnonymity) and sensitive is None:
            raise MadangError("privacy.criteria", "l-diversity and t-closeness need a sensitive column.")
    if sensitive is not None and sensitive in [tree.name for tree in trees]:
        raise MadangError("privacy.column", f"{sensitive!r} cannot be quasi-identifier and sensitive at once.")
    limit = rows_allowed(table.num_rows, suppression)
    needs_values = any(not isinstance(each, KAnonymity) for each in criteria)
    ready = _prepare(table, trees, sensitive if needs_values else None, sensitive_tree)
    levels: tuple[int, ...] | None
    score: tuple[float, ...]
    if local:
        if needs_values:
            raise MadangError("privacy.criteria", "Local recoding knows k-anonymity only.", "Leave out --l and --t.")
        k = max(each.k for each in criteria if isinstance(each, KAnonymity))
        done = recode(ready.rows, k, limit, progress)
        levels, optimal, counted, score = None, False, 0, (done.loss,)
        labels = done.labels
        gone, gone_rows = done.suppressed, done.suppressed_rows
        metric_name = "cells"
    else:
        found = search(ready.rows, criteria, limit, metric or Cells(), ready.sensitive, seconds, progress)
        levels, optimal, counted, score = found.levels, found.optimal, found.counted, found.score
        labels = tuple(
            (np.full(len(leaves), level, dtype=np.int8), leaves)
            for leaves, level in zip(ready.rows.leaves, levels, strict=True)
        )
        gone = np.zeros(len(ready.rows.weights), dtype=bool)
        gone[found.suppressed] = True
        gone_rows = found.suppressed_rows
    result = _written(table, ready, labels, levels, gone, gone_rows)
    verified = verify(table, result, trees, criteria, sensitive, sensitive_tree, limit, levels)
    return Anonymized(
        result,
        tuple(tree.name for tree in trees),
        "local" if local else "full-domain",
        tuple(criteria),
        levels,
        table.num_rows,
        gone_rows,
        limit,
        verified.loss,
        verified.loss_by_column,
        metric_name,
        score,
        optimal,
        counted,
        verified,
    )


def _written(
    table: "pa.Table",
    ready: _Prepared,
    labels: Sequence[tuple[np.ndarray, np.ndarray]],
    levels: tuple[int, ...] | None,
    gone: np.ndarray,
    gone_rows: int,
) -> "pa.Table":
    """The table with labels for values, in the order of the rows and columns; `labels` has level and leaf per tuple."""
    import pyarrow as pa

    gone_row = gone[ready.of_row] if gone_rows else None
    result = table
    for column, tree, leaf_of_value, (level, leaf) in zip(
        ready.columns, ready.rows.hierarchies, ready.leaf_of_value, labels, strict=True
    ):
        names: list[str] = [label for labels_ in tree.labels for label in labels_]
        first = np.cumsum([0, *(len(labels_) for labels_ in tree.labels)])
        if levels is not None:  # one level for all: straight from the value
            at = int(level[0]) if len(level) else 0
            codes = (first[at] + tree.codes[at])[leaf_of_value][column.codes]
        else:
            of_level = np.stack([first[at] + code for at, code in enumerate(tree.codes)])
            codes = of_level[level, leaf][ready.of_row]
        result = _replace(result, column.name, names, codes, gone_row)
    if gone_row is not None:
        for name in table.column_names:
            if name not in [column.name for column in ready.columns]:
                column = coded(result, [name])[0]
                result = _replace(result, name, list(column.values), column.codes, gone_row)
    return pa.table(result)


def _replace(
    table: "pa.Table", name: str, values: list[str], codes: np.ndarray, gone_row: np.ndarray | None
) -> "pa.Table":
    import pyarrow as pa

    places: dict[str, int] = {}
    number = np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int32)
    codes = number[codes]
    if gone_row is not None:
        codes = np.where(gone_row, np.int32(places.setdefault(ALL, len(places))), codes)
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(list(places), pa.string()))
    return table.set_column(table.column_names.index(name), name, array)
