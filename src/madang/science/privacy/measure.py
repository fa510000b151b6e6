"""How risky a flat table is: k, l, t, uniqueness in sample and population, average and highest risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from madang.base.errors import MadangError
from madang.science.privacy.criteria import (
    distances,
    distinct_values,
    entropies,
    histogram,
)
from madang.science.privacy.hierarchy import Hierarchy
from madang.science.privacy.individual import frequencies, individual_risk
from madang.science.privacy.table import Coded, coded, distinct
from madang.science.privacy.uniqueness import PopulationUniqueness, population_uniqueness

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_FRACTION = 0.1
LIMITS = (
    "k-anonymity counts rows that agree on the named columns. It says nothing about columns that are not named, about "
    "somebody who knows a value that is rare, or about a person who has several rows: whoever knows two dated events "
    "of a person can single out one among thousands. Assess longitudinal data per person."
)


@dataclass(frozen=True)
class SensitiveColumn:
    """What a class of equal quasi-identifiers says about one sensitive column, in its worst class."""

    column: str
    distinct: int  # fewest different values in a class
    entropy: float  # 2 to the power of the lowest entropy: as many equally frequent values
    equal_distance: float  # largest distance of a class from the table
    ordered_distance: float  # as above, for values with an order
    hierarchical_distance: float | None  # as above, along a hierarchy of the values if there is one


@dataclass(frozen=True)
class Assessment:
    """The measured risk of a table. Shares are of rows."""

    rows: int
    classes: int
    quasi_identifiers: tuple[str, ...]
    k: int
    rows_unique: int
    sample_uniqueness: float
    average_risk: float  # of a re-identification where the attacker knows that the person is in the table
    highest_risk: float
    rows_at_highest_risk: int
    population: PopulationUniqueness
    sensitive: tuple[SensitiveColumn, ...]
    individual: np.ndarray | None  # risk per row where sampling weights are given
    fk: np.ndarray
    Fk: np.ndarray | None

    def document(self) -> dict[str, Any]:
        """The report as JSON: what `madang privacy assess --json` writes. `l` and `t` are those of the worst column."""
        found: dict[str, Any] = {
            "rows": self.rows,
            "classes": self.classes,
            "quasi_identifiers": list(self.quasi_identifiers),
            "k": self.k,
            "sample_uniqueness": self.sample_uniqueness,
            "sample_uniques": self.rows_unique,
            "average_risk": self.average_risk,
            "highest_risk": self.highest_risk,
            "rows_at_highest_risk": self.rows_at_highest_risk,
            "population_uniqueness": self.population.dankar,
            "population": {
                "sampling_fraction": self.population.sampling_fraction,
                "model": self.population.model,
                "pitman": self.population.pitman,
                "zayatz": self.population.zayatz,
                "snb": self.population.snb,
            },
            "limits": LIMITS,
        }
        if self.sensitive:
            found["l"] = min(each.distinct for each in self.sensitive)
            found["l_entropy"] = min(each.entropy for each in self.sensitive)
            found["t"] = max(each.equal_distance for each in self.sensitive)
            found["t_ordered"] = max(each.ordered_distance for each in self.sensitive)
            found["sensitive"] = [
                {
                    "column": each.column,
                    "l": each.distinct,
                    "l_entropy": each.entropy,
                    "t": each.equal_distance,
                    "t_ordered": each.ordered_distance,
                    "t_hierarchical": each.hierarchical_distance,
                }
                for each in self.sensitive
            ]
        if self.individual is not None:
            found["individual_risk"] = {
                "mean": float(self.individual.mean()),
                "highest": float(self.individual.max()),
                "expected_reidentifications": float(self.individual.sum()),
            }
        return found


def assess(
    table: "pa.Table",
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    fraction: float = DEFAULT_FRACTION,
    weight: str | None = None,
    missing_matches: bool = False,
    method: str = "exact",
    trees: dict[str, Hierarchy] | None = None,
) -> Assessment:
    """Measure a table by its quasi-identifiers.

    `fraction` is the share of the population that the table is. `weight` names a column of sampling weights for the
    individual risk. With `missing_matches` an empty value matches every value when frequencies are counted; else it is
    a value of its own. The values of a sensitive column are in order of number where all are numbers, else of text.
    """
    if not 0 < fraction <= 1:
        raise MadangError("privacy.fraction", "A sampling fraction is above 0 and at most 1.")
    if method not in ("exact", "approx"):
        raise MadangError("privacy.method", f"There is no method {method!r}.", "Use exact or approx.")
    columns = coded(table, list(quasi))
    overlap = sorted(set(quasi) & set(sensitive))
    if overlap:
        raise MadangError("privacy.column", f"{overlap[0]!r} cannot be quasi-identifier and sensitive at once.")
    weights = None if weight is None else _weights(table, weight)
    found = distinct([each.codes for each in columns], [len(each.values) for each in columns])
    if missing_matches or weights is not None:
        counted = frequencies(columns, weights, missing_matches)
        fk: np.ndarray = counted.fk
        Fk = None if weights is None else counted.Fk
        individual = None if weights is None else individual_risk(counted, method)
    else:
        fk, Fk, individual = found.weights[found.of_row], None, None
    k = int(fk.min())
    unique = int((fk == 1).sum())
    return Assessment(
        rows=table.num_rows,
        classes=len(found.weights),
        quasi_identifiers=tuple(quasi),
        k=k,
        rows_unique=unique,
        sample_uniqueness=unique / table.num_rows,
        average_risk=float((1 / fk).sum() / table.num_rows) if missing_matches else len(found.weights) / table.num_rows,
        highest_risk=1 / k,
        rows_at_highest_risk=int((fk == k).sum()),
        population=population_uniqueness(found.weights, fraction),
        sensitive=tuple(
            _sensitive(each, found.of_row, len(found.weights), (trees or {}).get(each.name))
            for each in (coded(table, list(sensitive)) if sensitive else [])
        ),
        individual=individual,
        fk=fk,
        Fk=Fk,
    )


def _sensitive(column: Coded, of_row: np.ndarray, classes: int, tree: Hierarchy | None) -> SensitiveColumn:
    place = in_order(column.values)
    counted = histogram(of_row, place[column.codes], np.ones(len(of_row), dtype=np.int64), classes, len(column.values))
    along = None
    if tree is not None:
        leaf = tree.coded(column.values)
        by_leaf = histogram(of_row, leaf[column.codes], np.ones(len(of_row)), classes, len(tree.leaves))
        along = float(distances(by_leaf, tree).max())
    return SensitiveColumn(
        column.name,
        int(distinct_values(counted).min()),
        float(2 ** entropies(counted).min()),
        float(distances(counted, "equal").max()),
        float(distances(counted, "ordered").max()),
        along,
    )


def in_order(values: Sequence[str]) -> np.ndarray:
    """The rank of each value: by number where all (but the empty one) are numbers, else by text."""

    def key(value: str) -> tuple[int, float, str]:
        return (0, float(value), "") if value else (1, 0.0, "")

    try:
        ranked = sorted(range(len(values)), key=lambda place: key(values[place]))
    except ValueError:
        ranked = sorted(range(len(values)), key=lambda place: values[place])
    place = np.empty(len(values), dtype=np.int64)
    place[ranked] = np.arange(len(values))
    return place


def _weights(table: "pa.Table", name: str) -> np.ndarray:
    column = coded(table, [name])[0]
    try:
        values = np.array([float(value) for value in column.values])
    except ValueError:
        raise MadangError("privacy.weight", f"{name!r} holds weights that are no numbers.") from None
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise MadangError("privacy.weight", f"{name!r} holds weights that are not above 0.")
    return values[column.codes]
