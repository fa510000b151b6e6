"""The doors of the house: the `madang` command."""
