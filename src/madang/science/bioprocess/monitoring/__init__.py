"""Watching a continuous process: a model of normal operation, alarms against it, and which variables explain them.

Two statistics see different faults and are used side by side: the residual distance of canonical variate analysis
(CVA), and the distance of the errors of a one-step prediction (innovations). Each is also averaged with exponential
weights, so that small lasting shifts stand out. Limits come from cross-validation on normal operation.
"""

from madang.science.bioprocess.monitoring.model import Limits, Model, Settings, load, save
from madang.science.bioprocess.monitoring.train import TUNED, train, tune
from madang.science.bioprocess.monitoring.watch import Watched, watch

__all__ = ["TUNED", "Limits", "Model", "Settings", "Watched", "load", "save", "train", "tune", "watch"]
