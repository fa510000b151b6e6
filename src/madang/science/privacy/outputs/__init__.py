"""What may leave: tables, statistics and files, judged by written rules and against everything that left before.

`check` proves what a new table together with released ones would give away; `protect` finds the cheapest cells to
suppress so that nothing can be derived; `judge` holds one output against the rules of an institution; `scan` parses
files that somebody wants to take away; `compute` answers declared queries, so that what was made in a session is
never believed but computed again.
"""
