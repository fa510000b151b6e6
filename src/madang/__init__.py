"""Madang: the digital bio infrastructure that an institution can run itself."""

__version__ = "0.1.0"
