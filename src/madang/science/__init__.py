"""What can be computed with no node running, usable from a notebook: plain functions and frozen dataclasses."""
