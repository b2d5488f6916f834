"""Latency of any system, from recordings of coded clicks that anything played."""
