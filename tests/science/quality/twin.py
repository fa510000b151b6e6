"""The slow twin of the planner: every check asked by itself, as one obvious query."""

from madang.science.quality.questions import Questions, count

__all__ = ["Questions", "count"]
