"""The rows of a site that a study asks for, and whether they are what it means.

Apart from the study itself, which pages and programs read that never see a row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.design import known, numbers
from madang.science.federated.study import Study, condition

_COMPARE = {  # by the name that Arrow gives it
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "=": "equal",
    "!=": "not_equal",
}


def members(study: Study, table: pa.Table) -> NDArray[np.bool_]:
    """For a site: which of its rows are in the cohort. Errors: `federated.column`, `study.value`."""
    found = np.ones(table.num_rows, bool)
    for text in study.where:
        name, comparison, value = condition(text)
        if name not in table.column_names:
            raise MadangError("federated.column", _("There is no column {name} here.").format(name=name))
        column = table.column(name)
        if comparison == "known":
            found &= known_in(table, [name])
            continue
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not is_text:
            column = pa.chunked_array([pa.array(numbers(table, name), pa.float64(), from_pandas=True)])
        wanted = [_value(each, is_text, text) for each in (value.split(",") if comparison == "in" else [value])]
        if comparison == "in":
            kept = pc.is_in(column, value_set=pa.array(wanted, column.type))
        else:
            kept = getattr(pc, _COMPARE[comparison])(column, pa.scalar(wanted[0], column.type))
        found &= np.asarray(pc.fill_null(kept, False).to_numpy(), bool)
    return found


def known_in(table: pa.Table, names: Sequence[str]) -> NDArray[np.bool_]:
    """The rows in which none of these columns is missing."""
    found = np.ones(table.num_rows, bool)
    for name in names:
        for valid in known(table.column(name)):
            found &= np.asarray(valid.to_numpy(), bool)
    return found


def _value(text: str, is_text: bool, whole: str) -> Any:
    plain = text.strip().strip("\"'")
    if is_text:
        return plain
    try:
        return float(plain)
    except ValueError:
        raise MadangError("study.value", _("{text} is no condition on a number.").format(text=whole)) from None


def check_shape(study: Study, table: pa.Table, units: Mapping[str, str]) -> None:
    """For a site, before anything is computed: columns, types and units are those that the study means.

    Errors: `federated.column`, `federated.differs`.
    """
    for name in study.columns():
        if name not in table.column_names:
            raise MadangError(
                "federated.column", _("There is no column {name} here.").format(name=name), _("Look at what is shared.")
            )
    for name, meant in study.variables.items():
        if name not in table.column_names:
            continue
        column = table.schema.field(name).type
        is_text = pa.types.is_string(column) or pa.types.is_large_string(column)
        if is_text != (meant.type == "text") and not (meant.type == "text" and meant.levels):
            raise MadangError(
                "federated.differs",
                _("{name} is {here} here, and {there} in the study.").format(
                    name=name, here="text" if is_text else "number", there=meant.type
                ),
            )
        if meant.unit and units.get(name, meant.unit) != meant.unit:
            raise MadangError(
                "federated.differs",
                _("{name} is in {here} here, and in {there} in the study.").format(
                    name=name, here=units[name], there=meant.unit
                ),
                _("Share it in the study's unit."),
            )
