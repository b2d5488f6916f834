"""Latency between all pairs of a session that is under way."""
