"""Runs: raw signals kept without loss while a run goes on, read by SQL, and compared when it is over.

`segments` is the log on disk, `record` fills it from OPC UA, `table` makes Arrow of it, `align` and `envelope` compare
runs, `derive` computes rates with their uncertainty, `soft` predicts what is measured rarely (PLS).
"""
