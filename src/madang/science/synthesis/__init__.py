"""Synthetic people with lives, exported as an insurer and as a hospital would.

`simulate` gives lives that know nothing of any export; `synthesize` writes a folder of source data with its truth.
All of it is synthetic: no person in it exists. docs/synthesis.md says how people are made and which rules the truth
follows.
"""

from madang.science.synthesis.generate import synthesize, write_nhis
from madang.science.synthesis.lives import Lives, Population, simulate, simulate_chunk

__all__ = ["Lives", "Population", "simulate", "simulate_chunk", "synthesize", "write_nhis"]
