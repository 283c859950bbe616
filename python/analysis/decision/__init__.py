"""The rules by which an experiment is decided: arrays in, a decision out, nothing rendered.

The report and the calibration bench call the same :func:`decide`. All of it works on natural
logarithms; columns are groups, rows are blocks, NaN is a trial that is missing or not usable.
"""

from analysis.decision.decide import Comparison, Decision, decide
from analysis.decision.trials import Trials

__all__ = ["Comparison", "Decision", "Trials", "decide"]
