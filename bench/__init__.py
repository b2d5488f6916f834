"""Benchmarks: measured values against limits (bars), with comparisons in the same run."""
