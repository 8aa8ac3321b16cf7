"""One copy of a cache in memory for all processes of a machine."""
