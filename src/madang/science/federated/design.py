"""From an Arrow table to numbers that mean the same at every site: terms, levels, missing values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.exact import Array
from madang.science.federated.study import NAME

MOST_TERMS = 60


@dataclass(frozen=True)
class Design:
    """The columns of a model: terms (`age`, `sex`, `age:sex`), the levels of those that are categories (the first is
    the reference), and whether there is an intercept, or something that stands for it (a baseline hazard).
    """

    terms: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    intercept: bool = True
    baseline: bool = True

    def names(self) -> list[str]:
        """The coefficients in order, as R names them."""
        found = ["(Intercept)"] if self.intercept else []
        for term in self.terms:
            columns = [""]
            for part in term.split(":"):
                named = [f"{part}{level}" for level in self.coded(part, term)] if part in self.levels else [part]
                columns = [f"{left}:{each}" if left else each for each in named for left in columns]
            found += columns
        return found

    def coded(self, part: str, term: str) -> tuple[str, ...]:
        """The levels of a category that have a column in a term: all but the reference where the rest of the term is
        in the model too, else all of them (R's model.matrix, Chambers and Hastie 1992, section 2.4.1).
        """
        rest = set(term.split(":")) - {part}
        there = any(set(each.split(":")) == rest for each in self.terms) if rest else self.intercept or self.baseline
        if not rest and not there:  # of several categories the first has no reference, as after it there is a constant
            there = next(each for each in self.terms if each in self.levels) != term
        return self.levels[part][1:] if there else self.levels[part]

    @property
    def variables(self) -> list[str]:
        """The columns of the table that it needs."""
        return list(dict.fromkeys(part for term in self.terms for part in term.split(":")))


def make_design(
    terms: Sequence[str],
    levels: Mapping[str, Sequence[str]] | None = None,
    intercept: bool = True,
    baseline: bool = True,
) -> Design:
    """A design, checked; `baseline` false where nothing stands for an intercept that is left out. Errors:
    `federated.term`."""
    told = {name: tuple(map(str, each)) for name, each in (levels or {}).items()}
    for term in terms:
        if not all(NAME.fullmatch(part) for part in term.split(":")):
            raise MadangError(
                "federated.term", _("{term!r} is no term of a model.").format(term=term), "age, sex, age:sex"
            )
    if len(set(terms)) != len(terms):
        raise MadangError("federated.term", _("A term stands twice in the model."))
    for name, each in told.items():
        if len(each) < 2 or len(set(each)) != len(each):
            raise MadangError("federated.term", _("{name} needs two levels or more, each once.").format(name=name))
    made = Design(tuple(terms), told, intercept, baseline)
    if len(made.names()) > MOST_TERMS:
        raise MadangError("federated.term", _("A model has {most} coefficients at most.").format(most=MOST_TERMS))
    return made


def levels_at(table: pa.Table, variables: Sequence[str]) -> dict[str, list[str]]:
    """For a site: the levels that occur, sorted, of the variables that are categories (text); numbers have none."""
    found = {}
    for name in variables:
        column = _column(table, name)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_boolean(column.type):
            found[name] = sorted(str(each) for each in column.drop_null().unique().to_pylist())
    return found


def levels_of(parts: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    """For the coordinator: the union of levels, sorted. Errors: `federated.differs` where one site has numbers."""
    names = {name for part in parts for name in part}
    for name in sorted(names):
        if not all(name in part for part in parts):
            raise MadangError(
                "federated.differs", _("{name} is text at some sites and a number at others.").format(name=name)
            )
    return {name: tuple(sorted({level for part in parts for level in part[name]})) for name in sorted(names)}


def complete_rows(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The rows in which none of these columns is missing, as every package of statistics does it."""
    import pyarrow.compute as pc  # 10 MB that a page about studies does without

    keep: Any = None
    for name in names:
        column = _column(table, name)
        for valid in known(column):
            keep = valid if keep is None else pc.and_(keep, valid)
    return table if keep is None else table.filter(keep)


def known(column: pa.ChunkedArray) -> Iterator[Any]:
    """Where a column has its values; nothing where it has them all."""
    if column.null_count:
        yield column.is_valid()
    if pa.types.is_floating(column.type):
        import pyarrow.compute as pc

        finite = pc.is_finite(column.fill_null(0) if column.null_count else column)
        if not pc.all(finite).as_py():
            yield finite


def matrix(table: pa.Table, design: Design) -> Array:
    """The design matrix (n, p) of rows without missing values. Errors: `federated.column`, `federated.level`."""
    columns = columns_of(table, design)
    return np.column_stack(columns) if columns else np.zeros((table.num_rows, 0))


def columns_of(table: pa.Table, design: Design) -> list[Array]:
    """The columns of `matrix`, of rows without missing values. Errors: `federated.column`, `federated.level`."""
    n = table.num_rows
    columns = [np.ones(n)] if design.intercept else []
    parts: dict[str, list[Array]] = {}  # of a category for each of its levels
    for name in design.variables:
        if name not in design.levels:
            parts[name] = [numbers(table, name)]
            continue
        coded = _column(table, name).dictionary_encode().combine_chunks()
        found = [str(each) for each in coded.dictionary.to_pylist()]
        if not set(found) <= set(design.levels[name]):
            raise MadangError(
                "federated.level", _("{name} has a level here that the study does not name.").format(name=name)
            )
        codes = coded.indices.to_numpy(zero_copy_only=False)
        parts[name] = [
            np.isin(codes, [at for at, each in enumerate(found) if each == level]).astype(float)
            for level in design.levels[name]
        ]
    for term in design.terms:
        made: list[Array] = []
        for part in term.split(":"):
            own = parts[part]
            if part in design.levels:
                own = own[len(own) - len(design.coded(part, term)) :]  # without the reference, or all
            made = [left * each for each in own for left in made] if made else list(own)
        columns += made
    return columns


def numbers(table: pa.Table, name: str) -> Array:
    """A column as doubles. Errors: `federated.column` where it is none or no number."""
    column = _column(table, name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    try:
        found: Array = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=float)  # no copy of one that is whole
        return found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise MadangError("federated.column", _("{name} is no number here.").format(name=name)) from None


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise MadangError(
            "federated.column",
            _("There is no column {name} here.").format(name=name),
            _("Look at the study's columns."),
        )
    return table.column(name)
