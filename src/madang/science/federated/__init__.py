"""Federated statistics: what a site computes of its own rows, and what a coordinator adds up.

For alliances and for anybody with data in several places. Each estimator is a pair of pure functions on Arrow tables,
`..._at(table, ...)` and `..._of(parts)`, and where it takes rounds a `fit_...(ask, ...)`. Exact means: the sums of the
sites are the sums of the pooled rows, so the result is the pooled result; what is an approximation (meta-analysis) says
so in its docstring.

The names below are loaded at first use: a page about studies does without the numbers.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use

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

__getattr__ = at_first_use(
    __name__,
    {
        "design": ("Design", "complete_rows", "levels_at", "levels_of", "make_design"),
        "disclosure": ("Limits",),
        "glm": ("GlmFit", "GlmPart", "fit_glm", "glm_at", "glm_of"),
        "meta": ("der_simonian_laird", "fixed_effect", "reml"),
        "moments": (
            "Moments",
            "below_at",
            "chi_square",
            "mantel_haenszel",
            "moments_at",
            "moments_of",
            "quantiles_of",
            "range_at",
            "table_at",
            "table_of",
        ),
        "pooling": ("pooled",),
        "rounds": ("Part", "Site"),
        "study": ("Study", "read_study", "words"),
        "survival": (
            "CoxFit",
            "CoxPart",
            "SurvivalPart",
            "center_at",
            "center_of",
            "cox_at",
            "event_times_at",
            "fit_cox",
            "grid_of",
            "kaplan_meier",
            "log_rank",
            "median_of",
            "survival_at",
        ),
    },
)
