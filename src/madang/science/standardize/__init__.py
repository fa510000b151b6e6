"""Raw records to the OMOP common data model: packs, the compiler, the runner, trace, scan and mapping review.

`standardize(pack, source, vocabulary)` is the main job; docs/packs.md says how a pack is written.
"""

from madang.science.standardize.pack import Pack, load_pack
from madang.science.standardize.report import Report
from madang.science.standardize.run import Standardized, standardize

__all__ = ["Pack", "Report", "Standardized", "load_pack", "standardize"]
