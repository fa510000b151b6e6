"""The biofoundry loop: design constructs, build them on a plate, test them, learn, propose the next round.

`plates` knows wells and worklists, `constructs` sequences, `devices` what carries a step out and the rule for what
fails, `biology` is the simulated answer, `loop` closes the rounds and keeps every well's history.
"""
