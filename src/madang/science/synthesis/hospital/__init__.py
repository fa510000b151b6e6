"""The `hospital` output: synthetic lives as one hospital's own awkward export would hand them over.

Monthly deliveries add, correct and withdraw rows; codes are the hospital's own; results are free text. Names, resident
numbers, telephone numbers and addresses are made up and invalid by construction. `docs/synthesis.md` says what the
files hold; the truth beside them is written from the lives and from what the export decided, never from the rows.
"""
