"""Scan: what is in a folder of files, before anybody has written a pack for it.

`scan` looks at every file once and guesses layouts, types, keys and references; values that few rows have, and values
of columns that may tell who somebody is, are never shown. What it counts and what it guesses is in docs/scan.md.
"""

from madang.science.standardize.scan.model import ColumnScan, FileScan, Flag, Reference, Scan, SourceScan
from madang.science.standardize.scan.run import scan

__all__ = ["ColumnScan", "FileScan", "Flag", "Reference", "Scan", "SourceScan", "scan"]
