"""Measurements: click detection, latency, connectivity, statistics, verdicts and records."""
