"""A simulated plant: a train of bioreactors as an OPC UA server in a process of its own, with faults on request.

Its readings are made by the twin and are marked as simulated. It keeps a log of its own, from which it answers
HistoryRead, also after it was killed.
"""
