"""The kit that tests a live endpoint: made from a guide's server statement and profiles, one result per demand."""
