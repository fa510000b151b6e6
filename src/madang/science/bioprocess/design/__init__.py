"""Design of experiments: factors, constraints between them, and designs that fill or probe their space."""

from madang.science.bioprocess.design.designs import KINDS, design
from madang.science.bioprocess.design.factors import Constraint, Factor, Space

__all__ = ["KINDS", "Constraint", "Factor", "Space", "design"]
