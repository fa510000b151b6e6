"""The `nhis` output: synthetic lives as a national insurer's sample cohort would hand them over.

Files and columns follow the layout of the NHIS sample cohort, version 1; `docs/synthesis.md` says which facts are
known and which choices were made. The truth beside the files is written from the lives and from what the dirt layer
decided, never from the exported rows.
"""
