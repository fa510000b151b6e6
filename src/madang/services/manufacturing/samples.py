"""Descriptions that a person may begin from."""

RECIPE = """\
kinetics = "cho"
hours = 336
every = 4

[start]
volume = 1.0
biomass = 0.4

[[feed]]
from = 48
rate = 0.0009
substrate = 300
glutamine = 20

[[temperature]]
from = 140
celsius = 34

[limits.product]
least = 4.2
[limits.viability]
least = 0.55

[what_if]
batches = 5000
[what_if.spread]
mu_max = 0.05
q_p = 0.1
biomass = 0.1

[design_space]
grid = 11
draws = 100
[design_space.axes]
feed = [0.5, 1.8]
temperature = [31, 37]
"""
LOOP = """\
name = "promoters"
rounds = 10
experiments = 8
plate = 96

[[part]]
name = "promoter"
choices = ["P1", "P2", "P3", "P4"]

[[part]]
name = "rbs"
choices = ["R1", "R2", "R3"]

[[factor]]
name = "inducer"
low = 0
high = 100

[devices]
mode = "simulated"
failures = ["reader@3"]

[rule]
retries = 2
"""
