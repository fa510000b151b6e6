"""Intake: source files become typed Arrow tables, fast, with every physical line accounted for.

`find_files` says which files belong to which source, `register` takes down what a file is, `read_blocks` reads it, and
`read_lines` gives the original bytes of any of its lines. The rules are in docs/intake.md.
"""

from madang.science.standardize.intake.fields import reason_code
from madang.science.standardize.intake.files import SourceFile, find_files, read_lines, register
from madang.science.standardize.intake.pseudonym import pseudonymizer
from madang.science.standardize.intake.read import Block, check_files, read_blocks

__all__ = [
    "Block", "SourceFile", "check_files", "find_files", "pseudonymizer", "read_blocks", "read_lines", "reason_code",
    "register",
]  # fmt: skip
