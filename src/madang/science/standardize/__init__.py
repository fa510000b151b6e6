"""Raw records to the OMOP common data model: packs, the compiler, the runner, trace, scan and mapping review.

`standardize(pack, source, vocabulary)` is the main job; docs/packs.md says how a pack is written.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use

if TYPE_CHECKING:
    from madang.science.standardize.pack import Pack, load_pack
    from madang.science.standardize.report import Report
    from madang.science.standardize.result import Standardized
    from madang.science.standardize.run import standardize

__all__ = ["Pack", "Report", "Standardized", "load_pack", "standardize"]

__getattr__ = at_first_use(
    __name__,
    {"pack": ("Pack", "load_pack"), "report": ("Report",), "result": ("Standardized",), "run": ("standardize",)},
)
