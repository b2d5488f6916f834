"""Benchmarks: bars that hold or do not, measured side by side in one run."""
