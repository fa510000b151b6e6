"""What a site does not tell: DataSHIELD's filters, minimum counts, and what would follow from earlier answers.

The filters and their values are those of DataSHIELD's dsBase (nfilter.tab, nfilter.subset, nfilter.glm, ...). Beside
them the rows of every answer are remembered, and a question is refused if some small group of people could be solved
for from it and all answers before. A refusal says the rule and what change is allowed, and never a count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _

Members = NDArray[np.bool_]
MOST_REMEMBERED = 200  # sets of rows that are solved with together


@dataclass(frozen=True)
class Limits:
    """What an agreement says may be told. Names after DataSHIELD's filters; `minimum` holds for every group."""

    minimum: int = 5  # people in an answer, and in whatever follows from it
    tab: int = 3  # of a cell that is not empty
    subset: int = 3  # of a part of the rows
    glm: float = 0.33  # coefficients for each row, at most
    knn: int = 3  # neighbors of whom a mean is told
    string: int = 80  # characters of a text in a question
    string_short: int = 20  # characters of a level
    noise: float = 0.25  # least variance of noise, as a share, where noise is added
    levels_density: float = 0.33  # levels for each row, at most
    levels_max: int = 40  # levels of a variable
    exact_times: bool = False  # whether times and quantiles are told to the unit of the data
    budget: int = 100  # questions that are answered in a year

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Limits":
        """Limits of a mapping; what it does not have is as above. Errors: `federated.limits`."""
        known = {each.name: each.default for each in fields(cls)}
        for name, value in told.items():
            default = known.get(name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = isinstance(value, bool) if isinstance(default, bool) else is_number and value >= 0
            if default is None or not fits or (isinstance(default, int) and not isinstance(value, int)):
                raise MadangError(
                    "federated.limits",
                    _("{name} is no limit, or cannot be {value}.").format(name=name, value=value),
                    ", ".join(known),
                )
        return cls(**told)

    def stricter(self, other: "Limits") -> "Limits":
        """What both allow."""
        least = {"glm", "string", "string_short", "levels_density", "levels_max", "budget"}
        told = {}
        for each in fields(self):
            a, b = getattr(self, each.name), getattr(other, each.name)
            told[each.name] = (
                (a and b) if each.name == "exact_times" else min(a, b) if each.name in least else max(a, b)
            )
        return Limits(**told)


class Refused(MadangError):
    """A refusal by a rule of disclosure; `rule` names it."""

    def __init__(self, rule: str, sentence: str, hint: str) -> None:
        super().__init__("federated.disclosure", sentence, hint)
        self.rule = rule


def refuse(rule: str, sentence: str, hint: str) -> MadangError:
    """A refusal that names its rule."""
    return Refused(rule, sentence, hint)


def check_rows(n: int, limits: Limits) -> None:
    """A question has to be about nobody here, or about enough. Errors: `federated.disclosure` (subset)."""
    least = max(limits.minimum, limits.subset)
    if 0 < n < least:
        raise refuse(
            "subset",
            _("Too few people here are in it (rule: at least {least}).").format(least=least),
            _("Widen the cohort."),
        )


def check_cells(cells: Iterable[int], limits: Limits) -> None:
    """Cells are empty or large enough. Errors: `federated.disclosure` (tab)."""
    if any(0 < each < limits.tab for each in cells):
        raise refuse(
            "tab",
            _("A cell here has too few people (rule: none or at least {least}).").format(least=limits.tab),
            _("Join levels, or leave a variable out."),
        )


def check_levels(n: int, levels: Sequence[str], limits: Limits) -> None:
    """Not too many levels, and none that is a text. Errors: `federated.disclosure` (levels, string)."""
    if len(levels) > limits.levels_max or (n and len(levels) > max(2, limits.levels_density * n)):
        raise refuse(
            "levels",
            _("A variable has too many levels here (rule: {most}, and {share} for each row).").format(
                most=limits.levels_max, share=limits.levels_density
            ),
            _("Join levels."),
        )
    if any(len(each) > limits.string_short for each in levels):
        raise refuse(
            "string",
            _("A level here is longer than a level may be (rule: {most} characters).").format(most=limits.string_short),
            _("Give levels short codes."),
        )


def check_model(rows: pa.Table, variables: Sequence[str], coefficients: int, limits: Limits) -> None:
    """As DataSHIELD checks a model: not too many coefficients for the rows, no value of two that is rare.

    Errors: `federated.disclosure` (glm, tab, and those of `check_rows` and `check_levels`).
    """
    n = rows.num_rows
    check_rows(n, limits)
    if n and coefficients > limits.glm * n:
        raise refuse(
            "glm",
            _("The model has too many coefficients for the rows here (rule: {share} for each row).").format(
                share=limits.glm
            ),
            _("Leave terms out, or join levels."),
        )
    for name in variables:
        column, kind = rows.column(name), rows.schema.field(name).type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not is_text and len(column[:1_000].unique()) > 2:
            continue  # so has the whole column, and nothing is looked at of those
        counted = column.value_counts()
        if is_text:
            check_levels(n, [str(each) for each in counted.field("values").to_pylist()], limits)
        if is_text or len(counted) <= 2:
            check_cells(counted.field("counts").to_pylist(), limits)


def check_times(bin: float, limits: Limits, secure: bool = False) -> None:
    """Times are told in intervals unless the agreement allows the unit of the data, or only sums are seen.

    Errors: `federated.disclosure` (times).
    """
    if bin <= 0 and not limits.exact_times and not secure:
        raise refuse(
            "times",
            _("Exact values would be told (rule: a bin, masked sums, or an agreement that allows exact times)."),
            _("Set bin in the study, such as bin = 30."),
        )


def check_history(asked: Sequence[Members], earlier: Sequence[Members], limits: Limits) -> None:
    """Refuse what together with earlier answers, and with how many rows there are, tells of a small group.

    All arrays are about the same rows. Rows that were always in or out together are one atom; a group of fewer than
    `minimum` follows if the indicator of its atoms is a combination of the sets that were told (rank over the reals).
    Tested are all small differences of two sets, and every small atom. Errors: `federated.disclosure` (difference).
    """
    if not asked:
        return
    size = asked[0].size
    least = max(limits.minimum, limits.subset)
    known = _distinct([np.ones(size, bool), *earlier])[-MOST_REMEMBERED:]
    for mine in asked:
        for other in known:
            for left in (int((mine & ~other).sum()), int((other & ~mine).sum())):
                if 0 < left < least and (not (mine & ~other).any() or not (other & ~mine).any()):
                    raise _difference(least)
    every = _distinct([*known, *asked])
    first, sizes = _atoms(every)
    matrix = np.array([each[first] for each in every], float)  # sets x atoms
    small = np.nonzero((sizes < least) & matrix.any(axis=0))[0]
    if not small.size:
        return
    basis = _row_space(matrix)
    for atom in small:
        unit = np.zeros(matrix.shape[1])
        unit[atom] = 1.0
        if np.linalg.norm(unit - basis.T @ (basis @ unit)) < 1e-8:
            raise _difference(least)
    # unions of two small atoms
    for place, a in enumerate(small[:60]):
        for b in small[place + 1 : 60]:
            if sizes[a] + sizes[b] < least:
                unit = np.zeros(matrix.shape[1])
                unit[[a, b]] = 1.0
                if np.linalg.norm(unit - basis.T @ (basis @ unit)) < 1e-8:
                    raise _difference(least)


def _atoms(sets: Sequence[Members]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each group of rows that are in the same sets: the place of one of them, and how many they are."""
    codes: NDArray[Any] = np.zeros(sets[0].size, np.int32)
    for each in sets:
        codes = codes * 2 + each
        counts = np.bincount(codes)
        codes = (np.cumsum(counts > 0, dtype=np.int32) - 1)[codes]  # so that the numbers stay small
    sizes = np.bincount(codes)
    first = np.empty(sizes.size, np.intp)
    first[codes[::-1]] = np.arange(codes.size - 1, -1, -1)
    return first, sizes


def _row_space(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    _left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found: NDArray[np.float64] = right[values > 1e-9 * values[0]]
    return found


def _distinct(sets: Sequence[Members]) -> list[Members]:
    return list({each.tobytes(): each for each in sets}.values())


def _difference(least: int) -> MadangError:
    return refuse(
        "difference",
        _("With earlier answers it would tell of fewer than {least} people here.").format(least=least),
        _("Ask about a group that differs from earlier ones by more people, or by none."),
    )


def check_text(texts: Iterable[str], limits: Limits) -> None:
    """Texts of a question are short. Errors: `federated.disclosure` (string)."""
    if any(len(each) > limits.string for each in texts):
        raise refuse(
            "string",
            _("A text in the question is too long (rule: {most} characters).").format(most=limits.string),
            _("Shorten it."),
        )


def check_noise(variance: float, share: float, limits: Limits) -> None:
    """Where noise is added, it is enough. Errors: `federated.disclosure` (noise)."""
    if share < limits.noise or variance < 0:
        raise refuse(
            "noise",
            _("Too little noise (rule: {share} of the variance).").format(share=limits.noise),
            _("Ask for more noise, or for none and masked sums."),
        )


def check_neighbors(k: int, n: int, limits: Limits) -> None:
    """Means of neighbors are of enough of them. Errors: `federated.disclosure` (knn)."""
    if k < limits.knn or k > max(0, n - limits.knn):
        raise refuse(
            "knn",
            _("Too few neighbors (rule: at least {least}).").format(least=limits.knn),
            _("Ask for means of more rows."),
        )
