"""Grading: what an answer is worth, computed from plain values, with no node running.

`typed` is how answers travel, `compare` says whether two are the same, `tasks` reads a task from its folder, `answers`
judges answers that are no program, `notebooks` reads notebooks, `items` says how a class did. Nothing here ever runs
what a learner wrote: that happens in a closed box, which gives back typed JSON only.
"""
