"""A small vocabulary of our own in Athena's file format, so that the demo needs no download.

It covers what the synthetic people get and no more; it does not replace a download from Athena. README.md beside the
files says what is in it and on which terms.
"""

from pathlib import Path


def starter_path() -> Path:
    """The folder with the tab-separated files."""
    return Path(__file__).parent
