"""Cohorts: the shelf of definitions, their counts on dataset versions, and the gate before ATLAS.

For researchers who ask which people, for holders who decide who may see how many, and for the rooms that count
populations (access, alliance). Definitions follow OHDSI's ATLAS and circe.
"""
