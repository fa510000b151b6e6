"""Chemistry: structures and libraries, search, assays and models, ranking.

Plain functions on files, Arrow tables and NumPy arrays, to be used from a notebook as well as by the node:
`library` (rows of files to compounds), `search` (similarity and substructure), `curves` (dose-response from plates),
`model` (predictions with intervals), `ranking` and `series` (what to make next). Modules load RDKit and numba
themselves; importing this package loads nothing.
"""
