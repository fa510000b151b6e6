"""HiGHS, the solver for linear and whole-number programs: loaded when first used, and silent."""

from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _


def solver() -> Any:
    """The module highspy; raises `MadangError("outputs.solver")` where it is not installed."""
    try:
        import highspy
    except ImportError:
        raise MadangError(
            "outputs.solver",
            _("The solver for linear programs (highspy) is not installed."),
            _("Install Madang with the extra `rooms`."),
        ) from None
    return highspy


def new_model() -> Any:
    """An empty program of one thread. `highspy.Highs` itself prints a greeting; the class below it does not."""
    model = solver().Highs.__mro__[1]()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    return model
