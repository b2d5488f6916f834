"""Latency across networks between browsers, each in a network namespace of the kernel."""
