"""Latency across networks, simulated and between namespaces."""
