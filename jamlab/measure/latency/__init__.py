"""Latency between participants on this machine."""
