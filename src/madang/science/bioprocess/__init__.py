"""Bioprocess development: what can be learned from cultivations and what to try next, with no node running.

`monitoring` watches a process and explains alarms, `twin` computes fed-batch cultivations, `design` and `optimization`
say which experiment comes next, `runs` keeps and compares what was recorded, `foundry` closes the loop of design,
build, test and learn, `plant` is a simulated plant. Plain functions and frozen dataclasses throughout.
"""

DEVELOPMENT_USE = "development use"  # stands in every answer of an optimizer, a soft sensor or a prediction
