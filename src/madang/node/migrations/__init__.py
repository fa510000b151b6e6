"""The history of the database: one line of revisions for node and all rooms, `versions/NNNN_what.py`.

A revision imports no model: it has to do the same in ten years. `script/migration "what changed"` drafts one.
"""
