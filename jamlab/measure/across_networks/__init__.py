"""Latency across networks, on the simulated internet and between kernel namespaces."""
