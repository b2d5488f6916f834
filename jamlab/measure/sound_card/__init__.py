"""Latency of a sound card, by its own loopback."""
