"""Bayesian optimization: a Gaussian process over what was measured, and the experiments that promise most.

Development use: what it says has to be confirmed by an experiment. No setting changes that.
"""

from madang.science.bioprocess.optimization.process import Process, fit
from madang.science.bioprocess.optimization.suggest import Aim, Suggested, suggest

__all__ = ["Aim", "Process", "Suggested", "fit", "suggest"]
