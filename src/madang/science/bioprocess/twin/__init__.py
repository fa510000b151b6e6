"""The fed-batch twin: cultivations computed ten thousand at a time, fitted to runs, asked about limits.

`kinetics` holds the rates, `solve` integrates many batches, `plain` is the slow twin by LSODA, `fit` learns from runs,
`space` asks how sure attributes hold, `penicillin` is the published benchmark, `scale` carries over to other vessels.
"""
