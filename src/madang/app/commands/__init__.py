"""One module per command group. What is heavy is imported inside the functions: help must be instant."""
