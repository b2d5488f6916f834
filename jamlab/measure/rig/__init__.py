"""Latency from mouth to ear between players of any programs, on a private audio graph."""
