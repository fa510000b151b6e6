"""Raw records to the OMOP common data model: packs, the compiler, the runner, trace, scan and mapping review.

`standardize(pack, source, vocabulary)` is the main job; docs/packs.md says how a pack is written.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.standardize.pack import Pack, load_pack
    from madang.science.standardize.report import Report
    from madang.science.standardize.result import Standardized
    from madang.science.standardize.run import standardize

__all__ = ["Pack", "Report", "Standardized", "load_pack", "standardize"]

_HOMES = {"Pack": "pack", "Report": "report", "Standardized": "result", "load_pack": "pack", "standardize": "run"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: scanning and mapping review do not need the runner."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
