"""Writes caches: plans, encodes in several processes, joins, publishes."""
