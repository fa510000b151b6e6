"""Federated statistics: what a site computes of its own rows, and what a coordinator adds up.

For alliances and for anybody with data in several places. Each estimator is a pair of pure functions on Arrow tables,
`..._at(table, ...)` and `..._of(parts)`, and where it takes rounds a `fit_...(ask, ...)`. Exact means: the sums of the
sites are the sums of the pooled rows, so the result is the pooled result; what is an approximation (meta-analysis) says
so in its docstring.

The names below are loaded at first use: a page about studies does without the numbers.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.federated.design import Design, complete_rows, levels_at, levels_of, make_design
    from madang.science.federated.disclosure import Limits
    from madang.science.federated.glm import GlmFit, GlmPart, fit_glm, glm_at, glm_of
    from madang.science.federated.meta import der_simonian_laird, fixed_effect, reml
    from madang.science.federated.moments import (
        Moments,
        below_at,
        chi_square,
        mantel_haenszel,
        moments_at,
        moments_of,
        quantiles_of,
        range_at,
        table_at,
        table_of,
    )
    from madang.science.federated.pooling import pooled
    from madang.science.federated.rounds import Part, Site
    from madang.science.federated.study import Study, read_study, words
    from madang.science.federated.survival import (
        CoxFit,
        CoxPart,
        SurvivalPart,
        center_at,
        center_of,
        cox_at,
        event_times_at,
        fit_cox,
        grid_of,
        kaplan_meier,
        log_rank,
        median_of,
        survival_at,
    )

__all__ = [
    "CoxFit",
    "CoxPart",
    "Design",
    "GlmFit",
    "GlmPart",
    "Limits",
    "Moments",
    "Part",
    "Site",
    "Study",
    "SurvivalPart",
    "below_at",
    "center_at",
    "center_of",
    "chi_square",
    "complete_rows",
    "cox_at",
    "der_simonian_laird",
    "event_times_at",
    "fit_cox",
    "fit_glm",
    "fixed_effect",
    "glm_at",
    "glm_of",
    "grid_of",
    "kaplan_meier",
    "levels_at",
    "levels_of",
    "log_rank",
    "make_design",
    "mantel_haenszel",
    "median_of",
    "moments_at",
    "moments_of",
    "pooled",
    "quantiles_of",
    "range_at",
    "read_study",
    "reml",
    "survival_at",
    "table_at",
    "table_of",
    "words",
]

_PLACES = {
    "CoxFit": "survival",
    "CoxPart": "survival",
    "Design": "design",
    "GlmFit": "glm",
    "GlmPart": "glm",
    "Limits": "disclosure",
    "Moments": "moments",
    "Part": "rounds",
    "Site": "rounds",
    "Study": "study",
    "SurvivalPart": "survival",
    "below_at": "moments",
    "center_at": "survival",
    "center_of": "survival",
    "chi_square": "moments",
    "complete_rows": "design",
    "cox_at": "survival",
    "der_simonian_laird": "meta",
    "event_times_at": "survival",
    "fit_cox": "survival",
    "fit_glm": "glm",
    "fixed_effect": "meta",
    "glm_at": "glm",
    "glm_of": "glm",
    "grid_of": "survival",
    "kaplan_meier": "survival",
    "levels_at": "design",
    "levels_of": "design",
    "log_rank": "survival",
    "make_design": "design",
    "mantel_haenszel": "moments",
    "median_of": "survival",
    "moments_at": "moments",
    "moments_of": "moments",
    "pooled": "pooling",
    "quantiles_of": "moments",
    "range_at": "moments",
    "read_study": "study",
    "reml": "meta",
    "survival_at": "survival",
    "table_at": "moments",
    "table_of": "moments",
    "words": "study",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
