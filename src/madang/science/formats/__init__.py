"""What a deposited file is, whether it is whole, and what it tells: one module for each kind of format.

`look` reads a file and says its format, facts and findings. Parsers of files that strangers upload belong into a
closed process (`services.deposits.reading` does so); these functions are plain and can be called from a notebook.
"""

from madang.science.formats.look import Finding, Told, look
from madang.science.formats.sheet import Checklist, Wrong, check_sheet

__all__ = ["Checklist", "Finding", "Told", "Wrong", "check_sheet", "look"]
